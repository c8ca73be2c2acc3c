// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>The place of a dirty frame among the others, and since when it is dirty.</summary>
[StructLayout(LayoutKind.Explicit, Size = 12)]
internal struct DirtyLink
{
    /// <summary>The frame that became dirty next; 0 behind the youngest.</summary>
    [FieldOffset(0)] public uint Younger;

    /// <summary>The frame that became dirty before; 0 behind the oldest.</summary>
    [FieldOffset(4)] public uint Older;

    /// <summary>The low 32 bits of the milliseconds at which it was put here.</summary>
    [FieldOffset(8)] public uint Since;
}

/// <summary>
/// The dirty frames, by the time at which they became so: who looks for old ones meets no other frame.
/// </summary>
/// <remarks>
/// <para>D1: a frame is on the list if and only if its state is dirty.</para>
/// <para>D2: it is a ring through row 0, which is no frame: neighbours name each other, and the ring has
/// <see cref="Count"/> frames.</para>
/// <para>D3: a frame that is not on it has both neighbours 0 and is not the only one.</para>
/// <para>D4: from the oldest to the youngest, the times do not fall.</para>
/// A column of its own, because the frame table's link is the rule's. It costs 12 bytes a frame, and only in a cache
/// that somebody writes to. Under the cache's lock.
/// </remarks>
internal sealed class DirtyList : IDisposable
{
    private readonly NativeColumn<DirtyLink> _links;
    private NativeArray<DirtyLink> _link;

    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    internal DirtyList(uint frameMax, MemoryMeter meter)
    {
        _links = NativeColumn<DirtyLink>.Whole("dirty frames", frameMax + 1L, meter);
        _link = _links.View;
    }

    /// <summary>The number of frames.</summary>
    internal uint Count { get; private set; }

    /// <summary>The frame that has been dirty longest, or none.</summary>
    internal FrameId Oldest => new(_link[0].Younger);

    /// <summary>The frame that became dirty next, or none.</summary>
    internal FrameId Younger(FrameId frame) => new(_link[frame.Value].Younger);

    /// <summary>Milliseconds since a frame was put here; right for 49 days.</summary>
    internal uint AgeMilliseconds(FrameId frame, long nowMilliseconds) =>
        (uint)nowMilliseconds - _link[frame.Value].Since;

    /// <summary>Puts a frame here that is not, as the youngest.</summary>
    internal void Add(FrameId frame, long nowMilliseconds)
    {
        ref DirtyLink anchor = ref _link[0];
        uint youngest = anchor.Older;
        _link[frame.Value] = new DirtyLink { Younger = 0, Older = youngest, Since = (uint)nowMilliseconds };
        _link[youngest].Younger = frame.Value;
        anchor.Older = frame.Value;
        Count++;
    }

    /// <summary>Takes a frame off.</summary>
    internal void Remove(FrameId frame)
    {
        DirtyLink link = _link[frame.Value];
        Invariant.Assert(
            _link[link.Older].Younger == frame.Value, nameof(DirtyList), "D2: the older frame to name this one",
            frame.Value);
        _link[link.Older].Younger = link.Younger;
        _link[link.Younger].Older = link.Older;
        _link[frame.Value] = default;
        Count--;
    }

    /// <summary>The page of a frame here has moved to another frame, which takes its place.</summary>
    internal void Replace(FrameId frame, FrameId by)
    {
        DirtyLink link = _link[frame.Value];
        _link[frame.Value] = default;
        _link[by.Value] = link;
        _link[link.Older].Younger = by.Value;
        _link[link.Younger].Older = by.Value;
    }

    /// <summary>A frame that cannot be written now takes its turn again as the youngest.</summary>
    internal void Requeue(FrameId frame, long nowMilliseconds)
    {
        Remove(frame);
        Add(frame, nowMilliseconds);
    }

    /// <summary>Checks D1 to D4. O(frames): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    internal void Validate(FrameTable frames)
    {
        uint count = 0;
        uint older = 0;
        for (FrameId frame = Oldest; !frame.IsNone; frame = Younger(frame))
        {
            FrameState state = frames.State(frame);
            Invariant.Check(
                state.Has(FrameState.Live | FrameState.Dirty), nameof(DirtyList),
                $"D1: frame {frame.Value} live and dirty", (long)state.Packed);
            Invariant.Check(
                _link[frame.Value].Older == older, nameof(DirtyList), $"D2: {older} before frame {frame.Value}",
                _link[frame.Value].Older);
            Invariant.Check(++count <= Count, nameof(DirtyList), $"D2: a ring of {Count} frames", count);
            Invariant.Check(
                older == 0 || (int)(_link[frame.Value].Since - _link[older].Since) >= 0, nameof(DirtyList),
                $"D4: frame {frame.Value} not older than frame {older}", _link[frame.Value].Since);
            older = frame.Value;
        }

        Invariant.Check(_link[0].Older == older, nameof(DirtyList), $"D2: {older} as the youngest", _link[0].Older);
        Invariant.Check(count == Count, nameof(DirtyList), $"D2: a ring of {Count} frames", count);
        uint dirty = 0;
        for (uint row = 1; row <= frames.FrameCount; row++)
        {
            DirtyLink link = _link[row];
            bool isDirty = frames.State(new FrameId(row)).Has(FrameState.Dirty);
            dirty += isDirty ? 1u : 0;
            Invariant.Check(
                isDirty || (link.Younger | link.Older) == 0, nameof(DirtyList), $"D3: no neighbours of clean frame {row}",
                link.Older);
        }

        Invariant.Check(dirty == Count, nameof(DirtyList), $"D1: {dirty} dirty frames", Count);
    }

    public void Dispose() => _links.Dispose();
}
