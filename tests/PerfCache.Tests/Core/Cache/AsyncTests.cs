// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>
/// Goal: misses that no thread waits for load each page once, tell every waiter, and leave no pin behind. Method: a source
/// that the test holds back, and at the end of each test a cache that can be disposed at once, which a lost pin or a lost
/// load would prevent.
/// </summary>
[TestFixture]
public sealed class AsyncTests
{
    [Test]
    public async Task AHitCompletesAtOnceAndAllocatesNothing()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(new ScriptedSource());
        using (PageLease lease = await cache.GetAsync(owner, 5)) AssertPage(lease, 5);
        Hit(1000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Hit(1000);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
#if DEBUG
        Assert.That(allocated, Is.LessThan(200_000), "debug builds give each lease a ticket");
#else
        Assert.That(allocated, Is.Zero);
#endif
        void Hit(int count)
        {
            for (int i = 0; i < count; i++)
            {
                ValueTask<PageLease> task = cache.GetAsync(owner, 5);
                if (!task.IsCompletedSuccessfully) throw new InvalidOperationException("a hit waits");
                task.GetAwaiter().GetResult().Dispose();
            }
        }
    }

    [Test]
    public async Task ManyWhoMissOnePageLoadItOnce([Values] bool isAsync)
    {
        ScriptedSource source = new() { IsAsync = isAsync };
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source);
        source.Close();
        Task<PageLease>[] waiting = [.. Enumerable.Range(0, 10).Select(_ => cache.GetAsync(owner, 9).AsTask())];
        Task<PageLease> blocked = Task.Run(() => cache.Get(owner, 9));
        await Until(() => cache.Statistics.Misses == 11);
        Assert.That(waiting.All(task => !task.IsCompleted));
        source.Open();
        foreach (PageLease lease in await Task.WhenAll([.. waiting, blocked]))
            using (lease) AssertPage(lease, 9);
        Assert.That(source.Requests, Is.EqualTo(new[] { (9UL, 1) }));
        cache.Validate();
    }

    [Test]
    public async Task ASynchronousSourceIsReadOnAnotherThread()
    {
        ScriptedSource source = new() { IsAsync = false };
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source);
        source.Close();
        int caller = Environment.CurrentManagedThreadId;
        ValueTask<PageLease> task = cache.GetAsync(owner, 1);
        Assert.That(task.IsCompleted, Is.False, "the caller got its thread back while the source was reading");
        await Until(() => source.Requests.Length == 1);
        Assert.That(source.LastReader, Is.Not.EqualTo(caller));
        source.Open();
        using (PageLease lease = await task) AssertPage(lease, 1);
    }

    [Test]
    public async Task ACancelledWaiterLeavesTheOthersAndTheLoadAlone()
    {
        ScriptedSource source = new();
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source);
        source.Close();
        using CancellationTokenSource first = new();
        Task<PageLease> starter = cache.GetAsync(owner, 3, first.Token).AsTask();
        Task<PageLease> other = cache.GetAsync(owner, 3).AsTask();
        await first.CancelAsync();
        Assert.ThrowsAsync(Is.InstanceOf<OperationCanceledException>(), () => starter);
        Assert.That(other.IsCompleted, Is.False);
        source.Open();
        using (PageLease lease = await other) AssertPage(lease, 3);
        Assert.That(source.Requests, Has.Length.EqualTo(1));
        Assert.ThrowsAsync(
            Is.InstanceOf<OperationCanceledException>(), async () => await cache.GetAsync(owner, 4, first.Token));
        Assert.That(source.Requests, Has.Length.EqualTo(1), "cancelled before it began: nothing was asked for");
        cache.Validate();
    }

    [Test]
    public async Task WhenAllWaitersAreCancelledThePageStillComesIn()
    {
        ScriptedSource source = new();
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source);
        source.Close();
        using CancellationTokenSource all = new();
        Task<PageLease>[] waiting = [.. Enumerable.Range(0, 3).Select(_ => cache.GetAsync(owner, 3, all.Token).AsTask())];
        await all.CancelAsync();
        foreach (Task<PageLease> task in waiting)
            Assert.ThrowsAsync(Is.InstanceOf<OperationCanceledException>(), () => task);
        source.Open();
        await Until(() => cache.Contains(owner, 3));
        cache.Validate();
    }

    [Test]
    public async Task CancellationAndPublicationMayMeetAtAnyMoment()
    {
        Random random = TestSeed.Random(11);
        ScriptedSource source = new();
        PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source);
        int cancelled = 0;
        int served = 0;
        for (int round = 0; round < 3000; round++)
        {
            ulong page = (ulong)round % 500;
            source.Close();
            using CancellationTokenSource token = new();
            Task<PageLease> some = cache.GetAsync(owner, page, token.Token).AsTask();
            Task<PageLease> another = cache.GetAsync(owner, page, token.Token).AsTask();
            Task<PageLease> patient = cache.GetAsync(owner, page).AsTask();
            int lead = random.Next(-60, 60);
            Task open = Task.Run(() =>
            {
                Thread.SpinWait(Math.Max(0, lead));
                source.Open();
            });
            Thread.SpinWait(Math.Max(0, -lead));
            token.Cancel();
            foreach (Task<PageLease> task in (Task<PageLease>[])[some, another])
            {
                try
                {
                    using PageLease lease = await task;
                    AssertPage(lease, page);
                    served++;
                }
                catch (OperationCanceledException)
                {
                    cancelled++;
                }
            }

            using (PageLease lease = await patient) AssertPage(lease, page);
            await open;
        }

        TestContext.Out.WriteLine($"{cancelled} cancelled, {served} served");
        Assert.That(cancelled, Is.GreaterThan(0));
        cache.Validate();
        Assert.That(cache.Statistics.HeldFrames, Is.LessThanOrEqualTo(16));
        AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task AFailedLoadIsToldToEveryWaiterAndLeavesNothing([Values] bool isAsync)
    {
        ScriptedSource source = new() { IsAsync = isAsync };
        PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source);
        source.BadPages.Add(6);
        for (int round = 0; round < 50; round++)
        {
            source.Close();
            Task<PageLease>[] waiting = [.. Enumerable.Range(0, 4).Select(_ => cache.GetAsync(owner, 6).AsTask())];
            source.Open();
            foreach (Task<PageLease> task in waiting)
            {
                PageLoadException? told = Assert.ThrowsAsync<PageLoadException>(() => task);
                Assert.That(told!.Message, Does.Contain("page 6 of object 0").And.Contain("page 6 is damaged"));
            }

            Assert.That(cache.Contains(owner, 6), Is.False);
        }

        source.BadPages.Clear();
        using (PageLease lease = await cache.GetAsync(owner, 6)) AssertPage(lease, 6);
        cache.Validate();
        AssertNothingIsHeld(cache);
    }

    [Test]
    public async Task AnInvalidatedLoadBeginsAgain()
    {
        ScriptedSource source = new();
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source);
        source.Close();
        Task<PageLease> task = cache.GetAsync(owner, 2).AsTask();
        cache.Invalidate(owner, 2);
        source.Open();
        using (PageLease lease = await task) AssertPage(lease, 2);
        Assert.That(source.Requests, Has.Length.EqualTo(2));
        cache.Validate();
    }

    [Test]
    public async Task AnotherSourceMayBeGiven()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        InvalidOperationException? told =
            Assert.ThrowsAsync<InvalidOperationException>(async () => await cache.GetAsync(owner, 1));
        Assert.That(told!.Message, Does.Contain("has no source"));
        using (PageLease lease = await cache.GetOrAddAsync(owner, 1, new ScriptedSource())) AssertPage(lease, 1);
        Assert.That(
            async () => await cache.GetAsync(owner, 5000), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public async Task WhenEveryFrameIsLeasedTheCallerWaitsWithoutAThreadAndIsTold()
    {
        ScriptedSource source = new();
        using PageCache<Fifo> cache = new(
            PageCacheOptions.ForFrames(8) with { BackgroundReclaim = false, Patience = TimeSpan.FromSeconds(20) },
            new Fifo());
        ObjectId owner = cache.AddObject(source);
        List<PageLease> leases = [];
        for (ulong page = 0; page < 8; page++) leases.Add(await cache.GetAsync(owner, page));
        InvalidOperationException? told =
            Assert.ThrowsAsync<InvalidOperationException>(async () => await cache.GetAsync(owner, 50));
        Assert.That(told!.Message, Does.Contain("all 8 frames are in use"));
        leases[3].Dispose();
        using (PageLease lease = await cache.GetAsync(owner, 50)) AssertPage(lease, 50);
        foreach (PageLease lease in leases.Where((_, i) => i != 3)) lease.Dispose();
        cache.Validate();
    }

    [Test]
    public void DisposeCancelsTheLoadsThatAreUnderWay()
    {
        ScriptedSource source = new();
        PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source);
        source.Close();
        Task<PageLease> task = cache.GetAsync(owner, 2).AsTask();
        cache.Dispose();
        Assert.ThrowsAsync<PageLoadException>(() => task);
        Assert.ThrowsAsync<ObjectDisposedException>(async () => await cache.GetAsync(owner, 2));
    }

    [Test]
    public async Task ManyTasksUnderEvictionFailuresAndCancellation()
    {
        ScriptedSource source = new() { PageCount = 200 };
        source.BadPages.Add(17);
        PageCache<LinuxRules<Linux6>> cache = New(frames: 64);
        ObjectId owner = cache.AddObject(source);
        int seed = TestSeed.Random(5).Next();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(task => Task.Run(async () =>
        {
            Random random = new(seed + task);
            for (int i = 0; i < 3000; i++)
            {
                ulong page = (ulong)random.Next(200);
                using CancellationTokenSource token = new();
                if (random.Next(8) == 0) token.Cancel();
                if (random.Next(50) == 0) cache.Invalidate(owner, page);
                try
                {
                    ValueTask<PageLease> get = cache.GetAsync(owner, page, random.Next(2) == 0 ? token.Token : default);
                    using PageLease lease = await get;
                    AssertPage(lease, page);
                }
                catch (PageLoadException) when (page == 17)
                {
                }
                catch (OperationCanceledException)
                {
                }
            }
        })));
        cache.Validate();
        AssertNothingIsHeld(cache);
    }

    internal static PageCache<LinuxRules<Linux6>> New(
        uint frames, Func<PageCacheOptions, PageCacheOptions>? change = null)
    {
        PageCacheOptions options = PageCacheOptions.ForFrames(frames) with { BackgroundReclaim = false };
        return new PageCache<LinuxRules<Linux6>>(change is null ? options : change(options), new LinuxRules<Linux6>());
    }

    internal static void AssertPage(PageLease lease, ulong page)
    {
        if (lease.Span.SequenceEqual(PageCacheTests.Bytes(page))) return;
        Assert.Fail($"page {page} has other bytes");
    }

    /// <summary>No pin and no load is left, or Dispose would wait for it.</summary>
    internal static void AssertNothingIsHeld<TRules>(PageCache<TRules> cache) where TRules : struct, IFlagRules
    {
        long start = Environment.TickCount64;
        cache.Dispose();
        Assert.That(Environment.TickCount64 - start, Is.LessThan(5000));
        Assert.That(cache.UsedBytes, Is.Zero);
    }

    internal static async Task Until(Func<bool> condition)
    {
        long end = Environment.TickCount64 + 30_000;
        while (!condition())
        {
            if (Environment.TickCount64 > end) throw new TimeoutException("what the test waits for does not happen");
            await Task.Delay(1);
        }
    }
}
