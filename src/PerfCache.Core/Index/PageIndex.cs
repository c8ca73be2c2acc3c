// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>Finds the frame or the shadow of a page.</summary>
/// <remarks>
/// <code>
/// object row ──► directory (dense objects)      hash of the key (sparse objects)
///                [ leaf id | leaf id | ... ]       │
///                     │                            ▼
///                     ▼                         bucket ──► node: one slot, one page
///                   leaf: 64 slots, one a page: empty, frame, or shadow
/// </code>
/// A dense object (a file, a volume, dense trace ids) has a directory of leaf ids that never moves, so a page is three
/// dependent loads away: directory, slot, frame head. Pages of a sparse one have a node each, found by hashing: bucket,
/// node, frame head (<see cref="SparsePages"/>).
/// <para>I1: a slot holds frame f if and only if f is live, slot(f) is the slot's address, and key(f) its page.</para>
/// <para>I2: a leaf's counts are the numbers of its slots that hold a frame and that hold a shadow.</para>
/// <para>I3: a leaf exists only while one of its slots is not empty; a node while its slot is not.</para>
/// <para>I4: a leaf without frames is on the ring of the <see cref="ShadowStore"/>, and a node with a shadow; no other
/// leaf or node is.</para>
/// Not synchronised: whoever changes it holds the cache's lock.
/// </remarks>
internal sealed partial class PageIndex : IDisposable
{
    /// <summary>The most pages of an object that may have a directory (2^32: 256 MiB of reserved addresses).</summary>
    internal const ulong DensePageMax = 1UL << 32;

    /// <summary>How many of the leaves that were freed last are remembered.</summary>
    internal const uint RemovedLeavesKept = 8;

    private readonly MemoryMeter _meter;
    private readonly IndexBlocks _blocks;
    private readonly SparsePages _nodes;
    private readonly FrameTable _frames;
    private readonly NativeArray<uint> _slots;
    private readonly NativeArray<BlockCounts> _counts;
    private readonly NativeArray<uint> _addresses;
    private ObjectRow[] _objects = [];
    private DirectoryView[] _directories = [];
    private uint _objectCount;
    private readonly List<NativeColumn<uint>> _retiredDirectories = [];
    private readonly uint[] _removedLeaves = new uint[RemovedLeavesKept];
    private bool _isDivided;

    internal PageIndex(FrameTable frames, MemoryMeter meter)
    {
        _frames = frames;
        _meter = meter;
        _blocks = new IndexBlocks(meter);
        // Views of columns that never move, one load away instead of three.
        _slots = _blocks.SlotView;
        _counts = _blocks.CountView;
        _addresses = frames.Slots;
        try
        {
            _nodes = new SparsePages(_blocks, meter);
        }
        catch (NativeMemoryException)
        {
            _blocks.Dispose();
            throw;
        }

        Shadows = new ShadowStore(_blocks, _nodes);
    }

    /// <summary>The shadows of all objects that were not given another store.</summary>
    internal ShadowStore Shadows { get; }

    /// <summary>Makes a further store, for objects whose shadows have a bound of their own.</summary>
    internal ShadowStore NewShadowStore()
    {
        _isDivided = true;
        return new ShadowStore(_blocks, _nodes);
    }

    /// <summary>True to keep the directory of a removed object mapped, without memory, until another object gets it.
    /// </summary>
    internal bool KeepsDirectories { get; init; }

    /// <summary>All slots, by address.</summary>
    internal NativeArray<uint> Slots => _slots;

    /// <summary>The directories of dense objects, by object: another array once objects are added.</summary>
    internal DirectoryView[] Directories => _directories;

    /// <summary>How often a leaf or a node was freed (modulo 2^32): a slot's address stays good while this does not change.</summary>
    internal uint LeavesRemoved { get; private set; }

    /// <summary>The block of the leaf that was the <paramref name="number"/>th to be freed, or 0 for a node: known for the
    /// last <see cref="RemovedLeavesKept"/>.</summary>
    internal uint RemovedLeaf(uint number) => _removedLeaves[number % RemovedLeavesKept];

    /// <summary>Native bytes in use: blocks, buckets and directories.</summary>
    internal long NativeBytes
    {
        get
        {
            long bytes = _blocks.NativeBytes + _nodes.BucketBytes;
            for (uint i = 0; i < _objectCount; i++) bytes += _objects[i].DirectoryColumn?.CommittedBytes ?? 0;
            foreach (NativeColumn<uint> directory in _retiredDirectories) bytes += directory.CommittedBytes;
            return bytes;
        }
    }

    /// <summary>What the slot at an address holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal SlotEntry Entry(uint address) => new(_slots[address]);

    /// <summary>Hints that an eviction will soon change the slot and the counts of its leaf.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchForEviction(uint address)
    {
        _slots.Prefetch(address);
        _counts.Prefetch(address >> IndexBlocks.SlotBits);
    }

    /// <summary>Puts a frame into a slot that is empty or holds a shadow.</summary>
    /// <returns>The shadow that was there, or <see cref="ShadowEntry.None"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ShadowEntry Install(uint address, FrameId frame)
    {
        SlotEntry old = new(_slots[address]);
        Invariant.Assert(!old.IsFrame, nameof(PageIndex), "I1: a slot without a frame", address);
        _slots[address] = SlotEntry.ForFrame(frame).Packed;
        _addresses[frame.Value] = address;
        uint leaf = address >> IndexBlocks.SlotBits;
        ref uint counts = ref _counts[leaf].Packed;
        if (BlockCounts.AreOfNodes(counts))
        {
            if (!old.IsEmpty) ShadowsOf(address).LeaveNode(address);
            return old.Shadow;
        }

        // A shadow-only leaf leaves the list on any insertion, also into one of its empty slots.
        if (BlockCounts.IsShadowOnly(counts)) ShadowsOf(address).Leave(leaf);
        counts += BlockCounts.OneUsed - (old.IsEmpty ? 0 : BlockCounts.OneShadow);
        return old.Shadow;
    }

    /// <summary>Takes a frame out of its slot, which is empty then, and puts it into another one that is empty or holds a
    /// shadow.</summary>
    /// <returns>The shadow that was there, or <see cref="ShadowEntry.None"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ShadowEntry Move(FrameId frame, uint address)
    {
        NativeArray<uint> slots = _slots;
        NativeArray<BlockCounts> counts = _counts;
        ref uint at = ref _addresses[frame.Value];
        uint left = at;
        ref uint into = ref counts[address >> IndexBlocks.SlotBits].Packed;
        ref uint from = ref counts[left >> IndexBlocks.SlotBits].Packed;
        // Usually both are in leaves, and the one that it comes into has frames and is on no ring.
        if (slots[address] != 0 || BlockCounts.AreOfNodes(into | from) || into % BlockCounts.OneShadow == 0)
            return MoveBetweenAny(frame, address);
        at = address;
        slots[address] = SlotEntry.ForFrame(frame).Packed;
        slots[left] = 0;
        // One after the other: both may be of one leaf.
        into += BlockCounts.OneUsed;
        from -= BlockCounts.OneUsed;
        if (from % BlockCounts.OneShadow == 0) LeafLostItsFrames(left >> IndexBlocks.SlotBits);
        return ShadowEntry.None;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ShadowEntry MoveBetweenAny(FrameId frame, uint address)
    {
        uint left = _addresses[frame.Value];
        // The new slot first: a leaf that loses its last frame goes, and both may be in the same one.
        ShadowEntry shadow = Install(address, frame);
        ClearFrame(left);
        return shadow;
    }

    /// <summary>Puts another frame into a slot that holds one: its page has moved there. A release, for readers that come
    /// by the slot.</summary>
    internal void Redirect(uint address, FrameId frame)
    {
        Invariant.Assert(new SlotEntry(_slots[address]).IsFrame, nameof(PageIndex), "I1: a slot with a frame", address);
        _addresses[frame.Value] = address;
        Volatile.Write(ref _slots[address], SlotEntry.ForFrame(frame).Packed);
    }

    /// <summary>Replaces the frames of a batch by shadows with consecutive ages. All shadows are in one store.</summary>
    internal void ReplaceByShadows(ReadOnlySpan<FrameId> frames, in ShadowFormat format, ulong firstAge, uint list)
    {
        NativeArray<uint> slots = _slots;
        NativeArray<BlockCounts> blocks = _counts;
        NativeArray<uint> addresses = _addresses;
        NativeArray<FrameHead> heads = _frames.Heads;
        ShadowPacker packer = format.PackerFor(list);
        for (int i = 0; i < frames.Length; i++)
        {
            uint frame = frames[i].Value;
            uint address = addresses[frame];
            ref FrameState state = ref heads[frame].State;
            slots[address] = packer.Pack(firstAge + (uint)i, state).Packed;
            state = state.Freed();
            ref uint counts = ref blocks[address >> IndexBlocks.SlotBits].Packed;
            if (BlockCounts.AreOfNodes(counts))
            {
                ShadowsOf(address).EnterNode(address);
                continue;
            }

            counts += BlockCounts.OneShadow - BlockCounts.OneUsed;
            if (BlockCounts.IsShadowOnly(counts)) Shadows.Enter(address >> IndexBlocks.SlotBits);
        }
    }

    /// <summary>Replaces a frame by the shadow that it leaves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ReplaceByShadow(uint address, ShadowEntry shadow)
    {
        uint leaf = address >> IndexBlocks.SlotBits;
        ref uint counts = ref _counts[leaf].Packed;
        _slots[address] = shadow.Packed;
        if (BlockCounts.AreOfNodes(counts))
        {
            ShadowsOf(address).EnterNode(address);
            return;
        }

        counts += BlockCounts.OneShadow - BlockCounts.OneUsed;
        if (BlockCounts.IsShadowOnly(counts)) ShadowsOf(address).Enter(leaf);
    }

    /// <summary>Empties a slot that holds a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ClearFrame(uint address)
    {
        uint leaf = address >> IndexBlocks.SlotBits;
        ref uint counts = ref _counts[leaf].Packed;
        _slots[address] = 0;
        if (BlockCounts.AreOfNodes(counts))
        {
            RemoveNode(address);
            return;
        }

        counts -= BlockCounts.OneUsed;
        if (counts % BlockCounts.OneShadow == 0) LeafLostItsFrames(leaf);
    }

    /// <summary>Empties a slot that holds a shadow.</summary>
    internal void ClearShadow(uint address)
    {
        uint leaf = address >> IndexBlocks.SlotBits;
        ref uint counts = ref _counts[leaf].Packed;
        _slots[address] = 0;
        if (BlockCounts.AreOfNodes(counts))
        {
            ShadowsOf(address).LeaveNode(address);
            RemoveNode(address);
            return;
        }

        counts -= BlockCounts.OneShadow;
        if (counts > 0) return;
        ShadowsOf(address).Leave(leaf);
        RemoveLeaf(leaf);
    }

    /// <summary>Drops the shadow-only leaf or node that lost its last frame longest ago.</summary>
    /// <param name="shadows">The store whose leaf or node it is.</param>
    /// <returns>The number of shadows dropped; 0 when there is no such leaf or node.</returns>
    internal int DropOldestShadowLeaf(ShadowStore shadows)
    {
        uint oldest = shadows.Oldest;
        if (oldest == 0) return 0;
        uint leaf = oldest >> IndexBlocks.SlotBits;
        if (BlockCounts.AreOfNodes(_counts[leaf].Packed))
        {
            ClearShadow(oldest);
            shadows.DroppedCount++;
            return 1;
        }

        int count = (int)_blocks.Counts(leaf).Shadows;
        Invariant.Assert(
            LeafScan.Frames(_blocks.Slots(leaf)) == 0, nameof(PageIndex), "I4: a leaf without frames", leaf);
        shadows.Leave(leaf);
        _blocks.Slots(leaf).Clear();
        RemoveLeaf(leaf);
        shadows.DroppedCount += count;
        return count;
    }

    /// <summary>The store of the object whose slot is at an address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ShadowStore ShadowsOf(uint address) => _isDivided ? ShadowsOfDivided(address) : Shadows;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ShadowStore ShadowsOfDivided(uint address)
    {
        uint block = address >> IndexBlocks.SlotBits;
        ulong leafKey = BlockCounts.AreOfNodes(_counts[block].Packed)
            ? _nodes.Key(address) >> IndexBlocks.SlotBits : _blocks.LeafKey(block);
        return _objects[leafKey >> LeafKeyObjectShift].Shadows;
    }

    public void Dispose()
    {
        foreach (NativeColumn<uint> directory in _retiredDirectories) directory.Dispose();
        _nodes.Dispose();
        _blocks.Dispose();
        for (uint i = 0; i < _objectCount; i++) _objects[i].DirectoryColumn?.Dispose();
        _objectCount = 0;
        _objects = [];
        _directories = [];
    }
}
