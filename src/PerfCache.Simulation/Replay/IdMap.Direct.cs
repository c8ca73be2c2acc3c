// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Simulation.Replay;

/// <summary>The array of numbers by key, while keys are close enough together for it.</summary>
public sealed partial class IdMap
{
    // Entries of the array for each key, at most.
    private const long DirectEntriesPerKey = 4;

    private void MapDirect(ReadOnlySpan<ulong> ids, Span<uint> numbers)
    {
        NativeArray<uint> direct = _direct!.View;
        ulong length = (ulong)_direct.Length;
        int shift = _keyShift;
        for (int i = 0; i < ids.Length; i++)
        {
            ulong key = ids[i] >> shift;
            uint entry = key < length ? direct[key] : 0;
            if (entry != 0)
            {
                numbers[i] = entry - 1;
                continue;
            }

            numbers[i] = FindOrAdd(key, 0, Hash(key, 0));
            if (_direct is null)
            {
                MapGroup(ids[(i + 1)..], default, numbers[(i + 1)..]);
                return;
            }

            length = (ulong)_direct.Length;
        }
    }

    /// <summary>Finds or adds a key, whichever way the map works at the moment.</summary>
    private uint FindOrAdd(ulong key, int file, ulong hash)
    {
        if (_direct is null) return FindOrAddHashed(key, file, hash);
        if (key < (ulong)_direct.Length && _direct.View[key] != 0) return _direct.View[key] - 1;
        if (key >= (ulong)_direct.Length && key >= (ulong)(DirectEntriesPerKey * (Count + 1)))
        {
            StopBeingDirect();
            return FindOrAddHashed(key, file, hash);
        }

        uint number = Add(key, file);
        if (key >= (ulong)_direct.Length)
        {
            long grown = Math.Max((long)key + 1, _direct.Length + (_direct.Length >> GrowthShift));
            _direct.EnsureLengthExact(Math.Min(grown, _direct.LengthMax));
        }

        _direct.View[key] = number + 1;
        return number;
    }

    private void BecomeDirect()
    {
        _table!.Dispose();
        _table = null;
        _direct = new NativeColumn<uint>("id map table", 1L << SlotBitsMax, _meter);
        _direct.EnsureLengthExact((long)_keyMax + 1);
        NativeArray<uint> direct = _direct.View;
        NativeArray<ulong> keys = _keys.View;
        for (uint number = 0; number < Count; number++) direct[keys[number]] = number + 1;
    }

    private void StopBeingDirect()
    {
        _direct!.Dispose();
        _direct = null;
        _wasDirect = true;
        int slotBits = _slotBits;
        while (slotBits < SlotBitsMax && Count >= 3L << (slotBits - 2)) slotBits++;
        Rehash(slotBits);
    }
}
