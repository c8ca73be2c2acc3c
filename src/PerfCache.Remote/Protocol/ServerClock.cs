// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Protocol;

/// <summary>The time of a server, and memcached's rules of expiry.</summary>
/// <param name="time">Where time comes from.</param>
internal sealed class ServerClock(TimeProvider time)
{
    /// <summary>A time to live beyond so many seconds is a date.</summary>
    internal const long TtlSecondsMax = 60L * 60 * 24 * 30;

    private readonly long _start = time.GetTimestamp();

    /// <summary>Time since the start, in ticks of 100 ns: the clock of the store. Begins at a day, so that nothing is
    /// older than time itself.</summary>
    internal long NowTicks => TimeSpan.TicksPerDay + time.GetElapsedTime(_start).Ticks;

    /// <summary>Seconds since 1970.</summary>
    internal long UnixSeconds => time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Seconds since the start.</summary>
    internal long UptimeSeconds => (NowTicks - TimeSpan.TicksPerDay) / TimeSpan.TicksPerSecond;

    /// <summary>When something expires: 0 is never, less is at once, up to 30 days is from now on, more is a date.
    /// </summary>
    internal long ExpiryTicks(long seconds, long nowTicks)
    {
        if (seconds == 0) return long.MaxValue;
        if (seconds > TtlSecondsMax) seconds -= UnixSeconds;
        if (seconds <= 0) return nowTicks;
        long left = long.MaxValue - 1 - nowTicks;
        return seconds >= left / TimeSpan.TicksPerSecond
            ? long.MaxValue - 1
            : nowTicks + (seconds * TimeSpan.TicksPerSecond);
    }

    /// <summary>Seconds until an expiry, rounded up; -1 for never.</summary>
    internal static long SecondsLeft(long expiryTicks, long nowTicks) =>
        expiryTicks == long.MaxValue
            ? -1
            : Math.Max(0, (expiryTicks - nowTicks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond);
}
