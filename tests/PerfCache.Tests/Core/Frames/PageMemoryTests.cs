// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Frames;

/// <summary>
/// Goal: page data stays where it is, is charged exactly as long as it is usable, and nobody sees the bytes of a frame's
/// former tenant. Every test runs on its own meter, which must read zero at its end.
/// </summary>
[TestFixture]
public sealed class PageMemoryTests
{
    private const int PageBytes = 4096;

    private static readonly PageMemoryKind[] s_kinds =
        [PageMemoryKind.Resident, PageMemoryKind.Lendable, PageMemoryKind.Shared];

    private MemoryMeter _meter = null!;

    [SetUp]
    public void MakeMeter() => _meter = new MemoryMeter();

    [TearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void PagesGrowInPlaceAndAreChargedExactly([ValueSource(nameof(s_kinds))] PageMemoryKind kind)
    {
        using PageMemory memory = Make(1000, kind);
        Assert.That(_meter.OutstandingBytes, Is.Zero, "address space costs nothing");
        memory.EnsureFrames(10);
        memory.Page(new FrameId(10)).Fill(7);
        memory.EnsureFrames(1000);
        memory.EnsureFrames(5);
        Assert.Multiple(() =>
        {
            Assert.That(memory.Page(new FrameId(10)).ContainsAnyExcept((byte)7), Is.False);
            Assert.That(memory.Page(new FrameId(1000)).ContainsAnyExcept((byte)0), Is.False);
            Assert.That(memory.FrameCount, Is.EqualTo(1000));
            Assert.That(memory.CommittedBytes, Is.EqualTo(1000 * PageBytes));
            Assert.That(_meter.OutstandingBytes, Is.EqualTo(memory.CommittedBytes + memory.BookkeepingBytes));
            Assert.That(_meter.OutstandingBytes, Is.EqualTo(PageMemory.BytesFor(1000, PageBytes)));
        });
        memory.Validate();
    }

    [Test]
    public void ADiscardedFrameIsNotChargedAndReadsAsZeroForItsNextTenant(
        [ValueSource(nameof(s_kinds))] PageMemoryKind kind, [Values(4096, 16384)] int pageBytes)
    {
        SkipUnlessReal();
        using PageMemory memory = Make(64, kind, pageBytes);
        memory.EnsureFrames(64);
        for (uint frame = 1; frame <= 64; frame++) memory.Page(new FrameId(frame)).Fill((byte)frame);
        long before = _meter.OutstandingBytes;

        // Out of order, with neighbours and a repetition.
        FrameId[] given = [new(7), new(64), new(5), new(6), new(7), new(1)];
        Assert.That(memory.Discard(given), Is.EqualTo(5));
        Assert.That(_meter.OutstandingBytes, Is.EqualTo(before - (5 * pageBytes)));
        Assert.That(memory.CommittedBytes, Is.EqualTo(59 * pageBytes));
        Assert.That(memory.Discard(given), Is.Zero, "they are discarded already");
        memory.Validate();
        Assert.That(memory.IsDiscarded(new FrameId(6)) && !memory.IsDiscarded(new FrameId(8)), Is.True);

        Assert.That(memory.Restore(given), Is.EqualTo(5));
        Assert.That(_meter.OutstandingBytes, Is.EqualTo(before));
        Assert.That(memory.Restore(given), Is.Zero, "they are usable already");
        memory.Validate();
        for (uint frame = 1; frame <= 64; frame++)
        {
            byte expected = given.Contains(new FrameId(frame)) ? (byte)0 : (byte)frame;
            Assert.That(memory.Page(new FrameId(frame)).ContainsAnyExcept(expected), Is.False, $"frame {frame}");
        }
    }

    [TestCase(PageMemoryKind.Resident, 21)]
    [TestCase(PageMemoryKind.Lendable, 22)]
    [TestCase(PageMemoryKind.Shared, 23)]
    public void BehavesLikeAnArrayOfPages(PageMemoryKind kind, int seed)
    {
        SkipUnlessReal();
        const uint FrameMax = 200;
        Random random = TestSeed.Random(seed);
        using PageMemory memory = Make(FrameMax, kind);
        byte[] tenant = new byte[FrameMax + 1];
        bool[] discarded = new bool[FrameMax + 1];
        uint count = 0;
        for (int step = 0; step < 3000; step++)
        {
            FrameId[] some = [.. Enumerable.Range(0, random.Next(1, 40))
                .Select(_ => new FrameId((uint)random.Next(1, (int)Math.Max(2, count + 1))))];
            switch (random.Next(5))
            {
                case 0:
                    memory.EnsureFrames(count = Math.Min(FrameMax, count + (uint)random.Next(4)));
                    break;
                case 1 when count > 0:
                    uint expected = (uint)some.Distinct().Count(frame => !discarded[frame.Value]);
                    Assert.That(memory.Discard(some), Is.EqualTo(expected), $"step {step}");
                    foreach (FrameId frame in some) (discarded[frame.Value], tenant[frame.Value]) = (true, 0);
                    break;
                case 2 when count > 0:
                    memory.Restore(some);
                    foreach (FrameId frame in some) discarded[frame.Value] = false;
                    break;
                case 3 when count > 0:
                    memory.Prefault(new FrameId(1), count);
                    break;
                default:
                    foreach (FrameId frame in some.Where(each => each.Value <= count && !discarded[each.Value]))
                        memory.Page(frame).Fill(tenant[frame.Value] = (byte)random.Next(256));
                    break;
            }

            if (count > 0)
            {
                FrameId probe = some[0];
                Assert.That(memory.Page(probe).ContainsAnyExcept(tenant[probe.Value]), Is.False, $"step {step}: {probe}");
            }

            memory.Validate();
            Assert.That(
                memory.CommittedBytes, Is.EqualTo((count - discarded.Count(each => each)) * PageBytes), $"step {step}");
            Assert.That(_meter.OutstandingBytes, Is.EqualTo(memory.CommittedBytes + memory.BookkeepingBytes));
        }
    }

    [Test]
    public void AMeterAtItsLimitRefusesARestoreAndLeavesTheFramesDiscarded()
    {
        SkipUnlessReal();
        MemoryMeter small = new(PageMemory.BytesFor(16, PageBytes));
        using (PageMemory memory = new(32, PageBytes, small))
        {
            memory.EnsureFrames(16);
            Assert.Throws<NativeMemoryException>(() => memory.EnsureFrames(17));
            Assert.That(memory.FrameCount, Is.EqualTo(16));
            Assert.That(memory.Discard([new(3), new(4), new(9)]), Is.EqualTo(3));
            memory.EnsureFrames(18);
            NativeMemoryException? refusal = Assert.Throws<NativeMemoryException>(
                () => memory.Restore([new(1), new(3), new(4), new(3)]));
            Assert.That(refusal!.Message, Does.Contain("page data").And.Contain("limit"));
            memory.Validate();
            Assert.That(memory.DiscardedFrames, Is.EqualTo(3));
            Assert.That(memory.Restore([new(4), new(4)]), Is.EqualTo(1));
            memory.Validate();
        }

        Assert.That(small.OutstandingBytes, Is.Zero, "discarded frames must not be subtracted twice");
    }

    [Test]
    public void PrefaultBacksUsableFramesOnlyAndChangesNoByte([ValueSource(nameof(s_kinds))] PageMemoryKind kind)
    {
        const uint Frames = 4096;
        using PageMemory memory = Make(Frames, kind);
        memory.EnsureFrames(Frames);
        memory.Page(new FrameId(2000)).Fill(9);
        FrameId[] holes = [.. Enumerable.Range(1, 512).Select(i => new FrameId((uint)i * 8))];
        memory.Discard(holes);
        List<long> reports = [];
        memory.Prefault(new FrameId(1), Frames, new Recorder(reports.Add));
        PageMemoryReport report = memory.Describe();
        TestContext.Out.WriteLine(report);
        Assert.That(reports, Is.Ordered.Ascending);
        Assert.That(reports[^1], Is.EqualTo((long)Frames * PageBytes));
        Assert.That(reports, Has.Count.GreaterThan(1), "progress is told on the way");
        // Frame 2000 is a hole, frame 2001 is not.
        Assert.That(memory.Page(new FrameId(2001)).ContainsAnyExcept((byte)0), Is.False);
        if (report.ResidentBytes is not long resident) Assert.Ignore("this system does not tell what is resident");
        else Assert.That(resident, Is.EqualTo(memory.CommittedBytes), "all of it, and no hole");
    }

    [Test]
    public void PrefaultStopsWhereItIsCancelled()
    {
        using PageMemory memory = Make(4096, PageMemoryKind.Lendable);
        memory.EnsureFrames(4096);
        using CancellationTokenSource source = new();
        List<long> reports = [];
        Recorder progress = new(bytes =>
        {
            reports.Add(bytes);
            source.Cancel();
        });
        Assert.Throws<OperationCanceledException>(() => memory.Prefault(new FrameId(1), 4096, progress, source.Token));
        Assert.That(reports, Has.Count.EqualTo(1));
        if (memory.Describe().ResidentBytes is long resident) Assert.That(resident, Is.EqualTo(reports[0]));
    }

    [Test]
    public void ThreadsThatDiscardRestorePrefaultAndReadLateLeaveTheAccountExact()
    {
        SkipUnlessReal();
        const uint Frames = 2048;
        using PageMemory memory = Make(Frames, PageMemoryKind.Resident);
        memory.EnsureFrames(Frames);
        for (int phase = 0; phase < 6; phase++)
        {
            RunTenants(memory, phase);
            memory.Validate();
            Assert.That(memory.CommittedBytes, Is.EqualTo((Frames - memory.DiscardedFrames) * PageBytes));
            Assert.That(_meter.OutstandingBytes, Is.EqualTo(memory.CommittedBytes + memory.BookkeepingBytes));
            // A frame that was backed after it was discarded, by a pre-fault that came late, would be one too many.
            memory.Prefault(new FrameId(1), Frames);
            Assert.That(memory.Describe().ResidentBytes, Is.Null.Or.EqualTo(memory.CommittedBytes), $"phase {phase}");
        }

        FrameId[] all = [.. Enumerable.Range(1, (int)Frames).Select(frame => new FrameId((uint)frame))];
        memory.Restore(all);
        memory.Discard(all);
        Assert.That(memory.CommittedBytes, Is.Zero);
        Assert.That(memory.Describe().ResidentBytes, Is.Null.Or.Zero);
    }

    private static void RunTenants(PageMemory memory, int phase)
    {
        using CancellationTokenSource stop = new();
        Task prefaulter = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested) memory.Prefault(new FrameId(1), memory.FrameCount);
        });
        // A reader without any lock, as a hit is: it must never fault, and sees a tenant's byte or zero.
        Task<int> reader = Task.Run(() =>
        {
            int strange = 0;
            for (uint i = 0; !stop.IsCancellationRequested; i++)
            {
                byte seen = memory.Page(new FrameId((i % memory.FrameCount) + 1))[(int)(i % PageBytes)];
                if (seen is not (0 or 1 or 2)) strange++;
            }

            return strange;
        });
        Task[] tenants = [.. Enumerable.Range(1, 2).Select(tenant => Task.Run(() =>
        {
            Random random = new((phase * 2) + tenant);
            for (int round = 0; round < 20; round++)
            {
                // Each tenant has every other frame, so runs of neighbours are never whole.
                FrameId[] own = [.. Enumerable.Range(0, 64)
                    .Select(_ => new FrameId((uint)((random.Next((int)memory.FrameCount / 2) * 2) + tenant)))];
                memory.Discard(own);
                foreach (FrameId frame in own)
                    Assert.That(memory.Page(frame).ContainsAnyExcept((byte)0), Is.False, $"round {round}: {frame}");
                memory.Restore(own);
                foreach (FrameId frame in own) memory.Page(frame).Fill((byte)tenant);
                memory.Discard(own.AsSpan(0, 32));
            }
        }))];
        Task.WaitAll(tenants);
        stop.Cancel();
        Task.WaitAll(prefaulter, reader);
        Assert.That(reader.Result, Is.Zero);
    }

    [Test]
    public unsafe void TheFallbackOfPrefaultLosesNoWriteOfAnotherThread()
    {
        using PageMemory memory = Make(1, PageMemoryKind.Lendable);
        memory.EnsureFrames(1);
        byte* page = memory.Address(new FrameId(1));
        const int Rounds = 2_000_000;
        Task writer = Task.Run(() =>
        {
            for (int i = 0; i < Rounds; i++) Interlocked.Increment(ref *(int*)page);
        });
        while (!writer.IsCompleted) PageMemory.TouchWithoutChange(page);
        writer.Wait();
        Assert.That(*(int*)page, Is.EqualTo(Rounds));
    }

    [Test]
    public void LazilyFreedFramesKeepWhatIsWrittenAfterwardsAndShowInTheReport()
    {
        SkipUnlessReal();
        using PageMemory memory = Make(1024, PageMemoryKind.Lendable);
        memory.EnsureFrames(1024);
        for (uint frame = 1; frame <= 1024; frame++) memory.Page(new FrameId(frame)).Fill((byte)frame);
        long before = _meter.OutstandingBytes;
        if (!memory.MarkLazyFree(new FrameId(1), 1024)) Assert.Ignore("this system does not know MADV_FREE");
        for (uint frame = 2; frame <= 1024; frame += 2) memory.Page(new FrameId(frame)).Fill(0xEE);
        for (uint frame = 1; frame <= 1024; frame++)
        {
            ReadOnlySpan<byte> page = memory.Page(new FrameId(frame));
            byte first = page[0];
            Assert.That(page.ContainsAnyExcept(first), Is.False);
            Assert.That(first, Is.EqualTo(frame % 2 == 0 ? (byte)0xEE : (byte)frame).Or.EqualTo(frame % 2 == 0 ? 0xEE : 0));
        }

        Assert.That(_meter.OutstandingBytes, Is.EqualTo(before), "lazily free is still charged");
        PageMemoryReport report = memory.Describe();
        TestContext.Out.WriteLine(report);
        // The system marks in batches, so a few may lag; the even frames are no longer free.
        if (report.LazyFreeBytes is long lazy) Assert.That(lazy, Is.InRange(PageBytes, 512 * PageBytes));
    }

    [Test]
    public void OnlyLendablePageDataIsFreedLazily(
        [Values(PageMemoryKind.Resident, PageMemoryKind.Shared)] PageMemoryKind kind)
    {
        using PageMemory memory = Make(4, kind);
        memory.EnsureFrames(4);
        InvalidOperationException? refusal = Assert.Throws<InvalidOperationException>(
            () => memory.MarkLazyFree(new FrameId(1), 4));
        Assert.That(refusal!.Message, Does.Contain("Lendable"));
    }

    [Test]
    public void HugePagesAreGotWhereTheSystemGrantsThemAndNeverWhereNotAsked()
    {
        SkipUnlessReal();
        const uint Frames = 4096;
        using PageMemory huge = Make(Frames, PageMemoryKind.Resident);
        using PageMemory ordinary = new(
            Frames, PageBytes, _meter, new PageMemoryOptions { HugePages = HugePageUse.Never });
        foreach (PageMemory memory in new[] { huge, ordinary })
        {
            memory.EnsureFrames(Frames);
            memory.Prefault(new FrameId(1), Frames);
        }

        PageMemoryReport got = huge.Describe();
        TestContext.Out.WriteLine(got);
        Assert.That(ordinary.Describe().HugePageBytes, Is.Null.Or.Zero);
        if (got.SystemHugePages is not ("always" or "madvise") || got.HugePageBytes is null or 0)
            Assert.Ignore($"this system gives no huge pages now: {got}");
        Assert.That(got.HugePageBytes, Is.LessThanOrEqualTo(got.ResidentBytes!.Value));

        // A hole in a huge page is really given back, and the other pages of it keep their bytes.
        huge.Page(new FrameId(700)).Fill(3);
        huge.Discard([new FrameId(699), new FrameId(701)]);
        Assert.That(huge.Describe().ResidentBytes, Is.EqualTo(huge.CommittedBytes));
        Assert.That(huge.Page(new FrameId(700)).ContainsAnyExcept((byte)3), Is.False);
    }

    [Test]
    public unsafe void PageDataThatAsksForHugePagesBeginsAtOne()
    {
        SkipUnlessReal();
        using PageMemory memory = Make(4, PageMemoryKind.Resident);
        Assert.That((ulong)memory.Address(new FrameId(1)) % OsMemory.HugePageBytes, Is.EqualTo(0UL));
    }

    [Test]
    public void SharedPageDataIsAFileThatOthersCanRead()
    {
        SkipUnlessReal();
        using PageMemory memory = Make(8, PageMemoryKind.Shared);
        memory.EnsureFrames(8);
        memory.Page(new FrameId(3)).Fill(0x5A);
        using FileStream other = new(
            $"/proc/self/fd/{memory.SharedFile}", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        Assert.That(other.Length, Is.EqualTo(8 * PageBytes));
        byte[] page = new byte[PageBytes];
        other.Position = 2 * PageBytes;
        other.ReadExactly(page);
        Assert.That(page, Is.All.EqualTo(0x5A));
        Assert.That(() => other.SetLength(PageBytes), Throws.InstanceOf<Exception>(), "it cannot be made shorter");
        memory.Discard([new FrameId(3)]);
        other.Position = 2 * PageBytes;
        other.ReadExactly(page);
        Assert.That(page, Is.All.Zero);
    }

    [TestCase(PageMemoryKind.Lendable, HugePageUse.Advise, null, "lendable")]
    [TestCase(PageMemoryKind.Shared, null, true, "DontFork")]
    [TestCase((PageMemoryKind)9, null, null, "kind")]
    public void OptionsThatDoNotGoTogetherAreRefused(
        PageMemoryKind kind, HugePageUse? huge, bool? dontFork, string word)
    {
        PageMemoryOptions options = new() { Kind = kind, HugePages = huge, DontFork = dontFork };
        ArgumentException? refusal = Assert.Throws<ArgumentException>(
            () => _ = new PageMemory(1, PageBytes, _meter, options));
        Assert.That(refusal!.Message, Does.Contain(word));
    }

    [Test]
    public void FramesThatAreNotThereAreRefused()
    {
        using PageMemory memory = Make(8, PageMemoryKind.Lendable);
        memory.EnsureFrames(4);
        Assert.Multiple(() =>
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => memory.EnsureFrames(9));
            Assert.Throws<ArgumentOutOfRangeException>(() => memory.Discard([new(1), new(5)]));
            Assert.Throws<ArgumentOutOfRangeException>(() => memory.Restore([FrameId.None]));
            Assert.Throws<ArgumentOutOfRangeException>(() => memory.Prefault(new FrameId(2), 4));
            Assert.Throws<ArgumentOutOfRangeException>(() => memory.MarkLazyFree(new FrameId(4), uint.MaxValue));
            Assert.Throws<ArgumentOutOfRangeException>(() => _ = new PageMemory(1, 5000, _meter));
        });
        memory.Validate();
    }

    [Test]
    public void AfterDisposeEverythingIsRefused()
    {
        PageMemory memory = Make(8, PageMemoryKind.Lendable);
        memory.EnsureFrames(8);
        memory.Discard([new(2)]);
        memory.Dispose();
        memory.Dispose();
        Assert.Multiple(() =>
        {
            Assert.Throws<ObjectDisposedException>(() => memory.EnsureFrames(1));
            Assert.Throws<ObjectDisposedException>(() => memory.Discard([new(1)]));
            Assert.Throws<ObjectDisposedException>(() => memory.Restore([new(2)]));
            Assert.Throws<ObjectDisposedException>(() => memory.Prefault(new FrameId(1), 1));
            Assert.Throws<ObjectDisposedException>(() => memory.Describe());
        });
    }

    [Test]
    public void AFreedFrameIsPoisonedInBuildsThatCheck()
    {
        using PageMemory memory = Make(2, PageMemoryKind.Resident);
        memory.EnsureFrames(2);
        memory.Page(new FrameId(1)).Fill(1);
        memory.PoisonFreed(new FrameId(1));
#if DEBUG
        const byte Expected = PageMemory.PoisonByte;
#else
        const byte Expected = 1;
#endif
        Assert.That(memory.Page(new FrameId(1)).ContainsAnyExcept(Expected), Is.False);
        Assert.That(memory.Page(new FrameId(2)).ContainsAnyExcept((byte)0), Is.False);
    }

    private static void SkipUnlessReal()
    {
        if (!OsMemory.IsReal) Assert.Ignore("this system's memory cannot be given back in parts");
    }

    [Test]
    public void WithoutHugePagesSetAsideMemoryIsOrdinaryAndTheReasonIsKept()
    {
        // Machines that run tests have none set aside; one that has some gives them, and all the rest holds too.
        SkipUnlessReal();
        using PageMemory memory = new(4096, PageBytes, _meter, new PageMemoryOptions { HugePages = HugePageUse.Pool });
        memory.EnsureFrames(700);
        memory.EnsureFrames(2000);
        for (uint frame = 1; frame <= 2000; frame++) memory.Page(new FrameId(frame)).Fill((byte)frame);
        PageMemoryReport report = memory.Describe();
        if (report.HugePoolBytes == 0)
            Assert.That(report.Refused.Select(refused => refused.Advice), Has.Member("MAP_HUGETLB"));
        Assert.That(memory.CommittedBytes, Is.EqualTo(2000 * PageBytes));
        Assert.That(report.ResidentBytes, Is.GreaterThanOrEqualTo(2000 * PageBytes));
        memory.Discard([new(1)]);
        memory.Validate();
        for (uint frame = 2; frame <= 2000; frame++)
            Assert.That(memory.Page(new FrameId(frame)).ContainsAnyExcept((byte)frame), Is.False);
        Assert.That(
            () => new PageMemoryOptions { Kind = PageMemoryKind.Shared, HugePages = HugePageUse.Pool }.CheckConsistent(),
            Throws.ArgumentException.With.Message.Contains("huge page pool"));
    }

    private PageMemory Make(uint frameMax, PageMemoryKind kind, int pageBytes = PageBytes)
    {
        if (kind == PageMemoryKind.Shared && !OsMemory.IsReal) Assert.Ignore("this system has no files in memory");
        return new PageMemory(frameMax, pageBytes, _meter, new PageMemoryOptions { Kind = kind });
    }

    private sealed class Recorder(Action<long> record) : IProgress<long>
    {
        public void Report(long value) => record(value);
    }
}
