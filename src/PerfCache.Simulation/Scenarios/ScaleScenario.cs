// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>What <see cref="ScaleScenario"/> did.</summary>
/// <param name="Frames">Frames of all machines.</param>
/// <param name="VirtualSeconds">The time that passed in it.</param>
/// <param name="Requests">I/Os.</param>
/// <param name="Events">Events of the queue.</param>
/// <param name="BytesPerFrame">Metadata of the page caches without shadows, a frame.</param>
/// <param name="ShadowBytes">Bytes that shadows hold.</param>
/// <param name="LentPages">Pages lent at the end.</param>
internal sealed record ScaleOutcome(
    long Frames, double VirtualSeconds, long Requests, long Events, double BytesPerFrame, long ShadowBytes, long LentPages);

/// <summary>
/// Ten machines with much memory for an hour: five lend, five borrow, and all read.
/// </summary>
internal static class ScaleScenario
{
    private const int MachineCount = 10;
    private const double MachineGib = 16;
    private const double RequestsPerSecond = 50_000;
    private const long PagesPerGib = 1 << 18;

    /// <summary>Runs it; the size and the rate are divided by the scale, the time is not stretched.</summary>
    internal static (ScaleOutcome Outcome, ScenarioReport Report) Run(
        ScenarioOptions scenario, double hours, ScenarioRun run)
    {
        run.Part = "scale";
        using MachineRoom room = new(scenario.Parameters, scenario.Seed);
        uint pages = (uint)(MachineGib * PagesPerGib / scenario.Scale);
        List<IoClient> clients = [];
        for (int i = 0; i < MachineCount; i++)
        {
            room.Add(new MachineOptions
            {
                Name = $"machine {i}",
                MemoryPages = pages,
                Profile = scenario.Profiles[0],
                Disk = DiskKind.FastSsd,
            });
        }

        PairOptions options = new() { Name = "scale", Profile = scenario.Profiles[0] };
        for (int i = 0; i < MachineCount / 2; i++)
        {
            room.Lend(
                room.Machines[(MachineCount / 2) + i], room.Machines[i],
                PairRun.LenderOptionsOf(scenario.Parameters, options),
                PairRun.BorrowerOptionsOf(scenario.Parameters, options));
        }

        long pace = (long)(VirtualClock.Second * MachineCount * scenario.Scale / RequestsPerSecond);
        for (int i = 0; i < MachineCount; i++)
        {
            // Borrowers want more than they have; lenders have a hot set and a cold stream.
            ulong hot = (ulong)(pages * 0.3);
            AccessPattern pattern = i < MachineCount / 2
                ? new UniformPattern((ulong)(pages * 1.2)) : new HotColdPattern(hot, hot, 0.02);
            long start = pace * i / MachineCount;
            clients.Add(room.Run(
                room.Machines[i], new IoClientOptions { Pattern = pattern, StartNanos = start, PaceNanos = pace }));
        }

        room.RunUntil(VirtualClock.FromSeconds(3600 * hours), run);
        long frames = room.Machines.Sum(one => (long)one.Cache.FrameCount);
        long shadows = room.Machines.Sum(one => one.Cache.Memory.ShadowBytes);
        long bytes = room.Machines.Sum(one => one.Cache.Memory.TotalBytes);
        ScaleOutcome outcome = new(
            frames, VirtualClock.ToSeconds(room.Queue.NowNanos), clients.Sum(one => one.Done), room.Queue.EventsRun,
            (double)(bytes - shadows) / frames, shadows, room.Machines.Sum(one => (long)one.Watch.LentCount));
        return (outcome, Report(scenario, outcome));
    }

    private static ScenarioReport Report(ScenarioOptions scenario, ScaleOutcome outcome) => new()
    {
        Scenario = "scale",
        Question = "How much can be simulated?",
        Tables =
        [
            new ScenarioTable("scale", "Ten machines, five of which lend",
                [
                    new("frames", "frames", "N0"), new("virtualSeconds", "virtual s", "N0"), new("requests", "I/Os", "N0"),
                    new("events", "events", "N0"), new("bytesPerFrame", "bytes a frame", "0.0"),
                    new("shadowBytes", "shadow bytes", "N0"), new("lentPages", "lent", "N0"),
                ],
                [
                    [
                        outcome.Frames, outcome.VirtualSeconds, outcome.Requests, outcome.Events, outcome.BytesPerFrame,
                        outcome.ShadowBytes, outcome.LentPages,
                    ],
                ]),
        ],
        Findings =
        [
            string.Create(
                CultureInfo.InvariantCulture,
                $"{outcome.Frames:N0} frames, {outcome.Requests:N0} I/Os in "
                + $"{outcome.VirtualSeconds:N0} virtual seconds; {outcome.BytesPerFrame:0.0} bytes a "
                + $"frame, shadows beside"),
        ],
        Parameters = scenario.Parameters,
    };
}
