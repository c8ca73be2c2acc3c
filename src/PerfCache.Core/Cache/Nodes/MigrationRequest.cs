// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache.Nodes;

/// <summary>Pages that shall lie on another node.</summary>
public sealed record MigrationRequest
{
    private MigrationRequest(int node) => Node = node;

    /// <summary>The number of the node that they are to lie on.</summary>
    public int Node { get; }

    /// <summary>True to evict pages of the same partition from the target node where it has no frame to spare; false to
    /// leave those where they are that find none.</summary>
    public bool MayEvict { get; init; }

    /// <summary>The most pages to move.</summary>
    public long PagesMax { get; init; } = long.MaxValue;

    internal IReadOnlyList<PageKey>? Pages { get; private init; }

    internal PageKey First { get; private init; }

    internal ulong PageCount { get; private init; }

    internal PartitionId? Partition { get; private init; }

    /// <summary>Pages one by one, in this order.</summary>
    /// <param name="pages">The pages; not to be changed until the request is done.</param>
    /// <param name="node">The number of the node.</param>
    public static MigrationRequest OfPages(IReadOnlyList<PageKey> pages, int node)
    {
        ArgumentNullException.ThrowIfNull(pages);
        return new(node) { Pages = pages };
    }

    /// <summary>The resident pages of a range.</summary>
    /// <param name="owner">An object of the cache.</param>
    /// <param name="firstPage">The first page.</param>
    /// <param name="pageCount">How many; the range is cut to what an object may have.</param>
    /// <param name="node">The number of the node.</param>
    public static MigrationRequest OfRange(ObjectId owner, ulong firstPage, ulong pageCount, int node)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstPage, PageKey.PageMax);
        return new(node)
        {
            First = new PageKey(owner, firstPage),
            PageCount = Math.Min(pageCount, PageKey.PageMax - firstPage + 1),
        };
    }

    /// <summary>The resident pages of a partition.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="node">The number of the node.</param>
    public static MigrationRequest OfPartition(PartitionId partition, int node) => new(node) { Partition = partition };
}

/// <summary>What became of the pages of a <see cref="MigrationRequest"/>, each counted once.</summary>
/// <param name="Moved">Pages that lie on the node now and did not before.</param>
/// <param name="AlreadyThere">Pages that lay there.</param>
/// <param name="Gone">Pages that are not resident, or that went or were replaced before they could be moved.</param>
/// <param name="InUse">Pages that stay where they are: leased, being written, or changed while they were copied, each time
/// that it was tried.</param>
/// <param name="NoRoom">Pages that stay where they are because the node has no frame to spare.</param>
/// <param name="Retries">Attempts beyond the first, of all pages.</param>
public readonly record struct MigrationReport(
    long Moved, long AlreadyThere, long Gone, long InUse, long NoRoom, long Retries);

/// <summary>Counts of all migrations of a cache since it was made.</summary>
public readonly record struct MigrationStatistics
{
    /// <summary>Requests that were begun.</summary>
    public required long Requests { get; init; }

    /// <summary>Pages that were moved.</summary>
    public required long Moved { get; init; }

    /// <summary>Attempts that met a page in use: leased, being written, or changed while it was copied.</summary>
    public required long InUse { get; init; }

    /// <summary>Those of them that had to be taken back: a lease came while the page changed frames.</summary>
    public required long TakenBack { get; init; }

    /// <summary>Pages that found no frame on their target.</summary>
    public required long NoRoom { get; init; }

    /// <summary>How often the background migrator waited for the next period of its budget.</summary>
    public required long BudgetWaits { get; init; }
}
