// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>The slow half of the index: leaves come and go, sparse objects are walked, everything is validated.</summary>
internal sealed partial class PageIndex
{
    private const int LeafKeyObjectShift = PageKey.PageBits - IndexBlocks.SlotBits;

    /// <summary>The most levels of inner blocks: enough 6-bit digits for the leaf number of the last page.</summary>
    private const int TreeHeightMax = (LeafKeyObjectShift + IndexBlocks.SlotBits - 1) / IndexBlocks.SlotBits;

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
        else if (row.Root != 0)
        {
            WalkBlock(row.Root, row.Height, 0, walk);
        }
    }

    /// <summary>Checks I1 to I4 and the structures below. O(slots): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    internal void Validate()
    {
        _blocks.Validate();
        Dictionary<ShadowStore, (uint ShadowOnly, uint Blocks)> stores = new() { [Shadows] = default };
        for (uint i = 0; i < _objectCount; i++)
        {
            if (!_objects[i].InUse) continue;
            ObjectId owner = new(i);
            ShadowStore store = _objects[i].Shadows;
            (uint shadowOnly, uint blocks) = stores.GetValueOrDefault(store);
            Dictionary<uint, (int Frames, int Shadows)> leaves = [];
            Walk(owner, 0, PageKey.PageMax, (page, address, entry) =>
            {
                uint leaf = address >> IndexBlocks.SlotBits;
                (int frames, int shadows) = leaves.GetValueOrDefault(leaf);
                leaves[leaf] = entry.IsFrame ? (frames + 1, shadows) : (frames, shadows + 1);
                if (entry.IsFrame) CheckFrame(owner, page, address, entry.Frame);
                else Invariant.Check(entry.IsShadow, nameof(PageIndex), "I2: a frame or a shadow", entry.Packed);
            });
            foreach ((uint leaf, (int frames, int shadows)) in leaves)
            {
                BlockCounts counts = _blocks.Counts(leaf);
                Invariant.Check(counts.Used == frames, nameof(PageIndex), $"I2: {frames} frames in leaf {leaf}", counts.Used);
                Invariant.Check(
                    counts.Shadows == shadows, nameof(PageIndex), $"I2: {shadows} shadows in leaf {leaf}", counts.Shadows);
                if (frames == 0) shadowOnly++;
            }

            stores[store] = (shadowOnly, blocks + (uint)leaves.Count + CountInner(_objects[i].Root, _objects[i].Height));
        }

        foreach ((ShadowStore store, (uint shadowOnly, uint blocks)) in stores)
        {
            store.Validate();
            Invariant.Check(
                shadowOnly == store.LeafCount, nameof(PageIndex), $"I4: {shadowOnly} shadow-only leaves", store.LeafCount);
            Invariant.Check(blocks == store.BlockCount, nameof(PageIndex), $"S2: {blocks} blocks", store.BlockCount);
        }
    }

    /// <summary>Inner blocks of a tree.</summary>
    private uint CountInner(uint block, int level)
    {
        if (block == 0 || level == 0) return 0;
        uint count = 1;
        foreach (uint slot in _blocks.Slots(block))
            if (slot != 0) count += CountInner(new SlotEntry(slot).Block, level - 1);
        return count;
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

    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint FindBlockSlow(ref ObjectRow row, ulong leaf)
    {
        uint block = row.Root;
        if (block == 0 || leaf >> (IndexBlocks.SlotBits * row.Height) != 0) return 0;
        for (int level = row.Height; level > 0 && block != 0; level--)
            block = new SlotEntry(_blocks.Slot(ChildAddress(block, leaf, level))).Block;
        return block;
    }

    /// <summary>As <see cref="FindBlockSlow"/>, while another thread may be changing the tree.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private uint FindBlockShared(ref ObjectRow row, ulong leaf)
    {
        // Root and height may not belong together; then the walk ends at a slot that is no block, or in a wrong block,
        // whose slots name frames of other pages at worst.
        uint block = Volatile.Read(ref row.Root);
        int height = Volatile.Read(ref row.Height);
        if (block == 0 || leaf >> (IndexBlocks.SlotBits * height) != 0) return 0;
        for (int level = height; level > 0; level--)
        {
            SlotEntry child = new(_blocks.Slot(ChildAddress(block, leaf, level)));
            if (!child.IsBlock) return 0;
            block = child.Block;
        }

        return block;
    }

    /// <summary>Makes the leaf of an object's page that has none; the caller fills the slot at once.</summary>
    /// <returns>The address of the page's slot.</returns>
    /// <exception cref="NativeMemoryException">The memory cannot be had; nothing has changed.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal uint AddLeaf(ObjectId owner, ulong page)
    {
        Invariant.Assert(IsPage(owner, page), nameof(PageIndex), "a page of the object", (long)page);
        ref ObjectRow row = ref _objects[owner.Value];
        ulong leaf = page >> IndexBlocks.SlotBits;
        uint blocksBefore = _blocks.Count;
        uint block;
        if (row.DirectoryColumn is not null)
        {
            row.DirectoryColumn.EnsureLength((long)leaf + 1);
            row.DirectoryLength = (ulong)row.DirectoryColumn.Length;
            Volatile.Write(ref _directories[owner.Value].Length, row.DirectoryLength);
            block = _blocks.Allocate();
            row.Directory[leaf] = block;
        }
        else
        {
            block = AddTreeLeaf(ref row, leaf);
        }

        row.Shadows.BlockCount += _blocks.Count - blocksBefore;
        _blocks.LeafKey(block) = new PageKey(owner, page).Packed >> IndexBlocks.SlotBits;
        return (block << IndexBlocks.SlotBits) | ((uint)page & (IndexBlocks.SlotCount - 1));
    }

    /// <summary>Grows the tree until it spans the leaf, then makes the blocks that are missing on the way down.</summary>
    private uint AddTreeLeaf(ref ObjectRow row, ulong leaf)
    {
        // All memory first, so that a failure leaves no half-made path.
        _blocks.EnsureFree(2 * TreeHeightMax);
        if (row.Root == 0)
        {
            row.Height = 0;
            while (leaf >> (IndexBlocks.SlotBits * row.Height) != 0) row.Height++;
            row.Root = _blocks.Allocate();
        }

        while (leaf >> (IndexBlocks.SlotBits * row.Height) != 0)
        {
            uint above = _blocks.Allocate();
            _blocks.Slot(above << IndexBlocks.SlotBits) = SlotEntry.ForBlock(row.Root).Packed;
            _blocks.Counts(above).Packed = BlockCounts.OneUsed;
            row.Root = above;
            row.Height++;
        }

        uint block = row.Root;
        for (int level = row.Height; level > 0; level--)
        {
            ref uint slot = ref _blocks.Slot(ChildAddress(block, leaf, level));
            if (slot == 0)
            {
                slot = SlotEntry.ForBlock(_blocks.Allocate()).Packed;
                _blocks.Counts(block).Packed += BlockCounts.OneUsed;
            }

            block = new SlotEntry(slot).Block;
        }

        return block;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LeafLostItsFrames(uint leaf)
    {
        if (_blocks.Counts(leaf).Shadows > 0) ShadowsOf(leaf).Enter(leaf);
        else RemoveLeaf(leaf);
    }

    /// <summary>Frees a leaf whose slots are all empty, and the inner blocks that it leaves without a child.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RemoveLeaf(uint block)
    {
        ulong key = _blocks.LeafKey(block);
        ref ObjectRow row = ref _objects[key >> LeafKeyObjectShift];
        ulong leaf = key & ((1UL << LeafKeyObjectShift) - 1);
        LeavesRemoved++;
        uint blocksBefore = _blocks.Count;
        _blocks.Free(block);
        if (row.DirectoryColumn is not null) row.Directory[leaf] = 0;
        else RemoveTreeLeaf(ref row, leaf);
        row.Shadows.BlockCount -= blocksBefore - _blocks.Count;
    }

    private void RemoveTreeLeaf(ref ObjectRow row, ulong leaf)
    {
        Span<uint> path = stackalloc uint[TreeHeightMax + 1];
        uint block = row.Root;
        for (int level = row.Height; level > 0; level--)
        {
            path[level] = block;
            block = new SlotEntry(_blocks.Slot(ChildAddress(block, leaf, level))).Block;
        }

        for (int level = 1; level <= row.Height; level++)
        {
            _blocks.Slot(ChildAddress(path[level], leaf, level)) = 0;
            ref BlockCounts counts = ref _blocks.Counts(path[level]);
            counts.Packed -= BlockCounts.OneUsed;
            if (counts.Used > 0) return;
            _blocks.Free(path[level]);
        }

        row.Root = 0;
        row.Height = 0;
    }

    private void WalkBlock(uint block, int level, ulong prefix, in SlotWalk walk)
    {
        if (level == 0)
        {
            WalkLeaf(block, prefix, walk);
            return;
        }

        // The mask is made once: a visitor that empties a slot may free blocks below, but no other child of this one.
        ulong children = walk.Within(prefix, IndexBlocks.SlotBits * level) & LeafScan.NonEmpty(_blocks.Slots(block));
        while (children != 0)
        {
            uint i = LeafScan.TakeLowest(ref children);
            SlotEntry entry = new(_blocks.Slot((block << IndexBlocks.SlotBits) | i));
            WalkBlock(entry.Block, level - 1, (prefix << IndexBlocks.SlotBits) | i, walk);
        }
    }

    private void WalkLeaf(uint block, ulong leaf, in SlotWalk walk)
    {
        Span<uint> slots = _blocks.Slots(block);
        ulong wanted = walk.Within(leaf, 0)
            & (walk.FramesOnly ? LeafScan.Frames(slots) : LeafScan.NonEmpty(slots));
        while (wanted != 0)
        {
            uint i = LeafScan.TakeLowest(ref wanted);
            uint address = (block << IndexBlocks.SlotBits) | i;
            walk.Visit((leaf << IndexBlocks.SlotBits) | i, address, new SlotEntry(_blocks.Slot(address)));
        }
    }

    private static uint ChildAddress(uint block, ulong leaf, int level) =>
        (block << IndexBlocks.SlotBits)
        | ((uint)(leaf >> (IndexBlocks.SlotBits * (level - 1))) & (IndexBlocks.SlotCount - 1));

    /// <summary>A walk over the slots of an object: from where to where, and who is told.</summary>
    private readonly record struct SlotWalk(
        ulong FirstPage, ulong LastPage, bool FramesOnly, Action<ulong, uint, SlotEntry> Visit)
    {
        /// <summary>The slots of the block with this number that the walk reaches into; a slot spans 2^shift pages.
        /// </summary>
        internal ulong Within(ulong block, int shift)
        {
            ulong start = block << IndexBlocks.SlotBits;
            ulong end = start | (IndexBlocks.SlotCount - 1);
            ulong first = FirstPage >> shift;
            ulong last = LastPage >> shift;
            if (first > end || last < start) return 0;
            return LeafScan.Range((int)(Math.Max(first, start) - start), (int)(Math.Min(last, end) - start));
        }
    }
}
