// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: the verbs of the cache, as an embedder meets them, and what they refuse.</summary>
[TestFixture]
public sealed class MetadataCacheTests
{
    private MemoryMeter _meter = null!;

    [SetUp]
    public void MakeMeter() => _meter = new MemoryMeter();

    [TearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void AMissBringsThePageInAndTheNextAccessFindsIt()
    {
        using MetadataCache<Lru, ReplayMode> cache = new(2, new Lru(), _meter);
        ObjectId file = cache.AddObject(100, dense: true);
        PageReader reader = default;
        Assert.That(cache.Contains(file, 5), Is.False);
        Assert.That(cache.Access(file, 5, ref reader), Is.EqualTo(AccessOutcome.ColdMiss));
        Assert.That(cache.Access(file, 5, ref reader), Is.EqualTo(AccessOutcome.Hit));
        Assert.That(cache.Contains(file, 5), Is.True);
        Assert.That(cache.Statistics, Is.EqualTo(new CacheStatistics
        {
            Requests = 2,
            Misses = 1,
            Refaults = 0,
            RefaultActivations = 0,
            Activations = 0,
            Deactivations = 0,
            Evictions = 0,
            Removals = 0,
            ShadowsDropped = 0,
        }));
    }

    [Test]
    public void ObjectsDoNotMixAndSparseOnesReachTheLastPage()
    {
        using MetadataCache<Lru, ReplayMode> cache = new(10, new Lru(), _meter);
        ObjectId dense = cache.AddObject(100, dense: true);
        ObjectId sparse = cache.AddObject(PageKey.PageMax + 1, dense: false);
        PageReader reader = default;
        cache.Access(dense, 5, ref reader);
        cache.Access(sparse, PageKey.PageMax, ref reader);
        Assert.Multiple(() =>
        {
            Assert.That(cache.Contains(sparse, 5), Is.False);
            Assert.That(cache.Contains(sparse, PageKey.PageMax), Is.True);
            Assert.That(cache.Find(dense, 5).IsNone, Is.False);
        });
        cache.Validate();
    }

    [Test]
    public void RemovingPagesRangesAndObjectsFreesTheirFrames()
    {
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new(500, new LinuxRules<Linux6>(), _meter);
        ObjectId first = cache.AddObject(1000, dense: true);
        ObjectId second = cache.AddObject(PageKey.PageMax + 1, dense: false);
        PageReader reader = default;
        for (ulong page = 0; page < 200; page++)
        {
            cache.Access(first, page, ref reader);
            cache.Access(second, page << 20, ref reader);
        }

        Assert.Multiple(() =>
        {
            Assert.That(cache.Remove(first, 7), Is.True);
            Assert.That(cache.Remove(first, 7), Is.False);
            Assert.That(cache.RemoveRange(first, 100, 50), Is.EqualTo(50));
            Assert.That(cache.RemoveRange(second, 0, ulong.MaxValue), Is.EqualTo(200));
            Assert.That(cache.RemoveObject(first), Is.EqualTo(149));
            Assert.That(cache.ResidentCount, Is.Zero);
            Assert.That(cache.Statistics.Removals, Is.EqualTo(400));
            Assert.That(cache.Contains(first, 0), Is.False);
        });
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Access(first, 0, ref reader));
        cache.Validate();
    }

    [Test]
    public void ResidentPagesAreVisitedInOrder()
    {
        using MetadataCache<Fifo, ReplayMode> cache = new(3, new Fifo(), _meter);
        ObjectId sparse = cache.AddObject(1UL << 35, dense: false);
        PageReader reader = default;
        foreach (ulong page in new ulong[] { 9, 1UL << 34, 77, 3 }) cache.Access(sparse, page, ref reader);
        List<ulong> visited = [];
        cache.VisitResident(sparse, (page, _) => visited.Add(page));
        Assert.That(visited, Is.EqualTo(new ulong[] { 3, 77, 1UL << 34 }));
    }

    [Test]
    public void ABatchDoesWhatSingleAccessesDo([Values(1, 15, 16, 17, 1000)] int batch)
    {
        Random random = TestSeed.Random(3);
        uint[] pages = new uint[5000];
        int[] files = new int[pages.Length];
        for (int i = 0; i < pages.Length; i++)
        {
            pages[i] = random.Next(3) == 0 && i > 0 ? pages[i - 1] : (uint)random.Next(400);
            files[i] = random.Next(3);
        }

        using MetadataCache<LinuxRules<Linux6>, ReplayMode> single = new(100, new LinuxRules<Linux6>(), _meter);
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> batched = new(100, new LinuxRules<Linux6>(), _meter);
        ObjectId one = single.AddObject(400, dense: true);
        ObjectId many = batched.AddObject(400, dense: true);
        PageReader[] singleReaders = new PageReader[3], batchedReaders = new PageReader[3];
        AccessOutcome[] expected = new AccessOutcome[pages.Length], found = new AccessOutcome[pages.Length];
        for (int i = 0; i < pages.Length; i++)
            expected[i] = single.Access(one, pages[i], ref singleReaders[files[i]]);
        for (int i = 0; i < pages.Length; i += batch)
        {
            Range range = i..Math.Min(i + batch, pages.Length);
            batched.AccessMany(
                many, pages.AsSpan()[range], files.AsSpan()[range], batchedReaders, found.AsSpan()[range]);
        }

        Assert.That(found, Is.EqualTo(expected));
        Assert.That(batched.Statistics, Is.EqualTo(single.Statistics));
    }

    [Test]
    public void LookingAheadChangesNothingButTheSpeed([Values(7, 100, 700)] int frames, [Values] bool dense)
    {
        SameWithAndWithoutLookAhead((uint)frames, dense, () => new Lru());
        SameWithAndWithoutLookAhead((uint)frames, dense, () => new Fifo());
        SameWithAndWithoutLookAhead((uint)frames, dense, () => new LinuxRules<Linux6>(4, 3));
        SameWithAndWithoutLookAhead((uint)frames, dense, () => new S3Fifo());
        SameWithAndWithoutLookAhead((uint)frames, dense, () => new TwoQ());
        SameWithAndWithoutLookAhead((uint)frames, dense, () => new Arc());
        // Its hits drop ghosts, and with them leaves whose slots have been looked up.
        SameWithAndWithoutLookAhead((uint)frames, dense, () => new Lirs());
    }

    /// <summary>Pages are spread so thinly that leaves come and go while their addresses wait in the ring.</summary>
    private void SameWithAndWithoutLookAhead<TRules>(uint frames, bool dense, Func<TRules> rules)
        where TRules : struct, IReplacementRules
    {
        Random random = TestSeed.Random((int)frames);
        uint[] pages = new uint[20_000];
        for (int i = 0; i < pages.Length; i++)
        {
            pages[i] = random.Next(8) == 0 && i > 0
                ? pages[i - 1] : (uint)(random.Next(random.Next(2) == 0 ? 40 : 2000) * 37);
        }

        using MetadataCache<TRules, ReplayMode> plain = new(frames, rules(), _meter);
        using MetadataCache<TRules, ReplayMode> ahead = new(frames, rules(), _meter) { HintBytesMin = 0 };
        ObjectId one = plain.AddObject(80_000, dense), other = ahead.AddObject(80_000, dense);
        PageReader plainReader = default, aheadReader = default;
        foreach (uint page in pages) plain.Access(one, page, ref plainReader);
        for (int i = 0; i < pages.Length; i += 777)
            ahead.AccessMany(other, pages.AsSpan(i, Math.Min(777, pages.Length - i)), ref aheadReader);
        List<ulong> plainPages = [], aheadPages = [];
        plain.VisitResident(one, (page, _) => plainPages.Add(page));
        ahead.VisitResident(other, (page, _) => aheadPages.Add(page));
        ahead.Validate();
        Assert.That(ahead.Statistics, Is.EqualTo(plain.Statistics));
        Assert.That(aheadPages, Is.EqualTo(plainPages));
    }

    [Test]
    public void HitsAndMissesAllocateNothing()
    {
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new(1000, new LinuxRules<Linux6>(), _meter) { HintBytesMin = 0 };
        ObjectId file = cache.AddObject(20_000, dense: true);
        uint[] pages = new uint[20_000];
        Random random = TestSeed.Random(9);
        for (int i = 0; i < pages.Length; i++) pages[i] = (uint)random.Next(random.Next(2) == 0 ? 500 : 20_000);
        PageReader reader = default;
        for (int warm = 0; warm < 3; warm++)
        {
            cache.AccessMany(file, pages, ref reader);
            foreach (uint page in pages) cache.Access(file, page, ref reader);
        }

        long native = _meter.OutstandingBytes;
        long before = GC.GetAllocatedBytesForCurrentThread();
        cache.AccessMany(file, pages, ref reader);
        foreach (uint page in pages) cache.Access(file, page, ref reader);
        long managed = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.That(managed, Is.Zero, "managed bytes");
        Assert.That(_meter.OutstandingBytes - native, Is.Zero, "native bytes");
    }

    [Test]
    public void WhatDoesNotExistIsRefused()
    {
        using MetadataCache<Lru, ReplayMode> cache = new(4, new Lru(), _meter);
        ObjectId file = cache.AddObject(10, dense: true);
        PageReader reader = default;
        Assert.Multiple(() =>
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => cache.Access(file, 64, ref reader));
            Assert.Throws<ArgumentOutOfRangeException>(() => cache.Access(new ObjectId(1), 0, ref reader));
            Assert.Throws<ArgumentOutOfRangeException>(() => cache.AccessMany(file, [0, 1, 64], ref reader));
            Assert.Throws<ArgumentOutOfRangeException>(() => cache.AddObject(0, dense: true));
            Assert.Throws<ArgumentOutOfRangeException>(() => cache.AddObject((1UL << 32) + 1, dense: true));
            Assert.Throws<ArgumentOutOfRangeException>(() => _ = new MetadataCache<Lru, ReplayMode>(0, new Lru()));
            Assert.That(cache.Remove(file, 64), Is.False);
        });
        for (ulong page = 0; page < 4; page++) cache.Access(file, page, ref reader);
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.AccessMany(file, [64], ref reader));
        Assert.That(cache.ResidentCount, Is.EqualTo(4), "nothing is evicted for a page that does not exist");
        cache.Validate();
    }

    [Test]
    public void UseAfterDisposeIsRefusedNotACrash()
    {
        MetadataCache<Lru, ReplayMode> cache = new(4, new Lru(), _meter);
        ObjectId file = cache.AddObject(10, dense: true);
        PageReader reader = default;
        cache.Access(file, 1, ref reader);
        cache.Dispose();
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cache.Access(file, 1, ref reader));
        Assert.Throws<ObjectDisposedException>(() => cache.AccessMany(file, [1], ref reader));
        Assert.Throws<ObjectDisposedException>(() => cache.Reclaim());
        Assert.That(cache.Contains(file, 1), Is.False);
    }

    [Test]
    public void ALimitThatIsTooSmallIsRefusedAndNothingLeaks()
    {
        MemoryMeter small = new(limitBytes: 50_000);
        NativeMemoryException? refusal = Assert.Throws<NativeMemoryException>(
            () => _ = new MetadataCache<Lru, ReplayMode>(100_000, new Lru(), small));
        Assert.That(refusal!.Message, Does.Contain("limit of 50000 bytes"));
        Assert.That(small.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void AnIndexThatCannotGrowLeavesTheCacheAsItWas()
    {
        MemoryMeter small = new(limitBytes: 2_000_000);
        using MetadataCache<Lru, ReplayMode> cache = new(20_000, new Lru(), small);
        ObjectId file = cache.AddObject(1UL << 32, dense: true);
        PageReader reader = default;
        ulong page = 0;
        Assert.Throws<NativeMemoryException>(() =>
        {
            for (; page < 20_000 * 64; page += 64) cache.Access(file, page, ref reader);
        });
        cache.Validate();
        Assert.That(cache.ResidentCount, Is.EqualTo(page / 64));
        Assert.That(cache.Access(file, 0, ref reader), Is.EqualTo(AccessOutcome.Hit));
    }
}
