// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using PerfCache.Simulation.Reports;

namespace PerfCache.Cli.Bench;

/// <summary>How rows of <c>perfcache bench</c> are written: a table for people, or one JSON object a
/// line.</summary>
internal static class BenchReport
{
    /// <summary>What the numbers depend on besides the code: the machine, the runtime and how it
    /// compiles.</summary>
    public static string Environment { get; } =
        $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}, "
        + $"{System.Environment.ProcessorCount} cores, tiered compilation {Setting("TieredCompilation")}, "
        + $"tiered PGO {Setting("TieredPGO")}, {(System.Runtime.GCSettings.IsServerGC ? "server" : "workstation")} GC";

    /// <summary>Writes what the table's columns mean.</summary>
    public static void WriteHeader(TextWriter output, BenchPlan plan)
    {
        output.WriteLine("Replay against the floor: plain LRU over arrays, which does not look ahead.");
        output.WriteLine(Environment);
        output.WriteLine(Invariant(
            $"Zipf(1.0), ranks scattered, {plan.Requests:N0} requests a pass; medians of {plan.Pairs} pairs."));
    }

    /// <summary>Writes the heading of one size.</summary>
    public static void WriteSize(TextWriter output, BenchSize size)
    {
        output.WriteLine();
        output.WriteLine(Invariant($"{size.Name}: {size.Pages:N0} pages, {size.Frames:N0} frames"));
        output.WriteLine("policy       look-ahead  x floor   (min to max)   M requests/s  floor's      misses");
    }

    /// <summary>Writes one row of the table.</summary>
    public static void WriteRow(TextWriter output, BenchRow row)
    {
        RatioResult result = row.Result;
        string ends = Invariant($"({result.Ratio.Min:F2} to {result.Ratio.Max:F2})");
        string lookAhead = row.LookAhead ? "yes" : "no";
        output.WriteLine(Invariant($"{row.Policy,-12} {lookAhead,-10} {result.Ratio.Median,8:F2}")
            + Invariant($" {ends,16} {result.CandidateMillionsPerSecond.Median,13:F1}")
            + Invariant($" {result.RivalMillionsPerSecond.Median,8:F1} {result.CandidateMisses,11}"));
    }

    /// <summary>Writes one row as a JSON object on a line of its own.</summary>
    public static void WriteJson(TextWriter output, BenchRow row)
    {
        output.WriteLine(JsonLine.Of(json =>
        {
            RatioResult result = row.Result;
            json.WriteString("size", row.Size.Name);
            json.WriteNumber("pages", row.Size.Pages);
            json.WriteNumber("frames", row.Size.Frames);
            json.WriteNumber("requests", row.Requests);
            json.WriteString("policy", row.Policy);
            json.WriteBoolean("lookAhead", row.LookAhead);
            WriteSpread(json, "ratio", result.Ratio, scale: 1);
            WriteSpread(json, "requestsPerSecond", result.CandidateMillionsPerSecond, scale: 1e6);
            WriteSpread(json, "floorRequestsPerSecond", result.RivalMillionsPerSecond, scale: 1e6);
            json.WriteNumber("misses", result.CandidateMisses);
            json.WriteNumber("floorMisses", result.RivalMisses);
        }));
    }

    private static void WriteSpread(Utf8JsonWriter json, string name, Spread spread, double scale)
    {
        json.WriteNumber(name, spread.Median * scale);
        json.WriteNumber(name + "Min", spread.Min * scale);
        json.WriteNumber(name + "Max", spread.Max * scale);
    }

    // The runtime's own order: the environment variable wins over the project's property; on is the default.
    private static string Setting(string name)
    {
        string? value = System.Environment.GetEnvironmentVariable("DOTNET_" + name)
            ?? AppContext.GetData("System.Runtime." + name)?.ToString();
        return value is null or "1" || value.Equals("true", StringComparison.OrdinalIgnoreCase) ? "on" : "off";
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
