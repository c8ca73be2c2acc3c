// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// Sieve: pages stay where they are, and a hand that goes around among them takes out those that nobody used. Zhang, Yang,
/// Yue, Vigfusson, Rashmi, "SIEVE is simpler than LRU: an efficient turn-key eviction algorithm for web caches", NSDI
/// 2024.
/// </summary>
/// <remarks>
/// <code>
/// insert ─► head ── ... ── younger ── hand ── older ── ... ── tail
///                     ◄── the hand goes this way; from the head on to the tail again
/// </code>
/// Remembers: one list in the order of arrival, one bit a page (1 in the referenced byte), and the hand: the frame to look
/// at next. Insert: at the head, with the bit 0. Hit: sets the bit; once it is set a hit writes nothing. Victim: from the
/// hand on, the first page whose bit is 0; those with 1 lose it and stay. The hand stops at the page behind the victim.
/// <para>The difference to clock is that survivors stay in place: new pages, at the head, are met by the hand soon and
/// leave quickly unless they are used (quick demotion), old pages that are used have gathered near the tail.</para>
/// <para>The hand is a frame of the list, or none, which stands for the tail; so whoever takes the frame under it off the
/// list (eviction, invalidation, a frame that is held) moves it on first.</para>
/// <para>Costs: a hit one load and at most one byte store; a miss one step of the hand for each page that was used since
/// the hand came by, and one for the victim. The steps follow links in no order of memory, so a scout walks ahead.</para>
/// </remarks>
public struct Sieve : IFlagRules
{
    private CacheSpace _space;
    private FrameTable _frames;
    private FrameList _list;
    private FrameId _hand;

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.Flag;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <summary>The pages, last arrived first.</summary>
    public readonly FrameList List => _list;

    /// <summary>The frame to look at next, or <see cref="FrameId.None"/> for the tail.</summary>
    public readonly FrameId Hand => _hand;

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
        _list = space.NewList("sieve list");
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
    public FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameId victim = _hand.IsNone ? _list.Tail : _hand;
        // After one round every bit was 0 once. A program whose threads set them all again meanwhile must not wait.
        for (uint steps = _list.Count; _frames.Head(victim).Referenced != 0 && steps > 0; steps--)
        {
            _frames.SetReferenced(victim, 0);
            _list.PrefetchVictim(victim);
            victim = _list.Younger(victim);
            if (victim.IsNone) victim = _list.Tail;
        }

        if (victim.IsNone) return FrameId.None;
        _hand = _list.Younger(victim);
        _list.Remove(victim);
        _space.PrefetchNextVictim(_list, _hand);
        return victim;
    }

    /// <inheritdoc/>
    public int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public void OnRemove(FrameId frame)
    {
        if (frame == _hand) _hand = _list.Younger(frame);
        _list.Remove(frame);
    }

    /// <summary>
    /// Checks: S1, the list is a list; S2, every page is on it; S3, marks are 0 or 1; S4, the hand is none or on the list.
    /// </summary>
    public readonly void Validate()
    {
        _list.Validate();
        RuleInvariant.CheckAllResident(_space, _list.Count);
        RuleInvariant.CheckMarks(_frames, _list, markMax: 1, "S3");
        if (!_hand.IsNone && !_list.FromHead().Contains(_hand))
            throw new InvariantException($"sieve: expected S4: the hand at {_hand} on the list");
    }
}
