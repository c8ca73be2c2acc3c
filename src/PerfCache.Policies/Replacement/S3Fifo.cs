// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// S3-FIFO: three plain queues, of which the small one filters out the pages that are used once. Yang, Zhang, Qiu, Yue,
/// Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023.
/// </summary>
/// <remarks>
/// <code>
///            new ─► small (10 %) ─── used less than twice ──► its name stays: ghosts (90 %) ─► forgotten
///                     │ used twice or more, mark cleared             │ missed again
///                     ▼                                              ▼
///                    main (90 %) ◄───────────────────────────────────┘
///                     │ ▲ used: mark - 1, to the head again
///                     ▼ └──┐
///                   tail ──┴─ not used: evicted, no ghost
/// </code>
/// Remembers: two lists of pages, each in the order of arrival; a list of ghosts, which are rows of the frame table; and
/// for each page how often it was used, 0 to 3, in the referenced byte. The active flag says "on main". Insert: into main
/// if a ghost knows the page, else into small, with the mark 0. Hit: mark + 1 up to 3; at 3 a hit writes nothing. Victim:
/// from main when main is above its share or small is empty, else from small, as drawn. Evicting from small may end with
/// small empty and everything moved to main; then main gives the victim.
/// <para>Costs: a hit one load and at most one byte store; a miss moves each page from small to main at most once, and
/// passes a page of main at most three times before its mark is 0. A miss with its ghost touches two rows and two slots
/// of the index more than one of fifo.</para>
/// <para>Where the paper leaves it open: a mark is cleared on the way from small to main ("its access bits are cleared
/// during the move"); all of small may move on in one eviction, and main shrinks back with the next ones, whatever its
/// share; a ghost is looked for after the eviction that makes room, so it may just have been dropped; ghosts are dropped
/// in the order of their eviction.</para>
/// </remarks>
public struct S3Fifo : IFlagRules
{
    /// <summary>The part of the frames that the small queue has.</summary>
    public const double SmallDefault = 0.1;

    /// <summary>Ghosts, as a part of the frames.</summary>
    public const double GhostDefault = 0.9;

    /// <summary>The most ghosts, as a multiple of the frames, that may be asked for.</summary>
    public const double GhostMax = 4;

    /// <summary>Hits by which a page of the small queue moves to main.</summary>
    public const int MoveDefault = 2;

    /// <summary>Hits are counted up to this.</summary>
    public const int MarkMax = 3;

    private readonly double _smallShare;
    private readonly double _ghostShare;
    private readonly byte _moveMark;
    private CacheSpace _space;
    private FrameTable _frames;
    private FrameList _small;
    private FrameList _main;
    private FrameList _ghosts;
    private uint _sharesOf;
    private uint _mainShare;
    private uint _ghostLimit;

    /// <summary>Makes the rule with the paper's parameters.</summary>
    public S3Fifo() : this(SmallDefault, GhostDefault, MoveDefault)
    {
    }

    /// <summary>Makes the rule.</summary>
    /// <param name="small">The part of the frames that the small queue has, 0 to 1; it has at least one frame.</param>
    /// <param name="ghost">The most ghosts, as a part of the frames, 0 to <see cref="GhostMax"/>.</param>
    /// <param name="move">Hits by which a page of the small queue moves to main, 1 to <see cref="MarkMax"/>.</param>
    public S3Fifo(double small, double ghost, int move)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(small is >= 0 and <= 1, true, nameof(small));
        ArgumentOutOfRangeException.ThrowIfNotEqual(ghost is >= 0 and <= GhostMax, true, nameof(ghost));
        ArgumentOutOfRangeException.ThrowIfLessThan(move, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(move, MarkMax);
        _smallShare = small;
        _ghostShare = ghost;
        _moveMark = (byte)move;
        _space = null!;
        _frames = null!;
        _small = null!;
        _main = null!;
        _ghosts = null!;
    }

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.Flag;

    /// <inheritdoc/>
    public static bool TakesVictims => true;

    /// <inheritdoc/>
    public static bool UsesGhosts => true;

    /// <summary>The pages on trial, last arrived first.</summary>
    public readonly FrameList Small => _small;

    /// <summary>The pages that have proved themselves, last arrived or spared first.</summary>
    public readonly FrameList Main => _main;

    /// <summary>The ghosts, last evicted first.</summary>
    public readonly FrameList Ghosts => _ghosts;

    /// <inheritdoc/>
    public static ulong SettledMask => FrameState.ReferencedMask;

    /// <inheritdoc/>
    public static ulong SettledState => MarkMax;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HitEffect OnHit(FrameState state) =>
        HitEffect.Mark((byte)Math.Min(state.Referenced + 1, MarkMax));

    /// <inheritdoc/>
    /// <remarks>One more than it keeps: the oldest is dropped only when the new one is there.</remarks>
    public readonly uint GhostRowCount(uint frameCount) => GhostLimit(frameCount) + 1;

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _frames = space.Frames;
        _small = space.NewList("s3fifo small queue");
        _main = space.NewList("s3fifo main queue");
        _ghosts = space.NewList("s3fifo ghosts");
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
        if (shadow.IsNone)
        {
            _frames.ClearFlags(frame, FrameState.Active);
            _small.PushHead(frame);
            return;
        }

        Forget(shadow.Ghost);
        _frames.SetFlags(frame, FrameState.Active);
        _main.PushHead(frame);
    }

    /// <inheritdoc/>
    public readonly ulong OnRefaultElsewhere(ShadowEntry shadow, bool countsAsAccess)
    {
        Forget(shadow.Ghost);
        return FrameState.Active;
    }

    /// <inheritdoc/>
    public readonly void OnArrive(FrameId frame) => (_frames.IsActive(frame) ? _main : _small).PushHead(frame);

    /// <inheritdoc/>
    public FrameId TakeVictim(out FrameId ghost)
    {
        ghost = FrameId.None;
        FrameId victim = TakeVictim(out bool leavesGhost);
        if (!leavesGhost) return victim;
        ghost = _space.AddGhost(victim);
        Remember(ghost);
        return victim;
    }

    /// <inheritdoc/>
    public int Reclaim()
    {
        FrameId victim = TakeVictim(out bool leavesGhost);
        if (!leavesGhost) return _space.EvictTaken(victim, FrameId.None);
        // A page that somebody holds stays, and no ghost is dropped for it.
        if (!_space.EvictToGhost(victim, out FrameId ghost)) return 0;
        Remember(ghost);
        return 1;
    }

    /// <inheritdoc/>
    public readonly void OnRemove(FrameId frame) => (_frames.IsActive(frame) ? _main : _small).Remove(frame);

    /// <summary>
    /// Checks: Q1, the three lists are lists; Q2, every page is on small or main; Q3, marks are 0 to 3; Q4, pages of main
    /// have the active flag, those of small do not; Q5, every ghost is on the list of ghosts, and no more than asked for.
    /// </summary>
    public readonly void Validate()
    {
        _small.Validate();
        _main.Validate();
        _ghosts.Validate();
        RuleInvariant.CheckAllResident(_space, (long)_small.Count + _main.Count);
        RuleInvariant.CheckMarks(_frames, _small, MarkMax, "Q3");
        RuleInvariant.CheckMarks(_frames, _main, MarkMax, "Q3");
        FrameTable frames = _frames;
        if (_small.FromHead().Any(frames.IsActive) || !_main.FromHead().All(frames.IsActive))
            throw new InvariantException("s3fifo: expected Q4: the active flag on all pages of main and on none of small");
        if (_ghosts.Count != _space.GhostCount || _ghosts.Count > GhostLimit(_space.Frames.FrameCount))
        {
            throw new InvariantException(
                $"s3fifo: expected Q5: {_space.GhostCount} ghosts, at most {GhostLimit(_frames.FrameCount)}, "
                + $"found {_ghosts.Count}");
        }
    }

    private readonly void Forget(FrameId ghost)
    {
        _ghosts.Remove(ghost);
        _space.DropGhost(ghost);
    }

    private readonly uint GhostLimit(uint frameCount) => (uint)(_ghostShare * frameCount);

    /// <summary>The oldest page of small that was not used enough; those before it move to main.</summary>
    private readonly FrameId TakeFromSmall()
    {
        while (true)
        {
            FrameId oldest = _small.PopTail();
            _space.PrefetchNextVictim(_small);
            if (oldest.IsNone || _frames.Head(oldest).Referenced < _moveMark) return oldest;
            _frames.SetReferenced(oldest, 0);
            _frames.SetFlags(oldest, FrameState.Active);
            _main.PushHead(oldest);
        }
    }

    /// <summary>The oldest page of main that was not used; those before it go around.</summary>
    private readonly FrameId TakeFromMain()
    {
        FrameId oldest = _main.Tail;
        // After so many steps every mark was 0 once. A program whose threads raise them meanwhile must not wait.
        for (ulong steps = (ulong)_main.Count * MarkMax; steps > 0; steps--)
        {
            byte mark = _frames.Head(oldest).Referenced;
            if (mark == 0) break;
            _frames.SetReferenced(oldest, (byte)(mark - 1));
            _main.MoveToHead(oldest);
            _main.PrefetchVictim();
            oldest = _main.Tail;
        }

        if (!oldest.IsNone) _main.Remove(oldest);
        _space.PrefetchNextVictim(_main);
        return oldest;
    }

    private FrameId TakeVictim(out bool leavesGhost)
    {
        if (_space.FrameCount != _sharesOf) SetShares();
        FrameId victim = _main.Count > _mainShare ? FrameId.None : TakeFromSmall();
        leavesGhost = !victim.IsNone && _ghostLimit > 0;
        return victim.IsNone ? TakeFromMain() : victim;
    }

    private readonly void Remember(FrameId ghost)
    {
        _ghosts.PushHead(ghost);
        while (_ghosts.Count > _ghostLimit) _space.DropGhost(_ghosts.PopTail());
        _space.PrefetchNextVictim(_ghosts);
    }

    /// <summary>The size has changed: from one to the next the shares are numbers, which no eviction multiplies out.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void SetShares()
    {
        _sharesOf = _space.FrameCount;
        _mainShare = _sharesOf - Math.Max(1, (uint)(_smallShare * _sharesOf));
        _ghostLimit = GhostLimit(_sharesOf);
    }
}
