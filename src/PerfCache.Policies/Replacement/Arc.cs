// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// ARC, the adaptive replacement cache. N. Megiddo, D. Modha: "ARC: A Self-Tuning, Low Overhead Replacement
/// Cache", FAST 2003, figure 4.
/// </summary>
/// <remarks>
/// <para>
/// Observation. How much of a cache should hold pages seen once, and how much those seen twice, differs from
/// program to program and from hour to hour. The pages that were given up a moment ago tell: each miss that the
/// one part would have spared, had it been larger, moves the border its way.
/// </para>
/// <para>
/// Remembers: T1, pages seen once lately, and T2, pages seen at least twice, both by last use; B1 and B2, the
/// pages that were evicted from them, as ghosts; p, the length that T1 should have. Below, c is the number of
/// frames and L1 = T1 + B1.
/// </para>
/// <code>
/// case  page is in   p                             a frame comes from             ghosts given up        goes to
/// I     T1 or T2                                                                                         T2 head
/// II    B1           + max(1, B2/B1), at most c    REPLACE                        its own                T2 head
/// III   B2           - max(1, B1/B2), at least 0   REPLACE                        its own                T2 head
/// IV A  nowhere, L1 = c, T1 &lt; c                    REPLACE                        the tail of B1         T1 head
///       nowhere, L1 = c, T1 = c                    the tail of T1, no ghost                              T1 head
/// IV B  nowhere, L1 &lt; c                            REPLACE                        the tail of B2, if     T1 head
///                                                                                 all four are 2c
/// REPLACE: the tail of T1 to the head of B1, if T1 > p, or T1 = p and the page is in B2 (and T1 is not empty);
///          else the tail of T2 to the head of B2.
/// </code>
/// <para>
/// p is a real number, as the quotients are. A frame is looked for only when none is free, so after pages have
/// been removed REPLACE is left out until the cache is full again; everything else is done all the same.
/// </para>
/// <para>A1: a frame is on T2, or a ghost on B2, if and only if its active flag is set.</para>
/// <para>A2: T1 + B1 &lt;= c.</para>
/// <para>A3: B1 + B2 &lt;= c, and between two requests there are no other ghosts.</para>
/// <para>A4: 0 &lt;= p &lt;= c.</para>
/// Costs: a hit reads the state and relinks; 32 bytes a frame and a ghost, as many ghosts as frames and one.
/// </remarks>
public struct Arc : IListRules
{
    private CacheSpace _space;
    private FrameTable _frames;
    private FrameList _once;
    private FrameList _twice;
    private FrameList _onceGhosts;
    private FrameList _twiceGhosts;
    private double _target;
    private bool _missIsInTwiceGhosts;
    private bool _evictsWithoutGhost;

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.List;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <inheritdoc/>
    public static bool HitsReadState => true;

    /// <inheritdoc/>
    public static bool UsesGhosts => true;

    /// <summary>T1: pages seen once lately, most recently used first.</summary>
    public readonly FrameList Once => _once;

    /// <summary>T2: pages seen at least twice lately, most recently used first.</summary>
    public readonly FrameList Twice => _twice;

    /// <summary>B1: ghosts of pages evicted from T1, last evicted first.</summary>
    public readonly FrameList OnceGhosts => _onceGhosts;

    /// <summary>B2: ghosts of pages evicted from T2, last evicted first.</summary>
    public readonly FrameList TwiceGhosts => _twiceGhosts;

    /// <summary>p: the number of frames that T1 should have.</summary>
    public readonly double Target => _target;

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <inheritdoc/>
    /// <remarks>One more than A3 says: the ghost of the page that is coming back is dropped after a new one is
    /// made.</remarks>
    public readonly uint GhostRowCount(uint frameCount) => frameCount + 1;

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _frames = space.Frames;
        _once = space.NewList("arc T1");
        _twice = space.NewList("arc T2");
        _onceGhosts = space.NewList("arc B1");
        _twiceGhosts = space.NewList("arc B2");
    }

    /// <inheritdoc/>
    /// <remarks>Everything that the paper does for a miss before REPLACE, and the choices that REPLACE
    /// needs.</remarks>
    public void OnMiss(ShadowEntry shadow)
    {
        _missIsInTwiceGhosts = false;
        _evictsWithoutGhost = false;
        uint frameCount = _space.FrameCount;
        if (shadow.IsNone)
        {
            if (_once.Count + _onceGhosts.Count == frameCount)
            {
                if (_once.Count < frameCount) DropOldest(_onceGhosts);
                else _evictsWithoutGhost = true;
            }
            else if (_once.Count + _twice.Count + _onceGhosts.Count + _twiceGhosts.Count == 2 * frameCount)
            {
                DropOldest(_twiceGhosts);
            }

            return;
        }

        // The quotients count the ghost that was met; afterwards it is off its list, so that no other takes its
        // place.
        double onceGhosts = _onceGhosts.Count;
        double twiceGhosts = _twiceGhosts.Count;
        _missIsInTwiceGhosts = _frames.IsActive(shadow.Ghost);
        if (_missIsInTwiceGhosts)
        {
            _target = Math.Max(_target - Math.Max(1, onceGhosts / twiceGhosts), 0);
            _twiceGhosts.Remove(shadow.Ghost);
        }
        else
        {
            _target = Math.Min(_target + Math.Max(1, twiceGhosts / onceGhosts), frameCount);
            _onceGhosts.Remove(shadow.Ghost);
        }
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void OnDeferredHit(FrameId frame)
    {
        if (_frames.IsActive(frame)) _twice.MoveToHead(frame);
        else PromoteHit(frame);
    }

    /// <inheritdoc/>
    public void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        _missIsInTwiceGhosts = false;
        _evictsWithoutGhost = false;
        if (shadow.IsNone)
        {
            _once.PushHead(frame);
            return;
        }

        _space.DropGhost(shadow.Ghost);
        _frames.SetFlags(frame, FrameState.Active);
        _twice.PushHead(frame);
        _space.Activations++;
        _space.RefaultActivations++;
    }

    /// <inheritdoc/>
    public readonly FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        if (_evictsWithoutGhost)
        {
            FrameId unseen = _once.PopTail();
            _space.PrefetchNextVictim(_once);
            return unseen;
        }

        bool fromOnce = _once.Count > 0
            && (_once.Count > _target || (_missIsInTwiceGhosts && _once.Count == _target) || _twice.Count == 0);
        return fromOnce
            ? Replace(_once, _onceGhosts, 0, out ghost) : Replace(_twice, _twiceGhosts, FrameState.Active, out ghost);
    }

    /// <inheritdoc/>
    public readonly int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public readonly void OnRemove(FrameId frame)
    {
        if (_frames.IsActive(frame)) _twice.Remove(frame);
        else _once.Remove(frame);
    }

    /// <inheritdoc/>
    public readonly void Validate()
    {
        const string Rule = "arc";
        foreach (FrameList list in (ReadOnlySpan<FrameList>)[_once, _onceGhosts, _twice, _twiceGhosts])
        {
            list.Validate();
            bool active = list == _twice || list == _twiceGhosts;
            foreach (FrameId row in list.FromHead())
                RuleInvariant.Check(
                    _frames.IsActive(row) == active, Rule, $"A1: active = {active} on {list.Name}", row);
        }

        uint frameCount = _space.FrameCount;
        uint ghosts = _onceGhosts.Count + _twiceGhosts.Count;
        RuleInvariant.CheckAllResident(_space, (long)_once.Count + _twice.Count);
        RuleInvariant.Check(_once.Count + _onceGhosts.Count <= frameCount, Rule,
            $"A2: T1 + B1 of at most {frameCount}", _once.Count + _onceGhosts.Count);
        RuleInvariant.Check(ghosts <= frameCount, Rule, $"A3: at most {frameCount} ghosts", ghosts);
        RuleInvariant.Check(ghosts == _space.GhostCount, Rule, "A3: every ghost on B1 or B2", _space.GhostCount);
        RuleInvariant.Check(_target >= 0 && _target <= frameCount, Rule, $"A4: p from 0 to {frameCount}", _target);
    }

    private readonly void PromoteHit(FrameId frame)
    {
        _once.Remove(frame);
        _frames.SetFlags(frame, FrameState.Active);
        _twice.PushHead(frame);
        _space.Activations++;
    }

    private readonly FrameId Replace(FrameList pages, FrameList ghosts, ulong flags, out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameId victim = pages.PopTail();
        if (victim.IsNone) return FrameId.None;
        _space.PrefetchNextVictim(pages);
        // Never in the paper, where a miss makes room for one page: a caller may reclaim without a miss.
        if (_onceGhosts.Count + _twiceGhosts.Count == _space.FrameCount)
            DropOldest(_twiceGhosts.Count > 0 ? _twiceGhosts : _onceGhosts);
        ghost = _space.AddGhost(victim);
        if (flags != 0) _frames.SetFlags(ghost, flags);
        ghosts.PushHead(ghost);
        return victim;
    }

    private readonly void DropOldest(FrameList ghosts)
    {
        _space.DropGhost(ghosts.PopTail());
        _space.PrefetchNextVictim(ghosts);
    }
}
