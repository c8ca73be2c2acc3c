// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Pools;

/// <summary>The free frames of one NUMA node: a stack, so that a frame freed just now (its rows still cached) goes first.</summary>
/// <remarks>
/// Freed frames are chained through the Next half of their link, which a free frame does not need; the other half means
/// nothing (a piece of a list that is freed keeps its links). Frames that were never used are not chained at all but lie
/// above a high-water mark, so a new pool touches no memory. One frame is kept in hand beside the chain: a rule that evicts
/// one page for each that comes in gives a frame and takes it again at once, and then no link is written.
/// <para>P1: free frames = the one in hand, if there is one + chained frames + frames above the mark.</para>
/// <para>P2: a freed frame is not live, and in a debug build its key is the poison pattern.</para>
/// </remarks>
public sealed class FramePool
{
    /// <summary>The key that a debug build writes into freed frames, so that stale use is seen.</summary>
    public const ulong PoisonKey = 0xDBDB_DBDB_DBDB_DBDB;

    private readonly FrameTable _frames;
    private readonly NativeArray<FrameLink> _links;
    private readonly uint _first;
    private readonly uint _count;
    private uint _inHand;
    private uint _chain;
    private uint _untouched;
    private uint _untouchedEnd;

    /// <summary>Makes the pool of the frames <paramref name="first"/> and the following, all free.</summary>
    internal FramePool(FrameTable frames, byte node, uint first, uint count)
    {
        _frames = frames;
        _links = frames.Links;
        Node = node;
        _first = first;
        _count = count;
        _untouched = count;
        _untouchedEnd = count;
        FreeCount = count;
    }

    /// <summary>The index of the node of the frames' memory (<see cref="NodePools"/>).</summary>
    public byte Node { get; }

    /// <summary>The first frame of the node's range.</summary>
    internal uint First => _first;

    /// <summary>The frames of the range, free or not.</summary>
    internal uint FrameCount => _count;

    /// <summary>The number of free frames.</summary>
    public uint FreeCount { get; private set; }

    /// <summary>Takes a free frame, or <see cref="FrameId.None"/> when there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public FrameId Allocate()
    {
        uint row = _inHand;
        if (row != 0)
        {
            _inHand = 0;
        }
        else
        {
            row = _chain;
            if (row == 0) return AllocateUntouched();
            ref FrameLink link = ref _links[row];
            _chain = link.Next;
            link = default;
        }

        FreeCount--;
        CheckPoison(row);
        return new FrameId(row);
    }

    /// <summary>Takes the last frame that was never used, or <see cref="FrameId.None"/> when all were.</summary>
    internal FrameId AllocateLast()
    {
        if (_untouched == 0) return FrameId.None;
        _untouched--;
        FreeCount--;
        return new FrameId(_first + --_untouchedEnd);
    }

    /// <summary>Gives a frame back that is on no list and not live.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Free(FrameId frame)
    {
        CheckFreeable(frame);
        FreeCount++;
        if (_inHand == 0)
        {
            _inHand = frame.Value;
            return;
        }

        _links[frame.Value].Next = _chain;
        _chain = frame.Value;
    }

    /// <summary>Gives back frames that are on no list and not live.</summary>
    public void Free(ReadOnlySpan<FrameId> frames)
    {
        NativeArray<FrameLink> links = _links;
        uint chain = _chain;
        foreach (FrameId frame in frames)
        {
            CheckFreeable(frame);
            links[frame.Value].Next = chain;
            chain = frame.Value;
        }

        _chain = chain;
        FreeCount += (uint)frames.Length;
    }

    /// <summary>Gives back a piece of a list, whose frames are not live: it is chained as it is.</summary>
    internal void Free(FramePiece piece)
    {
        if (piece.Count == 0) return;
        CheckFreeable(piece);
        _links[piece.Oldest].Next = _chain;
        _chain = piece.Youngest;
        FreeCount += piece.Count;
    }

    /// <summary>The free frames, in no order: for tests and validation.</summary>
    internal IEnumerable<FrameId> FreeFrames()
    {
        if (_inHand != 0) yield return new FrameId(_inHand);
        for (uint row = _chain; row != 0; row = _links[row].Next) yield return new FrameId(row);
        for (uint i = _untouchedEnd - _untouched; i < _untouchedEnd; i++) yield return new FrameId(_first + i);
    }

    /// <summary>Checks P1 and P2. O(free frames): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        uint count = 0;
        uint chained = FreeCount - _untouched;
        for (uint row = _inHand == 0 ? _chain : _inHand; row != 0; row = row == _inHand ? _chain : _links[row].Next)
        {
            Invariant.Check(row - _first < _count, nameof(FramePool), "P1: a frame of this node", row);
            Invariant.Check(++count <= chained, nameof(FramePool), $"P1: a chain of {chained} frames", count);
            Invariant.Check(!_frames.State(new FrameId(row)).IsLive, nameof(FramePool), "P2: a free frame", row);
            CheckPoison(row);
        }

        Invariant.Check(count == chained, nameof(FramePool), $"P1: a chain of {chained} frames", count);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private FrameId AllocateUntouched()
    {
        if (_untouched == 0) return FrameId.None;
        FrameId frame = new(_first + (_untouchedEnd - _untouched--));
        FreeCount--;
        if (Node != 0) _frames.Owner(frame).Node = Node;
        return frame;
    }

    /// <summary>Debug builds check P2 and write the poison pattern.</summary>
    [Conditional("DEBUG")]
    [Conditional("PERFCACHE_VALIDATE")]
    private void CheckFreeable(FrameId frame)
    {
        Invariant.Assert(!_frames.IsOnList(frame), nameof(FramePool), "P2: a frame on no list", frame.Value);
        Invariant.Assert(!_frames.State(frame).IsLive, nameof(FramePool), "P2: a frame that is not live", frame.Value);
        Invariant.Assert(frame.Value - _first < _count, nameof(FramePool), "a frame of this node", frame.Value);
        _frames.Head(frame).Key = new PageKey(PoisonKey);
    }

    /// <summary>As the other; the links of a piece are not empty.</summary>
    [Conditional("DEBUG")]
    [Conditional("PERFCACHE_VALIDATE")]
    private void CheckFreeable(FramePiece piece)
    {
        uint row = piece.Youngest;
        for (uint i = 0; i < piece.Count; i++)
        {
            uint older = _links[row].Next;
            _links[row] = default;
            CheckFreeable(new FrameId(row));
            if (i + 1 < piece.Count) _links[row].Next = older;
            row = older;
        }
    }

    [Conditional("DEBUG")]
    [Conditional("PERFCACHE_VALIDATE")]
    private void CheckPoison(uint row)
    {
        ulong key = _frames.Head(new FrameId(row)).Key.Packed;
        Invariant.Assert(key == PoisonKey, nameof(FramePool), "P2: the poison pattern of a freed frame", (long)key);
    }
}
