// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models;

/// <summary>
/// The description of who gives up the next page, as plain lists: partitions in order of their numbers, each with its
/// pages, oldest first.
/// </summary>
internal sealed class NaivePartitions(int frames)
{
    private readonly SortedDictionary<int, Part> _parts = new() { [0] = new Part() };

    /// <summary>The pages that went because of reclaim since this was last cleared: partition, page.</summary>
    internal List<(int Partition, uint Page)> Evicted { get; } = [];

    internal int GuaranteeOf(int partition) => _parts[partition].Guarantee;

    internal IReadOnlyList<uint> PagesOf(int partition) => _parts[partition].Pages;

    internal void AddPartition(int number, int guarantee, int limit) =>
        _parts.Add(number, new Part { Guarantee = guarantee, Limit = limit });

    internal void RemovePartition(int number) => _parts.Remove(number);

    internal void SetLimits(int partition, int guarantee, int limit)
    {
        _parts[partition].Guarantee = guarantee;
        _parts[partition].Limit = limit;
        while (_parts[partition].Pages.Count > limit) EvictOldest(partition);
    }

    internal void Invalidate(int partition, uint page) => _parts[partition].Pages.Remove(page);

    internal bool Ask(int partition, uint page)
    {
        Part part = _parts[partition];
        if (part.Pages.Contains(page)) return true;
        if (part.Pages.Count >= part.Limit) EvictOldest(partition);
        else if (_parts.Values.Sum(each => each.Pages.Count) == frames) EvictOldest(LargestSurplus(partition));
        part.Pages.Add(page);
        return false;
    }

    private int LargestSurplus(int asking)
    {
        int largest = asking;
        foreach ((int number, Part part) in _parts)
            if (part.Surplus > _parts[largest].Surplus) largest = number;
        return largest;
    }

    private void EvictOldest(int partition)
    {
        Evicted.Add((partition, _parts[partition].Pages[0]));
        _parts[partition].Pages.RemoveAt(0);
    }

    private sealed class Part
    {
        internal List<uint> Pages { get; } = [];

        internal int Guarantee { get; set; }

        internal int Limit { get; set; } = int.MaxValue;

        internal int Surplus => Math.Max(0, Pages.Count - Guarantee);
    }
}
