// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Policies.Placement;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache.Nodes;

/// <summary>Goal: a page that moves keeps its bytes and what is known of it; what cannot move stays, and is told.</summary>
[TestFixture]
public sealed class MigrationTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly TestNodes _nodes = new(3);

    [Test]
    public void PagesMoveWithTheirBytes()
    {
        using PageCache<LinuxRules<Linux6>> cache = New(new LinuxRules<Linux6>(), 300);
        ObjectId owner = cache.AddObject(source: null, 1000);
        for (uint page = 0; page < 60; page++) cache.TryAdd(owner, page, PageCacheTests.Bytes(page));
        MigrationReport report = cache.Migrate(MigrationRequest.OfRange(owner, 10, 70, node: 2));
        Assert.That(report, Is.EqualTo(new MigrationReport(Moved: 50, AlreadyThere: 0, Gone: 20, InUse: 0, NoRoom: 0, Retries: 0)));
        for (uint page = 0; page < 60; page++)
        {
            Assert.That(cache.FindNode(owner, page), Is.EqualTo(page < 10 ? 0 : 2));
            using PageLease lease = cache.GetOrAdd(owner, page, source: null!);
            Assert.That(lease.Span.SequenceEqual(PageCacheTests.Bytes(page)), Is.True);
        }

        Assert.That(cache.GetNodeStatistics().Select(node => (node.Pages, node.MigratedIn, node.MigratedOut)),
            Is.EqualTo(new (long, long, long)[] { (10, 0, 50), (0, 0, 0), (50, 50, 0) }));
        Assert.That(cache.Migrate(MigrationRequest.OfRange(owner, 10, 50, node: 2)).AlreadyThere, Is.EqualTo(50));
        cache.Validate();
    }

    [Test]
    public void APartitionMovesAsAWholeAndNobodyElse()
    {
        using PageCache<Fifo> cache = New(new Fifo(), 300);
        PartitionId moves = cache.AddPartition(new PartitionOptions { Name = "moves" }, new Fifo());
        ObjectId stays = cache.AddObject(source: null, 1000);
        ObjectId sparse = cache.AddObject(source: null, 1UL << 30, dense: false, moves);
        for (uint page = 0; page < 40; page++)
        {
            cache.TryAdd(stays, page, [1]);
            cache.TryAdd(sparse, page * 1_000_003UL, [1]);
        }

        MigrationReport report = cache.Migrate(MigrationRequest.OfPartition(moves, 1) with { PagesMax = 30 });
        Assert.That(report.Moved, Is.EqualTo(30));
        Assert.That(cache.GetPartitionNodes(moves).Select(node => node.Pages), Is.EqualTo(new long[] { 10, 30, 0 }));
        Assert.That(cache.GetPartitionNodes(default)[0].Pages, Is.EqualTo(40));
        Assert.That(cache.Migrate(MigrationRequest.OfRange(sparse, 0, 1UL << 30, 1)).Moved, Is.EqualTo(10), "a huge range, by frames");
        cache.Validate();
    }

    // Goal: mark and flags go with the page. Method: clock spares pages with a mark; after moving, those hit before are the
    // ones that stay when the target node gives up half of its pages.
    [Test]
    public void AMarkGoesWithThePage()
    {
        using PageCache<Clock> cache = New(new Clock(), 60);
        ObjectId owner = cache.AddObject(source: null, 1000);
        for (uint page = 0; page < 20; page++) cache.TryAdd(owner, page, [1]);
        for (uint page = 0; page < 20; page += 2) cache.Touch(owner, page);
        Assert.That(cache.Migrate(MigrationRequest.OfRange(owner, 0, 20, node: 1)).Moved, Is.EqualTo(20));
        cache.SetPlacement(owner, new PreferredPlacement(1, NodeFull.Reclaim));
        for (uint page = 100; page < 110; page++) cache.TryAdd(owner, page, [1]);
        Assert.That(
            Enumerable.Range(0, 20).Where(page => cache.Contains(owner, (uint)page)),
            Is.EqualTo(Enumerable.Range(0, 10).Select(i => 2 * i)));
        cache.Validate();
    }

    // An active page of linux-6 survives a scan of its new node; an inactive one does not.
    [Test]
    public void AnActivePageStaysActive()
    {
        using PageCache<LinuxRules<Linux6>> cache = new(
            _nodes.CacheOptions(384) with { ActivationBatch = 1 }, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, 10_000);
        for (uint page = 0; page < 40; page++) cache.TryAdd(owner, page, [1]);
        for (uint page = 0; page < 20; page++) cache.Touch(owner, page);
        for (uint page = 0; page < 20; page++) cache.Touch(owner, page);
        cache.Migrate(MigrationRequest.OfRange(owner, 0, 40, node: 2));
        cache.SetPlacement(owner, new PreferredPlacement(2, NodeFull.Reclaim));
        for (uint page = 1000; page < 1100; page++) cache.TryAdd(owner, page, [1]);
        Assert.That(Enumerable.Range(0, 20).Count(page => cache.Contains(owner, (uint)page)), Is.EqualTo(20));
        Assert.That(Enumerable.Range(20, 20).Count(page => cache.Contains(owner, (uint)page)), Is.LessThan(20));
        cache.Validate();
    }

    [Test]
    public void WhatIsInUseStaysAndIsTold()
    {
        using PageCache<Fifo> cache = New(new Fifo(), 60);
        StoredPages stored = new();
        ObjectId owner = cache.AddObject(stored, 100);
        for (uint page = 0; page < 10; page++) cache.Get(owner, page).Dispose();
        using (cache.Get(owner, 3))
        using (cache.GetForWrite(owner, 4))
        {
            MigrationReport report = cache.Migrate(MigrationRequest.OfRange(owner, 0, 10, node: 1));
            Assert.That((report.Moved, report.InUse), Is.EqualTo((8, 2)));
        }

        Assert.That(cache.Migrate(MigrationRequest.OfRange(owner, 0, 10, node: 1)).Moved, Is.EqualTo(2));
        cache.Validate();
    }

    [Test]
    public async Task ADirtyPageMovesAndIsWrittenFromItsNewFrame()
    {
        using PageCache<Fifo> cache = New(new Fifo(), 60);
        StoredPages stored = new();
        ObjectId owner = cache.AddObject(stored, 100);
        for (uint page = 0; page < 5; page++)
            using (WriteLease lease = cache.GetForWrite(owner, page)) lease.Span.Fill((byte)(page + 1));
        Assert.That(cache.Migrate(MigrationRequest.OfRange(owner, 1, 3, node: 2)).Moved, Is.EqualTo(3));
        Assert.That(cache.DirtyCount, Is.EqualTo(5));
        cache.Validate();
        await cache.FlushAsync();
        Assert.That(cache.DirtyCount, Is.Zero);
        for (uint page = 0; page < 5; page++)
        {
            cache.Invalidate(owner, page);
            using PageLease lease = cache.Get(owner, page);
            Assert.That(lease.Span[7], Is.EqualTo(page + 1));
        }

        cache.Validate();
    }

    [Test]
    public void AFullTargetKeepsItsPagesUnlessToldToEvict()
    {
        using PageCache<Fifo> cache = New(new Fifo(), 60);
        ObjectId owner = cache.AddObject(source: null, 100);
        for (uint page = 0; page < 40; page++) cache.TryAdd(owner, page, [1]);
        // Pages 20 to 39 have filled node 1.
        MigrationReport report = cache.Migrate(MigrationRequest.OfRange(owner, 0, 5, node: 1));
        Assert.That((report.Moved, report.NoRoom), Is.EqualTo((0, 5)));
        report = cache.Migrate(MigrationRequest.OfRange(owner, 0, 5, node: 1) with { MayEvict = true });
        Assert.That((report.Moved, report.NoRoom), Is.EqualTo((5, 0)));
        Assert.That(Enumerable.Range(20, 20).Where(page => !cache.Contains(owner, (uint)page)), Is.EqualTo(Enumerable.Range(20, 5)));
        Assert.That(cache.ResidentCount, Is.EqualTo(35));
        cache.Validate();
    }

    [Test]
    public void ALeaseOfTheNewFrameHindersNothing()
    {
        using PageCache<Fifo, Script> cache = new(_nodes.CacheOptions(60), new Fifo());
        ObjectId owner = cache.AddObject(source: null, 100);
        cache.TryAdd(owner, 1, [7]);
        PageLease lease = default;
        Script.Steps = step =>
        {
            // On the migrating thread, which has the lock: a hit takes none.
            if (step == CacheStep.Redirected) cache.TryGet(owner, 1, out lease);
        };
        MigrationReport report = cache.Migrate(MigrationRequest.OfRange(owner, 1, 1, node: 2));
        Script.Steps = null;
        Assert.That(report.Moved, Is.EqualTo(1));
        Assert.That(lease.Span[0], Is.EqualTo(7));
        lease.Dispose();
        Assert.That(cache.FindNode(owner, 1), Is.EqualTo(2));
        cache.Validate();
    }

    // Goal: a lease of the old frame that comes while the page has two takes the move back, and a lease of the new one is
    // still a lease: a writer waits for it. Method: a reader stops where it knows the old frame and has not pinned it, until
    // the slot names the new one; just then the migrating thread takes a lease too.
    [Test]
    public void ALeaseOfTheOldFrameTakesTheMoveBackAndAWriterWaitsForTheTwin()
    {
        using PageCache<Fifo, Script> cache = new(_nodes.CacheOptions(60), new Fifo());
        ObjectId owner = cache.AddObject(source: null, 100);
        cache.TryAdd(owner, 1, [7]);
        using ManualResetEventSlim found = new(), go = new(), pinned = new();
        PageLease old = default, twin = default;
        Thread reader = new(() => cache.TryGet(owner, 1, out old));
        Script.Steps = step =>
        {
            if (Thread.CurrentThread == reader)
            {
                if (step == CacheStep.Pinned) pinned.Set();
                if (step != CacheStep.Found) return;
                found.Set();
                go.Wait(s_patience);
            }
            else if (step == CacheStep.Redirected && !go.IsSet)
            {
                cache.TryGet(owner, 1, out twin);
                go.Set();
                pinned.Wait(s_patience);
            }
        };
        reader.Start();
        Assert.That(found.Wait(s_patience), Is.True);
        MigrationReport report = cache.Migrate(MigrationRequest.OfRange(owner, 1, 1, node: 2));
        Assert.That(reader.Join(s_patience), Is.True);
        Script.Steps = null;
        Assert.That((report.Moved, report.InUse, cache.MigrationStatistics.TakenBack), Is.EqualTo((0, 1, 1)));
        Assert.That(cache.FindNode(owner, 1), Is.EqualTo(0));
        Assert.That((old.Span[0], twin.Span[0]), Is.EqualTo((7, 7)));
        cache.Validate();
        old.Dispose();
        Assert.That(
            () => cache.GetForWrite(owner, 1), Throws.TypeOf<TimeoutException>().With.Message.Contains("still has readers"));
        twin.Dispose();
        using (cache.GetForWrite(owner, 1))
        {
        }

        Assert.That(cache.Migrate(MigrationRequest.OfRange(owner, 1, 1, node: 2)).Moved, Is.EqualTo(1));
        cache.Validate();
    }

    [Test]
    public async Task ABackgroundMigrationKeepsItsBudgetAndTriesAgain()
    {
        SteppedTime time = new();
        using PageCache<Fifo> cache = new(
            _nodes.CacheOptions(120, o => o with
            {
                Migration = new MigrationOptions
                {
                    PagesPerPeriod = 10,
                    Period = TimeSpan.FromSeconds(1),
                    BatchPages = 4,
                    Retries = 2,
                    RetryDelay = TimeSpan.FromSeconds(5),
                    Time = time,
                },
            }),
            new Fifo());
        ObjectId owner = cache.AddObject(source: null, 100);
        for (uint page = 0; page < 25; page++) cache.TryAdd(owner, page, [1]);
        cache.TryGet(owner, 0, out PageLease lease);
        Task<MigrationReport> moving = cache.MigrateAsync(MigrationRequest.OfRange(owner, 0, 25, node: 1));
        int periods = 0;
        bool isLetGo = false;
        while (!moving.IsCompleted)
        {
            await time.WaitForATimer(moving).WaitAsync(s_patience);
            Assert.That(cache.MigrationStatistics.Moved, Is.LessThanOrEqualTo((periods + 1) * 10L));
            if (cache.MigrationStatistics.Moved == 24 && periods >= 3 && !isLetGo)
            {
                isLetGo = true;
                lease.Dispose();
            }

            time.Step(TimeSpan.FromSeconds(1));
            periods++;
            Assert.That(periods, Is.LessThan(100));
        }

        MigrationReport report = await moving;
        Assert.That((report.Moved, report.InUse), Is.EqualTo((25, 0)));
        Assert.That(report.Retries, Is.GreaterThanOrEqualTo(1));
        Assert.That(cache.MigrationStatistics.BudgetWaits, Is.GreaterThanOrEqualTo(2));
        cache.Validate();
    }

    [Test]
    public async Task AMigrationThatIsCancelledKeepsWhatIsDone()
    {
        SteppedTime time = new();
        using PageCache<Fifo> cache = new(
            _nodes.CacheOptions(120, o => o with
            {
                Migration = new MigrationOptions { PagesPerPeriod = 4, BatchPages = 4, Time = time },
            }),
            new Fifo());
        ObjectId owner = cache.AddObject(source: null, 100);
        for (uint page = 0; page < 20; page++) cache.TryAdd(owner, page, [1]);
        using CancellationTokenSource cancel = new();
        Task<MigrationReport> moving = cache.MigrateAsync(MigrationRequest.OfRange(owner, 0, 20, node: 1), cancel.Token);
        await time.WaitForATimer(moving).WaitAsync(s_patience);
        cancel.Cancel();
        time.Step(TimeSpan.FromSeconds(1));
        Assert.That(async () => await moving.WaitAsync(s_patience), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(cache.GetNodeStatistics()[1].Pages, Is.EqualTo(4));
        MigrationReport report = await cache.MigrateAsync(MigrationRequest.OfPages([new PageKey(owner, 19)], 1)).WaitAsync(s_patience);
        Assert.That(report.Moved, Is.EqualTo(1), "others go on");
        cache.Validate();
    }

    // Goal: whoever asks while pages move sees each of them once. Method: all pages are resident and stay so; threads move
    // them about, and one asks again and again.
    [Test]
    public void TheSumOverNodesIsExactWhilePagesMove()
    {
        const int Movers = 2;
        const int Batch = 8;
        using PageCache<LinuxRules<Linux6>> cache = new(
            _nodes.CacheOptions(400, o => o with { Migration = new MigrationOptions { BatchPages = Batch } }),
            new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, 1000);
        for (uint page = 0; page < 100; page++) cache.TryAdd(owner, page, [1]);
        using CancellationTokenSource stop = new();
        Thread[] movers = [.. Enumerable.Range(0, Movers).Select(mover => new Thread(() =>
        {
            for (int node = mover; !stop.IsCancellationRequested; node++)
                cache.Migrate(MigrationRequest.OfRange(owner, (ulong)mover * 50, 50, node % 3));
        }))];
        foreach (Thread mover in movers) mover.Start();
        for (int i = 0; i < 2000 || cache.MigrationStatistics.Moved < 2000; i++)
        {
            PartitionNode[] nodes = cache.GetPartitionNodes(default);
            Assert.That(nodes.Sum(node => node.Pages), Is.EqualTo(100));
            Assert.That(nodes.Sum(node => node.InFlight), Is.LessThanOrEqualTo(Movers * Batch));
            foreach (NodeStatistics node in cache.GetNodeStatistics())
                Assert.That(node.FreeFrames + node.Pages + node.InFlight, Is.EqualTo(node.Frames));
        }

        stop.Cancel();
        foreach (Thread mover in movers) Assert.That(mover.Join(s_patience), Is.True);
        Assert.That(cache.GetPartitionNodes(default).Sum(node => node.InFlight), Is.Zero);
        cache.Validate();
    }

    [Test]
    public void AListenerSeesWhatEachNodeHas()
    {
        using PageCache<Fifo> cache = new(
            _nodes.CacheOptions(60, o => o with { Placement = new PreferredPlacement(0) }) with { Name = "three nodes" }, new Fifo());
        PartitionId part = cache.AddPartition(
            new PartitionOptions { Name = "part", Placement = new PreferredPlacement(2) }, new Fifo());
        ObjectId[] owners = [cache.AddObject(source: null, 100), cache.AddObject(source: null, 100, true, part)];
        foreach (ObjectId owner in owners)
            for (uint page = 0; page < 5; page++) cache.TryAdd(owner, page, [1]);
        cache.Migrate(MigrationRequest.OfRange(owners[0], 0, 2, node: 1));
        List<string> seen = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name.StartsWith("cache.node.", StringComparison.Ordinal)) self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            Dictionary<string, object?> known = [];
            foreach (KeyValuePair<string, object?> tag in tags) known[tag.Key] = tag.Value;
            if (known["cache.name"] as string != "three nodes" || value == 0) return;
            known.Remove("cache.name");
            seen.Add($"{instrument.Name} {string.Join(' ', known.Values)} {value}");
        });
        listener.Start();
        listener.RecordObservableInstruments();
        Assert.That(seen, Is.EquivalentTo(new[]
        {
            "cache.node.pages default 0 local 3", "cache.node.pages default 1 remote 2", "cache.node.pages part 2 local 5",
            "cache.node.free 0 17", "cache.node.free 1 18", "cache.node.free 2 15", "cache.node.migrations 1 2",
        }));
    }

    [Test]
    public void ACacheWithoutNodesMovesNothing()
    {
        using PageCache<Fifo> cache = new(PageCacheOptions.ForFrames(20), new Fifo());
        ObjectId owner = cache.AddObject(source: null, 100);
        Assert.That(
            () => cache.Migrate(MigrationRequest.OfRange(owner, 0, 1, 0)),
            Throws.InvalidOperationException.With.Message.Contains("no nodes to move between"));
        using PageCache<Fifo> three = New(new Fifo(), 60);
        Assert.That(
            () => three.Migrate(MigrationRequest.OfRange(owner, 0, 1, 9)),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("no frames on node 9"));
    }

    // Goal: a size that changes is dealt out to the nodes, and pages go on moving. Method: shrink and grow between moves.
    [Test]
    public void NodesShareASizeThatChanges()
    {
        using PageCache<LinuxRules<Linux6>> cache = new(
            new PageCacheOptions
            {
                CapacityBytes = 4 << 20,
                CapacityBytesMax = 8 << 20,
                BackgroundReclaim = false,
                Nodes = _nodes.Options with { Placement = new InterleavePlacement() },
            },
            new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, 10_000);
        long[] sizes = [4 << 20, 8 << 20, 2 << 20, 6 << 20, 3 << 20];
        foreach (long size in sizes)
        {
            cache.Resize(size);
            for (uint page = 0; page < 3000; page++) cache.TryAdd(owner, page, PageCacheTests.Bytes(page));
            cache.Migrate(MigrationRequest.OfRange(owner, 2900, 50, node: 1) with { MayEvict = true });
            NodeStatistics[] nodes = cache.GetNodeStatistics();
            Assert.That(nodes.Sum(node => node.Frames), Is.EqualTo(cache.FrameCount));
            Assert.That(nodes.Max(node => node.Frames) - nodes.Min(node => node.Frames), Is.LessThanOrEqualTo(64), $"{size}");
            Assert.That(cache.UsedBytes, Is.LessThanOrEqualTo(size));
            cache.Validate();
        }
    }

    private PageCache<TRules> New<TRules>(TRules rules, uint frames) where TRules : struct, IFlagRules =>
        new(_nodes.CacheOptions(frames), rules);

    /// <summary>Does what a test wants at each step.</summary>
    private readonly struct Script : ICacheProbe
    {
        internal static Action<CacheStep>? Steps { get; set; }

        public static void At(CacheStep place) => Steps?.Invoke(place);

        public static bool Omits(CacheCheck check) => false;
    }

    /// <summary>A clock that stands still until it is stepped, and tells when somebody waits for it.</summary>
    private sealed class SteppedTime : TimeProvider
    {
        private readonly Lock _lock = new();
        private readonly List<Timer> _timers = [];
        private long _now = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _now);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Timer timer = new(callback, state, GetTimestamp() + dueTime.Ticks);
            lock (_lock) _timers.Add(timer);
            return timer;
        }

        /// <summary>Ends when somebody waits, or when nobody will any more.</summary>
        internal async Task WaitForATimer(Task orEnd)
        {
            while (!orEnd.IsCompleted)
            {
                lock (_lock)
                    if (_timers.Exists(timer => !timer.IsOver)) return;
                await Task.Yield();
            }
        }

        internal void Step(TimeSpan time)
        {
            long now = Interlocked.Add(ref _now, time.Ticks);
            List<Timer> due;
            lock (_lock)
            {
                due = _timers.FindAll(timer => !timer.IsOver && timer.Due <= now);
                _timers.RemoveAll(timer => timer.IsOver || timer.Due <= now);
            }

            foreach (Timer timer in due) timer.Fire();
        }

        private sealed class Timer(TimerCallback callback, object? state, long due) : ITimer
        {
            internal long Due { get; } = due;

            internal bool IsOver { get; private set; }

            internal void Fire()
            {
                IsOver = true;
                callback(state);
            }

            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose() => IsOver = true;

            public ValueTask DisposeAsync()
            {
                Dispose();
                return ValueTask.CompletedTask;
            }
        }
    }
}
