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
    private uint _scout;
    private uint _scoutSteps;

    internal FrameList(FrameTable frames, string name)
    {
        _frames = frames;
        _links = frames.Links;
        Name = name;
        _anchor = frames.AllocateListRow();
        _links[_anchor] = new FrameLink { Previous = _anchor, Next = _anchor };
        _scout = _anchor;
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
        LinkAtHead(_links, _anchor, frame.Value);
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

    /// <summary>Links a frame that is on no list at the tail.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PushTail(FrameId frame)
    {
        Invariant.Assert(!_frames.IsOnList(frame), Name, "L3: a frame that is on no list", frame.Value);
        LinkBefore(_links, _anchor, frame.Value);
        Count++;
    }

    /// <summary>Links a frame that is on no list next to one of this list, as the next younger.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void InsertYounger(FrameId frame, FrameId than)
    {
        Invariant.Assert(!_frames.IsOnList(frame), Name, "L3: a frame that is on no list", frame.Value);
        Invariant.Assert(_frames.IsOnList(than), Name, "L3: a frame that is on a list", than.Value);
        LinkBefore(_links, than.Value, frame.Value);
        Count++;
    }

    /// <summary>Moves a frame of this list next to another one of it, as the next younger.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MoveYounger(FrameId frame, FrameId than)
    {
        if (frame == than) return;
        Unlink(frame.Value);
        LinkBefore(_links, than.Value, frame.Value);
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
        // Locals: the JIT must assume that a store through a native pointer changes the fields.
        NativeArray<FrameLink> links = _links;
        uint anchor = _anchor;
        if (links[anchor].Next == frame.Value) return;
        Unlink(frame.Value);
        LinkAtHead(links, anchor, frame.Value);
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
            // Whoever takes a batch looks at each head next; the walk itself waits for the links.
            _frames.PrefetchHead(row);
            row = link.Previous;
            link = default;
        }

        anchor.Previous = row;
        links[row].Next = _anchor;
        _scout = row;
        Count -= (uint)count;
        return count;
    }

    /// <summary>Begins to cut the oldest frames off in one piece; nothing else may touch the list until the cut has
    /// ended.</summary>
    internal TailCut BeginTailCut() => new(this);

    /// <summary>Links a piece of another list at the head, as it is.</summary>
    internal void PushHead(FramePiece piece)
    {
        if (piece.Count == 0) return;
        NativeArray<FrameLink> links = _links;
        ref FrameLink ends = ref links[_anchor];
        uint older = ends.Next;
        links[piece.Youngest].Previous = _anchor;
        links[piece.Oldest].Next = older;
        links[older].Previous = piece.Oldest;
        ends.Next = piece.Youngest;
        Count += piece.Count;
    }

    /// <summary>The walk along the frames that go with a piece: one load for each, and no store but at the ends.</summary>
    internal ref struct TailCut
    {
        private readonly FrameList _list;
        private readonly NativeArray<FrameLink> _links;
        private readonly uint _oldest;
        private uint _next;
        private uint _last;
        private uint _count;

        internal TailCut(FrameList list)
        {
            _list = list;
            _links = list._links;
            _oldest = _links[list._anchor].Previous;
            _next = _oldest;
        }

        /// <summary>The next frame of the piece, oldest first. There must be one.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal FrameId Take()
        {
            uint row = _next;
            _next = _links[row].Previous;
            _last = row;
            _count++;
            return new FrameId(row);
        }

        /// <summary>Cuts the frames off that were taken.</summary>
        internal readonly FramePiece End()
        {
            _links[_list._anchor].Previous = _next;
            _links[_next].Next = _list._anchor;
            _list._scout = _next;
            _list.Count -= _count;
            return new FramePiece(_last, _oldest, _count);
        }
    }

    /// <summary>
    /// Brings one of the frames near that the next <see cref="TakeTail"/> will take: each call goes one frame further
    /// from where the last batch ended.
    /// </summary>
    /// <returns>The frame that was asked for by the call before: its rows have had time to arrive.</returns>
    /// <remarks>
    /// A batch is walked from link to link, and each step waits for the one before. Walking the same way beforehand,
    /// one step with each insertion, costs nothing that anybody waits for. It is a hint: a frame that leaves the list
    /// meanwhile leads the scout astray until the next batch, to rows that exist and are merely not needed.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrameId PrefetchTail()
    {
        uint row = _scout;
        uint next = _links[row].Previous;
        _scout = next;
        _links.Prefetch(next);
        _frames.PrefetchHead(next);
        _frames.PrefetchSlot(next);
        return new FrameId(row);
    }

    /// <summary>
    /// As <see cref="PrefetchTail"/>, for rules that evict one frame at a time: the scout keeps a few frames ahead of
    /// the tail, and starts over from there now and then, in case it went astray.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrameId PrefetchVictim()
    {
        if (_scoutSteps-- == 0) RestartScout(_links[_anchor].Previous);
        return PrefetchTail();
    }

    /// <summary>
    /// As <see cref="PrefetchVictim()"/>, for rules whose hand moves along the list: the scout keeps a few frames ahead of
    /// the hand, on the younger side, and goes from the head on to the tail as the hand does.
    /// </summary>
    /// <param name="hand">The frame to look at next, or <see cref="FrameId.None"/> for the tail.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrameId PrefetchVictim(FrameId hand)
    {
        if (_scoutSteps-- == 0) RestartScout(hand.IsNone ? _links[_anchor].Previous : hand.Value);
        return PrefetchTail();
    }

    /// <summary>Ends the list: its rows are on none, and another list may have its own.</summary>
    internal void Release()
    {
        while (!PopTail().IsNone) { }
        _frames.FreeListRow(_anchor);
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

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void RestartScout(uint row)
    {
        const int Lead = 8;
        const uint StepsUntilRestart = 64;
        _scout = row;
        for (int i = 0; i < Lead; i++) PrefetchTail();
        _scoutSteps = StepsUntilRestart;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FrameId FrameAt(uint row) => row == _anchor ? FrameId.None : new FrameId(row);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LinkAtHead(NativeArray<FrameLink> links, uint anchor, uint row)
    {
        ref FrameLink ends = ref links[anchor];
        uint older = ends.Next;
        ref FrameLink link = ref links[row];
        link.Previous = anchor;
        link.Next = older;
        links[older].Previous = row;
        ends.Next = row;
    }

    /// <summary>Links a row between another one and that one's next younger.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void LinkBefore(NativeArray<FrameLink> links, uint older, uint row)
    {
        ref FrameLink end = ref links[older];
        uint younger = end.Previous;
        ref FrameLink link = ref links[row];
        link.Previous = younger;
        link.Next = older;
        links[younger].Next = row;
        end.Previous = row;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Unlink(uint row)
    {
        NativeArray<FrameLink> links = _links;
        uint previous = links[row].Previous;
        uint next = links[row].Next;
        Invariant.Assert(next != 0, Name, "L3: a frame that is on a list", row);
        Invariant.Assert(links[previous].Next == row, Name, "L1: the previous frame's Next to be this frame", row);
        Invariant.Assert(links[next].Previous == row, Name, "L1: the next frame's Previous to be this frame", row);
        links[previous].Next = next;
        links[next].Previous = previous;
    }
}
