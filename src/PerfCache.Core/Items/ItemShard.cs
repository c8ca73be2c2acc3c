// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>What a test may break on purpose, to see that it would notice.</summary>
internal enum ItemFault
{
    None,

    /// <summary>Check the bytes where they lie and copy them afterwards, without looking at the copy.</summary>
    VerifyBeforeCopy,
}

/// <summary>A part of a store: one lock, one index, one rule, its own rows and its own frames.</summary>
/// <remarks>
/// Every verb takes the lock, copies what it has to and lets go; a value of a page is copied and checked in less
/// than a microsecond. <c>nowTicks</c> comes from the caller; a time that runs backwards makes items live longer
/// and harms nothing.
/// <para>S1: each live row is in the index, on one list of the rule, and has the pieces that its length asks
/// for.</para>
/// <para>S2: a continuation belongs to the one split item that names it.</para>
/// <para>S3: counts of items and bytes are the sums over the live rows.</para>
/// <para>S4: what was taken from the budget never exceeds its limit.</para>
/// </remarks>
internal sealed partial class ItemShard<TRule> : IDisposable where TRule : struct, IItemRule
{
    private readonly Lock _lock = new();
    private readonly ItemSpace _space;
    private readonly ItemRows _rows;
    private readonly SizeClasses _classes;
    private readonly ItemJoin _join;
    private readonly ulong _casStep;
    private TRule _rule;
    private ulong _cas;
    private long _flushTicks = long.MaxValue;
    private byte _generation;
    private uint _sweepRow;
    private long _hits;
    private long _misses;
    private long _stores;
    private long _checksumFailures;
    private long _refused;
    private bool _disposed;

    internal ItemShard(ItemSpace space, TRule rule, ItemJoin join, int shard, int shardCount)
    {
        _space = space;
        _rows = space.Rows;
        _classes = space.AllFrames.Classes;
        _join = join;
        // Each shard counts in steps of their number, so no two changes of a store get the same CAS number.
        _cas = (ulong)shard;
        _casStep = (ulong)shardCount;
        _rule = rule;
        _rule.Attach(space);
    }

    internal ItemFault Fault { get; set; }

    /// <summary>Called between the two halves of a read, for tests that want to disturb it there.</summary>
    internal Action? Stall { get; set; }

    internal ItemSpace Space => _space;

    internal ItemRead Read<TRenewal>(
        uint hash, ReadOnlySpan<byte> key, long nowTicks, Span<byte> destination, TRenewal renewal, out ItemInfo info)
        where TRenewal : struct, IItemRenewal
    {
        using Lock.Scope scope = Enter(nowTicks);
        uint row = FindGood(hash, key);
        if (row == 0)
        {
            _misses++;
            info = default;
            return ItemRead.Miss;
        }

        ref ItemHead head = ref _rows.Heads[row];
        info = InfoOf(ref head);
        if (head.Length > destination.Length) return ItemRead.TooSmall;
        if (!TryCopyOut(row, destination[..head.Length]))
        {
            _misses++;
            info = default;
            return ItemRead.Miss;
        }

        CountHit(row, ref info, nowTicks, renewal);
        return ItemRead.Hit;
    }

    // The array is allocated under the lock: the length is known there only, and to look for the item twice costs more
    // than others wait. Where the allocation collects garbage, they would be stopped anyway.
    internal byte[]? ReadArray<TRenewal>(
        uint hash, ReadOnlySpan<byte> key, long nowTicks, TRenewal renewal, out ItemInfo info)
        where TRenewal : struct, IItemRenewal
    {
        using Lock.Scope scope = Enter(nowTicks);
        uint row = FindGood(hash, key);
        if (row != 0)
        {
            info = InfoOf(ref _rows.Heads[row]);
            byte[] value = GC.AllocateUninitializedArray<byte>(info.Length);
            if (TryCopyOut(row, value))
            {
                CountHit(row, ref info, nowTicks, renewal);
                return value;
            }
        }

        _misses++;
        info = default;
        return null;
    }

    internal ItemRead Fetch(
        uint hash, ReadOnlySpan<byte> key, long nowTicks, in ItemFetch fetch, Span<byte> destination,
        out ItemInfo info, out bool won)
    {
        using Lock.Scope scope = Enter(nowTicks);
        won = false;
        uint row = FindGood(hash, key);
        if (row == 0)
        {
            if (!fetch.Unnoticed) _misses++;
            info = default;
            return ItemRead.Miss;
        }

        ref ItemHead head = ref _rows.Heads[row];
        info = InfoOf(ref head);
        if (!fetch.WithoutValue)
        {
            if (head.Length > destination.Length) return ItemRead.TooSmall;
            if (!TryCopyOut(row, destination[..head.Length]))
            {
                if (!fetch.Unnoticed) _misses++;
                info = default;
                return ItemRead.Miss;
            }
        }

        bool isDue = head.ExpiryTicks != long.MaxValue && head.ExpiryTicks < fetch.RenewBelowTicks;
        if (fetch.Contends && !head.Has((RowMarks)ItemMarks.Won) && (isDue || head.Has((RowMarks)ItemMarks.Stale)))
        {
            won = true;
            head.Marks |= (RowMarks)ItemMarks.Won;
        }

        if (fetch.NewExpiryTicks is { } expiry) head.ExpiryTicks = expiry;
        if (fetch.Unnoticed) return ItemRead.Hit;
        _hits++;
        Touched(row, (RowMarks)ItemMarks.Fetched);
        return ItemRead.Hit;
    }

    internal ItemStatus Invalidate(
        uint hash, ReadOnlySpan<byte> key, long nowTicks, ulong expectedCas, long? newExpiryTicks)
    {
        using Lock.Scope scope = Enter(nowTicks);
        uint row = FindGood(hash, key);
        if (row == 0) return ItemStatus.NotFound;
        ref ItemHead head = ref _rows.Heads[row];
        if (expectedCas != 0 && head.Cas != expectedCas) return ItemStatus.Exists;
        if (newExpiryTicks is { } expiry) head.ExpiryTicks = expiry;
        head.Marks = (head.Marks | (RowMarks)ItemMarks.Stale) & ~(RowMarks)ItemMarks.Won;
        head.Cas = _cas += _casStep;
        return ItemStatus.Done;
    }

    internal bool TryPeek(uint hash, ReadOnlySpan<byte> key, long nowTicks, out ItemInfo info)
    {
        using Lock.Scope scope = Enter(nowTicks);
        uint row = FindGood(hash, key);
        info = row == 0 ? default : InfoOf(ref _rows.Heads[row]);
        return row != 0;
    }

    internal bool TryTouch<TRenewal>(uint hash, ReadOnlySpan<byte> key, long nowTicks, TRenewal renewal)
        where TRenewal : struct, IItemRenewal
    {
        using Lock.Scope scope = Enter(nowTicks);
        uint row = FindGood(hash, key);
        if (row == 0) return false;
        ref ItemHead head = ref _rows.Heads[row];
        head.ExpiryTicks = renewal.ExpiryTicks(InfoOf(ref head), nowTicks);
        Touched(row, RowMarks.None);
        return true;
    }

    internal bool TryMark(
        uint hash, ReadOnlySpan<byte> key, long nowTicks, ItemMarks set, ItemMarks clear, out ItemInfo before)
    {
        using Lock.Scope scope = Enter(nowTicks);
        uint row = FindGood(hash, key);
        before = default;
        if (row == 0) return false;
        ref ItemHead head = ref _rows.Heads[row];
        before = InfoOf(ref head);
        head.Marks = (head.Marks & ~((RowMarks)clear & RowMarks.Public)) | ((RowMarks)set & RowMarks.Public);
        return true;
    }

    internal ItemStatus Delete(uint hash, ReadOnlySpan<byte> key, long nowTicks, ulong expectedCas)
    {
        using Lock.Scope scope = Enter(nowTicks);
        uint row = FindGood(hash, key);
        if (row == 0) return ItemStatus.NotFound;
        if (expectedCas != 0 && _rows.Heads[row].Cas != expectedCas) return ItemStatus.Exists;
        Drop(row, ItemEnd.Removed);
        return ItemStatus.Done;
    }

    internal void Flush(long nowTicks, long atTicks)
    {
        using Lock.Scope scope = Enter(nowTicks);
        // One flush is pending at most, the last that was asked for, as in memcached.
        _flushTicks = atTicks;
        FlushIfDue();
    }

    internal int Sweep(long nowTicks, int budget)
    {
        using Lock.Scope scope = Enter(nowTicks);
        int dropped = 0;
        for (; budget > 0; budget--)
        {
            if (++_sweepRow >= _rows.RowEnd) _sweepRow = 0;
            if (_sweepRow == 0) break;
            ref ItemHead head = ref _rows.Heads[_sweepRow];
            if (head.Has(RowMarks.Live) && !IsGood(_sweepRow)) dropped++;
        }

        return dropped;
    }

    public void Dispose()
    {
        using Lock.Scope scope = _lock.EnterScope();
        if (_disposed) return;
        _disposed = true;
        _space.Dispose();
    }

    private Lock.Scope Enter(long nowTicks)
    {
        Lock.Scope scope = _lock.EnterScope();
        if (_disposed)
        {
            scope.Dispose();
            throw new ObjectDisposedException("ItemStore");
        }

        _space.NowTicks = nowTicks;
        if (nowTicks >= _flushTicks) FlushIfDue();
        return scope;
    }

    private void FlushIfDue()
    {
        if (_space.NowTicks < _flushTicks) return;
        _flushTicks = long.MaxValue;
        // Items of older generations are gone from here on; each is dropped when somebody meets it. The byte
        // wraps, so once in a while they are dropped at once, or the oldest would come back to life.
        if (++_generation != 0) return;
        for (uint row = 1; row < _rows.RowEnd; row++)
        {
            if (_rows.Heads[row].Has(RowMarks.Live)) Drop(row, ItemEnd.Flushed);
        }
    }

    /// <summary>The row of an item that is neither expired nor flushed, or 0; one that is goes.</summary>
    private uint FindGood(uint hash, ReadOnlySpan<byte> key)
    {
        uint row = _space.Index.Find(hash, key);
        return row != 0 && IsGood(row) ? row : 0;
    }

    private bool IsGood(uint row)
    {
        ref ItemHead head = ref _rows.Heads[row];
        if (head.Generation != _generation) Drop(row, ItemEnd.Flushed);
        else if (head.ExpiryTicks <= _space.NowTicks) Drop(row, ItemEnd.Expired);
        else return true;
        return false;
    }

    private void Drop(uint row, ItemEnd end)
    {
        _rule.OnRemove(new ItemId(row));
        _space.Remove(row, end);
    }

    private void CountHit<TRenewal>(uint row, ref ItemInfo info, long nowTicks, TRenewal renewal)
        where TRenewal : struct, IItemRenewal
    {
        _hits++;
        info = info with { ExpiryTicks = _rows.Heads[row].ExpiryTicks = renewal.ExpiryTicks(info, nowTicks) };
        Touched(row, (RowMarks)ItemMarks.Fetched);
    }

    private void Touched(uint row, RowMarks marks)
    {
        ref ItemHead head = ref _rows.Heads[row];
        head.Marks |= marks;
        head.AccessTime = _space.AccessNow;
        _rule.OnHit(new ItemId(row));
    }

    private ItemInfo InfoOf(ref ItemHead head) => new()
    {
        Length = head.Length,
        Flags = head.Flags,
        Cas = head.Cas,
        ExpiryTicks = head.ExpiryTicks,
        IdleTicks = _space.IdleTicks(head.AccessTime),
        Marks = (ItemMarks)(head.Marks & RowMarks.Public),
    };

    /// <summary>
    /// Copies a value and then checks the copy: the system may take a page at any moment, between two bytes even, so
    /// what was checked where it lies proves nothing. An item whose copy is wrong is lost and goes.
    /// </summary>
    private bool TryCopyOut(uint row, Span<byte> destination)
    {
        ref ItemHead head = ref _rows.Heads[row];
        if (Fault == ItemFault.VerifyBeforeCopy) return TryCopyOutWrongly(row, destination);
        CopyPieces(ref head, destination);
        Stall?.Invoke();
        if (Crc32C.Compute(destination) == head.Checksum) return true;
        _checksumFailures++;
        Drop(row, ItemEnd.Lost);
        return false;
    }

    private void CopyPieces(ref ItemHead head, Span<byte> destination)
    {
        ValuePieces pieces = _space.PiecesOf(ref head);
        while (pieces.Next(out Span<byte> piece))
        {
            piece.CopyTo(destination);
            destination = destination[piece.Length..];
        }
    }

    // The seeded bug of the stress test, which must find it.
    private bool TryCopyOutWrongly(uint row, Span<byte> destination)
    {
        ref ItemHead head = ref _rows.Heads[row];
        uint checksum = 0;
        ValuePieces pieces = _space.PiecesOf(ref head);
        while (pieces.Next(out Span<byte> piece)) checksum = Crc32C.Append(checksum, piece);
        if (checksum != head.Checksum)
        {
            Drop(row, ItemEnd.Lost);
            return false;
        }

        Stall?.Invoke();
        CopyPieces(ref head, destination);
        return true;
    }
}
