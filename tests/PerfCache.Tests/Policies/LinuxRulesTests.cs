// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Policies;

/// <summary>Goal: the facts that any faithful model of the Linux page cache must show, and the profiles' constants.</summary>
[TestFixture]
public sealed class LinuxRulesTests
{
    [TestCase(0UL, false, false, Effect.Mark)]
    [TestCase(1UL, false, false, Effect.Activate)]
    [TestCase(0UL, true, false, Effect.Mark)]
    [TestCase(1UL, true, false, Effect.Mark)]
    [TestCase(1UL, true, true, Effect.Mark)]
    public void AHitDecidesByTheReferencedMarkAndTheActiveFlag(ulong referenced, bool active, bool workingset, Effect expected)
    {
        FrameState state = new(
            FrameState.Live | referenced | (active ? FrameState.Active : 0) | (workingset ? FrameState.Workingset : 0));
        HitEffect effect = LinuxRules<Linux6>.OnHit(state);
        Effect found = effect.IsNone ? Effect.None : effect.Defers ? Effect.Activate : Effect.Mark;
        Assert.That(found, Is.EqualTo(expected));
        if (expected == Effect.Activate) Assert.That(effect.Referenced, Is.Zero, "activation clears the mark");
        Assert.That(LinuxRules<Linux315>.OnHit(state), Is.EqualTo(effect), "both kernels agree on a hit");
    }

    [TestCase(1UL << 17, (1UL << 17) - 1, false)]
    [TestCase((1UL << 17) - 1, 1UL << 17, true)]
    [TestCase(70_000UL, 200_000UL, false, Description = "1 GiB: ratio 3")]
    [TestCase(60_000UL, 210_000UL, true, Description = "1 GiB: ratio 3")]
    [TestCase(260_000UL, 2_400_000UL, false, Description = "10 GiB: ratio 10")]
    [TestCase(238_000UL, 2_400_000UL, true, Description = "10 GiB: ratio 10")]
    public void Linux6LetsTheInactiveListBeShorterTheLargerMemoryIs(ulong inactive, ulong active, bool low) =>
        Assert.That(Linux6.IsInactiveLow(inactive, active), Is.EqualTo(low));

    [TestCase(5UL, 5UL, false)]
    [TestCase(5UL, 6UL, true)]
    [TestCase(1_000_000UL, 1_000_001UL, true)]
    public void Linux315KeepsTheActiveListAtHalf(ulong inactive, ulong active, bool low) =>
        Assert.That(Linux315.IsInactiveLow(inactive, active), Is.EqualTo(low));

    [Test]
    public void ACacheAsLargeAsTheFootprintMissesEachPageOnce([Values(1, 31, 100, 5000)] int frames)
    {
        CacheStatistics statistics = Run<Linux6>((uint)frames, Enumerable.Range(0, frames * 4).Select(i => i % frames));
        Assert.That((statistics.Misses, statistics.Evictions), Is.EqualTo(((long)frames, 0L)));
    }

    [Test]
    public void ALoopLargerThanTheCacheNeverHits()
    {
        CacheStatistics statistics = Run<Linux6>(1000, Enumerable.Range(0, 12_000).Select(i => i % 1200));
        Assert.That(statistics.Misses, Is.EqualTo(12_000));
    }

    [Test]
    public void EvictionsAreMissesMinusResidentPages()
    {
        Random random = TestSeed.Random(5);
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new(777, new LinuxRules<Linux6>());
        ObjectId file = cache.AddObject(5000, dense: true);
        PageReader reader = default;
        for (int i = 0; i < 50_000; i++) cache.Access(file, (ulong)random.Next(5000), ref reader);
        CacheStatistics statistics = cache.Statistics;
        Assert.That(statistics.Evictions, Is.EqualTo(statistics.Misses - cache.ResidentCount));
        Assert.That(statistics.Hits + statistics.Misses, Is.EqualTo(50_000));
        cache.Validate();
    }

    [Test]
    public void ConsecutiveReadsThroughOneReaderCountOnce()
    {
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new(10, new LinuxRules<Linux6>(1, 1));
        ObjectId file = cache.AddObject(64, dense: true);
        PageReader one = default, other = default;
        for (int i = 0; i < 5; i++) cache.Access(file, 7, ref one);
        Assert.That(cache.Rules.Lists.Active.Count, Is.Zero, "five reads of one program in a row are one use");
        cache.Access(file, 7, ref other);
        Assert.That(cache.Rules.Lists.Active.Count, Is.EqualTo(1), "a read of another program is a second use");
    }

    [Test]
    public void AOneFrameCacheWorks()
    {
        CacheStatistics statistics = Run<Linux315>(1, [1, 2, 2, 1, 1, 3]);
        Assert.That(statistics.Misses, Is.EqualTo(4));
    }

    [TestCase(0, 1)]
    [TestCase(1, 0)]
    [TestCase(1025, 1)]
    public void ImpossibleBatchesAreRefused(int reclaim, int batch) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new LinuxRules<Linux6>(reclaim, batch));

    private static CacheStatistics Run<TProfile>(uint frames, IEnumerable<int> pages) where TProfile : struct, ILinuxProfile
    {
        using MetadataCache<LinuxRules<TProfile>, ReplayMode> cache = new(frames, new LinuxRules<TProfile>());
        ObjectId file = cache.AddObject(1 << 20, dense: true);
        PageReader reader = default;
        foreach (int page in pages) cache.Access(file, (ulong)page, ref reader);
        cache.Validate();
        return cache.Statistics;
    }

    public enum Effect
    {
        None,
        Mark,
        Activate,
    }
}
