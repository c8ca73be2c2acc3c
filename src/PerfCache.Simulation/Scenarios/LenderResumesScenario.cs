// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>One run of <see cref="LenderResumesScenario"/>.</summary>
/// <param name="Name">What was different.</param>
/// <param name="Profile">The kernel.</param>
/// <param name="SecondsToRatio">From the lender's start until its hit ratio was 95 % of the solo run's last one; -1 for not
/// within the run.</param>
/// <param name="OwnEvictions">Own pages that the lender evicted.</param>
/// <param name="ReadAgainShare">Pages that it had to read again, as a share of its working set.</param>
/// <param name="LentAtStart">Pages lent when it began.</param>
internal sealed record LenderResumesOutcome(
    string Name, KernelProfile Profile, double SecondsToRatio, long OwnEvictions, double ReadAgainShare, long LentAtStart);

/// <summary>
/// Problem 2 of the slides: the borrower fills the lender's memory and stops; then the lender begins to read. How long does
/// it take until it has its cache back? Lent pages in both lists (the slides' before) against lent pages that stay inactive
/// (after), and the lender alone.
/// </summary>
internal static class LenderResumesScenario
{
    private const double WorkingSetShare = 0.9;
    private const double BorrowerSetFactor = 3;
    private const double LeadSeconds = 400;
    private const double RunSeconds = 400;
    private const double RatioShare = 0.95;

    internal static (List<LenderResumesOutcome> Outcomes, ScenarioReport Report) Run(
        ScenarioOptions scenario, ScenarioRun run)
    {
        PairRuns<LenderResumesOutcome> runs = new(scenario, run, "lender-resumes");
        // The first of each kernel's runs is the lender alone, whose ratio the others are measured by.
        double solo = 0;
        runs.Run(Variants, pair => RunOne(pair, run, ref solo));
        return (runs.Outcomes, Report(scenario, runs));
    }

    private static IEnumerable<PairOptions> Variants(KernelProfile profile) =>
    [
        new() { Name = "alone", Profile = profile, Lends = false },
        new() { Name = "inactive-only", Profile = profile },
        // Forced deactivation came later on the slides, for lent pages that are inactive; here it would undo the before.
        new() { Name = "integrated", Profile = profile, LentStayInactive = false, Forces = false },
    ];

    private static LenderResumesOutcome RunOne(PairRun pair, ScenarioRun run, ref double solo)
    {
        long start = VirtualClock.FromSeconds(LeadSeconds);
        ulong set = (ulong)(pair.LenderPages * WorkingSetShare);
        if (pair.Options.Lends)
        {
            pair.Room.Run(pair.Borrower, new IoClientOptions
            {
                Pattern = new UniformPattern((ulong)(pair.BorrowerPages * BorrowerSetFactor)),
                StartNanos = 0,
                StopNanos = start,
                Threads = 2,
            });
        }

        IoClient lender = pair.Room.Run(
            pair.Lender, new IoClientOptions { Pattern = new UniformPattern(set), StartNanos = start });
        pair.Room.Sample(PairRun.SampleNanos);
        pair.Room.RunUntil(start, run);
        long lent = pair.Lender.Watch.LentCount;
        pair.Room.RunUntil(start + VirtualClock.FromSeconds(RunSeconds), run);

        IReadOnlyList<MachineSample> samples = pair.Room.Series[0].Samples;
        if (!pair.Options.Lends) solo = Ratio(samples, samples.Count - 20, 20);
        return new LenderResumesOutcome(
            pair.Options.Name, pair.Options.Profile, SecondsTo(samples, RatioShare * solo), pair.Lender.Watch.OwnEvictions,
            (double)lender.ReadAgain / set, lent);
    }

    /// <summary>The hit ratio over some samples.</summary>
    internal static double Ratio(IReadOnlyList<MachineSample> samples, int first, int count)
    {
        (long pages, long hits) = (0, 0);
        for (int i = Math.Max(0, first); i < Math.Min(samples.Count, first + count); i++)
            (pages, hits) = (pages + samples[i].Pages, hits + samples[i].Hits);
        return pages == 0 ? 0 : (double)hits / pages;
    }

    /// <summary>The seconds from the start until the ratio over three seconds is as high as asked.</summary>
    private static double SecondsTo(IReadOnlyList<MachineSample> samples, double ratio)
    {
        const int Window = 3;
        int first = (int)LeadSeconds + 1;
        for (int i = first; i + Window <= samples.Count; i++)
            if (Ratio(samples, i, Window) >= ratio) return i + 1 - LeadSeconds;
        return -1;
    }

    private static ScenarioReport Report(ScenarioOptions scenario, PairRuns<LenderResumesOutcome> runs)
    {
        List<LenderResumesOutcome> outcomes = runs.Outcomes;
        List<string> findings = [];
        foreach (KernelProfile profile in scenario.Profiles)
        {
            LenderResumesOutcome[] of = [.. outcomes.Where(one => one.Profile == profile)];
            (LenderResumesOutcome alone, LenderResumesOutcome inactive, LenderResumesOutcome integrated) = (of[0], of[1], of[2]);
            findings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{PairRun.NameOf(profile)}: lent pages that stay inactive cost the lender a factor "
                + $"of {inactive.SecondsToRatio / alone.SecondsToRatio:0.00} in time and "
                + $"{inactive.OwnEvictions} own pages; in both lists it is "
                + $"{integrated.SecondsToRatio / alone.SecondsToRatio:0.00}, and "
                + $"{100 * integrated.ReadAgainShare:0} % of the working set are read again"));
        }

        return new ScenarioReport
        {
            Scenario = runs.Scenario,
            Question = "The borrower has filled the lender's memory and stopped: how fast does the lender get its cache back?",
            Tables =
            [
                new ScenarioTable("lenderResumes", "The lender after the borrower has stopped",
                    [
                        new("kernel", "kernel"), new("run", "lent pages"), new("lentAtStart", "lent at start", "N0"),
                        new("secondsTo95", "s to 95 % of hits", "0"), new("overAlone", "over alone", "0.000"),
                        new("ownEvictions", "own evictions", "N0"), new("readAgain", "read again", "0.0 %"),
                    ],
                    [.. outcomes.Select(one => new object?[]
                    {
                        PairRun.NameOf(one.Profile), one.Name, one.LentAtStart, one.SecondsToRatio,
                        one.SecondsToRatio / outcomes.First(
                            alone => alone.Profile == one.Profile && alone.Name == "alone").SecondsToRatio,
                        one.OwnEvictions, one.ReadAgainShare,
                    })]),
            ],
            Findings = findings,
            KeyFigures =
            [
                new("inactiveOnlyOverAlone", "inactive-only over alone", outcomes[1].SecondsToRatio / outcomes[0].SecondsToRatio),
                new("integratedOverAlone", "integrated over alone", outcomes[2].SecondsToRatio / outcomes[0].SecondsToRatio),
                new("integratedReadAgain", "integrated, read again", outcomes[2].ReadAgainShare),
            ],
            Timelines = runs.Timelines,
            Decisions = runs.Decisions,
            Parameters = scenario.Parameters,
        };
    }
}
