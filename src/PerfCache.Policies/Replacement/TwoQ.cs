// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// 2Q, full version. T. Johnson, D. Shasha: "2Q: A Low Overhead High Performance Buffer Management Replacement
/// Algorithm", VLDB 1994.
/// </summary>
/// <remarks>
/// <para>
/// Observation. A page's second use says more than its first, but two uses in a row (a read, then an update of
/// the same record) are one use in truth. So a page must be used again after it has had time to leave the
/// cache.
/// </para>
/// <para>
/// Remembers: A1in, the pages that came in for the first time, by arrival; A1out, the pages that left A1in, by
/// departure, as ghosts; Am, the pages that came back, by last use.
/// </para>
/// <code>
///             miss                   aged out, no room                  no room left here
/// (unknown) ───────► A1in (frames) ───────────────────► A1out (ghosts) ─────────────────► (unknown)
///                     hit: stays                              │ miss
///                                                             ▼
///                                                         Am (frames), hit: to the head ── victim ──► (unknown)
/// </code>
/// <para>
/// Hit: a page of Am goes to its head; a page of A1in stays where it is. Insert: at the head of Am if A1out
/// knew the page, else of A1in. Victim: the tail of A1in while A1in has more than its share (Kin), leaving a
/// ghost; else the tail of Am, leaving nothing: it had its chance. A1out has at most Kout ghosts; its tail
/// goes.
/// </para>
/// <para>Q1: a frame is on Am if and only if its active flag is set; all others are on A1in.</para>
/// <para>Q2: A1out has at most Kout ghosts, and between two requests there are no others.</para>
/// Costs: a hit reads the state and relinks pages of Am only; 32 bytes a frame and a ghost, half as many ghosts
/// as frames.
/// </remarks>
public struct TwoQ : IListRules
{
    /// <summary>The share of the frames that is A1in's: the paper's recommendation.</summary>
    public const double InShareDefault = 0.25;

    /// <summary>The number of ghosts as a share of the frames: the paper's recommendation.</summary>
    public const double OutShareDefault = 0.5;

    private readonly double _inShare;
    private readonly double _outShare;
    private CacheSpace _space;
    private FrameTable _frames;
    private FrameList _in;
    private FrameList _out;
    private FrameList _main;
    private uint _inMax;
    private uint _outMax;

    /// <summary>Makes the rule with the paper's shares.</summary>
    public TwoQ() : this(InShareDefault, OutShareDefault)
    {
    }

    /// <summary>Makes the rule.</summary>
    /// <param name="inShare">Kin as a share of the frames, 0 to 1; at least one frame.</param>
    /// <param name="outShare">Kout as a share of the frames, 0 or more; at least one ghost.</param>
    public TwoQ(double inShare, double outShare)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inShare, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(inShare, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outShare, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(outShare, 100);
        _inShare = inShare;
        _outShare = outShare;
        _space = null!;
        _frames = null!;
        _in = null!;
        _out = null!;
        _main = null!;
    }

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.List;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <inheritdoc/>
    public static bool HitsReadState => true;

    /// <inheritdoc/>
    public static bool UsesGhosts => true;

    /// <summary>A1in: pages seen once, last arrived first.</summary>
    public readonly FrameList In => _in;

    /// <summary>A1out: ghosts of pages that left A1in, last departed first.</summary>
    public readonly FrameList Out => _out;

    /// <summary>Am: pages that came back, most recently used first.</summary>
    public readonly FrameList Main => _main;

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <inheritdoc/>
    /// <remarks>One more than Kout: the ghost of the page that is coming back is dropped after a new one is
    /// made.</remarks>
    public readonly uint GhostRowCount(uint frameCount) => OutMax(frameCount) + 1;

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _frames = space.Frames;
        _in = space.NewList("2q A1in");
        _out = space.NewList("2q A1out");
        _main = space.NewList("2q Am");
        _inMax = Math.Max(1, (uint)(_inShare * space.FrameCount));
        _outMax = OutMax(space.FrameCount);
    }

    /// <inheritdoc/>
    public readonly void OnMiss(ShadowEntry shadow)
    {
        // Off the list before a frame is looked for, or the ghost that the victim leaves could push this one out.
        if (!shadow.IsNone) _out.Remove(shadow.Ghost);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void OnDeferredHit(FrameId frame)
    {
        if (_frames.IsActive(frame)) _main.MoveToHead(frame);
    }

    /// <inheritdoc/>
    public readonly void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        if (shadow.IsNone)
        {
            _in.PushHead(frame);
            return;
        }

        _space.DropGhost(shadow.Ghost);
        _frames.SetFlags(frame, FrameState.Active);
        _main.PushHead(frame);
        _space.Activations++;
        _space.RefaultActivations++;
    }

    /// <inheritdoc/>
    public readonly FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        if (_in.Count <= _inMax && _main.Count > 0)
        {
            FrameId old = _main.PopTail();
            _space.PrefetchNextVictim(_main);
            return old;
        }

        FrameId victim = _in.PopTail();
        if (victim.IsNone) return FrameId.None;
        _space.PrefetchNextVictim(_in);
        if (_out.Count == _outMax)
        {
            _space.DropGhost(_out.PopTail());
            _space.PrefetchNextVictim(_out);
        }

        ghost = _space.AddGhost(victim);
        _out.PushHead(ghost);
        return victim;
    }

    /// <inheritdoc/>
    public readonly int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public readonly void OnRemove(FrameId frame)
    {
        if (_frames.IsActive(frame)) _main.Remove(frame);
        else _in.Remove(frame);
    }

    /// <inheritdoc/>
    public readonly void Validate()
    {
        const string Rule = "2q";
        _in.Validate();
        _out.Validate();
        _main.Validate();
        RuleInvariant.CheckAllResident(_space, (long)_in.Count + _main.Count);
        foreach (FrameId frame in _in.FromHead())
            RuleInvariant.Check(!_frames.IsActive(frame), Rule, "Q1: no active flag on A1in", frame);
        foreach (FrameId frame in _main.FromHead())
            RuleInvariant.Check(_frames.IsActive(frame), Rule, "Q1: the active flag on Am", frame);
        RuleInvariant.Check(_out.Count <= _outMax, Rule, $"Q2: at most {_outMax} ghosts on A1out", _out.Count);
        RuleInvariant.Check(_out.Count == _space.GhostCount, Rule, "Q2: every ghost on A1out", _space.GhostCount);
    }

    private readonly uint OutMax(uint frameCount) =>
        (uint)Math.Clamp(_outShare * frameCount, 1, FrameId.CountMax - frameCount - 1);
}
