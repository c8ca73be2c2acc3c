// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;
using PerfCache.Remote.Borrowing;
using PerfCache.Tests.Core.Cache;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>
/// Goal: a cache overflows into real servers, lenders and stock memcached, and reads its own pages back and nobody else's.
/// Method: a small cache over a source whose pages are their own numbers, read at random; every word is compared.
/// </summary>
[TestFixture]
public sealed class BorrowedServerTests
{
    private const int Pages = 1500;
    private const int Frames = 200;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Test]
    [CancelAfter(60_000)]
    public async Task PagesComeBackFromLenders(
        [Values(1, 2, 5)] int servers, [Values] bool encrypts, CancellationToken deadline)
    {
        MemcachedPeer[] peers = [.. Enumerable.Range(0, servers).Select(i => MemcachedPeer.Lend(unix: i % 2 == 0))];
        try
        {
            await using Borrower borrower = new(1, encrypts, peers);
            borrower.ReadUntilHits(2_000, deadline);
            BorrowedMemoryStatistics counts = borrower.Memory.Statistics;
            Assert.That(counts.Wrong, Is.Zero);
            Assert.That(counts.Servers, Has.Count.EqualTo(servers));
            Assert.That(counts.Servers.Select(server => server.Hits), Is.All.GreaterThan(0), "each has its share");
            Assert.That(counts.Servers.Sum(server => server.Hits), Is.EqualTo(counts.Hits));
        }
        finally
        {
            foreach (MemcachedPeer peer in peers) peer.Dispose();
        }
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task PagesComeBackFromStockMemcached(CancellationToken deadline)
    {
        using MemcachedPeer peer = MemcachedPeer.Memcached();
        await using Borrower borrower = new(1, encrypts: false, peer);
        borrower.ReadUntilHits(2_000, deadline);
        Assert.That(borrower.Memory.Statistics.Wrong, Is.Zero);
    }

    // The same objects and pages, with other bytes: only the incarnation keeps them apart.
    [Test]
    [CancelAfter(60_000)]
    public async Task TwoBorrowersOnOneServerNeverSeeEachOthersPages(CancellationToken deadline)
    {
        using MemcachedPeer peer = MemcachedPeer.Lend(unix: true);
        await using Borrower one = new(1, encrypts: false, peer), other = new(2, encrypts: false, peer);
        await Task.WhenAll(
            Task.Run(() => one.ReadUntilHits(1_000, deadline), deadline),
            Task.Run(() => other.ReadUntilHits(1_000, deadline), deadline));
        Assert.That(one.Memory.Statistics.Wrong + other.Memory.Statistics.Wrong, Is.Zero);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task ABorrowerThatStartsAgainBelievesNothingThatItsPredecessorLeft(CancellationToken deadline)
    {
        using MemcachedPeer peer = MemcachedPeer.Lend(unix: true);
        await using (Borrower first = new(1, encrypts: false, peer)) first.ReadUntilHits(500, deadline);
        await using Borrower second = new(2, encrypts: false, peer);
        second.ReadUntilHits(500, deadline);
        Assert.That(second.Memory.Statistics.Wrong, Is.Zero);
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task AServerThatIsGoneCostsItsPagesAndNothingElse(CancellationToken deadline)
    {
        using MemcachedPeer stays = MemcachedPeer.Lend(unix: true);
        MemcachedPeer goes = MemcachedPeer.Lend(unix: true);
        await using Borrower borrower = new(1, encrypts: false, stays, goes);
        borrower.ReadUntilHits(1_000, deadline);
        goes.Dispose();
        long started = Stopwatch.GetTimestamp();
        long before = borrower.Memory.Statistics.Hits;
        borrower.ReadUntilHits(1_000, deadline);
        TestContext.Out.WriteLine(
            $"{borrower.Memory.Statistics.Hits - before} hits in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms");
        Assert.That(borrower.Memory.Statistics.Wrong, Is.Zero);
        Assert.That(borrower.Longest, Is.LessThan(TimeSpan.FromSeconds(5)), "nobody waits for a server that is gone");
    }

    /// <summary>A cache of 200 pages over a source of 1500, whose pages are told from those of other borrowers.</summary>
    internal sealed class Borrower : IAsyncDisposable
    {
        private readonly PageCache<LinuxRules<Linux6>> _cache;
        private readonly ObjectId _file;
        private readonly Random _random;
        private readonly ulong _mark;

        internal Borrower(int number, bool encrypts, params MemcachedPeer[] peers)
            : this(number, encrypts, TimeSpan.FromMilliseconds(500), [.. peers.Select(peer => Address(peer.EndPoint))])
        {
        }

        internal Borrower(int number, bool encrypts, TimeSpan deadline, params string[] servers)
        {
            _mark = (ulong)number << 48;
            _random = TestSeed.Random(number);
            Memory = new BorrowedMemory(new BorrowedMemoryOptions
            {
                Servers = servers,
                Encrypts = encrypts,
                Race = null,
                // A loaded machine must not decide what this test sees.
                Fleet = options => options with
                {
                    DeadlineMin = deadline,
                    DeadlineMax = deadline,
                    Latency = options.Latency with { IsOn = false },
                },
            });
            _cache = new(PageCacheOptions.ForFrames(Frames) with { Overflow = Memory }, new());
            StoredPages source = new() { PageCount = Pages };
            for (ulong page = 0; page < Pages; page++)
            {
                byte[] bytes = new byte[StoredPages.PageBytes];
                MemoryMarshal.Cast<byte, ulong>(bytes.AsSpan()).Fill(_mark + page);
                source.WriteAsync(page, [bytes], default).AsTask().Wait();
            }

            _file = _cache.AddObject(source);
        }

        internal BorrowedMemory Memory { get; }

        /// <summary>The longest look-up.</summary>
        internal TimeSpan Longest { get; private set; }

        internal void ForgetLongest() => Longest = TimeSpan.Zero;

        internal void ReadUntilHits(long more, CancellationToken deadline)
        {
            long aim = Memory.Statistics.Hits + more;
            long began = Stopwatch.GetTimestamp();
            while (Memory.Statistics.Hits < aim)
            {
                deadline.ThrowIfCancellationRequested();
                Assert.That(
                    Stopwatch.GetElapsedTime(began), Is.LessThan(s_patience), () => $"too few hits: {Memory.Statistics}");
                for (int i = 0; i < 100; i++) Read((ulong)_random.Next(Pages));
            }
        }

        private void Read(ulong page)
        {
            long started = Stopwatch.GetTimestamp();
            using PageLease lease = _cache.Get(_file, page);
            TimeSpan took = Stopwatch.GetElapsedTime(started);
            if (took > Longest) Longest = took;
            if (MemoryMarshal.Cast<byte, ulong>(lease.Span).ContainsAnyExcept(_mark + page)) Assert.Fail($"page {page} is wrong");
        }

        public async ValueTask DisposeAsync()
        {
            _cache.Dispose();
            await Memory.DisposeAsync();
        }

        private static string Address(EndPoint server) =>
            server is UnixDomainSocketEndPoint unix ? $"unix:{unix}" : $"tcp:{server}";
    }
}
