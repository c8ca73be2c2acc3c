// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>Frames that come and go while the shard is in use, and the proof of its invariants.</summary>
internal sealed partial class ItemShard<TRule>
{
    internal ItemStatistics Statistics
    {
        get
        {
            using Lock.Scope scope = Enter(_space.NowTicks);
            return new()
            {
                Items = _space.ItemCount,
                KeyBytes = _space.KeyBytes,
                ValueBytes = _space.ValueBytes,
                WasteBytes = _space.TakenBytes - _space.ValueBytes,
                MetadataBytes = _space.MetadataBytes,
                UsedFrames = _space.Frames.UsedCount,
                FreeFrames = _space.Frames.FreeCount,
                RetiredFrames = _space.Frames.RetiredCount,
                WithdrawnFrames = _space.Frames.WithdrawnCount,
                Hits = _hits,
                Misses = _misses,
                Stores = _stores,
                Expired = _space.Ended(ItemEnd.Expired),
                Flushed = _space.Ended(ItemEnd.Flushed),
                Evicted = _space.Ended(ItemEnd.Evicted),
                Withdrawn = _space.Ended(ItemEnd.Withdrawn),
                Lost = _space.Ended(ItemEnd.Lost),
                ChecksumFailures = _checksumFailures,
                Refused = _refused,
            };
        }
    }

    /// <summary>Drops every item that has bytes in the frame. O(items in it).</summary>
    internal int Clear(FrameId frame, bool withdraw)
    {
        using Lock.Scope scope = Enter(_space.NowTicks);
        return ClearInside(frame, withdraw);
    }

    /// <summary>Drops every item that has bytes in the frame, if its memory is gone.</summary>
    internal int ClearTaken(FrameId frame, FramePresence presence)
    {
        using Lock.Scope scope = Enter(_space.NowTicks);
        if (_space.FirstItemIn(frame).IsNone || presence.IsPresent(frame)) return 0;
        return ClearInside(frame, withdraw: false);
    }

    private int ClearInside(FrameId frame, bool withdraw)
    {
        if (_space.AllFrames.Rows[frame.Value].Class == ItemFrames.Withdrawn) return 0;
        int count = 0;
        for (ItemId item = _space.FirstItemIn(frame); !item.IsNone; item = _space.FirstItemIn(frame))
        {
            Drop(item.Value, withdraw ? ItemEnd.Withdrawn : ItemEnd.Lost);
            count++;
        }

        if (withdraw) _space.Frames.Withdraw(frame.Value);
        return count;
    }

    internal bool TryReturn(FrameId frame)
    {
        using Lock.Scope scope = Enter(_space.NowTicks);
        return _space.Frames.TryReturn(frame.Value);
    }

    /// <summary>Takes frames out, evicting as the rule says.</summary>
    /// <returns>The number taken.</returns>
    internal int Trim(Span<FrameId> taken)
    {
        using Lock.Scope scope = Enter(_space.NowTicks);
        int count = 0;
        while (count < taken.Length)
        {
            uint frame = _space.Frames.FirstFree;
            if (frame == 0)
            {
                if (_rule.Reclaim(SizeClasses.Whole) == 0) break;
                continue;
            }

            _space.Frames.Withdraw(frame);
            taken[count++] = new FrameId(frame);
        }

        return count;
    }

    /// <summary>Checks every invariant. O(items + frames): for tests.</summary>
    internal void Validate()
    {
        using Lock.Scope scope = Enter(_space.NowTicks);
        _rows.Validate();
        _space.Index.Validate();
        _space.Frames.Validate(_space.MetadataBytes);
        _rule.Validate();
        long keys = 0;
        long values = 0;
        uint split = 0;
        uint continuations = 0;
        Span<byte> key = stackalloc byte[ItemStoreOptions.KeyBytesMax];
        for (uint row = 1; row < _rows.RowEnd; row++)
        {
            ref ItemHead head = ref _rows.Heads[row];
            if (head.Has(RowMarks.Continuation)) continuations++;
            if (!head.Has(RowMarks.Live)) continue;
            keys += head.KeyLength;
            values += head.Length;
            if (head.Has(RowMarks.Split)) split++;
            ValidatePieces(row);
            int length = _rows.CopyKey(row, key);
            uint found = _space.Index.Find(head.Hash, key[..length]);
            Invariant.Check(found == row, "ItemShard", $"S1: row {row} under its key", found);
        }

        Invariant.Check(split == continuations, "ItemShard", $"S2: {split} continuations", continuations);
        Invariant.Check(keys == _space.KeyBytes, "ItemShard", $"S3: {keys} bytes of keys", _space.KeyBytes);
        Invariant.Check(values == _space.ValueBytes, "ItemShard", $"S3: {values} bytes of values", _space.ValueBytes);
        Invariant.Check(
            _space.Budget.UsedBytes <= _space.Budget.LimitBytes, "ItemShard",
            $"S4: at most {_space.Budget.LimitBytes} bytes", _space.Budget.UsedBytes);
    }

    private void ValidatePieces(uint row)
    {
        ref ItemHead head = ref _rows.Heads[row];
        ValueShape shape = _classes.ShapeOf(head.Length);
        uint chain = head.Rest;
        uint second = 0;
        if (head.Has(RowMarks.Split))
        {
            ref ItemHead rest = ref _rows.Heads[head.Rest];
            Invariant.Check(
                rest.Has(RowMarks.Continuation) && rest.NextInBucket == row, "ItemShard",
                $"S2: row {head.Rest} of row {row}", rest.NextInBucket);
            second = rest.Place;
            chain = rest.Rest;
        }

        int whole = 0;
        for (; chain != 0; chain = _space.AllFrames.Rows[chain].Next)
        {
            ref ItemFrame frame = ref _space.AllFrames.Rows[chain];
            Invariant.Check(
                frame.Class == SizeClasses.Whole && frame.Row == row, "ItemShard", $"S1: frame {chain} of row {row}",
                frame.Row);
            whole++;
        }

        Invariant.Check(whole == shape.WholeFrames, "ItemShard", $"S1: {shape.WholeFrames} frames of row {row}", whole);
        int first = head.Place == 0 ? 0 : _space.Frames.ClassOf(head.Place);
        Invariant.Check(first == shape.First, "ItemShard", $"S1: class {shape.First} of row {row}", first);
        int other = second == 0 ? 0 : _space.Frames.ClassOf(second);
        Invariant.Check(other == shape.Second, "ItemShard", $"S1: second class {shape.Second} of row {row}", other);
    }
}
