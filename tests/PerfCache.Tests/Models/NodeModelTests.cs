// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;
using PerfCache.Tests.Core.Cache.Nodes;

namespace PerfCache.Tests.Models;

/// <summary>
/// Goal: each page lies on the node that the description says, whatever the placement asks for, and so do those that move.
/// Method: a cache with fifo on nodes in a row and plain lists get the same seeded choices, requests, invalidations and
/// migrations; after each, where every page is and what was evicted must agree, and every invariant hold.
/// </summary>
[TestFixture]
public sealed class NodeModelTests
{
    private const uint PageMax = 100;

    [Test]
    public void WhereEachPageLies([Values(2, 3, 4)] int nodeCount, [Values(1, 2, 3)] int seed)
    {
        Random random = TestSeed.Random(seed);
        TestNodes nodes = new(nodeCount);
        List<uint> told = [];
        Chosen placement = new();
        int[] weights = [.. Enumerable.Range(0, nodeCount).Select(_ => random.Next(1, 3))];
        // So few on each node that it keeps none for misses.
        uint frames = nodeCount switch
        {
            2 => 42,
            3 => 60,
            _ => 75,
        };
        using PageCache<Fifo> cache = new(
            nodes.CacheOptions(frames, o => o with { FrameWeights = weights, Placement = placement }) with
            {
                Evicted = (_, page, reason) =>
                {
                    if (reason != EvictionReason.Invalidated) told.Add((uint)page);
                },
            },
            new Fifo());
        NaiveNodes model = new([.. cache.GetNodeStatistics().Select(node => (int)node.Frames)]);
        ObjectId owner = cache.AddObject(source: null, PageMax);
        for (int step = 0; step < 3000; step++)
        {
            string what = Step(random, cache, model, owner, placement, nodeCount);
            for (int node = 0; node < nodeCount; node++)
            {
                Assert.That(
                    Enumerable.Range(0, (int)PageMax).Where(page => cache.FindNode(owner, (uint)page) == node),
                    Is.EqualTo(model.PagesOf(node).Order()), $"step {step}: {what}: node {node}");
            }

            Assert.That(told, Is.EqualTo(model.Evicted), $"step {step}: {what}");
            told.Clear();
            model.Evicted.Clear();
            cache.Validate();
        }
    }

    private static string Step(
        Random random, PageCache<Fifo> cache, NaiveNodes model, ObjectId owner, Chosen placement, int nodeCount)
    {
        uint page = (uint)random.Next((int)PageMax);
        switch (random.Next(10))
        {
            case 0:
                model.Invalidate(page);
                cache.Invalidate(owner, page);
                return $"invalidate {page}";
            case 1 or 2 or 3:
                int to = random.Next(nodeCount);
                bool mayEvict = random.Next(2) == 0;
                string move = $"move {page} to {to}, may evict: {mayEvict}";
                MigrationRequest request = MigrationRequest.OfRange(owner, page, 1, to) with { MayEvict = mayEvict };
                Assert.That(cache.Migrate(request), Is.EqualTo(model.Move(page, to, mayEvict)), move);
                return move;
            default:
                if (model.NodeOf(page) >= 0) return "hit";
                NodeSet allowed = new((ulong)random.Next(1, 1 << nodeCount));
                int[] members = [.. Enumerable.Range(0, nodeCount).Where(allowed.Contains)];
                placement.Next = new NodeChoice(members[random.Next(members.Length)], allowed, (NodeFull)random.Next(3));
                string add = $"add {page}: {placement.Next}";
                if (model.Add(page, placement.Next)) Assert.That(cache.TryAdd(owner, page, [1]), Is.True, add);
                else Assert.That(() => cache.TryAdd(owner, page, [1]), Throws.InvalidOperationException, add);
                return add;
        }
    }

    /// <summary>What the test has thrown the dice for.</summary>
    private sealed class Chosen : IPagePlacement
    {
        internal NodeChoice Next { get; set; }

        public NodeSet Attach(CacheNodes nodes) => nodes.All;

        public NodeChoice Choose(in PageArrival arrival) => Next;
    }
}
