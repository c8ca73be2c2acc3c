// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Globalization;
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// Results as comma-separated values by RFC 4180: a header with the names of <see cref="JsonLines"/>, lines
/// that end in CR LF, quotes only where needed. Columns that only some results have (warm-up, bytes, whether the replay is
/// complete) are added if one has them.
/// </summary>
public static class CsvTable
{
    private static readonly SearchValues<char> s_quoted = SearchValues.Create(",\"\r\n");

    /// <summary>The columns, in order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "trace", "policy", "frames", "requests", "misses", "missRatio", "compulsoryMisses", "coldMisses", "refaults",
        "activations", "deactivations", "evictions", "seconds", "readSeconds", "requestsPerSecond", "nativeBytes",
        "mapBytes", "shadowBytes",
    ];

    /// <summary>Columns that are there if some result has them, and how each writes its own.</summary>
    private static readonly (string Name, Func<ReplayResult, bool> Has, Func<ReplayResult, string> Value)[] s_optional =
    [
        ("warmupRequests", row => row.WarmupRequests > 0, row => Text(row.WarmupRequests)),
        ("requestedBytes", row => row.RequestedBytes is not null, row => Text(row.RequestedBytes)),
        ("missedBytes", row => row.MissedBytes is not null, row => Text(row.MissedBytes)),
        ("byteMissRatio", row => row.ByteMissRatio is not null, row => Text(row.ByteMissRatio)),
        ("readaheadMax", row => row.Disk is not null, row => Text(row.Disk?.ReadaheadMax)),
        ("writes", row => row.Disk is not null, row => Text(row.Disk?.Writes)),
        ("diskReads", row => row.Disk is not null, row => Text(row.Disk?.DiskReads)),
        ("readaheadPages", row => row.Disk is not null, row => Text(row.Disk?.ReadaheadPages)),
        ("writeBacks", row => row.Disk is not null, row => Text(row.Disk?.WriteBacks)),
        ("dirtyPages", row => row.Disk is not null, row => Text(row.Disk?.DirtyPages)),
        ("complete", row => !row.Complete, row => row.Complete ? "true" : "false"),
    ];

    /// <summary>Writes the header and a line for each result.</summary>
    public static void Write(TextWriter writer, IEnumerable<ReplayResult> results)
    {
        ArgumentNullException.ThrowIfNull(writer);
        List<ReplayResult> rows = [.. results];
        var more = Array.FindAll(s_optional, column => rows.Exists(row => column.Has(row)));
        WriteLine(writer, [.. Names, .. more.Select(column => column.Name)]);
        foreach (ReplayResult row in rows) WriteLine(writer, [.. Values(row), .. more.Select(column => column.Value(row))]);
    }

    /// <summary>Writes the misses over time: a line for each window of each result that has them.</summary>
    public static void WriteTimelines(TextWriter writer, IEnumerable<ReplayResult> results)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(results);
        WriteLine(writer, ["trace", "policy", "frames", "firstRequest", "requests", "misses", "missRatio"]);
        foreach (ReplayResult row in results)
        {
            if (row.Timeline is not { } timeline) continue;
            for (int i = 0; i < timeline.Count; i++)
            {
                WriteLine(writer,
                [
                    row.Trace, row.Policy, Text(row.Frames), Text(timeline.Start(i)), Text(timeline.Requests(i)),
                    Text(timeline.Misses(i)), Text((double)timeline.Misses(i) / timeline.Requests(i)),
                ]);
            }
        }
    }

    private static List<string> Values(ReplayResult row) =>
    [
        row.Trace, row.Policy, Text(row.Frames), Text(row.Requests), Text(row.Misses), Text(row.MissRatio),
        Text(row.CompulsoryMisses), Text(row.ColdMisses), Text(row.Refaults), Text(row.Activations),
        Text(row.Deactivations), Text(row.Evictions), Text(row.Seconds), Text(row.ReadSeconds),
        Text(Math.Round(row.RequestsPerSecond)), Text(row.NativeBytes), Text(row.MapBytes), Text(row.ShadowBytes),
    ];

    private static string Text<TNumber>(TNumber value) where TNumber : struct, IFormattable =>
        value.ToString(null, CultureInfo.InvariantCulture);

    private static string Text<TNumber>(TNumber? value) where TNumber : struct, IFormattable =>
        value is null ? "" : Text(value.Value);

    private static void WriteLine(TextWriter writer, IReadOnlyList<string> values)
    {
        for (int i = 0; i < values.Count; i++)
        {
            if (i > 0) writer.Write(',');
            writer.Write(Quote(values[i]));
        }

        writer.Write("\r\n");
    }

    private static string Quote(string value) => value.AsSpan().ContainsAny(s_quoted)
        ? '"' + value.Replace("\"", "\"\"", StringComparison.Ordinal) + '"'
        : value;
}
