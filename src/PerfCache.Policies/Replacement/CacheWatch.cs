// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Policies.Replacement;

/// <summary>A page that reclaim has evicted.</summary>
/// <param name="Key">The page.</param>
/// <param name="IsLent">True for a page of somebody else.</param>
/// <param name="IsDirty">True when it was newer than its source.</param>
public readonly record struct EvictedPage(PageKey Key, bool IsLent, bool IsDirty);

/// <summary>
/// What a page cache that lends frames must know about lent pages, and what it tells about its reclaim.
/// </summary>
/// <remarks>
/// <para>
/// Lent pages are ordinary frames of the lender's cache, in its lists, so that its own reclaim takes them back at the
/// speed of memory. They are the pages of the objects that <see cref="AddLent"/> names. Two things differ: a lent page
/// stays inactive (a second access gives it another trip, no more), and its eviction leaves no shadow and does not advance
/// the age. Inactive pages go first, so the lender's own active pages are safe from the borrower.
/// </para>
/// <para>
/// Signals. A policy decides from what reclaim meets, and reclaim has no clock; so the watch only counts, and whoever
/// owns the clock looks after each step: <see cref="ActivatingRefaults"/> and <see cref="Refaults"/> (detector #1),
/// <see cref="LowScans"/> (detector #2), <see cref="OwnInsertions"/> (is the lender idle?), and the evicted pages
/// (what to offer to a lender, what to tell a borrower).
/// </para>
/// <para>W1: <see cref="LentCount"/> frames of the cache have the lent flag; <see cref="LentActiveCount"/> of them are
/// active.</para>
/// A page of an unwatched cache costs nothing: the calls are compiled for watched profiles only
/// (<see cref="Watched{TProfile}"/>).
/// </remarks>
public sealed class CacheWatch
{
    private readonly List<EvictedPage> _evicted = [];
    private bool[] _isLent = [];

    /// <summary>True (PUMA): lent pages never become active. False: they are like all pages, the slides' first try.</summary>
    public bool LentStayInactive { get; set; } = true;

    /// <summary>True to deactivate pages for the borrower's sake (<see cref="ForcesNow"/>).</summary>
    public bool ForcesDeactivation { get; set; } = true;

    /// <summary>Forced deactivation wants more than this share of the pages active; min_active of the authors' code.</summary>
    public double ActiveShareMin { get; set; } = 0.05;

    /// <summary>Forced deactivation wants more than this share of the inactive list lent; max_remote of the authors'
    /// code.</summary>
    public double LentShareMin { get; set; } = 0.90;

    /// <summary>True while nothing is lent: then nothing is forced either.</summary>
    public bool IsSuspended { get; set; }

    /// <summary>True to remember evicted pages of the cache's own, too (a borrower wants them).</summary>
    public bool KeepsOwnEvictions { get; set; }

    /// <summary>Frames that hold lent pages.</summary>
    public uint LentCount { get; private set; }

    /// <summary>Those of them that are active; 0 while lent pages stay inactive.</summary>
    public uint LentActiveCount { get; internal set; }

    /// <summary>Own pages that came in.</summary>
    public long OwnInsertions { get; private set; }

    /// <summary>Own pages that reclaim evicted.</summary>
    public long OwnEvictions { get; private set; }

    /// <summary>Misses of own pages whose shadow was found.</summary>
    public long Refaults { get; private set; }

    /// <summary>Refaults that made the page active at once.</summary>
    public long ActivatingRefaults { get; private set; }

    /// <summary>Chunks of the active list that reclaim took pages from because the inactive list was low.</summary>
    public long LowScans { get; private set; }

    /// <summary>Lengths of the inactive and the active list at the last low scan, in frames.</summary>
    public (uint Inactive, uint Active) AtLowScan { get; private set; }

    /// <summary>Chunks that were deactivated by force.</summary>
    public long ForcedScans { get; private set; }

    /// <summary>Pages that were evicted since <see cref="ClearEvicted"/>, in order.</summary>
    public IReadOnlyList<EvictedPage> Evicted => _evicted;

    /// <summary>Names an object whose pages are lent.</summary>
    public void AddLent(ObjectId owner)
    {
        if (owner.Value >= _isLent.Length) Array.Resize(ref _isLent, (int)Math.Max(owner.Value + 1, _isLent.Length * 2));
        _isLent[owner.Value] = true;
    }

    /// <summary>True for an object whose pages are lent.</summary>
    public bool IsLent(ObjectId owner) => owner.Value < _isLent.Length && _isLent[owner.Value];

    /// <summary>Forgets the evicted pages: they have been seen to.</summary>
    public void ClearEvicted() => _evicted.Clear();

    /// <summary>True when forced deactivation would act on lists of these lengths.</summary>
    /// <param name="inactive">Frames of the inactive list.</param>
    /// <param name="active">Frames of the active list.</param>
    public bool WouldForce(uint inactive, uint active) =>
        ForcesDeactivation && !IsSuspended && active > ActiveShareMin * ((double)active + inactive)
        && LentCount - LentActiveCount > LentShareMin * inactive;

    internal bool ForcesNow(uint inactive, uint active)
    {
        if (!WouldForce(inactive, active)) return false;
        ForcedScans++;
        return true;
    }

    internal void OnInactiveLow(uint inactive, uint active)
    {
        LowScans++;
        AtLowScan = (inactive, active);
    }

    /// <summary>A page has come in.</summary>
    /// <returns>True when it is lent.</returns>
    internal bool OnInsert(ObjectId owner, bool refaults, bool activates)
    {
        if (IsLent(owner))
        {
            LentCount++;
            return true;
        }

        OwnInsertions++;
        if (!refaults) return false;
        Refaults++;
        if (activates) ActivatingRefaults++;
        return false;
    }

    internal void OnEvicted(PageKey key, FrameState state)
    {
        bool isLent = state.Has(FrameState.Lent);
        if (isLent) LentCount--;
        else OwnEvictions++;
        if (isLent || KeepsOwnEvictions || state.Has(FrameState.Dirty))
            _evicted.Add(new EvictedPage(key, isLent, state.Has(FrameState.Dirty)));
    }

    internal void OnLentGone(bool wasActive)
    {
        LentCount--;
        if (wasActive) LentActiveCount--;
    }
}
