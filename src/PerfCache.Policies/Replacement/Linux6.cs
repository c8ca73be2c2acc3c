// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Replacement;

/// <summary>
/// linux-6: the classic two-list LRU of a 6.x kernel (6.18 was measured), for clean page reads. Not the multi-generation
/// LRU, no kswapd, no nested control groups.
/// </summary>
/// <remarks>
/// Each decision tells the kernel function that it follows. Measured against a real kernel's page cache: docs/policies.md.
/// </remarks>
public readonly struct Linux6 : ILinuxProfile
{
    private const int GibPageShift = 30 - 12;
    private const ulong BlockBytes = 576;
    private const ulong PageBytes = 4096;
    private const int ShadowPagesShift = 3;
    private const ulong ShrinkBatch = 128;

    /// <inheritdoc/>
    /// <remarks>include/linux/pagevec.h: PAGEVEC_SIZE.</remarks>
    public static int CpuBatchDefault => 31;

    /// <inheritdoc/>
    /// <remarks>mm/workingset.c, workingset_eviction: reads nonresident_age, then advances it.</remarks>
    public static bool StampsBeforeCounting => true;

    /// <inheritdoc/>
    /// <remarks>mm/vmscan.c, prepare_scan_control: refaults seen mean that a new working set is being established.</remarks>
    public static bool RefaultsAllowDeactivation => true;

    /// <inheritdoc/>
    /// <remarks>
    /// mm/vmscan.c, prepare_scan_control. It runs before each pass, but on statistics that are folded only when 64
    /// updates a CPU are pending (mm/memcontrol.c), so within one call it sees what it saw at the start. Deciding
    /// anew before each pass agrees less with the measured kernel.
    /// </remarks>
    public static bool DecidesPerChunk => false;

    /// <inheritdoc/>
    /// <remarks>mm/vmscan.c, shrink_active_list.</remarks>
    public static bool MarksWorkingset => true;

    /// <inheritdoc/>
    /// <remarks>
    /// mm/vmscan.c, inactive_is_low: the inactive list may be the shorter the larger memory is, by a ratio of
    /// sqrt(10 * GiB) from 1 GiB of file pages on.
    /// </remarks>
    public static bool IsInactiveLow(ulong inactive, ulong active)
    {
        ulong gib = (inactive + active) >> GibPageShift;
        ulong ratio = gib == 0 ? 1 : (ulong)Math.Sqrt(10 * gib);
        return inactive * ratio < active;
    }

    /// <inheritdoc/>
    /// <remarks>
    /// mm/workingset.c, count_shadow_nodes: what exceeds (pages + pages of tree nodes) / 8 may go. mm/shrinker.c,
    /// do_shrink_slab with no seeks: half of that is added to the work each time, done in chunks of 128 leaves, and
    /// what does not fill a chunk is carried over.
    /// </remarks>
    public static ulong ShadowLeavesToDrop(
        ref ulong pressure, ulong shadowLeaves, ulong resident, ulong frames, ulong blocks, int priority)
    {
        ulong limit = (resident + (blocks * BlockBytes / PageBytes)) >> ShadowPagesShift;
        if (shadowLeaves <= limit) return 0;
        ulong freeable = shadowLeaves - limit;
        ulong delta = freeable / 2;
        ulong total = Math.Min((pressure >> priority) + delta, 2 * freeable);
        ulong scanned = 0;
        while (total >= ShrinkBatch || total >= freeable)
        {
            ulong chunk = Math.Min(ShrinkBatch, total);
            chunk = Math.Min(chunk, shadowLeaves - scanned);
            if (chunk == 0) break;
            scanned += chunk;
            total -= chunk;
        }

        // Not more was done than there was to do: the total is at most what waited and half of what may go.
        pressure = Math.Min(pressure + delta - scanned, 2 * freeable);
        return scanned;
    }
}
