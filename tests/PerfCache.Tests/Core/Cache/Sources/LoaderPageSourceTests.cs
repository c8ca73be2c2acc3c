// SPDX-License-Identifier: MIT
using PerfCache.Cache.Sources;
using PerfCache.Frames;

namespace PerfCache.Tests.Core.Cache.Sources;

/// <summary>Goal: a user's loader is called for pages that there are, as it can be, and its word is
/// checked.</summary>
[TestFixture]
public sealed class LoaderPageSourceTests
{
    private const ulong Seed = 9;

    [Test]
    public async Task ASynchronousLoaderServesBothKindsOfRead()
    {
        List<ulong> asked = [];
        LoaderPageSource source = new(10, load: (page, destination) =>
        {
            asked.Add(page);
            ModelledPageSource.Fill(Seed, page, destination);
            return page == 9 ? 100 : destination.Length;
        });
        using SourcePages pages = new(4, 4096);
        Assert.That((source.IsAsync, source.CanWrite, source.PageCount), Is.EqualTo((false, false, 10ul)));
        Assert.That(source.Read(3, pages[0]), Is.EqualTo(4096));
        Assert.That(ModelledPageSource.Verify(Seed, 3, pages[0]));
        Assert.That(source.Read(9, pages[0]), Is.EqualTo(100));
        Assert.That(source.Read(10, pages[0]), Is.Zero);
        Assert.That(await source.ReadAsync(7, pages.Soiled().ToRead, default), Is.EqualTo((2 * 4096) + 100));
        Assert.That(pages.Hold(Seed, 7, (2 * 4096) + 100));
        Assert.That(await source.ReadAsync(10, pages.ToRead, default), Is.Zero);
        Assert.That(asked, Is.EqualTo(new ulong[] { 3, 9, 7, 8, 9 }), "pages beyond the last are not asked for");
    }

    [Test]
    public async Task AnAsynchronousLoaderIsAskedForNeighboursAtOnce()
    {
        TaskCompletionSource open = new();
        int started = 0;
        LoaderPageSource source = new(100, loadAsync: async (page, destination, _) =>
        {
            Interlocked.Increment(ref started);
            await open.Task;
            ModelledPageSource.Fill(Seed, page, destination.Span);
            return destination.Length;
        });
        using SourcePages pages = new(4, 4096);
        Task<long> reading = source.ReadAsync(20, pages.ToRead, default).AsTask();
        Assert.That(source.IsAsync);
        Assert.That(started, Is.EqualTo(4));
        Assert.That(reading.IsCompleted, Is.False);
        open.SetResult();
        Assert.That(await reading, Is.EqualTo(4 * 4096));
        Assert.That(pages.Hold(Seed, 20, 4 * 4096));
        Assert.That(await source.ReadAsync(30, [pages.ToRead[1]], default), Is.EqualTo(4096));
        Assert.That(source.Read(5, pages[0]), Is.EqualTo(4096), "a thread that waits");
        Assert.That(ModelledPageSource.Verify(Seed, 5, pages[0]));
        Assert.That(ModelledPageSource.Verify(Seed, 30, pages[1]));
    }

    [Test]
    public void AFailureIsToldOnlyWhenAllNeighboursHaveEnded()
    {
        TaskCompletionSource open = new();
        LoaderPageSource source = new(100, loadAsync: async (page, destination, _) =>
        {
            if (page == 1) throw new TimeoutException("page 1 is slow");
            if (page == 2) await open.Task;
            return destination.Length;
        });
        using SourcePages pages = new(4, 4096);
        Task<long> reading = source.ReadAsync(0, pages.ToRead, default).AsTask();
        Assert.That(reading.IsCompleted, Is.False, "page 2 is still being written to");
        open.SetResult();
        Assert.That(
            Assert.ThrowsAsync<TimeoutException>(() => reading)!.Message, Is.EqualTo("page 1 is slow"));
    }

    [Test]
    public void ALoaderThatThrowsBeforeItsTaskIsNoDifferent()
    {
        AsyncPageLoader throws = (_, _, _) => throw new TimeoutException("at once");
        using SourcePages pages = new(2, 4096);
        Assert.ThrowsAsync<TimeoutException>(
            async () => await new LoaderPageSource(9, loadAsync: throws).ReadAsync(0, pages.ToRead, default));
        Assert.Throws<TimeoutException>(() => new LoaderPageSource(9, loadAsync: throws).Read(0, pages[0]));
        LoaderPageSource inTurn = new(9, load: (_, _) => throw new TimeoutException("at once"));
        ValueTask<long> reading = inTurn.ReadAsync(0, pages.ToRead, default);
        Assert.ThrowsAsync<TimeoutException>(async () => await reading);
    }

    [TestCase(3ul, 4000)]
    [TestCase(3ul, -1)]
    [TestCase(9ul, 4097)]
    [TestCase(9ul, -1)]
    public void ALoadersWordIsChecked(ulong page, int returned)
    {
        LoaderPageSource source = new(10, load: (_, _) => returned);
        LoaderPageSource asynchronous = new(10, loadAsync: (_, _, _) => new ValueTask<int>(returned));
        string message = $"the loader returned {returned} bytes for page {page} of 10: a page has 4096, and only the "
            + "last may have fewer; fill the whole page, or throw where it cannot be had";
        Assert.That(Assert.Throws<IOException>(() => source.Read(page, new byte[4096]))!.Message, Is.EqualTo(message));
        foreach (LoaderPageSource either in new[] { source, asynchronous })
        {
            Assert.That(
                Assert.ThrowsAsync<IOException>(
                    async () => await either.ReadAsync(page, [new byte[4096]], default))!.Message,
                Is.EqualTo(message));
        }
    }

    [Test]
    public async Task AWriterGetsEachPageAndWhatItThrowsIsPassedOn()
    {
        List<(ulong Page, int Bytes)> written = [];
        int flushes = 0;
        LoaderPageSource source = new(
            10,
            load: (_, destination) => destination.Length,
            write: (page, data, _) =>
            {
                if (page == 5) throw new TimeoutException("page 5");
                written.Add((page, data.Length));
                return default;
            },
            flush: _ =>
            {
                flushes++;
                return default;
            });
        Assert.That(source.CanWrite);
        await source.WriteAsync(8, [new byte[4096], new byte[10]], default);
        await source.FlushAsync(default);
        Assert.ThrowsAsync<TimeoutException>(
            async () => await source.WriteAsync(4, [new byte[4096], new byte[4096], new byte[4096]], default));
        Assert.That(written, Is.EqualTo(new[] { (8ul, 4096), (9ul, 10), (4ul, 4096) }));
        Assert.That(flushes, Is.EqualTo(1));
    }

    [Test]
    public void CancellationStopsBetweenPagesAndReachesTheLoader()
    {
        using CancellationTokenSource cancel = new();
        using SourcePages pages = new(4, 4096);
        int loaded = 0;
        LoaderPageSource inTurn = new(10, load: (_, destination) =>
        {
            if (++loaded == 2) cancel.Cancel();
            return destination.Length;
        });
        Assert.ThrowsAsync<OperationCanceledException>(
            async () => await inTurn.ReadAsync(0, pages.ToRead, cancel.Token));
        Assert.That(loaded, Is.EqualTo(2));

        LoaderPageSource asynchronous = new(10, loadAsync: async (_, destination, cancellation) =>
        {
            await Task.Delay(Timeout.Infinite, cancellation);
            return destination.Length;
        });
        using CancellationTokenSource second = new();
        Task<long> reading = asynchronous.ReadAsync(0, pages.ToRead, second.Token).AsTask();
        second.Cancel();
        Assert.ThrowsAsync<TaskCanceledException>(() => reading);
    }

    [Test]
    public void WhatCannotWorkIsRefusedAtOnce()
    {
        PageLoader load = (_, destination) => destination.Length;
        Assert.That(
            Assert.Throws<ArgumentException>(() => _ = new LoaderPageSource(1))!.Message,
            Does.StartWith("a source needs a loader: give one that is synchronous, asynchronous or both"));
        Assert.Throws<ArgumentException>(() => _ = new LoaderPageSource(1, load, flush: _ => default));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new LoaderPageSource(PageKey.PageMax + 2, load));
        Assert.That(
            Assert.ThrowsAsync<IOException>(
                async () => await new LoaderPageSource(1, load).WriteAsync(0, [new byte[4096]], default))!.Message,
            Is.EqualTo("cannot write page 0: its source has no writer; give LoaderPageSource one"));
    }

    [Test]
    public void TheNumberOfPagesMayChange()
    {
        LoaderPageSource source = new(1, load: (_, destination) => destination.Length);
        Assert.That(source.Read(1, new byte[4096]), Is.Zero);
        source.PageCount = 2;
        Assert.That(source.Read(1, new byte[4096]), Is.EqualTo(4096));
    }
}
