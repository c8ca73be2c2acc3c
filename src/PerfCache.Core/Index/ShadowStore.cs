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
/// <see cref="Leave"/> whenever a leaf becomes or ceases to be shadow-only.</para>
/// <para>S1: the ring holds exactly the leaves of the store's objects with shadows and without frames,
/// <see cref="LeafCount"/> of them.</para>
/// <para>S2: <see cref="BlockCount"/> is the number of blocks of the store's objects.</para>
/// </remarks>
public sealed class ShadowStore
{
    private readonly IndexBlocks _blocks;
    private BlockLink _anchor;

    internal ShadowStore(IndexBlocks blocks) => _blocks = blocks;

    /// <summary>Leaves that hold nothing but shadows.</summary>
    public uint LeafCount { get; private set; }

    /// <summary>Leaves and inner blocks of the objects whose shadows these are.</summary>
    internal uint BlockCount { get; set; }

    /// <summary>Native bytes that only shadows hold: those leaves, whole.</summary>
    public long NativeBytes => (long)LeafCount * IndexBlocks.BytesPerBlock;

    /// <summary>Shadows dropped so far because of a bound.</summary>
    public long DroppedCount { get; internal set; }

    /// <summary>The leaf that lost its last frame longest ago, or 0.</summary>
    internal uint Oldest => _anchor.Next;

    /// <summary>A leaf has lost its last frame and holds shadows.</summary>
    internal void Enter(uint leaf)
    {
        uint youngest = _anchor.Previous;
        _blocks.Link(leaf) = new BlockLink { Previous = youngest, Next = 0 };
        LinkOf(youngest).Next = leaf;
        _anchor.Previous = leaf;
        LeafCount++;
    }

    /// <summary>A shadow-only leaf gets a frame, or is about to be freed.</summary>
    internal void Leave(uint leaf)
    {
        BlockLink link = _blocks.Link(leaf);
        Invariant.Assert(
            LinkOf(link.Previous).Next == leaf, nameof(ShadowStore), "S1: a leaf on the ring", leaf);
        LinkOf(link.Previous).Next = link.Next;
        LinkOf(link.Next).Previous = link.Previous;
        _blocks.Link(leaf) = default;
        LeafCount--;
    }

    /// <summary>Checks the ring half of S1. O(leaves): for tests.</summary>
    internal void Validate()
    {
        uint count = 0;
        uint previous = 0;
        for (uint leaf = Oldest; leaf != 0; leaf = _blocks.Link(leaf).Next)
        {
            Invariant.Check(_blocks.Link(leaf).Previous == previous, nameof(ShadowStore),
                $"S1: leaf {leaf}'s Previous to be {previous}", _blocks.Link(leaf).Previous);
            BlockCounts counts = _blocks.Counts(leaf);
            Invariant.Check(counts.Used == 0 && counts.Shadows > 0, nameof(ShadowStore),
                "S1: a leaf with shadows and no frames", leaf);
            Invariant.Check(++count <= LeafCount, nameof(ShadowStore), $"S1: {LeafCount} leaves", count);
            previous = leaf;
        }

        Invariant.Check(count == LeafCount, nameof(ShadowStore), $"S1: {LeafCount} leaves", count);
    }

    /// <summary>The link of a leaf of the ring; number 0 is the anchor.</summary>
    private ref BlockLink LinkOf(uint leaf) => ref leaf == 0 ? ref _anchor : ref _blocks.Link(leaf);
}
