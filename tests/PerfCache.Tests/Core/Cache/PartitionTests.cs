// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: partitions keep their limits and guarantees to the page, and count what happens to them.</summary>
[TestFixture]
public sealed class PartitionTests
{
    private const int PageBytes = 4096;
    private static readonly TimeSpan s_short = TimeSpan.FromMilliseconds(60);

    // Goal: a partition at its limit is a cache of that size. Method: the same requests go to one and to a replay of so
    // many frames, while a neighbour takes frames, leaves shadows and is invalidated.
    [Test]
    public void APartitionAtItsLimitCountsWhatACacheOfThatSizeCounts([Values(1, 2)] int seed)
    {
        const uint Frames = 200;
        Random random = TestSeed.Random(seed);
        using PageCache<LinuxRules<Linux6>> cache = New(1000, o => o with { ActivationBatch = 1 });
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> replay = new(Frames, new LinuxRules<Linux6>());
        PartitionId limited = cache.AddPartition(Limit("limited", Frames), new LinuxRules<Linux6>());
        ObjectId other = cache.AddObject(source: null, pageCountMax: 1 << 20);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1 << 20, dense: false, limited);
        ObjectId twin = replay.AddObject(1 << 20, dense: false);
        for (int i = 0; i < 40_000; i++)
        {
            uint page = (uint)(Math.Pow(random.NextDouble(), 3) * 3000) * 7;
            PageReader reader = default;
            bool expected = replay.Access(twin, page, ref reader) == AccessOutcome.Hit;
            Assert.That(Ask(cache, owner, page), Is.EqualTo(expected), $"request {i}");
            if (i % 3 == 0) Ask(cache, other, (uint)random.Next(1 << 20));
            if (i % 5000 == 0) cache.InvalidateRange(other, 0, 1 << 19);
        }

        cache.Validate();
        PartitionStatistics statistics = cache.GetPartitionStatistics(limited);
        CacheStatistics counted = replay.Statistics;
        Assert.That(statistics.Misses, Is.EqualTo(counted.Misses));
        Assert.That(statistics.Refaults, Is.EqualTo(counted.Refaults).And.GreaterThan(1000));
        Assert.That(statistics.Activations, Is.EqualTo(counted.Activations));
        Assert.That(statistics.Deactivations, Is.EqualTo(counted.Deactivations).And.GreaterThan(0));
        Assert.That(statistics.Evictions, Is.EqualTo(counted.Evictions));
        Assert.That(statistics.LimitEvictions, Is.EqualTo(counted.Evictions));
        Assert.That(counted.ShadowsDropped, Is.GreaterThan(0), "the bound on shadows took part");
    }

    [Test]
    public void AScanTakesNoMoreThanItsEqualShareOfWhatIsNotGuaranteed()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(300);
        PartitionId index = cache.AddPartition(Guarantee("index", 100), new LinuxRules<Linux6>());
        ObjectId kept = cache.AddObject(source: null, pageCountMax: 1000, dense: true, index);
        ObjectId scanned = cache.AddObject(source: null, pageCountMax: 100_000);
        for (uint page = 0; page < 290; page++) Ask(cache, kept, page);
        for (uint page = 0; page < 5000; page++) Ask(cache, scanned, page);
        PartitionStatistics statistics = cache.GetPartitionStatistics(index);
        // Both have 100 beyond the guarantee, to a batch of the rule.
        Assert.That(statistics.ResidentPages, Is.InRange(200 - 64, 200));
        Assert.That(statistics.PressureEvictions, Is.EqualTo(290 - statistics.ResidentPages));
        Assert.That(statistics.LimitEvictions, Is.Zero);
        cache.Validate();
    }

    // Goal: the guarantee holds to the page, also where a rule frees many at a time and nobody else has anything to give.
    // Method: the others lease every page that they have, and go on until they are told that there is no more.
    [Test]
    public void ABatchEndsWhereTheGuaranteeBegins([Values(1, 32, 1024)] int batch)
    {
        using PageCache<LinuxRules<Linux315>> cache = New(
            new LinuxRules<Linux315>(batch, 14), 200, o => o with { Patience = s_short });
        PartitionId kept = cache.AddPartition(Guarantee("kept", 50), new LinuxRules<Linux315>(batch, 14));
        ObjectId mine = cache.AddObject(source: null, pageCountMax: 1000, dense: true, kept);
        ObjectId others = cache.AddObject(source: null, pageCountMax: 10_000);
        for (uint page = 0; page < 150; page++) Ask(cache, mine, page);
        List<PageLease> leases = [];
        string? told = null;
        for (uint page = 0; told is null; page++)
        {
            if (page == 150) told = Failure(() => cache.TryAdd(others, page, [1]));
            else cache.TryAdd(others, page, [1]);
            if (cache.TryGet(others, page, out PageLease lease)) leases.Add(lease);
            Assert.That(Resident(cache, kept), Is.AtLeast(50));
        }

        Assert.That(told, Does.Contain("all 200 frames are in use (150 leased").And.Contain("50 are guaranteed to other"));
        Assert.That(Resident(cache, kept), Is.EqualTo(50), "what is beyond the guarantee goes to the last page");
        Assert.That(cache.GetPartitionStatistics(kept).PressureEvictions, Is.EqualTo(100));
        foreach (PageLease lease in leases) lease.Dispose();
        cache.Validate();
    }

    [Test]
    public void WhatIsGuaranteedAndNotUsedIsLentAndComesBack()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(256);
        PartitionId index = cache.AddPartition(Guarantee("index", 128), new LinuxRules<Linux6>());
        ObjectId mine = cache.AddObject(source: null, pageCountMax: 1000, dense: true, index);
        ObjectId others = cache.AddObject(source: null, pageCountMax: 100_000);
        for (uint page = 0; page < 1000; page++) Ask(cache, others, page);
        Assert.That(Resident(cache, default), Is.GreaterThan(220), "nobody else wanted the frames");
        for (uint page = 0; page < 128; page++)
        {
            Ask(cache, mine, page);
            Assert.That(Resident(cache, index), Is.EqualTo(page + 1), "its own pages stay while it grows into its guarantee");
        }

        for (uint page = 1000; page < 3000; page++) Ask(cache, others, page);
        Assert.That(Resident(cache, index), Is.EqualTo(128));
        Assert.That(cache.GetPartitionStatistics(default).PressureEvictions, Is.GreaterThan(90));
        cache.Validate();
    }

    [Test]
    public void PartitionsThatAllWantMoreEndWithEqualSurpluses()
    {
        using PageCache<Fifo> cache = New(new Fifo(), 308);
        PartitionId guaranteed = cache.AddPartition(Guarantee("guaranteed", 100), new Fifo());
        PartitionId second = cache.AddPartition(new PartitionOptions { Name = "second" }, new Fifo());
        ObjectId[] objects =
        [
            cache.AddObject(source: null, 100_000),
            cache.AddObject(source: null, 100_000, dense: true, guaranteed),
            cache.AddObject(source: null, 100_000, dense: true, second),
        ];
        // The first fills the cache before anybody else comes, and misses ten times as often.
        for (uint page = 0; page < 1000; page++) Ask(cache, objects[0], page);
        for (uint round = 0; round < 400; round++)
        {
            for (uint i = 0; i < 10; i++) Ask(cache, objects[0], 1000 + (round * 10) + i);
            Ask(cache, objects[1], round);
            Ask(cache, objects[2], round);
        }

        Assert.That(Resident(cache, guaranteed) - 100, Is.EqualTo(Resident(cache, second)).Within(1));
        Assert.That(Resident(cache, default), Is.EqualTo(Resident(cache, second)).Within(1));
        cache.Validate();
    }

    [Test]
    public void CountsOfAllPartitionsSumUpAlsoOfThoseThatAreGone()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(128, o => o with { CountHits = true });
        ObjectId first = cache.AddObject(source: null, 1000);
        for (uint page = 0; page < 20; page++) Ask(cache, first, page % 5);
        long hitsBefore = cache.Statistics.Hits;
        PartitionId a = cache.AddPartition(Limit("a", 16), new LinuxRules<Linux6>());
        PartitionId b = cache.AddPartition(Guarantee("b", 30), new LinuxRules<Linux6>());
        ObjectId[] objects = [first, cache.AddObject(null, 1000, true, a), cache.AddObject(null, 1000, true, b)];
        Random random = TestSeed.Random(3);
        for (int i = 0; i < 20_000; i++) Ask(cache, objects[random.Next(3)], (uint)(Math.Pow(random.NextDouble(), 2) * 200));
        PartitionStatistics[] each = [.. cache.Partitions.Select(cache.GetPartitionStatistics)];
        PageCacheStatistics all = cache.Statistics;
        Assert.That(each.Select(p => p.Name), Is.EqualTo(new[] { "default", "a", "b" }));
        Assert.That(each[0].Hits, Is.GreaterThan(hitsBefore), "hits before there were partitions are the default one's");
        AssertSums(each, all, cache.ResidentCount);
        Assert.That(each, Has.All.Matches<PartitionStatistics>(p => p is { Hits: > 500, Misses: > 500, Evictions: > 100 }));
        Assert.That(each[1].LimitEvictions, Is.EqualTo(each[1].Evictions));
        Assert.That(each[1].ResidentBytes, Is.EqualTo(each[1].ResidentPages * PageBytes).And.AtMost(16 * PageBytes));

        cache.RemoveObject(objects[1]);
        cache.RemovePartition(a);
        PageCacheStatistics after = cache.Statistics;
        Assert.That((after.Hits, after.Misses, after.Refaults), Is.EqualTo((all.Hits, all.Misses, all.Refaults)));
        Assert.That((after.Evictions, after.Activations), Is.EqualTo((all.Evictions, all.Activations)));
        Assert.That(cache.Partitions, Has.Count.EqualTo(2));
        cache.Validate();
    }

    [Test]
    public void LoweringALimitReclaimsDownToItAndNoFurther()
    {
        List<EvictionReason> told = [];
        using PageCache<LinuxRules<Linux6>> cache = New(500, o => o with { Evicted = (_, _, reason) => told.Add(reason) });
        PartitionId temp = cache.AddPartition(new PartitionOptions { Name = "temp" }, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, 1000, dense: true, temp);
        for (uint page = 0; page < 400; page++) Ask(cache, owner, page);
        Assert.That(told, Is.Empty);
        cache.SetPartitionLimits(temp, minBytes: 0, maxBytes: 77 * PageBytes);
        Assert.That(Resident(cache, temp), Is.EqualTo(77));
        Assert.That(told, Has.Count.EqualTo(323).And.All.EqualTo(EvictionReason.PartitionLimit));
        Assert.That(cache.GetPartitionStatistics(temp).LimitEvictions, Is.EqualTo(323));
        for (uint page = 400; page < 600; page++)
        {
            Ask(cache, owner, page);
            Assert.That(Resident(cache, temp), Is.AtMost(77));
        }

        cache.SetPartitionLimits(temp, minBytes: 0, maxBytes: null);
        for (uint page = 0; page < 300; page++) Ask(cache, owner, page);
        Assert.That(Resident(cache, temp), Is.AtLeast(300), "the limit is gone");
        cache.Validate();
    }

    [Test]
    public void LoweringALimitSaysHowFarItComesWhenPagesAreLeased()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(200, o => o with { Patience = s_short });
        PartitionId temp = cache.AddPartition(new PartitionOptions { Name = "temp" }, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, 1000, dense: true, temp);
        List<PageLease> leases = [];
        for (uint page = 0; page < 60; page++)
        {
            cache.TryAdd(owner, page, [1]);
            if (page < 40 && cache.TryGet(owner, page, out PageLease lease)) leases.Add(lease);
        }

        TimeoutException? told = Assert.Throws<TimeoutException>(() => cache.SetPartitionLimits(temp, 0, 10 * PageBytes));
        Assert.That(told!.Message, Does.Contain("partition 'temp' has 30 pages more than its limit of 10"));
        InvalidOperationException? full = Assert.Throws<InvalidOperationException>(() => cache.TryAdd(owner, 500, [1]));
        Assert.That(full!.Message, Does.Contain("all 10 frames of partition 'temp' are in use (40 leased"));
        ObjectId other = cache.AddObject(source: null, 1000);
        Assert.That(cache.TryAdd(other, 1, [1]), Is.True, "other partitions go on");
        foreach (PageLease lease in leases) lease.Dispose();
        Assert.That(cache.TryAdd(owner, 500, [1]), Is.True);
        Assert.That(Resident(cache, temp), Is.AtMost(10), "the first miss afterwards brings it down");
        cache.Validate();
    }

    [Test]
    public void AnotherPartitionGivesWhenTheLargestIsAllLeased()
    {
        using PageCache<Fifo> cache = New(new Fifo(), 100, o => o with { Patience = s_short });
        PartitionId pinned = cache.AddPartition(new PartitionOptions { Name = "pinned" }, new Fifo());
        ObjectId leased = cache.AddObject(source: null, 1000, dense: true, pinned);
        ObjectId owner = cache.AddObject(source: null, 1000);
        List<PageLease> leases = [];
        for (uint page = 0; page < 70; page++)
        {
            cache.TryAdd(leased, page, [1]);
            if (cache.TryGet(leased, page, out PageLease lease)) leases.Add(lease);
        }

        for (uint page = 0; page < 500; page++) Assert.That(cache.TryAdd(owner, page, [1]), Is.True);
        Assert.That((Resident(cache, pinned), Resident(cache, default)), Is.EqualTo((70, 30)));
        foreach (PageLease lease in leases) lease.Dispose();
        for (uint page = 500; page < 600; page++) cache.TryAdd(owner, page, [1]);
        Assert.That(Resident(cache, pinned), Is.InRange(49, 51), "let go, they are as good as any");
        cache.Validate();
    }

    // Goal: reclaim that gathers frames for one wait for readers gathers those of the partition at its limit only.
    [Test]
    public void AnOwnLimitIsNobodyElsesBusinessAlsoWhileReadersAreOpen([Values(20u, 200u)] uint limit)
    {
        using PageCache<Fifo> cache = New(new Fifo(), 500);
        PartitionId limited = cache.AddPartition(Limit("limited", limit), new Fifo());
        ObjectId mine = cache.AddObject(source: null, pageCountMax: 10_000, dense: true, limited);
        ObjectId others = cache.AddObject(source: null, pageCountMax: 10_000);
        using CacheReader<Fifo, NoProbe> reader = cache.OpenReader();
        for (uint page = 0; page < 250; page++) Ask(cache, others, page);
        for (uint page = 0; page < 2000; page++)
        {
            Ask(cache, mine, page);
            Assert.That(Resident(cache, limited), Is.AtMost(limit));
            if (page > 2 * limit) Assert.That(Resident(cache, limited), Is.AtLeast((long)limit - 33));
        }

        Assert.That(Resident(cache, default), Is.EqualTo(250));
        cache.Validate();
    }

    [Test]
    public void APartitionIsRemovedWhenItIsEmptyAndItsPlaceIsUsedAgain()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(64, o => o with { Patience = s_short });
        PartitionId temp = cache.AddPartition(Limit("temp", 16), new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, 1000, dense: true, temp);
        for (uint page = 0; page < 100; page++) Ask(cache, owner, page);
        Assert.That(cache.TryGet(owner, 99, out PageLease lease), Is.True);
        Assert.That(Failure(() => cache.RemovePartition(temp)), Does.Contain("partition 'temp' has 1 objects"));
        cache.RemoveObject(owner);
        Assert.That(Failure(() => cache.RemovePartition(temp)), Does.Contain("(1 leased, 0 being loaded)"));
        lease.Dispose();
        cache.RemovePartition(temp);
        cache.Validate();
        Assert.Throws<ArgumentException>(() => cache.GetPartitionStatistics(temp));
        Assert.Throws<ArgumentException>(() => cache.AddObject(source: null, 10, dense: true, temp));
        Assert.That(
            Assert.Throws<ArgumentException>(() => cache.RemovePartition(default))!.Message, Does.Contain("'default' stays"));

        // Many come and go: neither rows nor numbers run out, and the old name names nothing.
        for (int i = 0; i < 2000; i++)
        {
            PartitionId next = cache.AddPartition(Limit("temp", 16), new LinuxRules<Linux6>());
            Assert.That(next, Is.Not.EqualTo(temp));
            cache.RemovePartition(next);
        }

        PartitionId[] many = [.. Enumerable.Range(1, 63).Select(i => cache.AddPartition(Limit($"p{i}", 8), new()))];
        Assert.That(Failure(() => cache.AddPartition(Limit("one more", 8), new())), Does.Contain("there are 64 partitions"));
        foreach (PartitionId each in many) Ask(cache, cache.AddObject(source: null, 64, dense: true, each), 3);
        cache.Validate();
    }

    [Test]
    public void WhatMakesNoSenseIsRefusedInOneLine()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(108);
        cache.AddPartition(Guarantee("taken", 60), new LinuxRules<Linux6>());
        (PartitionOptions Options, string Message)[] wrong =
        [
            (Limit(" ", 20), "partition ' ': Name is ' '; possible is a name that is not blank"),
            (Limit("taken", 20), "partition 'taken': Name is 'taken'; possible is a name that no other partition has"),
            (Limit("x", 7), "partition 'x': MaxBytes is 28672; possible is null or at least 32768 (8 pages)"),
            (new() { Name = "x", MinBytes = -1 }, "partition 'x': MinBytes is -1; possible is 0 or more"),
            (Limit("x", 20) with { MinBytes = 21 * PageBytes }, "MinBytes is 86016; possible is at most MaxBytes (81920: 20 pages"),
            (Guarantee("x", 41), "MinBytes is 167936; possible is at most 163840: the cache has 108 pages of 4096 bytes, of "
                + "which other partitions are guaranteed 60 and 8 must stay free of guarantees"),
        ];
        foreach ((PartitionOptions options, string message) in wrong)
        {
            ArgumentException? told = Assert.Throws<ArgumentException>(() => cache.AddPartition(options, new()));
            Assert.That(told!.Message, Does.Contain(message).And.Not.Contain("\n"));
        }

        PartitionId rest = cache.AddPartition(Guarantee("rest", 40), new LinuxRules<Linux6>());
        Assert.Throws<ArgumentException>(() => cache.SetPartitionLimits(rest, 41 * PageBytes, null));
        Assert.Throws<ArgumentException>(() => cache.SetPartitionLimits(rest, 30 * PageBytes, 20 * PageBytes));
        Assert.That(cache.GetPartitionStatistics(rest).MinBytes, Is.EqualTo(40 * PageBytes), "nothing has changed");
        cache.SetPartitionLimits(rest, 20 * PageBytes, 30 * PageBytes);
        cache.SetPartitionLimits(default, 20 * PageBytes, null);
        cache.Validate();
    }

    [Test]
    public void ACacheDoesNotShrinkBelowItsGuarantees()
    {
        using PageCache<LinuxRules<Linux6>> cache = new(
            new PageCacheOptions { CapacityBytes = 8 << 20, BackgroundReclaim = false }, new LinuxRules<Linux6>());
        PartitionId index = cache.AddPartition(
            new PartitionOptions { Name = "index", MinBytes = 4 << 20 }, new LinuxRules<Linux6>());
        ObjectId mine = cache.AddObject(source: null, 10_000, dense: true, index);
        ObjectId others = cache.AddObject(source: null, 10_000);
        for (uint page = 0; page < 1500; page++)
        {
            Ask(cache, mine, page);
            Ask(cache, others, page);
        }

        Assert.That(
            Assert.Throws<ArgumentOutOfRangeException>(() => cache.Resize(4 << 20))!.Message,
            Does.Contain("but partitions are guaranteed 1024 and 8 must stay free"));
        cache.Resize(5 << 20);
        Assert.That(Resident(cache, index), Is.AtLeast(1024));
        Assert.That(cache.UsedBytes, Is.AtMost(5 << 20));
        cache.Validate();
        cache.SetPartitionLimits(index, 0, null);
        cache.Resize(2 << 20);
        cache.Resize(8 << 20);
        cache.Validate();
    }

    [Test]
    public async Task APartitionFullOfChangedPagesWritesItsOwn()
    {
        StoredPages mine = new();
        StoredPages others = new();
        using PageCache<LinuxRules<Linux6>> cache = New(
            200, o => o with { WriteBack = new WriteBackOptions { FlushInterval = TimeSpan.Zero, DirtyLimit = 0.9 } });
        PartitionId temp = cache.AddPartition(Limit("temp", 20), new LinuxRules<Linux6>());
        ObjectId written = cache.AddObject(mine, temp);
        ObjectId other = cache.AddObject(others);
        for (uint page = 0; page < 30; page++) Change(cache, other, page * 10);
        for (uint page = 0; page < 300; page++)
        {
            Change(cache, written, page * 3);
            Assert.That(Resident(cache, temp), Is.AtMost(20));
        }

        PartitionStatistics statistics = cache.GetPartitionStatistics(temp);
        Assert.That(statistics.DirtyPages, Is.InRange(1, 18));
        Assert.That(cache.DirtyCount, Is.EqualTo(statistics.DirtyPages + 30), "the neighbour's pages had no need to go");
        Assert.That(others.Requests, Is.Empty);
        cache.Validate();
        await cache.FlushAsync();
        for (uint page = 0; page < 300; page++) Assert.That(mine.FirstWord(page * 3), Is.EqualTo(page * 3UL + 1));
        Assert.That(cache.GetPartitionStatistics(temp).DirtyPages, Is.Zero);
        cache.Validate();
    }

    [Test]
    public async Task LoadsAndReadaheadStayWithinTheLimit()
    {
        ScriptedSource source = new() { PageCount = 10_000 };
        using PageCache<LinuxRules<Linux6>> cache = New(400, o => o with { ReadaheadPagesMax = 32 });
        PartitionId temp = cache.AddPartition(Limit("temp", 24), new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source, temp);
        for (ulong page = 0; page < 300; page++)
        {
            using (PageLease lease = await cache.GetAsync(owner, page)) AsyncTests.AssertPage(lease, page);
            Assert.That(Resident(cache, temp), Is.AtMost(24));
        }

        // Again and again: the window before may still have all frames of the partition, and then all is dropped.
        await AsyncTests.Until(() =>
        {
            if (cache.Contains(owner, 5000)) return true;
            cache.Prefetch(owner, 5000, 200);
            return false;
        });
        Assert.That(Resident(cache, temp), Is.AtMost(24));
        Assert.That(cache.Statistics.ReadaheadDropped, Is.GreaterThan(150));
        cache.Validate();
    }

    [Test]
    public async Task TheReclaimerKeepsFramesFreeBelowALimit()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(4000, o => o with { BackgroundReclaim = true });
        PartitionId temp = cache.AddPartition(Limit("temp", 1000), new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, 10_000, dense: true, temp);
        for (uint page = 0; page < 1000; page++) Ask(cache, owner, page);
        // It frees up to the high mark (62) when the low one (31) is passed; misses that come after it may leave anything
        // between the two.
        await AsyncTests.Until(() => Resident(cache, temp) <= 1000 - 30);
        PartitionStatistics statistics = cache.GetPartitionStatistics(temp);
        Assert.That(statistics.LimitEvictions, Is.EqualTo(statistics.Evictions).And.GreaterThan(0));
        Assert.That(statistics.ResidentPages, Is.AtLeast(800), "a batch, not everything");
    }

    private static void AssertSums(PartitionStatistics[] each, PageCacheStatistics all, uint resident)
    {
        Assert.That(each.Sum(p => p.Hits), Is.EqualTo(all.Hits));
        Assert.That(each.Sum(p => p.Misses), Is.EqualTo(all.Misses));
        Assert.That(each.Sum(p => p.Refaults), Is.EqualTo(all.Refaults));
        Assert.That(each.Sum(p => p.Activations), Is.EqualTo(all.Activations));
        Assert.That(each.Sum(p => p.Deactivations), Is.EqualTo(all.Deactivations));
        Assert.That(each.Sum(p => p.Evictions), Is.EqualTo(all.Evictions));
        Assert.That(each.Sum(p => p.ResidentPages), Is.EqualTo(resident));
        Assert.That(each.Sum(p => p.HeldFrames), Is.EqualTo(all.HeldFrames));
    }

    private static PartitionOptions Limit(string name, uint frames) => new() { Name = name, MaxBytes = frames * PageBytes };

    private static PartitionOptions Guarantee(string name, uint frames) => new() { Name = name, MinBytes = frames * PageBytes };

    private static PageCache<LinuxRules<Linux6>> New(uint frames, Func<PageCacheOptions, PageCacheOptions>? change = null) =>
        New(new LinuxRules<Linux6>(), frames, change);

    private static PageCache<TRules> New<TRules>(
        TRules rules, uint frames, Func<PageCacheOptions, PageCacheOptions>? change = null) where TRules : struct, IFlagRules
    {
        PageCacheOptions options = PageCacheOptions.ForFrames(frames) with { BackgroundReclaim = false };
        return new PageCache<TRules>(change?.Invoke(options) ?? options, rules);
    }

    /// <summary>Looks a page up and puts it in if it is not there.</summary>
    private static bool Ask<TRules>(PageCache<TRules> cache, ObjectId owner, uint page) where TRules : struct, IFlagRules
    {
        if (cache.Touch(owner, page)) return true;
        cache.TryAdd(owner, page, [1]);
        return false;
    }

    private static void Change(PageCache<LinuxRules<Linux6>> cache, ObjectId owner, ulong page)
    {
        using WriteLease lease = cache.GetForWrite(owner, page);
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(lease.Span).Fill(page + 1);
    }

    private static long Resident<TRules>(PageCache<TRules> cache, PartitionId partition) where TRules : struct, IFlagRules =>
        cache.GetPartitionStatistics(partition).ResidentPages;

    private static string Failure(Action call) => Assert.Throws<InvalidOperationException>(call)!.Message;
}
