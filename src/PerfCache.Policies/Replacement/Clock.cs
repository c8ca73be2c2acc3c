// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// Clock: first in, first out, but a page that was used since the hand came by last gets another round. F. J. Corbató,
/// "A paging experiment with the Multics system", 1968; also known as second chance and FIFO-reinsertion.
/// </summary>
/// <remarks>
/// <code>
/// insert ─► head ── ... ── ... ── tail ◄─ the hand
///            ▲                      │ used: cleared, goes on to the head
///            └──────────────────────┤
///                                   └ not used: evicted
/// </code>
/// Remembers: one list, and one bit a page (1 in the referenced byte). Insert: at the head, with the bit 0, so that a page
/// which is never used again gets no second round. Hit: sets the bit; once it is set a hit writes nothing. Victim: the
/// first page from the tail whose bit is 0; those with 1 lose it and go to the head.
/// <para>The circle of frames and the hand of the original are this list cut open at the hand: moving the hand past a
/// page is moving it from tail to head. The list lets a page leave from the middle (invalidation) without a hole.</para>
/// <para>Costs: a hit one load and at most one byte store; a miss one step of the hand for each page that was used since
/// the hand came by, so never more steps in all than hits that set a bit, and one for each eviction.</para>
/// </remarks>
public struct Clock : IFlagRules
{
    private CacheSpace _space;
    private FrameTable _frames;
    private FrameList _list;

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.Flag;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <summary>The pages: the tail is where the hand points, the head is where it was last.</summary>
    public readonly FrameList List => _list;

    /// <inheritdoc/>
    public static ulong SettledMask => FrameState.ReferencedMask;

    /// <inheritdoc/>
    public static ulong SettledState => 1;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HitEffect OnHit(FrameState state) => HitEffect.Mark(1);

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _frames = space.Frames;
        _list = space.NewList("clock list");
    }

    /// <inheritdoc/>
    public readonly void OnDeferredHit(FrameId frame)
    {
    }

    /// <inheritdoc/>
    public readonly void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        // A frame that comes back because it was let go may still have its mark.
        _frames.SetReferenced(frame, 0);
        _list.PushHead(frame);
    }

    /// <inheritdoc/>
    public readonly void OnArrive(FrameId frame) => _list.PushHead(frame);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameId victim = _list.Tail;
        // After one round every bit was 0 once. A program whose threads set them all again meanwhile must not wait.
        for (uint steps = _list.Count; _frames.Head(victim).Referenced != 0 && steps > 0; steps--)
        {
            _frames.SetReferenced(victim, 0);
            _list.MoveToHead(victim);
            _list.PrefetchVictim();
            victim = _list.Tail;
        }

        if (victim.IsNone) return FrameId.None;
        _list.Remove(victim);
        _space.PrefetchNextVictim(_list);
        return victim;
    }

    /// <inheritdoc/>
    public readonly int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public readonly void OnRemove(FrameId frame) => _list.Remove(frame);

    /// <summary>Checks: K1, the list is a list; K2, every page is on it; K3, marks are 0 or 1.</summary>
    public readonly void Validate()
    {
        _list.Validate();
        RuleInvariant.CheckAllResident(_space, _list.Count);
        RuleInvariant.CheckMarks(_frames, _list, markMax: 1, "K3");
    }
}
