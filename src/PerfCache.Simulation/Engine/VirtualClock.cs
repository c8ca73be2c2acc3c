// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Engine;

/// <summary>
/// The time of an <see cref="EventQueue"/> for those who may read it and not schedule; and the units, because a
/// bare number of nanoseconds says little.
/// </summary>
public readonly struct VirtualClock(EventQueue queue)
{
    /// <summary>Nanoseconds in a microsecond.</summary>
    public const long Microsecond = 1_000;

    /// <summary>Nanoseconds in a millisecond.</summary>
    public const long Millisecond = 1_000_000;

    /// <summary>Nanoseconds in a second.</summary>
    public const long Second = 1_000_000_000;

    /// <summary>The virtual time, in nanoseconds since the start of the run.</summary>
    public long NowNanos => queue.NowNanos;

    /// <summary>Seconds as nanoseconds, rounded.</summary>
    public static long FromSeconds(double seconds) => checked((long)Math.Round(seconds * Second));

    /// <summary>Nanoseconds as seconds.</summary>
    public static double ToSeconds(long nanos) => (double)nanos / Second;
}
