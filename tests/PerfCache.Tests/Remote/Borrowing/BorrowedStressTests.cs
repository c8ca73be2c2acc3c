// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;
using PerfCache.Remote.Borrowing;
using PerfCache.Tests.Core.Cache;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>
/// Goal: with many threads that read by lease, by copy, in batches and ahead, that write, flush and invalidate, over a cache
/// whose pages overflow to servers that lie, lose everything and fall silent, no byte is wrong and nothing is lost. Method: each
/// page is its number and a version in all its words; each writer owns some pages and knows their versions.
/// </summary>
[TestFixture]
public sealed class BorrowedStressTests
{
    private const int Frames = 64;
    private const int PageBytes = 4096;
    private const int PagesPerWriter = 100;
    private const int Writers = 2;

    [Test]
    [CancelAfter(60_000)]
    public Task NoByteIsWrongWhateverServersDo([Values] bool encrypts, CancellationToken deadline) =>
        RunAsync(4_000, encrypts, deadline);

    [Test, Explicit("minutes: dotnet test --filter FullyQualifiedName~BorrowedStressTests.ForLong"), Category("Stress")]
    [CancelAfter(600_000)]
    public Task ForLong([Values] bool encrypts, CancellationToken deadline) => RunAsync(300_000, encrypts, deadline);

    private static async Task RunAsync(int steps, bool encrypts, CancellationToken deadline)
    {
        FakeFleet fleet = null!;
        await using BorrowedMemory borrowed = new(
            new BorrowedMemoryOptions { Servers = ["fake", "fake"], Encrypts = encrypts, Race = null, PutPoolPages = 32 },
            listener => fleet = new FakeFleet(listener, 3, servers: 2) { LieEvery = 4, IsPrompt = false });
        StoredPages source = new() { PageCount = Writers * PagesPerWriter };
        using PageCache<LinuxRules<Linux6>> cache = new(
            PageCacheOptions.ForFrames(Frames) with
            {
                Overflow = borrowed,
                ReadaheadPagesMax = 8,
                Patience = TimeSpan.FromSeconds(30),
                WriteBack = new WriteBackOptions
                {
                    FlushInterval = TimeSpan.FromMilliseconds(1),
                    DirtyAge = TimeSpan.FromMilliseconds(1),
                },
            },
            new());
        ObjectId owner = cache.AddObject(source);
        using CancellationTokenSource done = CancellationTokenSource.CreateLinkedTokenSource(deadline);
        Task[] others =
        [
            Task.Run(() => ReadAllAsync(cache, owner, done.Token), CancellationToken.None),
            Task.Run(() => Disturb(fleet, done.Token), CancellationToken.None),
        ];
        uint[] last = new uint[Writers * PagesPerWriter];
        do
        {
            await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Factory.StartNew(
                () => WriteMany(cache, owner, writer, steps, last, deadline), deadline, TaskCreationOptions.LongRunning,
                TaskScheduler.Default)));
        }
        // On a busy machine the sender may have had little time: on until there was something to be wrong about.
        while (borrowed.Statistics is { Hits: <= 100 } or { Wrong: <= 20 } && !deadline.IsCancellationRequested);
        await done.CancelAsync();
        await Task.WhenAll(others);
        deadline.ThrowIfCancellationRequested();

        for (int page = 0; page < last.Length; page++)
        {
            using PageLease lease = cache.Get(owner, (ulong)page);
            Assert.That(VersionedPage.Version(lease.Span, page), Is.EqualTo(last[page]), $"page {page}");
        }

        cache.Validate();
        BorrowedMemoryStatistics counts = borrowed.Statistics;
        TestContext.Out.WriteLine(
            $"{counts.Evicted} evicted, {counts.Stored} stored, {counts.Hits} hits, {counts.Wrong} wrong, {counts.Lost} lost");
        Assert.That(counts.Hits, Is.GreaterThan(100));
        Assert.That(counts.Wrong, Is.GreaterThan(20));
        Assert.That(
            counts.Evicted,
            Is.GreaterThanOrEqualTo(counts.Kept + counts.DroppedNoRoom + counts.DroppedNoServer + counts.Sent));
    }

    /// <summary>Delivers stores late and in any order, loses all, and goes out of service now and then.</summary>
    private static void Disturb(FakeFleet fleet, CancellationToken stop)
    {
        Random random = new(11);
        while (!stop.IsCancellationRequested)
        {
            if (fleet.PendingCount > random.Next(20)) fleet.Deliver();
            else Thread.Yield();
            if (random.Next(20_000) == 0) fleet.Lose();
            if (random.Next(2_000) == 0) fleet.IsInService = !fleet.IsInService || random.Next(4) == 0;
        }
    }

    private static void WriteMany(
        PageCache<LinuxRules<Linux6>> cache, ObjectId owner, int writer, int steps, uint[] last, CancellationToken deadline)
    {
        Random random = new(writer);
        for (int i = 0; i < steps && !deadline.IsCancellationRequested; i++)
        {
            int page = (writer * PagesPerWriter) + random.Next(PagesPerWriter);
            if (random.Next(3) > 0)
            {
                using PageLease read = cache.Get(owner, (ulong)page);
                Assert.That(VersionedPage.Version(read.Span, page), Is.EqualTo(last[page]), $"page {page} is old");
                continue;
            }

            if (random.Next(50) == 0)
            {
                cache.FlushAsync(owner, deadline).Wait(deadline);
                cache.Invalidate(owner, (ulong)page);
            }

            using WriteLease lease = cache.GetForWrite(owner, (ulong)page);
            Assert.That(VersionedPage.Version(lease.Span, page), Is.EqualTo(last[page]), $"page {page} before its next change");
            VersionedPage.Fill(lease.Span, page, ++last[page]);
        }
    }

    private static async Task ReadAllAsync(PageCache<LinuxRules<Linux6>> cache, ObjectId owner, CancellationToken stop)
    {
        Random random = new(99);
        byte[] copy = new byte[PageBytes];
        PageLease[] leases = new PageLease[6];
        ulong[] pages = new ulong[leases.Length];
        while (!stop.IsCancellationRequested)
        {
            int page = random.Next(Writers * PagesPerWriter);
            if (cache.TryCopy(owner, (ulong)page, 0, copy)) VersionedPage.Version(copy, page);
            using (PageLease lease = await cache.GetAsync(owner, (ulong)page, CancellationToken.None)) VersionedPage.Version(lease.Span, page);
            for (int i = 0; i < pages.Length; i++) pages[i] = (ulong)((page + (i * i)) % (Writers * PagesPerWriter));
            await cache.GetManyAsync(owner, pages, leases, CancellationToken.None);
            for (int i = 0; i < pages.Length; i++)
            {
                VersionedPage.Version(leases[i].Span, (int)pages[i]);
                leases[i].Dispose();
            }

            cache.Prefetch(owner, (ulong)page, 4);
        }
    }
}
