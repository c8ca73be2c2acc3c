// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Cache;

/// <summary>Nodes: where a page that comes in gets its frame, and what is told of each node.</summary>
/// <remarks>
/// A frame belongs to a node for good, so a page is on a node because of the frame that it got:
/// <code>
/// placement ─► wanted node, allowed nodes
///   a free frame there?            ─► taken
///   of the nearest allowed node?   ─► taken, and counted as a fallback       (not for NodeFull.Reclaim)
///   the wanted node gives up pages, then the others, by distance             (not for NodeFull.Fail)
/// </code>
/// Each partition has a rule and lists for each node (<see cref="NodeShare"/>), so a node's reclaim sees its own pages and
/// no others; and each node has marks of its own, below which the background reclaimer frees frames of just that node.
/// <para>A cache on one node does none of it: it asks no placement, and no frame for its node.</para>
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    private readonly CacheNodes? _nodes;
    private readonly NodePools _pools;
    private readonly bool _hasNodes;
    private readonly uint[] _lowWaterOfNode;
    private readonly NodeSet _allNodes;
    private readonly Dictionary<IPagePlacement, NodeSet> _localNodes = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<uint, IPagePlacement> _placementOfObject = [];

    /// <summary>The nodes that the cache has frames on; null where <see cref="PageCacheOptions.Nodes"/> named none.</summary>
    public CacheNodes? Nodes => _nodes;

    /// <summary>Counts of each node, by index, all of one moment; one node without a number of its own where none were named.
    /// </summary>
    public NodeStatistics[] GetNodeStatistics()
    {
        using (_lock.EnterScope()) return MeasureEachNode();
    }

    /// <summary>Under the lock.</summary>
    private NodeStatistics[] MeasureEachNode()
    {
        NodeStatistics[] nodes = new NodeStatistics[_pools.NodeCount];
        for (int node = 0; node < nodes.Length; node++) nodes[node] = MeasureNode(node);
        return nodes;
    }

    /// <summary>The number of the node that a page lies on; it may be another the next moment.</summary>
    /// <param name="owner">An object of the cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <returns>Null when the page is not resident, or the cache was given no nodes.</returns>
    public int? FindNode(ObjectId owner, ulong page)
    {
        using (_lock.EnterScope())
        {
            if (_nodes is null || !_index.IsPage(owner, page)) return null;
            SlotEntry entry = _index.Entry(_index.FindSlot(owner, page));
            return entry.IsFrame ? _nodes.Numbers[_frames.Owner(entry.Frame).Node] : null;
        }
    }

    /// <summary>What a partition has on each node, by index, all of one moment: the pages of all nodes are its resident
    /// pages, exactly.</summary>
    /// <exception cref="ArgumentException">There is no such partition.</exception>
    public PartitionNode[] GetPartitionNodes(PartitionId partition)
    {
        using (_lock.EnterScope()) return MeasureNodes(Find(partition));
    }

    /// <summary>Changes where pages of an object are placed that come in from now on; those that are there stay.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="placement">The policy, or null for that of its partition.</param>
    /// <exception cref="ArgumentException">The policy names a node that is not there.</exception>
    public void SetPlacement(ObjectId owner, IPagePlacement? placement)
    {
        using (_lock.EnterScope())
        {
            CheckPage(owner, 0);
            _placementOfObject.Remove(owner.Value);
            if (placement is null) return;
            AttachPlacement(placement);
            _placementOfObject[owner.Value] = placement;
        }
    }

    /// <summary>Changes where pages of a partition are placed that come in from now on; those that are there stay.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="placement">The policy, or null for that of the cache.</param>
    /// <exception cref="ArgumentException">There is no such partition, or the policy names a node that is not there.
    /// </exception>
    public void SetPlacement(PartitionId partition, IPagePlacement? placement)
    {
        using (_lock.EnterScope()) Place(Find(partition), placement);
    }

    private void Place(Partition partition, IPagePlacement? placement)
    {
        placement ??= _options.Nodes?.Placement;
        partition.LocalNodes = placement is null ? _allNodes : AttachPlacement(placement);
        partition.Placement = placement;
    }

    /// <summary>A policy may serve several partitions and objects of one cache: it is attached once.</summary>
    private NodeSet AttachPlacement(IPagePlacement placement)
    {
        if (_nodes is null)
        {
            throw new ArgumentException(
                $"{Name}: a placement needs nodes to choose from; give PageCacheOptions.Nodes", nameof(placement));
        }

        if (!_localNodes.TryGetValue(placement, out NodeSet local))
        {
            local = placement.Attach(_nodes);
            _localNodes.Add(placement, local);
        }

        return local;
    }

    /// <summary>At the start: says which node's memory each part of the page data is to be. Emulated nodes are not bound.
    /// </summary>
    private void BindNodes()
    {
        if (_nodes is not { IsEmulated: false }) return;
        for (int node = 0; node < _nodes.Count; node++)
        {
            // Preferred, not bound: a page that the node has no memory for is better elsewhere than not at all, and
            // DescribeMemory tells what was refused.
            _memory.Bind(
                new FrameId(_pools[node].First), _pools[node].FrameCount, NumaPlacement.Preferred(_nodes.Numbers[node]));
        }
    }

    /// <summary>What a frame is wanted for: whose it will be, and where it may lie.</summary>
    /// <param name="Partition">The partition, or null when a free frame is all that is wanted.</param>
    /// <param name="Node">The index of the node that is wanted.</param>
    /// <param name="Allowed">A bit for each node that will do.</param>
    /// <param name="WhenFull">What to do when the node has none free.</param>
    private readonly record struct Need(Partition? Partition, int Node, ulong Allowed, NodeFull WhenFull = NodeFull.FallBack);

    /// <summary>Of any node.</summary>
    private Need Anywhere(Partition? partition) => new(partition, 0, _allNodes.Bits);

    /// <summary>Of this node only.</summary>
    private static Need Just(Partition? partition, int node) => new(partition, node, 1UL << node, NodeFull.Reclaim);

    /// <summary>Under the lock: what a page that comes in needs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Need NeedOf(Partition partition, PageKey key) => _hasNodes ? Choose(partition, key) : Anywhere(partition);

    private Need Choose(Partition partition, PageKey key)
    {
        IPagePlacement? placement = partition.Placement;
        if (_placementOfObject.Count > 0) placement = _placementOfObject.GetValueOrDefault(key.ObjectId.Value, placement!);
        if (placement is null) return new(partition, _nodes!.CallerNode(), _allNodes.Bits);
        NodeChoice choice = placement.Choose(new PageArrival(key, _nodes!));
        ulong allowed = choice.Allowed.Bits & _allNodes.Bits;
        if ((allowed >> choice.Node & 1) != 0) return new(partition, choice.Node, allowed, choice.WhenFull);
        throw new InvalidOperationException(
            $"{Name}: {placement.GetType().Name} wants {key} on the node with index {choice.Node} and allows the set "
            + $"{choice.Allowed.Bits:x}; there are {_nodes!.Count} nodes, and the wanted one must be allowed");
    }

    /// <summary>Under the lock: takes a frame that <see cref="HasRoom"/> has found to be there.</summary>
    private FrameId TakeFrame(in Need need)
    {
        if (!_hasNodes) return need.Partition!.First.Space.AllocatePrivate();
        FramePool pool = _pools.PoolFor(need.Node, need.Allowed)!;
        FrameId frame = pool.Allocate();
        need.Partition!.Shares[pool.Node].Space.ChargePrivate(frame);
        // Once on the way down, as for the whole cache.
        if (pool.FreeCount + 1 == _lowWaterOfNode[pool.Node]) _reclaimerWork?.Set();
        return frame;
    }

    /// <summary>Under the lock: the wanted node gives up pages, if the need is such that it shall, before others are asked.
    /// </summary>
    /// <exception cref="InvalidOperationException">No node that is allowed has a free frame, and none shall give up pages.
    /// </exception>
    private void PrepareNode(in Need need)
    {
        if (need.WhenFull == NodeFull.Fail && _pools.NearestFree(need.Node, need.Allowed) < 0) throw NodesAreFull(need);
        if (need.WhenFull != NodeFull.Reclaim || _pools[need.Node].FreeCount > 0) return;
        ReclaimUntilFree(Just(need.Partition, need.Node));
    }

    private InvalidOperationException NodesAreFull(Need need)
    {
        IEnumerable<int> allowed = Enumerable.Range(0, _nodes!.Count).Where(node => (need.Allowed >> node & 1) != 0)
            .Select(node => _nodes.Numbers[node]);
        return new InvalidOperationException(
            $"{Name}: no frame is free on node {string.Join(',', allowed)}, and the placement of partition "
            + $"'{need.Partition!.Name}' does not let pages go for new ones (NodeFull.Fail); allow more nodes, or reclaim");
    }

    /// <summary>Under the lock: the part of its partition that a frame is charged to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private NodeShare ShareOf(FrameId frame) => _onlyShare ?? ShareOfChecked(frame);

    private NodeShare ShareOfChecked(FrameId frame)
    {
        FrameOwner owner = _frames.Owner(frame);
        return PartitionAt(owner.Domain).Shares[owner.Node];
    }

    /// <summary>Under the lock: hands a page that has come in to the rule of its node. What it left when it was evicted is
    /// for the rule to judge that let it go.</summary>
    private void HandIn(Partition partition, NodeShare share, FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        NodeShare judge;
        if (shadow.IsNone || !_hasNodes || (judge = JudgeOf(partition, shadow)) == share)
        {
            share.Rules.OnInsert(frame, shadow, countsAsAccess);
            return;
        }

        ulong flags = judge.Rules.OnRefaultElsewhere(shadow, countsAsAccess);
        if (flags == 0)
        {
            share.Rules.OnInsert(frame, default, countsAsAccess);
            return;
        }

        _frames.SetFlags(frame, flags);
        _frames.SetReferenced(frame, (byte)(flags & FrameState.ReferencedMask));
        share.Rules.OnArrive(frame);
    }

    private static NodeShare JudgeOf(Partition partition, ShadowEntry shadow)
    {
        if (!TRules.UsesGhosts) return partition.Shares[ShadowFormat.ListOf(shadow, partition.First.Space.ShadowListBits)];
        foreach (NodeShare share in partition.Shares)
            if (share.Space.HasGhost(shadow)) return share;
        return partition.First;
    }

    /// <summary>Under the lock: marks of each node, as those of the cache.</summary>
    private void SetNodeWaterMarks()
    {
        for (int node = 0; node < _pools.NodeCount; node++)
            _lowWaterOfNode[node] = Math.Min(32, _space.OnlineCount(node) / 32);
    }

    /// <summary>Under the lock, in the background: nodes that have few free frames give up pages ahead of need.</summary>
    /// <returns>True when there is more to do.</returns>
    private bool ReclaimAheadOfNodes()
    {
        bool more = false;
        Partition taker = LastTaker;
        for (int node = 0; node < _pools.NodeCount; node++)
        {
            uint before = _pools[node].FreeCount;
            uint highWater = 2 * _lowWaterOfNode[node];
            if (before >= highWater || LimboIsFull) continue;
            ReclaimOnce(Just(taker.IsFull ? null : taker, node));
            more |= _pools[node].FreeCount < highWater && _pools[node].FreeCount > before;
        }

        return more;
    }

    private NodeStatistics MeasureNode(int node)
    {
        long fallbacksFrom = 0, fallbacksTo = 0;
        for (int other = 0; other < _pools.NodeCount; other++)
        {
            fallbacksFrom += _pools.Fallbacks(node, other);
            fallbacksTo += _pools.Fallbacks(other, node);
        }

        return new()
        {
            Node = _nodes?.Numbers[node] ?? 0,
            IsEmulated = _nodes?.IsEmulated ?? false,
            Frames = _space.OnlineCount(node),
            FreeFrames = _pools[node].FreeCount,
            Pages = Sum(partition => PagesOn(partition, node)),
            InFlight = Sum(partition => partition.Shares[node].Space.PrivateCount),
            FallbacksFrom = fallbacksFrom,
            FallbacksTo = fallbacksTo,
            Evictions = Sum(partition => partition.Shares[node].Space.Evictions),
            MigratedIn = _migratedIn[node],
            MigratedOut = _migratedOut[node],
        };
    }

    private PartitionNode[] MeasureNodes(Partition partition)
    {
        PartitionNode[] nodes = new PartitionNode[_pools.NodeCount];
        for (int node = 0; node < nodes.Length; node++)
        {
            nodes[node] = new PartitionNode(
                _nodes?.Numbers[node] ?? 0, partition.LocalNodes.Contains(node), PagesOn(partition, node),
                partition.Shares[node].Space.PrivateCount);
        }

        return nodes;
    }

    private static long PagesOn(Partition partition, int node)
    {
        CacheSpace space = partition.Shares[node].Space;
        return space.RuleFrameCount + space.Held.Count;
    }
}
