// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Simulation.Curves;

/// <summary>At which sizes a curve has its points.</summary>
internal static class CurveSizes
{
    /// <summary>
    /// Sizes from <paramref name="min"/> to <paramref name="max"/>, each larger than the one before by the same factor as
    /// far as whole frames allow; fewer than asked for where there are not so many.
    /// </summary>
    public static IReadOnlyList<long> Spread(long min, long max, int points)
    {
        max = Math.Clamp(max, 1, FrameId.CountMax);
        min = Math.Clamp(min, 1, max);
        SortedSet<long> sizes = [max];
        double factor = points < 2 ? 1 : Math.Pow((double)max / min, 1.0 / (points - 1));
        for (int i = 0; i < points - 1; i++)
            sizes.Add(Math.Min(max, (long)Math.Round(min * Math.Pow(factor, i))));
        return [.. sizes];
    }

    /// <summary>
    /// The sizes asked for, ascending and each once; or a spread that ends with the distinct pages. It begins with one
    /// frame, or in a sample with what some pages of it stand for: of smaller caches the sample knows next to nothing.
    /// </summary>
    public static IReadOnlyList<long> Of(CurveOptions options, long distinctPages, double rate) =>
        options.Sizes is { Count: > 0 } sizes
            ? [.. sizes.Select(size => size.FramesFor(distinctPages)).Distinct().Order()]
            : Spread(rate == 1 ? 1 : FirstOfSample(distinctPages, rate), distinctPages, options.Points);

    private static long FirstOfSample(long distinctPages, double rate)
    {
        const int SampledPages = 32;
        const int PartOfAll = 64;
        double first = Math.Min(SampledPages / rate, Math.Max(1 / rate, (double)distinctPages / PartOfAll));
        return (long)Math.Ceiling(first);
    }

    /// <summary>
    /// Sizes close enough that straight lines between them do for any question, and those asked for.
    /// </summary>
    public static IReadOnlyList<long> Fine(IReadOnlyList<long> sizes)
    {
        const int Steps = 1000;
        SortedSet<long> fine = [.. Spread(1, sizes[^1], Steps), .. sizes];
        for (int i = 1; i <= Steps; i++) fine.Add(Math.Max(1, (long)((double)sizes[^1] * i / Steps)));
        return [.. fine];
    }
}
