// SPDX-License-Identifier: MIT
namespace PerfCache.Cache.Nodes;

/// <summary>So many pages a period: what migrations may move, so that they do not take the memory bus from those they are to
/// help.</summary>
/// <remarks>What one period leaves over is not saved for the next. Thread-safe.</remarks>
internal sealed class MigrationBudget
{
    private readonly Lock _lock = new();
    private readonly int? _pagesPerPeriod;
    private readonly TimeProvider _time;
    private long _periodStart;
    private int _left;

    /// <summary>Makes a budget whose first period begins now.</summary>
    /// <param name="pagesPerPeriod">Pages a period; null for no bound.</param>
    /// <param name="period">The period.</param>
    /// <param name="time">The clock.</param>
    internal MigrationBudget(int? pagesPerPeriod, TimeSpan period, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        ArgumentOutOfRangeException.ThrowIfLessThan(pagesPerPeriod ?? 1, 1, nameof(pagesPerPeriod));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(period, TimeSpan.Zero);
        _pagesPerPeriod = pagesPerPeriod;
        _time = time;
        Period = period;
        _periodStart = time.GetTimestamp();
        _left = pagesPerPeriod ?? 0;
    }

    /// <summary>The period.</summary>
    internal TimeSpan Period { get; }

    /// <summary>Takes pages out of what is left of this period.</summary>
    /// <param name="wanted">How many are wanted.</param>
    /// <returns>How many may be moved now.</returns>
    internal int Take(int wanted)
    {
        if (_pagesPerPeriod is not { } most) return wanted;
        lock (_lock)
        {
            if (_time.GetElapsedTime(_periodStart) >= Period)
            {
                _periodStart = _time.GetTimestamp();
                _left = most;
            }

            int granted = Math.Min(wanted, _left);
            _left -= granted;
            return granted;
        }
    }

    /// <summary>True when something may be taken now.</summary>
    internal bool HasLeft
    {
        get
        {
            if (_pagesPerPeriod is null) return true;
            lock (_lock) return _left > 0 || _time.GetElapsedTime(_periodStart) >= Period;
        }
    }

    /// <summary>Gives back what was taken and not used, if its period is not over.</summary>
    internal void Return(int unused)
    {
        if (_pagesPerPeriod is not { } most) return;
        lock (_lock) _left = Math.Min(most, _left + unused);
    }

    /// <summary>How long until the next period begins.</summary>
    internal TimeSpan UntilNextPeriod
    {
        get
        {
            lock (_lock)
            {
                TimeSpan left = Period - _time.GetElapsedTime(_periodStart);
                return left > TimeSpan.Zero ? left : TimeSpan.Zero;
            }
        }
    }
}
