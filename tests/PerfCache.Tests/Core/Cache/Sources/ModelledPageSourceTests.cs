// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Cache.Sources;

namespace PerfCache.Tests.Core.Cache.Sources;

/// <summary>
/// Goal: modelled pages tell which they are, to the byte, and requests fail and wait as asked. Method: a
/// scalar twin of the pattern, every way to damage a page, and a clock that the test moves.
/// </summary>
[TestFixture]
public sealed class ModelledPageSourceTests
{
    [TestCase(4096)]
    [TestCase(65536)]
    [TestCase(100)]
    [TestCase(7)]
    [TestCase(0)]
    public void ThePatternIsThatOfItsScalarTwin(int length)
    {
        byte[] page = new byte[length];
        ModelledPageSource.Fill(3, 14, page);
        byte[] twin = new byte[length + 8];
        ulong word = ModelledPageSource.Start(3, 14);
        for (int i = 0; i < length; i += 8, word += 0x9E3779B97F4A7C15) MemoryMarshal.Write(twin.AsSpan(i), word);
        Assert.That(page.AsSpan().SequenceEqual(twin.AsSpan(0, length)));
        Assert.That(ModelledPageSource.Verify(3, 14, page));
        Assert.That(length == 0 || !ModelledPageSource.Verify(3, 15, page));
        Assert.That(length == 0 || !ModelledPageSource.Verify(4, 14, page));
    }

    [TestCase(4096)]
    [TestCase(4099)]
    public void EveryFlippedBitIsFound(int length)
    {
        byte[] page = new byte[length];
        ModelledPageSource.Fill(1, 2, page);
        for (int bit = 0; bit < length * 8; bit++)
        {
            page[bit / 8] ^= (byte)(1 << (bit % 8));
            if (ModelledPageSource.Verify(1, 2, page)) Assert.Fail($"bit {bit} is not looked at");
            page[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.That(ModelledPageSource.Verify(1, 2, page));
    }

    [Test]
    public void EveryTornPageIsFound()
    {
        byte[] old = new byte[4096];
        byte[] page = new byte[4096];
        for (int at = 8; at < 4096; at += 8)
        {
            // The end of another page, of another object's, of the same page elsewhere, or a single word of
            // it.
            foreach ((ulong seed, ulong number) in new[] { (1ul, 3ul), (2ul, 2ul), (1ul, 2ul + (1ul << 32)) })
            {
                ModelledPageSource.Fill(seed, number, old);
                ModelledPageSource.Fill(1, 2, page);
                old.AsSpan(at).CopyTo(page.AsSpan(at));
                Assert.That(ModelledPageSource.Verify(1, 2, page), Is.False);
                ModelledPageSource.Fill(1, 2, page);
                old.AsSpan(at, 8).CopyTo(page.AsSpan(at));
                Assert.That(ModelledPageSource.Verify(1, 2, page), Is.False);
            }

            ModelledPageSource.Fill(1, 2, page);
            page.AsSpan(0, 8).CopyTo(page.AsSpan(at));
            Assert.That(ModelledPageSource.Verify(1, 2, page), Is.False);
        }
    }

    [Test]
    public async Task PagesAreReadAndChecksAreMadeOnWrites()
    {
        ModelledPageSource source = new(new() { Seed = 5, PageCount = 4, LastPageBytes = 1000 });
        using SourcePages pages = new(4, 4096);
        Assert.That(source.Read(2, pages[0]), Is.EqualTo(4096));
        Assert.That(ModelledPageSource.Verify(5, 2, pages[0]));
        Assert.That(source.Read(3, pages[0]), Is.EqualTo(1000));
        Assert.That(source.Read(4, pages[0]), Is.Zero);
        Assert.That(await source.ReadAsync(2, pages.Soiled().ToRead, default), Is.EqualTo(4096 + 1000));
        Assert.That(pages.Hold(5, 2, 4096 + 1000));
        Assert.That(source.ReadCount, Is.EqualTo(4));

        await source.WriteAsync(2, [pages.ToWrite[0], pages.ToWrite[1]], default);
        await source.WriteAsync(3, [pages.ToWrite[1][..1000]], default);
        pages[1][999] ^= 1;
        Assert.That(
            Assert.ThrowsAsync<IOException>(
                async () => await source.WriteAsync(2, [pages.ToWrite[0], pages.ToWrite[1]], default))!.Message,
            Does.StartWith("page 3 of 4 of the modelled source 5 was written with 4096 bytes that are not its own"));
        Assert.ThrowsAsync<IOException>(async () => await source.WriteAsync(4, [pages.ToWrite[0]], default));
        Assert.That(source.WriteCount, Is.EqualTo(4));
    }

    [Test]
    public void FailuresAreSeededAndLeaveHalfAPage()
    {
        List<int> first = FailingReads(failureSeed: 1);
        Assert.That(FailingReads(failureSeed: 1), Is.EqualTo(first));
        Assert.That(FailingReads(failureSeed: 2), Is.Not.EqualTo(first));
        Assert.That(first, Has.Count.InRange(150, 250), "one in ten of 2000");

        ModelledPageSource always = new(new() { Seed = 5, FailureEvery = 1 });
        using SourcePages pages = new SourcePages(1, 4096).Soiled();
        Assert.That(
            Assert.ThrowsAsync<IOException>(async () => await always.ReadAsync(7, pages.ToRead, default))!.Message,
            Is.EqualTo("request 1 to read, page 7 of the modelled source 5, fails on purpose (one in 1)"));
        Assert.That(ModelledPageSource.Verify(5, 7, pages[0][..2048]));
        Assert.That(ModelledPageSource.Verify(5, 7, pages[0]), Is.False);
        Assert.That((always.ReadCount, always.FailureCount), Is.EqualTo((1, 1)));
    }

    [TestCase(false, 300)]
    [TestCase(true, 300)]
    [TestCase(false, 3000)]
    public async Task ARequestEndsAtItsDeadlineAndNotBefore(bool asynchronous, int microseconds)
    {
        // Each look at the clock moves it by 100 microseconds: the number of looks is the time that has
        // passed.
        SteppingClock clock = new(TimeSpan.FromMicroseconds(100));
        ModelledPageSource source = new(
            new() { ReadLatency = TimeSpan.FromMicroseconds(microseconds), IsAsync = asynchronous, Time = clock });
        using SourcePages pages = new(2, 4096);
        Assert.That(source.IsAsync, Is.EqualTo(asynchronous));
        if (asynchronous) await source.ReadAsync(0, pages.ToRead, default);
        else source.Read(0, pages[0]);
        Assert.That(clock.Looks, Is.EqualTo(1 + (microseconds / 100)));
    }

    [Test]
    public async Task TheSystemsClockIsWaitedFor([Values(200, 2500)] int microseconds)
    {
        var latency = TimeSpan.FromMicroseconds(microseconds);
        ModelledPageSource source = new(new() { ReadLatency = latency, WriteLatency = latency });
        using SourcePages pages = new(1, 4096);
        long start = TimeProvider.System.GetTimestamp();
        source.Read(0, pages[0]);
        Assert.That(TimeProvider.System.GetElapsedTime(start), Is.GreaterThanOrEqualTo(latency));
        start = TimeProvider.System.GetTimestamp();
        await source.ReadAsync(0, pages.ToRead, default);
        Assert.That(TimeProvider.System.GetElapsedTime(start), Is.GreaterThanOrEqualTo(latency));
        start = TimeProvider.System.GetTimestamp();
        await source.WriteAsync(0, pages.ToWrite, default);
        Assert.That(TimeProvider.System.GetElapsedTime(start), Is.GreaterThanOrEqualTo(latency));
    }

    [TestCase(500)]
    [TestCase(3_600_000_000)]
    public void ACancelledWaitEnds(long microseconds)
    {
        // The clock stands still, so that nothing but the cancellation can end the wait.
        ModelledPageSource source = new(new()
        {
            ReadLatency = TimeSpan.FromMicroseconds(microseconds),
            Time = new SteppingClock(TimeSpan.Zero),
        });
        using SourcePages pages = new(1, 4096);
        using CancellationTokenSource cancel = new();
        Task<long> reading = source.ReadAsync(0, pages.ToRead, cancel.Token).AsTask();
        Assert.That(reading.IsCompleted, Is.False);
        cancel.Cancel();
        Assert.ThrowsAsync(Is.InstanceOf<OperationCanceledException>(), () => reading);
        Assert.ThrowsAsync(Is.InstanceOf<OperationCanceledException>(),
            async () => await source.ReadAsync(0, pages.ToRead, cancel.Token));
    }

    [Test]
    public void OptionsAreChecked()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new ModelledPageSource(new() { FailureEvery = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new ModelledPageSource(new() { LastPageBytes = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>(
            () => _ = new ModelledPageSource(new() { ReadLatency = TimeSpan.FromTicks(-1) }));
        Assert.Throws<ArgumentOutOfRangeException>(() => _ = new ModelledPageSource(new() { PageCount = ulong.MaxValue }));
    }

    private static List<int> FailingReads(ulong failureSeed)
    {
        ModelledPageSource source = new(new() { FailureEvery = 10, FailureSeed = failureSeed });
        byte[] page = new byte[4096];
        List<int> failing = [];
        for (int i = 0; i < 2000; i++)
        {
            try
            {
                source.Read(1, page);
            }
            catch (IOException)
            {
                failing.Add(i);
            }
        }

        Assert.That(source.FailureCount, Is.EqualTo(failing.Count));
        return failing;
    }

    private sealed class SteppingClock(TimeSpan step) : TimeProvider
    {
        private long _looks;

        internal long Looks => Interlocked.Read(ref _looks);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => (Interlocked.Increment(ref _looks) - 1) * step.Ticks;
    }
}
