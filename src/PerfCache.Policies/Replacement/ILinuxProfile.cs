// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Replacement;

/// <summary>
/// In what one kernel's page cache differs from another's: the constants and small decisions that
/// <see cref="LinuxRules{TProfile}"/> is compiled with.
/// </summary>
public interface ILinuxProfile
{
    /// <summary>Pages that a per-CPU batch holds before it is emptied onto the lists.</summary>
    static abstract int CpuBatchDefault { get; }

    /// <summary>True: a shadow gets the age before its own eviction is counted, so an immediate refault has distance 1.
    /// False: after, so the distance is 0.</summary>
    static abstract bool StampsBeforeCounting { get; }

    /// <summary>True: activating refaults since the last reclaim allow deactivation, however short the active list.</summary>
    static abstract bool RefaultsAllowDeactivation { get; }

    /// <summary>True: whether to deactivate is decided anew for each chunk of pages. False: once for each reclaim call.</summary>
    static abstract bool DecidesPerChunk { get; }

    /// <summary>True: a page that is deactivated remembers that it was active (the workingset flag).</summary>
    static abstract bool MarksWorkingset { get; }

    /// <summary>True where somebody wants to know what reclaim does, or pages are lent (<see cref="CacheWatch"/>). A
    /// constant: without it nothing of this is in the machine code.</summary>
    static virtual bool IsWatched => false;

    /// <summary>True when the inactive list is so short that active pages should move there.</summary>
    static abstract bool IsInactiveLow(ulong inactive, ulong active);

    /// <summary>Leaves to drop now, of those that hold nothing but shadows.</summary>
    /// <param name="pressure">What earlier calls left undone; the profile updates it.</param>
    /// <param name="shadowLeaves">Shadow-only leaves.</param>
    /// <param name="resident">Resident pages.</param>
    /// <param name="frames">Frames of the cache.</param>
    /// <param name="blocks">Blocks of the index.</param>
    /// <param name="priority">The priority of the reclaim pass that has just ended.</param>
    static abstract ulong ShadowLeavesToDrop(
        ref ulong pressure, ulong shadowLeaves, ulong resident, ulong frames, ulong blocks, int priority);
}
