// SPDX-License-Identifier: MIT
using PerfCache.Items;

namespace PerfCache.Tests.Models;

/// <summary>An item of the naive twin.</summary>
internal sealed class NaiveItem
{
    internal byte[] Value = [];
    internal uint Flags;
    internal long ExpiryTicks;
    internal ulong Cas;
    internal ItemMarks Marks;

    /// <summary>The real item may be gone: bytes of it were cleared, or the store was full since.</summary>
    internal bool MayBeGone;
}

/// <summary>The naive twin of the item store: a dictionary, copies of everything, rules as in their texts.</summary>
internal sealed class NaiveItems(int valueBytesMax)
{
    internal Dictionary<string, NaiveItem> Items { get; } = [];

    private ulong _cas;
    private long _flushTicks = long.MaxValue;

    /// <summary>What every verb of the real store does first.</summary>
    internal void Pass(long now)
    {
        if (now >= _flushTicks)
        {
            Items.Clear();
            _flushTicks = long.MaxValue;
        }

        foreach (string key in Items.Where(pair => pair.Value.ExpiryTicks <= now).Select(pair => pair.Key).ToList())
            Items.Remove(key);
    }

    internal void Flush(long now, long at)
    {
        _flushTicks = at;
        Pass(now);
    }

    /// <summary>The answer, when the item is there or surely not.</summary>
    internal ItemStatus Store(string key, byte[] value, ItemWrite write, out ulong cas)
    {
        cas = 0;
        Items.TryGetValue(key, out NaiveItem? item);
        bool stale = false;
        if (item is null)
        {
            if (write.ExpectedCas != 0) return ItemStatus.NotFound;
            if (write.Mode is not (ItemMode.Set or ItemMode.Add)) return ItemStatus.NotStored;
        }
        else if (write.Mode == ItemMode.Add)
        {
            return ItemStatus.NotStored;
        }
        else if (write.ExpectedCas != 0 && write.ExpectedCas != item.Cas)
        {
            if (!write.StaleIfOlder || write.ExpectedCas > item.Cas) return ItemStatus.Exists;
            stale = true;
        }

        bool joins = write.Mode is ItemMode.Append or ItemMode.Prepend;
        byte[] stored = !joins ? value : write.Mode == ItemMode.Append
            ? [.. item!.Value, .. value] : [.. value, .. item!.Value];
        if (stored.Length > valueBytesMax)
        {
            if (!joins) Items.Remove(key);
            return ItemStatus.TooLarge;
        }

        cas = ++_cas;
        Items[key] = new NaiveItem
        {
            Value = stored,
            Flags = joins ? item!.Flags : write.Flags,
            ExpiryTicks = joins || stale ? item!.ExpiryTicks : write.ExpiryTicks,
            Cas = cas,
            Marks = write.Marks | (stale ? ItemMarks.Stale | (item!.Marks & ItemMarks.Won) : ItemMarks.None),
        };
        return ItemStatus.Done;
    }
}
