// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: each verb of the cache with page data does what it says, on one thread.</summary>
[TestFixture]
public sealed class PageCacheTests
{
    private const int PageBytes = 4096;

    [Test]
    public void APageThatWasAddedIsFoundByEveryWayOfReading()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        Assert.That(cache.TryGet(owner, 7, out _), Is.False);
        Assert.That(cache.TryAdd(owner, 7, Bytes(7)), Is.True);
        Assert.That(cache.TryAdd(owner, 7, Bytes(8)), Is.False, "it is there already");

        Assert.That(cache.TryGet(owner, 7, out PageLease lease), Is.True);
        using (lease) Assert.That(lease.Span.SequenceEqual(Bytes(7)), Is.True);
        byte[] copy = new byte[10];
        Assert.That(cache.TryCopy(owner, 7, 100, copy), Is.True);
        Assert.That(copy, Is.EqualTo(Bytes(7).AsSpan(100, 10).ToArray()));
        Assert.That(cache.Touch(owner, 7), Is.True);
        Assert.That(cache.Contains(owner, 7), Is.True);
        using CacheReader<LinuxRules<Linux6>, NoProbe> reader = cache.OpenReader();
        Assert.That(reader.TryGet(owner, 7, out EpochLease shortLease), Is.True);
        using (shortLease) Assert.That(shortLease.Span.SequenceEqual(Bytes(7)), Is.True);
        Assert.That(reader.TryGet(owner, 8, out _), Is.False);
        cache.Validate();
    }

    [Test]
    public void LeasesAreEqualThatHoldTheSameFrame()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 8);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        for (uint page = 0; page < 2; page++) cache.TryAdd(owner, page, Bytes(1));
        using PageLease one = Found(cache, owner, 0), again = Found(cache, owner, 0), other = Found(cache, owner, 1);
        Assert.That(one == again && one.Equals((object)again) && one.GetHashCode() == again.GetHashCode());
        Assert.That(one != other && !one.Equals(other) && !one.Equals(null));
    }

    [Test]
    public void AShortPageIsFilledUpWithZeros()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 8);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1000);
        // Every frame is dirty from an earlier page, so zeros are not there by luck.
        for (uint page = 0; page < 100; page++) cache.TryAdd(owner, page, Bytes(1));
        cache.TryAdd(owner, 200, [1, 2, 3]);
        using PageLease lease = Found(cache, owner, 200);
        Assert.That(lease.Span[..3].ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That(lease.Span[3..].ContainsAnyExcept((byte)0), Is.False);
    }

    [Test]
    public void ThePagesThatStayAreThoseOfTheReplay([Values(1u, 2u, 3u)] uint seed)
    {
        Random random = new((int)seed);
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 200, o => o with { ActivationBatch = 1 });
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> replay = new(200, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 2000);
        ObjectId twin = replay.AddObject(2000, dense: true);
        PageReader reader = default;
        int misses = 0;
        for (int i = 0; i < 50_000; i++)
        {
            uint page = (uint)(Math.Pow(random.NextDouble(), 3) * 2000);
            // Consecutive reads of one page are two reads here; the twin must not skip the second.
            reader = default;
            bool expected = replay.Access(twin, page, ref reader) == AccessOutcome.Hit;
            bool hit = cache.Touch(owner, page);
            if (!hit) cache.TryAdd(owner, page, [(byte)page]);
            misses += hit ? 0 : 1;
            Assert.That(hit, Is.EqualTo(expected), $"request {i}");
        }

        cache.Validate();
        Assert.That(misses, Is.GreaterThan(1000));
        Assert.That(cache.Statistics.Misses, Is.EqualTo(replay.Statistics.Misses));
        Assert.That(cache.Statistics.Activations, Is.EqualTo(replay.Statistics.Activations));
    }

    [Test]
    public void ALeasedPageStaysAndReclaimGoesRoundIt()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 32);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 10_000);
        cache.TryAdd(owner, 0, Bytes(0));
        using (PageLease lease = Found(cache, owner, 0))
        {
            for (uint page = 1; page < 1000; page++) cache.TryAdd(owner, page, Bytes(page));
            Assert.That(lease.Span.SequenceEqual(Bytes(0)), Is.True);
            Assert.That(cache.Contains(owner, 0), Is.True);
            cache.Validate();
        }

        for (uint page = 1000; page < 2000; page++) cache.TryAdd(owner, page, Bytes(page));
        Assert.That(cache.Contains(owner, 0), Is.False, "let go, it is evicted like any other");
        cache.Validate();
    }

    [Test]
    public void FramesThatWereLetGoComeBackHoweverManyStayLeased()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 300);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 10_000);
        List<PageLease> leases = [];
        for (uint page = 0; page < 250; page++)
        {
            cache.TryAdd(owner, page, Bytes(page));
            leases.Add(Found(cache, owner, page));
        }

        for (uint page = 300; page < 1000; page++) cache.TryAdd(owner, page, Bytes(page));
        Assert.That(cache.Statistics.HeldFrames, Is.EqualTo(250));
        // The first 200, which reclaim set aside first, stay.
        foreach (PageLease lease in leases.Skip(200)) lease.Dispose();
        for (uint page = 1000; page < 2000; page++) cache.TryAdd(owner, page, Bytes(page));
        Assert.That(cache.Statistics.HeldFrames, Is.EqualTo(200));
        foreach (PageLease lease in leases.Take(200)) lease.Dispose();
        cache.Validate();
    }

    [Test]
    public void WhenEveryFrameIsLeasedTheCallerIsTold()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 8, o => o with { Patience = TimeSpan.FromMilliseconds(50) });
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        List<PageLease> leases = [];
        for (uint page = 0; page < 8; page++)
        {
            cache.TryAdd(owner, page, Bytes(page));
            leases.Add(Found(cache, owner, page));
        }

        InvalidOperationException? told = Assert.Throws<InvalidOperationException>(() => cache.TryAdd(owner, 50, Bytes(50)));
        Assert.That(told!.Message, Does.Contain("all 8 frames are in use").And.Contain("8 leased"));
        leases[3].Dispose();
        Assert.That(cache.TryAdd(owner, 50, Bytes(50)), Is.True);
        foreach (PageLease lease in leases.Where((_, i) => i != 3)) lease.Dispose();
        cache.Validate();
    }

    [Test]
    public void AMissIsLoadedFromTheSourceAndAFailureLeavesNothing()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        CountingSource source = new();
        ObjectId owner = cache.AddObject(source);
        using (PageLease lease = cache.Get(owner, 5)) Assert.That(lease.Span.SequenceEqual(Bytes(5)), Is.True);
        using (cache.Get(owner, 5)) Assert.That(source.Reads, Is.EqualTo(1));
        source.Fails = true;
        PageLoadException? told = Assert.Throws<PageLoadException>(() => cache.Get(owner, 6));
        Assert.That(told!.Message, Does.Contain("page 6 of object 0").And.Contain("disk on fire"));
        Assert.That(cache.Contains(owner, 6), Is.False);
        source.Fails = false;
        using (PageLease lease = cache.Get(owner, 6)) Assert.That(lease.Span[0], Is.EqualTo(Bytes(6)[0]));
        Assert.That(cache.Statistics.LoadFailures, Is.EqualTo(1));
        cache.Validate();
    }

    [Test]
    public void ManyWhoMissOnePageLoadItOnce()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        CountingSource source = new() { Delay = TimeSpan.FromMilliseconds(30) };
        ObjectId owner = cache.AddObject(source);
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
        {
            using PageLease lease = cache.Get(owner, 9);
            Assert.That(lease.Span.SequenceEqual(Bytes(9)), Is.True);
        });
        Assert.That(source.Reads, Is.EqualTo(1));
        cache.Validate();
    }

    [Test]
    public void WhoWaitsTooLongForAnothersLoadIsToldAndTheLoadGoesOn()
    {
        PageCache<LinuxRules<Linux6>> cache = New(frames: 16, o => o with { Patience = TimeSpan.FromMilliseconds(50) });
        using ManualResetEventSlim begun = new();
        using ManualResetEventSlim gate = new();
        ObjectId owner = cache.AddObject(new LoaderPageSource(100, (page, bytes) =>
        {
            begun.Set();
            gate.Wait(TimeSpan.FromSeconds(30));
            Bytes(page).CopyTo(bytes);
            return bytes.Length;
        }));
        Task<bool> loader = Task.Run(() =>
        {
            using PageLease lease = cache.Get(owner, 3);
            return lease.Span.SequenceEqual(Bytes(3));
        });
        Assert.That(begun.Wait(TimeSpan.FromSeconds(30)), Is.True);
        TimeoutException? told = Assert.Throws<TimeoutException>(() => cache.Get(owner, 3));
        Assert.That(told!.Message, Does.Contain("another thread has been loading page 3 of object 0 for 0.05 s"));
        gate.Set();
        Assert.That(loader.GetAwaiter().GetResult(), Is.True);
        cache.Validate();
        cache.Dispose();
        Assert.That(cache.UsedBytes, Is.Zero, "the one who gave up has left no pin");
    }

    [Test]
    public void AnInvalidatedPageIsGoneForNewReadersAndStaysForOldOnes()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1000);
        for (uint page = 0; page < 10; page++) cache.TryAdd(owner, page, Bytes(page));
        using (PageLease lease = Found(cache, owner, 4))
        {
            Assert.That(cache.InvalidateRange(owner, 2, 5), Is.EqualTo(5));
            Assert.That(cache.TryGet(owner, 4, out _), Is.False);
            Assert.That(cache.TryAdd(owner, 4, Bytes(44)), Is.True);
            Assert.That(lease.Span.SequenceEqual(Bytes(4)), Is.True);
            cache.Validate();
        }

        for (uint page = 20; page < 200; page++) cache.TryAdd(owner, page, Bytes(page));
        cache.Validate();
        Assert.That(cache.Statistics.HeldFrames, Is.Zero);
        Assert.That(cache.Invalidate(owner, 999), Is.False);
    }

    [Test]
    public void AWriteLeaseIsExclusiveAndMarksThePageDirty()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 16, o => o with { Patience = TimeSpan.FromMilliseconds(50) });
        ObjectId owner = cache.AddObject(new StoredPages());
        cache.TryAdd(owner, 1, Bytes(1));
        using (PageLease reader = Found(cache, owner, 1))
            Assert.Throws<TimeoutException>(() => cache.GetForWrite(owner, 1));
        using (WriteLease writer = cache.GetForWrite(owner, 1))
        {
            Assert.Throws<TimeoutException>(() => cache.TryGet(owner, 1, out _));
            writer.Span[0] = 0xAB;
        }

        Assert.That(cache.DirtyCount, Is.EqualTo(1));
        using (PageLease reader = Found(cache, owner, 1)) Assert.That(reader.Span[0], Is.EqualTo(0xAB));
        cache.Validate();
        cache.Invalidate(owner, 1);
        Assert.That(cache.DirtyCount, Is.Zero);
    }

    [Test]
    public void TheBoundInBytesHoldsWhateverTheKeysAre([Values] bool dense)
    {
        PageCacheOptions options = new() { CapacityBytes = 4 << 20, BackgroundReclaim = false };
        using PageCache<LinuxRules<Linux6>> cache = new(options, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1UL << (dense ? 20 : 40), dense);
        Random random = new(1);
        for (int i = 0; i < 5000; i++)
        {
            ulong page = dense ? (ulong)i : (ulong)random.NextInt64(1L << 40);
            cache.TryAdd(owner, page, [1]);
            Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(options.CapacityBytes));
        }

        cache.Validate();
        Assert.That(cache.ResidentCount, Is.GreaterThan(dense ? 900 : 500));
    }

    [Test]
    public void DisposeWithALeaseOutSaysSoAndLeavesTheBytes()
    {
        PageCache<Fifo> cache = New(new Fifo(), frames: 8, o => o with { Patience = TimeSpan.FromMilliseconds(30) });
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        cache.TryAdd(owner, 1, Bytes(1));
        PageLease lease = Found(cache, owner, 1);
        TimeoutException? told = Assert.Throws<TimeoutException>(cache.Dispose);
        Assert.That(told!.Message, Does.Contain("1 leases are out"));
        Assert.That(lease.Span.SequenceEqual(Bytes(1)), Is.True);
        lease.Dispose();
        cache.Dispose();
        Assert.That(cache.UsedBytes, Is.Zero);
        Assert.Throws<ObjectDisposedException>(() => cache.TryGet(owner, 1, out _));
        cache.Dispose();
    }

    [Test]
    public void PrefaultingBacksAllMemoryAndKeepsWhatIsThere()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 256);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        cache.TryAdd(owner, 5, Bytes(5));
        Progress progress = new();
        cache.Prefault(progress);
        Assert.That(progress.Last, Is.EqualTo(256L * PageBytes));
        using (PageLease lease = Found(cache, owner, 5)) Assert.That(lease.Span.SequenceEqual(Bytes(5)), Is.True);
        long? resident = cache.DescribeMemory().ResidentBytes;
        if (resident is not null) Assert.That(resident, Is.GreaterThanOrEqualTo(256L * PageBytes));
        Assert.Throws<OperationCanceledException>(() => cache.Prefault(null, new CancellationToken(canceled: true)));
    }

    [Test]
    public void EvictionsAreTold()
    {
        List<(ulong Page, EvictionReason Reason)> told = [];
        using PageCache<Fifo> cache = New(new Fifo(), frames: 8, o => o with
        {
            Evicted = (_, page, reason) => told.Add((page, reason)),
        });
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        for (uint page = 0; page < 10; page++) cache.TryAdd(owner, page, Bytes(page));
        cache.Invalidate(owner, 9);
        Assert.That(told, Is.EqualTo(new[]
        {
            (0UL, EvictionReason.Reclaimed), (1UL, EvictionReason.Reclaimed), (9UL, EvictionReason.Invalidated),
        }));
    }

    [TestCase(0L, 4096, "CapacityBytes is 0; possible is at least 32768 (8 pages)")]
    [TestCase(1L << 20, 5000, "PageBytes is 5000; possible is a power of two from 4096 to 65536")]
    [TestCase(40_000L, 4096, "after the metadata only 0 pages of 4096 bytes fit")]
    public void OptionsThatMakeNoSenseAreRefused(long capacity, int pageBytes, string expected)
    {
        ArgumentException? told = Assert.Throws<ArgumentException>(
            () => _ = new PageCache<Fifo>(new PageCacheOptions { CapacityBytes = capacity, PageBytes = pageBytes }, new Fifo()));
        Assert.That(told!.Message, Does.Contain(expected));
    }

    [Test]
    public void HitsAndInsertionsAllocateNothing()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100_000);
        byte[] bytes = Bytes(1);
        uint page = 0;
        Run(2000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(2000);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
#if DEBUG
        Assert.That(allocated, Is.LessThan(2_000_000), "debug builds give each lease a ticket");
#else
        Assert.That(allocated, Is.Zero);
#endif
        void Run(int count)
        {
            for (int i = 0; i < count; i++)
            {
                cache.TryAdd(owner, page, bytes);
                if (cache.TryGet(owner, page, out PageLease lease)) lease.Dispose();
                cache.Touch(owner, page++);
            }
        }
    }

    [Test]
    public void InsertionsOfAThreadThatIsNewAllocateNothingWhereTheIndexGrowsEither()
    {
        TestScale.LeaveToRelease();
        using PageCache<LinuxRules<Linux6>> cache = New(frames: 64);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 1UL << 30);
        ulong page = 0;
        // The first thread compiles what all need. The index asks the system for memory now and then on the way.
        Insert();
        Assert.That(Insert(), Is.Zero);

        long Insert()
        {
            long allocated = -1;
            Thread thread = new(() =>
            {
                // The runtime's own object for this thread is made when first asked for.
                GC.KeepAlive(Thread.CurrentThread);
                long before = GC.GetAllocatedBytesForCurrentThread();
                for (int i = 0; i < 1_200_000; i++) cache.TryAdd(owner, page++, default(Unfilled));
                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            });
            thread.Start();
            thread.Join();
            return allocated;
        }
    }

    private readonly struct Unfilled : IPageFiller
    {
        public void Fill(Span<byte> page)
        {
        }
    }

#if DEBUG
    [Test]
    public void DebugBuildsNoticeASecondDisposeAndUseAfterDispose()
    {
        using PageCache<Fifo> cache = New(new Fifo(), frames: 8);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100);
        cache.TryAdd(owner, 1, Bytes(1));
        PageLease lease = Found(cache, owner, 1);
        lease.Dispose();
        Assert.Throws<ObjectDisposedException>(() => lease.Dispose());
        Assert.Throws<ObjectDisposedException>(() => _ = lease.Span);
    }
#endif

    internal static byte[] Bytes(ulong page)
    {
        byte[] bytes = new byte[PageBytes];
        MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan()).Fill((page * 0x9E37_79B9_7F4A_7C15) + 1);
        return bytes;
    }

    private static PageCache<LinuxRules<Linux6>> New(
        uint frames, Func<PageCacheOptions, PageCacheOptions>? change = null) => New(new LinuxRules<Linux6>(), frames, change);

    private static PageCache<TRules> New<TRules>(
        TRules rules, uint frames, Func<PageCacheOptions, PageCacheOptions>? change = null)
        where TRules : struct, IFlagRules
    {
        PageCacheOptions options = PageCacheOptions.ForFrames(frames) with { BackgroundReclaim = false };
        return new PageCache<TRules>(change is null ? options : change(options), rules);
    }

    private static PageLease Found<TRules>(PageCache<TRules> cache, ObjectId owner, ulong page)
        where TRules : struct, IFlagRules
    {
        Assert.That(cache.TryGet(owner, page, out PageLease lease), Is.True);
        return lease;
    }

    private sealed class Progress : IProgress<long>
    {
        public long Last { get; private set; }

        public void Report(long value) => Last = value;
    }

    private sealed class CountingSource : IPageSource
    {
        private int _reads;

        public int Reads => _reads;

        public bool Fails { get; set; }

        public TimeSpan Delay { get; init; }

        public ulong PageCount => 1000;

        public bool IsAsync => false;

        public bool CanWrite => false;

        public int Read(ulong page, Span<byte> destination)
        {
            Interlocked.Increment(ref _reads);
            if (Delay > TimeSpan.Zero) new ManualResetEventSlim().Wait(Delay);
            if (Fails) throw new IOException("disk on fire");
            Bytes(page).CopyTo(destination);
            return PageBytes;
        }

        public ValueTask<long> ReadAsync(
            ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation) =>
            throw new NotSupportedException();

        public ValueTask WriteAsync(
            ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation) =>
            throw new NotSupportedException();

        public ValueTask FlushAsync(CancellationToken cancellation) => throw new NotSupportedException();
    }
}
