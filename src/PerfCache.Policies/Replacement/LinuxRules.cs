// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Policies.Replacement;

/// <summary>
/// The Linux page cache's two-list LRU, as its reclaim runs: batches, priorities and proportions included.
/// </summary>
/// <remarks>
/// <para>
/// Observation. Pages that are used once (a scan) should not push out pages that are used again. So a page is on trial
/// first (inactive list); a second access makes it active. And a page that comes back soon after its eviction was on
/// trial too short: its shadow tells how long it was away.
/// </para>
/// <para>
/// The distance. <c>age</c> counts evictions and activations. A page evicted at age E that refaults at age R would have
/// stayed if the inactive list had been R - E frames longer. Those frames could have come from the active list, so if
/// R - E is at most its length, the page challenges the active pages: it enters active at once (mm/workingset.c).
/// </para>
/// <para>Life of a page, with the function that each step follows:</para>
/// <code>
/// miss            batch of additions, then inactive head; referenced set     folio_add_lru, folio_mark_accessed
/// next read       inactive and referenced: active, mark cleared, age + 1     folio_mark_accessed, folio_activate
///                 otherwise: referenced set
/// reclaim         inactive tail: evicted, whatever its mark; age + 1         shrink_inactive_list, workingset_eviction
///                 active tail, if allowed: inactive head, mark kept          shrink_active_list
/// refault         distance &lt;= active list: enters active; age + 1        workingset_refault
/// </code>
/// <para>
/// Reclaim wants 32 pages: passes of priority 12, 11, ... scan a 2^-priority part of each list until 32 are freed. So a
/// call frees more than 32 (up to about 63), deactivation is proportional to active/inactive, and one
/// decision on deactivation holds for a whole call: a simulation that evicts page by page decides differently.
/// </para>
/// <para>X1: every resident frame is on one list or in the batch of additions; frames in the batch of activations are
/// on the inactive list too.</para>
/// <para>X2: both batches are empty when reclaim chooses.</para>
/// Costs: a hit on an active page, the usual one, reads one word and writes nothing once it is referenced.
/// </remarks>
/// <typeparam name="TProfile">The kernel: <see cref="Linux6"/> or <see cref="Linux315"/>.</typeparam>
public struct LinuxRules<TProfile> : IFlagRules where TProfile : struct, ILinuxProfile
{
    /// <summary>Pages that one reclaim call wants to free, and the chunk in which lists are scanned: SWAP_CLUSTER_MAX.</summary>
    public const int ReclaimBatchDefault = 32;

    /// <summary>The priority at which reclaim starts: DEF_PRIORITY.</summary>
    public const int PriorityDefault = 12;

    /// <summary>Below this size all frames are in a core's own cache, and there is nothing to walk ahead for.</summary>
    private const uint ScoutFrameMin = 16 * 1024;

    /// <summary>The largest batch that may be asked for.</summary>
    public const int BatchMax = 1024;

    private readonly int _reclaimBatch;
    private readonly int _cpuBatch;
    private FrameId[] _additions;
    private FrameId[] _activations;
    private FrameId[] _scanned;
    private int _additionCount;
    private int _activationCount;
    private CacheSpace _space;
    private FrameTable _frames;
    private ActiveInactiveLists _lists;
    private ShadowFormat _format;
    private ulong _age;
    private long _refaultsAtLastReclaim;
    private ulong _shadowPressure;
    private bool _scouts;
    private readonly CacheWatch _watch;

    /// <summary>Makes the rule with the kernel's batches.</summary>
    public LinuxRules() : this(ReclaimBatchDefault, TProfile.CpuBatchDefault)
    {
    }

    /// <summary>Makes the rule.</summary>
    /// <param name="reclaimBatch">Pages that a reclaim call wants to free; the kernel's is 32, 1 shows single steps.</param>
    /// <param name="cpuBatch">Pages that wait before they are linked; 1 for none.</param>
    public LinuxRules(int reclaimBatch, int cpuBatch) : this(reclaimBatch, cpuBatch, null)
    {
    }

    /// <summary>Makes a rule that is watched, with the kernel's batches.</summary>
    /// <param name="watch">Who watches; the profile must say so (<see cref="ILinuxProfile.IsWatched"/>).</param>
    public LinuxRules(CacheWatch watch) : this(ReclaimBatchDefault, TProfile.CpuBatchDefault, watch)
    {
    }

    /// <summary>Makes the rule.</summary>
    /// <param name="reclaimBatch">Pages that a reclaim call wants to free; the kernel's is 32, 1 shows single steps.</param>
    /// <param name="cpuBatch">Pages that wait before they are linked; 1 for none.</param>
    /// <param name="watch">Who watches, where the profile is watched; null for nobody.</param>
    public LinuxRules(int reclaimBatch, int cpuBatch, CacheWatch? watch)
    {
        _watch = watch ?? (TProfile.IsWatched ? new CacheWatch() : null!);
        ArgumentOutOfRangeException.ThrowIfLessThan(reclaimBatch, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(reclaimBatch, BatchMax);
        ArgumentOutOfRangeException.ThrowIfLessThan(cpuBatch, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(cpuBatch, BatchMax);
        _reclaimBatch = reclaimBatch;
        _cpuBatch = cpuBatch;
        _additions = [];
        _activations = [];
        _scanned = [];
        _space = null!;
        _frames = null!;
        _lists = null!;
    }

    /// <inheritdoc/>
    public static RuleKind Kind => RuleKind.Flag;

    /// <inheritdoc/>
    public static bool CountsRepeats => false;

    /// <summary>The two lists, without the pages that still wait in a batch.</summary>
    public readonly ActiveInactiveLists Lists => _lists;

    /// <summary>Evictions and activations so far: the clock of the shadows.</summary>
    public readonly ulong Age => _age;

    /// <inheritdoc/>
    /// <remarks>Active and referenced: where the pages are that are hit most.</remarks>
    public static ulong SettledMask => FrameState.Active | FrameState.ReferencedMask;

    /// <inheritdoc/>
    public static ulong SettledState => FrameState.Active | 1;

    /// <inheritdoc/>
    /// <remarks>mm/swap.c, folio_mark_accessed.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HitEffect OnHit(FrameState state)
    {
        // Inactive and referenced: the one state that a hit takes anywhere. All others end as referenced, those that
        // are already among them, so one compare decides.
        const ulong Mask = FrameState.Active | FrameState.ReferencedMask;
        return (state.Packed & Mask) == 1 ? HitEffect.MarkAndDefer(0) : HitEffect.Mark(1);
    }

    /// <inheritdoc/>
    public void Attach(CacheSpace space)
    {
        _space = space;
        _frames = space.Frames;
        _lists = space.NewActiveInactiveLists();
        _additions = new FrameId[_cpuBatch];
        _activations = new FrameId[_cpuBatch];
        _scanned = new FrameId[_reclaimBatch];
        _format = new ShadowFormat(space.ShadowListBits, space.FrameCount);
        _scouts = space.FrameCount > ScoutFrameMin;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The second access of an inactive page. One that still waits in the batch of additions only gets its flag, and
    /// goes to the active list when the batch is emptied.
    /// </remarks>
    public void OnDeferredHit(FrameId frame)
    {
        if (TProfile.IsWatched && _watch.LentStayInactive && _frames.State(frame).Has(FrameState.Lent))
        {
            // A lent page never becomes active: it gets another trip through the inactive list. mm/swap.c of the
            // authors' kernel, mark_page_accessed.
            if (_frames.IsOnList(frame)) _lists.Inactive.MoveToHead(frame);
            return;
        }

        _age++;
        if (!_frames.IsOnList(frame))
        {
            bool becomesActive = !_frames.IsActive(frame);
            _space.Activations += becomesActive ? 1 : 0;
            _frames.SetFlags(frame, FrameState.Active);
            if (TProfile.IsWatched && becomesActive) CountLentActive(frame, 1);
            return;
        }

        _activations[_activationCount++] = frame;
        if (_activationCount == _activations.Length) DrainActivations();
    }

    /// <inheritdoc/>
    public void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
    {
        if (!shadow.IsNone && _format.Distance(shadow, _age) <= _lists.Active.Count)
        {
            _frames.SetFlags(frame, FrameState.Active | (shadow.WasWorkingset ? FrameState.Workingset : 0));
            _age++;
            _space.Activations++;
            _space.RefaultActivations++;
        }

        if (TProfile.IsWatched && _watch.OnInsert(_frames.Key(frame).ObjectId, !shadow.IsNone, _frames.IsActive(frame)))
            _frames.SetFlags(frame, FrameState.Lent);
        if (countsAsAccess) _frames.SetReferenced(frame, 1);
        if (_scouts) _space.PrefetchForEviction(_lists.Inactive.PrefetchTail());
        _additions[_additionCount++] = frame;
        if (_additionCount == _additions.Length) DrainAdditions();
    }

    /// <inheritdoc/>
    /// <remarks>mm/workingset.c judges by the age and the active list of the node that the page was evicted from.
    /// </remarks>
    public ulong OnRefaultElsewhere(ShadowEntry shadow, bool countsAsAccess)
    {
        if (_format.Distance(shadow, _age) > _lists.Active.Count) return 0;
        _age++;
        _space.Activations++;
        _space.RefaultActivations++;
        return FrameState.Active | (shadow.WasWorkingset ? FrameState.Workingset : 0) | (countsAsAccess ? 1UL : 0);
    }

    /// <inheritdoc/>
    /// <remarks>To the head of the list that its flag names, by the batch of additions, as a page that mm/migrate.c puts
    /// back.</remarks>
    public void OnArrive(FrameId frame)
    {
        _additions[_additionCount++] = frame;
        if (_additionCount == _additions.Length) DrainAdditions();
    }

    /// <inheritdoc/>
    public int Reclaim()
    {
        Drain();
        int freed = ReclaimPasses(force: false);
        // Nothing could be freed and active pages were spared: the kernel starts over without sparing them.
        if (freed == 0 && _lists.Active.Count > 0) freed = ReclaimPasses(force: true);
        _refaultsAtLastReclaim = _space.RefaultActivations;
        return freed;
    }

    /// <inheritdoc/>
    public void OnRemove(FrameId frame)
    {
        Drain();
        if (TProfile.IsWatched && _frames.State(frame).Has(FrameState.Lent)) _watch.OnLentGone(_frames.IsActive(frame));
        _lists.Remove(frame);
    }

    /// <inheritdoc/>
    public readonly void Validate()
    {
        _lists.Validate();
        RuleInvariant.CheckAllResident(_space, (long)_lists.Active.Count + _lists.Inactive.Count + _additionCount);
        for (int i = 0; i < _additionCount; i++)
        {
            if (_frames.IsOnList(_additions[i]))
                throw new InvariantException($"X1: expected {_additions[i]} in the batch of additions on no list");
        }
    }

    private int ReclaimPasses(bool force)
    {
        int freed = 0;
        int most = (int)Math.Min(_space.ReclaimMax, int.MaxValue);
        int wanted = Math.Min(_reclaimBatch, most);
        bool mayDeactivate = force || MayDeactivate();
        for (int priority = PriorityDefault; priority >= 0 && freed < wanted; priority--)
        {
            freed += ScanLists(priority, mayDeactivate, force, most - freed);
            ulong drop = TProfile.ShadowLeavesToDrop(
                ref _shadowPressure, _space.Shadows.LeafCount, _space.ResidentCountOfAllNodes,
                _space.FrameCountOfAllNodes, _space.IndexLeafCount, priority);
            while (drop-- > 0 && _space.DropOldestShadowLeaf())
            {
            }
        }

        return freed;
    }

    private readonly bool MayDeactivate() =>
        TProfile.IsInactiveLow(_lists.Inactive.Count, _lists.Active.Count)
        || (TProfile.RefaultsAllowDeactivation && _space.RefaultActivations != _refaultsAtLastReclaim);

    /// <summary>
    /// One pass: a part of both lists by turns in chunks, until enough is freed (mm/vmscan.c, shrink_lruvec).
    /// </summary>
    private int ScanLists(int priority, bool mayDeactivate, bool force, int most)
    {
        uint inactive = _lists.Inactive.Count >> priority;
        uint active = _lists.Active.Count >> priority;
        int freed = 0;
        bool decided = mayDeactivate;
        while (inactive > 0 || active > 0)
        {
            int chunk = (int)Math.Min(inactive, (uint)_reclaimBatch);
            inactive -= (uint)chunk;
            freed += EvictTail(Math.Min(chunk, most - freed));

            chunk = (int)Math.Min(active, (uint)_reclaimBatch);
            active -= (uint)chunk;
            if (TProfile.DecidesPerChunk) mayDeactivate = force || MayDeactivate();
            if (TProfile.IsWatched && chunk > 0 && !force) WatchActiveScan(ref mayDeactivate);
            if (chunk > 0 && mayDeactivate) Deactivate(chunk);
            if (TProfile.IsWatched && !TProfile.DecidesPerChunk) mayDeactivate = decided;
            if (freed >= _reclaimBatch || freed >= most) break;
        }

        return freed;
    }

    private readonly void Deactivate(int count)
    {
        Span<FrameId> frames = _scanned.AsSpan(0, count);
        int moved = _lists.DeactivateTail(frames, TProfile.MarksWorkingset ? FrameState.Workingset : 0);
        _space.Deactivations += moved;
        if (!TProfile.IsWatched || _watch.LentActiveCount == 0) return;
        foreach (FrameId frame in frames[..moved]) CountLentActive(frame, -1);
    }

    /// <summary>
    /// Reclaim looks at the active list: tells the watch if the inactive one is low (what detector #2 waits for), and
    /// otherwise lets pages be deactivated if lent ones fill the inactive list (forced deactivation). Refaults that
    /// allow deactivation do neither.
    /// </summary>
    private readonly void WatchActiveScan(ref bool mayDeactivate)
    {
        uint inactive = _lists.Inactive.Count;
        uint active = _lists.Active.Count;
        bool isLow = TProfile.IsInactiveLow(inactive, active);
        if (mayDeactivate && isLow) _watch.OnInactiveLow(inactive, active);
        else if (!mayDeactivate && !isLow && _watch.ForcesNow(inactive, active)) mayDeactivate = true;
    }

    private readonly void CountLentActive(FrameId frame, int change)
    {
        if (_frames.State(frame).Has(FrameState.Lent)) _watch.LentActiveCount = (uint)(_watch.LentActiveCount + change);
    }

    private int EvictTail(int count)
    {
        Span<FrameId> victims = _scanned.AsSpan(0, count);
        ulong firstAge = TProfile.StampsBeforeCounting ? _age : _age + 1;
        int lent = 0;
        int evicted;
        if (TProfile.IsWatched)
        {
            victims = victims[.._lists.Inactive.TakeTail(victims)];
            lent = EvictLent(ref victims);
            evicted = _space.Evict(victims, in _format, firstAge, _space.ShadowList);
        }
        else
        {
            evicted = _space.EvictTail(_lists.Inactive, victims, in _format, firstAge, _space.ShadowList);
        }

        _age += (uint)evicted;
        return evicted + lent;
    }

    /// <summary>
    /// Tells the watch of the victims, and evicts those that are lent: they leave no shadow and do not advance the age, as
    /// in the authors' kernel, where they are released before the shadow code.
    /// </summary>
    /// <param name="victims">The victims; on return, those that are still to be evicted.</param>
    /// <returns>The number evicted.</returns>
    private readonly int EvictLent(ref Span<FrameId> victims)
    {
        int own = 0;
        foreach (FrameId victim in victims)
        {
            FrameState state = _frames.State(victim);
            _watch.OnEvicted(_frames.Key(victim), state);
            if (state.Has(FrameState.Lent)) _space.Evict(victim, ShadowEntry.None);
            else victims[own++] = victim;
        }

        int lent = victims.Length - own;
        victims = victims[..own];
        return lent;
    }

    private void Drain()
    {
        DrainAdditions();
        DrainActivations();
    }

    private void DrainAdditions()
    {
        _lists.Add(_additions.AsSpan(0, _additionCount));
        _additionCount = 0;
    }

    private void DrainActivations()
    {
        for (int i = 0; i < _activationCount; i++)
        {
            FrameId frame = _activations[i];
            if (_frames.IsActive(frame)) continue;
            _lists.Activate(frame);
            _space.Activations++;
            if (TProfile.IsWatched) CountLentActive(frame, 1);
        }

        _activationCount = 0;
    }
}
