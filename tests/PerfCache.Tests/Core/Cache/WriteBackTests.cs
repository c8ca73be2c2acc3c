// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>
/// Goal: changed pages reach their source, all of them, once they may, and never after they were invalidated. Method: a
/// source with a gate, so that each test decides what happens during a write.
/// </summary>
[TestFixture]
[CancelAfter(60_000)]
public sealed class WriteBackTests
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(20);

    [Test]
    public async Task NeighboursGoInOneRequestInTheOrderOfTheirNumbers()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 2048);
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        foreach (int page in Enumerable.Range(0, 64).Concat(Enumerable.Range(100, 10)).Reverse()) Write(cache, owner, (ulong)page, 7);
        Assert.That(cache.DirtyCount, Is.EqualTo(74));
        cache.Validate();
        await cache.FlushAsync();
        Assert.That(store.Requests, Is.EquivalentTo(new[] { (0UL, 32), (32UL, 32), (100UL, 10) }));
        Assert.That(store.FirstWord(63), Is.EqualTo(7));
        Assert.That(store.Flushes, Is.EqualTo(1));
        Assert.That(cache.DirtyCount, Is.Zero);
        PageCacheStatistics counts = cache.Statistics;
        Assert.That((counts.PagesWritten, counts.WriteRequests, counts.WriteFailures, counts.DirtyPages), Is.EqualTo((74, 3, 0, 0)));
        await cache.FlushAsync();
        Assert.That((store.Requests.Count, store.Flushes), Is.EqualTo((3, 1)), "nothing is left to do");
        cache.Validate();
    }

    [Test]
    public async Task AFlushOfOneObjectLeavesTheOthersDirty()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64);
        StoredPages[] stores = [new(), new()];
        ObjectId[] owners = [.. stores.Select(store => cache.AddObject(store))];
        foreach (ObjectId owner in owners) Write(cache, owner, 3, 9);
        await cache.FlushAsync(owners[1]);
        Assert.That((stores[0].Requests.Count, stores[1].Requests.Count), Is.EqualTo((0, 1)));
        Assert.That(cache.DirtyCount, Is.EqualTo(1));
        cache.Invalidate(owners[0], 3);
        Assert.That(cache.DirtyCount, Is.Zero, "an invalidated change is lost, as it says");
        cache.Validate();
    }

    [Test]
    public async Task AFailedWriteStaysDirtyIsReportedAndSucceedsLater()
    {
        List<PageWriteFailure> told = [];
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 256, w => w with { Failed = told.Add });
        StoredPages store = new() { IsBroken = true };
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 10; page < 16; page++) Write(cache, owner, page, 5);
        PageWriteException? thrown = Assert.ThrowsAsync<PageWriteException>(() => cache.FlushAsync());
        Assert.That(thrown!.Message, Does.Contain("writing 6 pages failed (page 10 of object 0, page 11").And.Contain("disk on fire"));
        Assert.That(thrown.Pages.Select(key => key.Page), Is.EqualTo(new ulong[] { 10, 11, 12, 13, 14, 15 }));
        Assert.That(thrown.InnerException, Is.TypeOf<IOException>());
        Assert.That((cache.DirtyCount, cache.Statistics.WriteFailures), Is.EqualTo((6, 6)));
        Assert.That((told[0].FirstPage, told[0].PageCount, told[0].RetryIn), Is.EqualTo((10UL, 6, TimeSpan.FromMilliseconds(100))));
        Assert.That(store.Flushes, Is.Zero);
        cache.Validate();
        store.IsBroken = false;
        await cache.FlushAsync();
        Assert.That((cache.DirtyCount, store.FirstWord(15), store.Flushes), Is.EqualTo((0, 5UL, 1)));
        cache.Validate();
    }

    [Test]
    public void ABadPageDoesNotKeepItsNeighboursDirty()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 512);
        StoredPages store = new() { BadPage = 12 };
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 10; page < 20; page++) Write(cache, owner, page, 5);
        PageWriteException? thrown = Assert.ThrowsAsync<PageWriteException>(() => cache.FlushAsync());
        Assert.That(thrown!.Pages, Is.EqualTo(new[] { new PageKey(owner, 12) }));
        Assert.That(cache.DirtyCount, Is.EqualTo(1));
        cache.Validate();
    }

    [Test]
    public void ASourceWhoseFlushFailsIsNamedAsSuch()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64);
        StoredPages store = new() { FlushIsBroken = true };
        ObjectId owner = cache.AddObject(store);
        Write(cache, owner, 1, 5);
        PageWriteException? thrown = Assert.ThrowsAsync<PageWriteException>(() => cache.FlushAsync());
        Assert.That(thrown!.Message, Does.Contain("flushing a source failed: cache of the disk on fire"));
        store.FlushIsBroken = false;
        Assert.DoesNotThrowAsync(() => cache.FlushAsync(), "it is asked again although no page is dirty");
        Assert.That(store.Flushes, Is.EqualTo(1));
    }

    [Test]
    public async Task APageIsNotWrittenBeforeItsLogIs()
    {
        ulong durable = 5;
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 512, w => w with
        {
            // The number of the last log record is in the page, as in most storage engines.
            MayWrite = (_, _, bytes) => MemoryMarshal.Read<ulong>(bytes) <= durable,
        });
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 0; page < 10; page++) Write(cache, owner, page, page);
        PageWriteException? thrown = Assert.ThrowsAsync<PageWriteException>(() => cache.FlushAsync());
        Assert.That(thrown!.Message, Does.Contain("4 pages may not be written yet (page 6 of object 0").And.Contain("MayWrite"));
        Assert.That(store.Requests, Is.EqualTo(new[] { (0UL, 6) }));
        Assert.That((cache.DirtyCount, cache.Statistics.WriteFailures), Is.EqualTo((4, 0)));
        cache.Validate();
        durable = 100;
        await cache.FlushAsync();
        Assert.That((cache.DirtyCount, store.FirstWord(9)), Is.EqualTo((0, 9UL)));
    }

    [Test]
    public void AMissThatFindsOnlyDirtyFramesWritesThem()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 64, w => w with { DirtyLimit = 1 });
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 0; page < 500; page++) Write(cache, owner, page, page + 1);
        cache.Validate();
        Assert.That(cache.Statistics.PagesWritten, Is.GreaterThanOrEqualTo(500 - 64));
        for (ulong page = 0; page < 500; page++)
        {
            using PageLease lease = cache.Get(owner, page);
            Assert.That(MemoryMarshal.Read<ulong>(lease.Span), Is.EqualTo(page + 1));
        }

        cache.Validate();
    }

    [Test]
    public void AMissThatMayNotWriteWhatItFindsSaysSo([Values] bool blocked)
    {
        using PageCache<Fifo> cache = New(
            new Fifo(), frames: 64, w => w with { DirtyLimit = 1, MayWrite = (_, _, _) => !blocked }, TimeSpan.FromMilliseconds(300));
        StoredPages store = new() { IsBroken = true };
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 0; page < 64; page++) Write(cache, owner, page, 1);
        InvalidOperationException? told = Assert.Throws<InvalidOperationException>(() => cache.Get(owner, 100));
        Assert.That(told!.Message, Does.Contain("64 pages are dirty").And.Contain(blocked ? "MayWrite says no" : "disk on fire"));
        cache.Validate();
    }

    [Test]
    public void WritersWaitAtTheDirtyLimitAndWriteThemselves()
    {
        using PageCache<Fifo> cache = New(
            new Fifo(), frames: 100, w => w with { DirtyLimit = 0.2 }, TimeSpan.FromMilliseconds(200));
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 0; page < 300; page++)
        {
            Write(cache, owner, page * 2, 1);
            Assert.That(cache.DirtyCount, Is.LessThanOrEqualTo(20));
        }

        store.IsBroken = true;
        TimeoutException? told = Assert.Throws<TimeoutException>(() =>
        {
            for (ulong page = 0; page < 100; page++) Write(cache, owner, page, 2);
        });
        Assert.That(told!.Message, Does.Contain("20 pages may be dirty (DirtyLimit)").And.Contain("disk on fire"));
        store.IsBroken = false;
        SpinWait.SpinUntil(() => Attempt(() => Write(cache, owner, 5000, 2)), s_long);
        using (PageLease lease = cache.Get(owner, 5000)) Assert.That(MemoryMarshal.Read<ulong>(lease.Span), Is.EqualTo(2));
        cache.Validate();
    }

    [Test]
    public void TheFlusherWritesWhatIsOldOrTooMuch()
    {
        WriteBackOptions habits = new() { FlushInterval = TimeSpan.FromMilliseconds(5), DirtyAge = TimeSpan.FromMilliseconds(30) };
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 512, _ => habits);
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 0; page < 20; page++) Write(cache, owner, page, 1);
        Assert.That(SpinWait.SpinUntil(() => cache.DirtyCount == 0, s_long), Is.True, "by age");

        using PageCache<LinuxRules<Linux6>> young = New(frames: 512, _ => habits with { DirtyAge = TimeSpan.FromDays(1) });
        owner = young.AddObject(store);
        for (ulong page = 0; page < 150; page++) Write(young, owner, page, 1);
        Assert.That(SpinWait.SpinUntil(() => young.DirtyCount <= 102, s_long), Is.True, "half of 204 is the mark");
        Assert.That(young.DirtyCount, Is.GreaterThan(0));
        young.Validate();
    }

    [Test]
    public void ABrokenSourceIsNotAskedAllTheTime()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64, _ => new WriteBackOptions
        {
            FlushInterval = TimeSpan.FromMilliseconds(1),
            DirtyAge = TimeSpan.Zero,
            RetryDelay = TimeSpan.FromMilliseconds(50),
        });
        StoredPages store = new() { IsBroken = true };
        ObjectId owner = cache.AddObject(store);
        Write(cache, owner, 1, 1);
        SpinWait.SpinUntil(() => false, TimeSpan.FromMilliseconds(600));
        Assert.That(store.Requests.Count, Is.InRange(1, 12), "at 0, 50, 150, 350, 750 ms and so on");
        store.IsBroken = false;
        Assert.That(SpinWait.SpinUntil(() => cache.DirtyCount == 0, s_long), Is.True);
    }

    [Test]
    public async Task AWriterNeverWaitsForTheDiskAndItsChangeStaysDirty([Values] bool seededBug)
    {
        HookedProbe.Omitted = seededBug ? CacheCheck.StaysDirty : null;
        using PageCache<Fifo, HookedProbe> cache = NewHooked();
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        Write(cache, owner, 4, 1);
        store.CloseGate();
        Task flush = cache.FlushAsync();
        Assert.That(store.Arrived.Wait(s_long), Is.True);
        Write(cache, owner, 4, 2);
        cache.Validate();
        Assert.That(cache.DirtyCount, Is.EqualTo(1));
        store.OpenGate();
        await flush;
        await cache.FlushAsync();
        Assert.That(store.FirstWord(4), Is.EqualTo(seededBug ? 1 : 2), "a cache that forgot the mark loses the change");
        Assert.That(cache.DirtyCount, Is.Zero);
        cache.Validate();
    }

    [Test]
    public async Task NoHalfOfAChangeIsWritten([Values] bool seededBug)
    {
        HookedProbe.Omitted = seededBug ? CacheCheck.PinBeforeCopy : null;
        using PageCache<Fifo, HookedProbe> cache = NewHooked(TimeSpan.FromMilliseconds(50));
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        Write(cache, owner, 4, 1);
        WriteLease writer = default;
        HookedProbe.Hook = step =>
        {
            // Between choice and copy a writer comes and is interrupted half way; then the copy is written.
            if (step == CacheStep.WriteChosen && Attempt(() => writer = cache.GetForWrite(owner, 4)))
                MemoryMarshal.Cast<byte, ulong>(writer.Span)[..100].Fill(2);
            if (step == CacheStep.WriteCopied) writer.Dispose();
        };
        await cache.FlushAsync(owner);
        HookedProbe.Hook = null;
        Assert.That(store.IsWhole(4), Is.Not.EqualTo(seededBug));
    }

    [Test]
    public async Task NothingIsWrittenOnceInvalidationHasReturned([Values] bool removesObject)
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64);
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 0; page < 3; page++) Write(cache, owner, page * 5, 1);
        store.CloseGate();
        Task flush = cache.FlushAsync();
        Assert.That(store.Arrived.Wait(s_long), Is.True);
        Task<long> invalidation = Task.Run(
            () => removesObject ? cache.RemoveObject(owner) : cache.InvalidateRange(owner, 0, 100));
        Assert.That(invalidation.Wait(100), Is.False, "a write is under way");
        store.OpenGate();
        Assert.That(await invalidation, Is.GreaterThanOrEqualTo(1));
        int requests = store.Requests.Count;
        if (!removesObject) Assert.That(cache.Contains(owner, 0), Is.False);
        Assert.That(cache.DirtyCount, Is.Zero);
        await flush;
        Assert.That(store.Requests.Count, Is.EqualTo(requests));
        cache.Validate();
    }

    [Test]
    public async Task ASeededBugInInvalidationIsNoticed()
    {
        HookedProbe.Omitted = CacheCheck.WaitForWrite;
        using PageCache<Fifo, HookedProbe> cache = NewHooked();
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        Write(cache, owner, 4, 1);
        store.CloseGate();
        Task flush = cache.FlushAsync();
        Assert.That(store.Arrived.Wait(s_long), Is.True);
        cache.Invalidate(owner, 4);
        ulong before = store.FirstWord(4);
        store.OpenGate();
        await flush;
        Assert.That(store.FirstWord(4), Is.Not.EqualTo(before), "the source changed after the invalidation");
    }

    [Test]
    public async Task AnInvalidationThatAWriteHoldsUpSaysSo()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64, patience: TimeSpan.FromMilliseconds(50));
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        Write(cache, owner, 1, 1);
        store.CloseGate();
        Task flush = cache.FlushAsync();
        TimeoutException? told = Assert.Throws<TimeoutException>(() => cache.Invalidate(owner, 1));
        Assert.That(told!.Message, Does.Contain("a write to object 0 is still under way"));
        Assert.That(Assert.Throws<TimeoutException>(cache.Dispose)!.Message, Does.Contain("1 writes under way"));
        store.OpenGate();
        await flush;
    }

    [Test]
    public async Task ACancelledFlushLeavesEveryPageCleanOrDirty()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64);
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 0; page < 20; page++) Write(cache, owner, page * 2, 1);
        store.CloseGate();
        using CancellationTokenSource stop = new();
        Task flush = cache.FlushAsync(stop.Token);
        Assert.That(store.Arrived.Wait(s_long), Is.True);
        await stop.CancelAsync();
        Assert.CatchAsync<OperationCanceledException>(() => flush);
        Assert.That(cache.DirtyCount, Is.EqualTo(20), "a page counts until it is written");
        cache.Validate();
        store.OpenGate();
        await cache.FlushAsync();
        Assert.That(cache.DirtyCount, Is.Zero);
        for (ulong page = 0; page < 20; page++) Assert.That(store.FirstWord(page * 2), Is.EqualTo(1));
        Assert.CatchAsync<OperationCanceledException>(() => cache.FlushAsync(new CancellationToken(true)));
    }

    [Test]
    public async Task AFlushWaitsForAWriterAndSaysWhomItWaitedFor()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64, patience: TimeSpan.FromMilliseconds(50));
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        Write(cache, owner, 1, 1);
        WriteLease lease = cache.GetForWrite(owner, 1);
        PageWriteException? told = Assert.ThrowsAsync<PageWriteException>(() => cache.FlushAsync());
        Assert.That(told!.Message, Does.Contain("1 pages were held by writers all the time (page 1 of object 0)"));
        lease.Dispose();
        await cache.FlushAsync();
        Assert.That(cache.DirtyCount, Is.Zero);
    }

    [Test]
    public void WithoutASourceChangesLastAsLongAsThePage()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 8);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1000);
        for (ulong page = 0; page < 20; page++)
        {
            using WriteLease lease = cache.GetForWrite(owner, page);
            Assert.That(lease.Span.ContainsAnyExcept((byte)0), Is.False, "a page that was not there is zeros");
            lease.Span.Fill(9);
        }

        Assert.That(cache.DirtyCount, Is.Zero);
        using (WriteLease again = cache.GetForWrite(owner, 19)) Assert.That(again.Span[5], Is.EqualTo(9));
        Assert.That(cache.Contains(owner, 0), Is.False, "it was evicted like any other");
        Assert.DoesNotThrowAsync(() => cache.FlushAsync());
        cache.Validate();
    }

    [Test]
    public void ASourceThatCannotWriteRefusesAWriteLease()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 8);
        ObjectId owner = cache.AddObject(new StoredPages { CanWrite = false });
        InvalidOperationException? told = Assert.Throws<InvalidOperationException>(() => cache.GetForWrite(owner, 1));
        Assert.That(told!.Message, Does.Contain("the source of object 0 cannot write"));
    }

    [Test]
    public void TheBoundInBytesHoldsForACacheThatWrites()
    {
        PageCacheOptions options = new() { CapacityBytes = 2 << 20, WriteBack = new() { FlushInterval = TimeSpan.Zero } };
        using PageCache<LinuxRules<Linux6>> cache = new(options, new LinuxRules<Linux6>());
        StoredPages store = new();
        ObjectId owner = cache.AddObject(store);
        for (ulong page = 0; page < 3000; page++) Write(cache, owner, page, page + 1);
        Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(options.CapacityBytes));
        cache.Validate();
        Assert.That(cache.Statistics.PagesWritten, Is.GreaterThan(2000));
    }

    [TestCase("DirtyLimit is 0; possible is above 0 and at most 1")]
    [TestCase("DirtyLimit is NaN; possible is above 0 and at most 1")]
    [TestCase("BatchPages is 1000; possible is 1 to 256")]
    [TestCase("RetryDelay is 00:00:00; possible is from one millisecond to one day")]
    [TestCase("DirtyAge is -00:00:01; possible is from 0 to one day")]
    public void OptionsThatMakeNoSenseAreRefused(string expected)
    {
        WriteBackOptions habits = expected.Split(' ')[0] switch
        {
            "DirtyLimit" => new() { DirtyLimit = expected.Contains("NaN") ? double.NaN : 0 },
            "BatchPages" => new() { BatchPages = 1000 },
            "RetryDelay" => new() { RetryDelay = TimeSpan.Zero },
            _ => new() { DirtyAge = TimeSpan.FromSeconds(-1) },
        };
        ArgumentException? told = Assert.Throws<ArgumentException>(() => New(frames: 8, _ => habits));
        Assert.That(told!.Message, Does.Contain(expected));
    }

    [TearDown]
    public void Unhook()
    {
        HookedProbe.Hook = null;
        HookedProbe.Omitted = null;
    }

    internal static void Write<TRules, TProbe>(PageCache<TRules, TProbe> cache, ObjectId owner, ulong page, ulong word)
        where TRules : struct, IFlagRules
        where TProbe : struct, ICacheProbe
    {
        using WriteLease lease = cache.GetForWrite(owner, page);
        MemoryMarshal.Cast<byte, ulong>(lease.Span).Fill(word);
    }

    /// <summary>True when it worked, false when it took too long.</summary>
    private static bool Attempt(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static PageCache<LinuxRules<Linux6>> New(
        uint frames, Func<WriteBackOptions, WriteBackOptions>? change = null, TimeSpan? patience = null) =>
        New(new LinuxRules<Linux6>(), frames, change, patience);

    private static PageCache<TRules> New<TRules>(
        TRules rules, uint frames, Func<WriteBackOptions, WriteBackOptions>? change = null, TimeSpan? patience = null)
        where TRules : struct, IFlagRules => new(Options(frames, change, patience), rules);

    private static PageCache<Fifo, HookedProbe> NewHooked(TimeSpan? patience = null) =>
        new(Options(64, null, patience), new Fifo());

    private static PageCacheOptions Options(
        uint frames, Func<WriteBackOptions, WriteBackOptions>? change, TimeSpan? patience)
    {
        WriteBackOptions byHand = new() { FlushInterval = TimeSpan.Zero };
        return PageCacheOptions.ForFrames(frames) with
        {
            BackgroundReclaim = false,
            WriteBack = change is null ? byHand : change(byHand),
            Patience = patience ?? TimeSpan.FromSeconds(10),
        };
    }
}
