// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: a batch does what its look-ups would do one by one, and loads neighbours by few requests.</summary>
[TestFixture]
public sealed class BatchTests
{
    [Test]
    public void ABatchFindsWhatSingleLookUpsFind([Values] bool dense)
    {
        Random random = TestSeed.Random(3);
        using PageCache<LinuxRules<Linux6>> cache = AsyncTests.New(frames: 300);
        ulong spread = dense ? 1UL : 1_000_003;
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1000 * spread, dense);
        for (ulong page = 0; page < 500; page += 2) cache.TryAdd(owner, page * spread, PageCacheTests.Bytes(page * spread));
        for (int round = 0; round < 300; round++)
        {
            ulong[] pages = new ulong[random.Next(100)];
            foreach (ref ulong page in pages.AsSpan()) page = (ulong)random.Next(600) * spread;
            if (pages.Length > 2) pages[^1] = pages[0];
            bool[] single = [.. pages.Select(page => cache.Contains(owner, page))];

            PageLease[] leases = new PageLease[pages.Length];
            int found = cache.TryGetMany(owner, pages, leases, firstByte: round % 2 == 0 ? 0 : -1);
            Assert.That(found, Is.EqualTo(single.Count(hit => hit)));
            for (int i = 0; i < pages.Length; i++)
            {
                Assert.That(!leases[i].IsEmpty, Is.EqualTo(single[i]), $"page {pages[i]}");
                if (single[i]) AsyncTests.AssertPage(leases[i], pages[i]);
                leases[i].Dispose();
            }

            bool[] touched = new bool[pages.Length];
            Assert.That(cache.TouchMany(owner, pages, touched), Is.EqualTo(found));
            Assert.That(touched, Is.EqualTo(single));
        }

        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public void TheRuleHearsOfABatchWhatItHearsOfSingleHits()
    {
        Random random = TestSeed.Random(4);
        using PageCache<LinuxRules<Linux6>> batches = AsyncTests.New(frames: 200, o => o with { ActivationBatch = 1 });
        using PageCache<LinuxRules<Linux6>> singles = AsyncTests.New(frames: 200, o => o with { ActivationBatch = 1 });
        ObjectId owner = batches.AddObject(source: null, pageCountMax: 1000);
        singles.AddObject(source: null, pageCountMax: 1000);
        bool[] found = new bool[32];
        bool[] expected = new bool[32];
        for (int round = 0; round < 2000; round++)
        {
            ulong[] pages = new ulong[32];
            foreach (ref ulong page in pages.AsSpan()) page = (ulong)(Math.Pow(random.NextDouble(), 3) * 1000);
            batches.TouchMany(owner, pages, found);
            for (int i = 0; i < pages.Length; i++) expected[i] = singles.Touch(owner, pages[i]);
            Assert.That(found, Is.EqualTo(expected), $"round {round}");
            for (int i = 0; i < pages.Length; i++)
            {
                if (found[i]) continue;
                batches.TryAdd(owner, pages[i], [1]);
                singles.TryAdd(owner, pages[i], [1]);
            }
        }

        Assert.That(batches.Statistics.Activations, Is.EqualTo(singles.Statistics.Activations).And.GreaterThan(100));
        Assert.That(batches.Statistics.Misses, Is.EqualTo(singles.Statistics.Misses));
        batches.Validate();
    }

    [Test]
    public void ABatchAllocatesNothing()
    {
        using PageCache<LinuxRules<Linux6>> cache = AsyncTests.New(frames: 64);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        for (ulong page = 0; page < 50; page++) cache.TryAdd(owner, page, [1]);
        ulong[] pages = [.. Enumerable.Range(0, 40).Select(page => (ulong)page)];
        PageLease[] leases = new PageLease[40];
        bool[] found = new bool[40];
        Run(100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(100);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
#if DEBUG
        Assert.That(allocated, Is.LessThan(1_000_000), "debug builds give each lease a ticket");
#else
        Assert.That(allocated, Is.Zero);
#endif
        void Run(int count)
        {
            for (int i = 0; i < count; i++)
            {
                cache.TryGetMany(owner, pages, leases);
                foreach (PageLease lease in leases) lease.Dispose();
                cache.TouchMany(owner, pages, found);
            }
        }
    }

    [Test]
    public void WrongArgumentsAreRefusedAndNoLeaseIsOut()
    {
        PageCache<LinuxRules<Linux6>> cache = AsyncTests.New(frames: 16);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 64);
        cache.TryAdd(owner, 1, [1]);
        PageLease[] leases = new PageLease[2];
        Assert.Throws<ArgumentException>(() => cache.TryGetMany(owner, [1], leases));
        Assert.Throws<ArgumentException>(() => cache.TouchMany(owner, [1], new bool[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.TryGetMany(owner, [1, 64], leases));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.TryGetMany(owner, [1, 2], leases, firstByte: 4096));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.TouchMany(new ObjectId(7), [1, 2], new bool[2]));
        Assert.That(leases, Is.All.EqualTo(default(PageLease)));
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task NeighboursAreLoadedByOneRequestAndAllRequestsAtOnce([Values] bool isAsync)
    {
        ScriptedSource source = new() { IsAsync = isAsync };
        PageCache<LinuxRules<Linux6>> cache = AsyncTests.New(frames: 256);
        ObjectId owner = cache.AddObject(source);
        using (await cache.GetAsync(owner, 103))
        {
        }

        // 40 neighbours, one of which is resident; a page alone; two more; one named twice.
        ulong[] pages =
            [.. Enumerable.Range(100, 40).Reverse().Select(page => (ulong)page), 500, 900, 901, 900, 103];
        PageLease[] leases = new PageLease[pages.Length];
        source.Close();
        ValueTask task = cache.GetManyAsync(owner, pages, leases);
        await AsyncTests.Until(() => source.Requests.Length == 6);
        Assert.That(task.IsCompleted, Is.False);
        source.Open();
        await task;
        Assert.That(source.Requests[1..].Order(), Is.EqualTo(new[]
        {
            (100UL, 3), (104UL, 32), (136UL, 4), (500UL, 1), (900UL, 2),
        }));
        for (int i = 0; i < pages.Length; i++) AsyncTests.AssertPage(leases[i], pages[i]);
        foreach (PageLease lease in leases) lease.Dispose();
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task ABatchFailsAsAWhole()
    {
        ScriptedSource source = new();
        PageCache<LinuxRules<Linux6>> cache = AsyncTests.New(frames: 256);
        ObjectId owner = cache.AddObject(source);
        using (await cache.GetAsync(owner, 20))
        {
        }

        source.BadPages.Add(15);
        source.Close();
        ulong[] pages = [.. Enumerable.Range(10, 12).Select(page => (ulong)page)];
        PageLease[] leases = new PageLease[pages.Length];
        ValueTask task = cache.GetManyAsync(owner, pages, leases);
        // Somebody else wants a page of the same request that is not damaged.
        Task<PageLease> other = cache.GetAsync(owner, 13).AsTask();
        source.Open();
        PageLoadException? told = Assert.ThrowsAsync<PageLoadException>(async () => await task);
        Assert.That(told!.Message, Does.Contain("page 15 of object 0").And.Contain("page 15 is damaged"));
        using (PageLease lease = await other) AsyncTests.AssertPage(lease, 13);
        Assert.That(leases, Is.All.EqualTo(default(PageLease)));
        Assert.That(cache.Contains(owner, 15), Is.False);
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task ACancelledBatchLeavesNoPin()
    {
        Random random = TestSeed.Random(8);
        ScriptedSource source = new();
        PageCache<LinuxRules<Linux6>> cache = AsyncTests.New(frames: 128);
        ObjectId owner = cache.AddObject(source);
        int cancelled = 0;
        for (int round = 0; round < 1000; round++)
        {
            ulong[] pages = [.. Enumerable.Range(0, 20).Select(_ => (ulong)random.Next(900))];
            PageLease[] leases = new PageLease[pages.Length];
            source.Close();
            using CancellationTokenSource token = new();
            Task task = cache.GetManyAsync(owner, pages, leases, token.Token).AsTask();
            int lead = random.Next(60);
            Task open = Task.Run(source.Open);
            Thread.SpinWait(lead);
            token.Cancel();
            try
            {
                await task;
                for (int i = 0; i < pages.Length; i++) AsyncTests.AssertPage(leases[i], pages[i]);
                foreach (PageLease lease in leases) lease.Dispose();
            }
            catch (OperationCanceledException)
            {
                cancelled++;
                Assert.That(leases, Is.All.EqualTo(default(PageLease)));
            }

            await open;
        }

        Assert.That(cancelled, Is.GreaterThan(0));
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }

    [Test]
    public void ABatchThatIsLargerThanTheCacheIsTold()
    {
        PageCache<LinuxRules<Linux6>> cache = AsyncTests.New(frames: 16);
        ObjectId owner = cache.AddObject(new ScriptedSource());
        ulong[] pages = [.. Enumerable.Range(0, 40).Select(page => (ulong)page)];
        PageLease[] leases = new PageLease[pages.Length];
        InvalidOperationException? told =
            Assert.ThrowsAsync<InvalidOperationException>(async () => await cache.GetManyAsync(owner, pages, leases));
        Assert.That(told!.Message, Does.Contain("frames are in use"));
        Assert.ThrowsAsync<ArgumentOutOfRangeException>(
            async () => await cache.GetManyAsync(owner, new ulong[] { 5, 100_000 }, new PageLease[2]));
        cache.Validate();
        AsyncTests.AssertNothingIsHeld(cache);
    }
}
