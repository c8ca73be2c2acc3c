// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Simulation.Reports;

/// <summary>The flipping study in words and rows, the same on a terminal and in a report.</summary>
public static class FlipText
{
    /// <summary>The columns of <see cref="Row"/>.</summary>
    public static IReadOnlyList<string> Columns { get; } =
    [
        "remedy", "remote at end", "most", "loss at end", "on average", "by bandwidth", "remedy's cost", "delivery",
        "migrated", "withheld", "pool empty",
    ];

    /// <summary>One run as the cells of a row.</summary>
    public static string[] Row(FlipResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        StreamResult triad = result.Stream[^1];
        return
        [
            result.Remedy.Name + (result.Complete ? "" : " (stopped)"),
            Percent(result.RemoteShare),
            Percent(result.RemoteShareMax),
            Percent(result.LossAtEnd),
            Percent(result.LossMean),
            $"{Percent(triad.OverlappedLoss, "0")} to {Percent(triad.BlendedLoss, "0")}",
            Percent(result.RemedyShare),
            Number(result.DeliveryNanos / 1e6) + " ms",
            Number(result.Migrated),
            result.PoolFramesMax == 0 ? "" : CurveText.Size(result.PoolFramesMax, FlipParameters.PageBytes),
            result.PoolFramesMax == 0 ? "" : Number(result.PoolAllocated),
        ];
    }

    /// <summary>What a model of placement says, as sentences.</summary>
    public static string PlacementText(PlacementModel placement) => placement == PlacementModel.Heap
        ? "heap: a guest's free frame goes to the hypervisor's heap of its node; the driver domain takes its next from its own"
        : "swap: the driver domain gets the guest's free frame itself, for a full one";

    /// <summary>What the columns mean.</summary>
    public static IReadOnlyList<string> Notes { get; } =
    [
        "remote: pages of the loaded guest that are not on its node; most: at any moment",
        "loss: speed that latency-bound work on all of its pages loses, the remedy's own processor time taken from it",
        "by bandwidth: the same for a STREAM triad bound by bandwidth, local and remote transfers at once, or one after the other",
        "remedy's cost: part of one processor; delivery: processor time of both domains; withheld: the pool at its largest",
        "pool empty: frames that had to be allocated because the pool had none",
    ];

    /// <summary>Where flipping begins to be cheaper than copying.</summary>
    public static string Crossover(int bytes) => bytes == 0
        ? "copying is cheaper at every size up to 64 KiB"
        : $"flipping is cheaper from {Number(bytes)} bytes on (with these costs, which are assumed)";

    /// <summary>STREAM before and after, a line a kernel.</summary>
    public static IEnumerable<string[]> StreamRows(FlipResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        foreach (StreamResult one in result.Stream)
            yield return
            [
                one.Kernel, Number(one.BeforeMegabytes), Number(one.AfterMegabytes), Percent(one.LatencyLoss),
                $"{Percent(one.OverlappedLoss)} to {Percent(one.BlendedLoss)}", Percent(one.RemoteShare),
            ];
    }

    /// <summary>The columns of <see cref="StreamRows"/>.</summary>
    public static IReadOnlyList<string> StreamColumns { get; } =
        ["STREAM", "MB/s before", "after", "loss by latency", "by bandwidth", "remote pages"];

    /// <summary>The columns of <see cref="LiveRow"/>.</summary>
    public static IReadOnlyList<string> LiveColumns { get; } =
        ["remedy", "remote at end", "most", "flips", "copies", "migrated", "pool", "pages/s", "wrong pages"];

    /// <summary>A run over real frames as cells.</summary>
    public static string[] LiveRow(LiveFlipResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return
        [
            result.Remedy.Name, Percent(result.RemoteShare), Percent(result.RemoteShareMax), Number(result.Flips),
            Number(result.Copies), Number(result.Migrated), result.PoolFramesMax == 0 ? "" : Number(result.PoolFramesMax),
            Number(result.PagesPerSecond), Number(result.WrongPages),
        ];
    }

    /// <summary>A sensitivity as cells.</summary>
    public static string[] SensitivityRow(FlipSensitivity one, double defaultValue)
    {
        ArgumentNullException.ThrowIfNull(one);
        string name = one.Name.Length == 0 ? "(defaults)"
            : $"{one.Name} {defaultValue.ToString("0.######", CultureInfo.InvariantCulture)} -> "
                + one.Value.ToString("0.######", CultureInfo.InvariantCulture);
        return one.Refusal.Length > 0
            ? [name, "refused", "", "", "", "", "", ""]
            :
            [
                name, Percent(one.NaiveHeap), Percent(one.NaiveSwap), Percent(one.NaiveLoss), Percent(one.PoolMax),
                Percent(one.PeriodicMax), Percent(one.PeriodicLoss),
                one.CrossoverBytes == 0 ? "none" : Number(one.CrossoverBytes) + " B",
            ];
    }

    /// <summary>The columns of <see cref="SensitivityRow"/>.</summary>
    public static IReadOnlyList<string> SensitivityColumns { get; } =
    [
        "parameter", "naive, heap", "naive, swap", "its loss", "dynamic pool, most", "periodic, most", "its loss",
        "crossover",
    ];

    internal static string Percent(double share) => Percent(share, "0.00");

    internal static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double share, string format) =>
        (share * 100).ToString(format, CultureInfo.InvariantCulture) + "%";
}
