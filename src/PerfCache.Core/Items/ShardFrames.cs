// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>
/// The frames of one shard: which are free, which are cut into slots of which size, and who has bytes where.
/// </summary>
/// <remarks>
/// <code>
///                 TryAllocateSlot                TryAllocateFrame
///   slots of a class  &lt;----------   free   ------------------>  whole (chained by Next)
///        |   last slot freed          ^ |                             |
///        +----------------------------+ +--> retired, withdrawn       +--> free
/// </code>
/// A place is a slot's name in 32 bits: frame * slots of the smallest class + slot.
/// <para>F1: every frame of the shard has one use: free, retired, withdrawn, whole, or slots of a class.</para>
/// <para>F2: a frame with slots is on its class's list exactly while a slot of it is free; a free or a retired
/// frame is on the list of those; links of whole frames are their chain.</para>
/// <para>F3: a frame's count of used slots is the number of bits in its bitmap, and of rows linked to it.</para>
/// <para>F4: what the frames cost is what was taken from the budget for them.</para>
/// Used under the shard's lock.
/// </remarks>
internal sealed partial class ShardFrames
{
    private readonly ItemFrames _all;
    private readonly ItemRows _itemRows;
    private readonly ItemBudget _budget;
    private readonly byte _shard;
    private readonly NativeArray<ItemFrame> _rows;
    private readonly int _placeShift;
    private readonly uint _slotMask;
    private readonly uint[] _firstOfList = new uint[byte.MaxValue + 1];
    private readonly FrameId[] _one = new FrameId[1];
    private bool _supplyIsEmpty;
    private int _growthRests;

    internal ShardFrames(ItemFrames all, ItemRows itemRows, ItemBudget budget, byte shard)
    {
        _all = all;
        _itemRows = itemRows;
        _budget = budget;
        _shard = shard;
        _rows = all.Rows;
        // A page and its smallest slot are powers of two, so there is no division in a place.
        _placeShift = BitOperations.Log2((uint)all.Classes.SlotsMax);
        _slotMask = (uint)all.Classes.SlotsMax - 1;
    }

    /// <summary>Frames in which there is nothing.</summary>
    internal uint FreeCount { get; private set; }

    /// <summary>Frames that hold bytes of items.</summary>
    internal uint UsedCount { get; private set; }

    /// <summary>Frames whose bytes went to metadata.</summary>
    internal uint RetiredCount { get; private set; }

    /// <summary>Frames that the owner has taken out of the store.</summary>
    internal uint WithdrawnCount { get; private set; }

    internal uint FrameOf(uint place) => place >> _placeShift;

    /// <summary>The class of the slot at a place.</summary>
    internal byte ClassOf(uint place) => _rows[place >> _placeShift].Class;

    /// <summary>The bytes of the slot at a place.</summary>
    internal Span<byte> Slot(uint place)
    {
        uint frame = place >> _placeShift;
        int bytes = _all.Classes.Bytes(_rows[frame].Class);
        return _all.Pages.Page(new FrameId(frame)).Slice((int)(place & _slotMask) * bytes, bytes);
    }

    /// <summary>
    /// Takes a free frame for a row's value, and puts it behind the chain's last one if there is one.
    /// </summary>
    internal bool TryAllocateFrame(uint itemRow, uint last, out uint frame)
    {
        if (!TryTakeFree(out frame)) return false;
        _rows[frame].Class = SizeClasses.Whole;
        _rows[frame].Row = itemRow;
        if (last != 0) _rows[last].Next = frame;
        return true;
    }

    /// <summary>Frees the whole frames of a chain.</summary>
    internal void FreeChain(uint frame)
    {
        while (frame != 0)
        {
            uint next = _rows[frame].Next;
            MakeFree(frame);
            frame = next;
        }
    }

    /// <summary>Takes a slot. It is in nobody's name until <see cref="LinkSlot"/>.</summary>
    internal bool TryAllocateSlot(byte sizeClass, out uint place)
    {
        place = 0;
        uint frame = _firstOfList[sizeClass];
        if (frame == 0)
        {
            if (!TryTakeFree(out frame)) return false;
            _rows[frame].Class = sizeClass;
            Link(frame, sizeClass);
        }

        ref ItemFrame row = ref _rows[frame];
        uint word = frame * _all.BitmapWords;
        while (_all.UsedSlots[word] == uint.MaxValue) word++;
        int bit = BitOperations.TrailingZeroCount(~_all.UsedSlots[word]);
        _all.UsedSlots[word] |= 1u << bit;
        if (++row.UsedSlots == _all.Classes.Slots(sizeClass)) Unlink(frame, sizeClass);
        place = (frame << _placeShift) + ((word - (frame * _all.BitmapWords)) * 32) + (uint)bit;
        return true;
    }

    /// <summary>Frees a slot that is in nobody's name.</summary>
    internal void FreeSlot(uint place)
    {
        uint frame = place >> _placeShift;
        uint slot = place & _slotMask;
        ref ItemFrame row = ref _rows[frame];
        ref uint word = ref _all.UsedSlots[(frame * _all.BitmapWords) + (slot / 32)];
        Invariant.Assert((word & (1u << (int)(slot % 32))) != 0, nameof(ShardFrames), "F3: a used slot", place);
        word &= ~(1u << (int)(slot % 32));
        byte sizeClass = row.Class;
        if (row.UsedSlots-- == _all.Classes.Slots(sizeClass)) Link(frame, sizeClass);
        if (row.UsedSlots > 0) return;
        Unlink(frame, sizeClass);
        MakeFree(frame);
    }

    /// <summary>Puts a slot into a row's name.</summary>
    internal void LinkSlot(uint place, uint itemRow)
    {
        ref ItemFrame row = ref _rows[place >> _placeShift];
        NativeArray<ItemLink> links = _itemRows.FrameLinks;
        links[itemRow] = new ItemLink { Next = row.Row };
        if (row.Row != 0) links[row.Row].Previous = itemRow;
        row.Row = itemRow;
    }

    /// <summary>Takes a slot out of a row's name.</summary>
    internal void UnlinkSlot(uint place, uint itemRow)
    {
        NativeArray<ItemLink> links = _itemRows.FrameLinks;
        ItemLink link = links[itemRow];
        if (link.Previous == 0) _rows[place >> _placeShift].Row = link.Next;
        else links[link.Previous].Next = link.Next;
        if (link.Next != 0) links[link.Next].Previous = link.Previous;
        links[itemRow] = default;
    }

    /// <summary>The first free frame, or 0.</summary>
    internal uint FirstFree => _firstOfList[ItemFrames.Free];

    private bool TryTakeFree(out uint frame)
    {
        frame = _firstOfList[ItemFrames.Free];
        if (frame == 0 && !TryGrow()) return false;
        frame = _firstOfList[ItemFrames.Free];
        Unlink(frame, ItemFrames.Free);
        _rows[frame] = new ItemFrame { Shard = _shard };
        FreeCount--;
        UsedCount++;
        return true;
    }

    private void MakeFree(uint frame)
    {
        _rows[frame] = new ItemFrame { Class = ItemFrames.Free, Shard = _shard };
        Link(frame, ItemFrames.Free);
        FreeCount++;
        UsedCount--;
    }

    private void Link(uint frame, byte list)
    {
        ref ItemFrame row = ref _rows[frame];
        uint first = _firstOfList[list];
        row.Previous = 0;
        row.Next = first;
        if (first != 0) _rows[first].Previous = frame;
        _firstOfList[list] = frame;
    }

    private void Unlink(uint frame, byte list)
    {
        ref ItemFrame row = ref _rows[frame];
        if (row.Previous == 0) _firstOfList[list] = row.Next;
        else _rows[row.Previous].Next = row.Next;
        if (row.Next != 0) _rows[row.Next].Previous = row.Previous;
        row.Previous = 0;
        row.Next = 0;
    }
}
