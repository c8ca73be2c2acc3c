// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli;

/// <summary>The results of one trace of a live replay as a table: speed and latencies in place of lists.</summary>
internal static class LiveTable
{
    private static readonly string[] s_columns =
    [
        "policy", "frames", "miss ratio", "misses", "M req/s", "GB/s", "hit p50", "p99", "p99.9", "miss p50", "p99",
        "p99.9", "lock waits",
    ];

    /// <summary>Writes a line of facts and the table.</summary>
    public static void Write(TextWriter writer, bool isTerminal, IReadOnlyList<ReplayResult> results)
    {
        ReplayResult first = results[0];
        LiveMeasures live = first.Live!;
        writer.WriteLine($"{first.Trace}: {ReplayTable.Number(first.Requests)} requests, "
            + $"{ReplayTable.Number(first.CompulsoryMisses)} distinct pages of {live.PageBytes} bytes, "
            + (live.Threads == 1 ? "1 thread, " : $"{live.Threads} threads, ")
            + (live.BackgroundReclaim ? "background reclaim" : "direct reclaim")
            + (results.All(result => result.Complete) ? "" : " (incomplete: stopped here)"));
        ReplayTable.WriteRows(writer, isTerminal, s_columns, results.Select(Cells));
    }

    private static string[] Cells(ReplayResult result)
    {
        LatencyHistogram hits = result.Live!.Hits;
        LatencyHistogram misses = result.Live.Misses;
        return
        [
            result.Policy + (result.Complete ? "" : " (incomplete)"),
            ReplayTable.Number(result.Frames),
            ReplayTable.Fixed(100 * result.MissRatio, "0.000") + "%",
            ReplayTable.Number(result.Misses),
            ReplayTable.Fixed(result.RequestsPerSecond / 1e6, "0.00"),
            ReplayTable.Fixed(result.BytesPerSecond / 1e9, "0.0"),
            Time(hits, 50), Time(hits, 99), Time(hits, 99.9),
            Time(misses, 50), Time(misses, 99), Time(misses, 99.9),
            ReplayTable.Number(result.Live.LockWaits),
        ];
    }

    /// <summary>Three digits and a unit, or a dash where nothing was measured.</summary>
    private static string Time(LatencyHistogram histogram, double percent)
    {
        if (histogram.Count == 0) return "-";
        double value = histogram.Percentile(percent);
        string[] units = ["ns", "us", "ms", "s"];
        int unit = 0;
        for (; value >= 999.5 && unit < units.Length - 1; unit++) value /= 1000;
        string digits = unit == 0 ? "0" : value < 9.995 ? "0.00" : value < 99.95 ? "0.0" : "0";
        return value.ToString(digits, CultureInfo.InvariantCulture) + " " + units[unit];
    }
}
