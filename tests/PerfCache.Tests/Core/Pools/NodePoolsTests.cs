// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Tests.Core.Pools;

/// <summary>Goal: a frame comes from the node that is wanted while that has one, else from the nearest, and is counted.</summary>
[TestFixture]
public sealed class NodePoolsTests
{
    private readonly MemoryMeter _meter = new();

    [OneTimeTearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void EachNodeHasItsRange()
    {
        using FrameTable frames = new(30, 0, _meter);
        NodePools pools = InARow(frames, 5, 10, 15);
        Assert.That(
            pools.FreeFrames().Select(frame => (int)frames.Owner(frame).Node),
            Is.EqualTo(Enumerable.Repeat(0, 5).Concat(Enumerable.Repeat(1, 10)).Concat(Enumerable.Repeat(2, 15))));
        Assert.That(Allocate(pools, 1), Is.EqualTo(new FrameId(6)));
        pools.Validate();
    }

    [Test]
    public void AFullNodeFallsBackByDistanceAndBothCountIt()
    {
        using FrameTable frames = new(8, 0, _meter);
        NodePools pools = InARow(frames, 2, 2, 2, 2);
        int[] nodes = [.. Enumerable.Range(0, 8).Select(_ => (int)frames.Owner(Allocate(pools, 2)).Node)];
        // Nodes 1 and 3 are equally near: the lower index first.
        Assert.That(nodes, Is.EqualTo(new[] { 2, 2, 1, 1, 3, 3, 0, 0 }));
        Assert.That(Allocate(pools, 2).IsNone, Is.True);
        Assert.That(
            Enumerable.Range(0, 4).Select(taken => pools.Fallbacks(2, taken)), Is.EqualTo(new long[] { 2, 2, 0, 2 }));
        Assert.That(pools.Fallbacks(1, 2), Is.Zero);
        Assert.That(pools.FreeCount, Is.Zero);
    }

    [Test]
    public void BehavesLikeAListOfSets([Values(1, 2, 5)] int nodeCount)
    {
        Random random = TestSeed.Random(11);
        using FrameTable frames = new((uint)(12 * nodeCount), 0, _meter);
        NodePools pools = InARow(frames, [.. Enumerable.Repeat(12u, nodeCount)]);
        List<FrameId> taken = [];
        int[] free = [.. Enumerable.Repeat(12, nodeCount)];
        long fallbacks = 0;
        for (int step = 0; step < 20_000; step++)
        {
            if (random.Next(2) == 0)
            {
                int wanted = random.Next(nodeCount);
                int expected = Enumerable.Range(0, nodeCount).Where(node => free[node] > 0)
                    .OrderBy(node => Math.Abs(node - wanted)).ThenBy(node => node).FirstOrDefault(-1);
                FrameId frame = Allocate(pools, wanted);
                Assert.That(frame.IsNone ? -1 : frames.Owner(frame).Node, Is.EqualTo(expected));
                if (expected < 0) continue;
                Assert.That(taken, Does.Not.Contain(frame));
                taken.Add(frame);
                free[expected]--;
                fallbacks += expected == wanted ? 0 : 1;
            }
            else if (taken.Count > 0)
            {
                int i = random.Next(taken.Count);
                free[frames.Owner(taken[i]).Node]++;
                pools.Free(taken[i]);
                taken.RemoveAt(i);
            }

            Assert.That(pools.FreeCount, Is.EqualTo(free.Sum()));
            if (step % 64 == 0) pools.Validate();
        }

        long counted = 0;
        for (int wanted = 0; wanted < nodeCount; wanted++)
            for (int other = 0; other < nodeCount; other++) counted += pools.Fallbacks(wanted, other);
        Assert.That(counted, Is.EqualTo(fallbacks));
    }

    [Test]
    public void AFrameThatNamesAnotherNodeIsFound()
    {
        using FrameTable frames = new(10, 0, _meter);
        NodePools pools = InARow(frames, 5, 5);
        frames.Owner(new FrameId(7)).Node = 0;
        Assert.That(() => pools.Validate(), Throws.TypeOf<InvariantException>().With.Message.Contains("N2: frame 7"));
    }

    [Test]
    public void RangesThatDoNotCoverTheTableAreRefused()
    {
        using FrameTable frames = new(10, 0, _meter);
        Assert.That(() => InARow(frames, 5, 4), Throws.TypeOf<InvariantException>().With.Message.Contains("N1: 10 frames"));
    }

    private static FrameId Allocate(NodePools pools, int node) =>
        pools.PoolFor(node, ulong.MaxValue)?.Allocate() ?? FrameId.None;

    private static NodePools InARow(FrameTable frames, params uint[] counts) =>
        new(frames, new NodeLayout(counts, (from, to) => 10 + (10 * Math.Abs(from - to))));
}
