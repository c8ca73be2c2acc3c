// SPDX-License-Identifier: MIT
using System.Diagnostics;

namespace PerfCache.Cli.Bench;

/// <summary>One side of a comparison: how to get ready for a pass, untimed, and the pass itself,
/// timed.</summary>
/// <param name="Name">The name to print.</param>
/// <param name="Prepare">Makes the state of an empty cache; its time does not count.</param>
/// <param name="Pass">Replays the whole request array and returns the misses.</param>
internal sealed record Contender(string Name, Action Prepare, Func<uint[], long> Pass);

/// <summary>The middle and the ends of a handful of measurements.</summary>
internal readonly record struct Spread(double Median, double Min, double Max)
{
    /// <summary>The spread of <paramref name="values"/>; the median of an even number is the mean of the
    /// middle two.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0) throw new ArgumentException("no measurement", nameof(values));
        int middle = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Spread(median, sorted[0], sorted[^1]);
    }
}

/// <summary>What a comparison found: the candidate's speed as a part of the rival's, and each side's speed and
/// misses.</summary>
internal sealed record RatioResult(
    string Rival, string Candidate, Spread Ratio, Spread RivalMillionsPerSecond,
    Spread CandidateMillionsPerSecond, long RivalMisses, long CandidateMisses);

/// <summary>
/// Compares two ways to replay the same requests, in one process, alternating. A shared or throttled machine
/// changes its speed from second to second and takes both sides of a pair along; so each ratio is taken
/// within a pair, and the median of the pairs is what to report. The side that goes first alternates too,
/// for whoever goes second finds the requests in the processor's cache.
/// </summary>
/// <remarks>
/// Warm-up passes come first and count for nothing: they let tiered compilation replace its first code and
/// recompile with its profile. A ratio below 1 means that the candidate is slower.
/// </remarks>
internal static class InterleavedRatio
{
    /// <summary>Pairs measured unless told otherwise.</summary>
    public const int DefaultPairs = 7;

    /// <summary>Pairs run beforehand unless told otherwise.</summary>
    public const int DefaultWarmUps = 2;

    /// <summary>Runs the comparison.</summary>
    /// <exception cref="InvalidOperationException">A side does not count the same misses in every
    /// pass.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled between two passes.</exception>
    public static RatioResult Measure(
        Contender rival, Contender candidate, uint[] requests, int pairs = DefaultPairs,
        int warmUps = DefaultWarmUps, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pairs, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(warmUps);
        Side first = new(rival, requests);
        Side second = new(candidate, requests);
        List<double> ratios = [];
        for (int pair = -warmUps; pair < pairs; pair++)
        {
            bool counts = pair >= 0;
            (Side one, Side other) = pair % 2 == 0 ? (first, second) : (second, first);
            cancellation.ThrowIfCancellationRequested();
            one.Run(counts);
            cancellation.ThrowIfCancellationRequested();
            other.Run(counts);
            if (counts) ratios.Add(first.Seconds[^1] / second.Seconds[^1]);
        }

        return new RatioResult(
            rival.Name, candidate.Name, Spread.Of(ratios), first.MillionsPerSecond, second.MillionsPerSecond,
            first.Misses, second.Misses);
    }

    private sealed class Side(Contender contender, uint[] requests)
    {
        public List<double> Seconds { get; } = [];

        public long Misses { get; private set; } = -1;

        public Spread MillionsPerSecond => Spread.Of(Seconds.Select(seconds => requests.Length / seconds / 1e6));

        public void Run(bool counts)
        {
            contender.Prepare();
            long start = Stopwatch.GetTimestamp();
            long misses = contender.Pass(requests);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (Misses >= 0 && misses != Misses)
            {
                throw new InvalidOperationException(
                    $"{contender.Name}: {misses} misses in this pass, {Misses} in the one before, same requests");
            }

            Misses = misses;
            // A pass below the clock's resolution would divide by zero.
            if (counts) Seconds.Add(Math.Max(seconds, 1e-9));
        }
    }
}
