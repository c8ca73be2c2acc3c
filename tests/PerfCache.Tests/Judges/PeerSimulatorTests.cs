// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Judges;

/// <summary>
/// Goal: a replay of a trace file counts to the miss what another simulator counts. Method: every row that the judge
/// has for an algorithm that both mean alike, through reader, id map and cells as a user's replay runs them, all sizes of
/// a trace in one pass. Where the two differ in what the paper leaves open, ratios are compared instead.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.Self)]
public sealed partial class PeerSimulatorTests
{
    private static readonly string[] s_counts = ["traces", "libcachesim-missratios.csv"];

    /// <summary>The judge's traces; bare ids carry no mark by which their format could be told.</summary>
    private static readonly (string File, string Format)[] s_traces =
    [
        ("cloudPhysicsIO.txt.gz", "auto"),
        ("cloudPhysicsIO.csv.gz", "csv"),
        ("cloudPhysicsIO.oracleGeneral.bin", "oracle"),
        ("cloudPhysicsIO.vscsi", "vscsi"),
        ("lirs-sprite.trc.gz", "lirs"),
        ("lirs-sprite.oracleGeneral.bin.gz", "auto"),
        ("lirs-multi1.trc.gz", "auto"),
        ("lirs-2_pools.trc.gz", "lirs"),
        ("lirs-cs.trc.gz", "text"),
        ("lirs-scan.trc.gz", "auto"),
        ("corda-vaultservice.trace.gz", "be64"),
        ("cache2k-web07.trace.gz", "be32"),
        ("cache2k-orm-night-1m.trace.gz", "be32"),
        ("address-gcc.trace.gz", "auto"),
        ("arc-P12-100klines.lis.gz", "arc"),
    ];

    /// <summary>The peer's names of the algorithms that count the same misses, and ours.</summary>
    private static readonly Dictionary<string, string> s_exact = new()
    {
        ["FIFO"] = "fifo",
        ["LRU"] = "lru",
        ["Clock"] = "clock",
        ["SIEVE"] = "sieve",
        ["LFU"] = "lfu",
        ["Belady"] = "belady",
    };

    private static IEnumerable<TestCaseData> Traces() =>
        // The longest are last.
        TestScale.Few(s_traces, 6)
            .Select(trace => new TestCaseData(trace.File, trace.Format).SetArgDisplayNames(trace.File));

    [Test]
    public void EveryTraceOfTheJudgeIsReplayed()
    {
        JudgeFiles.Require(s_counts);
        Assert.That(s_traces.Select(trace => NameOf(trace.File)).Distinct(),
            Is.EquivalentTo(JudgeFiles.Rows(s_counts).Select(row => row["trace"]).Distinct()));
    }

    [TestCaseSource(nameof(Traces))]
    public void CountsTheSameMisses(string file, string format)
    {
        JudgeFiles.Require(s_counts);
        List<Dictionary<string, string>> rows = [.. JudgeFiles.Rows(s_counts)
            .Where(row => row["trace"] == NameOf(file) && s_exact.ContainsKey(row["algorithm"]))];
        string sizes = string.Join(',', rows.Select(row => row["cache_objects"]).Distinct());
        ITraceSource source =
            TraceSource.Parse(JudgeFiles.Require("traces", file), new TraceOptions { Format = format });

        IReadOnlyList<ReplayResult> results =
            Replay(source, string.Join(',', s_exact.Values), CacheSize.ParseFrames(sizes));

        Assert.That(
            results.Select(result => (result.Policy, result.Frames, result.Requests, result.Misses)),
            Is.EquivalentTo(rows.Select(row => (s_exact[row["algorithm"]],
                Number(row, "cache_objects"), Number(row, "requests"), Number(row, "misses")))));
    }

    /// <remarks>
    /// The peer forgets a ghost before it makes room for its page, and ours afterwards, so one ghost may be dropped that the
    /// peer still has: worst found 0.03 points. Below 20 frames the peer's small queue takes nothing in: no rows to compare
    /// with.
    /// </remarks>
    [TestCaseSource(nameof(Traces))]
    public void S3FifoMissesWithinATenthOfAPointOfThePeer(string file, string format)
    {
        const long FramesMin = 20;
        JudgeFiles.Require(s_counts);
        Dictionary<long, Dictionary<string, string>> rows = JudgeFiles.Rows(s_counts)
            .Where(row => row["trace"] == NameOf(file) && row["algorithm"] == "S3-FIFO"
                && Number(row, "cache_objects") >= FramesMin)
            .ToDictionary(row => Number(row, "cache_objects"));
        ITraceSource source =
            TraceSource.Parse(JudgeFiles.Require("traces", file), new TraceOptions { Format = format });

        IReadOnlyList<ReplayResult> results =
            Replay(source, "s3fifo", CacheSize.ParseFrames(string.Join(',', rows.Keys)));

        Assert.That(results, Has.Count.EqualTo(rows.Count).And.Count.Positive);
        foreach (ReplayResult result in results)
        {
            double expected = (double)Number(rows[result.Frames], "misses") / result.Requests;
            Assert.That(result.MissRatio, Is.EqualTo(expected).Within(0.001), $"{result.Frames} frames");
        }
    }

    [Test]
    public void OneTraceInFourFormatsHasOneAnswer()
    {
        var answers = s_traces.Where(trace => NameOf(trace.File) == "cloudPhysicsIO")
            .Select(trace => Replay(
                TraceSource.Parse(JudgeFiles.Require("traces", trace.File), new TraceOptions { Format = trace.Format }),
                "fifo,lru,linux-3.15,linux-6", CacheSize.ParsePercentages("0.1%,1%,10%"))
                .Select(result => result with { Trace = "", Seconds = 0, ReadSeconds = 0 }).ToList())
            .ToList();

        Assert.That(answers, Has.Count.EqualTo(4));
        Assert.That(answers[0], Has.Count.EqualTo(12));
        // The files do not agree on how large each request is, and one has no sizes at all.
        foreach (List<ReplayResult> others in answers)
            Assert.That(WithoutBytes(others), Is.EqualTo(WithoutBytes(answers[0])));
    }

    private static IReadOnlyList<ReplayResult> Replay(
        ITraceSource source, string policies, IReadOnlyList<CacheSize> sizes) =>
        TraceReplay.Run(source, new ReplayOptions { Policies = PolicySpec.ParseList(policies), Sizes = sizes },
            null, CancellationToken.None);

    private static List<ReplayResult> WithoutBytes(List<ReplayResult> results) =>
        results.ConvertAll(result => result with { RequestedBytes = null, MissedBytes = null });

    private static string NameOf(string file) => file[..file.IndexOf('.', StringComparison.Ordinal)];

    private static long Number(Dictionary<string, string> row, string column) =>
        long.Parse(row[column], CultureInfo.InvariantCulture);
}
