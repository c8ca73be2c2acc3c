// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using PerfCache.Tests.Cli;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>What a sweep counts besides misses: without the warm-up, by bytes, and over time.</summary>
[TestFixture]
public sealed class SweepTests : FolderFixture
{
    private const string Policies = "lru,linux-6,fifo";

    private static ulong[] Ids(int count, int seed = 3)
    {
        Random random = TestSeed.Random(seed);
        ulong[] ids = new ulong[count];
        for (int i = 0; i < count; i++) ids[i] = (ulong)(random.NextDouble() * random.NextDouble() * 3000);
        return ids;
    }

    private static IReadOnlyList<ReplayResult> Run(ITraceSource source, ReplayOptions options) =>
        TraceReplay.Run(source, options, null, CancellationToken.None);

    private static ReplayOptions Options(string policies, params long[] frames) => new()
    {
        Policies = PolicySpec.ParseList(policies),
        Sizes = CacheSize.ParseFrames(string.Join(',', frames)),
        KeepTimeline = true,
    };

    /// <summary>What is counted after a warm-up is what all requests count less what the warm-up alone does.</summary>
    [Test]
    public void AWarmupIsTheDifferenceOfTwoReplays(
        [Values(1, 999, 1000, 1001, 7000)] int warmup, [Values(64, 1000, 65_536)] int blockLength,
        [Values] bool isPart, [Values] bool canReopen)
    {
        ulong[] ids = Ids(10_000);
        ReplayOptions options = Options(Policies, 50, 700);
        Warmup asked = isPart ? new(0, warmup / 10_000.0) : new(warmup, 0);
        MemoryTrace Trace(ulong[] some) => new(some, canReopen: canReopen, blockLength: blockLength);
        IReadOnlyList<ReplayResult> all = Run(Trace(ids), options);
        IReadOnlyList<ReplayResult> before = Run(Trace(ids[..warmup]), options);
        IReadOnlyList<ReplayResult> after = Run(Trace(ids), options with { Warmup = asked });
        for (int i = 0; i < all.Count; i++)
        {
            Assert.That(after[i].WarmupRequests, Is.EqualTo(warmup));
            Assert.That(after[i].Requests, Is.EqualTo(10_000 - warmup));
            Assert.That(after[i].DistinctPages, Is.EqualTo(all[i].DistinctPages));
            Assert.That(Counts(after[i]), Is.EqualTo(Counts(all[i]).Zip(Counts(before[i]), (a, b) => a - b)), $"{after[i]}");
        }
    }

    private static long[] Counts(ReplayResult result) =>
    [
        result.Misses, result.CompulsoryMisses, result.ColdMisses, result.Refaults, result.Activations,
        result.Deactivations, result.Evictions,
    ];

    [Test]
    public void AWarmupOfTheWholeTraceIsRefused()
    {
        ReplayOptions options = Options("lru", 10) with { Warmup = new(500, 0) };
        Assert.That(() => Run(new MemoryTrace(Ids(400)), options),
            Throws.TypeOf<TraceFormatException>().With.Message.Contains("takes all 400 requests"));
    }

    [Test]
    public void AWarmupIsANumberOrAPart()
    {
        Assert.That(Warmup.Parse("1_000"), Is.EqualTo(new Warmup(1000, 0)));
        Assert.That(Warmup.Parse("12.5%"), Is.EqualTo(new Warmup(0, 0.125)));
        Assert.That(Warmup.Parse("0").IsNone && Warmup.Parse("0%").IsNone);
        foreach (string wrong in new[] { "", "-1", "x", "100%", "-1%", "%", "1e3", "99999999999999999999" })
            Assert.That(() => Warmup.Parse(wrong), Throws.TypeOf<FormatException>(), wrong);
    }

    /// <summary>Windows add up to the whole, are equally long but for the last, and are few however long the trace is.
    /// </summary>
    [Test]
    public void TheTimelineAddsUp([Values(1, 63, 64, 65, 5000, 100_000)] int requests)
    {
        foreach (ReplayResult result in Run(new MemoryTrace(Ids(requests)), Options(Policies, 50)))
        {
            MissTimeline timeline = result.Timeline!;
            Assert.That(timeline.Count, Is.InRange(1, MissTimeline.WindowsMax));
            Assert.That(Enumerable.Range(0, timeline.Count).Sum(timeline.Misses), Is.EqualTo(result.Misses));
            Assert.That(Enumerable.Range(0, timeline.Count).Sum(timeline.Requests), Is.EqualTo(requests));
            Assert.That(timeline.Start(timeline.Count - 1), Is.LessThan(requests));
        }
    }

    /// <summary>Each window's misses, counted from the outcomes of another replay.</summary>
    [Test]
    public void AWindowHasTheMissesOfItsRequests()
    {
        string outcomes = PathOf("outcomes");
        string trace = PathOf("trace");
        File.WriteAllLines(trace, Ids(40_000).Select(id => $"{id}"));
        string timeline = PathOf("timeline.csv");
        CliRun run = CliRun.Of("replay", trace, "--policy", "linux-6", "--frames", "200", "--outcomes", outcomes,
            "--timeline", timeline);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        byte[] each = File.ReadAllBytes(outcomes);
        string[] lines = File.ReadAllLines(timeline);
        Assert.That(lines[0], Is.EqualTo("trace,policy,frames,firstRequest,requests,misses,missRatio"));
        int next = 0;
        foreach (string[] cells in lines.Skip(1).Select(line => line.Split(',')))
        {
            (int first, int count, int misses) = (int.Parse(cells[3]), int.Parse(cells[4]), int.Parse(cells[5]));
            Assert.That(first, Is.EqualTo(next));
            Assert.That(misses, Is.EqualTo(each.AsSpan(first, count).Count((byte)'m')));
            next += count;
        }

        Assert.That(next, Is.EqualTo(40_000));
    }

    [Test]
    public void BytesAreThoseOfTheRequestsThatMiss()
    {
        // 1, 2, 1 with one frame: three misses; 1, 1: a miss and a hit.
        string trace = PathOf("trace.csv");
        File.WriteAllText(trace, "1,100\n2,50\n1,100\n1,100\n");
        string csv = PathOf("results.csv");
        CliRun run = CliRun.Of("replay", trace, "--format", "csv", "--csv-columns", "id=1,size=2", "--policy", "lru",
            "--frames", "1", "--json", "--csv", csv);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        JsonElement json = JsonDocument.Parse(run.Out).RootElement;
        Assert.That(json.GetProperty("requestedBytes").GetInt64(), Is.EqualTo(350));
        Assert.That(json.GetProperty("missedBytes").GetInt64(), Is.EqualTo(250));
        Assert.That(json.GetProperty("byteMissRatio").GetDouble(), Is.EqualTo(250.0 / 350));
        Assert.That(File.ReadAllLines(csv)[0], Does.EndWith("shadowBytes,requestedBytes,missedBytes,byteMissRatio"));

        run = CliRun.Of("replay", trace, "--format", "csv", "--csv-columns", "id=1,size=2", "--policy", "lru",
            "--frames", "1", "--warmup", "50%");
        Assert.That(run.Out, Does.Contain("2 requests, after 2 to warm up").And.Contain("50.000%"));
        Assert.That(run.Out, Does.Contain("byte miss ratio"));
    }

    [Test]
    public void TheTableAndTheCsvTellWhatTheDiskDoes()
    {
        string trace = PathOf("trace");
        File.WriteAllText(trace, "1 0 r\n1 1 w\n1 2 r\n1 3 r\n");
        string csv = PathOf("results.csv");
        CliRun run = CliRun.Of("replay", trace, "--format", "text", "--policy", "lru", "--frames", "2", "--csv", csv);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Contain("disk reads").And.Contain("write-backs"));
        string[] lines = File.ReadAllLines(csv);
        Assert.That(lines[0], Does.EndWith("readaheadMax,writes,diskReads,readaheadPages,writeBacks,dirtyPages"));
        // Page 1 is written whole: it needs no read, and is written back when page 3 pushes it out.
        Assert.That(lines[1], Does.EndWith(",0,1,3,0,1,0"));
    }

    [Test]
    public void TheReportShowsTheMissRatioOverTime()
    {
        string report = PathOf("report.html");
        CliRun run = CliRun.Of("replay", "zipf:objects=1000,requests=20000", "--policy", "lru,fifo", "--frames", "10,100",
            "--report", report);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        string html = File.ReadAllText(report);
        Assert.That(html, Does.Contain("Miss ratio over time, 100 frames"));
        Assert.That(html, Does.Contain("lru, requests 0 to "));
    }
}
