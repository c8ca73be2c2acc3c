// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Curves;

namespace PerfCache.Simulation.Reports;

/// <summary>What a curve says in words, the same on a terminal and in a report.</summary>
public static class CurveText
{
    /// <summary>Sentences about the knee, the reachable hits, the sample and the check.</summary>
    /// <param name="curve">The curve.</param>
    /// <param name="pageBytes">Bytes of a page.</param>
    public static IReadOnlyList<string> Sentences(MissRatioCurve curve, int pageBytes)
    {
        ArgumentNullException.ThrowIfNull(curve);
        CurveKnee knee = curve.Knee(pageBytes);
        List<string> sentences =
        [
            $"{curve.Policy}: knee at {Size(knee.Frames, pageBytes)} ({Frames(knee.Frames)}), "
                + $"miss ratio {Percent(knee.MissRatio)}; the next {knee.StepName} saves less than "
                + $"{PointsAbove(knee.StepSaves)} points",
            $"{curve.Policy}: 90% of the reachable hits with {Size(knee.FramesFor90, pageBytes)} "
                + $"({Frames(knee.FramesFor90)})",
        ];
        if (curve.SampleRate < 1)
        {
            sentences.Add($"{curve.Policy}: sampled at {Short(curve.SampleRate)}: {Number(curve.SampledRequests)} of "
                + $"{Number(curve.Requests)} requests in {curve.Seconds.ToString("0.000", CultureInfo.InvariantCulture)} s");
        }

        if (curve.Check is CurveError check)
        {
            sentences.Add($"{curve.Policy}: mean absolute error {Points(check.Mean)} points over all sizes, "
                + $"{Points(check.PointsMean)} over these; the largest of these is {Points(check.Largest)} at "
                + Frames(check.LargestFrames));
        }

        return sentences;
    }

    /// <summary>A number of frames in bytes, with three digits and a unit of 1024.</summary>
    public static string Size(long frames, int pageBytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        double bytes = (double)frames * pageBytes;
        int unit = 0;
        for (; bytes >= 1024 && unit < units.Length - 1; unit++) bytes /= 1024;
        string format = unit == 0 || bytes >= 100 ? "0" : bytes >= 10 ? "0.#" : "0.##";
        return bytes.ToString(format, CultureInfo.InvariantCulture) + " " + units[unit];
    }

    /// <summary>Rounded up, so that "less than" is true: two digits, and never 0.</summary>
    private static string PointsAbove(double ratio)
    {
        double points = Math.Max(ratio * 100, 0.0001);
        double unit = Math.Pow(10, Math.Floor(Math.Log10(points)) - 1);
        double above = (Math.Floor((points / unit) + 1e-9) + 1) * unit;
        return above.ToString("0.######", CultureInfo.InvariantCulture);
    }

    private static string Frames(long frames) => Number(frames) + (frames == 1 ? " frame" : " frames");

    private static string Points(double ratio) => (ratio * 100).ToString("0.00", CultureInfo.InvariantCulture);

    private static string Percent(double ratio) => (ratio * 100).ToString("0.00", CultureInfo.InvariantCulture) + "%";

    private static string Short(double value) => value.ToString("G3", CultureInfo.InvariantCulture);

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
