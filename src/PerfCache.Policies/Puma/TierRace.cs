// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>When a borrower leaves its lenders alone because the disk is faster.</summary>
public sealed record TierRaceOptions
{
    /// <summary>The tier is given up when it takes more than this share of the source's time.</summary>
    public double OffShare { get; init; } = 1.1;

    /// <summary>It is taken up again when it takes less than this share.</summary>
    public double OnShare { get; init; } = 0.8;

    /// <summary>A new time weighs 1 / this in the averages, and so many of each are needed for a first decision.</summary>
    public int Smoothing { get; init; } = 16;

    /// <summary>How often the one that is not used is tried, to see whether it has changed.</summary>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line: what, its value, what is possible.</exception>
    public void Check()
    {
        if (!(OnShare > 0) || !(OnShare < OffShare))
            throw new ArgumentException($"OnShare is {OnShare}; possible is above 0 and below OffShare ({OffShare})");
        if (Smoothing is < 1 or > 1024) throw new ArgumentException($"Smoothing is {Smoothing}; possible is 1 to 1024");
        if (ProbeInterval <= TimeSpan.Zero)
            throw new ArgumentException($"ProbeInterval is {ProbeInterval}; it must be above 0");
    }
}

/// <summary>
/// Races lenders against the source by the time that whoever misses a page waits for it.
/// </summary>
/// <remarks>
/// <para>
/// Observation. Whether memory on loan pays depends on the disk: on a fast one it loses, and nobody can know that before.
/// Both times drift, with load and with what else the machine does.
/// </para>
/// <para>
/// Rule. The averages of both are kept as in <see cref="LatencyMonitor"/>. The tier is off while its average is above
/// <see cref="TierRaceOptions.OffShare"/> of the source's, until it is below <see cref="TierRaceOptions.OnShare"/>; in
/// between, nothing changes. The one that is not used is asked once every <see cref="TierRaceOptions.ProbeInterval"/>, so
/// a decision is at most some probes old: a source that nobody has timed for so long gets a page that the tier knows, and a
/// tier that is off gets one get, and one page in <see cref="OffersApart"/> so that there is something to get.
/// </para>
/// Verbs take the time and never wait. Not thread-safe.
/// </remarks>
public sealed class TierRace
{
    /// <summary>While the tier is off, one evicted page in so many is offered.</summary>
    public const int OffersApart = 32;

    private readonly TierRaceOptions _options;
    private readonly long _probeTicks;
    private long _tierCount;
    private long _sourceCount;
    private long _lastTierTicks = long.MinValue / 2;
    private long _lastSourceTicks = long.MinValue / 2;
    private long _evictions;

    /// <summary>Makes a race that the tier leads.</summary>
    /// <param name="options">When it changes sides.</param>
    /// <param name="ticksPerSecond">The unit of all times.</param>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    public TierRace(TierRaceOptions options, long ticksPerSecond)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        _probeTicks = PumaTime.Ticks(options.ProbeInterval, ticksPerSecond);
    }

    /// <summary>True while the source is faster.</summary>
    public bool IsOff { get; private set; }

    /// <summary>True once both were timed.</summary>
    public bool HasRaced => _tierCount > 0 && _sourceCount > 0;

    /// <summary>The average time of the tier in ticks; not a number before the first.</summary>
    public double TierTicks { get; private set; } = double.NaN;

    /// <summary>The average time of the source in ticks; not a number before the first.</summary>
    public double SourceTicks { get; private set; } = double.NaN;

    /// <summary>Whether a page that the tier has is asked for there, perhaps only to see how long it takes.</summary>
    public bool Asks(long nowTicks)
    {
        if (!IsOff)
        {
            // The source is timed by its own misses; where the tier has everything, one page goes there now and then.
            if (nowTicks - _lastSourceTicks < _probeTicks) return true;
            _lastSourceTicks = nowTicks;
            return false;
        }

        if (nowTicks - _lastTierTicks < _probeTicks) return false;
        _lastTierTicks = nowTicks;
        return true;
    }

    /// <summary>Whether an evicted page is offered.</summary>
    public bool Offers() => !IsOff || _evictions++ % OffersApart == 0;

    /// <summary>The tier has answered, or was waited for in vain.</summary>
    /// <returns>True when <see cref="IsOff"/> has changed.</returns>
    public bool OnTier(long elapsedTicks, long nowTicks)
    {
        _lastTierTicks = nowTicks;
        _tierCount++;
        TierTicks = Average(TierTicks, elapsedTicks);
        return Decide();
    }

    /// <summary>The source has answered.</summary>
    /// <returns>True when <see cref="IsOff"/> has changed.</returns>
    public bool OnSource(long elapsedTicks, long nowTicks)
    {
        _lastSourceTicks = nowTicks;
        _sourceCount++;
        SourceTicks = Average(SourceTicks, elapsedTicks);
        return Decide();
    }

    private double Average(double average, long sample) =>
        double.IsNaN(average) ? sample : average + ((sample - average) / _options.Smoothing);

    private bool Decide()
    {
        if (Math.Min(_tierCount, _sourceCount) < _options.Smoothing) return false;
        bool off = IsOff ? TierTicks >= SourceTicks * _options.OnShare : TierTicks > SourceTicks * _options.OffShare;
        if (off == IsOff) return false;
        IsOff = off;
        return true;
    }
}
