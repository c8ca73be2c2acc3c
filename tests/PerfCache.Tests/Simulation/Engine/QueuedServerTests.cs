// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;

namespace PerfCache.Tests.Simulation.Engine;

/// <summary>What a disk and a link make of requests.</summary>
[TestFixture]
public sealed class QueuedServerTests
{
    [Test]
    public void A_disk_with_one_place_serves_one_request_after_the_other()
    {
        QueuedServer disk = new(latencyNanos: 6_000_000, double.PositiveInfinity, depth: 1);
        Assert.That(disk.Submit(0, 4096), Is.EqualTo(6_000_000));
        Assert.That(disk.Submit(0, 4096), Is.EqualTo(12_000_000));
        Assert.That(disk.Submit(1_000_000, 4096, extraLatencyNanos: 500), Is.EqualTo(18_000_500));
        Assert.That(disk.Outstanding(6_000_000), Is.EqualTo(2));
        Assert.That(disk.Submit(20_000_000, 4096), Is.EqualTo(26_000_000), "idle in between");
        Assert.That(disk.WaitedNanos, Is.EqualTo(6_000_000 + 11_000_000));
    }

    [Test]
    public void A_deeper_queue_overlaps_latencies()
    {
        QueuedServer disk = new(100, double.PositiveInfinity, depth: 4);
        Assert.That(Enumerable.Range(0, 8).Select(_ => disk.Submit(0, 1)), Is.EqualTo(
            new long[] { 100, 100, 100, 100, 200, 200, 200, 200 }));
    }

    [Test]
    public void A_link_delivers_at_its_bandwidth_and_its_latency_adds_once()
    {
        QueuedServer link = new(50_000, bytesPerSecond: 1e9, depth: 0);
        Assert.That(Enumerable.Range(0, 3).Select(_ => link.Submit(0, 1000)), Is.EqualTo(
            new long[] { 51_000, 52_000, 53_000 }));
        Assert.That(link.Outstanding(52_000), Is.EqualTo(1));
        Assert.That((link.Requests, link.Bytes, link.ChannelNanos), Is.EqualTo((3L, 3000L, 3000L)));
    }

    [Test]
    public void Nonsense_is_refused()
    {
        Assert.That(() => new QueuedServer(-1, 1, 1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new QueuedServer(1, 0, 1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new QueuedServer(1, double.NaN, 1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => new QueuedServer(1, 1, -1), Throws.TypeOf<ArgumentOutOfRangeException>());
        QueuedServer server = new(1, 1, 1);
        server.Submit(10, 1);
        Assert.That(() => server.Submit(9, 1), Throws.TypeOf<ArgumentOutOfRangeException>());
    }
}
