// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PerfCache.Native;

/// <summary>Version, statuses, error texts, layouts.</summary>
internal static unsafe class GeneralExports
{
    private const uint VersionMajor = 1;
    private const uint VersionMinor = 1;

    [UnmanagedCallersOnly(EntryPoint = "pc_version")]
    private static uint Version() => (VersionMajor << 16) | VersionMinor;

    [UnmanagedCallersOnly(EntryPoint = "pc_status_name")]
    private static byte* StatusName(int status)
    {
        // These lie in the library itself, ended by 0.
        ReadOnlySpan<byte> name = (AbiStatus)status switch
        {
            AbiStatus.Ok => "PC_OK"u8,
            AbiStatus.NotResident => "PC_NOT_RESIDENT"u8,
            AbiStatus.Exists => "PC_EXISTS"u8,
            AbiStatus.Full => "PC_FULL"u8,
            AbiStatus.Empty => "PC_EMPTY"u8,
            AbiStatus.BadArgument => "PC_BAD_ARGUMENT"u8,
            AbiStatus.BadHandle => "PC_BAD_HANDLE"u8,
            AbiStatus.Closed => "PC_CLOSED"u8,
            AbiStatus.Io => "PC_IO"u8,
            AbiStatus.NoMemory => "PC_NO_MEMORY"u8,
            AbiStatus.Refused => "PC_REFUSED"u8,
            AbiStatus.Timeout => "PC_TIMEOUT"u8,
            AbiStatus.Internal => "PC_INTERNAL"u8,
            _ => "PC_?"u8,
        };
        return (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(name));
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_last_error")]
    private static nuint LastError(byte* text, nuint size)
    {
        try
        {
            ReadOnlySpan<byte> error = ThreadState.Current.ErrorText;
            if (text is null || size == 0) return (nuint)error.Length;
            int length = (int)Math.Min((nuint)error.Length, size - 1);
            error[..length].CopyTo(new Span<byte>(text, length));
            text[length] = 0;
            return (nuint)error.Length;
        }
        catch (OutOfMemoryException)
        {
            return 0;
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "pc_layout_of")]
    private static int LayoutOf(byte* structName, byte* field, uint* offset, uint* size)
    {
        try
        {
            string name = AbiArguments.Text(structName, "struct_name");
            string fieldName = field is null ? "" : AbiArguments.Text(field, "field");
            AbiArguments.Require(offset, "offset");
            AbiArguments.Require(size, "size");
            if (AbiLayout.Find(name, fieldName) is not { } row)
                throw AbiException.BadArgument($"there is no field '{fieldName}' of a struct '{name}'");
            *offset = row.Offset;
            *size = row.Size;
            return (int)AbiStatus.Ok;
        }
        catch (Exception failure)
        {
            return ThreadState.Fail(failure);
        }
    }
}
