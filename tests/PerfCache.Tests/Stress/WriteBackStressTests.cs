// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Stress;

/// <summary>
/// Goal: with writers, readers, a flusher, flushes, reclaim, invalidation and a source that fails now and then, no change is
/// lost, none is torn, and none comes back. Method: every page is its number and a version, in all its words; each
/// writer owns some pages and knows their last versions; threads stall at every step of write-back. Small by default; the
/// explicit one is long.
/// </summary>
[TestFixture]
public sealed class WriteBackStressTests : FolderFixture
{
    private const int PageBytes = 4096;
    private const int PagesPerWriter = 150;
    private const int Writers = 3;

    [Test]
    [CancelAfter(120_000)]
    public Task NoChangeIsLostTornOrOutlivesItsPage(CancellationToken deadline) => RunAsync(3_000, deadline);

    [Test, Explicit("minutes: dotnet test --filter FullyQualifiedName~WriteBackStressTests.ForLong"), Category("Stress")]
    [CancelAfter(600_000)]
    public Task ForLong(CancellationToken deadline) => RunAsync(200_000, deadline);

    private async Task RunAsync(int steps, CancellationToken deadline)
    {
        await File.WriteAllBytesAsync(PathOf("data"), new byte[Writers * PagesPerWriter * PageBytes], deadline);
        using FilePageSource file = FilePageSource.Open(PathOf("data"));
        FlakySource source = new(file);
        PageCacheOptions options = PageCacheOptions.ForFrames(128) with
        {
            Patience = TimeSpan.FromSeconds(30),
            WriteBack = new WriteBackOptions
            {
                FlushInterval = TimeSpan.FromMilliseconds(1),
                DirtyAge = TimeSpan.FromMilliseconds(2),
                RetryDelay = TimeSpan.FromMilliseconds(1),
                MayWrite = (_, _, bytes) => MemoryMarshal.Read<ulong>(bytes) % 7 != 0 || Random.Shared.Next(2) == 0,
            },
        };
        using PageCache<LinuxRules<Linux6>, StallingProbe> cache = new(options, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source);
        uint[] last = new uint[Writers * PagesPerWriter];
        using CancellationTokenSource writersAreDone = CancellationTokenSource.CreateLinkedTokenSource(deadline);
        Task[] others = [Task.Run(() => ReadAll(cache, owner, writersAreDone.Token), deadline), FlushAllAsync(cache, writersAreDone.Token)];
        Task[] writers = [.. Enumerable.Range(0, Writers).Select(
            i => Task.Factory.StartNew(
                () => WriteMany(cache, owner, i, steps, last, deadline), deadline, TaskCreationOptions.LongRunning,
                TaskScheduler.Default))];
        await Task.WhenAll(writers);
        await writersAreDone.CancelAsync();
        await Task.WhenAll(others);
        deadline.ThrowIfCancellationRequested();

        source.IsWell = true;
        for (bool flushed = false; !flushed; deadline.ThrowIfCancellationRequested())
        {
            flushed = true;
            try
            {
                await cache.FlushAsync(deadline);
            }
            catch (PageWriteException)
            {
                // MayWrite said no: it may say yes the next time.
                flushed = false;
            }
        }

        cache.Validate();
        PageCacheStatistics counts = cache.Statistics;
        TestContext.Out.WriteLine(
            $"{counts.PagesWritten} pages in {counts.WriteRequests} requests, {counts.WriteFailures} failures, "
            + $"{counts.Evictions} evictions, {counts.Removals} removals");
        Assert.That(source.TornPages, Is.Zero);
        byte[] bytes = await File.ReadAllBytesAsync(PathOf("data"), deadline);
        for (int page = 0; page < last.Length; page++)
            Assert.That(VersionedPage.Version(bytes.AsSpan(page * PageBytes, PageBytes), page), Is.EqualTo(last[page]), $"page {page}");
        Assert.That(counts.WriteFailures, Is.GreaterThan(0));
        Assert.That(counts.Evictions, Is.GreaterThan(0));
    }

    private static void WriteMany(
        PageCache<LinuxRules<Linux6>, StallingProbe> cache, ObjectId owner, int writer, int steps, uint[] last,
        CancellationToken deadline)
    {
        Random random = new(writer);
        for (int i = 0; i < steps && !deadline.IsCancellationRequested; i++)
        {
            int page = (writer * PagesPerWriter) + (random.Next(PagesPerWriter) * random.Next(1, 4) / 4);
            if (i % 50 == 49) last[page] = Invalidate(cache, owner, page, last[page]);
            using WriteLease lease = cache.GetForWrite(owner, (ulong)page);
            Assert.That(VersionedPage.Version(lease.Span, page), Is.EqualTo(last[page]), $"page {page} before its next change");
            Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(lease.Span);
            ulong next = VersionedPage.Word(page, ++last[page]);
            words[..(words.Length / 2)].Fill(next);
            if (i % 8 == 0) Thread.Yield();
            words[(words.Length / 2)..].Fill(next);
        }
    }

    /// <summary>Forgets a page, and finds what the source has: the last version or an older one, which is whole.</summary>
    private static uint Invalidate(
        PageCache<LinuxRules<Linux6>, StallingProbe> cache, ObjectId owner, int page, uint last)
    {
        cache.Invalidate(owner, (ulong)page);
        uint found;
        using (PageLease lease = cache.Get(owner, (ulong)page)) found = VersionedPage.Version(lease.Span, page);
        Assert.That(found, Is.LessThanOrEqualTo(last));
        // Whatever was under way has ended: the source has the same later on.
        cache.Invalidate(owner, (ulong)page);
        using PageLease again = cache.Get(owner, (ulong)page);
        Assert.That(VersionedPage.Version(again.Span, page), Is.EqualTo(found), $"page {page} changed in its source after it was invalidated");
        return found;
    }

    private static void ReadAll(
        PageCache<LinuxRules<Linux6>, StallingProbe> cache, ObjectId owner, CancellationToken stop)
    {
        Random random = new(99);
        byte[] copy = new byte[PageBytes];
        while (!stop.IsCancellationRequested)
        {
            int page = random.Next(Writers * PagesPerWriter);
            if (cache.TryCopy(owner, (ulong)page, 0, copy)) VersionedPage.Version(copy, page);
            using PageLease lease = cache.Get(owner, (ulong)page);
            VersionedPage.Version(lease.Span, page);
        }
    }

    private static async Task FlushAllAsync(PageCache<LinuxRules<Linux6>, StallingProbe> cache, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(5, stop);
                await cache.FlushAsync(stop);
            }
            catch (Exception e) when (e is PageWriteException or OperationCanceledException)
            {
                // The source fails on purpose.
            }
        }
    }

    /// <summary>Fails now and then, and looks at what it is given.</summary>
    private sealed class FlakySource(FilePageSource file) : IPageSource
    {
        private int _requests;
        private int _torn;

        internal bool IsWell { get; set; }

        internal int TornPages => _torn;

        public ulong PageCount => file.PageCount;

        public bool IsAsync => file.IsAsync;

        public bool CanWrite => true;

        public int Read(ulong page, Span<byte> destination) => file.Read(page, destination);

        public ValueTask<long> ReadAsync(
            ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation) =>
            file.ReadAsync(firstPage, destinations, cancellation);

        public async ValueTask WriteAsync(
            ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation)
        {
            for (int i = 0; i < pages.Count; i++)
            {
                ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(pages[i].Span);
                if (words.ContainsAnyExcept(words[0])) Interlocked.Increment(ref _torn);
            }

            if (Interlocked.Increment(ref _requests) % 20 == 0 && !IsWell) throw new IOException("fails on purpose");
            await Task.Yield();
            await file.WriteAsync(firstPage, pages, cancellation);
        }

        public ValueTask FlushAsync(CancellationToken cancellation) => default;
    }

    /// <summary>Lets others get in between at each step of write-back, now and then.</summary>
    private struct StallingProbe : ICacheProbe
    {
        private static int s_calls;

        public static void At(CacheStep place)
        {
            if (place < CacheStep.Locked || Interlocked.Increment(ref s_calls) % 5 != 0) return;
            for (int i = 0; i < 10; i++) Thread.Yield();
        }

        public static bool Omits(CacheCheck check) => false;
    }
}
