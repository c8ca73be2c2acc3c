// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Scenarios;

namespace PerfCache.Simulation.Reports;

/// <summary>A scenario's results as JSON objects, one a line, as CSV, and as words. The names are a contract with
/// scripts.</summary>
public static class ScenarioText
{
    /// <summary>All tables, then the findings, the decisions that are no page's, and the parameters; without the lines'
    /// ends.</summary>
    public static IEnumerable<string> JsonLines(ScenarioReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        foreach (ScenarioTable table in report.Tables)
            foreach (IReadOnlyList<object?> row in table.Rows)
                yield return JsonLine.Of(json => WriteRow(json, report.Scenario, table, row));
        foreach (string finding in report.Findings)
        {
            yield return JsonLine.Of(json =>
            {
                json.WriteString("kind", "finding");
                json.WriteString("scenario", report.Scenario);
                json.WriteString("text", finding);
            });
        }

        foreach (DecisionList list in report.Decisions)
        {
            foreach (PumaEvent one in list.Journal.Events.Where(one => IsDecision(one.Kind)))
                yield return JsonLine.Of(json => WriteEvent(json, report.Scenario, list, one));
        }

        foreach (Parameter parameter in report.Parameters) yield return ParameterTable.Json(parameter);
    }

    /// <summary>The tables as comma-separated values, each with a header and an empty line behind it.</summary>
    public static void WriteCsv(TextWriter writer, IEnumerable<ScenarioReport> reports)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(reports);
        foreach (ScenarioReport report in reports)
        {
            foreach (ScenarioTable table in report.Tables)
            {
                writer.Write($"table,scenario,{string.Join(',', table.Columns.Select(column => column.Name))}\r\n");
                foreach (IReadOnlyList<object?> row in table.Rows)
                    writer.Write($"{table.Name},{report.Scenario},{string.Join(',', row.Select(Csv))}\r\n");
                writer.Write("\r\n");
            }
        }
    }

    /// <summary>A value as people read it.</summary>
    public static string Cell(ScenarioColumn column, object? value) => value switch
    {
        null => "-",
        bool yes => yes ? "yes" : "no",
        double number when double.IsNaN(number) => "-",
        double number when number < 0 => "never",
        IFormattable number => number.ToString(column.Format, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    /// <summary>Why lending was suspended at a time, for each run in which it was; one sentence each.</summary>
    public static IEnumerable<string> Why(ScenarioReport report, double seconds)
    {
        ArgumentNullException.ThrowIfNull(report);
        foreach (DecisionList list in report.Decisions.Where(list => list.Journal.Total(PumaEventKind.PutSent) == 0))
        {
            string at = Number(seconds);
            yield return list.Journal.WhySuspended(VirtualClock.FromSeconds(seconds)) is not { } why
                ? $"{list.Run}: lending was not suspended at {at} s"
                : $"{list.Run}: at {at} s lending was suspended since {Seconds(why.Began.FirstTicks)} s, because "
                    + $"{Because(why.Began)}; the last sign before was at {Seconds(why.LastSign.FirstTicks)} s: "
                    + Because(why.LastSign);
        }
    }

    /// <summary>The suspensions and resumptions of all lenders, a line each.</summary>
    public static IEnumerable<string> Decisions(ScenarioReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        foreach (DecisionList list in report.Decisions)
        {
            foreach (PumaEvent one in list.Journal.Events.Where(one => IsDecision(one.Kind)))
            {
                string count = one.Count == 1 ? "" : $" ({one.Count} times until {Seconds(one.LastTicks)} s)";
                yield return $"{list.Run}, {list.Machine}: {Seconds(one.FirstTicks)} s {one.Kind}: {Because(one)}{count}";
            }
        }
    }

    internal static string Because(PumaEvent one) => one.Cause switch
    {
        PumaCause.Refault => $"{one.Evidence.First} own pages came back soon after their eviction, "
            + $"{one.Evidence.Second} of which became active at once (#1)",
        PumaCause.Pressure => $"{one.Evidence.Second} active pages against {one.Evidence.First} inactive ones: the "
            + "inactive list was low (#2)",
        PumaCause.TimeOver => "no sign for the time of suspension",
        PumaCause.Instant => "one answer's time",
        PumaCause.Average => "the average time of answers",
        _ => one.Cause.ToString(),
    };

    private static bool IsDecision(PumaEventKind kind) => kind is PumaEventKind.Suspended or PumaEventKind.Rearmed
        or PumaEventKind.Resumed or PumaEventKind.LatencySuspended or PumaEventKind.LatencyResumed;

    private static void WriteRow(Utf8JsonWriter json, string scenario, ScenarioTable table, IReadOnlyList<object?> row)
    {
        json.WriteString("kind", table.Name);
        json.WriteString("scenario", scenario);
        for (int i = 0; i < row.Count; i++)
        {
            json.WritePropertyName(table.Columns[i].Name);
            switch (row[i])
            {
                case bool yes: json.WriteBooleanValue(yes); break;
                case long number: json.WriteNumberValue(number); break;
                case double number when double.IsFinite(number): json.WriteNumberValue(number); break;
                case string text: json.WriteStringValue(text); break;
                default: json.WriteNullValue(); break;
            }
        }
    }

    private static void WriteEvent(Utf8JsonWriter json, string scenario, DecisionList list, PumaEvent one)
    {
        json.WriteString("kind", "decision");
        json.WriteString("scenario", scenario);
        json.WriteString("run", list.Run);
        json.WriteString("machine", list.Machine);
        json.WriteNumber("seconds", VirtualClock.ToSeconds(one.FirstTicks));
        json.WriteNumber("lastSeconds", VirtualClock.ToSeconds(one.LastTicks));
        json.WriteString("decision", one.Kind.ToString());
        json.WriteString("cause", one.Cause.ToString());
        json.WriteNumber("count", one.Count);
        json.WriteNumber("evidence1", one.Evidence.First);
        json.WriteNumber("evidence2", one.Evidence.Second);
    }

    private static string Csv(object? value) => value switch
    {
        null => "",
        bool yes => yes ? "true" : "false",
        double number when !double.IsFinite(number) => "",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        string text when text.AsSpan().ContainsAny(',', '"') => '"' + text.Replace("\"", "\"\"", StringComparison.Ordinal) + '"',
        _ => value.ToString()!,
    };

    private static string Seconds(long nanos) => Number(VirtualClock.ToSeconds(nanos));

    private static string Number(double value) => value.ToString("0.0##", CultureInfo.InvariantCulture);
}
