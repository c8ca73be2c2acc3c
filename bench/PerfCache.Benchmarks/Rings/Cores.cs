// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using PerfCache.Cli.Bench;

namespace PerfCache.Benchmarks.Rings;

/// <summary>The two cores of a comparison: where its threads run, and how far they are from each other.</summary>
/// <param name="Producer">The core of the producing thread.</param>
/// <param name="Consumer">The core of the consuming thread.</param>
/// <param name="RealTime">True to run before everything else on these cores, so that a busy machine is measured less:
/// threads ask for the real-time class, and do without where they may not have it.</param>
internal sealed unsafe record Cores(int Producer, int Consumer, bool RealTime)
{
    private const int RealTimeClass = 1;
    private const int Chunks = 9;
    private const int Rounds = 1_000;

    private static volatile bool s_otherFailed;

    /// <summary>To be called by a side that waits: ends the wait when the other side has failed and nothing will come.
    /// </summary>
    internal static void CheckOther()
    {
        if (s_otherFailed) throw new InvalidOperationException("the other side of the race failed");
    }

    /// <summary>Pins the calling thread and, if asked, takes it out of the turns of the others.</summary>
    /// <returns>False when the system refused one of the two.</returns>
    internal bool Enter(int core)
    {
        ulong mask = 1UL << core;
        bool pinned = sched_setaffinity(0, sizeof(ulong), &mask) == 0;
        if (!RealTime) return pinned;
        int priority = 10;
        return pinned & sched_setscheduler(0, RealTimeClass, &priority) == 0;
    }

    /// <summary>
    /// Runs both sides at once, each on its core. They meet asleep: a thread that spins before the other has its core may
    /// keep it from ever getting there.
    /// </summary>
    /// <returns>Nanoseconds from the first one's start to the second one's end.</returns>
    internal double Race(Action produce, Action consume)
    {
        using Barrier start = new(2);
        long begin = 0, end = 0;
        s_otherFailed = false;
        Exception? failure = null;
        Thread producer = new(() => Run(Producer, produce, ref begin, after: false));
        Thread consumer = new(() => Run(Consumer, consume, ref end, after: true));
        producer.Start();
        consumer.Start();
        producer.Join();
        consumer.Join();
        if (failure is not null) throw new InvalidOperationException(failure.Message, failure);
        return Stopwatch.GetElapsedTime(begin, end).TotalNanoseconds;

        void Run(int core, Action side, ref long time, bool after)
        {
            Enter(core);
            start.SignalAndWait();
            if (!after) time = Stopwatch.GetTimestamp();
            try
            {
                side();
            }
            catch (Exception caught)
            {
                failure ??= caught;
                s_otherFailed = true;
            }

            if (after) time = Stopwatch.GetTimestamp();
        }
    }

    /// <summary>Nanoseconds that a cache line takes one way between the two cores.</summary>
    internal Spread PingPong()
    {
        long[] ball = new long[64];
        List<double> nanos = [];
        Race(
            () =>
            {
                for (int chunk = 0; chunk < Chunks; chunk++)
                {
                    long begin = Stopwatch.GetTimestamp();
                    for (int i = 0; i < Rounds; i++)
                    {
                        long next = (2 * (((long)chunk * Rounds) + i)) + 1;
                        Volatile.Write(ref ball[32], next);
                        while (Volatile.Read(ref ball[32]) == next)
                        {
                        }
                    }

                    nanos.Add(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / (2 * Rounds));
                }
            },
            () =>
            {
                for (long i = 0; i < (long)Chunks * Rounds; i++)
                {
                    while (Volatile.Read(ref ball[32]) != (2 * i) + 1)
                    {
                    }

                    Volatile.Write(ref ball[32], 2 * (i + 1));
                }
            });
        return Spread.Of(nanos);
    }

    /// <summary>What else runs: the system's average over the last minute, where it says so.</summary>
    internal static string Load() => File.Exists("/proc/loadavg")
        ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"cores {Producer} and {Consumer}{(RealTime ? ", real-time class" : "")}");

    [DllImport("libc", ExactSpelling = true)]
    private static extern int sched_setaffinity(int thread, nint bytes, ulong* mask);

    [DllImport("libc", ExactSpelling = true)]
    private static extern int sched_setscheduler(int thread, int policy, int* priority);
}
