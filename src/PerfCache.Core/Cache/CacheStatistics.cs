// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>Counts of what a cache did since it was made.</summary>
public readonly record struct CacheStatistics
{
    /// <summary>Accesses.</summary>
    public required long Requests { get; init; }

    /// <summary>Accesses that did not find their page.</summary>
    public required long Misses { get; init; }

    /// <summary>Misses that found a shadow.</summary>
    public required long Refaults { get; init; }

    /// <summary>Refaults that made their page active at once.</summary>
    public required long RefaultActivations { get; init; }

    /// <summary>Pages that became active, by access or by refault.</summary>
    public required long Activations { get; init; }

    /// <summary>Pages that went back from active to inactive.</summary>
    public required long Deactivations { get; init; }

    /// <summary>Pages evicted by reclaim.</summary>
    public required long Evictions { get; init; }

    /// <summary>Pages removed for another reason.</summary>
    public required long Removals { get; init; }

    /// <summary>Shadows dropped because there were too many.</summary>
    public required long ShadowsDropped { get; init; }

    /// <summary>Accesses that found their page.</summary>
    public long Hits => Requests - Misses;
}

/// <summary>Native bytes of a cache, by what they are for.</summary>
/// <param name="FrameBytes">The frame table, ghosts included, and the rule's own columns.</param>
/// <param name="IndexBytes">Blocks and directories of the index, shadows included.</param>
/// <param name="ShadowBytes">The part of <paramref name="IndexBytes"/> that shadows alone keep alive.</param>
public readonly record struct CacheMemory(long FrameBytes, long IndexBytes, long ShadowBytes)
{
    /// <summary>All of it.</summary>
    public long TotalBytes => FrameBytes + IndexBytes;
}
