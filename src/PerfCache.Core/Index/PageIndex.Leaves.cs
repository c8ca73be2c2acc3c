// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>The slow half of the index: leaves come and go, objects are walked, everything is validated.</summary>
internal sealed partial class PageIndex
{
    private const int LeafKeyObjectShift = PageKey.PageBits - IndexBlocks.SlotBits;

    /// <summary>Calls <paramref name="visit"/> with the address and entry of each slot in the page range that is not
    /// empty, in ascending order of pages. The visitor may empty the slot that it is called with, and no other.</summary>
    internal void Walk(
        ObjectId owner, ulong firstPage, ulong lastPage, Action<ulong, uint, SlotEntry> visit, bool framesOnly = false)
    {
        ObjectRow row = _objects[owner.Value];
        SlotWalk walk = new(firstPage, lastPage, framesOnly, visit);
        ulong lastLeaf = lastPage >> IndexBlocks.SlotBits;
        if (row.DirectoryColumn is not null)
        {
            for (ulong leaf = firstPage >> IndexBlocks.SlotBits;
                leaf <= lastLeaf && leaf < row.DirectoryLength; leaf++)
            {
                uint block = row.Directory[leaf];
                if (block != 0) WalkLeaf(block, leaf, walk);
            }
        }
        else if (row.IsSparse)
        {
            WalkNodes(owner, walk);
        }
    }

    /// <summary>Checks I1 to I4 and the structures below. O(slots): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    internal void Validate()
    {
        _blocks.Validate();
        _nodes.Validate();
        Dictionary<ShadowStore, (uint ShadowOnly, uint Leaves)> stores = new() { [Shadows] = default };
        for (uint i = 0; i < _objectCount; i++)
        {
            if (!_objects[i].InUse) continue;
            (uint shadowOnly, uint leaves) = ValidateObject(new ObjectId(i));
            (uint ShadowOnly, uint Leaves) before = stores.GetValueOrDefault(_objects[i].Shadows);
            stores[_objects[i].Shadows] = (before.ShadowOnly + shadowOnly, before.Leaves + leaves);
        }

        foreach ((ShadowStore store, (uint shadowOnly, uint leaves)) in stores)
        {
            store.Validate();
            Invariant.Check(shadowOnly == store.LeafCount, nameof(PageIndex),
                $"I4: {shadowOnly} leaves and nodes with shadows alone", store.LeafCount);
            Invariant.Check(leaves == store.IndexLeafCount, nameof(PageIndex),
                $"S2: {leaves} leaves and nodes", store.IndexLeafCount);
        }
    }

    /// <summary>Checks I1 and I2 of one object.</summary>
    /// <returns>Its leaves and nodes with shadows alone, and all of them.</returns>
    private (uint ShadowOnly, uint Leaves) ValidateObject(ObjectId owner)
    {
        uint shadowOnly = 0;
        uint nodes = 0;
        Dictionary<uint, (int Frames, int Shadows)> leaves = [];
        Walk(owner, 0, PageKey.PageMax, (page, address, entry) =>
        {
            Invariant.Check(entry.HasTag, nameof(PageIndex), "I2: a frame or a shadow", entry.Packed);
            if (entry.IsFrame) CheckFrame(owner, page, address, entry.Frame);
            uint leaf = address >> IndexBlocks.SlotBits;
            if (BlockCounts.AreOfNodes(_counts[leaf].Packed))
            {
                nodes++;
                if (entry.IsShadow) shadowOnly++;
                return;
            }

            (int frames, int shadows) = leaves.GetValueOrDefault(leaf);
            leaves[leaf] = entry.IsFrame ? (frames + 1, shadows) : (frames, shadows + 1);
        });
        foreach ((uint leaf, (int frames, int shadows)) in leaves)
        {
            BlockCounts counts = _blocks.Counts(leaf);
            Invariant.Check(counts.Used == frames, nameof(PageIndex), $"I2: {frames} frames in leaf {leaf}", counts.Used);
            Invariant.Check(
                counts.Shadows == shadows, nameof(PageIndex), $"I2: {shadows} shadows in leaf {leaf}", counts.Shadows);
            if (frames == 0) shadowOnly++;
        }

        return (shadowOnly, (uint)leaves.Count + nodes);
    }

    private void CheckFrame(ObjectId owner, ulong page, uint address, FrameId frame)
    {
        Invariant.Check(_frames.State(frame).IsLive, nameof(PageIndex), "I1: a live frame", frame.Value);
        Invariant.Check(
            _frames.Slot(frame) == address, nameof(PageIndex), $"I1: frame {frame.Value}'s slot to be {address}",
            _frames.Slot(frame));
        Invariant.Check(
            _frames.Key(frame) == new PageKey(owner, page), nameof(PageIndex),
            $"I1: frame {frame.Value} to hold page {page}", (long)_frames.Key(frame).Page);
    }

    /// <summary>Makes the leaf or the node of a page that has none; the caller fills the slot at once.</summary>
    /// <returns>The address of the page's slot.</returns>
    /// <exception cref="NativeMemoryException">The memory cannot be had; nothing has changed.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal uint AddLeaf(ObjectId owner, ulong page)
    {
        Invariant.Assert(IsPage(owner, page), nameof(PageIndex), "a page of the object", (long)page);
        ref ObjectRow row = ref _objects[owner.Value];
        if (row.IsSparse)
        {
            uint node = _nodes.Add(new PageKey(owner, page));
            row.Shadows.IndexLeafCount++;
            return node;
        }

        ulong leaf = page >> IndexBlocks.SlotBits;
        row.DirectoryColumn!.EnsureLength((long)leaf + 1);
        row.DirectoryLength = (ulong)row.DirectoryColumn.Length;
        Volatile.Write(ref _directories[owner.Value].Length, row.DirectoryLength);
        uint block = _blocks.Allocate();
        row.Directory[leaf] = block;
        row.Shadows.IndexLeafCount++;
        _blocks.LeafKey(block) = new PageKey(owner, page).Packed >> IndexBlocks.SlotBits;
        return (block << IndexBlocks.SlotBits) | ((uint)page & (IndexBlocks.SlotCount - 1));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LeafLostItsFrames(uint leaf)
    {
        if (_blocks.Counts(leaf).Shadows > 0) ShadowsOf(leaf << IndexBlocks.SlotBits).Enter(leaf);
        else RemoveLeaf(leaf);
    }

    /// <summary>Frees a leaf whose slots are all empty.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RemoveLeaf(uint block)
    {
        ulong key = _blocks.LeafKey(block);
        ref ObjectRow row = ref _objects[key >> LeafKeyObjectShift];
        ulong leaf = key & ((1UL << LeafKeyObjectShift) - 1);
        _removedLeaves[LeavesRemoved++ % RemovedLeavesKept] = block;
        _blocks.Free(block);
        row.Directory[leaf] = 0;
        row.Shadows.IndexLeafCount--;
    }

    /// <summary>Frees the node of a slot that is empty.</summary>
    private void RemoveNode(uint address)
    {
        _removedLeaves[LeavesRemoved++ % RemovedLeavesKept] = 0;
        _objects[new PageKey(_nodes.Key(address)).ObjectId.Value].Shadows.IndexLeafCount--;
        _nodes.Remove(address);
    }

    private void WalkNodes(ObjectId owner, in SlotWalk walk)
    {
        PageKey last = new(owner, Math.Min(walk.LastPage, PageKey.PageMax));
        foreach ((ulong key, uint address) in _nodes.InOrder(new PageKey(owner, walk.FirstPage), last))
        {
            SlotEntry entry = new(_slots[address]);
            if (entry.IsFrame || !walk.FramesOnly) walk.Visit(new PageKey(key).Page, address, entry);
        }
    }

    private void WalkLeaf(uint block, ulong leaf, in SlotWalk walk)
    {
        Span<uint> slots = _blocks.Slots(block);
        ulong wanted = walk.Within(leaf)
            & (walk.FramesOnly ? LeafScan.Frames(slots) : LeafScan.NonEmpty(slots));
        while (wanted != 0)
        {
            uint i = LeafScan.TakeLowest(ref wanted);
            uint address = (block << IndexBlocks.SlotBits) | i;
            walk.Visit((leaf << IndexBlocks.SlotBits) | i, address, new SlotEntry(_blocks.Slot(address)));
        }
    }

    /// <summary>A walk over the slots of an object: from where to where, and who is told.</summary>
    private readonly record struct SlotWalk(
        ulong FirstPage, ulong LastPage, bool FramesOnly, Action<ulong, uint, SlotEntry> Visit)
    {
        /// <summary>The slots that the walk covers of the leaf with this number, one of those that it goes through.</summary>
        internal ulong Within(ulong leaf)
        {
            ulong start = leaf << IndexBlocks.SlotBits;
            ulong end = start | (IndexBlocks.SlotCount - 1);
            return LeafScan.Range((int)(Math.Max(FirstPage, start) - start), (int)(Math.Min(LastPage, end) - start));
        }
    }
}
