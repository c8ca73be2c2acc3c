// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>What only the cache as a whole can check.</summary>
/// <remarks>
/// <para>A1: every frame is in exactly one place: free, held, in limbo, offline, private to a load, or live and in the
/// rule's hands.</para>
/// <para>A2: the mark of a held frame says what the list of held frames says.</para>
/// <para>A3: a load under way, stale ones included, has one private frame, and nobody else has one.</para>
/// <para>A4: every frame that is not free, offline or in limbo is charged to the partition that it names, a page's to
/// that of its object; and each partition counts the frames that are charged to it, on each node.</para>
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    private void ValidatePlaces()
    {
        byte[] places = new byte[_frames.FrameCount + 1];
        Mark(places, _pools.FreeFrames());
        Mark(places, _space.Limbo.FromHead());
        for (int node = 0; node < _pools.NodeCount; node++) Mark(places, _space.OfflineOf(node).FromHead());
        bool[] isNobodys = Array.ConvertAll(places, place => place > 0);
        Mark(places, Existing().SelectMany(partition => partition.Shares).SelectMany(share => share.Space.Held.FromHead()));
        uint nowhere = 0;
        uint held = 0;
        for (uint row = 1; row <= _frames.FrameCount; row++)
        {
            FrameId frame = new(row);
            FrameState state = _frames.State(frame);
            if (_space.IsHeld(frame)) held++;
            else if (state.IsLive) places[row]++;
            // F2, and M1: a page that has moved has left no second live frame behind.
            Invariant.Check(
                !state.IsLive || _index.Entry(_frames.Slot(frame)).Frame == frame, "page cache",
                $"F2, M1: the slot of live frame {row} to name it", _frames.Slot(frame));
            Invariant.Check(places[row] <= 1, "page cache", $"A1: frame {row} in one place", places[row]);
            if (places[row] == 0) nowhere++;
        }

        ValidateCharges(isNobodys);
        Invariant.Check(held == _space.HeldCount, "page cache", $"A2: {_space.HeldCount} marks", held);
        Invariant.Check(
            nowhere == _space.PrivateCount, "page cache", $"A1, A3: {_space.PrivateCount} private frames", nowhere);
        Invariant.Check(
            _loads.Count <= _space.PrivateCount, "page cache", $"A3: at least {_loads.Count} private frames",
            _space.PrivateCount);
    }

    private void ValidateCharges(bool[] isNobodys)
    {
        uint[,] charged = new uint[_partitions.Length, _pools.NodeCount];
        for (uint row = 1; row <= _frames.FrameCount; row++)
        {
            if (isNobodys[row]) continue;
            FrameId frame = new(row);
            ushort number = _frames.Owner(frame).Domain;
            Invariant.Check(
                number < _partitions.Length && _partitions[number] is not null, "page cache",
                $"A4: a partition that exists for frame {row}", number);
            charged[number, _frames.Owner(frame).Node]++;
            if (!_frames.State(frame).IsLive) continue;
            byte expected = _partitionOfObject[_frames.Key(frame).ObjectId.Value];
            Invariant.Check(number == expected, "page cache", $"A4: frame {row} charged to partition {expected}", number);
        }

        foreach (Partition partition in Existing())
        {
            foreach (NodeShare share in partition.Shares)
            {
                uint counted = charged[partition.Number, share.Space.Node];
                Invariant.Check(
                    counted == share.Space.ResidentCount, "page cache",
                    $"A4: {counted} frames of partition '{partition.Name}' on the node with index {share.Space.Node}",
                    share.Space.ResidentCount);
            }
        }
    }

    private static void Mark(byte[] places, IEnumerable<FrameId> frames)
    {
        foreach (FrameId frame in frames) places[frame.Value]++;
    }
}
