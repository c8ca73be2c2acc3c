// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>Counts of one partition of a <see cref="PageCache{TRules}"/> since it was added.</summary>
/// <remarks>Those of all partitions, the ones that were removed included, sum up to
/// <see cref="PageCacheStatistics"/>.</remarks>
public readonly record struct PartitionStatistics
{
    /// <summary>The partition's name.</summary>
    public required string Name { get; init; }

    /// <summary>Objects whose pages are charged to it.</summary>
    public required int Objects { get; init; }

    /// <summary>Pages that are resident.</summary>
    public required long ResidentPages { get; init; }

    /// <summary>Those of them that lie on nodes where the partition's placement wants its pages; all where there is one
    /// node, or the placement is the caller's node.</summary>
    public required long LocalPages { get; init; }

    /// <summary>Those that lie on other nodes.</summary>
    public required long RemotePages { get; init; }

    /// <summary>Bytes of the pages that are resident, without metadata.</summary>
    public required long ResidentBytes { get; init; }

    /// <summary>The limit in bytes of page data, or null.</summary>
    public required long? MaxBytes { get; init; }

    /// <summary>The guarantee in bytes of page data.</summary>
    public required long MinBytes { get; init; }

    /// <summary>Look-ups that found their page; 0 unless <see cref="PageCacheOptions.CountHits"/>.</summary>
    public required long Hits { get; init; }

    /// <summary>Look-ups that did not, whether or not the page was then loaded; those who joined a load included.</summary>
    public required long Misses { get; init; }

    /// <summary>Insertions that found a shadow.</summary>
    public required long Refaults { get; init; }

    /// <summary>Pages that became active, by access or by refault.</summary>
    public required long Activations { get; init; }

    /// <summary>Pages that went back from active to inactive.</summary>
    public required long Deactivations { get; init; }

    /// <summary>Pages evicted by reclaim, for whatever cause.</summary>
    public required long Evictions { get; init; }

    /// <summary>Those that went because the partition was at its own limit, or the limit was lowered.</summary>
    public required long LimitEvictions { get; init; }

    /// <summary>Those that went because another partition needed frames.</summary>
    public required long PressureEvictions { get; init; }

    /// <summary>Pages that are changed and not yet written.</summary>
    public required long DirtyPages { get; init; }

    /// <summary>Frames that reclaim found in use and set aside.</summary>
    public required long HeldFrames { get; init; }
}
