// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>One run of <see cref="ConcurrentScenario"/>.</summary>
/// <param name="Workload">What the lender does.</param>
/// <param name="Name">Which detectors.</param>
/// <param name="Profile">The kernel.</param>
/// <param name="PerSecond">The lender's I/Os per second, those that the scale leaves out included.</param>
/// <param name="OverSolo">They, over those of the run without lending.</param>
/// <param name="OverSoloSecondHalf">The same in the second half.</param>
/// <param name="BorrowerPerSecond">The borrower's I/Os per second in the same time.</param>
/// <param name="Cycles">Times that lending was suspended since the lender began.</param>
/// <param name="ByRefault">Signs of detector #1 since the run began.</param>
/// <param name="ByPressure">Signs of detector #2.</param>
/// <param name="FirstSuspension">Seconds from the lender's start to the first suspension; -1 for none.</param>
internal sealed record ConcurrentOutcome(
    string Workload, string Name, KernelProfile Profile, double PerSecond, double OverSolo, double OverSoloSecondHalf,
    double BorrowerPerSecond, long Cycles, long ByRefault, long ByPressure, double FirstSuspension);

/// <summary>
/// Problem 4 of the slides: the borrower has the lender's memory and goes on; the lender begins to read. It must have
/// priority. Without detectors, with #1, #2, and both (#3).
/// </summary>
internal static class ConcurrentScenario
{
    private const double LeadSeconds = 120;
    private const double RunSeconds = 400;
    private const double HotShare = 0.6;
    private const double ColdFactor = 3.4;
    private const double ColdReads = 0.02;
    private const double UniformShare = 0.9;
    private const double BorrowerSetFactor = 3;

    internal const string HotCold = "hot set and cold stream";
    internal const string Uniform = "uniform, 0.9 of memory";

    internal static (List<ConcurrentOutcome> Outcomes, ScenarioReport Report) Run(
        ScenarioOptions scenario, ScenarioRun run, bool withUniform = true)
    {
        List<ConcurrentOutcome> outcomes = [];
        List<MachineTimeline> timelines = [];
        List<DecisionList> decisions = [];
        string[] workloads = scenario.LenderTrace is { } trace ? [trace.Name] : withUniform ? [HotCold, Uniform] : [HotCold];
        foreach (KernelProfile profile in scenario.Profiles)
        {
            foreach (string workload in workloads)
            {
                (double All, double SecondHalf) solo = (1, 1);
                foreach (PairOptions options in Variants(profile))
                {
                    run.Part = $"concurrent, {PairRun.NameOf(profile)}, {workload}, {options.Name}";
                    using PairRun pair = new(scenario, options);
                    outcomes.Add(RunOne(pair, workload, run, ref solo));
                    if (workload != workloads[0]) continue;
                    timelines.AddRange(pair.Timelines());
                    decisions.AddRange(pair.Decisions());
                }
            }
        }

        return (outcomes, Report(scenario, outcomes, timelines, decisions));
    }

    private static IEnumerable<PairOptions> Variants(KernelProfile profile) =>
    [
        new() { Name = "alone", Profile = profile, Lends = false },
        new() { Name = "none", Profile = profile, Signs = ActivitySigns.None },
        new() { Name = "#1", Profile = profile, Signs = ActivitySigns.Refault },
        new() { Name = "#2", Profile = profile, Signs = ActivitySigns.Pressure },
        new() { Name = "#3", Profile = profile },
    ];

    private static ConcurrentOutcome RunOne(
        PairRun pair, string workload, ScenarioRun run, ref (double All, double SecondHalf) solo)
    {
        long start = VirtualClock.FromSeconds(LeadSeconds);
        IoClient? borrower = null;
        if (pair.Options.Lends)
        {
            borrower = pair.Room.Run(pair.Borrower, new IoClientOptions
            {
                Pattern = pair.Scenario.BorrowerTrace is { } trace
                    ? new TracePattern(trace) : new UniformPattern((ulong)(pair.BorrowerPages * BorrowerSetFactor)),
                StartNanos = 0,
                Threads = 2,
            });
        }

        IoClient lender = pair.Room.Run(
            pair.Lender, new IoClientOptions { Pattern = PatternOf(pair, workload), StartNanos = start });
        pair.Room.Sample(PairRun.SampleNanos);
        pair.Room.RunUntil(start, run);
        long borrowed = borrower?.Done ?? 0;
        long cycles = pair.Suspensions;
        pair.Room.RunUntil(start + VirtualClock.FromSeconds(RunSeconds / 2), run);
        long half = lender.Done;
        pair.Room.RunUntil(start + VirtualClock.FromSeconds(RunSeconds), run);

        double scale = pair.Scenario.Scale;
        double all = lender.Done * scale / RunSeconds;
        double secondHalf = (lender.Done - half) * scale / (RunSeconds / 2);
        if (!pair.Options.Lends) solo = (all, secondHalf);
        PumaJournal? journal = pair.Lender.Lender?.Journal;
        return new ConcurrentOutcome(
            workload, pair.Options.Name, pair.Options.Profile, all, all / solo.All, secondHalf / solo.SecondHalf,
            ((borrower?.Done ?? 0) - borrowed) * scale / RunSeconds, pair.Suspensions - cycles,
            Signs(journal, PumaCause.Refault), Signs(journal, PumaCause.Pressure), pair.FirstSuspension(start));
    }

    private static long Signs(PumaJournal? journal, PumaCause cause) => journal is null ? 0
        : journal.Total(PumaEventKind.Suspended, cause) + journal.Total(PumaEventKind.Rearmed, cause);

    private static AccessPattern PatternOf(PairRun pair, string workload)
    {
        if (pair.Scenario.LenderTrace is { } trace) return new TracePattern(trace);
        if (workload == Uniform) return new UniformPattern((ulong)(pair.LenderPages * UniformShare));
        ulong hot = (ulong)(pair.LenderPages * HotShare);
        return new HotColdPattern(hot, (ulong)(hot * ColdFactor), ColdReads);
    }

    private static ScenarioReport Report(
        ScenarioOptions scenario, List<ConcurrentOutcome> outcomes, List<MachineTimeline> timelines,
        List<DecisionList> decisions)
    {
        List<string> findings = [];
        foreach (ConcurrentOutcome[] of in outcomes.GroupBy(one => (one.Profile, one.Workload)).Select(group => group.ToArray()))
        {
            ConcurrentOutcome One(string name) => of.First(one => one.Name == name);
            findings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{PairRun.NameOf(of[0].Profile)}, {of[0].Workload}: the lender keeps "
                + $"{100 * One("none").OverSolo:0.0} % of its speed without detectors and "
                + $"{100 * One("#3").OverSolo:0.0} % with #3; suspend cycles: #1 {One("#1").Cycles}, #2 "
                + $"{One("#2").Cycles}, #3 {One("#3").Cycles}; first suspension: #1 "
                + $"{One("#1").FirstSuspension:0.0} s, #2 {One("#2").FirstSuspension:0.0} s, #3 "
                + $"{One("#3").FirstSuspension:0.0} s; #2 "
                + $"{(One("#2").ByPressure > 0 ? "fired" : "never fired")}"));
        }

        return new ScenarioReport
        {
            Scenario = "concurrent",
            Question = "Both read at the same time: does the lender keep its speed?",
            Tables =
            [
                new ScenarioTable("concurrent", "The lender beside a busy borrower",
                    [
                        new("kernel", "kernel"), new("workload", "lender's workload"), new("detectors", "detectors"),
                        new("perSecond", "I/O/s", "N0"), new("overSolo", "over alone", "0.000"),
                        new("overSoloSecondHalf", "2nd half", "0.000"), new("borrowerPerSecond", "borrower I/O/s", "N0"),
                        new("cycles", "cycles", "N0"), new("refaultSigns", "#1 signs", "N0"),
                        new("pressureSigns", "#2 signs", "N0"), new("firstSuspension", "first, s", "0.0"),
                    ],
                    [.. outcomes.Select(one => new object?[]
                    {
                        PairRun.NameOf(one.Profile), one.Workload, one.Name, one.PerSecond, one.OverSolo,
                        one.OverSoloSecondHalf, one.BorrowerPerSecond, one.Cycles, one.ByRefault, one.ByPressure,
                        one.FirstSuspension,
                    })]),
            ],
            Findings = findings,
            KeyFigures =
            [
                .. outcomes.Skip(1).Take(4).Select(one => new KeyFigure(
                    "overSolo" + one.Name, one.Name + " over alone", one.OverSolo)),
                .. outcomes.Skip(2).Take(3).Select(one => new KeyFigure("cycles" + one.Name, one.Name + " cycles", one.Cycles)),
            ],
            Timelines = timelines,
            Decisions = decisions,
            Parameters = scenario.Parameters,
        };
    }
}
