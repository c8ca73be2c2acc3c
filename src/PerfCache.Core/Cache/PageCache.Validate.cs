// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>What only the cache as a whole can check.</summary>
/// <remarks>
/// <para>V1: every frame is in exactly one place: free, held, in limbo, offline, private to a load, or live and in the
/// rule's hands.</para>
/// <para>V2: the mark of a held frame says what the list of held frames says.</para>
/// <para>V3: a load under way, stale ones included, has one private frame, and nobody else has one.</para>
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    private void ValidatePlaces()
    {
        byte[] places = new byte[_frames.FrameCount + 1];
        Mark(places, _pool.FreeFrames());
        Mark(places, _space.Limbo.FromHead());
        Mark(places, _space.Offline.FromHead());
        Mark(places, _space.Held.FromHead());
        uint nowhere = 0;
        uint held = 0;
        for (uint row = 1; row <= _frames.FrameCount; row++)
        {
            FrameId frame = new(row);
            FrameState state = _frames.State(frame);
            if (_space.IsHeld(frame)) held++;
            else if (state.IsLive) places[row]++;
            Invariant.Check(places[row] <= 1, "page cache", $"V1: frame {row} in one place", places[row]);
            if (places[row] == 0) nowhere++;
        }

        Invariant.Check(held == _space.Held.Count, "page cache", $"V2: {_space.Held.Count} marks", held);
        Invariant.Check(
            nowhere == _space.PrivateCount, "page cache", $"V1, V3: {_space.PrivateCount} private frames", nowhere);
        Invariant.Check(
            _loads.Count <= _space.PrivateCount, "page cache", $"V3: at least {_loads.Count} private frames",
            _space.PrivateCount);
    }

    private static void Mark(byte[] places, IEnumerable<FrameId> frames)
    {
        foreach (FrameId frame in frames) places[frame.Value]++;
    }
}
