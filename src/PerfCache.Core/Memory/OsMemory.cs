// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Memory;

/// <summary>
/// The only place that asks the operating system for memory.
/// </summary>
/// <remarks>
/// One contract for the whole seam. Addresses and sizes are multiples of <see cref="PageBytes"/>, sizes are positive.
/// A range goes through these states: nothing -> <see cref="Reserve"/> (address space, not readable) ->
/// <see cref="Commit"/> (readable, writable, zero) -> <see cref="Release"/> (nothing). A failure is the operating system's error number, never an exception: the caller
/// knows which size and purpose to name.
/// <para>
/// On Linux this is mmap, mprotect and munmap, called directly: blittable arguments, no generated stubs.
/// Elsewhere a reservation is one zeroed allocation of the C runtime; commit is then bookkeeping. That
/// works where the system backs pages as they are touched; it is neither tested nor fast. Linux is what is supported.
/// </para>
/// </remarks>
internal static unsafe class OsMemory
{
    private const int ProtNone = 0;
    private const int ProtReadWrite = 3;
    private const int MapPrivateAnonymousNoReserve = 0x02 | 0x20 | 0x4000;
    private const int OutOfMemory = 12;

    /// <summary>The size of a page of the operating system, in bytes.</summary>
    internal static readonly nuint PageBytes = (nuint)Environment.SystemPageSize;

    /// <summary>True where reserve, commit and guard pages are real.</summary>
    internal static bool IsReal => OperatingSystem.IsLinux();

    /// <summary>Reserves <paramref name="bytes"/> of address space.</summary>
    /// <returns>0 and the address, or an error number.</returns>
    internal static int Reserve(nuint bytes, out byte* address)
    {
        if (!IsReal)
        {
            address = AllocateZeroed(bytes);
            return address is null ? OutOfMemory : 0;
        }

        address = Map(null, bytes, ProtNone, MapPrivateAnonymousNoReserve, -1, 0);
        if (address != (byte*)-1) return 0;
        address = null;
        return Marshal.GetLastSystemError();
    }

    /// <summary>Makes a reserved range readable, writable and zero.</summary>
    internal static int Commit(byte* address, nuint bytes) =>
        !IsReal || Protect(address, bytes, ProtReadWrite) == 0 ? 0 : Marshal.GetLastSystemError();

    /// <summary>Gives a whole reservation back.</summary>
    internal static int Release(byte* address, nuint bytes)
    {
        if (!IsReal)
        {
            NativeMemory.Free(((void**)address)[-1]);
            return 0;
        }

        return Unmap(address, bytes) == 0 ? 0 : Marshal.GetLastSystemError();
    }

    // Zeroed by the C runtime, which for large blocks hands out pages that the system has not backed yet. The address
    // that it gave stands in front of the aligned one.
    private static byte* AllocateZeroed(nuint bytes)
    {
        try
        {
            var given = (byte*)NativeMemory.AllocZeroed(checked(bytes + PageBytes + (nuint)sizeof(void*)));
            byte* aligned = (byte*)(((nuint)given + (nuint)sizeof(void*) + PageBytes - 1) / PageBytes * PageBytes);
            ((void**)aligned)[-1] = given;
            return aligned;
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    [DllImport("libc", EntryPoint = "mmap", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern byte* Map(byte* address, nuint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "munmap", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Unmap(byte* address, nuint length);

    [DllImport("libc", EntryPoint = "mprotect", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Protect(byte* address, nuint length, int protection);
}
