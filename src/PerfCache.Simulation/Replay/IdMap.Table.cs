// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using PerfCache.Memory;

namespace PerfCache.Simulation.Replay;

/// <summary>The hash table from keys to numbers, and how a group is looked up in phases.</summary>
public sealed partial class IdMap
{
    private void MapGroup(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files, Span<uint> numbers)
    {
        Span<ulong> hashes = stackalloc ulong[GroupLength];
        Span<uint> candidates = stackalloc uint[GroupLength];
        Span<ulong> keys = stackalloc ulong[GroupLength];
        HashAll(ids, files, hashes);
        FindCandidates(hashes[..ids.Length], candidates);
        GatherKeys(candidates[..ids.Length], keys);
        for (int i = 0; i < ids.Length; i++)
        {
            ulong key = ids[i] >> _keyShift;
            int file = files.IsEmpty ? 0 : files[i];
            uint number = candidates[i];
            bool isFound = number != NoNumber && keys[i] == key && (_files is null || _files.View[number] == file);
            numbers[i] = isFound ? number : FindOrAdd(key, file, hashes[i]);
        }
    }

    private void HashAll(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files, Span<ulong> hashes)
    {
        int shift = _keyShift;
        if (files.IsEmpty)
        {
            for (int i = 0; i < ids.Length; i++) hashes[i] = Hash(ids[i] >> shift, 0);
        }
        else
        {
            for (int i = 0; i < ids.Length; i++) hashes[i] = Hash(ids[i] >> shift, files[i]);
        }
    }

    /// <summary>
    /// Finds for each hash the number of the first key with its tag, or none. Numbers outlive a rehash,
    /// entries don't.
    /// </summary>
    private void FindCandidates(ReadOnlySpan<ulong> hashes, Span<uint> candidates)
    {
        NativeArray<uint> table = _table!.View;
        int shift = 64 - _slotBits;
        for (int i = 0; i < hashes.Length; i++) candidates[i] = table[hashes[i] >> shift];

        uint numberMask = NumberMask;
        ulong slotMask = (1UL << _slotBits) - 1;
        for (int i = 0; i < hashes.Length; i++)
        {
            uint entry = candidates[i];
            uint tag = (uint)hashes[i] & ~numberMask;
            ulong slot = hashes[i] >> shift;
            while (entry != 0 && (entry & ~numberMask) != tag) entry = table[slot = (slot + 1) & slotMask];

            candidates[i] = (entry & numberMask) - 1;
        }
    }

    /// <summary>
    /// Reads the candidates' keys in one tight loop, so that the cache misses overlap; where there is no candidate, 0.
    /// </summary>
    private void GatherKeys(ReadOnlySpan<uint> candidates, Span<ulong> keys)
    {
        NativeArray<ulong> all = _keys.View;
        for (int i = 0; i < candidates.Length; i++)
        {
            uint number = candidates[i];
            keys[i] = number == NoNumber ? 0 : all[number];
        }
    }

    private uint FindOrAddHashed(ulong key, int file, ulong hash)
    {
        NativeArray<uint> table = _table!.View;
        uint numberMask = NumberMask;
        uint tag = (uint)hash & ~numberMask;
        ulong slot = hash >> (64 - _slotBits);
        for (uint entry = table[slot]; entry != 0; entry = table[slot = Next(slot)])
        {
            uint found = (entry & numberMask) - 1;
            if ((entry & ~numberMask) == tag && IsKey(found, key, file)) return found;
        }

        uint added = Add(key, file);
        table[slot] = tag | (added + 1);
        if (Count >= _growAt) Grow();
        return added;
    }

    private void Grow()
    {
        if (_files is null && !_wasDirect && _keyMax < (ulong)(DirectEntriesPerKey * Count)) BecomeDirect();
        else if (_slotBits < SlotBitsMax) Rehash(_slotBits + 1);
    }

    private void Rehash(int slotBits)
    {
        _slotBits = slotBits;
        MakeTable();
        NativeArray<uint> table = _table!.View;
        NativeArray<ulong> keys = _keys.View;
        uint numberMask = NumberMask;
        for (uint number = 0; number < Count; number++)
        {
            ulong hash = Hash(keys[number], FileOf(number));
            ulong slot = hash >> (64 - _slotBits);
            while (table[slot] != 0) slot = Next(slot);
            table[slot] = ((uint)hash & ~numberMask) | (number + 1);
        }
    }

    private void MakeTable()
    {
        _table?.Dispose();
        _table = new NativeColumn<uint>("id map table", 1L << _slotBits, _meter);
        _table.EnsureLengthExact(1L << _slotBits);
        _growAt = 3L << (_slotBits - 2);
    }

    private uint NumberMask => uint.MaxValue >> (SlotBitsMax - _slotBits);

    private ulong Next(ulong slot) => (slot + 1) & ((1UL << _slotBits) - 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsKey(uint number, ulong key, int file) =>
        _keys.View[number] == key && (_files is null || _files.View[number] == file);

    /// <summary>
    /// Two rounds of shift and multiply let every bit of the key reach every bit of the hash, so strides,
    /// high bits and already hashed ids all spread; being reversible, it never gives two ids of one file the
    /// same hash.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Hash(ulong key, int file)
    {
        ulong hash = key ^ BitOperations.RotateLeft((uint)file * FileSalt, 32);
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
        return hash ^ (hash >> 31);
    }
}
