// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Judges;

/// <summary>
/// Goal: the exact LRU curve counts to the miss what another simulator counts, and samples are near it on a real trace.
/// Method: every LRU row of the judge, all sizes of a trace from one pass.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.Self)]
public sealed class PeerCurveTests
{
    private static readonly string[] s_counts = ["traces", "libcachesim-missratios.csv"];

    private static MissRatioCurve Curve(string file, string format, CurveOptions options) => CurveRun.Run(
        TraceSource.Parse(JudgeFiles.Require("traces", file), new TraceOptions { Format = format }), options, null,
        default)[0];

    [TestCase("cloudPhysicsIO.vscsi", "vscsi")]
    [TestCase("lirs-sprite.trc.gz", "lirs")]
    [TestCase("lirs-multi1.trc.gz", "lirs")]
    [TestCase("lirs-2_pools.trc.gz", "lirs")]
    [TestCase("lirs-cs.trc.gz", "lirs")]
    [TestCase("lirs-scan.trc.gz", "lirs")]
    [TestCase("corda-vaultservice.trace.gz", "be64")]
    [TestCase("cache2k-web07.trace.gz", "be32")]
    [TestCase("cache2k-orm-night-1m.trace.gz", "be32")]
    [TestCase("address-gcc.trace.gz", "address")]
    [TestCase("arc-P12-100klines.lis.gz", "arc")]
    public void The_exact_curve_has_the_misses_of_every_size(string file, string format)
    {
        JudgeFiles.Require(s_counts);
        string name = file[..file.IndexOf('.', StringComparison.Ordinal)];
        List<(long Frames, long Misses)> rows = [.. JudgeFiles.Rows(s_counts)
            .Where(row => row["trace"] == name && row["algorithm"] == "LRU")
            .Select(row => (Number(row["cache_objects"]), Number(row["misses"])))];
        Assert.That(rows, Is.Not.Empty);
        MissRatioCurve curve = Curve(file, format, new CurveOptions
        {
            Policies = PolicySpec.ParseList("lru"),
            Sizes = [.. rows.Select(row => CacheSize.OfFrames(row.Frames))],
        });
        Assert.That(curve.Points.Select(point => (point.Frames, point.Misses)), Is.EquivalentTo(rows));
    }

    // The default seed. Others are worse and better: docs/curves.md.
    [TestCase("lru")]
    [TestCase("linux-6")]
    [TestCase("fifo")]
    public void A_hundredth_of_the_pages_of_P12_is_within_a_point(string policy)
    {
        TestScale.LeaveToRelease();
        MissRatioCurve curve = Curve("arc-P12-100klines.lis.gz", "arc", new CurveOptions
        {
            Policies = PolicySpec.ParseList(policy),
            SampleRate = 0.01,
            Check = true,
            Points = 12,
        });
        Assert.That(curve.Check!.Mean, Is.LessThan(0.01));
        Assert.That(curve.Check.PointsMean, Is.LessThan(0.01));
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
