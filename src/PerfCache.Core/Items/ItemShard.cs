// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

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

    internal ItemSpace Space => _space;

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
}
