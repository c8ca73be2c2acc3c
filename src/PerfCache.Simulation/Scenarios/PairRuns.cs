// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>The runs of a scenario of a lender and a borrower: each variant on each kernel, and what the lender went through.
/// </summary>
/// <typeparam name="TOutcome">What a run results in.</typeparam>
/// <param name="options">What all runs share.</param>
/// <param name="run">Where they report how far they are, and whether they are to stop.</param>
/// <param name="scenario">The scenario's name.</param>
internal sealed class PairRuns<TOutcome>(ScenarioOptions options, ScenarioRun run, string scenario)
{
    internal string Scenario => scenario;

    internal List<TOutcome> Outcomes { get; } = [];

    internal List<MachineTimeline> Timelines { get; } = [];

    internal List<DecisionList> Decisions { get; } = [];

    /// <summary>Runs all variants of each kernel, in order.</summary>
    internal void Run(Func<KernelProfile, IEnumerable<PairOptions>> variants, Func<PairRun, TOutcome> runOne)
    {
        foreach (PairOptions variant in options.Profiles.SelectMany(variants))
        {
            run.Part = $"{scenario}, {PairRun.NameOf(variant.Profile)}, {variant.Name}";
            using PairRun pair = new(options, variant);
            Outcomes.Add(runOne(pair));
            Timelines.AddRange(pair.Timelines().Where(one => one.Machine == "lender"));
            Decisions.AddRange(pair.Decisions());
        }
    }
}
