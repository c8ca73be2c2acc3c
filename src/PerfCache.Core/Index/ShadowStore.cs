// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>The shadows of evicted pages, and the list by which they are bounded.</summary>
/// <remarks>
/// <para>
/// Observation. A page that comes back soon after its eviction was evicted too early. Its slot in the index is empty
/// while it is away, so the record of its eviction can stand there at no cost, for as long as the leaf exists for the
/// sake of other pages.
/// </para>
/// <para>
/// Consequence. Shadows cost memory only in leaves that hold <em>nothing but</em> shadows; such leaves alone need a
/// bound. They are kept on a list in the order in which they lost their last frame, and dropped as a whole, oldest
/// first. A shadow in a leaf with a resident page is free and is never dropped.
/// </para>
/// <para>
/// How many leaves to keep is the rule's choice. The kernel reasons (mm/workingset.c): a shadow is useful only if its
/// distance is within the active list, which is at most all pages; assuming one slot in eight of a leaf is a shadow,
/// pages/8 leaves hold that many shadows.
/// </para>
/// <para>
/// Several stores. Each partition of a cache has its own: a leaf belongs to one object and an object to one partition,
/// so whoever leaves many shadows behind pushes out his own. The kernel does the same for its control groups.
/// </para>
/// <para>Implementation. A ring through an anchor that is no leaf; the index calls <see cref="Enter"/> and
/// <see cref="Leave"/> whenever a leaf becomes or ceases to be shadow-only. Nodes of sparse pages, which have one slot,
/// are on the same ring while that holds a shadow.</para>
/// <para>S1: the ring holds exactly the leaves with shadows and without frames and the nodes with a shadow, of the store's
/// objects: <see cref="LeafCount"/> of them.</para>
/// <para>S2: <see cref="IndexLeafCount"/> is the number of leaves and nodes of the store's objects.</para>
/// </remarks>
public sealed class ShadowStore
{
    private readonly IndexBlocks _blocks;
    private readonly SparsePages _nodes;
    private BlockLink _anchor;
    private uint _nodeCount;

    internal ShadowStore(IndexBlocks blocks, SparsePages nodes)
    {
        _blocks = blocks;
        _nodes = nodes;
    }

    /// <summary>Leaves that hold nothing but shadows, and nodes that hold one. The page of a node would be alone in its
    /// leaf, so it counts as one.</summary>
    public uint LeafCount { get; private set; }

    /// <summary>Leaves and nodes of the objects whose shadows these are.</summary>
    internal uint IndexLeafCount { get; set; }

    /// <summary>Native bytes that only shadows hold: those leaves and nodes, whole.</summary>
    public long NativeBytes =>
        ((long)(LeafCount - _nodeCount) * IndexBlocks.BytesPerBlock) + ((long)_nodeCount * SparsePages.BytesPerNode);

    /// <summary>Shadows dropped so far because of a bound.</summary>
    public long DroppedCount { get; internal set; }

    /// <summary>The address of the first slot of the leaf, or of the node, that lost its last frame longest ago; or 0.
    /// </summary>
    internal uint Oldest => _anchor.Next;

    /// <summary>A leaf has lost its last frame and holds shadows.</summary>
    internal void Enter(uint leaf) => Push(leaf << IndexBlocks.SlotBits);

    /// <summary>A shadow-only leaf gets a frame, or is about to be freed.</summary>
    internal void Leave(uint leaf) => Remove(leaf << IndexBlocks.SlotBits);

    /// <summary>A node's frame has been replaced by a shadow.</summary>
    internal void EnterNode(uint node)
    {
        Push(node);
        _nodeCount++;
    }

    /// <summary>A node's shadow goes.</summary>
    internal void LeaveNode(uint node)
    {
        Remove(node);
        _nodeCount--;
    }

    /// <summary>Checks the ring half of S1. O(leaves + nodes): for tests.</summary>
    internal void Validate()
    {
        uint count = 0;
        uint nodes = 0;
        uint previous = 0;
        // It ends: an item that is met again has another Previous this time.
        for (uint item = Oldest; item != 0; item = Link(item).Next)
        {
            Invariant.Check(Link(item).Previous == previous, nameof(ShadowStore),
                $"S1: the Previous of the slot at {item} to be {previous}", Link(item).Previous);
            BlockCounts counts = _blocks.Counts(item >> IndexBlocks.SlotBits);
            bool isNode = BlockCounts.AreOfNodes(counts.Packed);
            if (isNode) nodes++;
            Invariant.Check(
                isNode ? new SlotEntry(_blocks.Slot(item)).IsShadow : BlockCounts.IsShadowOnly(counts.Packed),
                nameof(ShadowStore), "S1: shadows and no frames", item);
            previous = item;
            count++;
        }

        Invariant.Check(count == LeafCount, nameof(ShadowStore), $"S1: {LeafCount} leaves and nodes", count);
        Invariant.Check(nodes == _nodeCount, nameof(ShadowStore), $"S1: {_nodeCount} nodes", nodes);
    }

    private void Push(uint item)
    {
        uint youngest = _anchor.Previous;
        Link(item) = new BlockLink { Previous = youngest, Next = 0 };
        Link(youngest).Next = item;
        _anchor.Previous = item;
        LeafCount++;
    }

    private void Remove(uint item)
    {
        BlockLink link = Link(item);
        Invariant.Assert(Link(link.Previous).Next == item, nameof(ShadowStore), "S1: an item of the ring", item);
        Link(link.Previous).Next = link.Next;
        Link(link.Next).Previous = link.Previous;
        Link(item) = default;
        LeafCount--;
    }

    /// <summary>The place on the ring of a leaf (by the address of its first slot), of a node, or of the anchor (0).
    /// </summary>
    private ref BlockLink Link(uint item)
    {
        if (item == 0) return ref _anchor;
        uint block = item >> IndexBlocks.SlotBits;
        if (BlockCounts.AreOfNodes(_blocks.Counts(block).Packed)) return ref _nodes.Link(item);
        return ref _blocks.Link(block);
    }
}
