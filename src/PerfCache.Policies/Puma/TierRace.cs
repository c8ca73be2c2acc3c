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
    public int Smoothing { get; init; } = 32;

    /// <summary>So many times of each count for nothing at first: code is compiled, connections are opened and memory is
    /// touched for the first time in them.</summary>
    public int WarmUp { get; init; } = 256;

    /// <summary>A time counts as at most so many averages: one pause of the machine is not a slow server. With 2, an average
    /// lies between the median and the mean: a tenth of very slow times raises it by an eighth, four tenths treble it.
    /// </summary>
    public double OutlierShare { get; init; } = 2;

    /// <summary>How often the one that is not used is tried, to see whether it has changed.</summary>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line: what, its value, what is possible.</exception>
    public void Check()
    {
        if (!(OnShare > 0) || !(OnShare < OffShare))
            throw new ArgumentException($"OnShare is {OnShare}; possible is above 0 and below OffShare ({OffShare})");
        if (Smoothing is < 1 or > 1024) throw new ArgumentException($"Smoothing is {Smoothing}; possible is 1 to 1024");
        if (WarmUp is < 0 or > 1 << 20) throw new ArgumentException($"WarmUp is {WarmUp}; possible is 0 to {1 << 20}");
        if (!(OutlierShare > 1)) throw new ArgumentException($"OutlierShare is {OutlierShare}; it must be above 1");
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
/// Rule. Of each a moving average is kept, without its first <see cref="TierRaceOptions.WarmUp"/> times and with outliers cut
/// off. Until there is enough of both, the race is run: the tier leads, every page is offered, and one page in
/// <see cref="RaceApart"/> that the tier knows goes to the source. From then on the tier is off while its average is above
/// <see cref="TierRaceOptions.OffShare"/> of the source's, until it is below <see cref="TierRaceOptions.OnShare"/>; in
/// between, nothing changes.
/// </para>
/// <para>
/// The one that is not used is tried once every <see cref="TierRaceOptions.ProbeInterval"/> on average, but
/// <see cref="ProbesTogether"/> in a row, of which the first counts for nothing: whoever was not used for long is slower than
/// he is in use, since neither caches nor threads expect him. A source that nobody has timed gets pages that the tier knows;
/// a tier that is off gets gets, and one page in <see cref="OffersApart"/> so that there is something to get.
/// </para>
/// Verbs take the time and never wait. Not thread-safe.
/// </remarks>
public sealed class TierRace
{
    /// <summary>While the tier is off, one evicted page in so many is offered.</summary>
    public const int OffersApart = 32;

    /// <summary>Until the first decision, one page in so many that the tier knows goes to the source.</summary>
    public const int RaceApart = 8;

    /// <summary>Probes are so many in a row.</summary>
    public const int ProbesTogether = 8;

    private readonly TierRaceOptions _options;
    private readonly long _probeTicks;
    private Runner _tier = new();
    private Runner _source = new();
    private long _asks;
    private long _evictions;
    private int _probesLeft;
    private bool _isCold;

    /// <summary>Makes a race that the tier leads.</summary>
    /// <param name="options">When it changes sides.</param>
    /// <param name="ticksPerSecond">The unit of all times.</param>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    public TierRace(TierRaceOptions options, long ticksPerSecond)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        _probeTicks = ProbesTogether * PumaTime.Ticks(options.ProbeInterval, ticksPerSecond);
    }

    /// <summary>True while the source is faster.</summary>
    public bool IsOff { get; private set; }

    /// <summary>True once both were timed.</summary>
    public bool HasRaced => _tier.Count > 0 && _source.Count > 0;

    /// <summary>The average time of the tier in ticks; not a number before the first that counts.</summary>
    public double TierTicks => _tier.Average;

    /// <summary>The average time of the source in ticks; not a number before the first that counts.</summary>
    public double SourceTicks => _source.Average;

    /// <summary>Whether a page that the tier has is asked for there, perhaps only to see how long it takes.</summary>
    public bool Asks(long nowTicks)
    {
        if (IsOff) return Probes(ref _tier, nowTicks);
        if (_source.Count < _options.Smoothing) return ++_asks % RaceApart != 0;
        // The source is timed by its own misses; where the tier has everything, some pages go there now and then.
        return !Probes(ref _source, nowTicks);
    }

    /// <summary>Whether an evicted page is offered.</summary>
    public bool Offers() => !IsOff || _evictions++ % OffersApart == 0;

    /// <summary>The tier has answered, or was waited for in vain.</summary>
    /// <returns>True when <see cref="IsOff"/> has changed.</returns>
    public bool OnTier(long elapsedTicks, long nowTicks) => OnTime(ref _tier, elapsedTicks, nowTicks, isProbed: IsOff);

    /// <summary>The source has answered.</summary>
    /// <returns>True when <see cref="IsOff"/> has changed.</returns>
    public bool OnSource(long elapsedTicks, long nowTicks) => OnTime(ref _source, elapsedTicks, nowTicks, isProbed: !IsOff);

    /// <summary>Whether the one that is not used is tried now.</summary>
    private bool Probes(ref Runner runner, long nowTicks)
    {
        if (_probesLeft == 0)
        {
            if (nowTicks - runner.LastTicks < _probeTicks) return false;
            _probesLeft = ProbesTogether;
            _isCold = true;
        }

        _probesLeft--;
        runner.LastTicks = nowTicks;
        return true;
    }

    private bool OnTime(ref Runner runner, long elapsedTicks, long nowTicks, bool isProbed)
    {
        runner.LastTicks = nowTicks;
        if (isProbed && _isCold)
        {
            _isCold = false;
            return false;
        }

        runner.Add(elapsedTicks, _options);
        return Decide();
    }

    private bool Decide()
    {
        if (Math.Min(_tier.Count, _source.Count) < _options.Smoothing) return false;
        bool off = IsOff ? TierTicks >= SourceTicks * _options.OnShare : TierTicks > SourceTicks * _options.OffShare;
        if (off == IsOff) return false;
        IsOff = off;
        _probesLeft = 0;
        _isCold = false;
        return true;
    }

    /// <summary>The times of one of the two.</summary>
    private struct Runner()
    {
        private int _warmedUp;

        /// <summary>The average of those that count.</summary>
        public double Average { get; private set; } = double.NaN;

        /// <summary>How many count.</summary>
        public long Count { get; private set; }

        /// <summary>When it was last used or timed.</summary>
        public long LastTicks { get; set; } = long.MinValue / 2;

        public void Add(long sample, TierRaceOptions options)
        {
            if (_warmedUp < options.WarmUp)
            {
                _warmedUp++;
                return;
            }

            Count++;
            if (Count == 1)
            {
                Average = sample;
                return;
            }

            // The first ones weigh alike.
            double cut = Math.Min(sample, Math.Max(Average, 1) * options.OutlierShare);
            Average += (cut - Average) / Math.Min(Count, options.Smoothing);
        }
    }
}
