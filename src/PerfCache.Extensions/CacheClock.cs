// SPDX-License-Identifier: MIT
namespace PerfCache.Extensions;

/// <summary>
/// The clock that entries live by: ticks of 100 ns that begin at the UTC of its making and never jump. What somebody sets
/// the system's clock to later changes no lifetime that was given before.
/// </summary>
internal sealed class CacheClock(TimeProvider time)
{
    private readonly long _startTicks = time.GetUtcNow().UtcTicks;
    private readonly long _startTimestamp = time.GetTimestamp();

    /// <summary>The time.</summary>
    internal long NowTicks => _startTicks + time.GetElapsedTime(_startTimestamp).Ticks;

    /// <summary>The wall clock.</summary>
    internal DateTimeOffset UtcNow => time.GetUtcNow();

    /// <summary>What has to be added to a tick of this clock to make it one of UTC, as the wall clock stands now.
    /// </summary>
    internal long ToUtc => time.GetUtcNow().UtcTicks - NowTicks;
}
