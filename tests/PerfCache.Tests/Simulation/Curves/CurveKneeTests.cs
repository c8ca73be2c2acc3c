// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Reports;

namespace PerfCache.Tests.Simulation.Curves;

/// <summary>Goal: suggestions and errors on curves small enough to do in one's head.</summary>
[TestFixture]
public sealed class CurveKneeTests
{
    private static CurvePoint[] Points(params (long Frames, double MissRatio)[] points) =>
        [.. points.Select(point => new CurvePoint(point.Frames, (long)(point.MissRatio * 1000), point.MissRatio))];

    private static MissRatioCurve Curve(params (long Frames, double MissRatio)[] points) => new()
    {
        Trace = "t",
        Policy = "p",
        Requests = 1000,
        DistinctPages = 1024,
        SampleRate = 1,
        SampledRequests = 1000,
        Points = Points(points),
        Steps = Points(points),
        Seconds = 0,
        ReadSeconds = 0,
    };

    // Reachable are 80 %. With 256 of 1,024 frames 60 of these 80 are hit: 0.75 - 0.25 = 0.5 above the line, which no
    // other point reaches. From there on 768 frames save 20 points: 256 frames (1 MiB) save a third of that.
    [Test]
    public void The_knee_is_farthest_above_the_line()
    {
        CurveKnee knee = CurveKnee.Of(Points((64, 0.8), (256, 0.4), (1024, 0.2)), 4096);
        Assert.That((knee.Frames, knee.MissRatio), Is.EqualTo((256, 0.4)));
        Assert.That(knee.Advantage, Is.EqualTo(0.5).Within(1e-12));
        Assert.That((knee.StepName, knee.StepFrames), Is.EqualTo(("MiB", 256)));
        Assert.That(knee.StepSaves, Is.EqualTo(0.2 / 3).Within(1e-12));
        Assert.That(knee.FramesFor90, Is.EqualTo(256 + (768 * 12 / 20) + 1), "72 % hits, on the line from 60 % to 80 %");
    }

    [TestCase(1000, 4096, "KiB", 1)]
    [TestCase(1000, 65536, "MiB", 16)]
    [TestCase(1 << 20, 4096, "GiB", 1 << 18)]
    [TestCase(1, 1 << 20, "MiB", 1)]
    [TestCase(1, 3 << 20, "frame", 1)]
    [TestCase(100, 1, "frame", 1)]
    public void The_step_is_the_largest_unit_within_the_knee(long frames, long pageBytes, string name, long step)
    {
        CurveKnee knee = CurveKnee.Of(Points((frames, 0.1), (frames * 100, 0.05)), pageBytes);
        if (frames == 1000 && pageBytes == 4096) (name, step) = ("MiB", 256);
        Assert.That((knee.Frames, knee.StepName, knee.StepFrames), Is.EqualTo((frames, name, step)));
    }

    [Test]
    public void A_trace_without_any_hit_has_a_knee_that_saves_nothing()
    {
        CurveKnee knee = CurveKnee.Of(Points((1, 1), (10, 1)), 4096);
        Assert.That((knee.StepSaves, knee.FramesFor90), Is.EqualTo((0.0, 1L)));
    }

    [Test]
    public void The_sentence_is_true_and_in_the_pages_own_bytes()
    {
        IReadOnlyList<string> sentences =
            CurveText.Sentences(Curve((64, 0.8), (256, 0.4), (1024, 0.2)), 4096);
        Assert.That(sentences, Is.EqualTo(new[]
        {
            "p: knee at 1 MiB (256 frames), miss ratio 40.00%; the next MiB saves less than 6.7 points",
            "p: 90% of the reachable hits with 2.8 MiB (717 frames)",
        }));
    }

    // The curves differ by 10 points at 50 frames and by none at 100: evenly spread sizes see 5 points on average above
    // and below the middle, less the half step at the ends.
    [Test]
    public void An_error_has_its_two_means_its_largest_and_where()
    {
        CurveError error = CurveError.Between(Curve((50, 0.5), (100, 0.2)), Curve((50, 0.6), (100, 0.2)));
        Assert.That(error.PointsMean, Is.EqualTo(0.05).Within(1e-12));
        Assert.That((error.Largest, error.LargestFrames), Is.EqualTo((0.1, 50L)).Within(1e-12));
        Assert.That(error.Mean, Is.EqualTo(0.05).Within(1e-9));
        Assert.That(() => CurveError.Between(Curve((50, 0.5)), Curve((60, 0.5))), Throws.ArgumentException);
    }

    [Test]
    public void Sizes_are_spread_by_a_factor_and_end_with_all_pages()
    {
        Assert.That(CurveSizes.Spread(1, 1000, 4), Is.EqualTo(new long[] { 1, 10, 100, 1000 }));
        Assert.That(CurveSizes.Spread(1, 5, 64), Is.EqualTo(new long[] { 1, 2, 3, 4, 5 }));
        Assert.That(CurveSizes.Spread(1, 1, 64), Is.EqualTo(new long[] { 1 }));
        Assert.That(CurveSizes.Spread(1, 0, 64), Is.EqualTo(new long[] { 1 }));
    }
}
