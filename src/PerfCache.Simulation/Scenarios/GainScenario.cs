// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>One pair of runs of <see cref="GainScenario"/>.</summary>
/// <param name="Profile">The kernel.</param>
/// <param name="Disk">The borrower's disk.</param>
/// <param name="Workload">How it reads.</param>
/// <param name="Without">I/Os per second without PUMA, those that the scale leaves out included.</param>
/// <param name="With">And with it.</param>
/// <param name="MissesAtLender">The part of the borrower's misses that a lender answered.</param>
internal sealed record GainOutcome(
    KernelProfile Profile, DiskKind Disk, string Workload, double Without, double With, double MissesAtLender)
{
    internal double Gain => With / Without;
}

/// <summary>
/// What the borrower gains: a working set of twice its memory and an idle lender with room for the rest, on each kind of
/// disk, by random reads, by sequential ones, and by both. And where it gains nothing.
/// </summary>
internal static class GainScenario
{
    internal const string Random = "random";
    internal const string ReadWrite = "random, 10 % writes";
    internal const string Sequential = "sequential";
    internal const string FilteredSequential = "sequential, filter on";
    internal const string SlowSequential = "sequential, 1 Gbit/s";
    internal const string Mixed = "random and sequential";
    internal const string Phased = "random and sequential in turns";
    private const int Window = 32;
    private const double WriteShare = 0.1;

    private static readonly string[] s_workloads =
        [Random, ReadWrite, Mixed, Phased, Sequential, FilteredSequential, SlowSequential];

    internal static (List<GainOutcome> Outcomes, ScenarioReport Report) Run(ScenarioOptions scenario, ScenarioRun run)
    {
        List<GainOutcome> outcomes = [];
        foreach (KernelProfile profile in scenario.Profiles)
        {
            foreach (DiskKind disk in Enum.GetValues<DiskKind>())
            {
                foreach (string workload in s_workloads)
                {
                    run.Part = $"gain, {PairRun.NameOf(profile)}, {PairRun.NameOf(disk)}, {workload}";
                    (double without, _) = RunOne(scenario, profile, disk, workload, lends: false, run);
                    (double with, double share) = RunOne(scenario, profile, disk, workload, lends: true, run);
                    outcomes.Add(new GainOutcome(profile, disk, workload, without, with, share));
                }
            }
        }

        return (outcomes, Report(scenario, outcomes));
    }

    private static (double PerSecond, double MissesAtLender) RunOne(
        ScenarioOptions scenario, KernelProfile profile, DiskKind disk, string workload, bool lends, ScenarioRun run)
    {
        if (workload == SlowSequential)
            scenario = scenario with { Parameters = scenario.Parameters.With("network-gbit", 1) };
        using PairRun pair = new(scenario, new PairOptions
        {
            Name = workload,
            Profile = profile,
            Disk = disk,
            Lends = lends,
            Filter = new SequentialFilterOptions { IsOn = workload == FilteredSequential },
        });
        ulong set = (ulong)pair.BorrowerPages * 2;
        (AccessPattern pattern, double pagesPerRequest) = PatternOf(workload, set);
        IoClient client = pair.Room.Run(pair.Borrower, new IoClientOptions { Pattern = pattern, StartNanos = 0 });
        // Until practically every page was asked for (eight times, on average); then twice more, which are measured.
        long requests = (long)(set * 8 / pagesPerRequest);
        RunRequests(pair, client, requests, run);
        (long done, long from, long disks, long lent) =
            (client.Done, pair.Room.Queue.NowNanos, client.FromDisk, client.FromLenders);
        RunRequests(pair, client, requests / 4, run);
        double misses = client.FromDisk - disks + client.FromLenders - lent;
        return ((client.Done - done) * scenario.Scale / VirtualClock.ToSeconds(pair.Room.Queue.NowNanos - from),
            misses == 0 ? 0 : (client.FromLenders - lent) / misses);
    }

    private static (AccessPattern Pattern, double PagesPerRequest) PatternOf(string workload, ulong set)
    {
        switch (workload)
        {
            case Random:
                return (new UniformPattern(set), 1);
            case ReadWrite:
                return (new UniformPattern(set, WriteShare), 1);
            case Mixed:
                // As many pages by windows as one by one.
                return (new MixedPattern(set, 1.0 / (Window + 1), Window), 2.0 * Window / (Window + 1));
            case Phased:
                // Once through the file, and as many pages at random.
                PhasedPattern turns = new(
                    [(new UniformPattern(set), (long)set), (new SequentialPattern(set, Window), (long)set / Window)]);
                return (turns, 2.0 * Window / (Window + 1));
            default:
                return (new SequentialPattern(set, Window), Window);
        }
    }

    private static void RunRequests(PairRun pair, IoClient client, long requests, ScenarioRun run)
    {
        const long Step = VirtualClock.Millisecond * 100;
        long goal = client.Done + requests;
        while (client.Done < goal)
        {
            run.ThrowIfStopped();
            pair.Room.Queue.RunUntil(pair.Room.Queue.NowNanos + Step);
            run.Report(1 - ((double)(goal - client.Done) / requests));
        }
    }

    private static ScenarioReport Report(ScenarioOptions scenario, List<GainOutcome> outcomes)
    {
        const double PaysFrom = 1.05;
        List<string> findings = [];
        foreach (GainOutcome one in outcomes)
        {
            string pays = one.Gain < PaysFrom ? "; PUMA does not pay here" : "";
            findings.Add(string.Create(
                CultureInfo.InvariantCulture,
                $"{PairRun.NameOf(one.Profile)}, {PairRun.NameOf(one.Disk)}, {one.Workload}: "
                + $"{one.Gain:0.00} times the I/Os per second{pays}"));
        }

        return new ScenarioReport
        {
            Scenario = "gain",
            Question = "What does the borrower gain, and where does PUMA not pay?",
            Tables =
            [
                new ScenarioTable("gain", "The borrower, working set twice its memory, lender idle",
                    [
                        new("kernel", "kernel"), new("disk", "disk"), new("workload", "reads"),
                        new("without", "I/O/s without", "N0"), new("with", "I/O/s with", "N0"), new("gain", "gain", "0.00"),
                        new("missesAtLender", "misses at lender", "0.0 %"), new("pays", "pays"),
                    ],
                    [.. outcomes.Select(one => new object?[]
                    {
                        PairRun.NameOf(one.Profile), PairRun.NameOf(one.Disk), one.Workload, one.Without, one.With, one.Gain,
                        one.MissesAtLender, one.Gain >= PaysFrom,
                    })]),
            ],
            Findings = findings,
            KeyFigures =
            [
                .. outcomes.Where(one => one.Profile == outcomes[0].Profile && one.Workload is Random or Sequential)
                    .Select(one => new KeyFigure(
                        $"{PairRun.NameOf(one.Disk)}-{one.Workload}", $"{PairRun.NameOf(one.Disk)}, {one.Workload}", one.Gain)),
            ],
            Parameters = scenario.Parameters,
        };
    }
}
