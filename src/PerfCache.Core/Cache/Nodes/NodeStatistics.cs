// SPDX-License-Identifier: MIT
namespace PerfCache.Cache.Nodes;

/// <summary>Counts of one node of a <see cref="PageCache{TRules}"/>; those since the cache was made are marked so.</summary>
/// <remarks>All are of one moment: <c>Frames = FreeFrames + Pages + InFlight</c> + frames that wait for readers.</remarks>
public readonly record struct NodeStatistics
{
    /// <summary>The node's number.</summary>
    public required int Node { get; init; }

    /// <summary>True when the node exists in this program only.</summary>
    public required bool IsEmulated { get; init; }

    /// <summary>Frames of the node's memory.</summary>
    public required long Frames { get; init; }

    /// <summary>Frames that are free.</summary>
    public required long FreeFrames { get; init; }

    /// <summary>Pages that are resident there.</summary>
    public required long Pages { get; init; }

    /// <summary>Frames that are taken for pages on their way in: being loaded, or moved.</summary>
    public required long InFlight { get; init; }

    /// <summary>Pages of which the node was wanted and another had to do, since the cache was made.</summary>
    public required long FallbacksFrom { get; init; }

    /// <summary>Pages that lie here because another node had no free frame, since the cache was made.</summary>
    public required long FallbacksTo { get; init; }

    /// <summary>Pages evicted, since the cache was made; those of partitions that are gone are not in it.</summary>
    public required long Evictions { get; init; }

    /// <summary>Pages that were moved here from other nodes, since the cache was made.</summary>
    public required long MigratedIn { get; init; }

    /// <summary>Pages that were moved to other nodes, since the cache was made.</summary>
    public required long MigratedOut { get; init; }
}

/// <summary>What a partition has on one node, at one moment.</summary>
/// <param name="Node">The node's number.</param>
/// <param name="IsLocal">True when pages there count as local for the partition.</param>
/// <param name="Pages">Its pages that are resident there.</param>
/// <param name="InFlight">Frames there that are taken for its pages on their way in.</param>
public readonly record struct PartitionNode(int Node, bool IsLocal, long Pages, long InFlight);
