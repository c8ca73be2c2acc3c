// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Curves;

/// <summary>
/// How far a sampled curve is from the exact one, in miss ratio (0.01 is one percentage point).
/// <para>
/// Two means, because a mean over sizes depends on which. <see cref="Mean"/> is over sizes spread evenly up to the
/// largest, which is the area between the two curves and what the authors of SHARDS report.
/// <see cref="PointsMean"/> is over the sizes of the points, of which most are small if they were spread by a factor:
/// there a sample knows least.
/// </para>
/// </summary>
/// <param name="Mean">The mean of the absolute differences over <see cref="EvenSizes"/> sizes from a part of the largest
/// to the largest, on straight lines between the sizes known.</param>
/// <param name="PointsMean">The mean of the absolute differences over the points.</param>
/// <param name="Largest">The largest absolute difference of a point.</param>
/// <param name="LargestFrames">The size at which that is.</param>
public sealed record CurveError(double Mean, double PointsMean, double Largest, long LargestFrames)
{
    /// <summary>The sizes of <see cref="Mean"/>.</summary>
    public const int EvenSizes = 100;

    /// <summary>Compares curves with the same sizes.</summary>
    public static CurveError Between(MissRatioCurve exact, MissRatioCurve sampled)
    {
        ArgumentNullException.ThrowIfNull(exact);
        ArgumentNullException.ThrowIfNull(sampled);
        if (!exact.Points.Select(point => point.Frames).SequenceEqual(sampled.Points.Select(point => point.Frames)))
            throw new ArgumentException("the curves have different sizes", nameof(sampled));
        if (exact.Points.Count == 0) throw new ArgumentException("the curves have no points", nameof(sampled));
        double pointsSum = 0;
        (double largest, long frames) = (-1, 0);
        for (int i = 0; i < exact.Points.Count; i++)
        {
            double difference = Math.Abs(exact.Points[i].MissRatio - sampled.Points[i].MissRatio);
            pointsSum += difference;
            if (difference > largest) (largest, frames) = (difference, exact.Points[i].Frames);
        }

        double sum = 0;
        for (int i = 1; i <= EvenSizes; i++)
        {
            double size = (double)exact.Points[^1].Frames * i / EvenSizes;
            sum += Math.Abs(CurveLines.MissRatioAt(exact.Steps, size) - CurveLines.MissRatioAt(sampled.Steps, size));
        }

        return new CurveError(sum / EvenSizes, pointsSum / exact.Points.Count, largest, frames);
    }
}

/// <summary>A curve between its sizes: straight lines, from the miss ratio 1 of no cache at all.</summary>
internal static class CurveLines
{
    /// <summary>The miss ratio at any size; beyond the largest it stays as it is.</summary>
    public static double MissRatioAt(IReadOnlyList<CurvePoint> points, double frames)
    {
        int low = 0;
        int high = points.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (points[middle].Frames < frames) low = middle + 1;
            else high = middle;
        }

        if (low == points.Count) return points[^1].MissRatio;
        CurvePoint before = low == 0 ? new CurvePoint(0, 0, 1) : points[low - 1];
        double part = (frames - before.Frames) / (points[low].Frames - before.Frames);
        return before.MissRatio + (part * (points[low].MissRatio - before.MissRatio));
    }
}
