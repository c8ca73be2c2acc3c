// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: a page whose bytes are made in place comes in whole, or not at all.</summary>
internal sealed class PageFillerTests
{
    private const uint Frames = 16;

    [Test]
    public void AFillerIsCalledOnceAndWhatItWritesIsThePage()
    {
        using PageCache<LinuxRules<Linux6>> cache = New();
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1000);
        for (uint page = 0; page < 200; page++)
            Assert.That(cache.TryAdd(owner, page, new Stamp((byte)page)), Is.True);

        Assert.That(cache.TryAdd(owner, 199, new Failing()), Is.False, "it is there already, so nobody is asked");
        Assert.That(cache.TryGet(owner, 199, out PageLease lease), Is.True);
        using (lease) Assert.That(lease.Span.ContainsAnyExcept((byte)199), Is.False);
        cache.Validate();
    }

    [Test]
    public void AFillerThatThrowsLeavesNothingBehind()
    {
        using PageCache<LinuxRules<Linux6>> cache = New();
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1000);
        for (uint page = 0; page < 2 * Frames; page++)
        {
            Assert.That(() => cache.TryAdd(owner, page, new Failing()), Throws.TypeOf<InvalidDataException>());
            Assert.That(cache.Contains(owner, page), Is.False);
        }

        Assert.That(cache.ResidentCount, Is.Zero);
        cache.Validate();
        Assert.That(cache.TryAdd(owner, 1, new Stamp(1)), Is.True);
    }

    [Test]
    public void PagesComeInWhereReclaimTakesTheirLeafAway([Values] bool dense)
    {
        // One page a leaf, and so few frames that each reclaim drops leaves, at times the one that was just looked up.
        using PageCache<LinuxRules<Linux6>> cache = New();
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1 << 20, dense);
        Random random = TestSeed.Random(seed: 5);
        for (int i = 0; i < 5_000; i++)
        {
            ulong page = (ulong)random.Next(64) << 6;
            bool known = cache.Contains(owner, page);
            Assert.That(cache.TryAdd(owner, page, new Stamp((byte)(page >> 6))), Is.EqualTo(!known));
            Assert.That(cache.Touch(owner, page), Is.True);
            if (i % 100 == 0) cache.Validate();
        }
    }

    [Test]
    public void HitsAreCountedWhereItIsAskedForAndEveryWayOfReadingCounts()
    {
        PageCacheOptions options = PageCacheOptions.ForFrames(Frames) with { BackgroundReclaim = false, CountHits = true };
        using PageCache<LinuxRules<Linux6>> cache = new(options, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1000);
        cache.TryAdd(owner, 3, new Stamp(3));
        using CacheReader<LinuxRules<Linux6>, NoProbe> reader = cache.OpenReader();
        for (int i = 0; i < 10; i++)
        {
            Assert.That(cache.Touch(owner, 3), Is.True);
            Assert.That(cache.TryGet(owner, 3, out PageLease lease), Is.True);
            lease.Dispose();
            Assert.That(reader.TryGet(owner, 3, out EpochLease shortLease), Is.True);
            shortLease.Dispose();
        }

        Assert.That(cache.Statistics.Hits, Is.EqualTo(30));
    }

    private static PageCache<LinuxRules<Linux6>> New() =>
        new(PageCacheOptions.ForFrames(Frames) with { BackgroundReclaim = false }, new LinuxRules<Linux6>());

    private readonly struct Stamp(byte value) : IPageFiller
    {
        public void Fill(Span<byte> page) => page.Fill(value);
    }

    private readonly struct Failing : IPageFiller
    {
        public void Fill(Span<byte> page) => throw new InvalidDataException("no bytes");
    }
}
