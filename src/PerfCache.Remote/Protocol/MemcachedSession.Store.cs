// SPDX-License-Identifier: MIT
using PerfCache.Items;

namespace PerfCache.Remote.Protocol;

/// <summary>What storing commands of both kinds share: the data block, the store, sums.</summary>
internal sealed partial class MemcachedSession
{
    private const int SumRetriesMax = 1000;
    private const int SumBytesMax = 1024;

    private enum Sum
    {
        Done,
        NotFound,
        NotANumber,
        OtherCas,
        NoRoom,
    }

    /// <summary>
    /// Finds the data of a command: there, not yet there, or refused, which is said and skipped, and the older value
    /// goes so that nobody takes it for the new one.
    /// </summary>
    private bool TryData(
        ReadOnlySpan<byte> key, int length, bool hasFlags, bool removes, ReadOnlySpan<byte> input, ref int next,
        out ReadOnlySpan<byte> value, out Step step)
    {
        value = default;
        long itemBytes = (long)ItemOverheadBytes + key.Length + (hasFlags ? 4 : 0) + length;
        if (itemBytes > _settings.ItemBytesMax)
        {
            Counters.TooLarge++;
            step = Refuse("SERVER_ERROR object too large for cache"u8, key, removes, length);
            return false;
        }

        int total = next + length + 2;
        if (input.Length < total)
        {
            if (InputRefused)
            {
                Counters.NoMemory++;
                step = Refuse("SERVER_ERROR out of memory storing object"u8, key, removes, length);
                return false;
            }

            WantedBytes = total;
            step = Step.Incomplete;
            return false;
        }

        value = input.Slice(next, length);
        next = total;
        step = Step.Done;
        return true;
    }

    private Step Refuse(ReadOnlySpan<byte> text, ReadOnlySpan<byte> key, bool removes, int length)
    {
        if (removes) _items.Delete(key, _now);
        _swallow = (long)length + 2;
        return Say(text);
    }

    private static bool IsEndOfData(ReadOnlySpan<byte> input, int next) =>
        input[next - 2] == '\r' && input[next - 1] == '\n';

    /// <summary>Stores, with memcached's meaning of a CAS number that is given and is 0: no item has it.</summary>
    private ItemStatus Store(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in ItemWrite write, bool hasCas, out ulong cas)
    {
        cas = 0;
        Counters.Sets++;
        ItemStatus status;
        if (hasCas && write.ExpectedCas == 0)
        {
            status = _items.TryPeek(key, _now, out _) ? ItemStatus.Exists : ItemStatus.NotFound;
        }
        else if (_store.IsSuspended)
        {
            // Lending has stopped: nothing new, and nothing old that would be taken for it.
            Counters.Refused++;
            if (write.Mode is ItemMode.Set or ItemMode.Replace) _items.Delete(key, _now);
            return ItemStatus.NotStored;
        }
        else
        {
            status = _items.Store(key, value, write, _now, out cas);
        }

        if (status == ItemStatus.NoRoom) Counters.NoMemory++;
        if (!hasCas) return status;
        if (status == ItemStatus.Done) Counters.CasHits++;
        else if (status == ItemStatus.NotFound) Counters.CasMisses++;
        else if (status == ItemStatus.Exists) Counters.CasBadValues++;
        return status;
    }

    /// <summary>
    /// Adds to a number, or takes from it: read, compute, store if nobody has changed it meanwhile, else again. A sum
    /// that is not longer than the value keeps its length with spaces behind, as in memcached.
    /// </summary>
    private Sum Add(
        ReadOnlySpan<byte> key, bool increments, ulong delta, ulong expectedCas, long? newExpiryTicks,
        Span<byte> text, out int length, out ItemInfo info)
    {
        length = 0;
        Span<byte> value = stackalloc byte[SumBytesMax];
        ItemFetch fetch = new() { Unnoticed = true };
        for (int retry = 0; retry < SumRetriesMax; retry++)
        {
            switch (_items.Fetch(key, _now, fetch, value, out info, out _))
            {
                case ItemRead.Miss:
                    if (increments) Counters.IncrementMisses++;
                    else Counters.DecrementMisses++;
                    return Sum.NotFound;
                case ItemRead.TooSmall:
                    return expectedCas != 0 && info.Cas != expectedCas ? Sum.OtherCas : Sum.NotANumber;
            }

            if (info.Length > 0 && expectedCas != 0 && info.Cas != expectedCas) return Sum.OtherCas;
            if (!TextNumber.TryParse(value[..info.Length], out ulong number)) return Sum.NotANumber;
            number = increments ? number + delta : number - Math.Min(number, delta);
            length = TextNumber.Format(number, text);
            int stored = Math.Max(length, info.Length);
            text[..length].CopyTo(value);
            value[length..stored].Fill((byte)' ');
            ItemWrite write = new()
            {
                Flags = info.Flags,
                ExpiryTicks = newExpiryTicks ?? info.ExpiryTicks,
                ExpectedCas = info.Cas,
                // A value that is made anew has not been read yet.
                Marks = length <= info.Length ? info.Marks : ItemMarks.None,
            };
            ItemStatus status = _items.Store(key, value[..stored], write, _now, out ulong cas);
            if (status is ItemStatus.Exists or ItemStatus.NotFound) continue;
            if (status != ItemStatus.Done) return Sum.NoRoom;
            if (increments) Counters.IncrementHits++;
            else Counters.DecrementHits++;
            info = info with { Cas = cas };
            return Sum.Done;
        }

        info = default;
        return Sum.NoRoom;
    }
}
