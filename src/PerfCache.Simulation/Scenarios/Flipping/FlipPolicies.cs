// SPDX-License-Identifier: MIT
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>From a remedy's name and the parameters to the options of the policies. Ticks are nanoseconds.</summary>
internal static class FlipPolicies
{
    internal static FrameExchangeOptions ExchangeOf(
        FlipScenario scenario, FlipRemedy remedy, int poolFrames, PoolCalibration? calibration) => new()
        {
            GiveBack = remedy.GiveBack,
            Calibration = calibration,
            Pool = remedy.GiveBack != GiveBack.Pool ? null : new PoolSizingOptions
            {
                Frames = remedy.IsDynamicPool ? (int)scenario.Value("ring-slots")
                : remedy.IsAblation ? (int)scenario.Value("small-pool-frames")
                : poolFrames,
                IsDynamic = remedy.IsDynamicPool,
                FloorFrames = (int)scenario.Value("ring-slots"),
                CeilingFrames = Math.Max((int)scenario.Value("ring-slots"), (int)scenario.FramesOf("pool-ceiling-share")),
                PeriodTicks = Math.Max(1, (long)(scenario.Value("pool-period-ms") * VirtualClock.Millisecond)),
            },
        };

    internal static MigrationOptions? MigrationOf(FlipScenario scenario, FlipRemedy remedy)
    {
        if (!remedy.IsPeriodic && !remedy.HasThreshold) return null;
        int batch = (int)scenario.Value("migrate-batch");
        double period = scenario.Value(remedy.IsAblation ? "long-period-s" : "migrate-period-s") / scenario.Scale;
        return new MigrationOptions
        {
            PeriodTicks = remedy.IsPeriodic ? Math.Max(1, VirtualClock.FromSeconds(period)) : 0,
            ThresholdShare = remedy.HasThreshold ? scenario.Value("migrate-threshold") : 0,
            BatchPages = batch,
            BatchTicks = VirtualClock.FromSeconds(batch / scenario.Value("migrate-rate")),
        };
    }
}
