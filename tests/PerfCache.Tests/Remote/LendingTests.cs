// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Puma;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;

namespace PerfCache.Tests.Remote;

/// <summary>
/// Goal: what the system takes is missed and counted, and lending stops and goes on when it should. Method: pages are
/// given back behind the store's back, as the system would take them; counters come from a script and from files.
/// </summary>
internal sealed class LendingTests : FolderFixture
{
    private readonly MemoryMeter _meter = new();

    [TearDown]
    public void NothingIsLeft() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void ASweepFindsWhatWasTakenAndKeepsWhatWasWritten()
    {
        using LendableStore store = NewStore();
        Fill(store, 400);
        FrameId[] taken = [.. Enumerable.Range(1, (int)store.Pages.FrameCount).Where(id => id % 4 == 0)
            .Select(id => new FrameId((uint)id))];
        long before = store.Items.Statistics.Items;
        store.Pages.Discard(taken);
        for (int i = 0; i < 4; i++) store.SweepTaken();
        ItemStatistics after = store.Items.Statistics;
        Assert.That(store.TakenFrames, Is.InRange(1, taken.Length));
        Assert.That(after.Items, Is.EqualTo(before - after.Lost));
        Assert.That(after.ChecksumFailures, Is.Zero, "they were found without a read");
        store.Pages.Restore(taken);
        store.Items.Validate();
    }

    [Test]
    public void EveryWrittenFrameIsMarkedOnce()
    {
        using LendableStore store = NewStore();
        Fill(store, 300);
        store.MarkWritten();
        long first = store.MarkedFrames;
        Assert.That(first, Is.GreaterThanOrEqualTo(300));
        store.MarkWritten();
        Assert.That(store.MarkedFrames, Is.EqualTo(first), "nothing was written since");
        store.Items.Store("key-7"u8, Enumerable.Repeat((byte)8, 4096).ToArray(), new ItemWrite(), 1, out _);
        store.MarkWritten();
        Assert.That(store.MarkedFrames, Is.EqualTo(first + 1));
        Assert.That(ReadAll(store, 300), Is.EqualTo(300), "what is marked and not taken is there");
    }

    [Test]
    public void RunsThatLieCloseAreMarkedInOneCallAndNothingElseIs()
    {
        // Every fourth frame is written; what lies between is marked again with them, and keeps what it has.
        using LendableStore store = NewStore();
        Fill(store, 400);
        store.MarkWritten();
        long marked = store.MarkedFrames;
        for (int i = 0; i < 400; i += 4)
            store.Items.Store(Encoding.ASCII.GetBytes($"key-{i}"), Value(i), new ItemWrite(), 1, out _);
        store.MarkWritten();
        Assert.That(store.MarkedFrames, Is.EqualTo(marked + 100), "those that were written are counted, each once");
        Assert.That(ReadAll(store, 400), Is.EqualTo(400));
        store.Items.Validate();
    }

    [Test]
    public void MemoryIsGivenBackAndComesBackInSteps()
    {
        using LendableStore store = NewStore(64 << 20);
        Fill(store, 8000);
        long used = store.Items.Statistics.UsedFrames;
        store.IsSuspended = true;
        for (int i = 0; i < 200; i++) store.GiveBack();
        Assert.That(store.Items.Statistics.UsedFrames, Is.Zero, "all is given back");
        Assert.That(store.Pages.DiscardedFrames, Is.GreaterThanOrEqualTo(used));
        Assert.That(store.GivenBackFrames, Is.EqualTo(store.Pages.DiscardedFrames));
        store.IsSuspended = false;
        store.TakeBack();
        long first = store.Items.Statistics.FreeFrames;
        store.TakeBack();
        Assert.That(store.Items.Statistics.FreeFrames, Is.EqualTo(3 * first), "twice as many the second time");
        for (int i = 0; i < 20; i++) store.TakeBack();
        Assert.That(store.Pages.DiscardedFrames, Is.Zero);
        Fill(store, 8000);
        Assert.That(ReadAll(store, 8000), Is.EqualTo(8000));
        store.Items.Validate();
    }

    [Test]
    public void FreedFramesNeverShowWhatWasInThem()
    {
        // Two borrowers of one store: what one deletes must not be readable by the other, whatever he stores.
        using LendableStore store = NewStore(8 << 20);
        Random random = TestSeed.Random(711);
        byte[] secret = Encoding.ASCII.GetBytes(new string('S', 4096));
        byte[] buffer = new byte[8192];
        for (int round = 0; round < 2000; round++)
        {
            byte[] key = Encoding.ASCII.GetBytes($"ann-{random.Next(300)}");
            store.Items.Store(key, secret.AsSpan(0, random.Next(4096)), new ItemWrite(), 1, out _);
            if (random.Next(2) == 0) store.Items.Delete(key, 1);
            byte[] other = Encoding.ASCII.GetBytes($"bob-{random.Next(300)}");
            int length = random.Next(4096);
            store.Items.Store(other, new byte[length], new ItemWrite(), 1, out _);
            if (random.Next(10) == 0) store.Pages.Discard([new FrameId(1 + (uint)random.Next((int)store.Pages.FrameCount))]);
            buffer.AsSpan().Clear();
            ItemRead read = store.Items.Get(Encoding.ASCII.GetBytes($"bob-{random.Next(300)}"), 1, buffer, out ItemInfo info);
            if (read == ItemRead.Hit)
                Assert.That(buffer.AsSpan(0, info.Length).IndexOf((byte)'S'), Is.Negative);
        }
    }

    [Test]
    public void AnySignalSuspendsAndQuietResumes()
    {
        LendingGovernor governor = new(new LendingGovernorOptions { KeepAvailableBytes = 100 });
        Assert.That(governor.Decide(Sample(0)).IsSuspended, Is.False);
        Assert.That(governor.Decide(Sample(0.1)).IsSuspended, Is.False, "nothing moved");
        LendingDecision stop = governor.Decide(Sample(0.2) with { ActivatingRefaults = 11 });
        Assert.That((stop.IsSuspended, stop.Changed, stop.Sign), Is.EqualTo((true, true, PumaCause.Refault)));
        Assert.That(governor.Decide(Sample(3.1) with { ActivatingRefaults = 11 }).IsSuspended, Is.True);
        LendingDecision goes = governor.Decide(Sample(3.2) with { ActivatingRefaults = 11 });
        Assert.That((goes.IsSuspended, goes.Changed), Is.EqualTo((false, true)));
    }

    [Test]
    public void EachSourceAloneIsEnough()
    {
        (PumaCause Signal, PressureSample Sample)[] cases =
        [
            (PumaCause.Refault, Sample(1) with { ActivatingRefaults = 12 }),
            (PumaCause.Pressure, Sample(1) with { Deactivations = 99 }),
            (PumaCause.Stall, Sample(1) with { StallMicros = 50_000 }),
            (PumaCause.Limit, Sample(1) with { LimitEvents = 1 }),
            (PumaCause.Floor, Sample(1) with { AvailableBytes = 99 }),
        ];
        foreach ((PumaCause signal, PressureSample sample) in cases)
        {
            LendingGovernor governor = new(new LendingGovernorOptions { KeepAvailableBytes = 100 });
            governor.Decide(Sample(0));
            Assert.That(governor.Decide(sample).Sign, Is.EqualTo(signal));
            Assert.That(governor.Reason, Is.EqualTo(signal));
        }
    }

    [Test]
    public void ARealLenderDecidesWithTheDetectorsOfTheSimulatedOnes()
    {
        LendingGovernor governor = new(new LendingGovernorOptions
        {
            KeepAvailableBytes = 100,
            Detector = new DetectorOptions { Signs = ActivitySigns.Pressure, SuspendTime = TimeSpan.FromSeconds(7) },
        });
        governor.Decide(Sample(0));
        Assert.That(governor.Decide(Sample(1) with { ActivatingRefaults = 50 }).IsSuspended, Is.False, "detector 1 is off");
        governor.Decide(Sample(2) with { ActivatingRefaults = 50, Deactivations = 40 });
        Assert.That(governor.Decide(Sample(8.9) with { ActivatingRefaults = 50, Deactivations = 40 }).IsSuspended, Is.True);
        Assert.That(governor.Decide(Sample(9) with { ActivatingRefaults = 50, Deactivations = 40 }).IsSuspended, Is.False);
        Assert.That(governor.Journal.WhySuspended(5 * TimeSpan.TicksPerSecond)!.Value.Began.Cause, Is.EqualTo(PumaCause.Pressure));
        Assert.That(
            () => new LendingGovernor(new LendingGovernorOptions { Detector = new DetectorOptions { IsIdleAware = true } }),
            Throws.ArgumentException);
    }

    [Test]
    public void OthersPressureOnAMachineWithPlentyFreeIsNotTheGroups()
    {
        Write("proc/meminfo", "MemTotal: 1000000 kB\nMemFree: 900000 kB\nMemAvailable: 900000 kB\n");
        Write("proc/vmstat", "workingset_activate_file 70\npgdeactivate 9\n");
        Write("proc/self/cgroup", "0::/lender\n");
        Write("sys/fs/cgroup/lender/memory.stat", "workingset_activate_file 30\npgdeactivate 1\n");
        Write("sys/fs/cgroup/lender/memory.max", "102400\n");
        Write("sys/fs/cgroup/lender/memory.current", "102400\n");
        using PressureReader reader = new(Folder);
        PressureSample first = reader.Read(1);
        Write("proc/vmstat", "workingset_activate_file 99\npgdeactivate 99\n");
        PressureSample second = reader.Read(2);
        Assert.That((second.ActivatingRefaults, second.Deactivations), Is.EqualTo((first.ActivatingRefaults, first.Deactivations)));
        Write("sys/fs/cgroup/lender/memory.stat", "workingset_activate_file 31\npgdeactivate 3\n");
        PressureSample third = reader.Read(3);
        Assert.That(
            (third.ActivatingRefaults - first.ActivatingRefaults, third.Deactivations - first.Deactivations),
            Is.EqualTo((1, 2)), "its own counts");
    }

    [Test]
    public void RefaultsWithPlentyFreeAreNoSignal()
    {
        LendingGovernor governor = new(new LendingGovernorOptions { KeepAvailableBytes = 100 });
        PressureSample plenty = Sample(0) with { FreeBytes = 5000 };
        governor.Decide(plenty);
        LendingDecision decision = governor.Decide(
            plenty with { NowTicks = TimeSpan.TicksPerSecond, ActivatingRefaults = 500, Deactivations = 500 });
        Assert.That(decision.IsSuspended, Is.False);
    }

    [Test]
    public void ALogIsDecidedAgainInTheSameWay()
    {
        Random random = TestSeed.Random(712);
        LendingGovernorOptions options = new() { KeepAvailableBytes = 100 };
        LendingGovernor first = new(options);
        List<string> log = [];
        PressureSample sample = Sample(0);
        for (int i = 0; i < 500; i++)
        {
            sample = sample with
            {
                NowTicks = i * TimeSpan.TicksPerSecond / 10,
                ActivatingRefaults = sample.ActivatingRefaults + (random.Next(60) == 0 ? 5 : 0),
                StallMicros = sample.StallMicros + (random.Next(90) == 0 ? 90_000 : 0),
                AvailableBytes = random.Next(200) == 0 ? 50 : 900,
                Deactivations = null,
            };
            log.Add(LendingLog.Format(sample, first.Decide(sample)));
        }

        LendingGovernor again = new(options);
        foreach (string line in log)
        {
            (PressureSample read, bool suspended, PumaCause signal) = LendingLog.Parse(line);
            LendingDecision decision = again.Decide(read);
            Assert.That((decision.IsSuspended, decision.Sign), Is.EqualTo((suspended, signal)), line);
        }

        Assert.That(log.Count(line => line.Contains(" suspended ", StringComparison.Ordinal)), Is.InRange(100, 499));
        Assert.That(() => LendingLog.Parse("nonsense"), Throws.TypeOf<FormatException>());
    }

    [Test]
    public void CountersAreReadFromWhatThereIs()
    {
        Write("proc/meminfo", "MemTotal:  1000 kB\nMemFree:  50 kB\nMemAvailable:   400 kB\n");
        Write("proc/vmstat", "nr_free_pages 1\nworkingset_activate_file 70\npgdeactivate 9\n");
        Write("proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0.00 total=1\n");
        Write("proc/self/cgroup", "0::/lender\n");
        Write("sys/fs/cgroup/lender/memory.stat", "anon 1\nworkingset_activate_file 30\ninactive_file 2048\n");
        Write("sys/fs/cgroup/lender/memory.events", "low 0\nhigh 2\nmax 3\noom 1\n");
        Write("sys/fs/cgroup/lender/memory.max", "102400\n");
        Write("sys/fs/cgroup/lender/memory.current", "92160\n");
        using PressureReader reader = new(Folder);
        PressureSample sample = reader.Read(7);
        Assert.That(
            sample, Is.EqualTo(new PressureSample
            {
                NowTicks = 7,
                TotalBytes = 102_400,
                FreeBytes = 10_240,
                AvailableBytes = 10_240 + 2048,
                ActivatingRefaults = 100,
                Deactivations = 9,
                StallMicros = 1234,
                LimitEvents = 6,
            }));
        Assert.That(reader.FallBacks, Is.Empty);
    }

    [Test]
    public void WhatIsMissingIsSaid()
    {
        using PressureReader reader = new(Folder);
        PressureSample sample = reader.Read(7);
        Assert.That(sample, Is.EqualTo(new PressureSample { NowTicks = 7 }));
        Assert.That(reader.Sources, Is.Empty);
        Assert.That(reader.FallBacks, Has.Count.EqualTo(4));
        LendingGovernor governor = new(new LendingGovernorOptions());
        Assert.That(governor.Decide(sample).IsSuspended, Is.False);
    }

    [Test]
    public void AKeeperSuspendsAllStores()
    {
        TenantStores stores = new(
            new ItemStoreOptions { CapacityBytes = 32 << 20, ShardCount = 1 }, [new TenantQuota("uid:1", 8 << 20)],
            new LendingOptions(), _meter);
        using (stores)
        using (LendingKeeper keeper = new(stores, new ServerClock(TimeProvider.System), new LendingOptions
        {
            SystemRoot = Folder,
            LogPath = PathOf("log"),
            Governor = new LendingGovernorOptions { KeepAvailableBytes = 100 },
        }))
        {
            keeper.Govern(Sample(0));
            keeper.Govern(Sample(1) with { LimitEvents = 5 });
            Assert.That(stores.All.Select(store => store.IsSuspended), Has.All.True);
            Assert.That((keeper.Suspensions, keeper.Reason), Is.EqualTo((1, PumaCause.Limit)));
            keeper.Govern(Sample(5) with { LimitEvents = 5 });
            Assert.That(stores.All.Select(store => store.IsSuspended), Has.All.False);
        }

        Assert.That(File.ReadAllLines(PathOf("log")).Select(line => LendingLog.Parse(line).IsSuspended), Does.Contain(true));
    }

    private static PressureSample Sample(double seconds) => new()
    {
        NowTicks = (long)(seconds * TimeSpan.TicksPerSecond),
        AvailableBytes = 900,
        FreeBytes = 50,
        TotalBytes = 10_000,
        ActivatingRefaults = 10,
        Deactivations = 10,
        StallMicros = 0,
        LimitEvents = 0,
    };

    private LendableStore NewStore(long bytes = 16 << 20) => new(
        new ItemStoreOptions { CapacityBytes = bytes, ShardCount = 1, HashSeed = 1 }, new LendingOptions(), _meter);

    private static void Fill(LendableStore store, int items)
    {
        for (int i = 0; i < items; i++)
            store.Items.Store(Encoding.ASCII.GetBytes($"key-{i}"), Value(i), new ItemWrite(), 1, out _);
    }

    private static byte[] Value(int item)
    {
        byte[] value = new byte[4096];
        value.AsSpan().Fill((byte)(1 + (item % 200)));
        return value;
    }

    private static int ReadAll(LendableStore store, int items)
    {
        byte[] buffer = new byte[4096];
        int hits = 0;
        for (int i = 0; i < items; i++)
        {
            if (store.Items.Get(Encoding.ASCII.GetBytes($"key-{i}"), 1, buffer, out _) != ItemRead.Hit) continue;
            // Not by a constraint for every byte: 30 million of them took six seconds.
            if (buffer.AsSpan().IndexOfAnyExcept((byte)(1 + (i % 200))) >= 0) Assert.Fail($"item {i} has other bytes");
            hits++;
        }

        return hits;
    }

    private void Write(string name, string text)
    {
        string path = PathOf(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
