// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: what happens while a thread waits inside the cache is noticed when it goes on.</summary>
[TestFixture]
public sealed class PageCacheRaceTests
{
    [Test]
    public void AWriterDoesNotWaitForAReaderForEver()
    {
        using PageCache<Fifo> cache = New(TimeSpan.FromMilliseconds(50));
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        cache.TryAdd(owner, 1, [1]);
        using CacheReader<Fifo, NoProbe> reader = cache.OpenReader();
        Assert.That(reader.TryGet(owner, 1, out EpochLease lease), Is.True);
        TimeoutException? told = null;
        // Another thread, as this one has the lease.
        Thread writer = new(() => told = Assert.Throws<TimeoutException>(() => cache.GetForWrite(owner, 1)));
        writer.Start();
        Assert.That(writer.Join(TimeSpan.FromSeconds(30)), Is.True);
        Assert.That(told!.Message, Does.Contain("page 1 of object 0 still has readers"));
        lease.Dispose();
        using (cache.GetForWrite(owner, 1))
        {
        }

        Assert.That(cache.TryGet(owner, 1, out PageLease after), Is.True, "nobody writes any more");
        after.Dispose();
        cache.Validate();
    }

    [Test]
    public void AnObjectThatIsRemovedWhileAMissWaitsForAFrameGetsNoPage([Values] bool adds)
    {
        using PageCache<Fifo> cache = New(TimeSpan.FromSeconds(30));
        using ManualResetEventSlim mayRead = new();
        LoaderThatWaits slow = new(mayRead);
        ObjectId loading = cache.AddObject(slow);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        ObjectId removed = cache.AddObject(new LoaderThatWaits(mayRead));
        List<PageLease> leases = [];
        for (uint page = 0; page < 7; page++)
        {
            cache.TryAdd(owner, page, [1]);
            cache.TryGet(owner, page, out PageLease lease);
            leases.Add(lease);
        }

        // The eighth frame is private to a load, so a miss has hope, and waits.
        Thread loader = new(() => cache.Get(loading, 0).Dispose());
        loader.Start();
        Assert.That(slow.IsAsked.Wait(TimeSpan.FromSeconds(30)), Is.True);
        Exception? told = null;
        Thread missing = new(() => told = Assert.Catch(() =>
        {
            if (adds) cache.TryAdd(removed, 5, [1]);
            else cache.Get(removed, 5).Dispose();
        }));
        missing.Start();
        while ((missing.ThreadState & ThreadState.WaitSleepJoin) == 0) Thread.Yield();
        cache.RemoveObject(removed);
        mayRead.Set();
        Assert.That(loader.Join(TimeSpan.FromSeconds(30)) && missing.Join(TimeSpan.FromSeconds(30)), Is.True);
        Assert.That(told, Is.InstanceOf<ArgumentOutOfRangeException>());
        foreach (PageLease lease in leases) lease.Dispose();
        cache.Validate();
        Assert.That(cache.ResidentCount, Is.LessThanOrEqualTo(8));
    }

    private static PageCache<Fifo> New(TimeSpan patience) => new(
        PageCacheOptions.ForFrames(8) with { BackgroundReclaim = false, Patience = patience }, new Fifo());

    private sealed class LoaderThatWaits(ManualResetEventSlim mayRead) : IPageSource
    {
        public ManualResetEventSlim IsAsked { get; } = new();

        public ulong PageCount => 100;

        public bool IsAsync => false;

        public bool CanWrite => false;

        public int Read(ulong page, Span<byte> destination)
        {
            IsAsked.Set();
            mayRead.Wait();
            return destination.Length;
        }

        public ValueTask<long> ReadAsync(
            ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation) =>
            throw new NotSupportedException();

        public ValueTask WriteAsync(
            ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation) =>
            throw new NotSupportedException();

        public ValueTask FlushAsync(CancellationToken cancellation) => default;
    }
}
