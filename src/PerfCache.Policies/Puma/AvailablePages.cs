// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>The memory of a machine, in pages, as far as it decides what may be lent.</summary>
/// <param name="Free">Pages that hold nothing.</param>
/// <param name="LowWatermark">Free pages below which the machine begins to reclaim.</param>
/// <param name="FilePages">Pages of the page cache, active and inactive.</param>
/// <param name="ReclaimableSlab">Pages of kernel structures that can be given up.</param>
public readonly record struct MemoryState(long Free, long LowWatermark, long FilePages, long ReclaimableSlab)
{
    /// <summary>
    /// What a lender can give without swapping: the kernel's rule for MemAvailable. Free pages above the low watermark, and
    /// of the page cache and of reclaimable structures all but a part that the machine needs itself: half, or the low
    /// watermark where that is less.
    /// </summary>
    public long Available => Math.Max(
        0,
        Free - LowWatermark + FilePages - Math.Min(FilePages / 2, LowWatermark)
        + ReclaimableSlab - Math.Min(ReclaimableSlab / 2, LowWatermark));
}
