// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Lists;

namespace PerfCache.Cache;

/// <summary>Write-back: which dirty pages go next, all of it under the lock.</summary>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>Frames that one search for something to write looks at.</summary>
    private const int DirtyLookedAtMax = 256;

    /// <summary>Under the lock: a batch of something that reclaim has met and set aside.</summary>
    /// <param name="partition">Whose frames to look at.</param>
    private WriteBatch? TakeHeld(Partition partition)
    {
        long now = Environment.TickCount64;
        foreach (NodeShare share in partition.Shares)
        {
            FrameList held = share.Space.Held;
            FrameId frame = held.Tail;
            for (uint looked = Math.Min(DirtyLookedAtMax, held.Count); looked > 0; looked--)
            {
                FrameId next = held.Younger(frame);
                if (TryTakeAround(frame, now) is { } batch) return batch;
                held.MoveToHead(frame);
                frame = next;
            }
        }

        return null;
    }

    /// <summary>Under the lock: a batch of what has been dirty longest.</summary>
    /// <param name="only">The partition whose pages are wanted, or null for all.</param>
    private WriteBatch? TakeOldest(Partition? only)
    {
        long now = Environment.TickCount64;
        FrameId frame = _dirty!.Oldest;
        for (uint looked = Math.Min(DirtyLookedAtMax, _dirty.Count); looked > 0; looked--)
        {
            FrameId next = _dirty.Younger(frame);
            if (only is null || PartitionOf(frame) == only)
            {
                if (TryTakeAround(frame, now) is { } batch) return batch;
                _dirty.Requeue(frame, now);
            }

            frame = next;
        }

        return null;
    }

    /// <summary>Under the lock: a batch of the page in a frame and its neighbours, if they may be written now.</summary>
    private WriteBatch? TryTakeAround(FrameId frame, long now)
    {
        PageKey key = _heads[frame.Value].Key;
        bool rests = WritesOf(key.ObjectId)?.Rests(now) ?? true;
        return !rests && _frames.State(frame).IsLive ? TryTake(key, backward: true) : null;
    }

    /// <summary>Under the lock: notes pages that the flusher should write now.</summary>
    private void CollectDue(List<ulong> keys, int countMax)
    {
        long now = Environment.TickCount64;
        if (_space.MetDirty)
        {
            _space.MetDirty = false;
            foreach (NodeShare share in Existing().SelectMany(partition => partition.Shares))
            {
                FrameList held = share.Space.Held;
                FrameId frame = held.Tail;
                for (uint i = held.Count; i > 0 && keys.Count < countMax; i--, frame = held.Younger(frame))
                    CollectUnlessResting(keys, frame, now);
            }
        }

        long tooMany = DirtyCount - (DirtyFramesMax / 2);
        uint ageMax = (uint)Math.Min(_options.WriteBack.DirtyAge.TotalMilliseconds, int.MaxValue);
        uint looked = Math.Min((uint)countMax, _dirty!.Count);
        FrameId oldest = _dirty.Oldest;
        for (; looked > 0 && keys.Count < countMax; looked--, tooMany--)
        {
            if (tooMany <= 0 && _dirty.AgeMilliseconds(oldest, now) < ageMax) break;
            FrameId next = _dirty.Younger(oldest);
            if (!CollectUnlessResting(keys, oldest, now)) _dirty.Requeue(oldest, now);
            oldest = next;
        }
    }

    private bool CollectUnlessResting(List<ulong> keys, FrameId frame, long now)
    {
        FrameState state = _frames.State(frame);
        PageKey key = _heads[frame.Value].Key;
        if (!state.Has(FrameState.Live | FrameState.Dirty)) return false;
        if (state.HasAny(FrameState.Locked | FrameState.Writeback)) return false;
        if (WritesOf(key.ObjectId)?.Rests(now) ?? true) return false;
        keys.Add(key.Packed);
        return true;
    }
}
