// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Lists;

/// <summary>An intrusive doubly linked list of frames, youngest at the head and oldest at the tail.</summary>
/// <remarks>
/// The links are the frame table's link column. The list is a ring through one row that is no frame (its
/// <em>anchor</em>), so linking and unlinking have no special cases and no branches:
/// <code>
///        +--------------------------------------------------+
///        v                                                  |
///     anchor --Next--> head --Next--> ... --Next--> tail --Next
///        ^ &lt;-Previous-      &lt;-Previous-     &lt;-Previous-
/// </code>
/// <para>L1: Next and Previous of neighbours name each other.</para>
/// <para>L2: following Next from the anchor returns to it after exactly <see cref="Count"/> frames.</para>
/// <para>L3: a frame that is on no list has both links 0.</para>
/// Not synchronised: the owner of the cache's lock, or the only thread, may call it.
/// </remarks>
public sealed class FrameList
{
    private readonly FrameTable _frames;
    private readonly NativeArray<FrameLink> _links;
    private readonly uint _anchor;

    internal FrameList(FrameTable frames, string name)
    {
        _frames = frames;
        _links = frames.Links;
        Name = name;
        _anchor = frames.AllocateListRow();
        _links[_anchor] = new FrameLink { Previous = _anchor, Next = _anchor };
    }

    /// <summary>What the list is called in messages.</summary>
    public string Name { get; }

    /// <summary>The number of frames on the list.</summary>
    public uint Count { get; private set; }

    /// <summary>The youngest frame, or <see cref="FrameId.None"/>.</summary>
    public FrameId Head => FrameAt(_links[_anchor].Next);

    /// <summary>The oldest frame, or <see cref="FrameId.None"/>.</summary>
    public FrameId Tail => FrameAt(_links[_anchor].Previous);

    /// <summary>The next older frame, or <see cref="FrameId.None"/> behind the tail.</summary>
    public FrameId Older(FrameId frame) => FrameAt(_links[frame.Value].Next);

    /// <summary>The next younger frame, or <see cref="FrameId.None"/> before the head.</summary>
    public FrameId Younger(FrameId frame) => FrameAt(_links[frame.Value].Previous);

    /// <summary>Links a frame that is on no list at the head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PushHead(FrameId frame)
    {
        Invariant.Assert(!_frames.IsOnList(frame), Name, "L3: a frame that is on no list", frame.Value);
        LinkBehind(_anchor, frame.Value);
        Count++;
    }

    /// <summary>Links frames that are on no list at the head, the first one first: the last ends as the youngest.</summary>
    public void PushHead(ReadOnlySpan<FrameId> frames)
    {
        if (frames.IsEmpty) return;
        NativeArray<FrameLink> links = _links;
        uint older = links[_anchor].Next;
        foreach (FrameId frame in frames)
        {
            Invariant.Assert(!_frames.IsOnList(frame), Name, "L3: a frame that is on no list", frame.Value);
            links[older].Previous = frame.Value;
            links[frame.Value].Next = older;
            older = frame.Value;
        }

        links[older].Previous = _anchor;
        links[_anchor].Next = older;
        Count += (uint)frames.Length;
    }

    /// <summary>Unlinks a frame of this list.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Remove(FrameId frame)
    {
        Unlink(frame.Value);
        _links[frame.Value] = default;
        Count--;
    }

    /// <summary>Moves a frame of this list to the head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MoveToHead(FrameId frame)
    {
        ref FrameLink anchor = ref _links[_anchor];
        if (anchor.Next == frame.Value) return;
        Unlink(frame.Value);
        LinkBehind(_anchor, frame.Value);
    }

    /// <summary>Unlinks and returns the oldest frame, or <see cref="FrameId.None"/> when there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrameId PopTail()
    {
        FrameId tail = Tail;
        if (!tail.IsNone) Remove(tail);
        return tail;
    }

    /// <summary>Unlinks the oldest frames, oldest first, as many as there are and as fit.</summary>
    /// <returns>The number of frames taken.</returns>
    /// <remarks>One cut at the end instead of one for each frame: this is how reclaim takes its batch.</remarks>
    public int TakeTail(Span<FrameId> taken)
    {
        int count = (int)Math.Min((uint)taken.Length, Count);
        if (count == 0) return 0;
        NativeArray<FrameLink> links = _links;
        ref FrameLink anchor = ref links[_anchor];
        uint row = anchor.Previous;
        for (int i = 0; i < count; i++)
        {
            ref FrameLink link = ref links[row];
            taken[i] = new FrameId(row);
            // Whoever takes a batch looks at each head and slot next; the walk itself waits for the links.
            _frames.PrefetchHead(row);
            _frames.PrefetchSlot(row);
            row = link.Previous;
            link = default;
        }

        anchor.Previous = row;
        _links[row].Next = _anchor;
        Count -= (uint)count;
        return count;
    }

    /// <summary>The frames from head to tail: for tests, dumps and validation.</summary>
    public IEnumerable<FrameId> FromHead()
    {
        for (FrameId frame = Head; !frame.IsNone; frame = Older(frame)) yield return frame;
    }

    /// <summary>Checks L1 and L2. O(count): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        uint previous = _anchor;
        uint row = _links[_anchor].Next;
        uint count = 0;
        while (row != _anchor)
        {
            Invariant.Check(row > 0 && row < _frames.RowCount, Name, "L1: a row of the table", row);
            Invariant.Check(
                _links[row].Previous == previous, Name,
                $"L1: frame {row}'s Previous to be {previous}", _links[row].Previous);
            Invariant.Check(++count <= Count, Name, $"L2: a ring of {Count} frames", count);
            previous = row;
            row = _links[row].Next;
        }

        Invariant.Check(
            _links[_anchor].Previous == previous, Name, $"L1: the tail to be {previous}",
            _links[_anchor].Previous);
        Invariant.Check(count == Count, Name, $"L2: a ring of {Count} frames", count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FrameId FrameAt(uint row) => row == _anchor ? FrameId.None : new FrameId(row);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void LinkBehind(uint younger, uint row)
    {
        ref FrameLink head = ref _links[younger];
        uint older = head.Next;
        _links[row] = new FrameLink { Previous = younger, Next = older };
        _links[older].Previous = row;
        head.Next = row;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Unlink(uint row)
    {
        FrameLink link = _links[row];
        Invariant.Assert(link.Next != 0, Name, "L3: a frame that is on a list", row);
        Invariant.Assert(_links[link.Previous].Next == row, Name, $"L1: next of {link.Previous} to be {row}",
            _links[link.Previous].Next);
        _links[link.Previous].Next = link.Next;
        _links[link.Next].Previous = link.Previous;
    }
}
