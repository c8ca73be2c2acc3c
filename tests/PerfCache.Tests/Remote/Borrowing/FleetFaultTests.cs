// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Cli.Borrow;
using PerfCache.Policies.Puma;
using PerfCache.Remote.Borrowing;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>
/// Goal: whatever a network or a server does, no get outlasts its deadline, no buffer and no connection is lost, and service
/// comes back. Method: a proxy that does it, under load, by a seed. The fleet does not judge bytes: its user finds wrong ones
/// by his checksum, so a flipped bit may come through here, and nothing else may.
/// </summary>
internal sealed class FleetFaultTests
{
    // Of the machine, not of the fleet: two cores, and other tests on them.
    private const long SlackMicros = 400_000;

    private static readonly ReplyFaults[] s_faults =
    [
        new() { Cut = 0.01 }, new() { Stall = 0.005 }, new() { Delay = 0.02 }, new() { FlipBit = 0.02 }, new() { Swap = 0.01 },
        new() { Duplicate = 0.01 }, new() { Omit = 0.01 }, new() { Truncate = 0.01 }, new() { WrongLength = 0.02 },
        new() { Replay = 0.02 },
        new()
        {
            Cut = 0.002, Stall = 0.001, Delay = 0.004, FlipBit = 0.002, Swap = 0.002, Duplicate = 0.002, Omit = 0.002,
            Truncate = 0.002, WrongLength = 0.002,
        },
    ];

    [TestCaseSource(nameof(s_faults))]
    public async Task RepliesThatAreWrongAreBoundedAndCounted(ReplyFaults faults)
    {
        using MemcachedPeer first = MemcachedPeer.Lend();
        using MemcachedPeer second = MemcachedPeer.Lend(unix: true);
        await using FaultyProxy bad = new(first.EndPoint, seed: 5);
        await using FaultyProxy good = new(second.EndPoint, seed: 6);
        FleetOptions options = FleetRig.Options(bad.Address, good.Address) with
        {
            PutTimeout = TimeSpan.FromMilliseconds(400),
            ConnectTimeout = TimeSpan.FromMilliseconds(400),
        };
        BorrowLoad load = new(options, FleetRig.Load(pages: 200) with { Deadline = TimeSpan.FromMilliseconds(50) });
        bool shiftsReplies = faults is { Swap: > 0 } or { Duplicate: > 0 } or { WrongLength: > 0 };
        await using (load)
        {
            await FleetRig.AllUp(load.Fleet);
            load.Fill(CancellationToken.None);
            bad.Faults = faults;
            await FleetRig.RunAsync(load, TimeSpan.Zero, async () =>
            {
                await Task.Delay(400);
                // On a busy machine that may be too few replies for chance to strike.
                await FleetRig.Eventually(
                    () => bad.FaultCount > 0 && (!shiftsReplies || load.Servers[0].OutOfStep > 0),
                    "something is done to replies, and seen");
            });
            bad.Faults = new ReplyFaults();
            Assert.That(bad.FaultCount, Is.GreaterThan(0), "something was done to replies");
            bool harmsBytes = faults.FlipBit > 0 || faults.Replay > 0;
            if (!harmsBytes) Assert.That(load.Counts.Wrong, Is.Zero, "an answer was taken for another's");
            Assert.That(load.Counts.LatestMicros, Is.LessThan(SlackMicros), "a get was later than its deadline");
            Assert.That(load.Counts.Verified, Is.GreaterThan(50), "those that can be served are");
            await FleetRig.AllUp(load.Fleet);
            long before = load.Counts.Verified;
            await FleetRig.RunAsync(load, TimeSpan.FromMilliseconds(100));
            Assert.That(load.Counts.Verified, Is.GreaterThan(before));
            await FleetRig.Eventually(() => load.Servers.All(server => server.SendBuffersUsed == 0), "buffers come back");
            Assert.That(load.Fleet.Validate, Throws.Nothing);
            ServerStatistics harmed = load.Servers[0];
            if (shiftsReplies) Assert.That(harmed.OutOfStep, Is.GreaterThan(0), "counted");
            Assert.That(load.Servers[1].OutOfStep, Is.Zero, "the other server has nothing to do with it");
            Assert.That(load.Counts.Put, Is.EqualTo(load.Counts.Stored + load.Counts.NotStored), "each put has ended once");
        }

        Assert.That(
            load.Servers.Sum(server => server.SendBuffersUsed) + load.Fleet.OpenGetConnections(0), Is.Zero, "nothing is left");
    }

    [Test]
    public async Task LateAnswersNeverTouchTheDestination()
    {
        using MemcachedPeer server = MemcachedPeer.Lend();
        await using FaultyProxy proxy = new(server.EndPoint, seed: 1);
        CountingListener listener = new();
        await using PageFleet fleet = new(FleetRig.Options(proxy.Address), listener);
        await FleetRig.AllUp(fleet);
        byte[] page = [.. Enumerable.Repeat((byte)1, 4096)];
        RemotePageKey key = new(1, 1, 1);
        await FleetRig.Put(fleet, key, 0, page);
        await FleetRig.Eventually(() => listener.Stored == 1, "stored");
        proxy.Faults = new ReplyFaults { Delay = 1, DelayTime = TimeSpan.FromMilliseconds(100) };
        FleetGet[] gets = [new() { Key = key, Destination = new byte[4096] }];
        for (int i = 0; i < 3; i++)
        {
            Stopwatch took = Stopwatch.StartNew();
            // The second finds its connection late, and perhaps no other one yet: then nobody is asked, just as long.
            if (i % 2 == 0) fleet.Get(gets, TimeSpan.FromMilliseconds(5));
            else await fleet.GetAsync(gets, TimeSpan.FromMilliseconds(5));
            Assert.That(gets[0].Outcome, Is.EqualTo(FleetOutcome.NoAnswer));
            Assert.That(took.Elapsed.TotalMilliseconds, Is.InRange(5, 5 + (SlackMicros / 1000)));
        }

        await FleetRig.Eventually(() => fleet.StatisticsOf(0).LateAnswers >= 1, "they are thrown away");
        Assert.That(gets[0].Destination.Span.IndexOfAnyExcept((byte)0), Is.EqualTo(-1), "and into nobody's memory");
        proxy.Faults = new ReplyFaults();
        Assert.That(FleetRig.Get(fleet, key, 0), Is.EqualTo((FleetOutcome.Found, page)), "the connection is in step");
        Assert.That(fleet.StatisticsOf(0).OutOfStep, Is.Zero);
    }

    [Test]
    public async Task ASlowServerIsSuspendedByItsSignsOfLifeAndResumed()
    {
        using MemcachedPeer server = MemcachedPeer.Lend();
        await using FaultyProxy proxy = new(server.EndPoint, seed: 1);
        CountingListener listener = new();
        // The thresholds of the authors times ten: a busy machine answers in tens of milliseconds at times.
        LatencyMonitorOptions latency = new()
        {
            IsOn = true,
            Interval = TimeSpan.FromMilliseconds(20),
            AverageMax = TimeSpan.FromMilliseconds(25),
            AverageGood = TimeSpan.FromMilliseconds(20),
            InstantMax = TimeSpan.FromMilliseconds(400),
            InstantGood = TimeSpan.FromMilliseconds(30),
        };
        FleetOptions options = FleetRig.Options(proxy.Address) with { Latency = latency };
        await using PageFleet fleet = new(options, listener);
        await FleetRig.AllUp(fleet);
        proxy.Faults = new ReplyFaults { Delay = 1, DelayTime = TimeSpan.FromMilliseconds(60) };
        await FleetRig.Eventually(() => fleet.StatisticsOf(0).State == ServerState.Suspended, "the average is above 25 ms");
        Assert.That(fleet.ServerOf(1, 1), Is.EqualTo(-1));
        Assert.That(fleet.TryPut(default, 0, new byte[8]), Is.False);
        Assert.That(FleetRig.Get(fleet, default, 0).Outcome, Is.EqualTo(FleetOutcome.NoAnswer), "it is not asked either");
        proxy.Faults = new ReplyFaults();
        await FleetRig.AllUp(fleet);
        Assert.That(fleet.StatisticsOf(0).Suspensions, Is.GreaterThanOrEqualTo(1));
        Assert.That((fleet.StatisticsOf(0).Connects, listener.Lost), Is.EqualTo((1, 0)), "it was connected all the time");
    }

    [Test]
    public async Task AServerThatAnswersNoGetsIsLeftAloneUntilASignOfLife()
    {
        using MemcachedPeer server = MemcachedPeer.Lend();
        await using FaultyProxy proxy = new(server.EndPoint, seed: 1);
        CountingListener listener = new();
        FleetOptions options = FleetRig.Options(proxy.Address) with { ExpiredMax = 3, PutTimeout = TimeSpan.FromSeconds(9) };
        await using PageFleet fleet = new(options, listener);
        await FleetRig.AllUp(fleet);
        proxy.IsPartitioned = true;
        FleetGet[] gets = [new() { Destination = new byte[4096] }];
        for (int i = 0; i < 3; i++) fleet.Get(gets, TimeSpan.FromMilliseconds(10));
        await FleetRig.Eventually(() => fleet.StatisticsOf(0).State == ServerState.Suspended, "three in a row");
        proxy.IsPartitioned = false;
        await FleetRig.AllUp(fleet);
        Assert.That(listener.Lost, Is.Zero);
    }

    [Test]
    public async Task AConnectionThatEndsCostsNoPagesAndAServerThatForgotCostsItsOwn()
    {
        MemcachedPeer server = MemcachedPeer.Lend();
        CountingListener listener = new();
        await using FaultyProxy proxy = new(server.EndPoint, seed: 1);
        await using PageFleet fleet = new(FleetRig.Options(proxy.Address), listener);
        await FleetRig.AllUp(fleet);
        byte[] page = new byte[4096];
        RemotePageKey key = new(1, 1, 1);
        await FleetRig.Put(fleet, key, 0, page);
        await FleetRig.Eventually(() => listener.Stored == 1, "stored");
        proxy.CloseAll();
        await FleetRig.Eventually(() => fleet.StatisticsOf(0).Connects == 2, "connected again");
        Assert.That(FleetRig.Get(fleet, key, 0).Outcome, Is.EqualTo(FleetOutcome.Found), "the marker showed that it is the same");
        Assert.That(listener.Lost, Is.Zero);
        using (TextPeer peer = server.Connect()) Assert.That(peer.Ask("flush_all\r\n"), Is.EqualTo(["OK"]));
        proxy.CloseAll();
        await FleetRig.Eventually(() => fleet.StatisticsOf(0).Connects == 3, "connected again");
        Assert.That(listener.Lost, Is.EqualTo(1), "no marker: all is gone");
        Assert.That(FleetRig.Get(fleet, key, 0).Outcome, Is.EqualTo(FleetOutcome.Missing));
        server.Dispose();
        proxy.CloseAll();
        await FleetRig.Eventually(() => fleet.StatisticsOf(0).State == ServerState.Down, "down");
    }

    [Test]
    public async Task ALostServerMovesItsOwnPagesAndNoOthers()
    {
        MemcachedPeer[] servers = [.. Enumerable.Range(0, 3).Select(_ => MemcachedPeer.Lend(unix: true))];
        CountingListener listener = new();
        FleetOptions options = FleetRig.Options([.. servers.Select(server => FleetRig.TextOf(server.EndPoint))]);
        await using PageFleet fleet = new(options, listener);
        await FleetRig.AllUp(fleet);
        int[] before = [.. Enumerable.Range(0, 3000).Select(page => fleet.ServerOf(1, (ulong)page))];
        for (int server = 0; server < 3; server++)
            Assert.That(before.Count(place => place == server), Is.InRange(850, 1150), "evenly");
        servers[1].Dispose();
        await FleetRig.Eventually(() => listener.Lost == 1, "nobody listens any more: its pages are gone");
        int[] after = [.. Enumerable.Range(0, 3000).Select(page => fleet.ServerOf(1, (ulong)page))];
        for (int page = 0; page < 3000; page++)
        {
            if (before[page] == 1) Assert.That(after[page], Is.Not.EqualTo(1));
            else Assert.That(after[page], Is.EqualTo(before[page]));
        }

        Assert.That(after.Count(place => place == 0), Is.InRange(1300, 1700), "what moved is spread");
        servers[0].Dispose();
        servers[2].Dispose();
    }

    [Test]
    public async Task AServerThatRefusesIsGivenTimeAndStillAsked()
    {
        // A value of the server's limit is refused as too large, a shorter one is not: a refusal that can be made to end.
        using MemcachedPeer server = MemcachedPeer.Lend(change: options => options with { ItemBytesMax = 8192 });
        CountingListener listener = new();
        FleetOptions options = FleetRig.Options(FleetRig.TextOf(server.EndPoint)) with { ValueBytesMax = 16_384 };
        await using PageFleet fleet = new(options, listener);
        await FleetRig.AllUp(fleet);
        await FleetRig.Put(fleet, new RemotePageKey(1, 1, 1), 0, new byte[4096]);
        await FleetRig.Put(fleet, new RemotePageKey(1, 2, 1), 0, new byte[16_000]);
        await FleetRig.Eventually(() => listener.Failed == 1, "too large");
        Assert.That(fleet.StatisticsOf(0).Refused, Is.EqualTo(1));
        Assert.That(fleet.ServerOf(1, 1), Is.EqualTo(-1).Or.Zero, "for a tenth of a second it is given nothing");
        Assert.That(FleetRig.Get(fleet, new RemotePageKey(1, 1, 1), 0).Outcome, Is.EqualTo(FleetOutcome.Found));
        await FleetRig.Put(fleet, new RemotePageKey(1, 3, 1), 0, new byte[4096]);
        await FleetRig.Eventually(() => listener.Stored == 2, "and then again");
        Assert.That(fleet.StatisticsOf(0).Connects, Is.EqualTo(1));
    }
}
