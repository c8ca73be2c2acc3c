// SPDX-License-Identifier: MIT
namespace PerfCache.Items;

/// <summary>The verbs that go over all items.</summary>
public sealed partial class ItemStore<TRule>
{
    /// <summary>
    /// Reads the next item of a walk over all of them, in no order that means anything. It counts as no read: nothing
    /// is marked, and no expiry renewed.
    /// </summary>
    /// <remarks>
    /// The walk holds no lock between two calls. What is there all the time and is not stored anew is met exactly once.
    /// What is stored meanwhile may be missed, or met a second time, with the later value.
    /// </remarks>
    /// <param name="walk">Where the walk is; moves on.</param>
    /// <param name="nowTicks">The time: expired items are not met.</param>
    /// <param name="key">At least <see cref="ItemStoreOptions.KeyBytesMax"/> bytes; gets the key.</param>
    /// <param name="value">At least <see cref="ItemStoreOptions.ValueBytesMax"/> bytes; gets the value.</param>
    /// <param name="keyLength">Bytes of the key.</param>
    /// <param name="info">The item; its value has <see cref="ItemInfo.Length"/> bytes.</param>
    /// <returns>False when there is no item left.</returns>
    public bool TryReadNext(
        ref ItemWalk walk, long nowTicks, Span<byte> key, Span<byte> value, out int keyLength, out ItemInfo info)
    {
        if (key.Length < ItemStoreOptions.KeyBytesMax)
        {
            throw new ArgumentException(
                $"a walk needs room for any key: {ItemStoreOptions.KeyBytesMax} bytes, not {key.Length}", nameof(key));
        }

        if (value.Length < Options.ValueBytesMax)
        {
            throw new ArgumentException(
                $"a walk needs room for any value: {Options.ValueBytesMax} bytes, not {value.Length}", nameof(value));
        }

        for (; walk.Shard < _shards.Length; walk = new ItemWalk { Shard = walk.Shard + 1 })
        {
            uint row = walk.Row;
            bool found;
            while (!(found = _shards[walk.Shard].TryReadNext(ref row, nowTicks, key, value, out keyLength, out info)))
            {
                if (row == 0) break;
            }

            walk.Row = row;
            if (found) return true;
        }

        keyLength = 0;
        info = default;
        return false;
    }

    /// <summary>Removes the items whose keys begin with some bytes.</summary>
    /// <remarks>
    /// Looks at every item of the store, some hundred at a time under the lock of their shard. What is stored while the
    /// call runs may stay.
    /// </remarks>
    /// <param name="prefix">The bytes; none means every item.</param>
    /// <param name="nowTicks">The time.</param>
    /// <returns>Items removed; expired ones that were met are not counted.</returns>
    public long RemoveByPrefix(ReadOnlySpan<byte> prefix, long nowTicks)
    {
        long removed = 0;
        foreach (ItemShard<TRule> shard in _shards)
        {
            uint row = 0;
            do removed += shard.RemoveByPrefix(ref row, prefix, nowTicks);
            while (row != 0);
        }

        return removed;
    }
}
