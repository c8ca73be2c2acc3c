// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace PerfCache.Remote.Borrowing;

/// <summary>Waits for a few sockets at once, to the microsecond and without allocating. One thread at a time.</summary>
/// <remarks>
/// The runtime's own poll rounds a wait down to whole milliseconds and takes one socket; deadlines here are a millisecond.
/// Linux only, as the lender is.
/// </remarks>
internal sealed class SocketWait
{
    private const short Readable = 0x001;
    private const short Writable = 0x004;

    private Entry[] _entries = new Entry[8];
    private int _count;

    /// <summary>Forgets what is waited for.</summary>
    internal void Clear() => _count = 0;

    /// <summary>Adds a descriptor to the next wait.</summary>
    /// <returns>Its place.</returns>
    internal int Add(nint descriptor, bool writes = false)
    {
        if (_count == _entries.Length) Array.Resize(ref _entries, _count * 2);
        _entries[_count] = new Entry
        {
            Descriptor = (int)descriptor,
            Wanted = writes ? (short)(Readable | Writable) : Readable,
        };
        return _count++;
    }

    /// <summary>True when the last wait found something there: bytes, room, an error or the end.</summary>
    internal bool IsReady(int place) => _entries[place].Found != 0;

    /// <summary>Waits until something is there, or the time is.</summary>
    /// <param name="until">The time, by <see cref="Stopwatch.GetTimestamp"/>.</param>
    internal void WaitUntil(long until)
    {
        long left = Math.Max(0, until - Stopwatch.GetTimestamp());
        (long seconds, long rest) = Math.DivRem(left, Stopwatch.Frequency);
        TimeSpec time = new()
        {
            Seconds = (nint)Math.Min(seconds, 3600),
            Nanoseconds = (nint)(rest * (1_000_000_000.0 / Stopwatch.Frequency)),
        };
        // Interrupted by a signal: nothing was found, and whoever waits looks at the clock anyway.
        if (Poll(_entries, (nuint)_count, time, 0) >= 0) return;
        for (int i = 0; i < _count; i++) _entries[i].Found = 0;
    }

    [DllImport("libc", EntryPoint = "ppoll")]
    private static extern int Poll([In, Out] Entry[] entries, nuint count, in TimeSpec timeout, nint signals);

    [StructLayout(LayoutKind.Sequential)]
    private struct Entry
    {
        public int Descriptor;
        public short Wanted;
        public short Found;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
