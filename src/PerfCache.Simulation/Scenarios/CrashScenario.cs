// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>What became of server and client in <see cref="CrashScenario"/>.</summary>
/// <param name="Profile">The kernel.</param>
/// <param name="Name">Who moved memory.</param>
/// <param name="SlowSeconds">From the first block that took ten times the reference until the end of the program, or its
/// last block.</param>
/// <param name="Blocks">Blocks that the program got.</param>
/// <param name="Wanted">Blocks that it wanted.</param>
/// <param name="SwappedPages">Pages swapped out by anybody.</param>
/// <param name="WasKilled">True when the program was killed for want of memory.</param>
/// <param name="RecoverySeconds">From the end of the program until the client had 95 % of its speed before again; 0 when it
/// was never slow after the end, -1 for not within the run.</param>
internal sealed record CrashOutcome(
    KernelProfile Profile, string Name, double SlowSeconds, int Blocks, int Wanted, long SwappedPages, bool WasKilled,
    double RecoverySeconds);

/// <summary>All runs of <see cref="CrashScenario"/>.</summary>
internal sealed record CrashOutcomes(
    List<CrashOutcome> Outcomes, List<MachineTimeline> Timelines, List<MallocTimeline> Mallocs);

/// <summary>
/// The slides' long picture of ballooning: the client reads; after seven minutes the server allocates nearly all of its
/// memory, block by block, and ends; how long is it slow, is it killed, and when is the client as fast as before? Balloons
/// that follow reports of pressure in steps, rounds with a goal, and PUMA.
/// </summary>
internal static class CrashScenario
{
    internal const string Steps = "ballooning by pressure";
    internal const string Goal = "ballooning by a goal";
    internal const string LittleSwap = "by a goal, little swap, no help on OOM";
    private const double SwapShare = 0.25;
    private const double LittleSwapShare = 0.03;
    private const double StartSeconds = 420;
    private const double EndSeconds = 1500;
    private const double AskedShare = 0.92;
    private const double SlowFactor = 10;
    private const int BlockPages = 2048;
    private const int RecoveryWindow = 10;

    internal static CrashOutcomes Run(ScenarioOptions scenario, ScenarioRun run)
    {
        List<CrashOutcome> outcomes = [];
        List<MachineTimeline> timelines = [];
        List<MallocTimeline> mallocs = [];
        foreach (KernelProfile profile in scenario.Profiles)
        {
            TimeSpan round = TimeSpan.FromSeconds(scenario.Parameters.Value("balloon-round-s"));
            (string Name, IBalloonController Controller, double Swap)[] hosts =
            [
                (Steps, new PressureController(256 / scenario.Scale), SwapShare),
                (Goal, new GoalController(round, 256 / scenario.Scale), SwapShare),
                (LittleSwap, new GoalController(round, 256 / scenario.Scale), LittleSwapShare),
            ];
            foreach ((string name, IBalloonController controller, double swap) in hosts)
            {
                run.Part = $"malloc for long, {PairRun.NameOf(profile)}, {name}";
                using BalloonPair pair = new(
                    scenario, profile, controller, movedShare: 0, swap, deflatesOnOutOfMemory: name != LittleSwap);
                outcomes.Add(RunOne(pair.Room, pair.Server, pair.Client, name, profile, scenario, run, mallocs));
                timelines.AddRange(pair.Timelines(name + ", long", scenario.Scale));
            }

            run.Part = $"malloc for long, {PairRun.NameOf(profile)}, PUMA";
            using PairRun puma = new(scenario, new PairOptions { Name = "PUMA, long", Profile = profile });
            outcomes.Add(RunOne(puma.Room, puma.Lender, puma.Borrower, "PUMA", profile, scenario, run, mallocs));
            timelines.AddRange(puma.Timelines());
        }

        return new CrashOutcomes(outcomes, timelines, mallocs);
    }

    internal static ScenarioTable Table(List<CrashOutcome> outcomes) => new(
        "mallocLong", "The server allocates nearly all its memory and ends",
        [
            new("kernel", "kernel"), new("run", "memory by"), new("blocks", "blocks", "N0"), new("wanted", "wanted", "N0"),
            new("slowSeconds", "slow for s", "0.0"), new("killed", "killed"), new("swappedPages", "swapped", "N0"),
            new("recoverySeconds", "client slow for s", "0"),
        ],
        [.. outcomes.Select(one => new object?[]
        {
            PairRun.NameOf(one.Profile), one.Name, (long)one.Blocks, (long)one.Wanted, one.SlowSeconds, one.WasKilled,
            one.SwappedPages, one.RecoverySeconds,
        })]);

    internal static IEnumerable<string> Findings(List<CrashOutcome> outcomes) => outcomes.Select(one =>
    {
        // The speed of a client whose server died is no recovery: what was killed did not.
        string end = one.WasKilled
            ? string.Create(CultureInfo.InvariantCulture,
                $"is killed after {one.Blocks} of {one.Wanted} blocks and does not recover")
            : "is not killed";
        string client = one.RecoverySeconds switch
        {
            < 0 => "does not recover in the run",
            0 => "is not slow afterwards",
            _ => string.Create(CultureInfo.InvariantCulture, $"is as fast as before after {one.RecoverySeconds:0} s"),
        };
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{PairRun.NameOf(one.Profile)}, {one.Name}: the server is slow for {one.SlowSeconds:0} s, swaps "
            + $"{one.SwappedPages} pages with the client, and {end}; the client {client}");
    });

    private static CrashOutcome RunOne(
        MachineRoom room, Machine server, Machine client, string name, KernelProfile profile, ScenarioOptions scenario,
        ScenarioRun run, List<MallocTimeline> mallocs)
    {
        room.Run(client, new IoClientOptions
        {
            Pattern = new UniformPattern(scenario.Pages("borrower-mib") * 3UL),
            StartNanos = 0,
            Threads = 2,
        });
        int wanted = (int)(server.Options.MemoryPages * AskedShare / BlockPages);
        MallocClient malloc = room.Run(server, new MallocClientOptions
        {
            StartNanos = VirtualClock.FromSeconds(StartSeconds),
            BlockPages = BlockPages,
            Blocks = wanted,
            // The same demand in bytes a second at every scale.
            PauseNanos = (long)(VirtualClock.Second * scenario.Scale),
        });
        room.Sample(PairRun.SampleNanos);
        double ended = EndSeconds;
        while (VirtualClock.ToSeconds(room.Queue.NowNanos) < EndSeconds)
        {
            run.ThrowIfStopped();
            room.Queue.RunUntil(room.Queue.NowNanos + VirtualClock.Second);
            run.Report(VirtualClock.ToSeconds(room.Queue.NowNanos) / EndSeconds);
            if (malloc.EndedAtNanos >= 0) malloc.End(room.Queue.NowNanos);
            if (malloc.HeldPages == 0 && malloc.Samples.Count > 0 && ended == EndSeconds)
                ended = VirtualClock.ToSeconds(room.Queue.NowNanos);
        }

        mallocs.Add(new MallocTimeline(name + ", long", [.. malloc.Samples.Select(one => new MallocPoint(
            VirtualClock.ToSeconds(one.AtNanos), one.Nanos / (double)VirtualClock.Millisecond, one.IsClean))]));
        double reference = BlockPages * scenario.Parameters.Value("touch-ns");
        double slowFrom = malloc.Samples.Where(one => one.Nanos > SlowFactor * reference)
            .Select(one => VirtualClock.ToSeconds(one.AtNanos)).DefaultIfEmpty(ended).First();
        return new CrashOutcome(
            profile, name, ended - slowFrom, malloc.Samples.Count, wanted, room.Machines.Sum(one => one.SwapOuts),
            malloc.KilledAtNanos >= 0, Recovery(room.Series.First(one => one.Machine == client).Samples, ended));
    }

    /// <summary>
    /// Until the client is fast after having been slow: balloons may take its memory only after the end, in a late round.
    /// </summary>
    private static double Recovery(IReadOnlyList<MachineSample> samples, double ended)
    {
        double Speed(int first) => samples.Skip(first).Take(RecoveryWindow).Average(one => one.Done);
        double before = Speed((int)StartSeconds - RecoveryWindow);
        bool wasSlow = false;
        for (int i = (int)ended; i + RecoveryWindow < samples.Count; i++)
        {
            bool isSlow = Speed(i) < 0.95 * before;
            if (wasSlow && !isSlow) return i - (int)ended;
            wasSlow |= isSlow;
        }

        return wasSlow ? -1 : 0;
    }
}
