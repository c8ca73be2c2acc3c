// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Policies.Replacement;
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Curves;

/// <summary>
/// What a policy must become to run in miniature: a sample of rate R in a cache of R times the frames (Waldspurger,
/// Saemundsson, Ahmad, Park, "Cache modeling and optimization using miniature simulations", USENIX ATC 2017).
/// <para>
/// Parameters in percent of the cache scale by themselves. The linux-* rules count pages: a reclaim call frees 32 and
/// batches hold 31 or 14, which in a miniature of a hundredth would weigh as 3,200 do in the cache that it stands for.
/// So both are multiplied by R, and are at least 1 (one page at a time).
/// </para>
/// </summary>
internal static class MiniaturePolicy
{
    /// <summary>The policy to run in a miniature.</summary>
    public static PolicySpec Of(PolicySpec policy, double rate)
    {
        int batchDefault = policy.Name switch
        {
            "linux-6" => Linux6.CpuBatchDefault,
            "linux-3.15" => Linux315.CpuBatchDefault,
            _ => 0,
        };
        if (batchDefault == 0) return policy;
        const int Max = LinuxRules<Linux6>.BatchMax;
        int reclaim = policy.GetInt32("reclaim", LinuxRules<Linux6>.ReclaimBatchDefault, 1, Max);
        int batch = policy.GetInt32("batch", batchDefault, 1, Max);
        return PolicySpec.Parse(string.Create(CultureInfo.InvariantCulture,
            $"{policy.Name}:reclaim={Scaled(reclaim, rate)},batch={Scaled(batch, rate)}"));
    }

    /// <summary>The frames of the miniature of a cache.</summary>
    public static long Frames(long frames, double rate) => Math.Max(1, (long)Math.Round(frames * rate));

    private static int Scaled(int value, double rate) => Math.Max(1, (int)Math.Round(value * rate));
}
