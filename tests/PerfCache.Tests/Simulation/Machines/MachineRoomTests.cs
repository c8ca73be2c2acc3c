// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Tests.Simulation.Machines;

/// <summary>Goal: memory and pages are conserved whatever the machines do, and a seed decides all.</summary>
[TestFixture]
public sealed class MachineRoomTests
{
    private const uint Pages = 4096;
    private static readonly ScenarioRun s_run = new(null, default);

    /// <summary>Method: two lenders, two borrowers, a program that allocates and ends; after each virtual second the
    /// equations of memory and of lent pages must hold.</summary>
    [TestCase(KernelProfile.Linux315, LendingStrategy.Keep, 0)]
    [TestCase(KernelProfile.Linux315, LendingStrategy.Exclusive, 0)]
    [TestCase(KernelProfile.Linux6, LendingStrategy.Keep, 300)]
    [TestCase(KernelProfile.Linux6, LendingStrategy.Exclusive, 300)]
    public void MemoryAndLentPagesAddUpAtAllTimes(KernelProfile profile, LendingStrategy strategy, int quota)
    {
        using MachineRoom room = Make(profile, strategy, quota, 3, out MallocClient malloc, out _);
        for (int second = 1; second <= 24; second++)
        {
            room.Queue.RunUntil(second * VirtualClock.Second);
            if (second == 18) malloc.End(room.Queue.NowNanos);
            foreach (Machine machine in room.Machines)
            {
                if (second % 4 == 0) machine.Cache.Validate();
                Assert.That(
                    machine.Cache.FreeCount + machine.Cache.ResidentCount + machine.AnonymousPages + machine.BalloonPages,
                    Is.EqualTo(Pages), $"{machine.Options.Name}, {second} s");
                if (machine.Lender is not { } lender) continue;
                Assert.That(lender.HeldTotal, Is.EqualTo(machine.Watch.LentCount), $"{machine.Options.Name}, {second} s");
                if (quota == 0) continue;
                Assert.That(lender.HeldPages(0), Is.LessThanOrEqualTo(quota));
                Assert.That(lender.HeldPages(1), Is.LessThanOrEqualTo(quota));
            }
        }

        Machine borrower = room.Machines[2];
        Assert.That(borrower.Borrower!.Journal.Total(PumaEventKind.PutSent), Is.GreaterThan(1000));
        Assert.That(room.Machines[0].Lender!.Journal.Total(PumaEventKind.GetHit), Is.GreaterThan(100));
        Assert.That(room.Machines[1].Lender!.Journal.Total(PumaEventKind.GetHit), Is.GreaterThan(100));
        Assert.That(borrower.Borrower.PoolFree, Is.InRange(0, 1024));
    }

    [Test]
    public void TheSameSeedGivesTheSameRunAndAnotherOneAnother()
    {
        long[] first = Fingerprint(3);
        Assert.That(Fingerprint(3), Is.EqualTo(first));
        Assert.That(Fingerprint(4), Is.Not.EqualTo(first));
    }

    [Test]
    public void GetsThatTheNetworkDelaysExpireAndAreReadFromTheDisk()
    {
        ParameterSet slow = MachineParameters.Defaults.With("network-us", 600);
        using MachineRoom room = new(slow, 1);
        (Machine lender, Machine borrower) = (Add(room, "lender"), Add(room, "borrower"));
        room.Lend(lender, borrower, new PumaLenderOptions(), new BorrowerOptions());
        IoClient client = room.Run(borrower, new IoClientOptions { Pattern = new UniformPattern(2 * Pages), StartNanos = 0 });
        room.RunUntil(20 * VirtualClock.Second, s_run);
        Assert.That(borrower.Borrower!.Journal.Total(PumaEventKind.GetExpired), Is.GreaterThan(100));
        Assert.That(client.FromLenders, Is.Zero);
        Assert.That(client.Done, Is.EqualTo(client.Hits + client.FromDisk).Within(1));
    }

    [Test]
    public void ALenderThatAnswersSlowlyIsLeftAloneWhenTheMonitorIsOn()
    {
        ParameterSet slow = MachineParameters.Defaults.With("network-us", 3000);
        using MachineRoom room = new(slow, 1);
        (Machine lender, Machine borrower) = (Add(room, "lender"), Add(room, "borrower"));
        BorrowerOptions watchful = new() { Latency = new LatencyMonitorOptions { IsOn = true } };
        room.Lend(lender, borrower, new PumaLenderOptions(), watchful);
        room.Run(borrower, new IoClientOptions { Pattern = new UniformPattern(2 * Pages), StartNanos = 0 });
        room.RunUntil(10 * VirtualClock.Second, s_run);
        Assert.That(borrower.Borrower!.Journal.Total(PumaEventKind.LatencySuspended), Is.EqualTo(1));
        Assert.That(borrower.Borrower.Journal.Total(PumaEventKind.GetSent), Is.Zero);
    }

    [Test]
    public void WrittenPagesReachTheDiskAndTheirOldCopiesAreInvalidated()
    {
        using MachineRoom room = new(MachineParameters.Defaults, 1);
        (Machine lender, Machine borrower) = (Add(room, "lender"), Add(room, "borrower"));
        room.Lend(lender, borrower, new PumaLenderOptions(), new BorrowerOptions());
        IoClient client = room.Run(borrower, new IoClientOptions
        {
            Pattern = new UniformPattern(2 * Pages, writeShare: 0.2),
            StartNanos = 0,
            StopNanos = 20 * VirtualClock.Second,
        });
        room.RunUntil(80 * VirtualClock.Second, s_run);
        Assert.That(borrower.Disk.PagesWritten, Is.GreaterThan(Pages / 4));
        Assert.That(borrower.Borrower!.Journal.Total(PumaEventKind.Invalidated), Is.GreaterThan(100));
        for (ulong page = 0; page < client.FilePages; page++)
            Assert.That(borrower.Cache.IsDirty(new PerfCache.Frames.ObjectId(0), page), Is.False, "all is written after a minute");
    }

    [Test]
    public void MachinesThatHaveMoreThanTheHostAreRefused()
    {
        using MachineRoom room = new(MachineParameters.Defaults, 1);
        Machine machine = Add(room, "guest");
        BalloonHost host = new(room.Queue, Pages - 1, new DemandController(), room.Parameters);
        Assert.That(() => host.Add(machine, 0), Throws.ArgumentException.With.Message.Contains("1 pages more than the host"));
    }

    [Test]
    public void AProgramWithoutMemoryAndSwapIsKilled()
    {
        using MachineRoom room = new(MachineParameters.Defaults, 1);
        Machine machine = room.Add(new MachineOptions { Name = "small", MemoryPages = 2 * Pages, SwapPages = 2048 });
        MallocClient malloc = room.Run(machine, new MallocClientOptions { StartNanos = 0, Blocks = 100, PauseNanos = 0 });
        room.RunUntil(60 * VirtualClock.Second, s_run);
        Assert.That(malloc.KilledAtNanos, Is.GreaterThan(0));
        Assert.That(malloc.Samples, Has.Count.EqualTo(4), "three blocks fit, a fourth into swap");
        Assert.That((machine.AnonymousPages, machine.SwappedPages, machine.SwapOuts), Is.EqualTo((0L, 0L, 2048L)));
    }

    private static long[] Fingerprint(ulong seed)
    {
        using MachineRoom room = Make(KernelProfile.Linux315, LendingStrategy.Keep, 0, seed, out _, out IoClient[] clients);
        room.Queue.RunUntil(8 * VirtualClock.Second);
        return [.. clients.SelectMany(one => (long[])[one.Done, one.Hits, one.FromLenders, one.FromDisk]), room.Queue.EventsRun];
    }

    private static MachineRoom Make(
        KernelProfile profile, LendingStrategy strategy, int quota, ulong seed, out MallocClient malloc, out IoClient[] clients)
    {
        MachineRoom room = new(MachineParameters.Defaults, seed);
        Machine[] machines = [.. Enumerable.Range(0, 4).Select(i => room.Add(new MachineOptions
        {
            Name = $"machine {i}",
            MemoryPages = Pages,
            Profile = profile,
        }))];
        foreach (Machine borrower in machines[2..])
        {
            foreach (Machine lender in machines[..2])
            {
                room.Lend(
                    lender, borrower, new PumaLenderOptions { Strategy = strategy }, new BorrowerOptions { Strategy = strategy }, quota);
            }
        }

        List<IoClient> all = [];
        foreach (Machine borrower in machines[2..])
        {
            all.Add(room.Run(borrower, new IoClientOptions
            {
                Pattern = new UniformPattern(3 * Pages, 0.02),
                StartNanos = 0,
                Threads = 2,
            }));
        }

        all.Add(room.Run(machines[0], new IoClientOptions
        {
            Pattern = new HotColdPattern(Pages / 2, Pages, 0.05),
            StartNanos = 6 * VirtualClock.Second,
            StopNanos = 10 * VirtualClock.Second,
        }));
        clients = [.. all];
        malloc = room.Run(machines[1], new MallocClientOptions
        {
            StartNanos = 12 * VirtualClock.Second,
            Blocks = 1,
            PauseNanos = VirtualClock.Second,
        });
        return room;
    }

    private static Machine Add(MachineRoom room, string name) =>
        room.Add(new MachineOptions { Name = name, MemoryPages = Pages });
}
