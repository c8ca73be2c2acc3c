// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>How a shard stores.</summary>
internal sealed partial class ItemShard<TRule>
{
    internal ItemStatus Write(
        uint hash, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in ItemWrite write, long nowTicks, out ulong cas)
    {
        using Lock.Scope scope = Enter(nowTicks);
        cas = 0;
        uint row = FindGood(hash, key);
        ItemStatus status = Allows(row, write, out bool stale);
        if (status != ItemStatus.Done) return status;
        ItemWrite allowed = write;
        if (stale)
        {
            ref ItemHead head = ref _rows.Heads[row];
            RowMarks kept = head.Marks & (RowMarks)ItemMarks.Won;
            allowed = write with { ExpiryTicks = head.ExpiryTicks, Marks = write.Marks | ItemMarks.Stale | (ItemMarks)kept };
        }

        return write.Mode is ItemMode.Append or ItemMode.Prepend
            ? Join(row, hash, key, value, allowed, out cas)
            : Put(row, hash, key, value, allowed, out cas);
    }

    private ItemStatus Allows(uint row, in ItemWrite write, out bool stale)
    {
        stale = false;
        if (row == 0)
        {
            if (write.ExpectedCas != 0) return ItemStatus.NotFound;
            return write.Mode is ItemMode.Set or ItemMode.Add ? ItemStatus.Done : ItemStatus.NotStored;
        }

        if (write.Mode == ItemMode.Add)
        {
            // An add that comes too late still says that the item is wanted, as in memcached.
            Touched(row, RowMarks.None);
            return ItemStatus.NotStored;
        }

        ulong found = _rows.Heads[row].Cas;
        if (write.ExpectedCas == 0 || write.ExpectedCas == found) return ItemStatus.Done;
        if (!write.StaleIfOlder || write.ExpectedCas > found) return ItemStatus.Exists;
        stale = true;
        return ItemStatus.Done;
    }

    private ItemStatus Join(
        uint row, uint hash, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in ItemWrite write,
        out ulong cas)
    {
        cas = 0;
        ref ItemHead head = ref _rows.Heads[row];
        long length = (long)head.Length + value.Length;
        if (length > _join.ValueBytesMax) return ItemStatus.TooLarge;
        ItemWrite kept = write with { Flags = head.Flags, ExpiryTicks = head.ExpiryTicks };
        bool append = write.Mode == ItemMode.Append;
        lock (_join.Lock)
        {
            if (!_join.TryRoom((int)length, out Span<byte> joined)) return ItemStatus.NoRoom;
            Span<byte> old = append ? joined[..head.Length] : joined[value.Length..];
            if (!TryCopyOut(row, old)) return ItemStatus.NotStored;
            value.CopyTo(append ? joined[old.Length..] : joined);
            return Put(row, hash, key, joined, kept, out cas);
        }
    }

    private ItemStatus Put(
        uint row, uint hash, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in ItemWrite write,
        out ulong cas)
    {
        cas = 0;
        ValueShape shape = default;
        bool fits = value.Length <= _join.ValueBytesMax;
        if (fits) shape = _classes.ShapeOf(value.Length);
        if (row != 0 && (!fits || shape != _classes.ShapeOf(_rows.Heads[row].Length)))
        {
            // What is replaced goes first: its room is wanted, and a refused value must not leave an older one
            // behind.
            Drop(row, ItemEnd.Removed);
            row = 0;
        }

        if (!fits) return ItemStatus.TooLarge;
        bool isNew = row == 0;
        if (isNew && (row = Make(key, value.Length, shape)) == 0)
        {
            _refused++;
            return ItemStatus.NoRoom;
        }

        ref ItemHead head = ref _rows.Heads[row];
        if (isNew)
        {
            head.Hash = hash;
            head.Length = value.Length;
            _space.Add(row);
        }
        else
        {
            _space.Resize(row, value.Length);
        }

        head.Checksum = Crc32C.Compute(value);
        ValuePieces pieces = _space.PiecesOf(ref head);
        while (pieces.Next(out Span<byte> piece))
        {
            _space.AllFrames.MarkWritten(pieces.Frame);
            value[..piece.Length].CopyTo(piece);
            value = value[piece.Length..];
        }

        cas = write.NewCas != 0 ? write.NewCas : _cas += _casStep;
        head.Cas = cas;
        head.Flags = write.Flags;
        head.ExpiryTicks = write.ExpiryTicks;
        head.Generation = _generation;
        head.AccessTime = _space.AccessNow;
        head.Marks = (head.Marks & ~RowMarks.Public) | ((RowMarks)write.Marks & RowMarks.Public);
        _stores++;
        if (isNew) _rule.OnInsert(new ItemId(row));
        else _rule.OnHit(new ItemId(row));
        return ItemStatus.Done;
    }

    /// <summary>
    /// A row with its key and with room for its value, evicting as the rule says; 0 when there is none.
    /// </summary>
    /// <remarks>
    /// While it is made the item is in nobody's name: the rule must not find it when it clears a frame in which a
    /// slot has been taken already.
    /// </remarks>
    private uint Make(ReadOnlySpan<byte> key, int length, ValueShape shape)
    {
        int sizeClass = shape.WholeFrames > 0 ? SizeClasses.Whole : shape.First;
        uint rowsWanted = shape.Second != 0 ? 2u : 1u;
        if (!EnsureRows(rowsWanted, ItemRows.CellsOf(key.Length), sizeClass)) return 0;
        uint row = _rows.AllocateRow();
        uint continuation = shape.Second != 0 ? _rows.AllocateRow() : 0;
        _rows.SetKey(row, key);
        uint chain = TakeFrames(row, shape.WholeFrames, out bool complete);
        uint first = 0;
        uint second = 0;
        complete = complete && (shape.First == 0 || TakeSlot(shape.First, out first))
            && (shape.Second == 0 || TakeSlot(shape.Second, out second));
        if (!complete)
        {
            _space.Frames.FreeChain(chain);
            if (first != 0) _space.Frames.FreeSlot(first);
            _rows.ClearKey(row);
            _rows.FreeRow(row);
            if (continuation != 0) _rows.FreeRow(continuation);
            return 0;
        }

        ref ItemHead head = ref _rows.Heads[row];
        head.Marks = RowMarks.Live;
        head.Place = first;
        head.Rest = chain;
        if (first != 0) _space.Frames.LinkSlot(first, row);
        if (continuation == 0) return row;
        head.Marks |= RowMarks.Split;
        head.Rest = continuation;
        ref ItemHead rest = ref _rows.Heads[continuation];
        rest.Marks = RowMarks.Continuation;
        rest.Place = second;
        rest.Rest = chain;
        rest.NextInBucket = row;
        _space.Frames.LinkSlot(second, continuation);
        return row;
    }

    private uint TakeFrames(uint row, int count, out bool complete)
    {
        uint first = 0;
        uint last = 0;
        complete = false;
        for (; count > 0; count--)
        {
            uint frame;
            while (!_space.Frames.TryAllocateFrame(row, last, out frame))
            {
                if (_rule.Reclaim(SizeClasses.Whole) == 0) return first;
            }

            if (first == 0) first = frame;
            last = frame;
        }

        complete = true;
        return first;
    }

    private bool TakeSlot(byte sizeClass, out uint place)
    {
        while (!_space.Frames.TryAllocateSlot(sizeClass, out place))
        {
            if (_rule.Reclaim(sizeClass) == 0) return false;
        }

        return true;
    }

    private bool EnsureRows(uint rows, uint cells, int sizeClass)
    {
        while (_rows.FreeRows < rows)
        {
            if (_rows.TryGrowRows() || _space.Frames.TryRetireFor(ItemRows.RowsStepBytes)) continue;
            if (_rule.Reclaim(sizeClass) == 0) return false;
        }

        while (_rows.FreeCells < cells)
        {
            if (_rows.TryGrowCells() || _space.Frames.TryRetireFor(ItemRows.CellsStepBytes)) continue;
            if (_rule.Reclaim(sizeClass) == 0) return false;
        }

        return true;
    }
}
