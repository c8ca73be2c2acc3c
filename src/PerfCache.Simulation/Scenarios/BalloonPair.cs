// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>A server and a client whose host moves memory between them by balloons.</summary>
/// <remarks>
/// Both could have the memory that moves: the server its own, the client its own and what the server leaves. The host has
/// what both have at the start, and nothing more.
/// </remarks>
internal sealed class BalloonPair : IDisposable
{
    /// <summary>Makes the machines.</summary>
    /// <param name="scenario">Sizes and costs.</param>
    /// <param name="profile">The kernel of both.</param>
    /// <param name="controller">Who decides about balloons.</param>
    /// <param name="movedShare">The part of the server's memory that the client has at the start.</param>
    /// <param name="swapShare">The server's swap device, as a part of its memory.</param>
    /// <param name="deflatesOnOutOfMemory">Whether balloons help guests without memory.</param>
    internal BalloonPair(
        ScenarioOptions scenario, KernelProfile profile, IBalloonController controller, double movedShare,
        double swapShare = 0.25, bool deflatesOnOutOfMemory = true)
    {
        const double MovableShare = 0.75;
        ParameterSet parameters = scenario.Scaled;
        uint server = scenario.Pages("lender-mib");
        uint client = scenario.Pages("borrower-mib");
        uint movable = (uint)(server * MovableShare);
        uint moved = (uint)(server * movedShare);
        Room = new MachineRoom(parameters, scenario.Seed);
        Server = Room.Add(new MachineOptions
        {
            Name = "server",
            MemoryPages = server,
            // What did not move is in use, but for the watermark: a server with free memory needs no balloon.
            AnonymousPages = moved == 0 ? 0 : server - moved - (uint)(server * parameters.Value("watermark-min") * 1.5),
            BalloonPages = moved,
            Profile = profile,
            Scale = scenario.Scale,
            Disk = scenario.Disk,
            SwapPages = (long)(server * swapShare),
        });
        Client = Room.Add(new MachineOptions
        {
            Name = "client",
            MemoryPages = client + movable,
            BalloonPages = movable - moved,
            Profile = profile,
            Scale = scenario.Scale,
            Disk = scenario.Disk,
            SwapPages = client / 4,
        });
        uint host = Math.Max(scenario.Pages("host-mib"), server + client);
        Room.Host = new BalloonHost(Room.Queue, host, controller, parameters)
        {
            DeflatesOnOutOfMemory = deflatesOnOutOfMemory,
        };
        Room.Host.Add(Server, server - movable);
        Room.Host.Add(Client, client);
    }

    internal MachineRoom Room { get; }

    internal Machine Server { get; }

    internal Machine Client { get; }

    internal IEnumerable<MachineTimeline> Timelines(string name, double scale) => Room.Series.Select(series =>
        new MachineTimeline(
            name, series.Machine.Options.Name, 4096 * scale, VirtualClock.ToSeconds(PairRun.SampleNanos), series.Samples,
            []));

    /// <inheritdoc/>
    public void Dispose() => Room.Dispose();
}
