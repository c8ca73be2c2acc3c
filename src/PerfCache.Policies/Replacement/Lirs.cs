// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// LIRS, low inter-reference recency set. S. Jiang, X. Zhang: "LIRS: An Efficient Low Inter-reference Recency Set
/// Replacement Policy to Improve Buffer Cache Performance", SIGMETRICS 2002.
/// </summary>
/// <remarks>
/// <para>
/// Observation. LRU judges a page by the time since its last use (its recency). The time between its last two
/// uses (its inter-reference recency) predicts better: a page of a long loop was always used "just now" when
/// the scan passes it.
/// </para>
/// <para>
/// Remembers: LIR pages (low inter-reference recency), which hold all frames but a few; HIR pages, which pass
/// through the few. Stack S: all pages used since the oldest last use of a LIR page, by last use: LIR pages,
/// and HIR pages whether they are resident or not. Queue Q: the resident HIR pages, the next victim first.
/// </para>
/// <code>
/// use of                            on S         its place and status             then
/// a LIR page                        yes          head of S                        prune, if it was S's tail
/// a HIR page, resident or not       yes          head of S, becomes LIR           S's tail becomes HIR, end of Q; prune
/// a HIR page, resident or not       no           head of S and end of Q, HIR
/// any page while LIR pages lack     any          head of S, becomes LIR
/// prune: drop from S's tail what is not LIR.     victim: the front of Q; it keeps its place on S, if it has one
/// </code>
/// <para>
/// A page on S whose use makes it LIR has been used twice since the last use of S's tail: its inter-reference
/// recency is less than that page's recency, so the two change places. The bound: by these rules a scan makes
/// S as long as the scan. An implementation must stop somewhere: S is cut to <c>stack</c> times the frames by
/// dropping the non-resident page of S that was used longest ago.
/// </para>
/// <para>
/// Rows. A LIR page is its frame on S. A resident HIR page is its frame on Q; if it is on S too, a ghost stands
/// for it there, and <em>partner</em> ties the two rows. When such a page is evicted, the same ghost stays on S
/// and is the page's shadow from then on.
/// </para>
/// <para>S1: a frame is on S if and only if its active flag is set, which means LIR; all other frames are on
/// Q.</para>
/// <para>S2: there are at most as many LIR pages as the rule wants, and S's tail is one; without any, S is
/// empty.</para>
/// <para>S3: all ghosts are on S; partner(frame) = ghost if and only if partner(ghost) = frame, else both are
/// 0.</para>
/// <para>S4: non-resident pages of S are older than all resident HIR pages of S, because Q evicts in the order
/// of S. The oldest of them is the one that <em>oldest</em> names.</para>
/// <para>S5: S has at most <c>stack</c> times the frames.</para>
/// Costs: a LIR hit reads the state and relinks; other uses touch two or three rows more. Pruning and the walk of
/// <em>oldest</em> towards the head are paid by the pushes before them, each row once. 36 bytes a frame and a
/// ghost.
/// </remarks>
public struct Lirs : IListRules
{
    /// <summary>The share of the frames for resident HIR pages: the paper's choice.</summary>
    public const double HirShareDefault = 0.01;

    /// <summary>The most pages on S, as a multiple of the frames.</summary>
    public const double StackShareDefault = 2;

    private readonly double _hirShare;
    private readonly double _stackShare;
    private CacheSpace _space;
    private FrameTable _frames;
    private FrameList _stack;
    private FrameList _queue;
    private NativeArray<uint> _partners;
    private FrameId _oldest;
    private uint _nonResidentCount;
    private uint _lirCount;
    private uint _lirMax;
    private uint _stackMax;

    /// <summary>Makes the rule with its usual shares.</summary>
    public Lirs() : this(HirShareDefault, StackShareDefault)
    {
    }

    /// <summary>Makes the rule.</summary>
    /// <param name="hirShare">The share of the frames for resident HIR pages, 0 to 1; at least one frame.</param>
    /// <param name="stackShare">The most pages on S as a multiple of the frames, 1 or more.</param>
    public Lirs(double hirShare, double stackShare)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hirShare, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hirShare, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(stackShare, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(stackShare, 100);
        _hirShare = hirShare;
        _stackShare = stackShare;
        _space = null!;
        _frames = null!;
        _stack = null!;
        _queue = null!;
    }

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.List;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <inheritdoc/>
    public static bool HitsReadState => true;

    /// <inheritdoc/>
    public static bool UsesGhosts => true;

    /// <inheritdoc/>
    /// <remarks>A hit may prune the stack.</remarks>
    public static bool HitsDropGhosts => true;

    /// <summary>S: LIR pages' frames and HIR pages' ghosts, most recently used first.</summary>
    public readonly FrameList Stack => _stack;

    /// <summary>Q: the frames of resident HIR pages; the oldest is the next victim.</summary>
    public readonly FrameList Queue => _queue;

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <summary>True for a row of S that stands for a page which is not resident.</summary>
    public readonly bool IsNonResident(FrameId row) => !_frames.IsActive(row) && _partners[row.Value] == 0;

    /// <inheritdoc/>
    /// <remarks>A ghost is pushed on S only when all LIR pages are there, so they are never more than the rest
    /// of S.</remarks>
    public readonly uint GhostRowCount(uint frameCount) => StackMax(frameCount) - LirMax(frameCount) + 1;

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _frames = space.Frames;
        _stack = space.NewList("lirs S");
        _queue = space.NewList("lirs Q");
        _lirMax = LirMax(space.FrameCount);
        _stackMax = StackMax(space.FrameCount);
        _partners = space.NewColumn<uint>("lirs partners", 1 + (long)space.FrameCount + space.GhostCountMax);
    }

    /// <inheritdoc/>
    public void OnDeferredHit(FrameId frame)
    {
        if (!_frames.IsActive(frame))
        {
            HitHir(frame);
            return;
        }

        bool wasTail = _stack.Tail == frame;
        _stack.MoveToHead(frame);
        if (wasTail) Prune();
    }

    /// <inheritdoc/>
    public void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        bool onStack = !shadow.IsNone;
        if (onStack)
        {
            DropFromStack(shadow.Ghost);
            _space.RefaultActivations++;
        }

        if (onStack || _lirCount < _lirMax)
        {
            BecomeLir(frame);
            return;
        }

        _queue.PushHead(frame);
        PushGhost(frame);
    }

    /// <inheritdoc/>
    public FrameId TakeVictim(out FrameId ghost)
    {
        FrameId victim = _queue.PopTail();
        if (victim.IsNone)
        {
            ghost = FrameId.None;
            return TakeLir();
        }

        _space.PrefetchNextVictim(_queue);
        ghost = new FrameId(_partners[victim.Value]);
        if (ghost.IsNone) return victim;
        _partners[victim.Value] = 0;
        _partners[ghost.Value] = 0;
        if (_nonResidentCount++ == 0) _oldest = ghost;
        return victim;
    }

    /// <inheritdoc/>
    public int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public void OnRemove(FrameId frame)
    {
        if (_frames.IsActive(frame))
        {
            _stack.Remove(frame);
            _lirCount--;
            Prune();
            return;
        }

        _queue.Remove(frame);
        uint ghost = _partners[frame.Value];
        if (ghost != 0) DropFromStack(new FrameId(ghost));
    }

    /// <inheritdoc/>
    public readonly void Validate()
    {
        const string Rule = "lirs";
        _stack.Validate();
        _queue.Validate();
        RuleInvariant.CheckAllResident(_space, (long)_lirCount + _queue.Count);
        ValidateStack(Rule);
        foreach (FrameId frame in _queue.FromHead())
        {
            RuleInvariant.Check(!_frames.IsActive(frame), Rule, "S1: no active flag on Q", frame);
            uint ghost = _partners[frame.Value];
            if (ghost != 0)
                CheckPartner(Rule, ghost, frame.Value);
        }

        RuleInvariant.Check(_lirCount <= _lirMax, Rule, $"S2: at most {_lirMax} LIR pages", _lirCount);
        RuleInvariant.Check(_stack.Count <= _stackMax, Rule, $"S5: at most {_stackMax} pages on S", _stack.Count);
    }

    private readonly void ValidateStack(string rule)
    {
        uint lir = 0;
        uint ghosts = 0;
        uint nonResident = 0;
        FrameId oldest = FrameId.None;
        for (FrameId row = _stack.Tail; !row.IsNone; row = _stack.Younger(row))
        {
            if (_frames.IsActive(row))
            {
                lir++;
                CheckPartner(rule, row.Value, 0);
                continue;
            }

            ghosts++;
            RuleInvariant.Check(lir > 0, rule, "S2: a LIR page at S's tail", row);
            RuleInvariant.Check(row.Value > _space.FrameCount, rule, "S1: a ghost on S for a HIR page", row);
            uint partner = _partners[row.Value];
            if (partner != 0)
            {
                CheckPartner(rule, partner, row.Value);
                continue;
            }

            RuleInvariant.Check(
                nonResident == ghosts - 1, rule, "S4: no resident HIR page older than a non-resident", row);
            if (nonResident++ == 0) oldest = row;
        }

        RuleInvariant.Check(lir == _lirCount, rule, $"S2: {_lirCount} LIR pages on S", lir);
        RuleInvariant.Check(ghosts == _space.GhostCount, rule, $"S3: all {_space.GhostCount} ghosts on S", ghosts);
        RuleInvariant.Check(
            nonResident == _nonResidentCount, rule, $"S4: {_nonResidentCount} non-resident pages", nonResident);
        RuleInvariant.Check(
            nonResident == 0 || oldest == _oldest, rule, $"S4: {oldest} as the oldest of them", _oldest);
    }

    private readonly void CheckPartner(string rule, uint row, uint expected) =>
        RuleInvariant.Check(_partners[row] == expected, rule, $"S3: row {row}'s partner to be {expected}", _partners[row]);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void HitHir(FrameId frame)
    {
        uint ghost = _partners[frame.Value];
        if (ghost != 0) DropFromStack(new FrameId(ghost));
        if (ghost != 0 || _lirCount < _lirMax)
        {
            _queue.Remove(frame);
            BecomeLir(frame);
            return;
        }

        _queue.MoveToHead(frame);
        PushGhost(frame);
    }

    /// <summary>A page, on neither list now, goes to S's head as LIR; if that is one too many, S's tail becomes
    /// HIR.</summary>
    private void BecomeLir(FrameId frame)
    {
        _frames.SetFlags(frame, FrameState.Active);
        _stack.PushHead(frame);
        _space.Activations++;
        if (++_lirCount <= _lirMax) return;
        FrameId old = _stack.PopTail();
        _frames.ClearFlags(old, FrameState.Active);
        _queue.PushHead(old);
        _lirCount--;
        _space.Deactivations++;
        Prune();
    }

    /// <summary>A HIR page that is on Q comes to S's head, by a ghost; S is cut if it is too long.</summary>
    private void PushGhost(FrameId frame)
    {
        // One frame, which is Q's: there is no LIR page, and S remembers nothing.
        if (_lirMax == 0) return;
        FrameId ghost = _space.AddGhost(frame);
        _partners[frame.Value] = ghost.Value;
        _partners[ghost.Value] = frame.Value;
        _stack.PushHead(ghost);
        if (_stack.Count > _stackMax) DropFromStack(_oldest);
    }

    private void Prune()
    {
        for (FrameId tail = _stack.Tail; !tail.IsNone && !_frames.IsActive(tail); tail = _stack.Tail)
            DropFromStack(tail);
    }

    /// <summary>Takes a ghost off S and forgets it.</summary>
    private void DropFromStack(FrameId ghost)
    {
        uint partner = _partners[ghost.Value];
        if (partner != 0)
        {
            _partners[partner] = 0;
            _partners[ghost.Value] = 0;
        }
        else if (--_nonResidentCount > 0 && ghost == _oldest)
        {
            FrameId next = ghost;
            do next = _stack.Younger(next);
            while (!IsNonResident(next));
            _oldest = next;
        }

        _stack.Remove(ghost);
        _space.DropGhost(ghost);
    }

    /// <summary>Q is empty, which takes a caller that reclaims without a miss: the oldest LIR page goes.</summary>
    private FrameId TakeLir()
    {
        FrameId victim = _stack.PopTail();
        if (victim.IsNone) return FrameId.None;
        _lirCount--;
        Prune();
        return victim;
    }

    private readonly uint LirMax(uint frameCount) =>
        frameCount - Math.Min(frameCount, Math.Max(1, (uint)(_hirShare * frameCount)));

    private readonly uint StackMax(uint frameCount) =>
        (uint)Math.Min(_stackShare * frameCount, FrameId.CountMax - frameCount + LirMax(frameCount) - 1d);
}
