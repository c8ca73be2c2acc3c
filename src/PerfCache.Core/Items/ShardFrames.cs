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
internal sealed class ShardFrames
{
    /// <summary>How often growing is not tried again after the system, or the meter, has refused memory.</summary>
    private const int GrowthRestsAfterRefusal = 64;

    private const uint RunFrames = 32;
    private const uint WasRetired = 1;

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

    /// <summary>
    /// Makes room for <paramref name="bytes"/> of metadata out of free frames, if it is room that is wanting and
    /// there are enough of them.
    /// </summary>
    internal bool TryRetireFor(long bytes)
    {
        if (_budget.FreeBytes >= bytes) return false;
        if (_budget.FreeBytes + (FreeCount * _all.BytesPerFrame) < bytes) return false;
        while (_budget.FreeBytes < bytes)
        {
            _one[0] = new FrameId(_firstOfList[ItemFrames.Free]);
            if (_one[0].IsNone || _all.Pages.Discard(_one) == 0) return false;
            TakeOut(_one[0].Value, ItemFrames.Retired);
            Link(_one[0].Value, ItemFrames.Retired);
            RetiredCount++;
        }

        return true;
    }

    /// <summary>
    /// Takes a frame in which there is nothing out of the store, and its bytes off the limit. The bytes of a retired
    /// frame are metadata already and stay so.
    /// </summary>
    internal void Withdraw(uint frame)
    {
        WithdrawnCount++;
        if (_rows[frame].Class == ItemFrames.Retired)
        {
            Unlink(frame, ItemFrames.Retired);
            RetiredCount--;
            _rows[frame] = new ItemFrame { Class = ItemFrames.Withdrawn, Shard = _shard, Row = WasRetired };
            return;
        }

        TakeOut(frame, ItemFrames.Withdrawn);
        _budget.Move(-_all.BytesPerFrame);
    }

    /// <summary>Puts a withdrawn frame back to use.</summary>
    internal bool TryReturn(uint frame)
    {
        if (_rows[frame].Class != ItemFrames.Withdrawn) return false;
        bool wasRetired = _rows[frame].Row == WasRetired;
        byte use = wasRetired ? ItemFrames.Retired : ItemFrames.Free;
        _rows[frame] = new ItemFrame { Class = use, Shard = _shard };
        Link(frame, use);
        WithdrawnCount--;
        if (wasRetired)
        {
            RetiredCount++;
            return true;
        }

        FreeCount++;
        _budget.Move(_all.BytesPerFrame);
        bool paid = _budget.TrySpend(_all.BytesPerFrame);
        Invariant.Assert(paid, nameof(ShardFrames), "F4: bytes of a returned frame to be free", frame);
        return true;
    }

    /// <summary>The first free frame, or 0.</summary>
    internal uint FirstFree => _firstOfList[ItemFrames.Free];

    /// <summary>Checks F1 to F4. O(frames): for tests.</summary>
    internal void Validate(long metadataBytes)
    {
        uint[] uses = new uint[byte.MaxValue + 1];
        for (uint frame = 1; frame <= _all.Count; frame++)
        {
            ref ItemFrame row = ref _rows[frame];
            if (row.Shard != _shard) continue;
            uses[row.Class]++;
            bool known = row.Class is ItemFrames.Free or ItemFrames.Retired or ItemFrames.Withdrawn
                or >= SizeClasses.Whole and < 128;
            Invariant.Check(known, nameof(ShardFrames), $"F1: a use of frame {frame}", row.Class);
            int bits = 0;
            for (uint word = 0; word < _all.BitmapWords; word++)
                bits += BitOperations.PopCount(_all.UsedSlots[(frame * _all.BitmapWords) + word]);
            Invariant.Check(bits == row.UsedSlots, nameof(ShardFrames), $"F3: {bits} used slots of frame {frame}",
                row.UsedSlots);
            if (row.Class is SizeClasses.Whole or > 128) continue;
            uint linked = 0;
            for (uint item = row.Row; item != 0; item = _itemRows.FrameLinks[item].Next) linked++;
            Invariant.Check(linked == bits, nameof(ShardFrames), $"F3: {bits} rows linked to frame {frame}", linked);
        }

        Invariant.Check(uses[ItemFrames.Free] == FreeCount, nameof(ShardFrames), $"F1: {FreeCount} free frames",
            uses[ItemFrames.Free]);
        Invariant.Check(uses[ItemFrames.Retired] == RetiredCount, nameof(ShardFrames),
            $"F1: {RetiredCount} retired frames", uses[ItemFrames.Retired]);
        Invariant.Check(uses[ItemFrames.Withdrawn] == WithdrawnCount, nameof(ShardFrames),
            $"F1: {WithdrawnCount} withdrawn frames", uses[ItemFrames.Withdrawn]);
        uint used = 0;
        for (int sizeClass = 1; sizeClass < _all.Classes.Count; sizeClass++) used += uses[sizeClass];
        Invariant.Check(used == UsedCount, nameof(ShardFrames), $"F1: {UsedCount} frames in use", used);
        for (int list = SizeClasses.Whole + 1; list <= byte.MaxValue; list++) ValidateList((byte)list);
        long owed = ((FreeCount + UsedCount) * _all.BytesPerFrame) + metadataBytes;
        Invariant.Check(owed == _budget.UsedBytes, nameof(ShardFrames), $"F4: {owed} bytes spent", _budget.UsedBytes);
    }

    private void ValidateList(byte list)
    {
        uint previous = 0;
        uint count = 0;
        for (uint frame = _firstOfList[list]; frame != 0; frame = _rows[frame].Next)
        {
            ref ItemFrame row = ref _rows[frame];
            Invariant.Check(row.Class == list, nameof(ShardFrames), $"F2: frame {frame} of list {list}", row.Class);
            Invariant.Check(row.Previous == previous, nameof(ShardFrames),
                $"F2: frame {frame}'s Previous to be {previous}", row.Previous);
            if (list < _all.Classes.Count)
            {
                Invariant.Check(row.UsedSlots > 0 && row.UsedSlots < _all.Classes.Slots(list), nameof(ShardFrames),
                    $"F2: frame {frame} with used and free slots", row.UsedSlots);
            }

            previous = frame;
            Invariant.Check(++count <= _all.Count, nameof(ShardFrames), $"F2: list {list} to end", count);
        }

        uint expected = list switch
        {
            ItemFrames.Free => FreeCount,
            ItemFrames.Retired => RetiredCount,
            _ => count,
        };
        if (list < _all.Classes.Count)
        {
            expected = 0;
            for (uint frame = 1; frame <= _all.Count; frame++)
            {
                ref ItemFrame row = ref _rows[frame];
                if (row.Shard == _shard && row.Class == list && row.UsedSlots < _all.Classes.Slots(list)) expected++;
            }
        }

        Invariant.Check(count == expected, nameof(ShardFrames), $"F2: {expected} frames on list {list}", count);
    }

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

    private bool TryGrow()
    {
        if (RetiredCount > 0 && TryRevive()) return true;
        if (_supplyIsEmpty || _growthRests-- > 0) return false;
        uint wanted = (uint)Math.Min(RunFrames, _budget.FreeBytes / _all.BytesPerFrame);
        if (wanted == 0) return false;
        uint got = _all.TakeRun(_shard, wanted, out uint first);
        _supplyIsEmpty = _all.IsUsedUp;
        // A refusal is an exception on its way here, and the next one would mostly be another.
        _growthRests = got == 0 ? GrowthRestsAfterRefusal : 0;
        if (got == 0) return false;
        _budget.TrySpend(got * _all.BytesPerFrame);
        // Last first, so that the neighbours are handed out in their order.
        for (uint frame = first + got - 1; frame >= first; frame--)
        {
            _rows[frame].Class = ItemFrames.Free;
            Link(frame, ItemFrames.Free);
        }

        FreeCount += got;
        return true;
    }

    private bool TryRevive()
    {
        uint frame = _firstOfList[ItemFrames.Retired];
        if (_budget.FreeBytes < _all.BytesPerFrame) return false;
        _one[0] = new FrameId(frame);
        try
        {
            _all.Pages.Restore(_one);
        }
        catch (NativeMemoryException)
        {
            return false;
        }

        _budget.TrySpend(_all.BytesPerFrame);
        Unlink(frame, ItemFrames.Retired);
        RetiredCount--;
        _rows[frame].Class = ItemFrames.Free;
        Link(frame, ItemFrames.Free);
        FreeCount++;
        return true;
    }

    private void TakeOut(uint frame, byte use)
    {
        Invariant.Assert(_rows[frame].Class == ItemFrames.Free, nameof(ShardFrames), "F1: a free frame", frame);
        Unlink(frame, ItemFrames.Free);
        FreeCount--;
        _rows[frame].Class = use;
        _budget.Refund(_all.BytesPerFrame);
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
