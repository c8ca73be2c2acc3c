// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;
using LinuxCache = PerfCache.Cache.PageCache<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>>;

namespace PerfCache.Benchmarks.Hits;

/// <summary>The rows of insertions into a full cache, each with an eviction, against <see cref="ClockFloor"/>; and what
/// a page costs in metadata.</summary>
internal static class InsertRows
{
    private const int PageBytes = 4096;

    internal static IEnumerable<Row> All { get; } =
    [
        new("insert-seq", "insert 4 KiB + evict, sequential keys, against the floor", 1.0,
            scale => Insert(scale, scale.InsertFrames, KeyOrder.Sequential, copies: true)),
        new("insert-random", "insert 4 KiB + evict, random keys, against the floor", 1.6,
            scale => Insert(scale, scale.InsertFrames, KeyOrder.Random, copies: true)),
        new("newkey-500", "new keys in sequence, 8 bytes written, 500 frames, against the floor", 4.5,
            scale => Insert(scale, HitRows.FewPages, KeyOrder.Sequential, copies: false)),
        new("newkey-1m", "new keys in sequence, 8 bytes written, against the floor", 0.5,
            scale => Insert(scale, scale.Pages, KeyOrder.Sequential, copies: false)),
        new("newkey-sparse", "new keys at random among 2^36, 8 bytes written, against the floor", 3.0,
            scale => Insert(scale, scale.InsertFrames, KeyOrder.SparseRandom, copies: false)),
        new("metadata-dense", "bytes of metadata a resident page, dense object", 64,
            scale => Metadata(scale, KeyOrder.Sequential)),
        new("metadata-sparse", "bytes of metadata a resident page, one page in 2^19 of a sparse object", null,
            scale => Metadata(scale, KeyOrder.SparseRandom)),
    ];

    private static RowResult Insert(HitScale scale, int frames, KeyOrder order, bool copies)
    {
        using ClockFloor floor = new((uint)frames, PageBytes);
        using LinuxCache cache = Cache(frames, order, out ObjectId owner);
        byte[] page = new byte[PageBytes];
        Random.Shared.NextBytes(page);
        int count = copies ? scale.Operations / 8 : scale.Operations / 2;
        FloorInsertPass rival = new(floor, copies ? page : null, order, count);
        InsertPass candidate = copies
            ? new CopyInsertPass(cache, owner, page, order, count)
            : new NewKeyPass(cache, owner, order, count);
        // Full, and then some: from here on each insertion evicts.
        for (int filled = 0; filled <= frames + (frames / 4); filled += count)
        {
            rival.Run(0);
            candidate.Run(0);
        }

        PairedResult result = PairedCpuTime.Measure(
            new Side("floor", rival.Run), new Side("cache", candidate.Run), 1, scale.Pairs, scale.WarmUps);
        string? failure = HitRows.Allocations(result);
        if (result.Collections > 0) failure = $"{result.Collections} garbage collections";
        string note = candidate.Refused + rival.Refused == 0
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $"{candidate.Refused} and {rival.Refused} were resident");
        return RowResult.Of(result, note, failure);
    }

    private static RowResult Metadata(HitScale scale, KeyOrder order)
    {
        using LinuxCache cache = new(
            new PageCacheOptions { CapacityBytes = (long)scale.InsertFrames * PageBytes, BackgroundReclaim = false },
            new LinuxRules<Linux6>());
        ObjectId owner = AddObject(cache, order);
        NewKeyPass fill = new(cache, owner, order, 4 * scale.InsertFrames);
        fill.Run(0);
        long metadata = cache.UsedBytes - ((long)cache.FrameCount * PageBytes);
        double bytes = metadata / (double)cache.ResidentCount;
        return new RowResult(bytes, bytes, bytes, 0, 0, 1, "an evicting cache, four times filled");
    }

    private static LinuxCache Cache(int frames, KeyOrder order, out ObjectId owner)
    {
        LinuxCache cache = new(
            PageCacheOptions.ForFrames((uint)frames) with { BackgroundReclaim = false }, new LinuxRules<Linux6>());
        owner = AddObject(cache, order);
        return cache;
    }

    private static ObjectId AddObject(LinuxCache cache, KeyOrder order) => order == KeyOrder.SparseRandom
        ? cache.AddObject(null, 1UL << 36, dense: false)
        : cache.AddObject(null, 1UL << 30);
}
