// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>One run of <see cref="MallocScenario"/>.</summary>
/// <param name="Name">Where the memory came from.</param>
/// <param name="Profile">The kernel.</param>
/// <param name="MeanMilliseconds">A block of 8 MiB without rests of a balloon and without swap, on average; NaN for
/// none.</param>
/// <param name="Clean">Blocks of that kind.</param>
/// <param name="Troubled">Blocks with a rest or swap.</param>
/// <param name="TroubledMilliseconds">They, on average; NaN for none.</param>
/// <param name="WorstMilliseconds">The slowest block.</param>
/// <param name="BackOffs">Rests of balloons.</param>
/// <param name="SwappedPages">Pages swapped out by anybody.</param>
/// <param name="KilledAfter">Seconds from the first block until the program was killed; -1 when it was not.</param>
internal sealed record MallocOutcome(
    string Name, KernelProfile Profile, double MeanMilliseconds, int Clean, int Troubled, double TroubledMilliseconds,
    double WorstMilliseconds, long BackOffs, long SwappedPages, double KilledAfter)
{
    /// <summary>Over the reference.</summary>
    internal double Slowdown { get; set; }
}

/// <summary>
/// Problem 1 of the slides: the server needs memory that the client uses. How long does a block of 8 MiB take from free
/// memory (the reference), from a balloon, and from lent pages?
/// </summary>
internal static class MallocScenario
{
    internal const string Reference = "reference";
    internal const string Balloon = "ballooning";
    internal const string Puma = "PUMA";
    internal const string PumaDirect = "PUMA, own reclaim only";
    internal const string Static = "static PUMA";
    internal const string Reporting = "free-page reporting";
    private const double HugeTouchNanos = 970;
    private const double LeadSeconds = 120;
    private const double IdleShare = 0.75;
    private const double AskedShare = 0.9;
    private const double PauseMilliseconds = 100;
    private const double BorrowerSetFactor = 3;
    private const double StaticShare = 0.5;

    private static readonly (string Name, double Inflate, double Deflate, double Touch, long Request)[] s_costSets =
    [
        ("huge-page balloon", 31, 13, 888, 512), ("virtio-mem", 123, 42, 915, 512), ("HyperAlloc-like", 12, 0.5, 970, 512),
    ];

    internal static (List<MallocOutcome> Outcomes, ScenarioReport Report) Run(ScenarioOptions scenario, ScenarioRun run)
    {
        List<MallocOutcome> outcomes = [];
        List<MallocTimeline> mallocs = [];
        List<MachineTimeline> timelines = [];
        List<DecisionList> decisions = [];
        double breaksAt = 0;
        foreach (KernelProfile profile in scenario.Profiles)
        {
            List<MallocOutcome> of = [];
            foreach (PairOptions options in PumaVariants(profile, scenario))
            {
                run.Part = $"malloc, {PairRun.NameOf(profile)}, {options.Name}";
                using PairRun pair = new(scenario, options);
                of.Add(RunPuma(pair, run, mallocs));
                timelines.AddRange(pair.Timelines());
                decisions.AddRange(pair.Decisions());
            }

            of.AddRange(Balloons(scenario, profile, run, mallocs, timelines));
            foreach (MallocOutcome one in of) one.Slowdown = one.MeanMilliseconds / of[0].MeanMilliseconds;
            breaksAt = BreaksAt(scenario, of);
            outcomes.AddRange(of);
        }

        return (outcomes, Report(scenario, outcomes, breaksAt) with
        {
            Mallocs = mallocs,
            Timelines = timelines,
            Decisions = decisions,
        });
    }

    /// <summary>The runs with the slides' four steps, and with other ways to move memory in the same steps.</summary>
    private static List<MallocOutcome> Balloons(
        ScenarioOptions scenario, KernelProfile profile, ScenarioRun run, List<MallocTimeline> mallocs,
        List<MachineTimeline> timelines)
    {
        List<MallocOutcome> outcomes = [RunBalloon(scenario, profile, Balloon, run, mallocs, timelines)];
        foreach ((string name, double inflate, double deflate, double touch, long request) in s_costSets)
        {
            ParameterSet costs = scenario.Parameters.With("balloon-inflate-ns", inflate).With("balloon-deflate-ns", deflate)
                .With("balloon-touch-ns", touch).With("balloon-request", request);
            outcomes.Add(RunBalloon(scenario with { Parameters = costs }, profile, name, run, mallocs, timelines));
        }

        outcomes.Add(RunReporting(scenario, profile, run, mallocs));
        return outcomes;
    }

    /// <summary>
    /// The server has reported its free memory and the host has given it to the client, whose page cache it cannot see; so
    /// each page that the server touches again is swapped out of the client by the host.
    /// </summary>
    private static MallocOutcome RunReporting(
        ScenarioOptions scenario, KernelProfile profile, ScenarioRun run, List<MallocTimeline> mallocs)
    {
        run.Part = $"malloc, {PairRun.NameOf(profile)}, {Reporting}";
        ParameterSet costs = scenario.Parameters.With("balloon-touch-ns", HugeTouchNanos);
        using MachineRoom room = new((scenario with { Parameters = costs }).Scaled, scenario.Seed);
        uint server = scenario.Pages("lender-mib");
        Machine machine = room.Add(new MachineOptions
        {
            Name = "server",
            MemoryPages = server,
            AnonymousPages = (uint)(server * (1 - IdleShare)),
            ReportedPages = (uint)(server * IdleShare),
            Profile = profile,
            Scale = scenario.Scale,
            Disk = scenario.Disk,
        });
        MallocClient malloc = room.Run(machine, AskOptions(server));
        RunToEnd(room, malloc, run);
        return Outcome(room, malloc, Reporting, profile, mallocs);
    }

    private static IEnumerable<PairOptions> PumaVariants(KernelProfile profile, ScenarioOptions scenario)
    {
        uint server = scenario.Pages("lender-mib");
        PairOptions options = new()
        {
            Name = Reference,
            Profile = profile,
            Lends = false,
            AnonymousPages = (uint)(server * (1 - IdleShare)),
        };
        yield return options;
        options = options with { Name = Puma, Lends = true };
        yield return options;
        yield return options with { Name = PumaDirect, ReclaimsInBackground = false };
        yield return options with
        {
            Name = Static,
            Signs = ActivitySigns.None,
            QuotaPages = (long)(server * StaticShare),
        };
    }

    private static MallocOutcome RunPuma(PairRun pair, ScenarioRun run, List<MallocTimeline> mallocs)
    {
        if (pair.Options.Lends) pair.Room.Run(pair.Borrower, ClientOptions(pair.BorrowerPages));
        MallocClient malloc = pair.Room.Run(pair.Lender, AskOptions(pair.LenderPages));
        pair.Room.Sample(PairRun.SampleNanos);
        RunToEnd(pair.Room, malloc, run);
        return Outcome(pair.Room, malloc, pair.Options.Name, pair.Options.Profile, mallocs);
    }

    private static MallocOutcome RunBalloon(
        ScenarioOptions scenario, KernelProfile profile, string name, ScenarioRun run, List<MallocTimeline> mallocs,
        List<MachineTimeline> timelines)
    {
        run.Part = $"malloc, {PairRun.NameOf(profile)}, {name}";
        DemandController controller = new((int)scenario.Parameters.Whole("balloon-request"));
        using BalloonPair pair = new(scenario, profile, controller, IdleShare);
        pair.Room.Run(pair.Client, ClientOptions(scenario.Pages("borrower-mib")));
        MallocClient malloc = pair.Room.Run(pair.Server, AskOptions(scenario.Pages("lender-mib")));
        pair.Room.Sample(PairRun.SampleNanos);
        RunToEnd(pair.Room, malloc, run);
        timelines.AddRange(pair.Timelines(name, scenario.Scale));
        return Outcome(pair.Room, malloc, name, profile, mallocs);
    }

    private static IoClientOptions ClientOptions(uint pages) => new()
    {
        Pattern = new UniformPattern((ulong)(pages * BorrowerSetFactor)),
        StartNanos = 0,
        Threads = 2,
    };

    private static MallocClientOptions AskOptions(uint pages)
    {
        const int BlockPages = 2048;
        return new()
        {
            StartNanos = VirtualClock.FromSeconds(LeadSeconds),
            BlockPages = BlockPages,
            Blocks = Math.Max(4, (int)(pages * IdleShare * AskedShare / BlockPages)),
            PauseNanos = (long)(PauseMilliseconds * VirtualClock.Millisecond),
        };
    }

    /// <summary>Until the last block, or the end of the program, or ten minutes.</summary>
    private static void RunToEnd(MachineRoom room, MallocClient malloc, ScenarioRun run)
    {
        room.RunUntil(VirtualClock.FromSeconds(LeadSeconds), run);
        for (int second = 0; second < 600 && malloc.EndedAtNanos < 0 && malloc.KilledAtNanos < 0; second++)
        {
            run.ThrowIfStopped();
            room.Queue.RunUntil(room.Queue.NowNanos + VirtualClock.Second);
        }
    }

    private static MallocOutcome Outcome(
        MachineRoom room, MallocClient malloc, string name, KernelProfile profile, List<MallocTimeline> mallocs)
    {
        const double Milli = VirtualClock.Millisecond;
        mallocs.Add(new MallocTimeline(name, [.. malloc.Samples.Select(one => new MallocPoint(
            VirtualClock.ToSeconds(one.AtNanos), one.Nanos / Milli, one.IsClean))]));
        MallocSample[] clean = [.. malloc.Samples.Where(one => one.IsClean)];
        MallocSample[] troubled = [.. malloc.Samples.Where(one => !one.IsClean)];
        return new MallocOutcome(
            name, profile, clean.Length == 0 ? double.NaN : clean.Average(one => one.Nanos) / Milli, clean.Length,
            troubled.Length, troubled.Length == 0 ? double.NaN : troubled.Average(one => one.Nanos) / Milli,
            malloc.Samples.Count == 0 ? double.NaN : malloc.Samples.Max(one => one.Nanos) / Milli,
            room.Host?.BackOffs ?? 0, room.Machines.Sum(one => one.SwapOuts),
            malloc.KilledAtNanos < 0 ? -1 : VirtualClock.ToSeconds(malloc.KilledAtNanos) - LeadSeconds);
    }

    /// <summary>
    /// The cost of reclaim at which a block takes 2.9 times the reference when the program reclaims all pages itself. The
    /// time of a block is a straight line in that cost, so two points tell it: no cost, and the one of the run.
    /// </summary>
    private static double BreaksAt(ScenarioOptions scenario, List<MallocOutcome> outcomes)
    {
        const double Limit = 2.9;
        double reference = outcomes[0].MeanMilliseconds;
        double direct = outcomes.First(one => one.Name == PumaDirect).MeanMilliseconds;
        double cost = scenario.Parameters.Value("reclaim-ns");
        return cost * (Limit - 1) * reference / (direct - reference);
    }

    private static ScenarioReport Report(ScenarioOptions scenario, List<MallocOutcome> outcomes, double breaksAt)
    {
        List<string> findings = [];
        foreach (MallocOutcome[] of in outcomes.GroupBy(one => one.Profile).Select(group => group.ToArray()))
        {
            MallocOutcome One(string name) => of.First(one => one.Name == name);
            double overhead = (One(Balloon).Slowdown - 1) / (One(PumaDirect).Slowdown - 1);
            findings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{PairRun.NameOf(of[0].Profile)}: a block of 8 MiB takes {One(Balloon).Slowdown:0.0} "
                + $"times the reference from a balloon, {One(Puma).Slowdown:0.00} times from lent "
                + $"pages, and {One(PumaDirect).Slowdown:0.00} times where the program reclaims them "
                + $"all itself; the overhead is {overhead:0} times smaller even then; pages swapped "
                + $"under PUMA: {One(Puma).SwappedPages}"));
        }

        findings.Add(string.Create(
            CultureInfo.InvariantCulture,
            $"the reclaim of a page is assumed to take "
            + $"{scenario.Parameters.Value("reclaim-ns"):0} ns; 2.9 times the reference is passed "
            + $"at {breaksAt:0} ns, all pages reclaimed by the program"));
        return new ScenarioReport
        {
            Scenario = "malloc",
            Question = "The server needs memory that the client uses: how long does a block of 8 MiB take?",
            Tables =
            [
                new ScenarioTable("malloc", "Blocks of 8 MiB",
                    [
                        new("kernel", "kernel"), new("run", "memory from"), new("milliseconds", "ms", "0.000"),
                        new("slowdown", "over reference", "0.00"), new("clean", "blocks", "N0"),
                        new("troubled", "with back-off or swap", "N0"), new("troubledMilliseconds", "ms", "N0"),
                        new("worstMilliseconds", "worst ms", "N1"), new("backOffs", "back-offs", "N0"),
                        new("swappedPages", "swapped", "N0"), new("killedAfter", "killed after s", "0"),
                    ],
                    [.. outcomes.Select(one => new object?[]
                    {
                        PairRun.NameOf(one.Profile), one.Name, one.MeanMilliseconds, one.Slowdown, (long)one.Clean,
                        (long)one.Troubled, one.TroubledMilliseconds, one.WorstMilliseconds, one.BackOffs,
                        one.SwappedPages, one.KilledAfter < 0 ? null : one.KilledAfter,
                    })]),
            ],
            Findings = findings,
            KeyFigures =
            [
                .. outcomes.Where(one => one.Profile == outcomes[0].Profile && one.Name is Puma or PumaDirect or Balloon)
                    .Select(one => new KeyFigure(one.Name, one.Name + " over reference", one.Slowdown)),
            ],
            Parameters = scenario.Parameters,
        };
    }
}
