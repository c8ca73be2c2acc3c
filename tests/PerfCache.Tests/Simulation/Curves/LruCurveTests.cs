// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using PerfCache.Tests.Simulation.Replay;

namespace PerfCache.Tests.Simulation.Curves;

/// <summary>Goal: exact curves equal replays to the miss, and sampled ones stay as near as they say.</summary>
[TestFixture]
public sealed class LruCurveTests
{
    private const string Zipf = "zipf:objects=200000,alpha=0.8,requests=2000000,seed=3";

    private static MissRatioCurve Curve(ITraceSource source, CurveOptions? options = null) =>
        CurveRun.Run(source, options ?? new CurveOptions { Policies = PolicySpec.ParseList("lru") }, null, default)[0];

    private static CurveOptions Options(string policies) => new() { Policies = PolicySpec.ParseList(policies) };

    private static ulong[] Ids(string workload)
    {
        Random random = TestSeed.Random(75);
        return workload switch
        {
            "random" => [.. Enumerable.Range(0, 30_000).Select(_ => (ulong)random.Next(2000))],
            "sparse 64-bit ids" => Sparse(random),
            "loop" => [.. Enumerable.Range(0, 30_000).Select(i => (ulong)(i % 700))],
            _ => [.. Enumerable.Range(0, 30_000).Select(i => (ulong)(i / 4 * 7 % 300))],
        };
    }

    private static ulong[] Sparse(Random random)
    {
        ulong[] pages = [.. Enumerable.Range(0, 1000).Select(_ => (ulong)random.NextInt64() * 2)];
        return [.. Enumerable.Range(0, 30_000).Select(_ => pages[Math.Min(random.Next(1000), random.Next(1000))])];
    }

    [Test]
    public void The_exact_curve_equals_the_replay_of_lru_to_the_miss(
        [Values("random", "sparse 64-bit ids", "loop", "repeats")] string workload)
    {
        MemoryTrace trace = new(Ids(workload));
        MissRatioCurve curve = Curve(trace);
        IReadOnlyList<ReplayResult> replays = TraceReplay.Run(trace, new ReplayOptions
        {
            Policies = PolicySpec.ParseList("lru"),
            Sizes = [.. curve.Points.Select(point => CacheSize.OfFrames(point.Frames))],
        }, null, default);
        Assert.That(curve.Points.Select(point => (point.Frames, point.Misses, point.MissRatio)),
            Is.EqualTo(replays.Select(replay => (replay.Frames, replay.Misses, replay.MissRatio))));
        Assert.That(curve.DistinctPages, Is.EqualTo(replays[0].CompulsoryMisses));
        Assert.That(curve.Points[^1].Frames, Is.EqualTo(curve.DistinctPages));
        Assert.That(curve.Points[0].Frames, Is.EqualTo(1));
    }

    [Test]
    public void Pages_of_different_files_are_different_pages()
    {
        ulong[] ids = Ids("random");
        int[] files = [.. ids.Select((_, i) => i % 3)];
        MissRatioCurve apart = Curve(new MemoryTrace(ids, files));
        ulong[] joined = [.. ids.Select((id, i) => id | ((ulong)(i % 3) << 40))];
        Assert.That(apart.Points, Is.EqualTo(Curve(new MemoryTrace(joined)).Points));
    }

    [Test]
    public void A_policy_that_is_swept_equals_its_replay_at_every_size([Values] bool canReopen)
    {
        MemoryTrace trace = new(Ids("random"), canReopen: canReopen);
        IReadOnlyList<MissRatioCurve> curves =
            CurveRun.Run(trace, Options("fifo,lru,linux-6:reclaim=1") with { Points = 9 }, null, default);
        Assert.That(curves.Select(curve => curve.Policy), Is.EqualTo(new[] { "fifo", "lru", "linux-6:reclaim=1" }));
        MemoryTrace again = new(Ids("random"));
        foreach (MissRatioCurve curve in curves)
        {
            IReadOnlyList<ReplayResult> replays = TraceReplay.Run(again, new ReplayOptions
            {
                Policies = PolicySpec.ParseList(curve.Policy),
                Sizes = [.. curve.Points.Select(point => CacheSize.OfFrames(point.Frames))],
            }, null, default);
            Assert.That(curve.Points.Select(point => point.Misses), Is.EqualTo(replays.Select(replay => replay.Misses)));
        }
    }

    // Goal: no bias, and a spread that fits the sample. Method: eight samples of 2,000 pages. Single ones were up to 1.9
    // points off when this was written, of a curve between 10 and 100 %; one mean says nothing of another seed.
    [Test]
    public void Samples_of_a_hundredth_are_near_the_exact_curve()
    {
        List<MissRatioCurve> curves = [.. Enumerable.Range(1, 8).Select(seed => Curve(
            TraceSource.Parse(Zipf), Options("lru") with { SampleRate = 0.01, Check = true, Seed = (ulong)seed }))];
        Assert.That(curves.Average(curve => curve.Check!.Mean), Is.LessThan(0.012));
        Assert.That(curves.Max(curve => curve.Check!.Mean), Is.LessThan(0.025));
        Assert.That(curves.Average(curve => curve.DistinctPages), Is.EqualTo(190_000).Within(12_000));
        foreach (MissRatioCurve curve in curves) Assert.That(curve.SampledRequests, Is.EqualTo(20_000).Within(10_000));
    }

    [Test]
    public void A_sample_of_everything_is_the_exact_curve()
    {
        MissRatioCurve curve = Curve(new MemoryTrace(Ids("random")), Options("lru") with { SampleRate = 1, Check = true });
        Assert.That((curve.Check!.Mean, curve.Check.PointsMean, curve.Check.Largest), Is.EqualTo((0.0, 0.0, 0.0)));
    }

    [Test]
    public void A_sample_of_fixed_size_lowers_its_rate_and_stays_near()
    {
        MissRatioCurve curve = Curve(
            TraceSource.Parse(Zipf), Options("lru") with { SampleSize = 4000, Check = true });
        Assert.That(curve.SampleRate, Is.EqualTo(4000 / 195_000.0).Within(0.002));
        Assert.That(curve.Check!.Mean, Is.LessThan(0.01));
    }

    [Test]
    public void A_sample_of_fixed_size_that_never_fills_is_exact_but_for_the_width_of_its_cells()
    {
        MissRatioCurve curve =
            Curve(new MemoryTrace(Ids("random")), Options("lru") with { SampleSize = 10_000, Check = true });
        Assert.That(curve.SampleRate, Is.EqualTo(1));
        Assert.That(curve.DistinctPages, Is.EqualTo(2000).Within(10));
        Assert.That(curve.Check!.Largest, Is.LessThan(0.01));
    }

    // Goal: the bound on memory holds however many pages there are. Method: the same taker over 20 times the pages.
    [Test]
    public void A_sample_of_fixed_size_takes_the_same_memory_for_any_number_of_pages()
    {
        long BytesFor(int pages)
        {
            using FixedSizeLru taker = new(hasFiles: false, sizeMax: 500, new SpatialFilter(1, 1));
            ulong[] ids = new ulong[10_000];
            for (int start = 0; start < 2 * pages; start += ids.Length)
            {
                for (int i = 0; i < ids.Length; i++) ids[i] = (ulong)((start + i) % pages);
                taker.Add(ids, default);
                Assert.That(taker.SampledPages, Is.LessThanOrEqualTo(500));
            }

            Assert.That(taker.DistinctPages, Is.EqualTo(pages).Within(pages / 5), "four standard deviations");
            return taker.Bytes;
        }

        Assert.That(BytesFor(1_000_000), Is.EqualTo(BytesFor(50_000)));
    }

    [Test]
    public void Histogram_counts_go_on_beyond_four_bytes_and_limits_cut_distances_in_parts()
    {
        using DistanceHistogram histogram = new();
        histogram.Add([0, 1, 2, 2, 2, 2, 5]);
        Assert.That(histogram.Within([0, 1, 1.5, 2, 4.5, 5, 100]), Is.EqualTo(new[] { 0, 1, 3, 5, 5.5, 6, 6.0 }));
        Assert.That((histogram.Requests, histogram.FirstRequests), Is.EqualTo((7, 1)));
    }

    [Test]
    public void Weighted_cells_are_exact_for_small_distances_and_narrow_for_large_ones()
    {
        WeightedDistances weights = new();
        for (int distance = 1; distance <= 100_000; distance++) weights.Add(distance - 0.5, 2);
        weights.AddFirst(3);
        Assert.That(weights.Total, Is.EqualTo(200_003));
        long[] limits = [1, 2, 63, 64, 1000, 54_321, 100_000];
        foreach ((long limit, double sum) in limits.Zip(weights.Within(limits)))
            Assert.That(sum, Is.EqualTo(2.0 * limit).Within(limit < 64 ? 0 : limit / 64.0), $"{limit}");
    }

    [Test]
    public void All_memory_is_given_back()
    {
        long before = MemoryMeter.Process.OutstandingBytes;
        _ = CurveRun.Run(new MemoryTrace(Ids("random")),
            Options("lru,fifo") with { SampleRate = 0.5, Check = true, Points = 4 }, null, default);
        Assert.That(MemoryMeter.Process.OutstandingBytes, Is.EqualTo(before));
    }

    [Test]
    public void A_cancelled_run_tells_what_it_has()
    {
        using CancellationTokenSource stop = new();
        MemoryTrace trace = new(Ids("random")) { OnRead = read => { if (read >= 20_000) stop.Cancel(); } };
        IReadOnlyList<MissRatioCurve> curves = CurveRun.Run(trace, Options("fifo,lru"), null, stop.Token);
        Assert.That(curves.Select(curve => (curve.Policy, curve.Complete)), Is.EqualTo(new[] { ("lru", false) }));
        Assert.That(curves[0].Requests, Is.InRange(20_000, 21_000));
    }

    [Test]
    public void The_limit_cuts_the_trace()
    {
        MissRatioCurve curve = Curve(new MemoryTrace(Ids("random")), Options("lru") with { Limit = 1234 });
        Assert.That((curve.Requests, curve.SampledRequests), Is.EqualTo((1234, 1234)));
        Assert.That(curve.Points[^1].Misses, Is.EqualTo(Ids("random").Take(1234).Distinct().Count()));
    }
}
