// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Policies.Placement;
using PerfCache.Policies.Replacement;
using PerfCache.Tests.Core.Cache.Nodes;

namespace PerfCache.Tests.Policies.Placement;

/// <summary>
/// Goal: pages lie where the policy says, and a full node does what it was told. Method: a cache of 20 frames on each of
/// three emulated nodes in a row; each page is asked where it lies.
/// </summary>
[TestFixture]
public sealed class PlacementTests
{
    private readonly TestNodes _nodes = new(3);

    [Test]
    public void LocalFollowsTheCallerAndGoesOnWhereThatIsFull()
    {
        using PageCache<Fifo> cache = New(new LocalPlacement());
        ObjectId owner = cache.AddObject(source: null, 100);
        _nodes.Caller = 2;
        Assert.That(Put(cache, owner, 0, 25), Is.EqualTo(Nodes((2, 20), (1, 5))));
        _nodes.Caller = 0;
        Assert.That(Put(cache, owner, 25, 5), Is.EqualTo(Nodes((0, 5))));
        Assert.That(cache.GetNodeStatistics().Select(node => (node.FallbacksFrom, node.FallbacksTo)),
            Is.EqualTo(new (long, long)[] { (0, 0), (0, 5), (5, 0) }));
        cache.Validate();
    }

    [Test]
    public void WithoutAPlacementItIsTheCallersNode()
    {
        using PageCache<Fifo> cache = New(null);
        ObjectId owner = cache.AddObject(source: null, 100);
        _nodes.Caller = 1;
        Assert.That(Put(cache, owner, 0, 3), Is.EqualTo(Nodes((1, 3))));
    }

    [Test]
    public void PreferredFillsItsNodeFirstAndThenReclaimsThere()
    {
        using PageCache<Fifo> cache = New(new PreferredPlacement(0));
        ObjectId owner = cache.AddObject(source: null, 100);
        Assert.That(Put(cache, owner, 0, 60), Is.EqualTo(Nodes((0, 20), (1, 20), (2, 20))));
        // All are full: the preferred node gives up its own oldest, one for one.
        Assert.That(Put(cache, owner, 60, 5), Is.EqualTo(Nodes((0, 5))));
        Assert.That(cache.GetNodeStatistics().Select(node => node.Evictions), Is.EqualTo(new long[] { 5, 0, 0 }));
        Assert.That(cache.GetPartitionStatistics(default), Has.Property("LocalPages").EqualTo(20)
            .And.Property("RemotePages").EqualTo(40));
        cache.Validate();
    }

    [Test]
    public void ReclaimFirstKeepsAPartitionOnItsNode()
    {
        using PageCache<Fifo> cache = New(new PreferredPlacement(1, NodeFull.Reclaim));
        ObjectId owner = cache.AddObject(source: null, 100);
        Assert.That(Put(cache, owner, 0, 50), Is.EqualTo(Enumerable.Repeat((int?)null, 30).Concat(Nodes((1, 20)))));
        Assert.That(cache.GetPartitionStatistics(default).RemotePages, Is.Zero);
    }

    [Test]
    public void BoundPagesReclaimWithinTheirNodes()
    {
        using PageCache<Fifo> cache = New(new BindPlacement([0, 1]));
        ObjectId owner = cache.AddObject(source: null, 100);
        _nodes.Caller = 2;
        Put(cache, owner, 0, 100);
        NodeStatistics[] nodes = cache.GetNodeStatistics();
        Assert.That(nodes.Select(node => node.Pages), Is.EqualTo(new long[] { 20, 20, 0 }));
        Assert.That(nodes[1].Evictions, Is.EqualTo(60), "node 1 is the nearer one");
        cache.Validate();
    }

    [Test]
    public void BoundPagesThatMayNotReclaimDoNotComeIn([Values] bool asynchronous)
    {
        using PageCache<Fifo> cache = New(new BindPlacement([2], NodeFull.Fail));
        ObjectId owner = cache.AddObject(new PerfCache.Cache.Sources.ModelledPageSource(new() { PageCount = 100 }));
        for (uint page = 0; page < 20; page++) cache.Get(owner, page).Dispose();
        InvalidOperationException told = asynchronous
            ? Assert.ThrowsAsync<InvalidOperationException>(async () => await cache.GetAsync(owner, 20))!
            : Assert.Throws<InvalidOperationException>(() => cache.Get(owner, 20))!;
        Assert.That(told.Message, Does.Contain("no frame is free on node 2").And.Contain("NodeFull.Fail"));
        Assert.That(cache.Statistics.Evictions, Is.Zero);
        cache.Invalidate(owner, 3);
        cache.Get(owner, 20).Dispose();
        Assert.That(cache.FindNode(owner, 20), Is.EqualTo(2));
        cache.Validate();
    }

    [Test]
    public void InterleaveGivesEachNodeEachThirdPageForGood()
    {
        using PageCache<Fifo> cache = New(new InterleavePlacement());
        ObjectId owner = cache.AddObject(source: null, 100);
        Put(cache, owner, 0, 30);
        cache.InvalidateRange(owner, 0, 10);
        // In another order: the page's number decides.
        Put(cache, owner, 5, 5);
        Put(cache, owner, 0, 5);
        Assert.That(
            Enumerable.Range(0, 30).Select(page => cache.FindNode(owner, (uint)page)),
            Is.EqualTo(Enumerable.Range(0, 30).Select(page => (int?)(page % 3))));
        ObjectId other = cache.AddObject(source: null, 100);
        Put(cache, other, 0, 1);
        Assert.That(cache.FindNode(other, 0), Is.EqualTo(1), "objects begin at different nodes");
    }

    [Test]
    public void WeightsAreKeptExactlyAndSpread()
    {
        using PageCache<Fifo> cache = New(new WeightedPlacement([(0, 3), (2, 1)]));
        ObjectId owner = cache.AddObject(source: null, 100);
        int?[] nodes = Put(cache, owner, 0, 24);
        for (int i = 0; i < 24; i += 4) Assert.That(nodes[i..(i + 4)].Count(node => node == 0), Is.EqualTo(3));
        Assert.That(nodes.Count(node => node == 2), Is.EqualTo(6));
        Assert.That(cache.GetPartitionNodes(default).Select(node => node.IsLocal), Is.EqualTo(new[] { true, false, true }));
    }

    [Test]
    public void PartitionsAndObjectsHaveTheirOwn()
    {
        using PageCache<Fifo> cache = New(new PreferredPlacement(0));
        PartitionId near = cache.AddPartition(
            new PartitionOptions { Name = "near", Placement = new PreferredPlacement(2) }, new Fifo());
        PartitionId same = cache.AddPartition(new PartitionOptions { Name = "same" }, new Fifo());
        ObjectId[] owners =
        [
            cache.AddObject(source: null, 100), cache.AddObject(source: null, 100, true, near),
            cache.AddObject(source: null, 100, true, same), cache.AddObject(source: null, 100, true, near),
        ];
        cache.SetPlacement(owners[3], new PreferredPlacement(1));
        foreach (ObjectId owner in owners) Put(cache, owner, 0, 3);
        Assert.That(owners.Select(owner => cache.FindNode(owner, 1)), Is.EqualTo(new int?[] { 0, 2, 0, 1 }));
        cache.SetPlacement(owners[3], null);
        cache.SetPlacement(near, new PreferredPlacement(0));
        Put(cache, owners[3], 10, 1);
        Assert.That(cache.FindNode(owners[3], 10), Is.EqualTo(0));
        Assert.That(cache.GetPartitionStatistics(near), Has.Property("LocalPages").EqualTo(1)
            .And.Property("RemotePages").EqualTo(6));
        cache.Validate();
    }

    // Goal: the sum over nodes is the partition's, also where rules keep lists of their own and pages come back. Method:
    // linux-6 and s3-fifo under a skewed load from all nodes by turns; every so often all sums are compared.
    [Test]
    public void SumsOverNodesAreExact([Values] bool ghosts)
    {
        if (ghosts) CheckSums(new S3Fifo());
        else CheckSums(new LinuxRules<Linux6>());
    }

    [Test]
    public void WhatMakesNoSenseIsRefused()
    {
        Assert.Multiple(() =>
        {
            Refused(() => New(new PreferredPlacement(7)), "no frames on node 7; it has on 0,1,2");
            Refused(() => New(null, o => o with { Numbers = [] }), "Numbers is empty; possible is different nodes among 0-2");
            Refused(() => New(null, o => o with { Numbers = [0, 5] }), "Numbers is 5, which there is not");
            Refused(() => New(null, o => o with { Numbers = [1, 1] }), "Numbers is 1,1");
            Refused(() => New(null, o => o with { FrameWeights = [1, 2] }), "FrameWeights is 1,2; possible is a weight from 1");
            Refused(() => New(null, o => o with { FrameWeights = [1, 1, 50] }), "node 0 would have 1, and 8 are the least");
            Refused(() => _ = new WeightedPlacement([(0, 0)]), "node 0 has the weight 0; possible is 1 to 255");
            Refused(() => _ = new WeightedPlacement([(0, 1), (0, 2)]), "two weights");
            Refused(() => _ = new BindPlacement([]), "name one");
            Refused(
                () => New(null, o => o with { Migration = new MigrationOptions { BatchPages = 0 } }),
                "migration: BatchPages is 0; possible is 1 to 512");
        });
        using PageCache<Fifo> plain = new(PageCacheOptions.ForFrames(20), new Fifo());
        Refused(() => plain.SetPlacement(default(PartitionId), new LocalPlacement()), "give PageCacheOptions.Nodes");
    }

    [Test]
    public void FramesAreDealtOutByWeightAndNumbersMayHaveGaps()
    {
        using PageCache<Fifo> cache = New(
            new PreferredPlacement(2), o => o with { Numbers = [0, 2], FrameWeights = [1, 2] });
        Assert.That(cache.GetNodeStatistics().Select(node => (node.Node, node.Frames, node.IsEmulated)),
            Is.EqualTo(new[] { (0, 20L, true), (2, 40L, true) }));
        ObjectId owner = cache.AddObject(source: null, 100);
        Assert.That(Put(cache, owner, 0, 2), Is.EqualTo(Nodes((2, 2))));
        _nodes.Caller = 1;
        cache.SetPlacement(owner, new LocalPlacement());
        Put(cache, owner, 2, 1);
        Assert.That(cache.FindNode(owner, 2), Is.EqualTo(0), "the caller's node has no frames; 0 is as near as 2");
    }

    private void CheckSums<TRules>(TRules rules) where TRules : struct, IFlagRules
    {
        Random random = TestSeed.Random(21);
        using PageCache<TRules> cache = new(_nodes.CacheOptions(300), rules);
        ObjectId owner = cache.AddObject(source: null, 2000);
        for (int step = 0; step < 20_000; step++)
        {
            _nodes.Caller = random.Next(3);
            uint page = (uint)(random.Next(3) == 0 ? random.Next(2000) : random.Next(250));
            if (!cache.Touch(owner, page)) cache.TryAdd(owner, page, [1]);
            if (step % 500 != 0) continue;
            cache.Validate();
            PartitionNode[] nodes = cache.GetPartitionNodes(default);
            Assert.That(nodes.Sum(node => node.Pages), Is.EqualTo(cache.ResidentCount));
            Assert.That(nodes.Sum(node => node.InFlight), Is.Zero);
            foreach (NodeStatistics node in cache.GetNodeStatistics())
                Assert.That(node.FreeFrames + node.Pages, Is.EqualTo(node.Frames), $"node {node.Node}");
        }

        Assert.That(cache.Statistics.Refaults, Is.GreaterThan(100));
        Assert.That(cache.GetNodeStatistics().Select(node => node.Pages), Is.All.GreaterThan(20));
    }

    private PageCache<Fifo> New(IPagePlacement? placement, Func<NodeOptions, NodeOptions>? change = null) =>
        new(_nodes.CacheOptions(60, o => (change?.Invoke(o) ?? o) with { Placement = placement }), new Fifo());

    private static int?[] Put(PageCache<Fifo> cache, ObjectId owner, uint first, uint count)
    {
        for (uint page = first; page < first + count; page++) cache.TryAdd(owner, page, [1]);
        return [.. Enumerable.Range((int)first, (int)count).Select(page => cache.FindNode(owner, (uint)page))];
    }

    private static IEnumerable<int?> Nodes(params (int Node, int Count)[] runs) =>
        runs.SelectMany(run => Enumerable.Repeat((int?)run.Node, run.Count));

    private static void Refused(Action make, string message) =>
        Assert.That(make, Throws.InstanceOf<ArgumentException>().With.Message.Contains(message));
}
