// SPDX-License-Identifier: MIT
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>What one halved or doubled parameter does to the results, at a smaller scale.</summary>
/// <param name="Name">The parameter; empty for the defaults.</param>
/// <param name="Value">Its value.</param>
/// <param name="NaiveHeap">The remote part at the end, naive, heap model.</param>
/// <param name="NaiveSwap">The same, swap model.</param>
/// <param name="NaiveLoss">Speed lost by latency-bound work at the end, naive, heap model.</param>
/// <param name="PoolMax">The largest remote part with a dynamic pool, heap model.</param>
/// <param name="PeriodicMax">The largest remote part with periodic migration, heap model.</param>
/// <param name="PeriodicLoss">Speed lost on average with periodic migration, its cost included.</param>
/// <param name="CrossoverBytes">The least payload that is cheaper flipped; 0 for none.</param>
/// <param name="Refusal">Why there is no result: the value contradicts others.</param>
public sealed record FlipSensitivity(string Name, double Value, double NaiveHeap, double NaiveSwap, double NaiveLoss,
    double PoolMax, double PeriodicMax, double PeriodicLoss, int CrossoverBytes, string Refusal = "");

/// <summary>
/// The flipping study: runs a scenario with one remedy or another. The same scenario gives the same packets to
/// all of them, and the same seed the same result.
/// </summary>
public static class FlipStudy
{
    /// <summary>The scale of <see cref="Sensitivity"/>.</summary>
    public const int SensitivityScale = 16;

    /// <summary>Runs a scenario with a remedy. A static pool is calibrated first unless its size is given.</summary>
    /// <exception cref="ParameterException">The scenario contradicts itself.</exception>
    public static FlipResult Run(FlipScenario scenario, FlipRemedy remedy, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        ArgumentNullException.ThrowIfNull(remedy);
        scenario.Check();
        int frames = 1;
        if (remedy is { GiveBack: GiveBack.Pool, IsDynamicPool: false, IsAblation: false })
        {
            frames = (int)scenario.Value("pool-frames");
            if (frames == 0) frames = Calibrate(scenario, cancellation).RecommendedFrames(scenario.Value("pool-margin"));
        }

        CheckPool(scenario, remedy, frames);
        return new FlipSimulation(scenario, remedy, frames, null, cancellation).Run();
    }

    /// <summary>
    /// Finds the size of a static pool: watches how many frames are out at once during one query of other traffic (the
    /// seed is another), as an operator would before a day's work. A recorded load is watched itself.
    /// </summary>
    public static PoolCalibration Calibrate(FlipScenario scenario, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        PoolCalibration calibration = new();
        FlipScenario other = scenario with
        {
            Seed = unchecked(scenario.Seed + 0x5eed),
            Parameters = scenario.Parameters.With("queries", 1),
        };
        _ = new FlipSimulation(other, FlipRemedy.All[0], 1, calibration, cancellation).Run();
        return calibration;
    }

    /// <summary>Halves and doubles every parameter, at a smaller scale; the first result is that of the defaults.</summary>
    public static IEnumerable<FlipSensitivity> Sensitivity(FlipScenario scenario, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        FlipScenario small = scenario with { Scale = Math.Max(scenario.Scale, SensitivityScale) };
        yield return Vary("", 0, small, cancellation);
        foreach (ParameterVariant variant in small.Parameters.Variants())
        {
            if (cancellation.IsCancellationRequested) yield break;
            yield return Vary(variant.Parameter.Name, variant.Value, small with { Parameters = variant.Set }, cancellation);
        }
    }

    private static FlipSensitivity Vary(string name, double value, FlipScenario scenario, CancellationToken cancellation)
    {
        try
        {
            FlipResult naive = Run(scenario with { Placement = PlacementModel.Heap }, FlipRemedy.Parse("naive"), cancellation);
            FlipResult swap = Run(scenario with { Placement = PlacementModel.Swap }, FlipRemedy.Parse("naive"), cancellation);
            FlipResult pool = Run(scenario with { Placement = PlacementModel.Heap }, FlipRemedy.Parse("pool-dynamic"), cancellation);
            FlipResult periodic = Run(scenario with { Placement = PlacementModel.Heap }, FlipRemedy.Parse("periodic"), cancellation);
            return new FlipSensitivity(name, value, naive.RemoteShare, swap.RemoteShare, naive.LossAtEnd,
                pool.RemoteShareMax, periodic.RemoteShareMax, periodic.LossMean,
                new DeliveryCosts(scenario.Parameters).CrossoverBytes());
        }
        catch (ParameterException e)
        {
            return new FlipSensitivity(name, value, 0, 0, 0, 0, 0, 0, 0, e.Message);
        }
    }

    private static void CheckPool(FlipScenario scenario, FlipRemedy remedy, int staticFrames)
    {
        if (remedy.GiveBack != GiveBack.Pool) return;
        long frames = remedy.IsAblation ? (long)scenario.Value("small-pool-frames")
            : remedy.IsDynamicPool ? (long)scenario.Value("ring-slots") : staticFrames;
        long free = scenario.FramesOf("free-share");
        if (frames > free)
            throw new ParameterException(
                $"a pool of {frames} frames does not fit into the {free} free pages of a guest; "
                + "raise free-share or lower the pool");
    }
}
