// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net;
using PerfCache.Cli.Borrow;
using PerfCache.Policies.Puma;
using PerfCache.Remote.Borrowing;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>Hears nothing but counts, and remembers what was stored.</summary>
internal sealed class CountingListener : IFleetListener
{
    private int _stored;
    private int _failed;
    private int _lost;

    internal int Stored => Volatile.Read(ref _stored);

    internal int Failed => Volatile.Read(ref _failed);

    internal int Lost => Volatile.Read(ref _lost);

    public void PutEnded(in RemotePageKey key, int server, bool stored) =>
        Interlocked.Increment(ref stored ? ref _stored : ref _failed);

    public void ServerLost(int server) => Interlocked.Increment(ref _lost);
}

/// <summary>What tests of fleets have in common.</summary>
internal static class FleetRig
{
    /// <summary>How much later than its deadline a get may end on a busy machine.</summary>
    internal const long SlackMicros = 400_000;

    // So slow is this machine at times, and no server; tests of the thresholds set their own.
    private static readonly LatencyMonitorOptions s_patient = new()
    {
        IsOn = true,
        Interval = TimeSpan.FromMilliseconds(100),
        AverageMax = TimeSpan.FromSeconds(1),
        InstantMax = TimeSpan.FromSeconds(2),
        AverageGood = TimeSpan.FromMilliseconds(500),
        InstantGood = TimeSpan.FromMilliseconds(500),
    };

    /// <summary>Options for servers by their addresses, patient with a busy machine.</summary>
    internal static FleetOptions Options(params string[] servers) => new()
    {
        Servers = [.. servers.Select(ServerAddress.Parse)],
        SendBuffers = 128,
        Latency = s_patient,
        PutTimeout = TimeSpan.FromSeconds(4),
        ExpiredMax = 1000,
        BackOffMax = TimeSpan.FromMilliseconds(200),
    };

    /// <summary>An address as a fleet reads it.</summary>
    internal static string TextOf(EndPoint endPoint) => endPoint is IPEndPoint ? $"{endPoint}" : $"unix:{endPoint}";

    /// <summary>What a load is like when a test does not care.</summary>
    internal static BorrowLoadOptions Load(int pages = 400, int batch = 16, int threads = 2) => new()
    {
        Pages = pages,
        PageBytes = 4096,
        Batch = batch,
        Threads = threads,
        Deadline = TimeSpan.FromMilliseconds(300),
        Seed = 7,
    };

    /// <summary>Waits until something holds, ten seconds at most.</summary>
    internal static async Task Eventually(Func<bool> holds, string what, double seconds = 10)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.That(waited.Elapsed.TotalSeconds, Is.LessThan(seconds), what);
            await Task.Delay(5);
        }
    }

    /// <summary>Waits until all servers of a fleet are in service.</summary>
    internal static Task AllUp(PageFleet fleet, double seconds = 10) => Eventually(
        () => fleet.Statistics.All(server => server.State == ServerState.InService),
        "in service: " + string.Join(' ', fleet.Statistics.Select(server => $"{server.State} {server.LastFailure}")), seconds);

    /// <summary>Runs a load for a time, with something done to it meanwhile.</summary>
    internal static async Task RunAsync(BorrowLoad load, TimeSpan time, Func<Task>? meanwhile = null)
    {
        using CancellationTokenSource end = new();
        Task run = Task.Run(() => load.Run(end.Token));
        try
        {
            if (meanwhile is null) await Task.Delay(time);
            else await meanwhile();
        }
        finally
        {
            await end.CancelAsync();
        }

        await run.WaitAsync(TimeSpan.FromSeconds(20));
    }

    /// <summary>What holds after a load whatever its servers went through.</summary>
    internal static void AssertGood(BorrowLoad load)
    {
        Assert.That(load.Counts.Wrong, Is.Zero);
        Assert.That(load.Counts.LatestMicros, Is.LessThan(SlackMicros), "a get was later than its deadline");
        Assert.That(load.Servers.Select(server => server.SendBuffersUsed), Has.All.Zero, "buffers come back");
        Assert.That(load.Servers.Select(server => server.OutOfStep), Has.All.Zero);
        Assert.That(load.Fleet.Validate, Throws.Nothing);
        Assert.That(load.Counts.Put, Is.EqualTo(load.Counts.Stored + load.Counts.NotStored), "each put has ended once");
    }

    /// <summary>What a fleet's servers went through, for a failure's message.</summary>
    internal static string Describe(PageFleet fleet) => string.Join('\n', fleet.Statistics);

    /// <summary>Puts a page, trying until it is taken.</summary>
    internal static async Task Put(PageFleet fleet, RemotePageKey key, int server, byte[] value) =>
        await Eventually(() => fleet.TryPut(key, server, value), $"{key} is taken");

    /// <summary>Asks for one page.</summary>
    internal static (FleetOutcome Outcome, byte[] Value) Get(PageFleet fleet, RemotePageKey key, int server, int bytes = 4096)
    {
        FleetGet[] gets = [new() { Key = key, Server = server, Destination = new byte[bytes] }];
        fleet.Get(gets, TimeSpan.FromSeconds(5));
        return (gets[0].Outcome, gets[0].Destination.ToArray());
    }
}
