// SPDX-License-Identifier: MIT
using PerfCache.Cache.Sources;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Cache.Sources;

/// <summary>
/// Goal: what is written is read, to the byte, at every page size, at the end of the file, and with and
/// without the kernel's page cache. Method: files of the modelled pattern; whatever the source does is
/// checked past it, by the platform's plain file calls.
/// </summary>
[TestFixture(DirectIo.Off)]
[TestFixture(DirectIo.Required)]
public sealed class FilePageSourceTests(DirectIo direct) : FolderFixture
{
    private const ulong Seed = 42;

    private MemoryMeter _meter = null!;

    [SetUp]
    public void MakeMeterAndAskForDirectIo()
    {
        _meter = new MemoryMeter();
        if (direct == DirectIo.Off) return;
        File.WriteAllBytes(PathOf("probe"), new byte[4096]);
        using FilePageSource probe = FilePageSource.Open(
            PathOf("probe"), new FilePageSourceOptions { DirectIo = DirectIo.IfPossible });
        if (!probe.IsDirect) Assert.Ignore($"no direct I/O in {Folder}: {probe.DirectIoRefusal}");
    }

    [TearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [TestCase(4096)]
    [TestCase(8192)]
    [TestCase(65536)]
    public async Task WhatIsWrittenIsRead(int pageBytes)
    {
        using FilePageSource source = Open("file", new() { PageBytes = pageBytes, Create = true, CanGrow = true });
        using SourcePages pages = new SourcePages(16, pageBytes, _meter).Filled(Seed);
        await source.WriteAsync(0, pages.ToWrite, default);
        await source.FlushAsync(default);
        Assert.Multiple(() =>
        {
            Assert.That(source.PageCount, Is.EqualTo(16));
            Assert.That(source.IsDirect, Is.EqualTo(direct == DirectIo.Required));
            Assert.That(SourcePages.FileHolds(PathOf("file"), Seed, pageBytes, 16L * pageBytes));
        });

        Assert.That(await source.ReadAsync(0, pages.Soiled().ToRead, default), Is.EqualTo(16L * pageBytes));
        Assert.That(pages.Hold(Seed, 0, 16L * pageBytes));
        for (ulong page = 0; page < 16; page++)
        {
            Assert.That(source.Read(page, pages.Soiled()[0]), Is.EqualTo(pageBytes));
            Assert.That(ModelledPageSource.Verify(Seed, page, pages[0]));
        }
    }

    [TestCase(4096, 1)]
    [TestCase(4096, 512)]
    [TestCase(4096, 4095)]
    [TestCase(8192, 4096)]
    [TestCase(8192, 5000)]
    [TestCase(65536, 40_961)]
    public async Task AShortLastPageIsReadAsFarAsItGoes(int pageBytes, int tail)
    {
        SourcePages.WriteFile(PathOf("file"), Seed, pageBytes, (3L * pageBytes) + tail);
        using FilePageSource source = Open("file", new() { PageBytes = pageBytes, ReadOnly = true });
        using SourcePages pages = new(6, pageBytes, _meter);
        Assert.That(source.PageCount, Is.EqualTo(4));
        Assert.That(source.Read(3, pages.Soiled()[0]), Is.EqualTo(tail));
        Assert.That(ModelledPageSource.Verify(Seed, 3, pages[0][..tail]));
        Assert.That(source.Read(4, pages[0]), Is.Zero);
        Assert.That(source.Read(ulong.MaxValue, pages[0]), Is.Zero);

        // Six pages from the second on: two whole ones, the short one, and three that there are not.
        Assert.That(await source.ReadAsync(1, pages.Soiled().ToRead, default), Is.EqualTo((2L * pageBytes) + tail));
        Assert.That(pages.Hold(Seed, 1, (2L * pageBytes) + tail));
        Assert.That(await source.ReadAsync(4, pages.ToRead, default), Is.Zero);
    }

    [TestCase(4096, 1)]
    [TestCase(8192, 4608)]
    [TestCase(65536, 65_535)]
    public async Task AFileThatMayNotGrowKeepsItsLength(int pageBytes, int tail)
    {
        long length = (2L * pageBytes) + tail;
        SourcePages.WriteFile(PathOf("file"), Seed, pageBytes, length);
        using FilePageSource source = Open("file", new() { PageBytes = pageBytes });
        using SourcePages pages = new(3, pageBytes, _meter);

        await source.WriteAsync(0, pages.Filled(1).ToWrite, default);
        Assert.That(SourcePages.FileHolds(PathOf("file"), 1, pageBytes, length), "whole buffers");
        pages.Filled(2);
        await source.WriteAsync(0, [pages.ToWrite[0], pages.ToWrite[1], pages.ToWrite[2][..tail]], default);
        Assert.That(SourcePages.FileHolds(PathOf("file"), 2, pageBytes, length), "a short last buffer");
        pages.Filled(3, 2);
        await source.WriteAsync(2, [pages.ToWrite[0]], default);
        Assert.That(await source.ReadAsync(2, [pages.ToRead[1]], default), Is.EqualTo(tail));
        Assert.That(ModelledPageSource.Verify(3, 2, pages[1][..tail]), "the tail read back");

        IOException? refusal = Assert.ThrowsAsync<IOException>(
            async () => await source.WriteAsync(2, [pages.ToWrite[0], pages.ToWrite[1]], default));
        Assert.That(refusal!.Message, Is.EqualTo(
            $"cannot write pages 2 to 3 of '{PathOf("file")}': it has 3 pages and may not grow; open it with CanGrow"));
        Assert.That(new FileInfo(PathOf("file")).Length, Is.EqualTo(length));
    }

    [Test]
    public async Task AFileThatMayGrowEndsWhereTheLastBufferEnds()
    {
        const int PageBytes = 8192;
        using FilePageSource source = Open("file", new() { PageBytes = PageBytes, Create = true, CanGrow = true });
        using SourcePages pages = new SourcePages(3, PageBytes, _meter).Filled(Seed);
        await source.WriteAsync(0, [pages.ToWrite[0], pages.ToWrite[1][..100]], default);
        Assert.That(source.LengthBytes, Is.EqualTo(PageBytes + 100));
        Assert.That(SourcePages.FileHolds(PathOf("file"), Seed, PageBytes, PageBytes + 100));

        // The page that was short becomes a whole one, and the file longer; then a page in front of it, and
        // no shorter.
        await source.WriteAsync(1, [pages.ToWrite[1], pages.ToWrite[2]], default);
        await source.WriteAsync(0, [pages.ToWrite[0]], default);
        Assert.That(source.PageCount, Is.EqualTo(3));
        Assert.That(SourcePages.FileHolds(PathOf("file"), Seed, PageBytes, 3 * PageBytes));

        // Skipped pages are a hole.
        await source.WriteAsync(9, [pages.Filled(Seed, 9).ToWrite[0]], default);
        Assert.That(source.PageCount, Is.EqualTo(10));
        Assert.That(source.Read(5, pages[1]), Is.EqualTo(PageBytes));
        Assert.That(pages[1].ContainsAnyExcept((byte)0), Is.False);
        Assert.That(source.Read(9, pages[1]), Is.EqualTo(PageBytes));
        Assert.That(ModelledPageSource.Verify(Seed, 9, pages[1]));
    }

    [Test]
    public async Task AShortBufferBeforeTheEndIsRefused()
    {
        SourcePages.WriteFile(PathOf("file"), Seed, 4096, 4 * 4096);
        using FilePageSource source = Open("file", new() { CanGrow = true });
        using SourcePages pages = new(2, 4096, _meter);
        Assert.That(
            Assert.ThrowsAsync<ArgumentException>(
                async () => await source.WriteAsync(1, [pages.ToWrite[0], pages.ToWrite[1][..100]], default))!.Message,
            Does.StartWith($"'{PathOf("file")}': 100 bytes where a page of 4096 belongs"));
        Assert.ThrowsAsync<ArgumentException>(
            async () => await source.WriteAsync(3, [pages.ToWrite[0][..100], pages.ToWrite[1]], default));
        Assert.Throws<ArgumentException>(() => source.Read(0, pages[0][..512]));
        Assert.ThrowsAsync<ArgumentException>(async () => await source.ReadAsync(0, [pages.ToRead[0][..512]], default));
        await source.WriteAsync(0, [], default);
        Assert.That(await source.ReadAsync(0, [], default), Is.Zero);
        Assert.That(SourcePages.FileHolds(PathOf("file"), Seed, 4096, 4 * 4096));
    }

    [TestCase(4096, 1100)]
    [TestCase(65536, 16)]
    public async Task OneRequestMayBeMoreThanTheKernelTakesAtOnce(int pageBytes, int count)
    {
        // The kernel takes 1024 buffers a call: the first case is read and written in two, the second has 1
        // MiB in one.
        long length = ((long)count * pageBytes) - 100;
        SourcePages.WriteFile(PathOf("file"), Seed, pageBytes, length);
        using FilePageSource source = Open("file", new() { PageBytes = pageBytes });
        using SourcePages pages = new(count, pageBytes, _meter);
        Assert.That(await source.ReadAsync(0, pages.Soiled().ToRead, default), Is.EqualTo(length));
        Assert.That(pages.Hold(Seed, 0, length));
        await source.WriteAsync(0, pages.Filled(7).ToWrite, default);
        Assert.That(SourcePages.FileHolds(PathOf("file"), 7, pageBytes, length));
    }

    [Test]
    public void AnyStopInTheMiddleLeavesTheRightRest()
    {
        using SourcePages pages = new SourcePages(3, 4096, _meter).Filled(Seed);
        for (int done = 0; done < 3 * 4096; done += 256)
        {
            Memory<byte>[] rest = PageBuffers.Behind(pages.ToRead, done);
            Assert.That(rest.Sum(part => part.Length), Is.EqualTo((3 * 4096) - done));
            Assert.That(rest[0].Span[0], Is.EqualTo(pages[done / 4096][done % 4096]));
            IReadOnlyList<ReadOnlyMemory<byte>> front = PageBuffers.Before(pages.ToWrite, done + 256);
            Assert.That(front.Sum(part => part.Length), Is.EqualTo(done + 256));
            Assert.That(front[^1].Span[^1], Is.EqualTo(pages[(done + 255) / 4096][(done + 255) % 4096]));
        }

        Assert.That(PageBuffers.Before(pages.ToWrite, 3 * 4096), Is.SameAs(pages.ToWrite));
    }

    [Test]
    public async Task OthersChangesOfTheLengthAreSeenAtARefresh()
    {
        SourcePages.WriteFile(PathOf("file"), Seed, 4096, (2 * 4096) + 100);
        using FilePageSource source = Open("file", new());
        using SourcePages pages = new(4, 4096, _meter);

        SourcePages.WriteFile(PathOf("file"), Seed, 4096, 4 * 4096);
        Assert.That(await source.ReadAsync(0, pages.ToRead, default), Is.EqualTo((2 * 4096) + 100), "still the old end");
        Assert.That(source.Refresh(), Is.EqualTo(4));
        Assert.That(await source.ReadAsync(0, pages.ToRead, default), Is.EqualTo(4 * 4096));
        Assert.That(pages.Hold(Seed, 0, 4 * 4096));

        SourcePages.WriteFile(PathOf("file"), Seed, 4096, 4096 + 100);
        EndOfStreamException? cut = Assert.Throws<EndOfStreamException>(() => source.Read(1, pages[0]));
        Assert.That(cut!.Message, Is.EqualTo(
            $"reading 4096 bytes at offset 4096 of '{PathOf("file")}' found 100: the file was cut after it was opened; "
            + "call Refresh and invalidate the pages beyond its end"));
        Assert.ThrowsAsync<EndOfStreamException>(async () => await source.ReadAsync(0, pages.ToRead, default));
        Assert.That(source.Refresh(), Is.EqualTo(2));
        Assert.That(await source.ReadAsync(0, pages.ToRead, default), Is.EqualTo(4096 + 100));
    }

    [Test]
    public void ManyThreadsReadAndWriteAtOnce()
    {
        const int PageCount = 256;
        SourcePages.WriteFile(PathOf("file"), Seed, 4096, (PageCount * 4096L) - 1000);
        using FilePageSource source = Open("file", new());
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, thread =>
        {
            Random random = new(thread);
            using SourcePages pages = new(8, 4096, _meter);
            for (int i = 0; i < 200; i++)
            {
                // Each thread writes pages of its own and reads everybody's: the bytes are the same before
                // and after.
                ulong first = (ulong)random.Next(PageCount);
                long valid = source.ReadAsync(first, pages.Soiled().ToRead, default).AsTask().GetAwaiter().GetResult();
                long there = Math.Min(8 * 4096L, (PageCount * 4096L) - 1000 - ((long)first * 4096));
                Assert.That(valid, Is.EqualTo(there));
                Assert.That(pages.Hold(Seed, first, valid));
                ulong mine = (ulong)((random.Next(PageCount / 4) * 4) + thread);
                ModelledPageSource.Fill(Seed, mine, pages[0]);
                source.WriteAsync(mine, [pages.ToWrite[0]], default).AsTask().GetAwaiter().GetResult();
            }
        });
        Assert.That(SourcePages.FileHolds(PathOf("file"), Seed, 4096, (PageCount * 4096L) - 1000));
    }

    [Test]
    public void ACancelledRequestReadsAndWritesNothing()
    {
        SourcePages.WriteFile(PathOf("file"), Seed, 4096, 4 * 4096);
        using FilePageSource source = Open("file", new());
        using SourcePages pages = new SourcePages(4, 4096, _meter).Soiled();
        CancellationToken cancelled = new(canceled: true);
        Assert.ThrowsAsync(Is.InstanceOf<OperationCanceledException>(),
            async () => await source.ReadAsync(0, pages.ToRead, cancelled));
        Assert.ThrowsAsync(Is.InstanceOf<OperationCanceledException>(),
            async () => await source.WriteAsync(0, pages.ToWrite, cancelled));
        Assert.ThrowsAsync(Is.InstanceOf<OperationCanceledException>(), async () => await source.FlushAsync(cancelled));
        Assert.That(pages[0].ContainsAnyExcept((byte)0xEE), Is.False);
        Assert.That(SourcePages.FileHolds(PathOf("file"), Seed, 4096, 4 * 4096));
    }

    [Test]
    public void BuffersOfDirectIoMustBeAligned()
    {
        SourcePages.WriteFile(PathOf("file"), Seed, 4096, 2 * 4096);
        using FilePageSource source = Open("file", new());
        using SourcePages pages = new(2, 8192, _meter);
        int got = 0;
        Action read = () => got = source.Read(1, pages[0].Slice(512, 4096));
        Func<Task> write = async () => await source.WriteAsync(0, [pages.ToWrite[0].Slice(512, 4096)], default);
        if (direct == DirectIo.Off)
        {
            Assert.DoesNotThrow(read);
            Assert.That(got, Is.EqualTo(4096));
            Assert.DoesNotThrowAsync(write);
            return;
        }

        Assert.That(Assert.Throws<ArgumentException>(read)!.Message, Does.StartWith(
            $"'{PathOf("file")}': direct I/O needs buffers at multiples of 4096 bytes, this one is 512 bytes behind one; "
            + "use page memory, or open the file with DirectIo.Off"));
        Assert.ThrowsAsync<ArgumentException>(write);
        Assert.ThrowsAsync<ArgumentException>(
            async () => await source.ReadAsync(0, [pages.ToRead[0].Slice(512, 4096)], default));
    }

    private FilePageSource Open(string name, FilePageSourceOptions like) => FilePageSource.Open(
        PathOf(name),
        new FilePageSourceOptions
        {
            PageBytes = like.PageBytes,
            ReadOnly = like.ReadOnly,
            Create = like.Create,
            CanGrow = like.CanGrow,
            DirectIo = direct,
        });
}
