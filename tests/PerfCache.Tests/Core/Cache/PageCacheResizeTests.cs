// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: the bound in bytes can be moved at run time, holds at every moment, and memory goes and comes with it.
/// </summary>
[TestFixture]
public sealed class PageCacheResizeTests
{
    private const long Small = 1 << 20;
    private const long Large = 8 << 20;

    [Test]
    public void ShrinkingEvictsAndGivesMemoryBackAndGrowingTakesItAgain()
    {
        List<EvictionReason> told = [];
        using PageCache<LinuxRules<Linux6>> cache = New(Large, o => o with { Evicted = (_, _, reason) => told.Add(reason) });
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100_000);
        Fill(cache, owner, 3000);
        uint frames = cache.FrameCount;
        Assert.That(told, Has.No.Member(EvictionReason.Resized));

        cache.Resize(Small);
        Assert.That(cache.CapacityBytes, Is.EqualTo(Small));
        Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(Small));
        Assert.That(cache.FrameCount, Is.InRange(150, Small / 4096));
        Assert.That(told, Has.Member(EvictionReason.Resized));
        cache.Validate();
        Fill(cache, owner, 3000);
        Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(Small));
        cache.Validate();

        cache.Resize(Large);
        Assert.That(cache.FrameCount, Is.EqualTo(frames));
        Fill(cache, owner, 3000);
        Assert.That(cache.ResidentCount, Is.GreaterThan(frames - 100));
        Assert.That(cache.UsedBytes, Is.InRange(Large / 2, Large));
        cache.Validate();
    }

    [Test]
    public void ACacheThatStartsSmallKeepsItsBoundAndGrows([Values] bool dense)
    {
        using PageCache<LinuxRules<Linux6>> cache = New(Small);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1UL << (dense ? 20 : 40), dense);
        Random random = new(1);
        long bound = Small;
        for (int i = 0; i < 6000; i++)
        {
            if (i == 3000) cache.Resize(bound = 4 << 20);
            ulong page = dense ? (ulong)i : (ulong)random.NextInt64(1L << 40);
            cache.TryAdd(owner, page, [1]);
            Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(bound), $"page {i}");
        }

        Assert.That(cache.ResidentCount, Is.GreaterThan(dense ? 850 : 500));
        cache.Validate();
    }

    [Test]
    public void ShrinkingGoesAsFarAsLeasesAllowAndSaysSo()
    {
        using PageCache<Fifo> cache = New(new Fifo(), Large, o => o with { Patience = TimeSpan.FromMilliseconds(50) });
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100_000);
        List<PageLease> leases = [];
        for (uint page = 0; page < 1000; page++)
        {
            cache.TryAdd(owner, page, [1]);
            cache.TryGet(owner, page, out PageLease lease);
            leases.Add(lease);
        }

        TimeoutException? told = Assert.Throws<TimeoutException>(() => cache.Resize(Small));
        Assert.That(told!.Message, Does.Contain($"CapacityBytes is {cache.CapacityBytes}, not {Small}"));
        Assert.That(told.Message, Does.Contain("1000 frames are leased"));
        Assert.That(cache.CapacityBytes, Is.InRange(1000 * 4096, Large / 2 + (1 << 19)));
        Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(cache.CapacityBytes));
        cache.Validate();
        foreach (PageLease lease in leases) lease.Dispose();
        cache.Resize(Small);
        Assert.That(cache.CapacityBytes, Is.EqualTo(Small));
        Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(Small));
        cache.Validate();
    }

    [TestCase(Large + 1)]
    [TestCase(100_000)]
    [TestCase(0)]
    [TestCase(-1)]
    public void ASizeThatIsNotPossibleIsRefusedAndChangesNothing(long bytes)
    {
        using PageCache<Fifo> cache = New(new Fifo(), Small);
        ArgumentOutOfRangeException? told = Assert.Throws<ArgumentOutOfRangeException>(() => cache.Resize(bytes));
        Assert.That(told!.Message, Does.Contain($"at most CapacityBytesMax ({Large})").And.Contain("8 pages of 4096 bytes"));
        Assert.That(cache.CapacityBytes, Is.EqualTo(Small));
        cache.Validate();
    }

    [Test]
    public void FramesThatTheIndexTookComeBackWhenItsObjectGoes()
    {
        using PageCache<Fifo> cache = New(new Fifo(), Large);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100_000);
        Fill(cache, owner, 3000);
        uint frames = cache.FrameCount;
        // A directory of a mebibyte.
        ObjectId large = cache.AddObject(source: null, pageCountMax: 1 << 25);
        cache.TryAdd(large, 1 << 24, [1]);
        Assert.That(cache.FrameCount, Is.LessThan(frames - 200));
        cache.Validate();
        cache.RemoveObject(large);
        Assert.That(cache.FrameCount, Is.GreaterThan(frames - 30));
        Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(Large));
        cache.Validate();
    }

    [Test]
    public void ObjectsThatComeAndGoCostNothingInTheEnd()
    {
        using PageCache<Fifo> cache = New(new Fifo(), Small);
        uint frames = cache.FrameCount;
        for (int i = 0; i < 500; i++)
        {
            ObjectId owner = cache.AddObject(source: null, pageCountMax: 100_000);
            for (uint page = 0; page < 50; page++) cache.TryAdd(owner, page * 100, [(byte)i]);
            cache.TryGet(owner, 4900, out PageLease lease);
            Assert.That(lease.Span[0], Is.EqualTo((byte)i));
            lease.Dispose();
            cache.RemoveObject(owner);
        }

        Assert.That(cache.FrameCount, Is.EqualTo(frames));
        cache.Validate();
    }

    private static void Fill<TRules>(PageCache<TRules> cache, ObjectId owner, uint pages) where TRules : struct, IFlagRules
    {
        for (uint page = 0; page < pages; page++) cache.TryAdd(owner, page, [1]);
    }

    private static PageCache<LinuxRules<Linux6>> New(
        long bytes, Func<PageCacheOptions, PageCacheOptions>? change = null) => New(new LinuxRules<Linux6>(), bytes, change);

    private static PageCache<TRules> New<TRules>(
        TRules rules, long bytes, Func<PageCacheOptions, PageCacheOptions>? change = null)
        where TRules : struct, IFlagRules
    {
        PageCacheOptions options = new() { CapacityBytes = bytes, CapacityBytesMax = Large, BackgroundReclaim = false };
        return new PageCache<TRules>(change is null ? options : change(options), rules);
    }
}
