// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>What a test may break on purpose, to see that it would notice.</summary>
internal enum ItemFault
{
    None,

    /// <summary>Check the bytes where they lie and copy them afterwards, without looking at the copy.</summary>
    VerifyBeforeCopy,
}

/// <summary>How a shard reads: copy first, then check the copy.</summary>
internal sealed partial class ItemShard<TRule>
{
    internal ItemFault Fault { get; set; }

    /// <summary>Called between the two halves of a read, for tests that want to disturb it there.</summary>
    internal Action? Stall { get; set; }

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

        bool isDue = head.ExpiryTicks < fetch.RenewBelowTicks;
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

    internal bool TryPeek(uint hash, ReadOnlySpan<byte> key, long nowTicks, out ItemInfo info)
    {
        using Lock.Scope scope = Enter(nowTicks);
        uint row = FindGood(hash, key);
        info = row == 0 ? default : InfoOf(ref _rows.Heads[row]);
        return row != 0;
    }

    private void CountHit<TRenewal>(uint row, ref ItemInfo info, long nowTicks, TRenewal renewal)
        where TRenewal : struct, IItemRenewal
    {
        _hits++;
        info = info with { ExpiryTicks = _rows.Heads[row].ExpiryTicks = renewal.ExpiryTicks(info, nowTicks) };
        Touched(row, (RowMarks)ItemMarks.Fetched);
    }

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
