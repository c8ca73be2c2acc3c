// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Memory;

/// <summary>The only place that asks the operating system where memory and threads are, and to put them elsewhere.
/// </summary>
/// <remarks>
/// The C library has no functions for these calls (libnuma has, and need not be installed), so they go through its
/// <c>syscall</c> by number. That function is declared variadic; with integers and pointers alone every Linux ABI that
/// is known here passes the arguments alike. As in <see cref="OsMemory"/>, a failure is the system's error number,
/// never an exception, and arguments are blittable.
/// <para>
/// Three traps are handled here, once. A mask's length is given in bits <em>plus one</em>: the kernel takes one off.
/// A status that the kernel did not write keeps what was in the array before, so it is filled with
/// <see cref="NotTold"/>. And move_pages that returns 0 has not promised anything: read the statuses, then ask again.
/// </para>
/// </remarks>
internal static unsafe class NumaCalls
{
    /// <summary>The highest number of a node that any kernel has (10 bits).</summary>
    internal const int NodeMax = 1023;

    /// <summary>The highest number of a CPU that a mask here has; kernels are built for 8192 at most.</summary>
    internal const int CpuMax = 8191;

    /// <summary>The status of a page of which the kernel said nothing.</summary>
    internal const int NotTold = int.MinValue;

    private const int BitsPerWord = 64;
    private const int MoveOwnPages = 2;

    private static readonly Numbers? s_numbers = NumbersOf(RuntimeInformation.ProcessArchitecture);

    /// <summary>True where these calls exist under a number that is known here.</summary>
    internal static bool AreKnown => OperatingSystem.IsLinux() && s_numbers is not null;

    /// <summary>Makes the calls without an effect, so that their refusal is known before they are relied on.</summary>
    /// <returns>The first that fails and its error number; 0 when none does.</returns>
    internal static (string Call, int Error) Probe()
    {
        if (s_numbers is not Numbers numbers) return ("mbind", OsMemory.NotSupported);
        int error = ErrorOf(Call(numbers.GetPolicy, 0, 0, 0, 0, 0, 0));
        if (error != 0) return ("get_mempolicy", error);
        error = ErrorOf(Call(numbers.Bind, 0, 0, 0, 0, 0, 0));
        if (error != 0) return ("mbind", error);
        return ("move_pages", ErrorOf(Call(numbers.Move, 0, 0, 0, 0, 0, 0)));
    }

    /// <summary>Sets the policy of a range: where pages go that are touched for the first time from now on.</summary>
    internal static int Bind(nint address, nint bytes, int mode, NumberList nodes)
    {
        if (s_numbers is not Numbers numbers) return OsMemory.NotSupported;
        Span<ulong> mask = stackalloc ulong[WordsOf(nodes)];
        Fill(mask, nodes);
        fixed (ulong* words = mask)
            return ErrorOf(Call(numbers.Bind, address, bytes, mode, (nint)words, BitsOf(mask), 0));
    }

    /// <summary>Sets the policy of the calling thread, for ranges that have none of their own.</summary>
    internal static int SetPolicy(int mode, NumberList nodes)
    {
        if (s_numbers is not Numbers numbers) return OsMemory.NotSupported;
        Span<ulong> mask = stackalloc ulong[WordsOf(nodes)];
        Fill(mask, nodes);
        fixed (ulong* words = mask) return ErrorOf(Call(numbers.SetPolicy, mode, (nint)words, BitsOf(mask), 0, 0, 0));
    }

    /// <summary>Reads the policy of the calling thread.</summary>
    internal static int GetPolicy(out int mode, out NumberList nodes)
    {
        mode = 0;
        nodes = NumberList.Empty;
        if (s_numbers is not Numbers numbers) return OsMemory.NotSupported;
        Span<ulong> mask = stackalloc ulong[(NodeMax + 1) / BitsPerWord];
        int read = 0;
        int error;
        fixed (ulong* words = mask)
            error = ErrorOf(Call(numbers.GetPolicy, (nint)(&read), (nint)words, BitsOf(mask), 0, 0, 0));
        if (error != 0) return error;
        mode = read;
        nodes = ListOf(mask);
        return 0;
    }

    /// <summary>Asks where pages are. A status is the node, or a negative error number.</summary>
    /// <param name="process">The process's id; 0 is this one.</param>
    /// <param name="addresses">An address in each page.</param>
    /// <param name="statuses">As many.</param>
    internal static int Query(int process, ReadOnlySpan<nint> addresses, Span<int> statuses) =>
        MovePages(process, addresses, targets: default, statuses);

    /// <summary>Moves pages of this process. A status is the node where the page is, or a negative error number.
    /// </summary>
    internal static int Move(ReadOnlySpan<nint> addresses, ReadOnlySpan<int> targets, Span<int> statuses) =>
        MovePages(process: 0, addresses, targets, statuses);

    /// <summary>The CPUs that a thread may run on; thread 0 is the calling one.</summary>
    internal static int GetAffinity(int thread, out NumberList cpus)
    {
        cpus = NumberList.Empty;
        if (s_numbers is not Numbers numbers) return OsMemory.NotSupported;
        Span<ulong> mask = stackalloc ulong[(CpuMax + 1) / BitsPerWord];
        int error;
        fixed (ulong* words = mask)
        {
            error = ErrorOf(Call(
                numbers.GetAffinity, thread, mask.Length * sizeof(ulong), (nint)words, 0, 0, 0));
        }

        if (error == 0) cpus = ListOf(mask);
        return error;
    }

    /// <summary>Says which CPUs a thread may run on; thread 0 is the calling one.</summary>
    internal static int SetAffinity(int thread, NumberList cpus)
    {
        if (s_numbers is not Numbers numbers) return OsMemory.NotSupported;
        Span<ulong> mask = stackalloc ulong[WordsOf(cpus)];
        Fill(mask, cpus);
        fixed (ulong* words = mask)
        {
            return ErrorOf(Call(
                numbers.SetAffinity, thread, mask.Length * sizeof(ulong), (nint)words, 0, 0, 0));
        }
    }

    /// <summary>The system's number of the calling thread; 0 where it is not known.</summary>
    internal static int ThreadId() => s_numbers is Numbers numbers ? (int)Call(numbers.ThreadId, 0, 0, 0, 0, 0, 0) : 0;

    private static int MovePages(
        int process, ReadOnlySpan<nint> addresses, ReadOnlySpan<int> targets, Span<int> statuses)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(statuses.Length, addresses.Length);
        statuses.Fill(NotTold);
        if (s_numbers is not Numbers numbers) return OsMemory.NotSupported;
        fixed (nint* pages = addresses)
        fixed (int* nodes = targets)
        fixed (int* written = statuses)
        {
            return ErrorOf(Call(
                numbers.Move, process, addresses.Length, (nint)pages, (nint)nodes, (nint)written, MoveOwnPages));
        }
    }

    private static int WordsOf(NumberList numbers) => numbers.Count == 0 ? 1 : numbers.Numbers[^1] / BitsPerWord + 1;

    private static nint BitsOf(Span<ulong> mask) => mask.Length * BitsPerWord + 1;

    private static void Fill(Span<ulong> mask, NumberList numbers)
    {
        mask.Clear();
        foreach (int number in numbers.Numbers) mask[number / BitsPerWord] |= 1UL << (number % BitsPerWord);
    }

    private static NumberList ListOf(ReadOnlySpan<ulong> mask)
    {
        List<int> numbers = [];
        for (int number = 0; number < mask.Length * BitsPerWord; number++)
            if ((mask[number / BitsPerWord] >> (number % BitsPerWord) & 1) != 0) numbers.Add(number);
        return new NumberList(numbers);
    }

    // Results are counts or 0; only -1 is a failure.
    private static int ErrorOf(nint result) => result == -1 ? Marshal.GetLastSystemError() : 0;

    private static Numbers? NumbersOf(Architecture architecture) => architecture switch
    {
        Architecture.X64 => new Numbers(237, 239, 238, 279, 203, 204, 186),
        Architecture.Arm64 => new Numbers(235, 236, 237, 239, 122, 123, 178),
        _ => null,
    };

    [DllImport("libc", EntryPoint = "syscall", SetLastError = false)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint Call(
        nint number, nint first, nint second, nint third, nint fourth, nint fifth, nint sixth);

    private sealed record Numbers(
        int Bind, int GetPolicy, int SetPolicy, int Move, int SetAffinity, int GetAffinity, int ThreadId);
}
