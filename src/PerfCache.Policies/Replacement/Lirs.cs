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
/// S is not kept as one list. Each row knows when its page was used last, so S is three lists in that order, to be merged
/// where somebody wants to see it: the LIR pages, the resident HIR pages of S, which are on Q, and ghosts for those that
/// are gone. What was used before S's tail, the oldest LIR page (<em>bottom</em>), is not on S: pruning a resident page is a
/// comparison that comes out differently.
/// </para>
/// <code>
/// lir    l l l l l l l l l            tail: bottom
/// Q      h h h d h d d                h: used after bottom, so on S, in order of use; d: LIR once; tail: the victim
/// gone   n n n n n n                  evicted from Q, all used after bottom; tail: first to be dropped
/// </code>
/// <para>S1: a frame is on one of lir and Q; use(row) is twice the number of its last use, plus 1 on lir. When the
/// numbers run out, after about 2^31 uses, the rows of S get the lowest, in the same order.</para>
/// <para>S2: lir has at most as many pages as the rule wants, in the order of their uses; bottom is use(its tail), or the
/// greatest number there is without any: then S is empty.</para>
/// <para>S3: gone holds all ghosts, in the order of uses, each after bottom.</para>
/// <para>S4: the pages on Q that are on S are in the order of uses, and all were used after those of gone, because Q
/// evicts in that order. The oldest of them is the one that <em>oldest</em> names, and <em>on stack</em> is their
/// number.</para>
/// <para>S5: S has at most <c>stack</c> times the frames.</para>
/// Costs: a LIR hit writes the number of the use and relinks; other uses touch one or two rows more. The walk of
/// <em>oldest</em> towards Q's head is paid by the pushes before it, each row once. 36 bytes a frame and a ghost.
/// </remarks>
public struct Lirs : IListRules
{
    /// <summary>The share of the frames for resident HIR pages: the paper's choice.</summary>
    public const double HirShareDefault = 0.01;

    /// <summary>The most pages on S, as a multiple of the frames.</summary>
    public const double StackShareDefault = 2;

    /// <summary>The bit of a row's use that says LIR. Below the number of the use, so uses compare as they are.</summary>
    private const uint Lir = 1;

    /// <summary>The bottom of an empty S: no use comes after it.</summary>
    private const uint NoBottom = uint.MaxValue;

    private readonly double _hirShare;
    private readonly double _stackShare;
    private CacheSpace _space;
    private FrameList _lir;
    private FrameList _queue;
    private FrameList _gone;
    private NativeArray<uint> _uses;
    private uint _lastUse;
    private uint _bottom;
    private FrameId _oldest;
    private uint _onStack;
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
        _lir = null!;
        _queue = null!;
        _gone = null!;
    }

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.List;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <inheritdoc/>
    public static bool UsesGhosts => true;

    /// <inheritdoc/>
    /// <remarks>A hit may prune the stack.</remarks>
    public static bool HitsDropGhosts => true;

    /// <inheritdoc/>
    public static bool HintsAccesses => true;

    /// <summary>The LIR pages' frames, most recently used first.</summary>
    public readonly FrameList LirPages => _lir;

    /// <summary>Q: the frames of resident HIR pages; the oldest is the next victim.</summary>
    public readonly FrameList Queue => _queue;

    /// <summary>The ghosts of S: pages that are not resident, most recently used first.</summary>
    public readonly FrameList Gone => _gone;

    /// <summary>The last number of a use before they start over; a test sets a small one, more than four times the rows of S.
    /// </summary>
    internal uint UseMax { get; init; } = NoBottom - 3;

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <summary>True for a frame on Q whose page is on S, too.</summary>
    public readonly bool IsOnStack(FrameId frame) => _uses[frame.Value] > _bottom;

    /// <summary>When the page of a row was used last: greater for later uses. S is what is LIR, gone, or on Q and on S, in
    /// this order.</summary>
    public readonly uint LastUse(FrameId row) => _uses[row.Value];

    /// <inheritdoc/>
    /// <remarks>A page comes onto Q and S only when all LIR pages are there, so with those that are gone they are never more
    /// than the rest of S.</remarks>
    public readonly uint GhostRowCount(uint frameCount) => StackMax(frameCount) - LirMax(frameCount);

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _lir = space.NewList("lirs LIR pages");
        _queue = space.NewList("lirs Q");
        _gone = space.NewList("lirs ghosts");
        _lirMax = LirMax(space.FrameCount);
        _stackMax = StackMax(space.FrameCount);
        _bottom = NoBottom;
        _uses = space.NewColumn<uint>("lirs uses", 1 + (long)space.FrameCount + space.GhostCountMax);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void HintAccess(PageKey page, FrameId row) => _uses.Prefetch(row.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void OnDeferredHit(FrameId frame)
    {
        uint use = NextUse();
        uint before = _uses[frame.Value];
        if ((before & Lir) == 0)
        {
            HitHir(frame, use);
            return;
        }

        _uses[frame.Value] = use | Lir;
        _lir.MoveToHead(frame);
        if (before == _bottom) Prune();
    }

    /// <inheritdoc/>
    public void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        uint use = NextUse();
        bool onStack = !shadow.IsNone;
        if (onStack)
        {
            _gone.Remove(shadow.Ghost);
            _space.DropGhost(shadow.Ghost);
            _space.RefaultActivations++;
        }

        if (onStack || _lir.Count < _lirMax)
        {
            BecomeLir(frame, use);
            return;
        }

        _queue.PushHead(frame);
        EnterStack(frame, use);
    }

    /// <inheritdoc/>
    public FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameId victim = _queue.Tail;
        if (victim.IsNone) return TakeLir();
        bool onStack = IsOnStack(victim);
        if (onStack) LeaveStack(victim);
        _queue.Remove(victim);
        _space.PrefetchNextVictim(_queue);
        if (!onStack) return victim;
        ghost = _space.AddGhost(victim);
        _uses[ghost.Value] = _uses[victim.Value];
        _gone.PushHead(ghost);
        return victim;
    }

    /// <inheritdoc/>
    public int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public void OnRemove(FrameId frame)
    {
        if ((_uses[frame.Value] & Lir) != 0)
        {
            _lir.Remove(frame);
            Prune();
            return;
        }

        if (IsOnStack(frame)) LeaveStack(frame);
        _queue.Remove(frame);
    }

    /// <inheritdoc/>
    public readonly void Validate()
    {
        const string Rule = "lirs";
        _lir.Validate();
        _queue.Validate();
        _gone.Validate();
        RuleInvariant.CheckAllResident(_space, (long)_lir.Count + _queue.Count);
        uint youngerThan = NoBottom;
        foreach (FrameId frame in _lir.FromHead())
        {
            RuleInvariant.Check((_uses[frame.Value] & Lir) != 0, Rule, "S1: the LIR bit on lir", frame);
            CheckOrder(Rule, "S2", frame, ref youngerThan);
        }

        RuleInvariant.Check(_lir.Count <= _lirMax, Rule, $"S2: at most {_lirMax} LIR pages", _lir.Count);
        uint bottom = Bottom();
        RuleInvariant.Check(_bottom == bottom, Rule, $"S2: bottom to be {bottom}", _bottom);
        ValidateOffLir(Rule);
        ulong stack = (ulong)_lir.Count + _gone.Count + _onStack;
        RuleInvariant.Check(stack <= _stackMax, Rule, $"S5: at most {_stackMax} pages on S", stack);
    }

    private readonly void ValidateOffLir(string rule)
    {
        uint onStack = 0;
        FrameId oldest = FrameId.None;
        uint youngerThan = NoBottom;
        foreach (FrameId frame in _queue.FromHead())
        {
            RuleInvariant.Check((_uses[frame.Value] & Lir) == 0, rule, "S1: no LIR bit on Q", frame);
            if (!IsOnStack(frame)) continue;
            onStack++;
            oldest = frame;
            CheckOrder(rule, "S4", frame, ref youngerThan);
        }

        RuleInvariant.Check(onStack == _onStack, rule, $"S4: {_onStack} pages of Q on S", onStack);
        RuleInvariant.Check(oldest == _oldest, rule, $"S4: {oldest} as the oldest of them", _oldest);
        RuleInvariant.Check(
            _gone.Count == _space.GhostCount, rule, $"S3: all {_space.GhostCount} ghosts", _gone.Count);
        foreach (FrameId ghost in _gone.FromHead())
        {
            RuleInvariant.Check(IsOnStack(ghost), rule, $"S3: a use after {_bottom}", _uses[ghost.Value]);
            CheckOrder(rule, "S3, S4", ghost, ref youngerThan);
        }
    }

    private readonly void CheckOrder(string rule, string equation, FrameId row, ref uint youngerThan)
    {
        uint use = _uses[row.Value];
        RuleInvariant.Check(use < youngerThan, rule, $"{equation}: row {row} used before {youngerThan}", use);
        youngerThan = use;
    }

    private readonly uint Bottom() => _lir.Count == 0 ? NoBottom : _uses[_lir.Tail.Value];

    /// <summary>The number of the use that is being counted. First of all in a verb: it may change the numbers of the others.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint NextUse()
    {
        if (_lastUse >= UseMax) Renumber();
        return _lastUse += 2 * Lir;
    }

    /// <summary>Numbers the rows of S from 1 on, in their order.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Renumber()
    {
        for (FrameId frame = _queue.Tail; !frame.IsNone; frame = _queue.Younger(frame))
            if (!IsOnStack(frame)) _uses[frame.Value] = 0;
        _lastUse = 0;
        FrameId lir = _lir.Tail;
        FrameId ghost = _gone.Tail;
        FrameId queued = _oldest;
        while (!lir.IsNone || !ghost.IsNone || !queued.IsNone)
        {
            // S4: all ghosts before all pages of Q.
            FrameId hir = ghost.IsNone ? queued : ghost;
            bool takesLir = hir.IsNone || (!lir.IsNone && _uses[lir.Value] < _uses[hir.Value]);
            FrameId row = takesLir ? lir : hir;
            if (takesLir) lir = _lir.Younger(lir);
            else if (ghost.IsNone) queued = YoungerOnStack(queued);
            else ghost = _gone.Younger(ghost);
            _uses[row.Value] = (_lastUse += 2 * Lir) | (_uses[row.Value] & Lir);
        }

        _bottom = Bottom();
    }

    private readonly FrameId YoungerOnStack(FrameId frame)
    {
        do frame = _queue.Younger(frame);
        while (!frame.IsNone && !IsOnStack(frame));
        return frame;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void HitHir(FrameId frame, uint use)
    {
        bool onStack = IsOnStack(frame);
        if (onStack) LeaveStack(frame);
        if (onStack || _lir.Count < _lirMax)
        {
            _queue.Remove(frame);
            BecomeLir(frame, use);
            return;
        }

        _queue.MoveToHead(frame);
        EnterStack(frame, use);
    }

    /// <summary>A page, on neither list now, goes to S's head as LIR; if that is one too many, S's tail becomes
    /// HIR.</summary>
    private void BecomeLir(FrameId frame, uint use)
    {
        use |= Lir;
        _uses[frame.Value] = use;
        _lir.PushHead(frame);
        _space.Activations++;
        if (_lir.Count == 1) _bottom = use;
        if (_lir.Count <= _lirMax) return;
        FrameId old = _lir.PopTail();
        _uses[old.Value] &= ~Lir;
        _queue.PushHead(old);
        _space.Deactivations++;
        Prune();
    }

    /// <summary>A HIR page, at Q's head now, comes to S's head; S is cut if it is too long.</summary>
    private void EnterStack(FrameId frame, uint use)
    {
        _uses[frame.Value] = use;
        // One frame, which is Q's: there is no LIR page, and S remembers nothing.
        if (use < _bottom) return;
        if (_onStack++ == 0) _oldest = frame;
        if ((ulong)_lir.Count + _gone.Count + _onStack > _stackMax) DropOldestGone();
    }

    /// <summary>A HIR page that is on Q, still, and on S leaves S.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void LeaveStack(FrameId frame)
    {
        _onStack--;
        if (frame == _oldest) FindOldest(_bottom);
    }

    /// <summary>The oldest page of Q that was on S is not any more: the next one is nearer to Q's head.</summary>
    /// <param name="bottom">What those on S are younger than.</param>
    private void FindOldest(uint bottom)
    {
        FrameId next = FrameId.None;
        if (_onStack > 0)
        {
            next = _oldest;
            do next = _queue.Younger(next);
            while (_uses[next.Value] < bottom);
        }

        _oldest = next;
    }

    /// <summary>S's tail is another page: what was used before it leaves S.</summary>
    private void Prune()
    {
        uint before = _bottom;
        uint bottom = Bottom();
        _bottom = bottom;
        while (_gone.Count > 0)
        {
            if (_uses[_gone.Tail.Value] > bottom) return;
            DropOldestGone();
        }

        while (_onStack > 0 && _uses[_oldest.Value] < bottom)
        {
            _onStack--;
            FindOldest(before);
        }
    }

    private void DropOldestGone()
    {
        _space.DropGhost(_gone.PopTail());
        _space.PrefetchNextVictim(_gone);
    }

    /// <summary>Q is empty, which takes a caller that reclaims without a miss: the oldest LIR page goes.</summary>
    private FrameId TakeLir()
    {
        FrameId victim = _lir.PopTail();
        if (!victim.IsNone) Prune();
        return victim;
    }

    private readonly uint LirMax(uint frameCount) =>
        frameCount - Math.Min(frameCount, Math.Max(1, (uint)(_hirShare * frameCount)));

    private readonly uint StackMax(uint frameCount) =>
        (uint)Math.Min(_stackShare * frameCount, FrameId.CountMax - frameCount + LirMax(frameCount) - 1d);
}
