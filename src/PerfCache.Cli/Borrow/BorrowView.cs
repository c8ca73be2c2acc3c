// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using PerfCache.Remote.Borrowing;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Reports;

namespace PerfCache.Cli.Borrow;

/// <summary>A part of a run: what came of it, in what time.</summary>
/// <param name="Name">Puts, gets, or both.</param>
/// <param name="Took">The time.</param>
/// <param name="Processor">The processor time of this process, all threads.</param>
/// <param name="Counts">What came of it.</param>
/// <param name="Latencies">The times of get calls, in nanoseconds.</param>
internal sealed record BorrowPhase(
    string Name, TimeSpan Took, TimeSpan Processor, BorrowCounts Counts, LatencyHistogram Latencies)
{
    /// <summary>Pages that were verified in a second.</summary>
    public double GetRate => Counts.Verified / Took.TotalSeconds;

    /// <summary>Pages that were stored in a second.</summary>
    public double PutRate => Counts.Stored / Took.TotalSeconds;

    /// <summary>Pages that were verified in a second of this process's processor time: what one core would move.</summary>
    public double GetRateOfCore => Counts.Verified / Math.Max(Processor.TotalSeconds, 1e-3);

    /// <summary>Pages that were stored in a second of it.</summary>
    public double PutRateOfCore => Counts.Stored / Math.Max(Processor.TotalSeconds, 1e-3);
}

/// <summary>A load as a table, a line of JSON, or a picture that is drawn over the last one.</summary>
internal sealed class BorrowView(TextWriter writer, BorrowLoad load, BorrowLoadOptions options, bool isTerminal)
{
    private const string ClearScreen = "\u001b[H\u001b[2J";

    private BorrowCounts _last = new();
    private long _lastStamp = Stopwatch.GetTimestamp();

    /// <summary>Draws the picture.</summary>
    public void Draw(string phase)
    {
        BorrowCounts now = load.Counts.Copy();
        BorrowCounts lately = now.Minus(_last);
        double seconds = Stopwatch.GetElapsedTime(_lastStamp).TotalSeconds;
        StringBuilder text = new(isTerminal ? ClearScreen : "");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"perfcache borrow-bench   {phase}   {options.Pages:N0} pages of {options.PageBytes:N0} bytes");
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture,
            $"gets       {lately.Verified / seconds:N0}/s verified, {now.Wrong:N0} wrong, {now.Missing:N0} missing, "
            + $"{now.NoAnswer:N0} without answer");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"puts       {lately.Stored / seconds:N0}/s stored, {now.NotStored:N0} not");
        text.AppendLine();
        AppendServers(text);
        writer.Write(text.ToString());
        writer.Flush();
        _last = now;
        _lastStamp = Stopwatch.GetTimestamp();
    }

    /// <summary>Writes the table.</summary>
    public void WriteTable(IReadOnlyList<BorrowPhase> phases)
    {
        StringBuilder text = new();
        text.AppendLine(CultureInfo.InvariantCulture,
            $"{options.Pages:N0} pages of {options.PageBytes:N0} bytes, batches of {options.Batch}, {options.Threads} threads, "
            + $"seed {options.Seed}");
        foreach (BorrowPhase phase in phases)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"{phase.Name,-5} {phase.Took.TotalSeconds:F1} s, {phase.Processor.TotalSeconds:F1} s of processor");
            if (phase.Counts.Put > 0)
            {
                text.AppendLine(CultureInfo.InvariantCulture,
                    $"  put {phase.PutRate,12:N0}/s stored     {phase.PutRateOfCore:N0} a second of processor, "
                    + $"{phase.Counts.NotStored:N0} not stored");
            }

            if (phase.Latencies.Count == 0) continue;
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  get {phase.GetRate,12:N0}/s verified   {phase.GetRateOfCore:N0} a second of processor, "
                + $"{phase.Counts.Wrong:N0} wrong, {phase.Counts.Missing:N0} missing, {phase.Counts.NoAnswer:N0} without answer");
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  a batch takes p50 {Micros(phase, 50)}, p90 {Micros(phase, 90)}, p99 {Micros(phase, 99)}, "
                + $"p99.9 {Micros(phase, 99.9)}, at most {phase.Latencies.Highest / 1000.0:N0} us");
        }

        AppendServers(text);
        text.AppendLine(load.Counts.Wrong == 0
            ? "every byte that came was right" : $"{load.Counts.Wrong:N0} PAGES WERE WRONG");
        writer.Write(text.ToString());
        writer.Flush();
    }

    /// <summary>Writes one line.</summary>
    public void WriteJson(IReadOnlyList<BorrowPhase> phases)
    {
        writer.WriteLine(JsonLine.Of(json =>
        {
            json.WriteNumber("pages", options.Pages);
            json.WriteNumber("pageBytes", options.PageBytes);
            json.WriteNumber("batch", options.Batch);
            json.WriteNumber("threads", options.Threads);
            json.WriteNumber("seed", options.Seed);
            json.WriteStartArray("phases");
            foreach (BorrowPhase phase in phases) WritePhase(json, phase);
            json.WriteEndArray();
            json.WriteStartArray("servers");
            foreach (ServerStatistics server in load.Servers) WriteServer(json, server);
            json.WriteEndArray();
            json.WriteNumber("wrong", load.Counts.Wrong);
        }));
        writer.Flush();
    }

    private static void WritePhase(Utf8JsonWriter json, BorrowPhase phase)
    {
        json.WriteStartObject();
        json.WriteString("name", phase.Name);
        json.WriteNumber("seconds", Math.Round(phase.Took.TotalSeconds, 3));
        json.WriteNumber("processorSeconds", Math.Round(phase.Processor.TotalSeconds, 3));
        json.WriteNumber("verifiedPerSecond", Math.Round(phase.GetRate));
        json.WriteNumber("storedPerSecond", Math.Round(phase.PutRate));
        json.WriteNumber("verified", phase.Counts.Verified);
        json.WriteNumber("wrong", phase.Counts.Wrong);
        json.WriteNumber("missing", phase.Counts.Missing);
        json.WriteNumber("noAnswer", phase.Counts.NoAnswer);
        json.WriteNumber("stored", phase.Counts.Stored);
        json.WriteNumber("notStored", phase.Counts.NotStored);
        if (phase.Latencies.Count > 0)
        {
            foreach ((string name, double percent) in s_percentiles)
                json.WriteNumber(name, phase.Latencies.Percentile(percent) / 1000.0);
            json.WriteNumber("maxMicros", phase.Latencies.Highest / 1000.0);
        }

        json.WriteEndObject();
    }

    private static readonly (string, double)[] s_percentiles =
        [("p50Micros", 50), ("p90Micros", 90), ("p99Micros", 99), ("p999Micros", 99.9)];

    private static void WriteServer(Utf8JsonWriter json, ServerStatistics server)
    {
        json.WriteStartObject();
        json.WriteString("address", server.Address.ToString());
        json.WriteString("state", server.State.ToString());
        json.WriteNumber("hits", server.Hits);
        json.WriteNumber("misses", server.Misses);
        json.WriteNumber("noAnswers", server.NoAnswers);
        json.WriteNumber("stored", server.Stored);
        json.WriteNumber("refused", server.Refused);
        json.WriteNumber("putsFailed", server.PutsFailed);
        json.WriteNumber("putsDropped", server.PutsDropped);
        json.WriteNumber("lateAnswers", server.LateAnswers);
        json.WriteNumber("outOfStep", server.OutOfStep);
        json.WriteNumber("connects", server.Connects);
        json.WriteNumber("losses", server.Losses);
        json.WriteNumber("suspensions", server.Suspensions);
        json.WriteNumber("pingMicros", Math.Round(server.PingAverage.TotalMicroseconds, 1));
        json.WriteNumber("deadlineMicros", Math.Round(server.Deadline.TotalMicroseconds, 1));
        json.WriteEndObject();
    }

    private static string Micros(BorrowPhase phase, double percent) =>
        (phase.Latencies.Percentile(percent) / 1000.0).ToString("N0", CultureInfo.InvariantCulture) + " us";

    private void AppendServers(StringBuilder text)
    {
        foreach (ServerStatistics server in load.Servers)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"{server.Address}  {server.State}  {server.Hits:N0} hits, {server.Stored:N0} stored, {server.Refused:N0} refused, "
                + $"{server.Suspensions} suspended, {server.Losses} lost, ping {server.PingAverage.TotalMicroseconds:N0} us, "
                + $"deadline {server.Deadline.TotalMilliseconds:N1} ms");
        }
    }
}
