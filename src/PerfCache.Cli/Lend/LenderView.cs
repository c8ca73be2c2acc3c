// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Text;
using PerfCache.Remote;
using PerfCache.Simulation.Reports;

namespace PerfCache.Cli.Lend;

/// <summary>A lender's statistics as a line of JSON, or as a picture that is drawn over the last one.</summary>
internal sealed class LenderView(TextWriter writer, LenderOptions options, Lender lender, bool isTerminal)
{
    private const int BarWidth = 40;
    private const string ClearScreen = "\u001b[H\u001b[2J";

    private LenderStatistics _last = new();
    private long _lastStamp = Stopwatch.GetTimestamp();

    /// <summary>Writes one line.</summary>
    public void WriteJson()
    {
        LenderStatistics now = lender.Statistics;
        writer.WriteLine(JsonLine.Of(json =>
        {
            json.WriteString("time", DateTimeOffset.UtcNow.ToString("o", CultureInfo.InvariantCulture));
            json.WriteNumber("memoryBytes", options.MemoryBytes);
            json.WriteNumber("lentBytes", now.LentBytes);
            json.WriteNumber("withdrawnBytes", now.WithdrawnBytes);
            json.WriteNumber("items", now.Items);
            json.WriteNumber("valueBytes", now.ValueBytes);
            json.WriteNumber("takenFrames", now.TakenFrames);
            json.WriteNumber("takenItems", now.TakenItems);
            json.WriteNumber("evicted", now.Evicted);
            json.WriteNumber("connections", now.Connections);
            json.WriteNumber("gets", now.Gets);
            json.WriteNumber("getHits", now.GetHits);
            json.WriteNumber("sets", now.Sets);
            json.WriteNumber("refused", now.Refused);
            json.WriteNumber("suspensions", now.Suspensions);
            json.WriteBoolean("suspended", now.SuspendedFor is not null);
            json.WriteNumber("suspendedSeconds", Math.Round(now.SuspendedFor?.TotalSeconds ?? 0, 3));
            json.WriteString("reason", now.Reason.ToString());
        }));
        writer.Flush();
    }

    /// <summary>Draws the picture.</summary>
    public void Draw()
    {
        LenderStatistics now = lender.Statistics;
        double seconds = Stopwatch.GetElapsedTime(_lastStamp).TotalSeconds;
        StringBuilder text = new(isTerminal ? ClearScreen : "");
        text.AppendLine(CultureInfo.InvariantCulture, $"perfcache lend   {string.Join("  ", lender.Addresses)}");
        text.AppendLine();
        double share = Math.Clamp((double)now.LentBytes / options.MemoryBytes, 0, 1);
        int filled = (int)Math.Round(share * BarWidth);
        text.AppendLine(CultureInfo.InvariantCulture,
            $"lent       [{new string('#', filled)}{new string('.', BarWidth - filled)}] {Mebibytes(now.LentBytes)} of {Mebibytes(options.MemoryBytes)}");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"taken back {now.TakenFrames:N0} pages by the system, {Mebibytes(now.WithdrawnBytes)} given back");
        text.AppendLine(CultureInfo.InvariantCulture,
            $"items      {now.Items:N0} with {Mebibytes(now.ValueBytes)}; {now.Evicted:N0} evicted, {now.TakenItems:N0} lost");
        long gets = now.Gets - _last.Gets;
        double hits = gets == 0 ? 0 : 100.0 * (now.GetHits - _last.GetHits) / gets;
        text.AppendLine(CultureInfo.InvariantCulture,
            $"gets       {gets / seconds:N0}/s, {hits:F1}% hits; sets {(now.Sets - _last.Sets) / seconds:N0}/s, {now.Refused:N0} refused");
        text.AppendLine(CultureInfo.InvariantCulture, $"clients    {now.Connections:N0}");
        text.AppendLine(now.SuspendedFor is { } since
            ? string.Create(CultureInfo.InvariantCulture, $"SUSPENDED  for {since.TotalSeconds:F1} s: {now.Reason}")
            : string.Create(CultureInfo.InvariantCulture,
                $"lending    suspended {now.Suspensions} times so far{(now.Suspensions > 0 ? $", last for {now.Reason}" : "")}"));
        writer.Write(text.ToString());
        writer.Flush();
        _last = now;
        _lastStamp = Stopwatch.GetTimestamp();
    }

    private static string Mebibytes(long bytes) =>
        (bytes / 1048576.0).ToString("N0", CultureInfo.InvariantCulture) + " MiB";
}
