// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli.Bench;

/// <summary>One size of the comparison: how many pages are requested and how many frames there
/// are.</summary>
internal sealed record BenchSize(string Name, int Pages, int Frames)
{
    /// <summary>
    /// The sizes that are measured: index and frames of the first are beyond a core's own caches, those of
    /// the second fit in, so the first shows the cost of memory accesses and the second that of
    /// instructions.
    /// </summary>
    public static IReadOnlyList<BenchSize> Defaults { get; } =
        [new("memory", 1_000_000, 100_000), new("cache-resident", 100_000, 10_000)];
}

/// <summary>One line of the table.</summary>
internal sealed record BenchRow(BenchSize Size, string Policy, bool LookAhead, int Requests, RatioResult Result);

/// <summary>How much to measure.</summary>
internal sealed record BenchPlan
{
    /// <summary>The policies, as <see cref="PolicySpec"/> texts.</summary>
    public IReadOnlyList<string> Policies { get; init; } =
        ["lru", "linux-6", "fifo", "linux-3.15", "clock", "sieve", "s3fifo", "lfu", "2q", "arc", "lirs", "wtinylfu"];

    /// <summary>The sizes.</summary>
    public IReadOnlyList<BenchSize> Sizes { get; init; } = BenchSize.Defaults;

    /// <summary>Requests a pass.</summary>
    public int Requests { get; init; } = 10_000_000;

    /// <summary>Pairs measured.</summary>
    public int Pairs { get; init; } = InterleavedRatio.DefaultPairs;

    /// <summary>Pairs run beforehand.</summary>
    public int WarmUps { get; init; } = InterleavedRatio.DefaultWarmUps;

    /// <summary>
    /// A look in seconds. Its passes are short, so it needs more of them until tiered compilation is done.
    /// </summary>
    public static BenchPlan Quick { get; } = new() { Requests = 2_000_000, Pairs = 5, WarmUps = 8 };
}

/// <summary>
/// The policies' replay against <see cref="LruFloor"/>: every policy at every size, with the replay's
/// look-ahead and without. Requests, their generation and the making of cells are outside the timed passes.
/// </summary>
internal sealed class FloorRatios(BenchPlan plan, Func<PolicySpec, long, ReplayCell> createCell)
{
    /// <summary>Requests handed to a cell at once: what a replay of a trace does.</summary>
    public const int BlockLength = 64 * 1024;

    /// <summary>Measures row by row.</summary>
    /// <exception cref="InvalidOperationException">Misses differ that must be equal.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public IEnumerable<BenchRow> Measure(CancellationToken cancellation)
    {
        foreach (BenchSize size in plan.Sizes)
        {
            // Page numbers below the page count serve a cell in either numbering: dense, and dense leaf by
            // leaf.
            uint[] requests = FloorWorkload.Zipf(size.Pages, plan.Requests, alpha: 1.0, seed: 1);
            LruFloor floor = new(size.Pages, size.Frames);
            Contender rival = new("floor", floor.Reset, all => floor.RunUnchecked(all));
            foreach (string policy in plan.Policies)
            {
                BenchRow with = MeasureRow(size, policy, lookAhead: true, rival, requests, cancellation);
                yield return with;
                BenchRow without = MeasureRow(size, policy, lookAhead: false, rival, requests, cancellation);
                yield return without;
                RequireEqual($"{policy} without look-ahead", without.Result.CandidateMisses,
                    "with it", with.Result.CandidateMisses, size);
            }
        }
    }

    private BenchRow MeasureRow(
        BenchSize size, string policy, bool lookAhead, Contender rival, uint[] requests,
        CancellationToken cancellation)
    {
        PolicySpec spec = PolicySpec.Parse(policy);
        ReplayCell? cell = null;
        try
        {
            Contender candidate = new(policy, Prepare, all => ReplayAll(cell!, all));
            RatioResult result =
                InterleavedRatio.Measure(rival, candidate, requests, plan.Pairs, plan.WarmUps, cancellation);
            // A cell that does less than LRU would look fast; nothing but equal misses makes the ratio mean
            // something.
            if (spec.Name == "lru")
                RequireEqual(policy, result.CandidateMisses, "the floor", result.RivalMisses, size);
            return new BenchRow(size, policy, lookAhead, requests.Length, result);
        }
        finally
        {
            cell?.Dispose();
        }

        void Prepare()
        {
            cell?.Dispose();
            cell = createCell(spec, size.Frames);
            cell.LookAhead = lookAhead;
        }
    }

    /// <summary>Replays the requests block by block, as a replay of a trace does, and returns the
    /// misses.</summary>
    public static long ReplayAll(ReplayCell cell, uint[] requests)
    {
        for (int start = 0; start < requests.Length; start += BlockLength)
            cell.Replay(new(requests.AsSpan(start, Math.Min(BlockLength, requests.Length - start)), []), []);
        return cell.Counts.Misses;
    }

    private static void RequireEqual(string one, long misses, string other, long expected, BenchSize size)
    {
        if (misses == expected) return;
        throw new InvalidOperationException(
            $"{size.Name} ({size.Pages} pages, {size.Frames} frames): {one} counts {misses} misses and {other} "
            + $"{expected}; they must be equal, so no ratio is worth reading");
    }
}
