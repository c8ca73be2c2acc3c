// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Flip;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Flip;

/// <summary>
/// Goal: every way to wait ends when there is something to do, when the time is over, and when it is cancelled. Method:
/// two threads pass values through a ring of two slots, so that each waits for the other all the time.
/// </summary>
[TestFixture]
internal sealed class RingWaitTests
{
    private static readonly TimeSpan s_long = TimeSpan.FromSeconds(60);
    private readonly MemoryMeter _meter = new();

    [OneTimeTearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void TwoThreadsWaitForEachOther([Values] RingWait wait)
    {
        // On few busy cores a round of looking without end is a whole time slice.
        int count = wait is RingWait.Spin or RingWait.Pause ? 100 : 2_000;
        using ValueRing<int, ManyToMany> ring = new(2, _meter, wait);
        Thread producer = new(() =>
        {
            for (int i = 0; i < count; i++)
                while (!ring.TryEnqueue(i)) ring.WaitToEnqueue(s_long);
        });
        producer.Start();
        for (int i = 0; i < count; i++)
        {
            int value;
            while (!ring.TryDequeue(out value)) Assert.That(ring.WaitToDequeue(s_long), Is.True);
            Assert.That(value, Is.EqualTo(i));
        }

        producer.Join();
        Assert.That(ring.Wait, Is.EqualTo(wait));
    }

    [Test]
    public void AWaitEndsWithItsTime([Values] RingWait wait)
    {
        using ValueRing<int, OneToOne> ring = new(2, _meter, wait);
        long started = Stopwatch.GetTimestamp();
        Assert.That(ring.WaitToDequeue(TimeSpan.FromMilliseconds(20)), Is.False);
        Assert.That(Stopwatch.GetElapsedTime(started).TotalMilliseconds, Is.GreaterThanOrEqualTo(20));
        Assert.That(ring.WaitToEnqueue(TimeSpan.Zero), Is.True, "there is room");
        ring.TryEnqueue([1, 2]);
        Assert.That(ring.WaitToEnqueue(TimeSpan.FromMilliseconds(1)), Is.False);
        Assert.That(ring.WaitToDequeue(TimeSpan.Zero), Is.True);
    }

    [Test]
    public void AWaitCanBeCancelled([Values] RingWait wait)
    {
        using ValueRing<int, OneToOne> ring = new(2, _meter, wait);
        using CancellationTokenSource cancellation = new(TimeSpan.FromMilliseconds(20));
        Assert.That(() => ring.WaitToDequeue(s_long, cancellation.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(
            () => ring.WaitToDequeue(TimeSpan.FromSeconds(-1)), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void TheAdaptiveOnePausesThenYieldsThenParks()
    {
        RingWait[] rounds = [.. Enumerable.Range(0, 100).Select(round => RingRooms.Next(RingWait.Adaptive, round))];
        Assert.That(rounds, Is.Ordered);
        Assert.That(rounds[^1], Is.EqualTo(RingWait.Park));
        Assert.That(rounds, Does.Contain(RingWait.Yield));
        if (Environment.ProcessorCount > 1) Assert.That(rounds[0], Is.EqualTo(RingWait.Pause));
    }
}
