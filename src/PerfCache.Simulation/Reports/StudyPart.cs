// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Scenarios;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// What one command of the study found. A part is a command line and the results that this command line gives, so that
/// every figure made from it can say how it is made again; the kinds of results that it has not are empty.
/// </summary>
public sealed record StudyPart
{
    /// <summary>What progress and reports call it, for example <c>PUMA: malloc</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The command line, as it can be typed.</summary>
    public required string CommandLine { get; init; }

    /// <summary>How long it took on this machine, in seconds of the clock.</summary>
    public double Seconds { get; init; }

    /// <summary>Results of a replay.</summary>
    public IReadOnlyList<ReplayResult> Replays { get; init; } = [];

    /// <summary>Miss ratio curves.</summary>
    public IReadOnlyList<MissRatioCurve> Curves { get; init; } = [];

    /// <summary>PUMA's scenarios.</summary>
    public IReadOnlyList<ScenarioReport> Scenarios { get; init; } = [];

    /// <summary>What the flipping runs were of; null where there are none.</summary>
    public FlipScenario? Flipping { get; init; }

    /// <summary>Runs of the flipping study.</summary>
    public IReadOnlyList<FlipResult> Flips { get; init; } = [];

    /// <summary>What halving and doubling does to flipping.</summary>
    public IReadOnlyList<FlipSensitivity> FlipSensitivities { get; init; } = [];

    /// <summary>True for a part that is there for its halved and doubled parameters, at a smaller scale.</summary>
    public bool IsSensitivity { get; init; }
}
