// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Curves;

/// <summary>
/// A suggestion for a cache size.
/// <para>
/// The knee is the size whose share of the reachable hits exceeds its share of the largest size by most: with hits and
/// sizes both from 0 to 1, the point farthest above the straight line from no cache to the largest one. It always lies
/// on the upper hull of the hits, and beyond it a frame earns less than the average frame of the largest cache does.
/// Where the hits grow evenly (a cache of uniform requests, or a single loop) no size is better than another in this
/// sense, and the knee means nothing; <see cref="Advantage"/> then is near 0.
/// </para>
/// <para>
/// What the next step saves is read from the curve, with straight lines between its sizes. The step is the largest of
/// KiB, MiB, GiB and TiB that is no more than the knee itself, in whole frames and at least one.
/// </para>
/// </summary>
public sealed record CurveKnee
{
    private const double WantedShare = 0.9;

    /// <summary>The suggested size in frames.</summary>
    public required long Frames { get; init; }

    /// <summary>The miss ratio with it.</summary>
    public required double MissRatio { get; init; }

    /// <summary>By how much its share of the reachable hits exceeds its share of the largest size.</summary>
    public required double Advantage { get; init; }

    /// <summary>The step in frames.</summary>
    public required long StepFrames { get; init; }

    /// <summary>The step's name: frame, KiB, MiB, GiB or TiB.</summary>
    public required string StepName { get; init; }

    /// <summary>The miss ratio that the next step saves.</summary>
    public required double StepSaves { get; init; }

    /// <summary>The frames with which 90 % of the reachable hits are hit, where the hits of the largest size count as
    /// reachable.</summary>
    public required long FramesFor90 { get; init; }

    /// <summary>Finds the knee.</summary>
    /// <param name="points">Sizes, ascending, at least one.</param>
    /// <param name="pageBytes">Bytes of a page.</param>
    public static CurveKnee Of(IReadOnlyList<CurvePoint> points, long pageBytes)
    {
        ArgumentNullException.ThrowIfNull(points);
        ArgumentOutOfRangeException.ThrowIfLessThan(points.Count, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(pageBytes, 1);
        double reachable = points.Max(point => 1 - point.MissRatio);
        CurvePoint knee = points[0];
        double best = double.MinValue;
        foreach (CurvePoint point in points)
        {
            double share = reachable <= 0 ? 0 : (1 - point.MissRatio) / reachable;
            double advantage = share - ((double)point.Frames / points[^1].Frames);
            if (advantage > best) (best, knee) = (advantage, point);
        }

        (string name, long bytes) = StepOf(knee.Frames, pageBytes);
        long step = Math.Max(1, bytes / pageBytes);
        return new CurveKnee
        {
            Frames = knee.Frames,
            MissRatio = knee.MissRatio,
            Advantage = best,
            StepFrames = step,
            StepName = name,
            StepSaves = Math.Max(0, knee.MissRatio - CurveLines.MissRatioAt(points, knee.Frames + step)),
            FramesFor90 = FramesFor(points, reachable * WantedShare),
        };
    }

    private static (string Name, long Bytes) StepOf(long frames, long pageBytes)
    {
        string[] names = ["KiB", "MiB", "GiB", "TiB"];
        double bytes = (double)frames * pageBytes;
        for (int i = names.Length - 1; i >= 0; i--)
        {
            long unit = 1L << (10 * (i + 1));
            if (unit <= bytes && unit >= pageBytes) return (names[i], unit);
        }

        return ("frame", pageBytes);
    }

    /// <summary>The first size with so many hits, on the straight lines between the sizes.</summary>
    private static long FramesFor(IReadOnlyList<CurvePoint> points, double hitRatio)
    {
        CurvePoint before = new(0, 0, 1);
        foreach (CurvePoint point in points)
        {
            double hits = 1 - point.MissRatio;
            double hitsBefore = 1 - before.MissRatio;
            if (hits >= hitRatio)
            {
                double part = hits <= hitsBefore ? 1 : (hitRatio - hitsBefore) / (hits - hitsBefore);
                return before.Frames + Math.Max(1, (long)Math.Ceiling(part * (point.Frames - before.Frames)));
            }

            before = point;
        }

        return before.Frames;
    }
}
