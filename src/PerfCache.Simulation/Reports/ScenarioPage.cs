// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using PerfCache.Simulation.Machines;
using PerfCache.Simulation.Scenarios;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The HTML report of PUMA scenarios: for each its question, findings, tables, and the slides' kind of plots: the memory of
/// each machine by kind over time, its I/Os per second, the time of blocks of memory; suspended intervals are shaded.
/// </summary>
public sealed record ScenarioPage
{
    private const int PointsMax = 100;

    /// <summary>The command that made it, as it can be typed again.</summary>
    public required string CommandLine { get; init; }

    /// <summary>What made the report, for the last line; or nothing.</summary>
    public string MadeBy { get; init; } = "";

    /// <summary>The scenarios; at least one.</summary>
    public required IReadOnlyList<ScenarioReport> Reports { get; init; }

    /// <summary>Writes the page.</summary>
    public void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ReportPage.Write(writer, "PUMA in virtual time", WriteBody);
    }

    /// <summary>Writes the scenarios as sections, for a page of somebody else's.</summary>
    public void WriteSections(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        foreach (ScenarioReport report in Reports) WriteReport(writer, report);
    }

    private void WriteBody(TextWriter writer)
    {
        writer.Write("<h1>PUMA in virtual time</h1>\n<p class=\"lead\">Machines that lend page cache to one another.</p>\n");
        writer.Write($"<pre>{Escape(CommandLine)}</pre>\n");
        WriteSections(writer);
        writer.Write("<section>\n<h2>Parameters</h2>\n<p>What is assumed has no source: change it, or see the sensitivity.</p>\n");
        ParameterTable.WriteHtml(writer, Reports[0].Parameters);
        writer.Write("</section>\n<footer>");
        if (MadeBy.Length > 0) writer.Write($"<p>{Escape(MadeBy)}</p>");
        writer.Write("</footer>\n");
    }

    private static void WriteReport(TextWriter writer, ScenarioReport report)
    {
        writer.Write($"<section>\n<h2>{Escape(report.Scenario)}</h2>\n<p class=\"lead\">{Escape(report.Question)}</p>\n");
        foreach (string finding in report.Findings) writer.Write($"<p>{Escape(finding)}.</p>\n");
        foreach (ScenarioTable table in report.Tables) WriteTable(writer, table);
        foreach (MallocTimeline malloc in report.Mallocs.Where(one => one.Points.Count > 1)) WriteMalloc(writer, malloc);
        foreach (MachineTimeline timeline in report.Timelines.Where(one => one.Samples.Count > 1)) WriteTimeline(writer, timeline);
        writer.Write("</section>\n");
    }

    private static void WriteTable(TextWriter writer, ScenarioTable table)
    {
        writer.Write($"<h3>{Escape(table.Title)}</h3>\n<div class=\"scroll\"><table>\n<thead><tr>");
        foreach (ScenarioColumn column in table.Columns) writer.Write($"<th>{Escape(column.Heading)}</th>");
        writer.Write("</tr></thead>\n<tbody>\n");
        foreach (IReadOnlyList<object?> row in table.Rows)
        {
            writer.Write("<tr>");
            for (int i = 0; i < row.Count; i++)
                writer.Write($"<td>{Escape(ScenarioText.Cell(table.Columns[i], row[i]))}</td>");
            writer.Write("</tr>\n");
        }

        writer.Write("</tbody></table></div>\n");
    }

    private static void WriteMalloc(TextWriter writer, MallocTimeline malloc)
    {
        string title = $"Time of a block of 8 MiB: {malloc.Run}";
        SvgPlot plot = new(title, "Seconds", "Milliseconds") { LinearX = true };
        foreach (bool clean in (bool[])[true, false])
        {
            List<PlotPoint> points = [.. malloc.Points.Where(one => one.IsClean == clean).Select(one => new PlotPoint(
                one.Seconds, one.Milliseconds, Invariant($"{one.Seconds:0.0} s: {one.Milliseconds:0.000} ms")))];
            if (points.Count > 0) plot.Add(new PlotSeries(clean ? "blocks" : "back-off, swap", Thinned(points)));
        }

        writer.Write($"<h3>{Escape(title)}</h3>\n<figure>\n{plot.RenderBoth()}</figure>\n");
    }

    private static void WriteTimeline(TextWriter writer, MachineTimeline timeline)
    {
        string name = $"{timeline.Run}: {timeline.Machine}";
        SvgPlot memory = new($"Memory, {name}", "Seconds", "MiB") { LinearX = true };
        Add(memory, timeline, "programs", one => one.Programs);
        Add(memory, timeline, "own active", one => one.OwnActive);
        Add(memory, timeline, "own inactive", one => one.OwnInactive);
        Add(memory, timeline, "lent", one => one.Lent);
        Add(memory, timeline, "free", one => one.Free);
        Add(memory, timeline, "balloon", one => one.Balloon);
        Add(memory, timeline, "swapped", one => one.Swapped);
        foreach ((double from, double to) in timeline.Suspended)
            memory.Shade(from, to, Invariant($"lending suspended, {from:0.0} to {to:0.0} s"));
        writer.Write($"<h3>Memory by kind, {Escape(name)}</h3>\n<figure>\n{memory.RenderBoth()}</figure>\n");
        if (timeline.Samples.All(one => one.Done == 0)) return;
        SvgPlot speed = new($"I/Os per second, {name}", "Seconds", "I/Os per second") { LinearX = true };
        speed.Add(new PlotSeries("I/Os per second", Buckets(timeline)));
        foreach ((double from, double to) in timeline.Suspended)
            speed.Shade(from, to, Invariant($"lending suspended, {from:0.0} to {to:0.0} s"));
        writer.Write($"<h3>I/Os per second, {Escape(name)}</h3>\n<figure>\n{speed.RenderBoth()}</figure>\n");
    }

    /// <summary>A line for a kind of memory, unless the machine has none of it at any time.</summary>
    private static void Add(SvgPlot plot, MachineTimeline timeline, string name, Func<MachineSample, long> pages)
    {
        const double Mebibyte = 1 << 20;
        if (timeline.Samples.All(one => pages(one) == 0)) return;
        List<PlotPoint> points = [.. timeline.Samples.Select(one => new PlotPoint(
            one.Seconds, pages(one) * timeline.PageBytes / Mebibyte,
            Invariant($"{name} {pages(one) * timeline.PageBytes / Mebibyte:0} MiB, {one.Seconds:0} s")))];
        plot.Add(new PlotSeries(name, Thinned(points)));
    }

    /// <summary>I/Os per second, as means over as many samples as make a readable line.</summary>
    private static List<PlotPoint> Buckets(MachineTimeline timeline)
    {
        int size = Math.Max(1, (timeline.Samples.Count + PointsMax - 1) / PointsMax);
        List<PlotPoint> points = [];
        for (int i = 0; i + size <= timeline.Samples.Count; i += size)
        {
            // As many as the machines would do at scale 1.
            double scale = timeline.PageBytes / 4096 / timeline.IntervalSeconds;
            double mean = timeline.Samples.Skip(i).Take(size).Average(one => one.Done) * scale;
            double seconds = timeline.Samples[i + size - 1].Seconds;
            points.Add(new PlotPoint(seconds, mean, Invariant($"{mean:0} a second, {seconds:0} s")));
        }

        return points;
    }

    private static List<PlotPoint> Thinned(List<PlotPoint> points)
    {
        int step = Math.Max(1, (points.Count + PointsMax - 1) / PointsMax);
        return [.. points.Where((_, index) => index % step == 0 || index == points.Count - 1)];
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
