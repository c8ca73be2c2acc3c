// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// Belady's MIN: the page goes whose next use is furthest away. No rule that brings in every missed page misses less, so
/// it shows what is left to gain. L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", IBM
/// Systems Journal 5(2), 1966.
/// </summary>
/// <remarks>
/// Remembers: pages that are not used again on a list; of all others the position of the next use, in a heap whose root is
/// the largest. Insert and hit: the request's next use is taken from <see cref="NextUses"/> and put into the heap, or the
/// page goes to the list. Victim: a page of the list, the one that has been there for longest; if there is none, the root.
/// <para>A hit need not find its page in the heap: what the heap has of it is the position of this very request, which is
/// past from now on. Pages have one use in the future each, and every past entry is dead, so dead entries sink to the
/// leaves, never come up to the root before a live one, and are swept out when the heap is full; a quarter of the heap is
/// room for them.</para>
/// <para>B1: the live entries of the heap and the list together are the pages, each once. B2: no entry is larger than its
/// parent.</para>
/// <para>Costs: a next use that is near stays at the leaves, a step or two; an eviction goes down the heap, log4(frames)
/// levels of one cache line each. 10 bytes a frame beside the list. A removal searches the heap; a replay removes nothing.
/// The trace is held in memory with its next uses, by whoever replays.</para>
/// </remarks>
/// <param name="nextUses">Gives the next use of each request.</param>
public struct Belady(NextUses nextUses) : IListRules
{
    private const int ArityShift = 2;
    private const int FrameBits = 32;

    private readonly NextUses _nextUses = nextUses;
    private CacheSpace _space = null!;
    private FrameList _unused = null!;
    private NativeArray<ulong> _heap;
    private uint _heapCount;
    private uint _heapMax;

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.List;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <summary>The pages that are not used again, those last that go first.</summary>
    public readonly FrameList Unused => _unused;

    /// <summary>The pages that are used again, with the position of that use, in no order.</summary>
    public readonly IEnumerable<(FrameId Frame, uint NextUse)> Used()
    {
        for (uint i = 0; i < _heapCount; i++)
            if (IsLive(_heap[i])) yield return (FrameOf(_heap[i]), (uint)(_heap[i] >> FrameBits));
    }

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        const uint DeadMin = 16;
        _space = space;
        _unused = space.NewList("belady pages without a use");
        _heapMax = space.FrameCount + (space.FrameCount / 4) + DeadMin;
        _heap = space.NewColumn<ulong>("belady heap", _heapMax);
    }

    /// <inheritdoc/>
    public void OnDeferredHit(FrameId frame) => Keep(frame);

    /// <inheritdoc/>
    public void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess) => Keep(frame);

    /// <inheritdoc/>
    public FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameId victim = _unused.PopTail();
        if (victim.IsNone)
        {
            if (_heapCount == 0) return FrameId.None;
            victim = FrameOf(_heap[0u]);
            SiftDown(0, _heap[--_heapCount]);
        }

        return victim;
    }

    /// <inheritdoc/>
    public int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public void OnRemove(FrameId frame)
    {
        if (_space.Frames.IsOnList(frame))
        {
            _unused.Remove(frame);
            return;
        }

        for (uint i = 0; i < _heapCount; i++)
        {
            if (FrameOf(_heap[i]) != frame || !IsLive(_heap[i])) continue;
            ulong last = _heap[--_heapCount];
            if (i == _heapCount) return;
            SiftDown(i, last);
            SiftUp(i, _heap[i]);
            return;
        }
    }

    /// <summary>Checks B1 and B2.</summary>
    public readonly void Validate()
    {
        _unused.Validate();
        HashSet<FrameId> kept = [.. _unused.FromHead()];
        foreach ((FrameId frame, uint nextUse) in Used())
            if (!kept.Add(frame)) throw new InvariantException($"belady: expected B1: {frame} once, found it again at {nextUse}");
        RuleInvariant.CheckAllResident(_space, kept.Count);
        for (uint i = 1; i < _heapCount; i++)
        {
            if (_heap[i] > _heap[ParentOf(i)])
                throw new InvariantException($"belady: expected B2: entry {i} at most {_heap[ParentOf(i)]}, found {_heap[i]}");
        }
    }

    /// <summary>An entry is a position and the frame whose page is used then; positions are compared first.</summary>
    private static ulong Entry(uint nextUse, FrameId frame) => ((ulong)nextUse << FrameBits) | frame.Value;

    private static FrameId FrameOf(ulong entry) => new((uint)entry);

    private static uint ParentOf(uint i) => (i - 1) >> ArityShift;

    /// <summary>True for an entry whose use is still to come.</summary>
    private readonly bool IsLive(ulong entry) => (uint)(entry >> FrameBits) >= _nextUses.Position;

    private void Keep(FrameId frame)
    {
        uint nextUse = _nextUses.Take();
        if (nextUse == NextUses.Never)
        {
            _unused.PushHead(frame);
            return;
        }

        if (_heapCount == _heapMax) DropDead();
        SiftUp(_heapCount++, Entry(nextUse, frame));
    }

    /// <summary>Moves the live entries together and makes a heap of them: two passes, once for every quarter of the frames
    /// that were hit.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void DropDead()
    {
        uint live = 0;
        for (uint i = 0; i < _heapCount; i++)
            if (IsLive(_heap[i])) _heap[live++] = _heap[i];
        _heapCount = live;
        if (live < 2) return;
        for (uint i = ParentOf(live - 1) + 1; i-- > 0;) SiftDown(i, _heap[i]);
    }

    private readonly void SiftUp(uint i, ulong entry)
    {
        while (i > 0)
        {
            uint parent = ParentOf(i);
            if (_heap[parent] >= entry) break;
            _heap[i] = _heap[parent];
            i = parent;
        }

        _heap[i] = entry;
    }

    private readonly void SiftDown(uint i, ulong entry)
    {
        while (true)
        {
            uint child = (i << ArityShift) + 1;
            if (child >= _heapCount) break;
            uint end = Math.Min(child + (1 << ArityShift), _heapCount);
            uint largest = child;
            for (child++; child < end; child++)
                if (_heap[child] > _heap[largest]) largest = child;
            if (_heap[largest] <= entry) break;
            _heap[i] = _heap[largest];
            i = largest;
        }

        _heap[i] = entry;
    }
}
