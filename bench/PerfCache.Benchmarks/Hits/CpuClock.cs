// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Benchmarks.Hits;

/// <summary>
/// Processor time: what a thread, or the process, has spent on a core. Unlike the time of day it does not count the
/// time in which another program has the core.
/// </summary>
internal static unsafe class CpuClock
{
    private const int ProcessCpuTime = 2;
    private const int ThreadCpuTime = 3;

    /// <summary>Nanoseconds that this thread has run.</summary>
    internal static long ThreadNanos() => Read(ThreadCpuTime);

    /// <summary>Nanoseconds that all threads of this process have run.</summary>
    internal static long ProcessNanos() => Read(ProcessCpuTime);

    private static long Read(int clock)
    {
        TimeSpec now;
        int result = clock_gettime(clock, &now);
        if (result != 0) throw new PlatformNotSupportedException($"clock_gettime({clock}) failed; the command needs Linux");
        return (now.Seconds * 1_000_000_000) + now.Nanos;
    }

    [DllImport("libc", ExactSpelling = true)]
    private static extern int clock_gettime(int clock, TimeSpec* time);

    private struct TimeSpec
    {
        public long Seconds;
        public long Nanos;
    }
}
