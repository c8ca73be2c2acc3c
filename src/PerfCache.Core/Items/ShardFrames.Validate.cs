// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>What tests ask: whether F1 to F4 hold.</summary>
internal sealed partial class ShardFrames
{
    /// <summary>Checks F1 to F4. O(frames): for tests.</summary>
    internal void Validate(long metadataBytes)
    {
        uint[] uses = new uint[byte.MaxValue + 1];
        for (uint frame = 1; frame <= _all.Count; frame++)
        {
            ref ItemFrame row = ref _rows[frame];
            if (row.Shard != _shard) continue;
            uses[row.Class]++;
            bool known = row.Class is ItemFrames.Free or ItemFrames.Retired or ItemFrames.Withdrawn
                or >= SizeClasses.Whole and < 128;
            Invariant.Check(known, nameof(ShardFrames), $"F1: a use of frame {frame}", row.Class);
            int bits = 0;
            for (uint word = 0; word < _all.BitmapWords; word++)
                bits += BitOperations.PopCount(_all.UsedSlots[(frame * _all.BitmapWords) + word]);
            Invariant.Check(bits == row.UsedSlots, nameof(ShardFrames), $"F3: {bits} used slots of frame {frame}",
                row.UsedSlots);
            if (row.Class is SizeClasses.Whole or > 128) continue;
            uint linked = 0;
            for (uint item = row.Row; item != 0; item = _itemRows.FrameLinks[item].Next) linked++;
            Invariant.Check(linked == bits, nameof(ShardFrames), $"F3: {bits} rows linked to frame {frame}", linked);
        }

        Invariant.Check(uses[ItemFrames.Free] == FreeCount, nameof(ShardFrames), $"F1: {FreeCount} free frames",
            uses[ItemFrames.Free]);
        Invariant.Check(uses[ItemFrames.Retired] == RetiredCount, nameof(ShardFrames),
            $"F1: {RetiredCount} retired frames", uses[ItemFrames.Retired]);
        Invariant.Check(uses[ItemFrames.Withdrawn] == WithdrawnCount, nameof(ShardFrames),
            $"F1: {WithdrawnCount} withdrawn frames", uses[ItemFrames.Withdrawn]);
        uint used = 0;
        for (int sizeClass = 1; sizeClass < _all.Classes.Count; sizeClass++) used += uses[sizeClass];
        Invariant.Check(used == UsedCount, nameof(ShardFrames), $"F1: {UsedCount} frames in use", used);
        for (int list = SizeClasses.Whole + 1; list <= byte.MaxValue; list++) ValidateList((byte)list);
        long owed = ((FreeCount + UsedCount) * _all.BytesPerFrame) + metadataBytes;
        Invariant.Check(owed == _budget.UsedBytes, nameof(ShardFrames), $"F4: {owed} bytes spent", _budget.UsedBytes);
    }

    private void ValidateList(byte list)
    {
        uint previous = 0;
        uint count = 0;
        // A circle ends here too: its first frame would have two that come before it.
        for (uint frame = _firstOfList[list]; frame != 0; frame = _rows[frame].Next)
        {
            ref ItemFrame row = ref _rows[frame];
            Invariant.Check(row.Class == list, nameof(ShardFrames), $"F2: frame {frame} of list {list}", row.Class);
            Invariant.Check(row.Previous == previous, nameof(ShardFrames),
                $"F2: frame {frame}'s Previous to be {previous}", row.Previous);
            if (list < _all.Classes.Count)
            {
                Invariant.Check(row.UsedSlots > 0 && row.UsedSlots < _all.Classes.Slots(list), nameof(ShardFrames),
                    $"F2: frame {frame} with used and free slots", row.UsedSlots);
            }

            previous = frame;
            count++;
        }

        uint expected = list switch
        {
            ItemFrames.Free => FreeCount,
            ItemFrames.Retired => RetiredCount,
            _ => count,
        };
        if (list < _all.Classes.Count)
        {
            expected = 0;
            for (uint frame = 1; frame <= _all.Count; frame++)
            {
                ref ItemFrame row = ref _rows[frame];
                if (row.Shard == _shard && row.Class == list && row.UsedSlots < _all.Classes.Slots(list)) expected++;
            }
        }

        Invariant.Check(count == expected, nameof(ShardFrames), $"F2: {expected} frames on list {list}", count);
    }
}
