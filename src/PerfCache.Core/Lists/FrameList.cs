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
    private readonly uint _anchor;

    internal FrameList(FrameTable frames, string name)
    {
        _frames = frames;
        Name = name;
        _anchor = frames.AllocateListRow();
        frames.Link(_anchor) = new FrameLink { Previous = _anchor, Next = _anchor };
    }

    /// <summary>What the list is called in messages.</summary>
    public string Name { get; }

    /// <summary>The number of frames on the list.</summary>
    public uint Count { get; private set; }

    /// <summary>The youngest frame, or <see cref="FrameId.None"/>.</summary>
    public FrameId Head => FrameAt(_frames.Link(_anchor).Next);

    /// <summary>The oldest frame, or <see cref="FrameId.None"/>.</summary>
    public FrameId Tail => FrameAt(_frames.Link(_anchor).Previous);

    /// <summary>The next older frame, or <see cref="FrameId.None"/> behind the tail.</summary>
    public FrameId Older(FrameId frame) => FrameAt(_frames.Link(frame.Value).Next);

    /// <summary>The next younger frame, or <see cref="FrameId.None"/> before the head.</summary>
    public FrameId Younger(FrameId frame) => FrameAt(_frames.Link(frame.Value).Previous);

    /// <summary>Links a frame that is on no list at the head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PushHead(FrameId frame)
    {
        Invariant.Assert(!_frames.IsOnList(frame), Name, "L3: a frame that is on no list", frame.Value);
        LinkBehind(_anchor, frame.Value);
        Count++;
    }

    /// <summary>Unlinks a frame of this list.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Remove(FrameId frame)
    {
        Unlink(frame.Value);
        _frames.Link(frame.Value) = default;
        Count--;
    }

    /// <summary>Moves a frame of this list to the head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MoveToHead(FrameId frame)
    {
        ref FrameLink anchor = ref _frames.Link(_anchor);
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
        NativeArray<FrameLink> links = _frames.Links;
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
        _frames.Link(row).Next = _anchor;
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
        uint row = _frames.Link(_anchor).Next;
        uint count = 0;
        while (row != _anchor)
        {
            Invariant.Check(row > 0 && row < _frames.RowCount, Name, "L1: a row of the table", row);
            Invariant.Check(
                _frames.Link(row).Previous == previous, Name,
                $"L1: frame {row}'s Previous to be {previous}", _frames.Link(row).Previous);
            Invariant.Check(++count <= Count, Name, $"L2: a ring of {Count} frames", count);
            previous = row;
            row = _frames.Link(row).Next;
        }

        Invariant.Check(
            _frames.Link(_anchor).Previous == previous, Name, $"L1: the tail to be {previous}",
            _frames.Link(_anchor).Previous);
        Invariant.Check(count == Count, Name, $"L2: a ring of {Count} frames", count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FrameId FrameAt(uint row) => row == _anchor ? FrameId.None : new FrameId(row);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void LinkBehind(uint younger, uint row)
    {
        ref FrameLink head = ref _frames.Link(younger);
        uint older = head.Next;
        _frames.Link(row) = new FrameLink { Previous = younger, Next = older };
        _frames.Link(older).Previous = row;
        head.Next = row;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Unlink(uint row)
    {
        FrameLink link = _frames.Link(row);
        Invariant.Assert(link.Next != 0, Name, "L3: a frame that is on a list", row);
        Invariant.Assert(_frames.Link(link.Previous).Next == row, Name, $"L1: next of {link.Previous} to be {row}",
            _frames.Link(link.Previous).Next);
        _frames.Link(link.Previous).Next = link.Next;
        _frames.Link(link.Next).Previous = link.Previous;
    }
}
