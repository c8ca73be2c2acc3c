// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Policies.Replacement;

namespace PerfCache.Simulation.Machines;

/// <summary>A power of two, as a type: 2^<see cref="Bits"/>.</summary>
internal interface IScaleBits
{
    /// <summary>The exponent.</summary>
    static abstract int Bits { get; }
}

/// <summary>
/// A kernel on a machine whose memory is scaled down: where a rule depends on how large memory is (linux-6: how short the
/// inactive list may be), it sees the size that the lists stand for.
/// </summary>
/// <typeparam name="TProfile">The kernel.</typeparam>
/// <typeparam name="TBits">The scale.</typeparam>
internal readonly struct ScaledProfile<TProfile, TBits> : ILinuxProfile
    where TProfile : struct, ILinuxProfile where TBits : struct, IScaleBits
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
    public static bool IsInactiveLow(ulong inactive, ulong active) =>
        TProfile.IsInactiveLow(inactive << TBits.Bits, active << TBits.Bits);

    /// <inheritdoc/>
    public static ulong ShadowLeavesToDrop(
        ref ulong pressure, ulong shadowLeaves, ulong resident, ulong frames, ulong blocks, int priority) =>
        TProfile.ShadowLeavesToDrop(ref pressure, shadowLeaves, resident, frames, blocks, priority);
}

/// <summary>The caches of scaled machines.</summary>
internal static class ScaledCache
{
    /// <summary>A cache of linux-6 that decides as one so many times as large; by the next lower power of two.</summary>
    internal static MachineCache Linux6(uint frames, double scale) => BitOperations.Log2((uint)Math.Max(1, scale)) switch
    {
        0 => new MachineCache<Linux6>(frames),
        1 => new MachineCache<ScaledProfile<Linux6, Bits1>>(frames),
        2 => new MachineCache<ScaledProfile<Linux6, Bits2>>(frames),
        3 => new MachineCache<ScaledProfile<Linux6, Bits3>>(frames),
        4 => new MachineCache<ScaledProfile<Linux6, Bits4>>(frames),
        5 => new MachineCache<ScaledProfile<Linux6, Bits5>>(frames),
        _ => new MachineCache<ScaledProfile<Linux6, Bits6>>(frames),
    };

    private readonly struct Bits1 : IScaleBits
    {
        public static int Bits => 1;
    }

    private readonly struct Bits2 : IScaleBits
    {
        public static int Bits => 2;
    }

    private readonly struct Bits3 : IScaleBits
    {
        public static int Bits => 3;
    }

    private readonly struct Bits4 : IScaleBits
    {
        public static int Bits => 4;
    }

    private readonly struct Bits5 : IScaleBits
    {
        public static int Bits => 5;
    }

    private readonly struct Bits6 : IScaleBits
    {
        public static int Bits => 6;
    }
}
