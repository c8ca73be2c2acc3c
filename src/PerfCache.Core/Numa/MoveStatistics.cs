// SPDX-License-Identifier: MIT
using System.Collections.ObjectModel;
using System.Globalization;
using PerfCache.Memory;

namespace PerfCache.Numa;

/// <summary>What became of pages that were to be moved. Pages are ordinary ones; a huge page counts as all of its.
/// </summary>
/// <remarks>
/// Judged by asking where pages are after each batch, not by what the call said: <see cref="CorrectedStatuses"/> and
/// <see cref="BrokenPromises"/> say how often the two differ. Of a run that ended, moved, untouched and failed pages
/// add up to the pages of the plan; of one that was stopped, the remaining ones too.
/// </remarks>
public sealed record MoveStatistics
{
    /// <summary>Pages on their target now, those that were there before included.</summary>
    public long MovedPages { get; init; }

    /// <summary>Bytes of these.</summary>
    public long MovedBytes { get; init; }

    /// <summary>Pages that are nowhere, because they were never touched or were given back.</summary>
    public long UntouchedPages { get; init; }

    /// <summary>Pages that stayed elsewhere, after all retries, by their last status.</summary>
    public IReadOnlyDictionary<int, long> FailedPages { get; init; } = ReadOnlyDictionary<int, long>.Empty;

    /// <summary>Pages that were not tried, or not to the end, because the run was stopped.</summary>
    public long RemainingPages { get; init; }

    /// <summary>Tries of pages beyond the first.</summary>
    public long Retries { get; init; }

    /// <summary>Pages on their target of which the system said something else, or nothing.</summary>
    public long CorrectedStatuses { get; init; }

    /// <summary>Pages said to be on their target that are not.</summary>
    public long BrokenPromises { get; init; }

    /// <summary>Calls of the system to move pages.</summary>
    public long Batches { get; init; }

    /// <summary>Time spent waiting because of the rate or the budget.</summary>
    public TimeSpan WaitedForRate { get; init; }

    /// <summary>Time spent waiting because batches failed.</summary>
    public TimeSpan BackedOff { get; init; }

    /// <summary>Adds two up.</summary>
    public static MoveStatistics operator +(MoveStatistics left, MoveStatistics right)
    {
        ArgumentNullException.ThrowIfNull(left);
        ArgumentNullException.ThrowIfNull(right);
        return new MoveStatistics
        {
            MovedPages = left.MovedPages + right.MovedPages,
            MovedBytes = left.MovedBytes + right.MovedBytes,
            UntouchedPages = left.UntouchedPages + right.UntouchedPages,
            FailedPages = left.FailedPages.Concat(right.FailedPages).GroupBy(pair => pair.Key)
                .ToDictionary(group => group.Key, group => group.Sum(pair => pair.Value)),
            RemainingPages = left.RemainingPages + right.RemainingPages,
            Retries = left.Retries + right.Retries,
            CorrectedStatuses = left.CorrectedStatuses + right.CorrectedStatuses,
            BrokenPromises = left.BrokenPromises + right.BrokenPromises,
            Batches = left.Batches + right.Batches,
            WaitedForRate = left.WaitedForRate + right.WaitedForRate,
            BackedOff = left.BackedOff + right.BackedOff,
        };
    }

    /// <summary>Adds two up.</summary>
    public static MoveStatistics Add(MoveStatistics left, MoveStatistics right) => left + right;

    /// <summary>The counts in one line.</summary>
    public override string ToString()
    {
        string failed = string.Join(", ", FailedPages.OrderByDescending(pair => pair.Key).Select(
            pair => $"{Number(pair.Value)} failed ({NumaStatus.Describe(pair.Key)})"));
        return $"{Number(MovedPages)} pages moved, {Number(UntouchedPages)} untouched, "
            + $"{(failed.Length == 0 ? "0 failed" : failed)}, {Number(RemainingPages)} remaining; "
            + $"{Number(Batches)} batches, {Number(Retries)} retries, {Number(CorrectedStatuses)} statuses corrected, "
            + $"{Number(BrokenPromises)} promises broken";
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>How a run of moves ended.</summary>
/// <param name="Statistics">What became of the pages.</param>
/// <param name="IsCanceled">True when it was stopped.</param>
/// <param name="Error">The system's error number when it refused to move anything more; 0 otherwise.</param>
public sealed record MoveResult(MoveStatistics Statistics, bool IsCanceled, int Error);
