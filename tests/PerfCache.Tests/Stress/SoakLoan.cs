// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Net;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;
using PerfCache.Remote;
using PerfCache.Remote.Borrowing;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;
using PerfCache.Remote.Server;
using PerfCache.Tests.Core.Cache;
using PerfCache.Tests.Remote.Borrowing;

namespace PerfCache.Tests.Stress;

/// <summary>What the loans of a soak came to.</summary>
internal sealed class SoakLoanCounts
{
    private long _borrowed;
    private long _caughtWrong;
    private long _taken;

    /// <summary>Pages that caches read from borrowed memory.</summary>
    internal long Borrowed => Interlocked.Read(ref _borrowed);

    /// <summary>Pages that a server gave wrong, and that were read from their source instead.</summary>
    internal long CaughtWrong => Interlocked.Read(ref _caughtWrong);

    /// <summary>Pages of the lender that were emptied under its hands.</summary>
    internal long Taken => Interlocked.Read(ref _taken);

    internal void Add(in BorrowedMemoryStatistics statistics, long taken)
    {
        Interlocked.Add(ref _borrowed, statistics.Hits);
        Interlocked.Add(ref _caughtWrong, statistics.Wrong);
        Interlocked.Add(ref _taken, taken);
    }
}

/// <summary>
/// A round of the soak's loan: a lender whose owner takes memory back, a client that compares what it gets, and a cache
/// that overflows into the same lender, over a good line and over one that damages replies, while the cache is written,
/// flushed and resized.
/// </summary>
/// <remarks>
/// A page of the cache is its number and its version in all its words, and one thread knows the version of each: a page
/// that is old, torn or another's is found by comparing all of it. What servers give is wrong on purpose, often; nothing
/// of it may reach a reader. The lender is put together as <see cref="Lender"/> does it, since its pages are taken here.
/// </remarks>
internal sealed class SoakLoan : IDisposable
{
    private const int Pages = 2500;
    private const int CacheBytes = 2 << 20;
    private const int LentBytes = 16 << 20;
    private const int Steps = 30_000;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    // What networks do, a little of everything.
    private static readonly ReplyFaults s_faults = new()
    {
        Cut = 0.0005,
        Stall = 0.0002,
        Delay = 0.002,
        FlipBit = 0.005,
        Swap = 0.0005,
        Duplicate = 0.0005,
        Omit = 0.0005,
        Truncate = 0.0005,
        WrongLength = 0.001,
        Replay = 0.01,
    };

    private readonly int _seed;
    private readonly ConcurrentQueue<Exception> _failures = [];
    private readonly CancellationTokenSource _end = new(s_patience);
    private readonly MemoryMeter _meter = new();
    private readonly TenantStores _stores;
    private readonly LendingKeeper _keeper;
    private readonly MemcachedServer _server;
    private readonly FaultyProxy _badLine;
    private readonly BorrowedMemory _borrowed;
    private readonly PageCache<LinuxRules<Linux6>> _cache;
    private readonly ObjectId _file;
    private readonly uint[] _versions = new uint[Pages];
    private long _taken;

    internal SoakLoan(int seed)
    {
        _seed = seed;
        ServerOptions serving = new() { Listen = [ListenAddress.Parse("127.0.0.1:0")], Threads = 1 };
        LendingOptions lending = new() { WatchesPressure = false };
        LenderOptions options = new() { MemoryBytes = LentBytes, Server = serving, Lending = lending };
        ServerClock clock = new(TimeProvider.System);
        _stores = new TenantStores(options.ItemOptions, [], lending, _meter);
        _keeper = new LendingKeeper(_stores, clock, lending);
        _server = new MemcachedServer(serving, _stores, _keeper, clock);
        _server.Start();
        _keeper.Start();
        EndPoint = _server.Addresses[0].EndPoint;
        _badLine = new FaultyProxy(EndPoint, seed) { Faults = s_faults };
        _borrowed = new BorrowedMemory(new BorrowedMemoryOptions
        {
            Servers = [$"tcp:{EndPoint}", $"tcp:{_badLine.Address}"],
            Encrypts = seed % 2 == 0,
            Race = null,
            PutPoolPages = 64,
            // A busy machine is no sign of a bad server here: there are enough of those.
            Fleet = fleet => fleet with
            {
                DeadlineMin = TimeSpan.FromMilliseconds(50),
                DeadlineMax = TimeSpan.FromMilliseconds(50),
                BackOffMax = TimeSpan.FromMilliseconds(50),
                PutTimeout = TimeSpan.FromMilliseconds(400),
                Latency = fleet.Latency with { IsOn = false },
            },
        });
        _cache = new(
            new PageCacheOptions
            {
                CapacityBytes = CacheBytes,
                CapacityBytesMax = CacheBytes,
                Overflow = _borrowed,
                ReadaheadPagesMax = 8,
                Patience = TimeSpan.FromSeconds(60),
                WriteBack = new WriteBackOptions
                {
                    FlushInterval = TimeSpan.FromMilliseconds(5),
                    DirtyAge = TimeSpan.FromMilliseconds(5),
                },
            },
            new());
        _file = _cache.AddObject(new StoredPages { PageCount = Pages });
    }

    /// <summary>Where the lender listens.</summary>
    internal EndPoint EndPoint { get; }

    /// <summary>Runs the round.</summary>
    /// <param name="client">What a further client does meanwhile.</param>
    /// <param name="counts">What it came to.</param>
    internal void Run(Action client, SoakLoanCounts counts)
    {
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        Thread[] others = [Start(ReadWhat, done.Token), Start(Take, done.Token), Start(Resize, done.Token)];
        Thread[] finite = [Start(_ => client(), done.Token), Start(WriteAndRead, done.Token)];
        foreach (Thread thread in finite) Join(thread);
        done.Cancel();
        foreach (Thread thread in others) Join(thread);
        if (_failures.TryDequeue(out Exception? failure)) throw new InvalidOperationException("the loan failed", failure);
        if (_end.IsCancellationRequested) throw new TimeoutException($"the loan has not ended after {s_patience}");
        for (int page = 0; page < Pages; page++) ReadNow(page);
        _cache.Validate();
        counts.Add(_borrowed.Statistics, Interlocked.Read(ref _taken));
    }

    /// <summary>Ends all of it; nothing native may be left.</summary>
    public void Dispose()
    {
        _cache.Dispose();
        _borrowed.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _badLine.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _server.Dispose();
        _keeper.Dispose();
        _stores.Dispose();
        _end.Dispose();
        if (_meter.OutstandingBytes != 0)
            throw new InvalidOperationException($"the lender keeps {_meter.OutstandingBytes} bytes");
    }

    private Thread Start(Action<CancellationToken> run, CancellationToken stop)
    {
        Thread thread = new(() =>
        {
            try
            {
                run(stop);
            }
            catch (Exception failure)
            {
                _failures.Enqueue(failure);
                _end.Cancel();
            }
        })
        {
            IsBackground = true,
        };
        thread.Start();
        return thread;
    }

    private static void Join(Thread thread)
    {
        if (!thread.Join(s_patience + s_patience)) throw new TimeoutException("a thread of the loan has not ended");
    }

    /// <summary>The one thread that writes, and so knows each page's version.</summary>
    private void WriteAndRead(CancellationToken stop)
    {
        Random random = new(_seed);
        for (int step = 0; step < Steps && !stop.IsCancellationRequested; step++)
        {
            int page = random.Next(Pages);
            if (random.Next(8) > 0)
            {
                ReadNow(page);
                continue;
            }

            if (random.Next(40) == 0)
            {
                _cache.FlushAsync(_file, stop).Wait(stop);
                _cache.Invalidate(_file, (ulong)page);
            }

            using WriteLease lease = _cache.GetForWrite(_file, (ulong)page);
            Check(lease.Span, page, _versions[page]);
            VersionedPage.Fill(lease.Span, page, ++_versions[page]);
        }
    }

    private void ReadNow(int page)
    {
        using PageLease lease = _cache.Get(_file, (ulong)page);
        Check(lease.Span, page, _versions[page]);
    }

    /// <summary>Reads in all other ways: by copy, ahead and in batches. Which version it gets, it cannot know.</summary>
    private void ReadWhat(CancellationToken stop)
    {
        Random random = new(_seed + 1);
        byte[] copy = new byte[StoredPages.PageBytes];
        PageLease[] leases = new PageLease[6];
        ulong[] pages = new ulong[leases.Length];
        while (!stop.IsCancellationRequested)
        {
            int page = random.Next(Pages - leases.Length);
            if (_cache.TryCopy(_file, (ulong)page, 0, copy)) Check(copy, page, null);
            for (int i = 0; i < pages.Length; i++) pages[i] = (ulong)(page + i);
            _cache.GetManyAsync(_file, pages, leases, CancellationToken.None).AsTask().GetAwaiter().GetResult();
            for (int i = 0; i < pages.Length; i++)
            {
                Check(leases[i].Span, (int)pages[i], null);
                leases[i].Dispose();
            }

            _cache.Prefetch(_file, (ulong)random.Next(Pages), 4);
            Pause(1, stop);
        }
    }

    /// <summary>The owner: the system empties lent pages at any moment, and now and then he wants it all.</summary>
    private void Take(CancellationToken stop)
    {
        Random random = new(_seed + 2);
        PageMemory lent = _stores.Default.Pages;
        while (!stop.IsCancellationRequested)
        {
            for (int i = lent.FrameCount == 0 ? 0 : random.Next(20); i > 0; i--)
            {
                lent.Page(new FrameId(1 + (uint)random.Next((int)lent.FrameCount))).Clear();
                _taken++;
            }

            if (random.Next(100) == 0) _stores.Default.IsSuspended = !_stores.Default.IsSuspended;
            if (random.Next(200) == 0) _badLine.CloseAll();
            Pause(5, stop);
        }

        _stores.Default.IsSuspended = false;
    }

    private void Resize(CancellationToken stop)
    {
        Random random = new(_seed + 3);
        while (!stop.IsCancellationRequested)
        {
            _cache.Resize(CacheBytes - random.Next(CacheBytes / 2));
            Pause(50, stop);
        }

        _cache.Resize(CacheBytes);
    }

    private static void Pause(int millis, CancellationToken stop) => stop.WaitHandle.WaitOne(millis);

    private static void Check(ReadOnlySpan<byte> bytes, int page, uint? version)
    {
        uint found = VersionedPage.Version(bytes, page);
        if (version is { } known && found != known)
            throw new InvalidOperationException($"page {page} has version {found} and not {known}");
    }
}
