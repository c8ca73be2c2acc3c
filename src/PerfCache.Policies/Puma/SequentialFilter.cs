// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>Which pages of sequential reads a borrower keeps to itself.</summary>
public sealed record SequentialFilterOptions
{
    /// <summary>True to look at all; the authors' default is not to.</summary>
    public bool IsOn { get; init; }

    /// <summary>Contiguous cached pages that must lie before a readahead window of the largest size.</summary>
    public int HistoryPages { get; init; } = 128;

    /// <summary>
    /// What an eviction at the lender says about a page: -1, pages of sequential reads are never sent; 0, they are all
    /// sent; above 0, the page is not sent until it has been read as often as the penalty says, and the penalty grows.
    /// </summary>
    public int EvictionPenalty { get; init; } = -1;
}

/// <summary>What the filter remembers of a page: how often it was wanted, and how often it must be.</summary>
/// <param name="Score">Sequential reads and hits at the lender since it was not read sequentially last.</param>
/// <param name="Penalty">The score below which it is not sent.</param>
public readonly record struct SequentialScore(ushort Score, ushort Penalty)
{
    /// <summary>A sequential read of the page, or a hit of it at the lender.</summary>
    public SequentialScore Wanted() => this with { Score = (ushort)Math.Min(Score + 1, ushort.MaxValue) };

    /// <summary>A miss that was not part of a sequential read.</summary>
    public SequentialScore MissedAlone() => new(0, (ushort)Math.Max(Penalty - Score, 0));

    /// <summary>The lender has evicted the page: it must be wanted more often, exponentially.</summary>
    /// <param name="basePenalty">The first penalty.</param>
    public SequentialScore EvictedThere(int basePenalty) => new(
        0, Penalty == 0 ? (ushort)basePenalty : (ushort)Math.Min(Math.Max((long)Penalty * Penalty, 2), ushort.MaxValue));
}

/// <summary>
/// The sequential filter: a disk reads pages in a row as fast as the network brings them, so a borrower that sends them
/// wastes the lender's memory.
/// </summary>
public sealed class SequentialFilter(SequentialFilterOptions options)
{
    /// <summary>True for pages that a readahead window brings in as part of a long sequential read.</summary>
    /// <param name="windowPages">Pages of the window.</param>
    /// <param name="windowPagesMax">The largest window there is.</param>
    /// <param name="cachedBefore">Contiguous cached pages right before the window.</param>
    public bool IsSequential(int windowPages, int windowPagesMax, long cachedBefore) =>
        options.IsOn && windowPages >= windowPagesMax && cachedBefore >= options.HistoryPages;

    /// <summary>True when an evicted page that was read sequentially is not to be sent.</summary>
    public bool Drops(SequentialScore score) => options.IsOn && options.EvictionPenalty switch
    {
        0 => false,
        < 0 => true,
        _ => score.Penalty >= score.Score,
    };
}
