// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>How a shard is walked over: by its rows, some at a time.</summary>
internal sealed partial class ItemShard<TRule>
{
    // Others wait for the lock while rows are looked at: a few microseconds.
    private const int RowsPerStep = 256;

    /// <summary>The next item behind <paramref name="row"/>, among some rows.</summary>
    /// <param name="row">The last row looked at; 0 before the first, and after the last.</param>
    /// <param name="nowTicks">The time.</param>
    /// <param name="key">Gets the key; has room for any.</param>
    /// <param name="value">Gets the value; has room for any.</param>
    /// <param name="keyLength">Bytes of the key.</param>
    /// <param name="info">The item.</param>
    internal bool TryReadNext(
        ref uint row, long nowTicks, Span<byte> key, Span<byte> value, out int keyLength, out ItemInfo info)
    {
        using Lock.Scope scope = Enter(nowTicks);
        for (int step = 0; step < RowsPerStep; step++)
        {
            if (!MoveNext(ref row)) break;
            if (!_rows.Heads[row].Has(RowMarks.Live) || !IsGood(row)) continue;
            ref ItemHead head = ref _rows.Heads[row];
            info = InfoOf(ref head);
            if (!TryCopyOut(row, value[..head.Length])) continue;
            keyLength = _rows.CopyKey(row, key);
            return true;
        }

        keyLength = 0;
        info = default;
        return false;
    }

    /// <summary>Removes what begins with the prefix, among some rows behind <paramref name="row"/>.</summary>
    /// <param name="row">The last row looked at; 0 before the first, and after the last.</param>
    /// <param name="prefix">The bytes.</param>
    /// <param name="nowTicks">The time.</param>
    internal int RemoveByPrefix(ref uint row, ReadOnlySpan<byte> prefix, long nowTicks)
    {
        Span<byte> key = stackalloc byte[ItemStoreOptions.KeyBytesMax];
        int removed = 0;
        using Lock.Scope scope = Enter(nowTicks);
        for (int step = 0; step < RowsPerStep; step++)
        {
            if (!MoveNext(ref row)) break;
            ref ItemHead head = ref _rows.Heads[row];
            if (!head.Has(RowMarks.Live) || head.KeyLength < prefix.Length) continue;
            if (!key[.._rows.CopyKey(row, key)].StartsWith(prefix) || !IsGood(row)) continue;
            Drop(row, ItemEnd.Removed);
            removed++;
        }

        return removed;
    }

    private bool MoveNext(ref uint row)
    {
        if (++row < _rows.RowEnd) return true;
        row = 0;
        return false;
    }
}
