// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>From a page to its slot: under the lock, and (<c>Shared</c>) without it, where the answer is a hint.</summary>
internal sealed partial class PageIndex
{
    /// <summary>The directory of a dense object, and how far it may be read; empty for all others.</summary>
    internal NativeArray<uint> LeavesOf(ObjectId owner, out ulong length)
    {
        length = 0;
        if (owner.Value >= _objectCount) return default;
        ref ObjectRow row = ref _objects[owner.Value];
        length = row.DirectoryLength;
        return row.Directory;
    }

    /// <summary>What a loop over pages of one object reads; valid until the index changes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal IndexView View(ObjectId owner)
    {
        ref ObjectRow row = ref _objects[owner.Value];
        return new IndexView(row.Directory, row.DirectoryLength, _slots);
    }

    /// <summary>
    /// The address of the page's slot. Where the object has no such leaf or node, it is a slot of block 0, which is empty.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint FindSlot(ObjectId owner, ulong page)
    {
        return FindSlot(ref _objects[owner.Value], owner, page);
    }

    /// <summary>As <see cref="FindSlot(ObjectId, ulong)"/>, for objects and pages that there may not be.</summary>
    /// <returns>False when the object does not exist or has no such page.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryFindSlot(ObjectId owner, ulong page, out uint address)
    {
        address = 0;
        if (owner.Value >= _objectCount) return false;
        ref ObjectRow row = ref _objects[owner.Value];
        if (!row.InUse || page >= row.PageCountMax) return false;
        address = FindSlot(ref row, owner, page);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint FindSlot(ref ObjectRow row, ObjectId owner, ulong page)
    {
        ulong leaf = page >> IndexBlocks.SlotBits;
        if (row.IsSparse) return _nodes.Find(new PageKey(owner, page));
        uint block = leaf < row.DirectoryLength ? row.Directory[leaf] : 0;
        return (block << IndexBlocks.SlotBits) | ((uint)page & (IndexBlocks.SlotCount - 1));
    }

    /// <summary>
    /// What the page's slot holds, read without the lock: a hint. It may be outdated, or another page's; an empty entry
    /// proves nothing, and is also the answer for objects that there are not.
    /// </summary>
    /// <remarks>
    /// Sound because blocks and directories are never unmapped, a directory's length is stored after its memory is
    /// committed, every block number found anywhere is one of an existing block, and a block that was ever a leaf holds
    /// nothing but slots for ever after.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal SlotEntry FindEntryShared(ObjectId owner, ulong page)
    {
        return TryFindEntryDense(owner, page, out SlotEntry entry) && !entry.IsEmpty ? entry : FindEntrySparse(owner, page);
    }

    /// <summary>As <see cref="FindEntryShared"/>, where the object has a directory that reaches so far.</summary>
    /// <returns>False for all other pages.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryFindEntryDense(ObjectId owner, ulong page, out SlotEntry entry) =>
        TryFindEntryDense(_directories, _slots, owner, page, out entry);

    /// <summary>The same for who keeps <see cref="Directories"/> and <see cref="Slots"/>, and so is one load nearer.</summary>
    /// <param name="directories">The directories, or none: then no page is found.</param>
    /// <param name="slots">All slots.</param>
    /// <param name="owner">An object, or not.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="entry">What its slot holds.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryFindEntryDense(
        DirectoryView[] directories, NativeArray<uint> slots, ObjectId owner, ulong page, out SlotEntry entry)
    {
        entry = default;
        if (owner.Value >= (uint)directories.Length) return false;
        ref DirectoryView directory = ref directories[owner.Value];
        ulong leaf = page >> IndexBlocks.SlotBits;
        if (leaf >= directory.Length) return false;
        uint block = directory.Leaves[leaf];
        entry = new SlotEntry(slots[(block << IndexBlocks.SlotBits) | ((uint)page & (IndexBlocks.SlotCount - 1))]);
        return true;
    }

    /// <summary>As <see cref="FindEntryShared"/>, where the object is sparse.</summary>
    /// <returns>An empty entry for pages of other objects.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal SlotEntry FindEntrySparse(ObjectId owner, ulong page)
    {
        ObjectRow[] objects = _objects;
        if (owner.Value >= (uint)objects.Length || !objects[owner.Value].IsSparse) return default;
        return new SlotEntry(_slots[_nodes.FindShared(new PageKey(owner, page))]);
    }

    /// <summary>As <see cref="View"/>, read without the lock, for objects that there may not be. Sparse objects have an
    /// empty one.</summary>
    internal IndexView ViewShared(ObjectId owner)
    {
        ObjectRow[] objects = _objects;
        return owner.Value < (uint)objects.Length ? View(owner) : default;
    }

    /// <summary>The address of the slot in which <see cref="FindEntryShared"/> looks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint FindSlotShared(ObjectId owner, ulong page)
    {
        ObjectRow[] objects = _objects;
        if (owner.Value >= (uint)objects.Length) return 0;
        ref ObjectRow row = ref objects[owner.Value];
        ulong leaf = page >> IndexBlocks.SlotBits;
        if (row.IsSparse) return _nodes.FindShared(new PageKey(owner, page));
        uint block = leaf < row.DirectoryLength ? row.Directory[leaf] : 0;
        return (block << IndexBlocks.SlotBits) | ((uint)page & (IndexBlocks.SlotCount - 1));
    }
}
