// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Globalization;
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// Results as comma-separated values by RFC 4180: a header with the names of <see cref="JsonLines"/>, lines
/// that end in CR LF, quotes only where needed. A column <c>complete</c> is added if some result is not.
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

    /// <summary>Writes the header and a line for each result.</summary>
    public static void Write(TextWriter writer, IEnumerable<ReplayResult> results)
    {
        ArgumentNullException.ThrowIfNull(writer);
        List<ReplayResult> rows = [.. results];
        bool hasIncomplete = rows.Exists(row => !row.Complete);
        WriteLine(writer, hasIncomplete ? [.. Names, "complete"] : Names);
        foreach (ReplayResult row in rows)
        {
            List<string> values = Values(row);
            if (hasIncomplete) values.Add(row.Complete ? "true" : "false");
            WriteLine(writer, values);
        }
    }

    private static List<string> Values(ReplayResult row) =>
    [
        row.Trace, row.Policy, Text(row.Frames), Text(row.Requests), Text(row.Misses), Text(row.MissRatio),
        Text(row.CompulsoryMisses), Text(row.ColdMisses), Text(row.Refaults), Text(row.Activations),
        Text(row.Deactivations), Text(row.Evictions), Text(row.Seconds), Text(row.ReadSeconds),
        Text(Math.Round(row.RequestsPerSecond)), Text(row.NativeBytes), Text(row.MapBytes), Text(row.ShadowBytes),
    ];

    private static string Text<TNumber>(TNumber value) where TNumber : IFormattable =>
        value.ToString(null, CultureInfo.InvariantCulture);

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
