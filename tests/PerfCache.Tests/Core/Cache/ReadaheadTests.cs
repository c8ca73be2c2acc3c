// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: pages come in ahead of sequential readers, in growing windows, and never at anybody's cost.</summary>
[TestFixture]
public sealed class ReadaheadTests
{
    [Test]
    public async Task ASequentialReaderGetsWindowsThatDouble()
    {
        ScriptedSource source = new();
        PageCache<LinuxRules<Linux6>> cache = New(frames: 512, pagesMax: 32);
        ObjectId owner = cache.AddObject(source);
        for (ulong page = 0; page < 200; page++)
        {
            using (PageLease lease = cache.Get(owner, page)) AsyncTests.AssertPage(lease, page);
            // The window behind a marker is read by another thread; here the reader waits for it.
            if (page is 2 or 6 or 14) await AsyncTests.Until(() => cache.Contains(owner, (2 * page) + 2));
            if (page >= 30 && page < 190 && page % 32 == 30) await AsyncTests.Until(() => cache.Contains(owner, page + 32));
        }

        (ulong, int)[] windows = source.Requests;
        Assert.That(windows[..6], Is.EqualTo(new[] { (0UL, 1), (2UL, 4), (1UL, 1), (6UL, 8), (14UL, 16), (30UL, 32) }));
        Assert.That(windows[6..], Has.All.Matches<(ulong, int Count)>(window => window.Count == 32));
        PageCacheStatistics statistics = cache.Statistics;
        Assert.That(statistics.Misses, Is.EqualTo(2));
        Assert.That(statistics.ReadaheadHits, Is.EqualTo(198));
        Assert.That(statistics.ReadaheadPages, Is.GreaterThanOrEqualTo(198));
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task RandomReadsAreLeftAlone()
    {
        Random random = TestSeed.Random(2);
        ScriptedSource source = new() { PageCount = 100_000 };
        PageCache<LinuxRules<Linux6>> cache = New(frames: 64, pagesMax: 32);
        ObjectId owner = cache.AddObject(source);
        for (int i = 0; i < 2000; i++)
            using (await cache.GetAsync(owner, (ulong)random.Next(50_000) * 2)) { }
        Assert.That(source.Requests, Has.All.Matches<(ulong, int Count)>(request => request.Count == 1));
        Assert.That(cache.Statistics.ReadaheadPages, Is.Zero);
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task ReadersOfOneObjectDoNotDisturbEachOther()
    {
        ScriptedSource source = new() { PageCount = 10_000 };
        PageCache<LinuxRules<Linux6>> cache = New(frames: 1024, pagesMax: 16);
        ObjectId owner = cache.AddObject(source);
        for (ulong page = 0; page < 100; page++)
        {
            foreach (ulong start in (ulong[])[0, 3000, 7000])
                using (PageLease lease = await cache.GetAsync(owner, start + page)) AsyncTests.AssertPage(lease, start + page);
        }

        // Each reader misses its first two pages itself; of the rest, nearly all are asked for before.
        Assert.That(cache.Statistics.ReadaheadHits, Is.GreaterThan(250));
        Assert.That(source.Requests, Has.Length.LessThan(150));
        await Quiet(cache, source);
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task AReaderThatCatchesUpJoinsTheWindow()
    {
        ScriptedSource source = new();
        PageCache<LinuxRules<Linux6>> cache = New(frames: 256, pagesMax: 32);
        ObjectId owner = cache.AddObject(source);
        using (await cache.GetAsync(owner, 10)) { }
        source.Close();
        Task<PageLease> second = cache.GetAsync(owner, 11).AsTask();
        Assert.That(source.Requests, Is.EqualTo(new[] { (10UL, 1), (12UL, 4), (11UL, 1) }));
        Task<PageLease> marker = cache.GetAsync(owner, 12).AsTask();
        await AsyncTests.Until(() => source.Requests.Length == 4);
        Assert.That(source.Requests[3], Is.EqualTo((16UL, 8)), "the marker was asked for while it was being read");
        source.Open();
        using (PageLease lease = await second) AsyncTests.AssertPage(lease, 11);
        using (PageLease lease = await marker) AsyncTests.AssertPage(lease, 12);
        await AsyncTests.Until(() => cache.Contains(owner, 23));
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task ARuleWithoutMarksGetsItsWindowsByMisses()
    {
        ScriptedSource source = new();
        using PageCache<Fifo> cache = new(
            PageCacheOptions.ForFrames(512) with { BackgroundReclaim = false, ReadaheadPagesMax = 16 }, new Fifo());
        ObjectId owner = cache.AddObject(source);
        for (ulong page = 0; page < 31; page++)
            using (PageLease lease = await cache.GetAsync(owner, page)) AsyncTests.AssertPage(lease, page);
        Assert.That(source.Requests.Where(request => request.Count > 1), Is.EqualTo(new[] { (2UL, 4), (7UL, 8), (16UL, 16) }));
        cache.Validate();
    }

    [Test]
    public async Task PrefetchLoadsWhatIsMissingWithoutUsingIt()
    {
        ScriptedSource source = new() { PageCount = 300 };
        PageCache<LinuxRules<Linux6>> cache = New(frames: 512, pagesMax: 0);
        ObjectId owner = cache.AddObject(source);
        using (cache.Get(owner, 20)) { }
        cache.Prefetch(owner, 10, 50);
        await AsyncTests.Until(() => cache.ResidentCount == 50);
        Assert.That(source.Requests, Is.EqualTo(new[] { (20UL, 1), (10UL, 10), (21UL, 32), (53UL, 7) }));
        cache.Prefetch(owner, 10, 50);
        cache.Prefetch(owner, 290, 1000);
        cache.Prefetch(owner, 300, 5);
        cache.Prefetch(owner, 5, 0);
        await AsyncTests.Until(() => cache.ResidentCount == 60);
        Assert.That(source.Requests, Has.Length.EqualTo(5));
        Assert.That(cache.Statistics.ReadaheadPages, Is.EqualTo(59));
        Assert.That(cache.Statistics.Misses, Is.EqualTo(1), "prefetched pages were not missed");

        // Two reads make a page active: the first of a prefetched page is its first.
        cache.Touch(owner, 30);
        cache.TryAdd(owner, 1, [1]);
        Assert.That(cache.Statistics.Activations, Is.Zero);
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public void PrefetchOfNothingIsRefused()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16, pagesMax: 0);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 64);
        Assert.Throws<InvalidOperationException>(() => cache.Prefetch(owner, 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Prefetch(new ObjectId(5), 0, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Prefetch(owner, 0, -1));
    }

    [Test]
    public async Task WhereFramesAreShortReadaheadIsDropped()
    {
        ScriptedSource source = new();
        PageCache<LinuxRules<Linux6>> cache = New(frames: 32, pagesMax: 0);
        ObjectId owner = cache.AddObject(source);
        source.Close();
        cache.Prefetch(owner, 0, 100);
        Assert.That(cache.Statistics.ReadaheadPages, Is.EqualTo(8), "a quarter of the cache");
        Assert.That(cache.Statistics.ReadaheadDropped, Is.EqualTo(92));
        source.Open();
        await AsyncTests.Until(() => cache.ResidentCount == 8);

        List<PageLease> leases = [];
        for (ulong page = 200; page < 232; page++) leases.Add(cache.Get(owner, page));
        cache.Prefetch(owner, 300, 5);
        Assert.That(cache.Statistics.ReadaheadDropped, Is.EqualTo(97), "all frames are leased: nothing waits for one");
        foreach (PageLease lease in leases) lease.Dispose();
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task FailuresAreCountedAndKeptFromThoseWhoDidNotAsk()
    {
        ScriptedSource source = new();
        source.BadPages.Add(5);
        PageCache<LinuxRules<Linux6>> cache = New(frames: 256, pagesMax: 32);
        ObjectId owner = cache.AddObject(source);
        cache.Prefetch(owner, 0, 8);
        await AsyncTests.Until(() => cache.Statistics.LoadFailures == 8);
        Assert.That(cache.ResidentCount, Is.Zero);
        for (ulong page = 0; page < 10; page++)
        {
            if (page == 5) Assert.Throws<PageLoadException>(() => cache.Get(owner, 5));
            else using (PageLease lease = await cache.GetAsync(owner, page)) AsyncTests.AssertPage(lease, page);
        }

        await Quiet(cache, source);
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task PagesThatLeaveUnreadAreWasted()
    {
        ScriptedSource source = new();
        PageCache<LinuxRules<Linux6>> cache = New(frames: 64, pagesMax: 4);
        ObjectId owner = cache.AddObject(source);
        cache.Prefetch(owner, 0, 16);
        await AsyncTests.Until(() => cache.ResidentCount == 16);
        cache.Touch(owner, 3);
        for (ulong page = 100; page < 400; page += 2)
            using (cache.Get(owner, page)) { }
        Assert.That(cache.Statistics.ReadaheadHits, Is.EqualTo(1));
        Assert.That(cache.Statistics.ReadaheadWasted, Is.EqualTo(15));
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task ManySequentialReadersUnderEvictionAndInvalidation()
    {
        ScriptedSource source = new() { PageCount = 4000 };
        PageCache<LinuxRules<Linux6>> cache = New(frames: 256, pagesMax: 32);
        ObjectId owner = cache.AddObject(source);
        await Task.WhenAll(Enumerable.Range(0, 6).Select(reader => Task.Run(async () =>
        {
            for (ulong i = 0; i < 3000; i++)
            {
                ulong page = ((ulong)reader * 600) + i;
                if (page >= 4000) break;
                if (i % 97 == 0) cache.InvalidateRange(owner, page, 40);
                using PageLease lease = reader % 2 == 0 ? cache.Get(owner, page) : await cache.GetAsync(owner, page);
                AsyncTests.AssertPage(lease, page);
            }
        })));
        await Quiet(cache, source);
        cache.Validate();
        Assert.That(cache.Statistics.ReadaheadHits, Is.GreaterThan(0));
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public void MarksKeepWhatIsPutIn()
    {
        Assert.That(default(ReadaheadMark).IsUnread, Is.False);
        Assert.That(ReadaheadMark.Unread.IsUnread);
        Assert.That(ReadaheadMark.Unread.Distance, Is.Zero);
        foreach (int distance in (int[])[1, 4, 511, ReadaheadMark.DistanceMax])
        {
            Assert.That(ReadaheadMark.Marker(distance).IsUnread);
            Assert.That(ReadaheadMark.Marker(distance).Distance, Is.EqualTo(distance));
        }
    }

    [Test]
    public void AnExpectationIsTakenOnce()
    {
        MemoryMeter meter = new();
        using (ReadaheadStreams streams = new(16, meter))
        {
            PageKey key = new(new ObjectId(3), 77);
            Assert.That(streams.TryTake(key, out _), Is.False);
            streams.Expect(key, 8);
            Assert.That(streams.TryTake(key, out int size), Is.True);
            Assert.That(size, Is.EqualTo(8));
            Assert.That(streams.TryTake(key, out _), Is.False);
            Assert.That(streams.TryTake(default, out _), Is.False, "page 0 of the first object follows no page");
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    [TestCase(-1)]
    [TestCase(513)]
    public void AWindowThatIsNotPossibleIsRefused(int pagesMax)
    {
        ArgumentException? told = Assert.Throws<ArgumentException>(() => New(frames: 16, pagesMax));
        Assert.That(told!.Message, Does.Contain($"ReadaheadPagesMax is {pagesMax}; possible is 0 to 512"));
    }

    private static PageCache<LinuxRules<Linux6>> New(uint frames, int pagesMax) =>
        AsyncTests.New(frames, o => o with { ReadaheadPagesMax = pagesMax });

    /// <summary>Waits until readahead has nothing more to do.</summary>
    private static async Task Quiet(PageCache<LinuxRules<Linux6>> cache, ScriptedSource source)
    {
        (int, long) before;
        do
        {
            before = (source.Requests.Length, cache.Statistics.Insertions);
            await Task.Delay(50);
        }
        while (before != (source.Requests.Length, cache.Statistics.Insertions));
    }
}
