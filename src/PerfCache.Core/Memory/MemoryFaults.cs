// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>
/// For tests: while one is in force on a thread, the system refuses that thread's requests for memory as told, and what
/// the thread got and gave back is counted.
/// </summary>
/// <remarks>
/// It stands in <see cref="OsMemory"/>, in front of every call that can fail for want of memory: reserving, committing,
/// mapping a file, making it longer, and huge pages of a pool. Those calls take microseconds; asking a thread whether it
/// has faults takes one nanosecond, and it is asked only while some thread has: a thread's first look at what is its own
/// is an allocation, and a page that comes in must make none. A thread that is started meanwhile has none.
/// </remarks>
internal sealed class MemoryFaults : IDisposable
{
    [ThreadStatic]
    private static MemoryFaults? s_current;

    // How many threads have one.
    private static int s_inForce;

    private readonly long _refused;

    /// <summary>Refuses one request of this thread from now on.</summary>
    /// <param name="refused">Which one: the first is 1; 0 refuses none.</param>
    internal MemoryFaults(long refused = 0)
    {
        if (s_current is not null) throw new InvalidOperationException("faults are in force on this thread already");
        _refused = refused;
        s_current = this;
        Interlocked.Increment(ref s_inForce);
    }

    private static MemoryFaults? Current => Volatile.Read(ref s_inForce) == 0 ? null : s_current;

    /// <summary>Requests so far, the refused one included.</summary>
    internal long Requests { get; private set; }

    /// <summary>Reservations made and not released.</summary>
    internal long Reservations { get; private set; }

    /// <summary>Files in memory made and not closed.</summary>
    internal long Files { get; private set; }

    /// <summary>True when the next request, which is counted, is to be refused.</summary>
    internal static bool RefuseRequest() => Current is { } faults && ++faults.Requests == faults._refused;

    /// <summary>A reservation was made (1) or released (-1).</summary>
    internal static void NoteReservation(int change)
    {
        if (Current is { } faults) faults.Reservations += change;
    }

    /// <summary>A file was made (1) or closed (-1).</summary>
    internal static void NoteFile(int change)
    {
        if (Current is { } faults) faults.Files += change;
    }

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        if (s_current != this) return;
        s_current = null;
        Interlocked.Decrement(ref s_inForce);
    }
}
