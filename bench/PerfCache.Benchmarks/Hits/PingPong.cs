// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.InteropServices;
using PerfCache.Cli.Bench;

namespace PerfCache.Benchmarks.Hits;

/// <summary>
/// How long does a cache line take from one core to another? Two threads pass a number to and fro. Figures of two cores
/// that touch the same lines depend on it, and it differs between machines, and between hours of a virtual one.
/// </summary>
internal static class PingPong
{
    private const int Rounds = 1_000;
    private const int Chunks = 9;

    /// <summary>Nanoseconds one way: the median and the ends of several chunks.</summary>
    internal static Spread Measure()
    {
        Ball ball = default;
        Ball[] holder = [ball, ball, ball];
        List<double> nanos = [];
        Thread other = new(() => Answer(holder));
        other.Start();
        for (int chunk = 0; chunk < Chunks; chunk++)
        {
            long begin = Stopwatch.GetTimestamp();
            for (int i = 0; i < Rounds; i++)
            {
                Volatile.Write(ref holder[1].Number, (2 * (((long)chunk * Rounds) + i)) + 1);
                while ((Volatile.Read(ref holder[1].Number) & 1) != 0)
                {
                }
            }

            nanos.Add(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / (2 * Rounds));
        }

        other.Join();
        return Spread.Of(nanos);
    }

    private static void Answer(Ball[] holder)
    {
        for (long i = 0; i < (long)Chunks * Rounds; i++)
        {
            while (Volatile.Read(ref holder[1].Number) != (2 * i) + 1)
            {
            }

            Volatile.Write(ref holder[1].Number, 2 * (i + 1));
        }
    }

    /// <summary>A number with cache lines of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Ball
    {
        [FieldOffset(128)] public long Number;
    }
}
