// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Replacement;

/// <summary>
/// linux-3.15: the first kernel with shadow entries (June 2014), the one that PUMA was built on. Classic two-list LRU
/// for clean page reads; one zone, no kswapd, no control groups.
/// </summary>
/// <remarks>No such kernel was measured: the rules are those of its source, and model tests check them as written.</remarks>
public readonly struct Linux315 : ILinuxProfile
{
    private const int ShadowPagesShift = 4;

    /// <inheritdoc/>
    /// <remarks>include/linux/pagevec.h: PAGEVEC_SIZE.</remarks>
    public static int CpuBatchDefault => 14;

    /// <inheritdoc/>
    /// <remarks>mm/workingset.c, workingset_eviction: advances inactive_age, then reads it.</remarks>
    public static bool StampsBeforeCounting => false;

    /// <inheritdoc/>
    public static bool RefaultsAllowDeactivation => false;

    /// <inheritdoc/>
    /// <remarks>mm/vmscan.c, shrink_list asks inactive_file_is_low at each call.</remarks>
    public static bool DecidesPerChunk => true;

    /// <inheritdoc/>
    public static bool MarksWorkingset => false;

    /// <inheritdoc/>
    /// <remarks>mm/vmscan.c, inactive_file_is_low: the active list may not be longer than the inactive one.</remarks>
    public static bool IsInactiveLow(ulong inactive, ulong active) => active > inactive;

    /// <inheritdoc/>
    /// <remarks>
    /// mm/workingset.c, count_shadow_nodes: pages/16 nodes may stay. The shrinker's pacing is left out: what exceeds
    /// the limit goes at once.
    /// </remarks>
    public static ulong ShadowLeavesToDrop(
        ref ulong pressure, ulong shadowLeaves, ulong resident, ulong frames, ulong blocks, int priority)
    {
        ulong limit = frames >> ShadowPagesShift;
        return shadowLeaves > limit ? shadowLeaves - limit : 0;
    }
}
