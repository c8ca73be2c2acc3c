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
    [TestCase(1, 1025)]
    public void ImpossibleBatchesAreRefused(int reclaim, int batch) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new LinuxRules<Linux6>(reclaim, batch));

    /// <summary>What exceeds an eighth of the pages, tree nodes included, may go: half of it each time, in chunks of 128, and
    /// what does not fill a chunk waits.</summary>
    [TestCase(100UL, 800UL, 0UL, 12, 7UL, 0UL, 7UL, Description = "within the limit: nothing changes")]
    [TestCase(101UL, 800UL, 0UL, 12, 0UL, 0UL, 0UL, Description = "half of one is none")]
    [TestCase(110UL, 800UL, 0UL, 12, 0UL, 0UL, 5UL, Description = "less than a chunk waits")]
    [TestCase(110UL, 800UL, 0UL, 12, 5UL, 0UL, 10UL, Description = "what waits counts for little at a low priority")]
    [TestCase(110UL, 800UL, 0UL, 0, 5UL, 10UL, 0UL, Description = "and for all at the highest: all that may go goes")]
    [TestCase(500UL, 800UL, 0UL, 12, 0UL, 128UL, 72UL, Description = "a chunk goes, the rest waits")]
    [TestCase(356UL, 800UL, 0UL, 12, 0UL, 128UL, 0UL, Description = "exactly a chunk goes, and nothing waits")]
    [TestCase(200UL, 800UL, 5689UL, 12, 0UL, 0UL, 0UL, Description = "800 pages of tree nodes more")]
    [TestCase(202UL, 800UL, 5689UL, 12, 0UL, 0UL, 1UL, Description = "800 pages of tree nodes more")]
    [TestCase(110UL, 800UL, 0UL, 0, 10_000UL, 20UL, 20UL, Description = "never more than twice what may go")]
    [TestCase(10UL, 0UL, 0UL, 0, 10_000UL, 10UL, 20UL, Description = "nor more than there are")]
    [TestCase(710UL, 800UL, 0UL, 1, 600UL, 512UL, 393UL, Description = "chunks until the rest fills none")]
    public void Linux6DropsShadowLeavesAsTheShrinkerDoes(
        ulong leaves, ulong resident, ulong blocks, int priority, ulong pressure, ulong dropped, ulong pressureLeft)
    {
        Assert.That(Linux6.ShadowLeavesToDrop(ref pressure, leaves, resident, 1000, blocks, priority), Is.EqualTo(dropped));
        Assert.That(pressure, Is.EqualTo(pressureLeft));
    }

    [TestCase(10UL, 0UL)]
    [TestCase(11UL, 1UL)]
    [TestCase(25UL, 15UL)]
    public void Linux315DropsAllBeyondASixteenthOfTheFrames(ulong leaves, ulong dropped)
    {
        ulong pressure = 3;
        Assert.That(Linux315.ShadowLeavesToDrop(ref pressure, leaves, 5000, 160, 5000, 12), Is.EqualTo(dropped));
        Assert.That(pressure, Is.EqualTo(3));
    }

    [Test]
    public void TheProfilesAreThoseOfTheKernels()
    {
        Assert.That(
            (Linux6.CpuBatchDefault, Linux6.StampsBeforeCounting, Linux6.RefaultsAllowDeactivation, Linux6.DecidesPerChunk,
                Linux6.MarksWorkingset),
            Is.EqualTo((31, true, true, false, true)));
        Assert.That(
            (Linux315.CpuBatchDefault, Linux315.StampsBeforeCounting, Linux315.RefaultsAllowDeactivation,
                Linux315.DecidesPerChunk, Linux315.MarksWorkingset),
            Is.EqualTo((14, false, false, true, false)));
    }

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
