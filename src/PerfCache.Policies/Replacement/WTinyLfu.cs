// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;

namespace PerfCache.Policies.Replacement;

/// <summary>What <see cref="WTinyLfu"/> can be told.</summary>
public sealed record WTinyLfuOptions
{
    /// <summary>The greatest <see cref="Sample"/>.</summary>
    public const double SampleMax = 1_000_000;

    /// <summary>The window's share of the frames, 0 to 1; at least one frame. The paper's default: 1 %.</summary>
    public double WindowShare { get; init; } = 0.01;

    /// <summary>The protected segment's share of the main part, 0 to 1. The paper's default: 80 %.</summary>
    public double ProtectedShare { get; init; } = 0.8;

    /// <summary>Uses until the counters are halved, and length of an epoch of the adaptive window, as a
    /// multiple of the frames, 1 or more.</summary>
    public double Sample { get; init; } = 10;

    /// <summary>True for a Bloom filter that keeps first uses out of the counters.</summary>
    public bool Doorkeeper { get; init; }

    /// <summary>True to let the window's size follow the hit ratio.</summary>
    public bool Adaptive { get; init; }

    /// <summary>How far the adaptive window moves after each epoch, as a share of the frames, 0 to 1; at least one
    /// frame.</summary>
    public double Step { get; init; } = 0.0625;
}

/// <summary>
/// W-TinyLFU: a small LRU window before a segmented LRU that a page enters only if it was used more often than
/// the page that would have to go. G. Einziger, R. Friedman, B. Manes: "TinyLFU: A Highly Efficient Cache
/// Admission Policy", ACM Transactions on Storage 13(4), 2017; the adaptive window: G. Einziger, O. Eytan, R.
/// Friedman, B. Manes: "Adaptive Software Cache Management", Middleware 2018, the simple hill climber.
/// </summary>
/// <remarks>
/// <para>
/// Observation. How often a page was used lately, in or out of the cache, says whether it is worth a frame. New
/// pages have no count yet, and some come in bursts: so they get a few frames of their own, where recency
/// rules.
/// </para>
/// <para>
/// Remembers: the window, by last use; probation and protected, the two parts of the main part, by last use;
/// and the <see cref="FrequencySketch"/>, which counts every use of every page.
/// </para>
/// <code>
/// miss ─► window ─── its tail, the candidate ──┬─► probation ── hit ─► protected
///          hit: head                           │   ▲  │ tail: victim    │ too long: its tail
///                                              │   └──┼─────────────────┘
///                                              ▼      ▼
///                            no room: the one that was used less often goes; the candidate, if equal
/// </code>
/// <para>
/// The window is full when a miss finds no free frame, so its tail must leave for the page that comes in; where
/// it has fewer (pages were removed), main gives the frame without a comparison. The use that brings a page in
/// is counted when it comes in, after the victim was chosen; the page itself is neither candidate nor victim.
/// </para>
/// <para>
/// Adaptive window: after each epoch of <c>sample</c> uses a frame, the window grows or shrinks by <c>step</c>;
/// the direction turns when the epoch had fewer hits than the one before. It first grows. Pages cross the
/// border at once: from the window's tail to probation's head, from probation's tail (else protected's) to the
/// window's head.
/// </para>
/// <para>T1: the referenced byte of a frame says where it is: 0 window, 1 probation, 2 protected.</para>
/// <para>T2: the window has at most its share, protected at most its own.</para>
/// <para>T3: 1 &lt;= the window's share &lt;= frames.</para>
/// Costs: every use adds to one cache line of the sketch; 40 bytes a frame (48 with the doorkeeper), no ghosts.
/// </remarks>
public struct WTinyLfu : IListRules
{
    private const byte InWindow = 0;
    private const byte InProbation = 1;
    private const byte InProtected = 2;

    private readonly WTinyLfuOptions _options;
    private CacheSpace _space;
    private FrameTable _frames;
    private FrameList _window;
    private FrameList _probation;
    private FrameList _protected;
    private FrequencySketch _sketch;
    private uint _windowMax;
    private uint _protectedMax;
    private bool _adapts;
    private bool _grows;
    private ulong _epochLength;
    private ulong _epochUses;
    private ulong _epochHits;
    private ulong _lastHits;

    /// <summary>Makes the rule with the paper's parameters.</summary>
    public WTinyLfu() : this(new WTinyLfuOptions())
    {
    }

    /// <summary>Makes the rule.</summary>
    public WTinyLfu(WTinyLfuOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        CheckShare(options.WindowShare, nameof(options.WindowShare));
        CheckShare(options.ProtectedShare, nameof(options.ProtectedShare));
        CheckShare(options.Step, nameof(options.Step));
        if (!(options.Sample is >= 1 and <= WTinyLfuOptions.SampleMax))
        {
            throw new ArgumentOutOfRangeException(
                nameof(options), options.Sample, $"Sample must be from 1 to {WTinyLfuOptions.SampleMax}");
        }

        _options = options;
        _space = null!;
        _frames = null!;
        _window = null!;
        _probation = null!;
        _protected = null!;
    }

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.List;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <inheritdoc/>
    public static bool HitsReadState => true;

    /// <inheritdoc/>
    public static bool HintsAccesses => true;

    /// <summary>The window, most recently used first.</summary>
    public readonly FrameList Window => _window;

    /// <summary>Pages of the main part that were not used since they entered it, or not lately.</summary>
    public readonly FrameList Probation => _probation;

    /// <summary>Pages of the main part that were used since.</summary>
    public readonly FrameList Protected => _protected;

    /// <summary>The number of frames that the window may have now.</summary>
    public readonly uint WindowMax => _windowMax;

    /// <inheritdoc/>
    public static HitEffect OnHit(FrameState state) => HitEffect.None;

    /// <summary>How often a page was used lately, as the rule believes.</summary>
    public readonly int Frequency(PageKey page) => _sketch.Estimate(page);

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _frames = space.Frames;
        _window = space.NewList("w-tinylfu window");
        _probation = space.NewList("w-tinylfu probation");
        _protected = space.NewList("w-tinylfu protected");
        _sketch = new FrequencySketch(space, _options.Sample, _options.Doorkeeper);
        _windowMax = Math.Max(1, (uint)(_options.WindowShare * space.FrameCount));
        SetProtectedMax();
        _adapts = _options.Adaptive;
        _grows = true;
        _epochLength = Math.Max(1, (ulong)(_options.Sample * space.FrameCount));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void HintAccess(PageKey page, FrameId row) => _sketch.Prefetch(page);

    /// <inheritdoc/>
    public void OnDeferredHit(FrameId frame)
    {
        ref FrameHead head = ref _frames.Head(frame);
        _sketch.Add(head.Key);
        if (head.Referenced == InProtected) _protected.MoveToHead(frame);
        else if (head.Referenced == InWindow) _window.MoveToHead(frame);
        else Protect(frame);
        if (_adapts) CountUse(hits: 1);
    }

    /// <inheritdoc/>
    public void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        _sketch.Add(_frames.Key(frame));
        _window.PushHead(frame);
        if (_window.Count > _windowMax) EnterProbation(_window.PopTail());
        if (_adapts) CountUse(hits: 0);
    }

    /// <inheritdoc/>
    public readonly FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameList main = _probation.Count > 0 ? _probation : _protected;
        FrameId victim = main.Tail;
        FrameId candidate = _window.Tail;
        bool windowGives = _window.Count >= _windowMax || victim.IsNone;
        if (windowGives && !candidate.IsNone)
        {
            if (victim.IsNone || _sketch.Estimate(_frames.Key(candidate)) <= _sketch.Estimate(_frames.Key(victim)))
                return TakeTail(_window);
            _window.Remove(candidate);
            EnterProbation(candidate);
        }

        return victim.IsNone ? FrameId.None : TakeTail(main);
    }

    /// <inheritdoc/>
    public readonly int Reclaim() => _space.EvictTaken(TakeVictim(out FrameId ghost), ghost);

    /// <inheritdoc/>
    public readonly void OnRemove(FrameId frame) => ListOf(_frames.Head(frame).Referenced).Remove(frame);

    /// <inheritdoc/>
    public readonly void Validate()
    {
        const string Rule = "w-tinylfu";
        for (byte place = InWindow; place <= InProtected; place++)
        {
            FrameList list = ListOf(place);
            list.Validate();
            foreach (FrameId frame in list.FromHead())
                RuleInvariant.Check(
                    _frames.Head(frame).Referenced == place, Rule, $"T1: {place} on {list.Name}", frame);
        }

        RuleInvariant.CheckAllResident(_space, (long)_window.Count + _probation.Count + _protected.Count);
        RuleInvariant.Check(_window.Count <= _windowMax, Rule, $"T2: a window of at most {_windowMax}", _window.Count);
        RuleInvariant.Check(_protected.Count <= _protectedMax, Rule,
            $"T2: at most {_protectedMax} pages protected", _protected.Count);
        RuleInvariant.Check(_windowMax >= 1 && _windowMax <= _space.FrameCount, Rule,
            $"T3: a share of 1 to {_space.FrameCount}", _windowMax);
        _sketch.Validate();
    }

    private static void CheckShare(double share, string name)
    {
        if (!(share is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(name, share, $"{name} must be from 0 to 1");
    }

    private readonly FrameList ListOf(byte place) =>
        place switch { InWindow => _window, InProbation => _probation, _ => _protected };

    private readonly FrameId TakeTail(FrameList list)
    {
        FrameId victim = list.PopTail();
        _space.PrefetchNextVictim(list);
        return victim;
    }

    private readonly void EnterProbation(FrameId frame)
    {
        _frames.SetReferenced(frame, InProbation);
        _probation.PushHead(frame);
    }

    private readonly void Protect(FrameId frame)
    {
        _probation.Remove(frame);
        _frames.SetReferenced(frame, InProtected);
        _protected.PushHead(frame);
        _space.Activations++;
        DemoteSurplus();
    }

    private readonly void DemoteSurplus()
    {
        while (_protected.Count > _protectedMax)
        {
            EnterProbation(_protected.PopTail());
            _space.Deactivations++;
        }
    }

    private void SetProtectedMax() =>
        _protectedMax = (uint)(_options.ProtectedShare * (_space.FrameCount - _windowMax));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountUse(uint hits)
    {
        _epochHits += hits;
        if (++_epochUses == _epochLength) EndEpoch();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EndEpoch()
    {
        if (_epochHits < _lastHits) _grows = !_grows;
        _lastHits = _epochHits;
        _epochHits = 0;
        _epochUses = 0;
        uint step = Math.Max(1, (uint)(_options.Step * _space.FrameCount));
        _windowMax = _grows
            ? (uint)Math.Min((ulong)_windowMax + step, _space.FrameCount)
            : Math.Max(_windowMax, step + 1) - step;
        SetProtectedMax();
        DemoteSurplus();
        while (_window.Count > _windowMax) EnterProbation(_window.PopTail());
        FillWindow();
    }

    /// <summary>After the window grew: the main part gives what it has above its own share.</summary>
    private readonly void FillWindow()
    {
        uint mainMax = _space.FrameCount - _windowMax;
        while (_probation.Count + _protected.Count > mainMax)
        {
            FrameId frame = _probation.Count > 0 ? _probation.PopTail() : _protected.PopTail();
            _frames.SetReferenced(frame, InWindow);
            _window.PushHead(frame);
        }
    }
}
