// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Memory;

/// <summary>
/// The only place that asks the operating system for memory.
/// </summary>
/// <remarks>
/// One contract for the whole seam. Addresses and sizes are multiples of <see cref="PageBytes"/>, sizes are positive.
/// A range goes through these states: nothing -> <see cref="Reserve(nuint, out byte*)"/> (address space, not readable)
/// -> <see cref="Commit"/> (readable, writable, zero) -> <see cref="Release"/> (nothing). A part of what is committed
/// may be given back by <see cref="Discard"/>: it stays readable and writable, is zero, and is backed again when it is
/// next touched. A failure is the operating system's error number, never an exception: the caller knows which size and
/// purpose to name, and for mere advice it may go on without.
/// <para>
/// On Linux this is mmap, mprotect, madvise, memfd_create and their like, called directly: blittable arguments, no
/// generated stubs. Elsewhere a reservation is one zeroed allocation of the C runtime; commit is then bookkeeping, and
/// all else answers "not supported". That works where the system backs pages as they are touched; it is neither tested
/// nor fast. Linux is what is supported.
/// </para>
/// </remarks>
internal static unsafe class OsMemory
{
    private const int ProtNone = 0;
    private const int ProtReadWrite = 3;
    private const int MapPrivateAnonymousNoReserve = 0x02 | 0x20 | 0x4000;
    private const int MapSharedFixedNoReserve = 0x01 | 0x10 | 0x4000;
    private const int MapPrivateAnonymousFixed = 0x02 | 0x10 | 0x20;
    private const int MapNoReserve = 0x4000;

    // MAP_HUGETLB, with the size's logarithm above bit 26: whatever size the system has by default.
    private const int MapHugePool = 0x40000 | (21 << 26);
    private const uint MemfdCloseOnExecAllowSealing = 0x1 | 0x2;
    private const int FcntlAddSeals = 1033;
    private const int SealShrink = 0x2;
    private const int FallocateKeepSizePunchHole = 0x1 | 0x2;

    /// <summary>The error number of "invalid argument": also how an old kernel answers advice it does not know.</summary>
    internal const int InvalidArgument = 22;

    /// <summary>The error number of "not permitted": how a container's filter refuses a call.</summary>
    internal const int NotPermitted = 1;

    /// <summary>The error number of "not supported here".</summary>
    internal const int NotSupported = 38;

    /// <summary>
    /// Bytes of a huge page where the system's page is 4 KiB. A range that is to get huge pages begins at a multiple.
    /// </summary>
    internal const int HugePageBytes = 2 * 1024 * 1024;

    private const int OutOfMemory = 12;

    /// <summary>The size of a page of the operating system, in bytes.</summary>
    internal static readonly nuint PageBytes = (nuint)Environment.SystemPageSize;

    /// <summary>True where reserve, commit and guard pages are real.</summary>
    internal static bool IsReal => OperatingSystem.IsLinux();

    /// <summary>Reserves <paramref name="bytes"/> of address space.</summary>
    /// <returns>0 and the address, or an error number.</returns>
    internal static int Reserve(nuint bytes, out byte* address)
    {
        address = null;
        if (MemoryFaults.RefuseRequest()) return OutOfMemory;
        if (!IsReal)
        {
            address = AllocateZeroed(bytes, PageBytes);
            if (address is null) return OutOfMemory;
            MemoryFaults.NoteReservation(1);
            return 0;
        }

        address = Map(null, bytes, ProtNone, MapPrivateAnonymousNoReserve, -1, 0);
        if (address != (byte*)-1)
        {
            MemoryFaults.NoteReservation(1);
            return 0;
        }

        address = null;
        return Marshal.GetLastSystemError();
    }

    /// <summary>As <see cref="Reserve(nuint, out byte*)"/>, at a multiple of <paramref name="alignment"/>.</summary>
    /// <param name="bytes">The size.</param>
    /// <param name="alignment">A power of two, at least <see cref="PageBytes"/>.</param>
    /// <param name="address">Where the range begins.</param>
    internal static int Reserve(nuint bytes, nuint alignment, out byte* address)
    {
        address = null;
        if (!IsReal)
        {
            if (MemoryFaults.RefuseRequest()) return OutOfMemory;
            address = AllocateZeroed(bytes, alignment);
            if (address is null) return OutOfMemory;
            MemoryFaults.NoteReservation(1);
            return 0;
        }

        // The system aligns to its own page only: ask for more, and give both ends back.
        nuint slack = alignment - PageBytes;
        int error = Reserve(checked(bytes + slack), out byte* given);
        if (error != 0) return error;
        byte* aligned = AlignUp(given, alignment);
        var front = (nuint)(aligned - given);
        if ((front > 0 && Unmap(given, front) != 0)
            || (slack > front && Unmap(aligned + bytes, slack - front) != 0))
        {
            error = Marshal.GetLastSystemError();
            _ = Unmap(given, bytes + slack);
            MemoryFaults.NoteReservation(-1);
            return error;
        }

        address = aligned;
        return 0;
    }

    /// <summary>
    /// Puts a new, empty file in memory behind a whole reservation. The file must be at least as long as what is
    /// committed (<see cref="SetFileLength"/>), and is closed by <see cref="CloseFile"/>.
    /// </summary>
    /// <returns>0 and the file's descriptor, or an error number and the reservation as it was.</returns>
    internal static int MapSharedFile(byte* address, nuint bytes, out int file)
    {
        file = -1;
        if (!IsReal) return NotSupported;
        if (MemoryFaults.RefuseRequest()) return OutOfMemory;
        ReadOnlySpan<byte> name = "perfcache\0"u8;
        int created;
        fixed (byte* first = name) created = MemfdCreate(first, MemfdCloseOnExecAllowSealing);
        if (created < 0) return Marshal.GetLastSystemError();
        if (Map(address, bytes, ProtNone, MapSharedFixedNoReserve, created, 0) == (byte*)-1)
        {
            int error = Marshal.GetLastSystemError();
            _ = Close(created);
            return error;
        }

        file = created;
        MemoryFaults.NoteFile(1);
        return 0;
    }

    /// <summary>Forbids everybody who has the file to make it shorter, which would make reading the lost part fatal.</summary>
    internal static int SealFileAgainstShrinking(int file) =>
        Fcntl(file, FcntlAddSeals, SealShrink) == 0 ? 0 : Marshal.GetLastSystemError();

    /// <summary>Makes a file of <see cref="MapSharedFile"/> that long; what is new is zero.</summary>
    internal static int SetFileLength(int file, nuint bytes)
    {
        if (MemoryFaults.RefuseRequest()) return OutOfMemory;
        return Ftruncate(file, (nint)bytes) == 0 ? 0 : Marshal.GetLastSystemError();
    }

    /// <summary>Closes a file. What is mapped of it stays mapped.</summary>
    internal static void CloseFile(int file)
    {
        _ = Close(file);
        MemoryFaults.NoteFile(-1);
    }

    /// <summary>Makes a reserved range readable, writable and zero.</summary>
    internal static int Commit(byte* address, nuint bytes)
    {
        if (MemoryFaults.RefuseRequest()) return OutOfMemory;
        return !IsReal || Protect(address, bytes, ProtReadWrite) == 0 ? 0 : Marshal.GetLastSystemError();
    }

    /// <summary>
    /// Puts huge pages that the system has set aside (hugetlb) behind a part that was never touched, readable, writable
    /// and zero. It begins and ends at multiples of <see cref="HugePageBytes"/>. On failure the part may be unmapped.
    /// </summary>
    /// <remarks>The pages are reserved, on no particular node: a touch can still be fatal where a placement insists on a
    /// node that has none, so back them at once with <see cref="MemoryAdvice.PopulateWrite"/>.</remarks>
    internal static int CommitHugePool(byte* address, nuint bytes)
    {
        if (!IsReal) return NotSupported;
        if (MemoryFaults.RefuseRequest()) return OutOfMemory;
        return Map(address, bytes, ProtReadWrite, MapPrivateAnonymousFixed | MapHugePool, -1, 0) == (byte*)-1
            ? Marshal.GetLastSystemError() : 0;
    }

    /// <summary>Replaces whatever is behind a part of a reservation by ordinary memory, readable, writable and zero.
    /// </summary>
    internal static int CommitAgain(byte* address, nuint bytes)
    {
        if (!IsReal) return NotSupported;
        if (MemoryFaults.RefuseRequest()) return OutOfMemory;
        return Map(address, bytes, ProtReadWrite, MapPrivateAnonymousFixed | MapNoReserve, -1, 0) == (byte*)-1
            ? Marshal.GetLastSystemError() : 0;
    }

    /// <summary>Allows or forbids every access to a part of what is committed; its bytes stay.</summary>
    internal static int SetAccess(byte* address, nuint bytes, bool isAllowed)
    {
        if (!IsReal) return NotSupported;
        return Protect(address, bytes, isAllowed ? ProtReadWrite : ProtNone) == 0 ? 0 : Marshal.GetLastSystemError();
    }

    /// <summary>
    /// Gives the memory behind a part of what is committed back to the system: it reads as zero from now on.
    /// </summary>
    /// <param name="address">Where the part begins.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="file">The file behind the range, or -1.</param>
    /// <param name="fileOffset">Where the part begins in the file.</param>
    internal static int Discard(byte* address, nuint bytes, int file, nuint fileOffset)
    {
        if (file < 0) return Advise(address, bytes, MemoryAdvice.DontNeed);
        return Fallocate(file, FallocateKeepSizePunchHole, (nint)fileOffset, (nint)bytes) == 0
            ? 0 : Marshal.GetLastSystemError();
    }

    /// <summary>Tells the system how a range will be used.</summary>
    internal static int Advise(byte* address, nuint bytes, MemoryAdvice advice)
    {
        if (!IsReal) return NotSupported;
        return Madvise(address, bytes, (int)advice) == 0 ? 0 : Marshal.GetLastSystemError();
    }

    /// <summary>Gives a whole reservation back.</summary>
    internal static int Release(byte* address, nuint bytes)
    {
        if (!IsReal)
        {
            NativeMemory.Free(((void**)address)[-1]);
            MemoryFaults.NoteReservation(-1);
            return 0;
        }

        if (Unmap(address, bytes) != 0) return Marshal.GetLastSystemError();
        MemoryFaults.NoteReservation(-1);
        return 0;
    }

    // Zeroed by the C runtime, which for large blocks hands out pages that the system has not backed yet. The address
    // that it gave stands in front of the aligned one.
    private static byte* AllocateZeroed(nuint bytes, nuint alignment)
    {
        try
        {
            var given = (byte*)NativeMemory.AllocZeroed(checked(bytes + alignment + (nuint)sizeof(void*)));
            byte* aligned = AlignUp(given + sizeof(void*), alignment);
            ((void**)aligned)[-1] = given;
            return aligned;
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    private static byte* AlignUp(byte* address, nuint alignment) =>
        (byte*)(((nuint)address + alignment - 1) & ~(alignment - 1));

    [DllImport("libc", EntryPoint = "mmap", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern byte* Map(byte* address, nuint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "munmap", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Unmap(byte* address, nuint length);

    [DllImport("libc", EntryPoint = "mprotect", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Protect(byte* address, nuint length, int protection);

    [DllImport("libc", EntryPoint = "madvise", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Madvise(byte* address, nuint length, int advice);

    [DllImport("libc", EntryPoint = "memfd_create", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int MemfdCreate(byte* name, uint flags);

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Fcntl(int file, int command, int argument);

    [DllImport("libc", EntryPoint = "ftruncate", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Ftruncate(int file, nint length);

    [DllImport("libc", EntryPoint = "fallocate", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Fallocate(int file, int mode, nint offset, nint length);

    [DllImport("libc", EntryPoint = "close", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Close(int file);
}
