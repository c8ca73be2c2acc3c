// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>One run of <see cref="BorrowerResumesScenario"/>.</summary>
/// <param name="Name">What was different.</param>
/// <param name="Profile">The kernel.</param>
/// <param name="LentShare">Lent pages at the end as a share of the lender's idle memory.</param>
/// <param name="SecondsToHalf">From the borrower's start until half of the idle memory was lent; -1 for never.</param>
/// <param name="SecondsTo80">The same for 80 %.</param>
/// <param name="Suspensions">Times that lending was suspended after the lender had stopped.</param>
/// <param name="SuspendedShare">The part of that time in which it was.</param>
internal sealed record BorrowerResumesOutcome(
    string Name, KernelProfile Profile, double LentShare, double SecondsToHalf, double SecondsTo80, long Suspensions,
    double SuspendedShare);

/// <summary>
/// Problem 3 of the slides: the lender reads, stops, and leaves its memory full of active pages; then the borrower reads.
/// How much of the idle memory does it get? Without forced deactivation (before), with it (after); and what the detectors,
/// which the slide leaves out, make of it.
/// </summary>
internal static class BorrowerResumesScenario
{
    private const double WorkingSetShare = 0.9;
    private const double BorrowerSetFactor = 4;
    private const double LeadSeconds = 250;
    private const double RunSeconds = 400;

    internal static (List<BorrowerResumesOutcome> Outcomes, ScenarioReport Report) Run(
        ScenarioOptions scenario, ScenarioRun run)
    {
        PairRuns<BorrowerResumesOutcome> runs = new(scenario, run, "borrower-resumes");
        runs.Run(Variants, pair => RunOne(pair, run));
        return (runs.Outcomes, Report(scenario, runs));
    }

    private static IEnumerable<PairOptions> Variants(KernelProfile profile) =>
    [
        new() { Name = "not forced", Profile = profile, Signs = ActivitySigns.None, Forces = false },
        new() { Name = "forced", Profile = profile, Signs = ActivitySigns.None },
        new() { Name = "forced, detector #3", Profile = profile },
        new() { Name = "forced, idle-aware #3", Profile = profile, IsIdleAware = true },
    ];

    private static BorrowerResumesOutcome RunOne(PairRun pair, ScenarioRun run)
    {
        long start = VirtualClock.FromSeconds(LeadSeconds);
        pair.Room.Run(pair.Lender, new IoClientOptions
        {
            Pattern = new UniformPattern((ulong)(pair.LenderPages * WorkingSetShare)),
            StartNanos = 0,
            StopNanos = start,
        });
        pair.Room.Run(pair.Borrower, new IoClientOptions
        {
            Pattern = new UniformPattern((ulong)(pair.BorrowerPages * BorrowerSetFactor)),
            StartNanos = start,
            Threads = 2,
        });
        pair.Room.Sample(PairRun.SampleNanos);
        pair.Room.RunUntil(start, run);
        long before = pair.Suspensions;
        pair.Room.RunUntil(start + VirtualClock.FromSeconds(RunSeconds), run);

        double idle = pair.LenderPages - pair.Lender.HighWatermark;
        IReadOnlyList<MachineSample> samples = pair.Room.Series[0].Samples;
        double SecondsTo(double share)
        {
            foreach (MachineSample sample in samples)
                if (sample.Seconds >= LeadSeconds && sample.Lent >= share * idle) return sample.Seconds - LeadSeconds;
            return -1;
        }

        return new BorrowerResumesOutcome(
            pair.Options.Name, pair.Options.Profile, pair.Lender.Watch.LentCount / idle, SecondsTo(0.5), SecondsTo(0.8),
            pair.Suspensions - before, pair.SuspendedShare(start));
    }

    private static ScenarioReport Report(ScenarioOptions scenario, PairRuns<BorrowerResumesOutcome> runs)
    {
        List<BorrowerResumesOutcome> outcomes = runs.Outcomes;
        List<string> findings = [];
        foreach (KernelProfile profile in scenario.Profiles)
        {
            BorrowerResumesOutcome[] of = [.. outcomes.Where(one => one.Profile == profile)];
            string name = PairRun.NameOf(profile);
            findings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{name}, detectors off: the borrower gets {100 * of[0].LentShare:0} % of the idle "
                + $"memory, and {100 * of[1].LentShare:0} % with forced deactivation"));
            findings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{name}, detectors on: set off by the borrower's own puts, lending is suspended "
                + $"{of[2].Suspensions} times and {100 * of[2].SuspendedShare:0} % of the time, and the "
                + $"borrower gets {100 * of[2].LentShare:0} %; an idle-aware #2 (ours, off by default) "
                + $"gives {100 * of[3].LentShare:0} %"));
        }

        return new ScenarioReport
        {
            Scenario = runs.Scenario,
            Question = "The lender has stopped and left active pages behind: how much of its memory does the borrower get?",
            Tables =
            [
                new ScenarioTable("borrowerResumes", "The borrower after the lender has stopped",
                    [
                        new("kernel", "kernel"), new("run", "run"), new("lentShare", "of idle memory", "0.0 %"),
                        new("secondsToHalf", "s to 50 %", "0"), new("secondsTo80", "s to 80 %", "0"),
                        new("suspensions", "suspensions", "N0"), new("suspendedShare", "suspended", "0.0 %"),
                    ],
                    [.. outcomes.Select(one => new object?[]
                    {
                        PairRun.NameOf(one.Profile), one.Name, one.LentShare, one.SecondsToHalf, one.SecondsTo80,
                        one.Suspensions, one.SuspendedShare,
                    })]),
            ],
            Findings = findings,
            KeyFigures =
            [
                new("notForced", "not forced", outcomes[0].LentShare), new("forced", "forced", outcomes[1].LentShare),
                new("withDetector", "with #3", outcomes[2].LentShare),
                new("idleAware", "idle-aware", outcomes[3].LentShare),
            ],
            Timelines = runs.Timelines,
            Decisions = runs.Decisions,
            Parameters = scenario.Parameters,
        };
    }
}
