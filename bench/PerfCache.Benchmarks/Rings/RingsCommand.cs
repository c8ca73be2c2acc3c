// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using PerfCache.Cli.Bench;
using PerfCache.Flip;

namespace PerfCache.Benchmarks.Rings;

/// <summary>One way to do a row's work: its name, a pass that returns nanoseconds an element, and what there is to say of
/// the pass before.</summary>
internal sealed record Lane(string Name, Func<long, double> Pass, Func<string>? Note = null);

/// <summary>
/// <c>rings</c>: the value ring against Channels, ConcurrentQueue, a plain C ring and DPDK's; the flip ring against two
/// rings; flipping against copying. One run, the same two pinned cores, all lanes of a row in turn.
/// </summary>
internal static class RingsCommand
{
    internal const string Usage =
        "rings [--quick] [--cores P,C] [--ordinary] [--wait spin|pause|yield|park|adaptive] "
        + "[--rows spsc|mpmc|queues|flip|deliver,...]";

    private static readonly int[] s_bursts = [1, 8, 32];

    /// <summary>Runs the command.</summary>
    internal static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        Cores cores = new(0, 1, RealTime: true);
        string[] rows = ["spsc", "mpmc", "queues", "flip", "deliver"];
        int rounds = 9;
        RingWait wait = RingWait.Pause;
        for (int i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--quick":
                    rounds = 5;
                    break;
                case "--ordinary":
                    cores = cores with { RealTime = false };
                    break;
                case "--cores" when i + 1 < args.Length:
                    string[] parts = args[++i].Split(',');
                    if (parts.Length != 2 || !TryParseCore(parts[0], out int first) || !TryParseCore(parts[1], out int second))
                        return Complain(errors, $"--cores wants two numbers of cores, not '{args[i]}'");
                    cores = cores with { Producer = first, Consumer = second };
                    break;
                case "--wait" when i + 1 < args.Length:
                    if (!Enum.GetNames<RingWait>().Contains(args[++i], StringComparer.OrdinalIgnoreCase))
                        return Complain(errors, $"'{args[i]}' is not a way to wait; usage: {Usage}");
                    wait = Enum.Parse<RingWait>(args[i], ignoreCase: true);
                    break;
                case "--rows" when i + 1 < args.Length:
                    string[] wanted = args[++i].Split(',');
                    string? unknown = wanted.FirstOrDefault(name => !rows.Contains(name));
                    if (unknown is not null) return Complain(errors, $"'{unknown}' is not a row; usage: {Usage}");
                    rows = wanted;
                    break;
                default:
                    return Complain(errors, $"'{args[i]}' is not understood; usage: {Usage}");
            }
        }

        if (Environment.ProcessorCount < 2) return Complain(errors, "two cores are needed");
        if (!CanEnter(cores))
        {
            output.WriteLine("pinning or the real-time class was refused: an ordinary run");
            cores = cores with { RealTime = false };
        }

        Measure(rows, cores, wait, rounds, output);
        return 0;
    }

    private static void Measure(string[] rows, Cores cores, RingWait wait, int rounds, TextWriter output)
    {
        using CRings? inC = CRings.Load(output);
        if (inC is { HasDpdk: false }) output.WriteLine("built without DPDK's headers: rte_ring is left out");
        output.WriteLine($"{cores}; {rounds} rounds; waiting: {QueueRace.Pauses} PAUSEs a look, in C# and in C; "
            + $"our rings: {wait}; {QueueRace.SlotCount} slots");
        PrintMachine(cores, "before", output);
        output.WriteLine("row         lane                           ns/element (min to max)      M/s  "
            + "first lane's speed x this (min to max)  goal");
        foreach (string row in rows)
        {
            if (row == "deliver") Deliver(cores, rounds, output);
            else foreach (int burst in s_bursts) Row(row, burst, cores, wait, inC, rounds, output);
        }

        PrintMachine(cores, "after", output);
    }

    private static void Row(
        string row, int burst, Cores cores, RingWait wait, CRings? inC, int rounds, TextWriter output)
    {
        List<Lane> lanes = [];
        Dictionary<string, double> goals = [];
        void Add(string name, Func<long, double> pass, double? goal = null, Func<string>? note = null)
        {
            lanes.Add(new Lane(name, pass, note));
            if (goal is double atLeast) goals[name] = atLeast;
        }

        static string Waits() => FlipRace.Waits;
        bool dpdk = inC is { HasDpdk: true };
        switch (row)
        {
            case "spsc":
                Add("value ring, one to one", count => QueueRace.Ring<OneToOne>(cores, wait, burst, count));
                if (inC is not null) Add("C ring", count => inC.Run(CRing.Spsc, cores, burst, count), 0.8);
                if (dpdk) Add("rte_ring SP/SC", count => inC!.Run(CRing.DpdkSpsc, cores, burst, count), 1.0);
                break;
            case "mpmc":
                Add("value ring, many to many", count => QueueRace.Ring<ManyToMany>(cores, wait, burst, count));
                if (dpdk) Add("rte_ring MP/MC", count => inC!.Run(CRing.DpdkMpmc, cores, burst, count), 0.8);
                break;
            case "queues":
                Add("value ring, one to one", count => QueueRace.Ring<OneToOne>(cores, wait, burst, count));
                Add(
                    "bounded Channel",
                    count => QueueRace.Run(new ChannelQueue(ChannelQueue.Make()), cores, burst, count / 4), 10);
                Add(
                    "ConcurrentQueue",
                    count => QueueRace.Run(
                        new ConcurrentNumberQueue(new ConcurrentQueue<ulong>()), cores, burst, count / 4));
                break;
            default:
                double goal = burst == 1 ? 1.3 : 1.0;
                Add("flip ring, one to one", count => FlipRace.OneRing<OneToOne>(cores, wait, burst, count), note: Waits);
                Add("two rings, one to one", count => FlipRace.TwoRings<OneToOne>(cores, wait, burst, count), goal, Waits);
                Print(row, burst, lanes, goals, rounds, output);
                lanes.Clear();
                goals.Clear();
                Add("flip ring, many to many", count => FlipRace.OneRing<ManyToMany>(cores, wait, burst, count), note: Waits);
                Add("two rings, many to many", count => FlipRace.TwoRings<ManyToMany>(cores, wait, burst, count), goal, Waits);
                break;
        }

        Print(row, burst, lanes, goals, rounds, output);
    }

    private static void Deliver(Cores cores, int rounds, TextWriter output)
    {
        foreach (bool cold in new[] { false, true })
        {
            foreach (int bytes in new[] { 64, 1500, 4096, 65536 })
            {
                using DeliveryRace race = new(bytes, cold);
                foreach (bool reads in new[] { false, true })
                {
                    int count = Math.Max(1_000, Math.Min(50_000, 100_000_000 / bytes));
                    Lane flip = new($"flip {bytes} B", _ => race.Run(cores, copies: false, reads, count));
                    Lane copy = new($"copy {bytes} B", _ => race.Run(cores, copies: true, reads, count));
                    string name = $"{(cold ? "cold" : "hot")}{(reads ? " read" : "")}";
                    Print(name, 1, [flip, copy], [], rounds, output);
                }
            }
        }
    }

    private static void Print(
        string row, int burst, List<Lane> lanes, Dictionary<string, double> goals, int rounds, TextWriter output)
    {
        long count = burst switch { 1 => 200_000, 8 => 600_000, _ => 1_200_000 };
        WarmUp(lanes);
        List<double>[] nanos = [.. lanes.Select(_ => new List<double>())];
        string[] notes = new string[lanes.Count];
        for (int round = 0; round < rounds; round++)
        {
            // Who goes first moves on, so that nobody is always behind the same one.
            for (int i = 0; i < lanes.Count; i++)
            {
                int lane = (i + round) % lanes.Count;
                nanos[lane].Add(lanes[lane].Pass(count));
                notes[lane] = lanes[lane].Note?.Invoke() ?? "";
            }
        }

        for (int lane = 0; lane < lanes.Count; lane++)
        {
            Spread spread = Spread.Of(nanos[lane]);
            Spread ratio = Spread.Of(nanos[lane].Zip(nanos[0], (theirs, ours) => theirs / ours));
            string against = lane == 0 ? "" : string.Create(
                CultureInfo.InvariantCulture, $"{ratio.Median,8:F2} ({ratio.Min:F2} to {ratio.Max:F2})");
            string goal = goals.TryGetValue(lanes[lane].Name, out double atLeast) ? string.Create(
                CultureInfo.InvariantCulture, $">= {atLeast:F1} {(ratio.Median >= atLeast ? "yes" : "NO")}") : "";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row + " " + burst,-11} {lanes[lane].Name,-26} {spread.Median,9:F2} ({spread.Min:F2} to {spread.Max:F2})"
                + $"{1000 / spread.Median,10:F1}  {against,-28}  {goal,-10} {notes[lane]}").TrimEnd());
        }
    }

    // Until tiered compilation is through, with pauses in which its thread gets a core.
    private static void WarmUp(List<Lane> lanes)
    {
        for (int part = 0; part < 3; part++)
        {
            long begin = Stopwatch.GetTimestamp();
            do foreach (Lane lane in lanes) lane.Pass(20_000);
            while (Stopwatch.GetElapsedTime(begin).TotalMilliseconds < 100);
            Thread.Sleep(150);
        }
    }

    private static void PrintMachine(Cores cores, string when, TextWriter output)
    {
        Spread nanos = cores.PingPong();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"a cache line from core to core, {when}: {nanos.Median:F0} ns ({nanos.Min:F0} to {nanos.Max:F0}); "
            + $"load average {Cores.Load()}"));
    }

    private static bool CanEnter(Cores cores)
    {
        bool entered = false;
        Thread thread = new(() => entered = cores.Enter(cores.Producer));
        thread.Start();
        thread.Join();
        return entered;
    }

    private static bool TryParseCore(string text, out int core) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out core) && core < 64;

    private static int Complain(TextWriter errors, string complaint)
    {
        errors.WriteLine($"rings: {complaint}");
        return 2;
    }
}
