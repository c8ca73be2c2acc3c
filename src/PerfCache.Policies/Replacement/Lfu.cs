// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// Least frequently used: the page goes that was used least since it came in, and among those the one that has been at
/// its count for longest. Textbook rule; O(1) a request as in Shah, Mitra, Matani, "An O(1) algorithm for implementing
/// the LFU cache eviction scheme", 2010.
/// </summary>
/// <remarks>
/// One list holds all pages, ordered by count and within a count by the time at which it was reached. Pages of one count
/// are a <em>run</em>; the run table finds the youngest page of each by its count.
/// <code>
/// head                                                    tail = victim
///   [9] a   [4] c b   [2] g f e d   [1] i h        runs: 9→a  4→c  2→g  1→i
///                          └ a hit on f: out of run 2, between b and g, a run 3 of its own
/// </code>
/// Remembers: the list, a count for each page, the run table. Counts end with the eviction. Insert: count 1, as the
/// youngest of run 1. Hit: the page leaves its run and becomes the youngest of the run of the next count, which begins,
/// or would begin, above the youngest of its own run. Victim: the tail.
/// <para>The run table is an open-addressing hash of frames, keyed by the count that the frame has anyway: 4 bytes an
/// entry, a quarter more entries than frames, because every page may have a count of its own. Removal shifts entries back
/// instead of leaving marks. Real traces have few different counts, so the table is mostly empty and its used part stays
/// in a core's cache.</para>
/// <para>Costs: a hit two links to leave, two to enter, and two or three looks into the run table; 9 bytes a frame beside
/// the list. Counts stop at 2^32 - 1, where the page stays as it is.</para>
/// </remarks>
public struct Lfu : IListRules
{
    /// <summary>Entries of the run table in a cache line, as a power of two.</summary>
    private const int LineShift = 4;

    private CacheSpace _space;
    private FrameList _list;
    private NativeArray<uint> _counts;
    private NativeArray<uint> _runs;
    private uint _runLines;

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.List;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <summary>The pages, used most often first.</summary>
    public readonly FrameList List => _list;

    /// <summary>How often the page in a frame was used since it came in, that time included.</summary>
    public readonly uint CountOf(FrameId frame) => _counts[frame.Value];

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _list = space.NewList("lfu list");
        _runLines = ((space.FrameCount + (space.FrameCount / 4)) >> LineShift) + 1;
        _counts = space.NewColumn<uint>("lfu counts", space.FrameCount + 1L);
        _runs = space.NewColumn<uint>("lfu runs", RunSlots);
    }

    /// <inheritdoc/>
    public static bool HintsAccesses => true;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void HintAccess(PageKey page, FrameId row) => _counts.Prefetch(row.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void OnDeferredHit(FrameId frame)
    {
        // Locals: the JIT must assume that a store through a native pointer changes the fields.
        NativeArray<uint> counts = _counts;
        NativeArray<uint> runs = _runs;
        FrameList list = _list;
        uint count = counts[frame.Value];
        if (count == uint.MaxValue) return;
        // The place is found before the frame moves, and the old run is put right before the count changes: the table
        // compares counts. Neither lookup waits for the other.
        uint slot = SlotOf(count);
        uint slotAbove = SlotOf(count + 1);
        FrameId youngest = new(runs[slot]);
        FrameId joined = new(runs[slotAbove]);
        if (frame == youngest && EndsRun(slot, frame, count)) slotAbove = SlotOf(count + 1);
        list.MoveYounger(frame, joined.IsNone ? youngest : joined);
        counts[frame.Value] = count + 1;
        runs[slotAbove] = frame.Value;
    }

    /// <inheritdoc/>
    public readonly void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        uint slot = SlotOf(1);
        uint youngest = _runs[slot];
        if (youngest == 0) _list.PushTail(frame);
        else _list.InsertYounger(frame, new FrameId(youngest));
        _counts[frame.Value] = 1;
        _runs[slot] = frame.Value;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameId victim = _list.Tail;
        if (victim.IsNone) return FrameId.None;
        OnRemove(victim);
        _space.PrefetchNextVictim(_list);
        return victim;
    }

    /// <inheritdoc/>
    public readonly int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void OnRemove(FrameId frame)
    {
        uint count = _counts[frame.Value];
        uint slot = SlotOf(count);
        if (_runs[slot] == frame.Value) EndsRun(slot, frame, count);
        _list.Remove(frame);
    }

    /// <summary>
    /// Checks: U1, the list is a list; U2, every page is on it; U3, counts fall from head to tail and none is 0; U4, the
    /// run table has the youngest page of each run and nothing else, where a lookup finds it.
    /// </summary>
    public readonly void Validate()
    {
        _list.Validate();
        RuleInvariant.CheckAllResident(_space, _list.Count);
        ulong last = ulong.MaxValue;
        uint runCount = 0;
        foreach (FrameId frame in _list.FromHead())
        {
            uint count = _counts[frame.Value];
            if (count == 0 || count > last)
                throw new InvariantException($"lfu: expected U3: a count from 1 to {last} at {frame}, found {count}");
            if (count != last)
            {
                runCount++;
                uint youngest = _runs[SlotOf(count)];
                if (youngest != frame.Value)
                    throw new InvariantException($"lfu: expected U4: {frame} youngest of run {count}, found {youngest}");
            }

            last = count;
        }

        uint used = 0;
        for (uint slot = 0; slot < RunSlots; slot++) used += _runs[slot] == 0 ? 0u : 1;
        if (used != runCount) throw new InvariantException($"lfu: expected U4: {runCount} runs in the table, found {used}");
    }

    private readonly uint RunSlots => _runLines << LineShift;

    /// <summary>The slot of a run, or the empty one where it would be put.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly uint SlotOf(uint count)
    {
        NativeArray<uint> counts = _counts;
        NativeArray<uint> runs = _runs;
        uint slot = HomeOf(count);
        while (true)
        {
            uint youngest = runs[slot];
            if (youngest == 0 || counts[youngest] == count) return slot;
            slot = After(slot);
        }
    }

    /// <summary>Takes the youngest page out of its run: the next older one follows, or the run ends.</summary>
    /// <returns>True when the run ended: then entries of other runs may have moved.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly bool EndsRun(uint slot, FrameId youngest, uint count)
    {
        FrameId older = _list.Older(youngest);
        if (older.IsNone || _counts[older.Value] != count)
        {
            RemoveRun(slot);
            return true;
        }

        _runs[slot] = older.Value;
        return false;
    }

    /// <summary>Empties a slot, and shifts back the entries behind it that would not be found any more.</summary>
    private readonly void RemoveRun(uint slot)
    {
        uint hole = slot;
        for (uint next = After(hole); _runs[next] != 0; next = After(next))
        {
            uint home = HomeOf(_counts[_runs[next]]);
            // It may move into the hole if its home is not between the two, in the order in which slots are tried.
            bool homeIsBetween = hole < next ? hole < home && home <= next : hole < home || home <= next;
            if (homeIsBetween) continue;
            _runs[hole] = _runs[next];
            hole = next;
        }

        _runs[hole] = 0;
    }

    /// <summary>Where a run is looked for first: lines are scattered by 2^32 / the golden ratio, and counts that follow
    /// each other lie next to each other in a line, because a page's next run is the next count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly uint HomeOf(uint count)
    {
        uint line = (uint)((ulong)((count >> LineShift) * 0x9E3779B9u) * _runLines >> 32);
        return (line << LineShift) | (count & ((1 << LineShift) - 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly uint After(uint slot) => slot + 1 == RunSlots ? 0 : slot + 1;
}
