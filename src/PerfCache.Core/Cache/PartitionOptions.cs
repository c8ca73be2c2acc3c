// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;

namespace PerfCache.Cache;

/// <summary>Names a partition of one cache. The default value names the partition that every cache has.</summary>
/// <param name="Value">A number that the cache gave; one of a partition that was removed is not given again.</param>
public readonly record struct PartitionId(uint Value)
{
    internal const int NumberBits = 8;

    /// <summary>The partition's place among those that there are.</summary>
    internal int Number => (int)(Value & ((1u << NumberBits) - 1));
}

/// <summary>A partition of a cache: what it may have, and what nobody takes from it.</summary>
public sealed record PartitionOptions
{
    /// <summary>The partition's name, in metrics and messages; no two partitions of a cache have the same.</summary>
    public required string Name { get; init; }

    /// <summary>The most page data in bytes, rounded down to whole pages, at least 8; null for no limit but the cache's
    /// own.</summary>
    public long? MaxBytes { get; init; }

    /// <summary>
    /// Page data in bytes that no miss of another partition takes from this one, rounded up to whole pages; 0 for none.
    /// What the partition does not use of it, others may borrow, and give back when this one misses.
    /// </summary>
    public long MinBytes { get; init; }

    /// <summary>On which nodes its pages are placed; null for the choice of the cache
    /// (<see cref="NodeOptions.Placement"/>).</summary>
    public IPagePlacement? Placement { get; init; }

    /// <summary>What the partition has that every cache has.</summary>
    internal static PartitionOptions Main { get; } = new() { Name = "default" };

    /// <summary>Refuses what makes no sense whatever the cache is.</summary>
    /// <param name="pageBytes">Bytes of a page of the cache.</param>
    /// <exception cref="ArgumentException">One line that names the option, its value and what is possible.</exception>
    internal void Check(int pageBytes)
    {
        if (string.IsNullOrWhiteSpace(Name)) throw Wrong(nameof(Name), $"'{Name}'", "a name that is not blank");
        long least = (long)PageCacheOptions.PagesMin * pageBytes;
        if (MaxBytes is { } maxBytes && maxBytes < least)
            throw Wrong(nameof(MaxBytes), maxBytes, $"null or at least {least} ({PageCacheOptions.PagesMin} pages)");
        if (MinBytes < 0) throw Wrong(nameof(MinBytes), MinBytes, "0 or more");
        if (FramesMin(pageBytes) > FramesMax(pageBytes))
        {
            throw Wrong(
                nameof(MinBytes), MinBytes, $"at most MaxBytes ({MaxBytes}: {FramesMax(pageBytes)} pages of {pageBytes} bytes)");
        }
    }

    /// <summary>The guarantee in frames.</summary>
    internal uint FramesMin(int pageBytes) =>
        (uint)Math.Min((MinBytes / pageBytes) + (MinBytes % pageBytes > 0 ? 1 : 0), uint.MaxValue);

    /// <summary>The limit in frames.</summary>
    internal uint FramesMax(int pageBytes) =>
        MaxBytes is { } maxBytes ? (uint)Math.Min(maxBytes / pageBytes, uint.MaxValue) : uint.MaxValue;

    internal ArgumentException Wrong(string option, object value, string possible) =>
        new($"partition '{Name}': {option} is {value}; possible is {possible}", option);
}
