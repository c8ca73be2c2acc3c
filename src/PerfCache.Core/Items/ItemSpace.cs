// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>Why an item goes.</summary>
internal enum ItemEnd
{
    Removed,
    Expired,
    Flushed,
    Evicted,
    Lost,
    Withdrawn,
}

/// <summary>
/// One shard's memory: rows, index, frames, and what a rule may see and do. Used under the shard's lock.
/// </summary>
public sealed class ItemSpace : IDisposable
{
    // Times of access are kept in units of 2^20 ticks, a tenth of a second; 32 bits of them wrap after 14 years.
    private const int AccessShift = 20;

    private readonly long[] _ends = new long[(int)ItemEnd.Withdrawn + 1];

    internal ItemSpace(ItemFrames frames, byte shard, long limitBytes, MemoryMeter meter)
    {
        AllFrames = frames;
        Budget = new ItemBudget(limitBytes);
        Rows = new ItemRows(Budget, meter);
        try
        {
            Index = new ItemIndex(Rows, Budget, meter);
        }
        catch
        {
            Rows.Dispose();
            throw;
        }

        Frames = new ShardFrames(frames, Rows, Budget, shard);
    }

    /// <summary>Classes of sizes: 0 is no bytes, 1 a whole page, then slots of falling size.</summary>
    public int ClassCount => AllFrames.Classes.Count;

    /// <summary>The number of items.</summary>
    public uint ItemCount => Index.Count;

    internal ItemBudget Budget { get; }

    internal ItemFrames AllFrames { get; }

    internal ItemRows Rows { get; }

    internal ItemIndex Index { get; }

    internal ShardFrames Frames { get; }

    internal long KeyBytes { get; private set; }

    internal long ValueBytes { get; private set; }

    internal long TakenBytes { get; private set; }

    /// <summary>The time of the verb that runs.</summary>
    internal long NowTicks { get; set; }

    internal uint AccessNow => (uint)(NowTicks >> AccessShift);

    /// <summary>An empty list for items of this shard.</summary>
    public ItemList NewList() => new(Rows);

    /// <summary>The class whose room the item takes: 1 if it has whole pages, else that of its first slot.</summary>
    public int ClassOf(ItemId item)
    {
        ref ItemHead head = ref Rows.Heads[item.Value];
        if (ChainOf(ref head) != 0) return SizeClasses.Whole;
        return head.Place == 0 ? SizeClasses.Empty : Frames.ClassOf(head.Place);
    }

    /// <summary>
    /// The frame of the item's first whole page or else first slot; <see cref="FrameId.None"/> without bytes.
    /// </summary>
    public FrameId FrameOf(ItemId item)
    {
        ref ItemHead head = ref Rows.Heads[item.Value];
        uint chain = ChainOf(ref head);
        return new FrameId(chain != 0 || head.Place == 0 ? chain : Frames.FrameOf(head.Place));
    }

    /// <summary>An item that has bytes in the frame, or <see cref="ItemId.None"/>.</summary>
    public ItemId FirstItemIn(FrameId frame)
    {
        if (frame.IsNone) return ItemId.None;
        ref ItemFrame row = ref AllFrames.Rows[frame.Value];
        bool holdsItems = row.Class >= SizeClasses.Whole && row.Class < ClassCount;
        if (!holdsItems || row.Row == 0) return ItemId.None;
        ref ItemHead head = ref Rows.Heads[row.Row];
        return new ItemId(head.Has(RowMarks.Continuation) ? head.NextInBucket : row.Row);
    }

    /// <summary>How long ago the item was read or stored, to a tenth of a second.</summary>
    public long IdleTicks(ItemId item) => IdleTicks(Rows.Heads[item.Value].AccessTime);

    /// <summary>Marks the item as referenced.</summary>
    public void MarkReferenced(ItemId item)
    {
        ref ItemHead head = ref Rows.Heads[item.Value];
        if (!head.Has(RowMarks.Referenced)) head.Marks |= RowMarks.Referenced;
    }

    /// <summary>Takes the mark away again, and tells whether it was there.</summary>
    public bool TakeReferenced(ItemId item)
    {
        ref ItemHead head = ref Rows.Heads[item.Value];
        bool was = head.Has(RowMarks.Referenced);
        if (was) head.Marks &= ~RowMarks.Referenced;
        return was;
    }

    /// <summary>Evicts an item, which the rule has taken off its list.</summary>
    public void Evict(ItemId item) =>
        Remove(item.Value, Rows.Heads[item.Value].ExpiryTicks <= NowTicks ? ItemEnd.Expired : ItemEnd.Evicted);

    /// <summary>Gives all memory back but the frames.</summary>
    public void Dispose()
    {
        Rows.Dispose();
        Index.Dispose();
    }

    // Time that ran backwards counts as none.
    internal long IdleTicks(uint accessTime) => (long)Math.Max(0, (int)(AccessNow - accessTime)) << AccessShift;

    internal long Ended(ItemEnd end) => _ends[(int)end];

    internal long MetadataBytes => Rows.NativeBytes + Index.NativeBytes;

    /// <summary>Adds a row that has its key, value and hash to the index and to the counts.</summary>
    internal void Add(uint row)
    {
        Index.Add(row);
        ref ItemHead head = ref Rows.Heads[row];
        KeyBytes += head.KeyLength;
        Count(ref head, 1);
    }

    /// <summary>Changes the length of a value that keeps its shape.</summary>
    internal void Resize(uint row, int length)
    {
        ref ItemHead head = ref Rows.Heads[row];
        Count(ref head, -1);
        head.Length = length;
        Count(ref head, 1);
    }

    /// <summary>Takes an item off the index, and frees its bytes, key and rows.</summary>
    internal void Remove(uint row, ItemEnd end)
    {
        ref ItemHead head = ref Rows.Heads[row];
        Invariant.Assert(head.Has(RowMarks.Live), nameof(ItemSpace), "a live item", row);
        _ends[(int)end]++;
        KeyBytes -= head.KeyLength;
        Count(ref head, -1);
        Index.Remove(row);
        FreeValue(row);
        Rows.ClearKey(row);
        Rows.FreeRow(row);
    }

    // The row is freed right afterwards, which clears it: so it may go on naming the slot and the rows that are free now.
    private void FreeValue(uint row)
    {
        ref ItemHead head = ref Rows.Heads[row];
        Frames.FreeChain(ChainOf(ref head));
        if (head.Has(RowMarks.Split))
        {
            uint continuation = head.Rest;
            FreeSlotOf(continuation);
            Rows.FreeRow(continuation);
        }

        FreeSlotOf(row);
    }

    internal ValuePieces PiecesOf(ref ItemHead head) => new(Rows, Frames, AllFrames, ref head);

    private uint ChainOf(ref ItemHead head) => head.Has(RowMarks.Split) ? Rows.Heads[head.Rest].Rest : head.Rest;

    private void FreeSlotOf(uint row)
    {
        ref ItemHead head = ref Rows.Heads[row];
        if (head.Place == 0) return;
        Frames.UnlinkSlot(head.Place, row);
        Frames.FreeSlot(head.Place);
    }

    private void Count(ref ItemHead head, int sign)
    {
        ValueBytes += sign * (long)head.Length;
        TakenBytes += sign * AllFrames.Classes.BytesOf(AllFrames.Classes.ShapeOf(head.Length));
    }
}
