// SPDX-License-Identifier: MIT
using PerfCache.Cache.Sources;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using PerfCache.Tests.Judges;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>
/// Goal: a live replay by one thread that reclaims for itself counts what the replay without page data counts, and by
/// several threads serves every request once and the right bytes. Method: both replays over generators, traces with files
/// and the shared traces; every byte of every page checked.
/// </summary>
[TestFixture]
public sealed class LiveReplayTests : FolderFixture
{
    private const string Policies = "linux-6,linux-3.15,fifo,clock,sieve,s3fifo,s3fifo:small=0.3,ghost=2,move=1,linux-6:reclaim=1,batch=1";

    private static readonly LiveOptions s_alone = new() { Threads = 1, BackgroundReclaim = false, Verify = true };

    private static ReplayOptions Options(string policies, string frames) => new()
    {
        Policies = PolicySpec.ParseList(policies),
        Sizes = frames.EndsWith('%') ? CacheSize.ParsePercentages(frames) : CacheSize.ParseFrames(frames),
        Jobs = 1,
    };

    private static void AssertEqualCounts(ITraceSource source, ReplayOptions options)
    {
        IReadOnlyList<ReplayResult> expected = TraceReplay.Run(source, options, progress: null, default);
        IReadOnlyList<ReplayResult> live = LiveReplay.Run(source, options, s_alone, progress: null, default);
        Assert.That(live.Select(Counts), Is.EqualTo(expected.Select(Counts)));
        foreach (ReplayResult result in live)
        {
            Assert.That(result.Live!.Misses.Count, Is.EqualTo(result.Misses));
            Assert.That(result.Seconds, Is.Positive);
        }
    }

    private static object Counts(ReplayResult result) => new
    {
        result.Trace,
        result.Policy,
        result.Frames,
        result.Requests,
        result.Misses,
        result.CompulsoryMisses,
        result.ColdMisses,
        result.Refaults,
        result.Activations,
        result.Deactivations,
        result.Evictions,
        result.Complete,
    };

    [TestCase("zipf:objects=20000,alpha=0.9,requests=150000,seed=3")]
    [TestCase("zipf:objects=5000,alpha=1.1,requests=100000,seed=4,scatter=false")]
    [TestCase("uniform:objects=3000,requests=60000,seed=5")]
    [TestCase("loop:objects=2500,requests=30000")]
    [TestCase("scan:objects=40000")]
    [TestCase("scanhot:hot=1000,alpha=0.5,scanshare=0.4,requests=60000,seed=6")]
    [TestCase("shift:objects=3000,period=20000,requests=100000,seed=7")]
    public void OneThreadThatReclaimsForItselfCountsWhatTheReplayCounts(string generator) =>
        AssertEqualCounts(
            TraceSource.Parse(generator, new TraceOptions()),
            Options(Policies, TestScale.Of("8,33,500,2000", "8,500")) with { Limit = TestScale.Of(long.MaxValue, 30_000) });

    [Test]
    public void SizesInPercentAndTracesThatAreReadOnceCountTheSame([Values] bool canReopen, [Values] bool hasFiles)
    {
        Random random = TestSeed.Random(21);
        ulong[] ids = new ulong[20_000];
        int[] files = new int[ids.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            // Many repetitions, across blocks and across files: they are what a reader is for.
            ids[i] = i > 0 && random.Next(3) == 0 ? ids[i - 1] : (ulong)(random.NextDouble() * random.NextDouble() * 3000);
            files[i] = i > 0 && random.Next(2) == 0 ? files[i - 1] : random.Next(3);
        }

        MemoryTrace Trace() => new(ids, hasFiles ? files : null, canReopen, blockLength: 999);
        ReplayOptions options = Options(Policies, "2%,30%");
        IReadOnlyList<ReplayResult> expected = TraceReplay.Run(Trace(), options, progress: null, default);
        IReadOnlyList<ReplayResult> live = LiveReplay.Run(Trace(), options, s_alone, progress: null, default);
        Assert.That(live.Select(Counts), Is.EqualTo(expected.Select(Counts)));
    }

    [TestCase("lirs-2_pools.trc.gz")]
    [TestCase("lirs-cs.trc.gz")]
    [TestCase("lirs-multi1.trc.gz")]
    [TestCase("lirs-sprite.trc.gz")]
    [TestCase("cloudPhysicsIO.vscsi")]
    [TestCase("arc-P12-100klines.lis.gz")]
    [TestCase("cache2k-orm-night-1m.trace.gz", "be32")]
    public void SharedTracesCountTheSame(string trace, string? format = null)
    {
        string path = JudgeFiles.Require("traces", trace);
        AssertEqualCounts(
            TraceSource.Parse(path, new TraceOptions { Format = format ?? TraceFormats.Auto }),
            Options("linux-6,linux-3.15,fifo,clock,sieve,s3fifo", "100,3000") with { Limit = TestScale.Of(150_000, 30_000) });
    }

    [Test]
    public void TracesOfTheKernelJudgeCountTheSame([Values("linux-6", "linux-3.15", "fifo")] string policy)
    {
        Dictionary<string, string>[] rows = [.. JudgeFiles.Rows("kernel-oracle", "expected.csv")];
        if (rows.Length == 0) JudgeFiles.Require("kernel-oracle", "expected.csv");
        foreach (IGrouping<string, Dictionary<string, string>> rowsOfTrace in rows.GroupBy(row => row["trace"]))
        {
            string path = JudgeFiles.Require("kernel-oracle", "traces", rowsOfTrace.Key + ".txt.gz");
            string frames = string.Join(',', rowsOfTrace.Select(row => row["cache_pages"]));
            AssertEqualCounts(
                TraceSource.Parse(path, new TraceOptions()), Options(policy, frames) with { Limit = TestScale.Of(50_000, 15_000) });
        }
    }

    [Test]
    public void SeveralThreadsServeEveryRequestOnceAndTheRightBytes(
        [Values("linux-6", "linux-3.15", "fifo", "clock", "sieve", "s3fifo")] string policy, [Values] bool background)
    {
        int requests = TestScale.Of(400_000, 80_000);
        ITraceSource source = TraceSource.Parse(
            $"zipf:objects=20000,alpha=0.9,requests={requests},seed=8", new TraceOptions());
        ReplayOptions options = Options(policy, "100,2000");
        LiveOptions live = new() { Threads = 4, BackgroundReclaim = background, Verify = true, Touch = PageTouch.All };
        IReadOnlyList<ReplayResult> alone = LiveReplay.Run(source, options, s_alone, progress: null, default);
        IReadOnlyList<ReplayResult> results = LiveReplay.Run(source, options, live, progress: null, default);
        foreach ((ReplayResult result, ReplayResult single) in results.Zip(alone))
        {
            Assert.That(result.Requests, Is.EqualTo(requests));
            Assert.That(result.CompulsoryMisses, Is.EqualTo(single.CompulsoryMisses));
            // Their order differs a little, so the misses do.
            Assert.That(result.MissRatio, Is.EqualTo(single.MissRatio).Within(0.03));
            Assert.That(result.Live!.Hits.Count, Is.InRange(1, result.Requests / 20));
        }
    }

    [Test]
    public void WhatIsReadOfAPageIsWhatWasAskedFor()
    {
        ITraceSource source = TraceSource.Parse("scan:objects=100", new TraceOptions());
        ulong Sum(PageTouch touch) => LiveReplay.Run(
            source, Options("fifo", "200"), new LiveOptions { Touch = touch }, progress: null, default)[0].Live!.Checksum;

        ulong all = 0;
        byte[] page = new byte[4096];
        for (ulong number = 0; number < 100; number++)
        {
            ModelledPageSource.Fill(LiveCell.Seed, number, page);
            foreach (ulong word in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(page)) all += word;
        }

        Assert.That(Sum(PageTouch.None), Is.Zero);
        Assert.That(Sum(PageTouch.All), Is.EqualTo(all));
        Assert.That(Sum(PageTouch.Line), Is.Not.Zero.And.Not.EqualTo(all));
    }

    [Test]
    public void AFileGivesItsPagesOverAndOver([Values(4096, 8192)] int pageBytes)
    {
        const int FilePages = 10;
        string path = PathOf("backing");
        byte[] bytes = new byte[(FilePages * pageBytes) - 100];
        TestSeed.Random(5).NextBytes(bytes);
        File.WriteAllBytes(path, bytes);
        ITraceSource source = TraceSource.Parse("scan:objects=95", new TraceOptions());
        ReplayResult result = LiveReplay.Run(
            source, Options("fifo", "20"),
            new LiveOptions { BackingPath = path, Touch = PageTouch.All, PageBytes = pageBytes }, progress: null, default)[0];

        byte[] whole = new byte[FilePages * pageBytes];
        bytes.CopyTo(whole, 0);
        ulong expected = 0;
        for (int page = 0; page < 95; page++)
        {
            Span<byte> one = whole.AsSpan(page % FilePages * pageBytes, pageBytes);
            foreach (ulong word in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(one)) expected += word;
        }

        Assert.That(result.Live!.Checksum, Is.EqualTo(expected));
        Assert.That(result.Misses, Is.EqualTo(95));
    }

    [Test]
    public void TheModelledLatencyIsInTheMissesAndNotInTheHits()
    {
        ITraceSource source = TraceSource.Parse("zipf:objects=200,requests=20000,seed=1", new TraceOptions());
        LiveMeasures measures = LiveReplay.Run(
            source, Options("fifo", "400"), new LiveOptions { LoadLatency = TimeSpan.FromMicroseconds(500) },
            progress: null, default)[0].Live!;
        Assert.That(measures.Misses.Percentile(1), Is.GreaterThanOrEqualTo(500_000));
        Assert.That(measures.Hits.Percentile(50), Is.LessThan(500_000));
    }

    [Test]
    public void AfterACancellationTheBeginningIsReported([Values(1, 3)] int threads)
    {
        using CancellationTokenSource stop = new();
        MemoryTrace trace = new([.. Enumerable.Range(0, 900_000).Select(i => (ulong)i)], blockLength: 1000)
        {
            OnRead = read => { if (read >= 500_000) stop.Cancel(); },
        };
        IReadOnlyList<ReplayResult> results = LiveReplay.Run(
            trace, Options("fifo", "20,30"), new LiveOptions { Threads = threads }, progress: null, stop.Token);
        Assert.That(results, Has.Count.EqualTo(1), "the second size was not begun");
        Assert.That(results[0].Complete, Is.False);
        Assert.That(results[0].Requests, Is.InRange(1, 500_000));
        Assert.That(results[0].CompulsoryMisses, Is.EqualTo(results[0].Requests), "the beginning of a scan, all of it");
    }

    [Test]
    public void ATraceThatBreaksInTheMiddleAndAListRuleAreErrors()
    {
        MemoryTrace broken = new([.. Enumerable.Range(0, 5000).Select(i => (ulong)i)])
        {
            OnRead = read => { if (read >= 3000) throw new TraceFormatException("broken: line 3001"); },
        };
        Assert.That(() => LiveReplay.Run(broken, Options("fifo", "20"), new LiveOptions(), null, default),
            Throws.InstanceOf<TraceFormatException>().With.Message.Contains("3001"));
        Assert.That(() => PolicyCatalog.BuiltIn.CheckLive(PolicySpec.Parse("lru")),
            Throws.InstanceOf<FormatException>().With.Message.Contains("fifo, clock, sieve, s3fifo, linux-3.15, linux-6"));
        Assert.That(() => LiveReplay.Run(new MemoryTrace([1, 2, 3]), Options("fifo", "50%"), new LiveOptions(), null, default),
            Throws.InstanceOf<TraceFormatException>().With.Message.Contains("1 frames").And.Message.Contains("at least 8"));
    }

    [Test]
    public void ProgressOfAllCellsGoesFromZeroToOne()
    {
        List<ReplayProgress> reports = [];
        LiveReplay.Run(
            new MemoryTrace([.. Enumerable.Range(0, 600_000).Select(i => (ulong)i % 100)]), Options("fifo", "20,30,200"),
            new LiveOptions { Threads = 2 }, reports.Add, default);
        Assert.That(reports.Select(report => report.Fraction), Is.Ordered.And.All.InRange(0, 1));
        Assert.That(reports[^1].Fraction, Is.EqualTo(1).Within(1e-9));
        Assert.That(reports[^1].Requests, Is.EqualTo(1_800_000));
    }
}
