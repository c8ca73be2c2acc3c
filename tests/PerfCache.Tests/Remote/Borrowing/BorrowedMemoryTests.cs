// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.Metrics;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Puma;
using PerfCache.Policies.Replacement;
using PerfCache.Remote.Borrowing;
using PerfCache.Tests.Core.Cache;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>Goal: what is put, asked for, waited for and left alone, with servers that a test steers.</summary>
[TestFixture]
internal sealed class BorrowedMemoryTests
{
    private const int PageBytes = 4096;
    private static readonly PageKey s_page = new(new ObjectId(1), 5);

    [Test]
    public async Task APageComesBackOnceItWasAcknowledgedAndNoSooner()
    {
        await using Bench bench = new(new() { Servers = ["a"] }, fleet => new FakeFleet(fleet, 1) { IsPrompt = false });
        byte[] page = PageFingerprintTests.Noise(PageBytes, 1);
        bench.Tier.OnEvicted(s_page, page, isSequential: false);
        Assert.That(bench.Tier.Knows(s_page), Is.False, "queued");
        Assert.That(bench.Tier.SendOne());
        Assert.That(bench.Tier.Knows(s_page), Is.False, "sent");
        bench.Fleet.Deliver();
        Assert.That(bench.Tier.Knows(s_page));
        Assert.That(bench.Read(s_page), Is.EqualTo(page));
        Assert.That(bench.Tier.Statistics, Has.Property("OnTheirWay").EqualTo(2));
        // Kept there: the same page need not be sent again.
        bench.Tier.OnEvicted(s_page, page, isSequential: false);
        Assert.That(bench.Tier.SendOne(), Is.False);
        Assert.That(bench.Tier.Statistics.Kept, Is.EqualTo(1));
    }

    [Test]
    public async Task AKnownMissCostsNoMessage()
    {
        await using Bench bench = new(new() { Servers = ["a"] });
        Assert.That(bench.Tier.Knows(s_page), Is.False);
        Assert.That(bench.Read(s_page), Is.Null);
        Assert.That(bench.Fleet.GetCalls, Is.Zero);
        Assert.That(bench.Tier.Statistics.KnownMisses, Is.EqualTo(1));
    }

    [TestCase(FleetLie.Stale), TestCase(FleetLie.Swapped), TestCase(FleetLie.Torn), TestCase(FleetLie.Flipped)]
    [TestCase(FleetLie.Poisoned), TestCase(FleetLie.Late), TestCase(FleetLie.Denied)]
    public async Task ALieIsACountedMissAndThePageIsNotAskedForAgain(FleetLie lie)
    {
        foreach (bool encrypts in (bool[])[false, true])
        {
            await using Bench bench = new(
                new() { Servers = ["a"], Encrypts = encrypts }, fleet => new FakeFleet(fleet, 1) { Lies = [lie] });
            bench.Put(s_page, 1);
            bench.Tier.Forget(s_page);
            bench.Put(new PageKey(s_page.Packed + 1), 2);
            bench.Put(s_page, 3);
            bench.Fleet.LieEvery = 1;
            Assert.That(bench.Read(s_page), Is.Null);
            Assert.That(bench.Tier.Knows(s_page), Is.False);
            BorrowedMemoryStatistics counts = bench.Tier.Statistics;
            Assert.That(counts.Wrong, Is.EqualTo(lie is FleetLie.Late or FleetLie.Denied ? 0 : 1));
            Assert.That(counts.Expired, Is.EqualTo(lie == FleetLie.Late ? 1 : 0));
            Assert.That(counts.Missing, Is.EqualTo(lie == FleetLie.Denied ? 1 : 0));
        }
    }

    [Test]
    public async Task WhatCannotBeSentIsDroppedAndCounted()
    {
        SequentialFilterOptions filter = new() { IsOn = true };
        await using Bench bench = new(new() { Servers = ["a"], PutPoolPages = 8, Filter = filter });
        byte[] page = new byte[PageBytes];
        bench.Tier.OnEvicted(s_page, page, isSequential: true);
        bench.Fleet.IsInService = false;
        bench.Tier.OnEvicted(s_page, page, isSequential: false);
        bench.Fleet.IsInService = true;
        for (ulong i = 0; i < 10; i++) bench.Tier.OnEvicted(new PageKey(i), page, isSequential: false);
        bench.Fleet.HasRoom = false;
        Assert.That(bench.Tier.SendOne());
        BorrowedMemoryStatistics counts = bench.Tier.Statistics;
        Assert.That(counts.DroppedSequential, Is.EqualTo(1));
        Assert.That(counts.DroppedNoServer, Is.EqualTo(1));
        Assert.That(counts.DroppedNoRoom, Is.EqualTo(2 + 1));
        Assert.That(counts.CataloguePages, Is.EqualTo(7), "what was dropped is not believed to be there");
    }

    [Test]
    public async Task AGetIsGivenTheServersTimeButNoMoreThanTheSourceTakes()
    {
        await using Bench bench = new(new() { Servers = ["a"], Race = new() { WarmUp = 0, ProbeInterval = TimeSpan.FromHours(1) } });
        bench.Put(s_page, 1);
        bench.Fleet.Deadline = TimeSpan.FromMilliseconds(20);
        bench.Read(s_page);
        Assert.That(bench.Fleet.LastDeadline.TotalMilliseconds, Is.EqualTo(20));
        bench.Tier.OnSourceRead(1, Stopwatch.Frequency / 500);
        bench.Read(s_page);
        Assert.That(bench.Fleet.LastDeadline.TotalMilliseconds, Is.EqualTo(4).Within(0.001), "twice 2 ms");
        for (int i = 0; i < 300; i++) bench.Tier.OnSourceRead(1, 1);
        bench.Read(s_page);
        Assert.That(bench.Fleet.LastDeadline.TotalMilliseconds, Is.EqualTo(2).Within(0.001), "the least");
    }

    [Test]
    public async Task ItLeavesTheServersAloneWhileTheSourceIsFasterAndSaysSo()
    {
        List<BorrowDecision> said = [];
        await using Bench bench = new(new()
        {
            Servers = ["a"],
            Decided = said.Add,
            Race = new() { WarmUp = 4, Smoothing = 16, ProbeInterval = TimeSpan.FromTicks(1) },
        });
        bench.Put(s_page, 1);
        bench.Fleet.GetTime = TimeSpan.FromMicroseconds(200);
        for (int i = 0; i < 30; i++)
        {
            bench.Tier.OnSourceRead(1, Stopwatch.Frequency / 100_000);
            bench.Read(s_page);
        }

        Assert.That(bench.Tier.Statistics.IsOffForSingle);
        Assert.That(said, Has.Count.EqualTo(1));
        Assert.That(said[0].ToString(), Does.Contain("servers left alone"));
        Assert.That(bench.Tier.Decisions, Is.EqualTo(said));
        for (ulong i = 100; i < 100 + TierRace.OffersApart; i++)
            bench.Tier.OnEvicted(new PageKey(i), new byte[PageBytes], isSequential: false);
        Assert.That(bench.Tier.Statistics.DroppedSourceFaster, Is.EqualTo(TierRace.OffersApart - 1));

        // The source becomes slow: the probes show it.
        for (int i = 0; i < 200; i++)
        {
            bench.Tier.OnSourceRead(1, Stopwatch.Frequency / 100);
            if (bench.Tier.IsWorthAsking(1)) bench.Read(s_page);
        }

        Assert.That(bench.Tier.Statistics.IsOffForSingle, Is.False);
        Assert.That(said, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task AServerThatIsLeftAloneIsNotAskedAndKeepsItsPages()
    {
        await using Bench bench = new(new() { Servers = ["a"] });
        bench.Put(s_page, 1);
        bench.Fleet.IsInService = false;
        Assert.That(bench.Tier.Knows(s_page), Is.False);
        Assert.That(bench.Tier.Statistics.LeftAlone, Is.EqualTo(1));
        bench.Fleet.IsInService = true;
        Assert.That(bench.Tier.Knows(s_page));
        Assert.That(bench.Read(s_page), Is.Not.Null);
    }

    [Test]
    public async Task NothingIsAllocatedPerPageOnTheWayOutOrBack([Values] bool encrypts)
    {
        await using Bench bench = new(
            new() { Servers = ["a"], Encrypts = encrypts, Race = new() { OffShare = 1e9 } }, fleet => new NullFleet(fleet));
        byte[] page = PageFingerprintTests.Noise(PageBytes, 1), back = new byte[PageBytes * 8];
        OverflowRead[] reads = new OverflowRead[8];
        bool isSync = true;
        void Turn(int round)
        {
            for (int i = 0; i < reads.Length; i++)
            {
                PageKey key = new(new ObjectId(1), (ulong)((round * reads.Length) + i));
                bench.Tier.OnEvicted(key, page, isSequential: false);
                bench.Tier.SendOne();
                bench.Tier.OnSourceRead(1, 1000);
                bench.Tier.Knows(key);
                bench.Tier.IsWorthAsking(1);
                reads[i] = new OverflowRead { Page = key, Destination = back.AsMemory(i * PageBytes, PageBytes) };
            }

            bench.Tier.Read(reads, 1);
            isSync &= bench.Tier.ReadAsync(reads, 1).AsTask().IsCompletedSuccessfully;
            foreach (ref OverflowRead read in reads.AsSpan()) bench.Tier.Forget(read.Page);
        }

        for (int round = 0; round < 100; round++) Turn(round);
        // Whenever the runtime replaces a method or a lock is met for the first time, an object of its own may appear:
        // once, not for a page. So the best of a few stretches counts.
        long least = long.MaxValue;
        for (int stretch = 1; stretch < 6; stretch++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int round = 0; round < 100; round++) Turn((stretch * 100) + round);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

#if DEBUG
        // The state of an asynchronous method is an object in a debug build: one a turn, of eight pages.
        const long StateBytes = 100 * 128;
#else
        const long StateBytes = 0;
#endif
        Assert.That(least, Is.LessThanOrEqualTo(StateBytes));
        Assert.That(isSync);
        Assert.That(bench.Tier.Statistics.Hits, Is.EqualTo(600 * 2 * reads.Length));
    }

    [Test]
    public async Task MetricsAreTheStatistics()
    {
        await using Bench bench = new(new() { Servers = ["a"], Name = "measured", Race = new() { WarmUp = 0 } });
        bench.Put(s_page, 1);
        bench.Read(s_page);
        Dictionary<string, double> seen = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, mine) =>
            {
                if (instrument.Meter.Name == BorrowedMemoryMetrics.MeterName) mine.EnableMeasurementEvents(instrument);
            },
        };
        void Note<T>(Instrument instrument, T value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
            where T : struct
        {
            if (tags[0].Value as string != "measured") return;
            string outcome = tags.Length > 1 ? $" {tags[1].Value}" : "";
            seen[instrument.Name + outcome] = Convert.ToDouble(value, System.Globalization.CultureInfo.InvariantCulture);
        }

        listener.SetMeasurementEventCallback<long>(Note);
        listener.SetMeasurementEventCallback<double>(Note);
        listener.Start();
        listener.RecordObservableInstruments();
        Assert.That(seen["borrowed.evictions sent"], Is.EqualTo(1));
        Assert.That(seen["borrowed.gets hit"], Is.EqualTo(1));
        Assert.That(seen["borrowed.gets wrong"], Is.Zero);
        Assert.That(seen["borrowed.pages"], Is.EqualTo(1));
        Assert.That(seen["borrowed.get_time"], Is.GreaterThan(0));
    }

    [Test]
    public async Task BadOptionsAreRefusedInOneLine()
    {
        foreach (BorrowedMemoryOptions wrong in (BorrowedMemoryOptions[])
        [
            new() { Servers = [] },
            new() { Servers = ["a"], CapacityBytes = 5 },
            new() { Servers = ["a"], PutPoolPages = 1 },
            new() { Servers = ["a"], Name = " " },
            new() { Servers = ["a"], SourceTimesMax = 0 },
            new() { Servers = ["a"], GetTimeoutMin = TimeSpan.Zero },
            new() { Servers = ["a"], Filter = new() { EvictionPenalty = 3 } },
            new() { Servers = ["a"], Race = new() { OnShare = 2 } },
        ])
        {
            ArgumentException? refused = Assert.Throws<ArgumentException>(
                () => _ = new BorrowedMemory(wrong, listener => new FakeFleet(listener, 1)));
            Assert.That(refused!.Message, Does.Contain("possible is").And.Not.Contains('\n'));
        }

        await using Bench bench = new(new() { Servers = ["a"] });
        Assert.Throws<InvalidOperationException>(() => bench.Tier.Attach(PageBytes), "one cache each");
    }

    [Test]
    public async Task PagesOfLongSequentialReadsAreKeptBackWhereTheFilterIsOn()
    {
        foreach (bool isOn in (bool[])[false, true])
        {
            await using Bench bench = new(
                new() { Servers = ["a"], Filter = new() { IsOn = isOn, HistoryPages = 32 } }, attaches: false);
            using PageCache<LinuxRules<Linux6>> cache = new(
                PageCacheOptions.ForFrames(256) with { Overflow = bench.Tier, ReadaheadPagesMax = 16 }, new());
            ObjectId file = cache.AddObject(new ScriptedSource { PageCount = 2000, IsAsync = false });
            for (ulong page = 0; page < 1500; page++) cache.Get(file, page).Dispose();
            BorrowedMemoryStatistics counts = bench.Tier.Statistics;
            Assert.That(counts.Evicted, Is.GreaterThan(1000));
            Assert.That(counts.DroppedSequential, isOn ? Is.GreaterThan(counts.Evicted * 0.6) : Is.Zero);
        }
    }

    [Test]
    public async Task TheCacheSaysHowManyOfItsPagesAreLentRoom()
    {
        await using Bench bench = new(new() { Servers = ["a"] }, attaches: false);
        using PageCache<LinuxRules<Linux6>> cache = new(
            PageCacheOptions.ForFrames(256) with { Overflow = bench.Tier, Name = "borrows" }, new());
        ObjectId file = cache.AddObject(new ScriptedSource { PageCount = 2000, IsAsync = false });
        long lent = -1;
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, mine) =>
            {
                if (instrument.Name == "cache.lent_pages") mine.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags[0].Value as string == "borrows") lent = value;
        });
        listener.Start();
        listener.RecordObservableInstruments();
        Assert.That(lent, Is.Zero);
        for (ulong page = 0; page < 1500; page += 3) cache.Get(file, page).Dispose();
        listener.RecordObservableInstruments();
        Assert.That(lent, Is.Positive.And.EqualTo(bench.Tier.Statistics.CataloguePages));
    }

    /// <summary>Borrowed memory on fake servers, without a sender's thread.</summary>
    private sealed class Bench : IAsyncDisposable
    {
        internal Bench(
            BorrowedMemoryOptions options, Func<IFleetListener, IPageFleet>? make = null, bool attaches = true)
        {
            IPageFleet fleet = null!;
            Tier = new BorrowedMemory(
                options with { HasSender = false },
                listener => fleet = make is null ? new FakeFleet(listener, 1) : make(listener));
            Fleet = (fleet as FakeFleet)!;
            if (attaches) Tier.Attach(PageBytes);
        }

        internal BorrowedMemory Tier { get; }

        internal FakeFleet Fleet { get; }

        internal void Put(PageKey page, int seed)
        {
            Tier.OnEvicted(page, PageFingerprintTests.Noise(PageBytes, seed), isSequential: false);
            Assert.That(Tier.SendOne());
        }

        /// <summary>The page, or null when the tier does not have it.</summary>
        internal byte[]? Read(PageKey page)
        {
            byte[] bytes = new byte[PageBytes];
            OverflowRead[] reads = [new OverflowRead { Page = page, Destination = bytes }];
            Tier.Read(reads, 1);
            return reads[0].IsFilled ? bytes : null;
        }

        public ValueTask DisposeAsync() => Tier.DisposeAsync();
    }

    /// <summary>A server that allocates nothing: it has the last eight values.</summary>
    private sealed class NullFleet(IFleetListener listener) : IPageFleet
    {
        private readonly byte[][] _last = [.. Enumerable.Range(0, 8).Select(_ => new byte[2 * PageBytes])];

        public int ServerCount => 1;

        public int ServerOf(ulong objectId, ulong page) => 0;

        public bool CanGet(int server) => true;

        public bool TryPut(in RemotePageKey key, int server, ReadOnlySpan<byte> value)
        {
            value.CopyTo(_last[key.Page % 8]);
            listener.PutEnded(key, server, stored: true);
            return true;
        }

        public void Forget(in RemotePageKey key, int server)
        {
        }

        public ValueTask GetAsync(Memory<FleetGet> gets, TimeSpan deadline)
        {
            Get(gets, deadline);
            return default;
        }

        public void Get(Memory<FleetGet> gets, TimeSpan deadline)
        {
            foreach (ref FleetGet get in gets.Span)
            {
                _last[get.Key.Page % 8].AsSpan(0, get.ValueBytes).CopyTo(get.Destination.Span);
                get.Outcome = FleetOutcome.Found;
            }
        }

        public TimeSpan DeadlineOf(int server) => TimeSpan.FromMilliseconds(5);

        public ValueTask DisposeAsync() => default;
    }
}
