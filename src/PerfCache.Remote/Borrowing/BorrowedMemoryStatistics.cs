// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Borrowing;

/// <summary>What borrowed memory did since it was made. Counts never fall.</summary>
public readonly record struct BorrowedMemoryStatistics
{
    /// <summary>Clean pages that the cache evicted.</summary>
    public required long Evicted { get; init; }

    /// <summary>Of these, how many were not sent because a server has them still, unchanged.</summary>
    public required long Kept { get; init; }

    /// <summary>Of these, how many the sequential filter kept back.</summary>
    public required long DroppedSequential { get; init; }

    /// <summary>Of these, how many were dropped because no server takes pages now.</summary>
    public required long DroppedNoServer { get; init; }

    /// <summary>Of these, how many were dropped because the put pool or the server's send buffers were full.</summary>
    public required long DroppedNoRoom { get; init; }

    /// <summary>Of these, how many were dropped because the source is faster.</summary>
    public required long DroppedSourceFaster { get; init; }

    /// <summary>Pages that were handed over to be sent.</summary>
    public required long Sent { get; init; }

    /// <summary>Of these, how many a server acknowledged.</summary>
    public required long Stored { get; init; }

    /// <summary>Of these, how many were refused or never answered.</summary>
    public required long NotStored { get; init; }

    /// <summary>Misses of the cache that no server was asked for, because the catalogue knows better.</summary>
    public required long KnownMisses { get; init; }

    /// <summary>Misses for pages that are still on their way out.</summary>
    public required long OnTheirWay { get; init; }

    /// <summary>Misses for pages whose server is slow, silent or unreachable and is not asked for the time being.</summary>
    public long LeftAlone { get; init; }

    /// <summary>Requests that went to the source because it is faster, or to time it, although a server has their pages.
    /// </summary>
    public required long SourceFaster { get; init; }

    /// <summary>Pages that were asked for.</summary>
    public required long Gets { get; init; }

    /// <summary>Of these, how many came and were right.</summary>
    public required long Hits { get; init; }

    /// <summary>Of these, how many the server did not have.</summary>
    public required long Missing { get; init; }

    /// <summary>Of these, how many did not come in time.</summary>
    public required long Expired { get; init; }

    /// <summary>Of these, how many came and were wrong: stale, swapped, torn, made up. They were read from the source.
    /// </summary>
    public required long Wrong { get; init; }

    /// <summary>Pages that were forgotten because they changed, or may have.</summary>
    public required long Forgotten { get; init; }

    /// <summary>Pages that were forgotten because the catalogue was full.</summary>
    public required long Displaced { get; init; }

    /// <summary>Pages that were forgotten because their server was lost.</summary>
    public required long Lost { get; init; }

    /// <summary>Decisions to leave the servers alone.</summary>
    public required long SwitchedOff { get; init; }

    /// <summary>True while single pages come from the source at once, which is faster.</summary>
    public required bool IsOffForSingle { get; init; }

    /// <summary>True while runs of neighbours do.</summary>
    public required bool IsOffForRuns { get; init; }

    /// <summary>How long who asks for a single page waits on average, for the source as well where the page did not come; 0
    /// before the first.</summary>
    public required TimeSpan ServerTime { get; init; }

    /// <summary>How long the source takes for a single page on average; 0 before the first.</summary>
    public required TimeSpan SourceTime { get; init; }

    /// <summary>Pages that the catalogue knows.</summary>
    public required long CataloguePages { get; init; }

    /// <summary>Bytes of the catalogue.</summary>
    public required long CatalogueBytes { get; init; }

    /// <summary>Each server, in the order of the options.</summary>
    public required IReadOnlyList<BorrowedServerStatistics> Servers { get; init; }
}

/// <summary>What a borrower thinks of one server.</summary>
public readonly record struct BorrowedServerStatistics
{
    /// <summary>As it was named.</summary>
    public required string Address { get; init; }

    /// <summary>Pages that were asked for.</summary>
    public required long Gets { get; init; }

    /// <summary>Of these, how many came and were right.</summary>
    public required long Hits { get; init; }

    /// <summary>Of these, how many came and were wrong.</summary>
    public required long Wrong { get; init; }

    /// <summary>Pages that were sent.</summary>
    public required long Puts { get; init; }

    /// <summary>The time that a get is worth waiting for.</summary>
    public required TimeSpan Deadline { get; init; }

    /// <summary>Its connections: state, losses, latencies. Null once the borrowed memory was disposed.</summary>
    public ServerStatistics? Link { get; init; }
}
