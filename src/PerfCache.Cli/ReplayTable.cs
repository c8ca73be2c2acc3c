// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Replay;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace PerfCache.Cli;

/// <summary>
/// The results of one trace as a table: plain text in a pipe, a little colour on a terminal.
/// </summary>
internal static class ReplayTable
{
    // Wider than any table: a terminal wraps what is too long for it, which is better than numbers cut off.
    private const int Width = 1000;

    private static readonly string[] s_columns =
    [
        "policy", "frames", "of pages", "miss ratio", "misses", "cold", "refaults", "activations", "M req/s", "B/frame",
    ];

    /// <summary>Columns that are there if some result has a value.</summary>
    private static readonly (string Name, Func<ReplayResult, string> Value)[] s_optional =
    [
        ("byte miss ratio", row => row.ByteMissRatio is double ratio ? Fixed(100 * ratio, "0.000") + "%" : ""),
        ("disk reads", row => row.Disk is null ? "" : Number(row.Disk.DiskReads)),
        ("write-backs", row => row.Disk is null ? "" : Number(row.Disk.WriteBacks)),
    ];

    /// <summary>Writes a line of facts and the table.</summary>
    public static void Write(TextWriter writer, bool isTerminal, IReadOnlyList<ReplayResult> results)
    {
        ReplayResult first = results[0];
        writer.WriteLine($"{first.Trace}: {Number(first.Requests)} requests, "
            + (first.WarmupRequests > 0 ? $"after {Number(first.WarmupRequests)} to warm up, " : "")
            + $"{Number(first.DistinctPages)} distinct pages, {Fixed(first.ReadSeconds, "0.00")} s to read"
            + (first.Complete ? "" : " (incomplete: stopped here)"));
        var more = Array.FindAll(s_optional, column => results.Any(result => column.Value(result).Length > 0));
        WriteRows(writer, isTerminal, [.. s_columns, .. more.Select(column => column.Name)],
            results.Select(result => Cells(result).Concat(more.Select(column => column.Value(result))).ToArray()));
    }

    /// <summary>Writes a table whose first column is the policy.</summary>
    internal static void WriteRows(
        TextWriter writer, bool isTerminal, IReadOnlyList<string> columns, IEnumerable<string[]> rows)
    {
        if (isTerminal)
        {
            Render(writer, AnsiSupport.Detect, ColorSystemSupport.Detect, Build(columns, rows, TableBorder.Simple));
            return;
        }

        // Programs and diffs read pipes: no rules, no colours, no spaces at the ends of lines.
        using StringWriter plain = new();
        Render(plain, AnsiSupport.No, ColorSystemSupport.NoColors, Build(columns, rows, new PlainBorder()));
        foreach (string line in plain.ToString().Split('\n'))
        {
            if (!string.IsNullOrWhiteSpace(line)) writer.WriteLine(line.TrimEnd());
        }
    }

    private static void Render(TextWriter writer, AnsiSupport ansi, ColorSystemSupport colours, Table table)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = ansi,
            ColorSystem = colours,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = Width;
        console.Write(table);
    }

    private static Table Build(IReadOnlyList<string> columns, IEnumerable<string[]> rows, TableBorder border)
    {
        Table table = new() { Border = border };
        foreach (string name in columns)
        {
            TableColumn column = new(new Text(name, new Style(decoration: Decoration.Bold)))
            {
                NoWrap = true,
                Alignment = name == "policy" ? Justify.Left : Justify.Right,
                Padding = new Padding(name == "policy" ? 0 : 2, 0, 0, 0),
            };
            table.AddColumn(column);
        }

        foreach (string[] row in rows) table.AddRow(row.Select(cell => new Text(cell)));
        return table;
    }

    private static string[] Cells(ReplayResult result) =>
    [
        result.Policy + (result.Complete ? "" : " (incomplete)"),
        Number(result.Frames),
        Fixed(100.0 * result.Frames / Math.Max(1, result.DistinctPages), "0.00") + "%",
        Fixed(100 * result.MissRatio, "0.000") + "%",
        Number(result.Misses),
        Number(result.ColdMisses),
        Number(result.Refaults),
        Number(result.Activations),
        Fixed(result.RequestsPerSecond / 1e6, "0.0"),
        Fixed((double)result.NativeBytes / Math.Max(1, result.Frames), "N1"),
    ];

    /// <summary>
    /// No lines at all; unlike <see cref="TableBorder.None"/> it keeps the columns' padding.
    /// </summary>
    private sealed class PlainBorder : TableBorder
    {
        public override string GetPart(TableBorderPart part) => part switch
        {
            TableBorderPart.CellLeft or TableBorderPart.CellSeparator or TableBorderPart.CellRight => "",
            TableBorderPart.HeaderLeft or TableBorderPart.HeaderSeparator or TableBorderPart.HeaderRight => "",
            _ => " ",
        };
    }

    internal static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    internal static string Fixed(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
