// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Replacement;

/// <summary>
/// A kernel's page cache that is watched and may hold lent pages: the rules of <typeparamref name="TProfile"/>, and a
/// <see cref="CacheWatch"/> that is told what reclaim does.
/// </summary>
/// <typeparam name="TProfile">The kernel.</typeparam>
public readonly struct Watched<TProfile> : ILinuxProfile where TProfile : struct, ILinuxProfile
{
    /// <inheritdoc/>
    public static int CpuBatchDefault => TProfile.CpuBatchDefault;

    /// <inheritdoc/>
    public static bool StampsBeforeCounting => TProfile.StampsBeforeCounting;

    /// <inheritdoc/>
    public static bool RefaultsAllowDeactivation => TProfile.RefaultsAllowDeactivation;

    /// <inheritdoc/>
    public static bool DecidesPerChunk => TProfile.DecidesPerChunk;

    /// <inheritdoc/>
    public static bool MarksWorkingset => TProfile.MarksWorkingset;

    /// <inheritdoc/>
    public static bool IsWatched => true;

    /// <inheritdoc/>
    public static bool IsInactiveLow(ulong inactive, ulong active) => TProfile.IsInactiveLow(inactive, active);

    /// <inheritdoc/>
    public static ulong ShadowLeavesToDrop(
        ref ulong pressure, ulong shadowLeaves, ulong resident, ulong frames, ulong blocks, int priority) =>
        TProfile.ShadowLeavesToDrop(ref pressure, shadowLeaves, resident, frames, blocks, priority);
}
