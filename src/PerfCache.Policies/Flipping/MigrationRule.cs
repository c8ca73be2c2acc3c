// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Flipping;

/// <summary>When pages that became remote are brought home, and how fast.</summary>
public sealed record MigrationOptions
{
    /// <summary>All remote pages are brought home once in so many ticks; 0 for not.</summary>
    public long PeriodTicks { get; init; }

    /// <summary>All remote pages are brought home when they exceed this part of the domain's; 0 for not.</summary>
    public double ThresholdShare { get; init; }

    /// <summary>Pages moved by one call: calls have a price of their own (draining every processor's batches), so
    /// they must be few.</summary>
    public int BatchPages { get; init; } = 512;

    /// <summary>The least time between the starts of two batches, in ticks: the limit of the rate.</summary>
    public long BatchTicks { get; init; }

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">The message says what is wrong.</exception>
    public void Check()
    {
        if (PeriodTicks < 0 || BatchTicks < 0) throw new ArgumentException("a time between migrations cannot be below 0");
        if (PeriodTicks == 0 && ThresholdShare == 0)
            throw new ArgumentException("migration needs a period, a threshold or both");
        if (!(ThresholdShare >= 0 && ThresholdShare < 1))
            throw new ArgumentException($"a threshold of {ThresholdShare} is no part of a domain's pages: 0 to below 1");
        if (BatchPages < 1) throw new ArgumentException($"a batch of {BatchPages} pages moves nothing");
    }
}

/// <summary>What is to be done now.</summary>
/// <param name="Pages">Remote pages to bring home now; 0 for none.</param>
/// <param name="DeadlineTicks">When to ask again; <see cref="long.MaxValue"/> for when something has
/// changed.</param>
public readonly record struct MigrationPlan(int Pages, long DeadlineTicks);

/// <summary>
/// Migration of pages that flipping made remote: a round starts when its period is over, or when too large a part of
/// the domain is remote, brings home what is remote at that moment, and goes on in batches at a bounded rate while
/// the domain works.
/// </summary>
/// <remarks>
/// Ask after flips (a threshold may be passed) and at the deadline. Every plan with pages must be answered by
/// <see cref="Report"/>; pages that cannot move (in use, no frame at home) end the round, and the next one tries
/// again, because a page that is stuck would otherwise be tried for ever.
/// </remarks>
public sealed class MigrationRule
{
    private readonly MigrationOptions _options;
    private long _epochTicks;
    private long _batchTicks;
    private long _owedPages;

    /// <summary>Starts the first period.</summary>
    public MigrationRule(MigrationOptions options, long nowTicks)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        _epochTicks = options.PeriodTicks > 0 ? nowTicks + options.PeriodTicks : long.MaxValue;
        _batchTicks = nowTicks;
    }

    /// <summary>Pages brought home so far.</summary>
    public long Migrated { get; private set; }

    /// <summary>Rounds started so far.</summary>
    public long Rounds { get; private set; }

    /// <summary>Pages that a round wanted to move and could not.</summary>
    public long Failed { get; private set; }

    /// <summary>Decides what to migrate now.</summary>
    /// <param name="nowTicks">The present.</param>
    /// <param name="remotePages">Pages of the domain that can be brought home.</param>
    /// <param name="totalPages">All pages of the domain.</param>
    public MigrationPlan Plan(long nowTicks, long remotePages, long totalPages)
    {
        bool isEpoch = nowTicks >= _epochTicks;
        if (isEpoch) _epochTicks = nowTicks + _options.PeriodTicks;
        if (_owedPages == 0 && remotePages > 0
            && (isEpoch || (_options.ThresholdShare > 0 && remotePages > _options.ThresholdShare * totalPages)))
        {
            _owedPages = remotePages;
            Rounds++;
        }

        if (_owedPages == 0) return new MigrationPlan(0, _epochTicks);
        if (nowTicks < _batchTicks) return new MigrationPlan(0, _batchTicks);
        int pages = (int)Math.Min(Math.Min(_owedPages, remotePages), _options.BatchPages);
        if (pages > 0) return new MigrationPlan(pages, nowTicks + _options.BatchTicks);
        _owedPages = 0;
        return new MigrationPlan(0, _epochTicks);
    }

    /// <summary>Says what became of a plan.</summary>
    /// <param name="nowTicks">When its batch started.</param>
    /// <param name="planned">Pages that it wanted.</param>
    /// <param name="moved">Pages that came home.</param>
    /// <returns>When to ask for the next plan.</returns>
    public long Report(long nowTicks, int planned, int moved)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(moved, planned);
        ArgumentOutOfRangeException.ThrowIfNegative(moved);
        _batchTicks = nowTicks + _options.BatchTicks;
        Migrated += moved;
        Failed += planned - moved;
        _owedPages = moved < planned ? 0 : _owedPages - moved;
        return _owedPages > 0 ? _batchTicks : _epochTicks;
    }
}
