// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The HTML report of the flipping study: for each model of placement the remedies side by side, memory over time,
/// STREAM, the pool, and migration; then copy against flip, every parameter, and what halving and doubling it does.
/// Reads no clock: the same results give the same bytes.
/// </summary>
public sealed record FlipReport
{
    /// <summary>The heading.</summary>
    public string Title { get; init; } = "Memory flipping on NUMA";

    /// <summary>The command that made the results, as it can be typed again.</summary>
    public required string CommandLine { get; init; }

    /// <summary>What made the report, for the last line; or nothing.</summary>
    public string MadeBy { get; init; } = "";

    /// <summary>The scenario.</summary>
    public required FlipScenario Scenario { get; init; }

    /// <summary>The runs; at least one.</summary>
    public required IReadOnlyList<FlipResult> Results { get; init; }

    /// <summary>What halving and doubling does; may be empty.</summary>
    public IReadOnlyList<FlipSensitivity> Sensitivity { get; init; } = [];

    /// <summary>Writes the page.</summary>
    public void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ReportPage.Write(writer, Title, WriteBody);
    }

    private void WriteBody(TextWriter writer)
    {
        writer.Write($"<h1>{Escape(Title)}</h1>\n<p class=\"lead\">A driver domain on node 0 flips received pages to guests "
            + "on other nodes; what goes back decides where their memory ends up.</p>\n");
        if (Results.Any(result => !result.Complete))
            writer.Write("<p class=\"notice\">Stopped before the end: the last run is cut short.</p>\n");
        writer.Write($"<pre>{Escape(CommandLine)}</pre>\n");
        foreach (IGrouping<PlacementModel, FlipResult> runs in Results.GroupBy(result => result.Placement))
            WritePlacement(writer, runs.Key, [.. runs]);
        WriteDelivery(writer);
        WriteParameters(writer);
        writer.Write("<footer>\n");
        foreach (string note in FlipText.Notes) writer.Write($"<p>{Escape(note)}.</p>\n");
        if (MadeBy.Length > 0) writer.Write($"<p>{Escape(MadeBy)}</p>\n");
        writer.Write("</footer>\n");
    }

    private static void WritePlacement(TextWriter writer, PlacementModel placement, FlipResult[] runs)
    {
        FlipResult first = runs[0];
        writer.Write($"<section>\n<h2>{Escape(FlipText.PlacementText(placement))}</h2>\n<dl>");
        Fact(writer, "Loaded guest", CurveText.Size(first.GuestFrames, FlipParameters.PageBytes));
        Fact(writer, "Packets", FlipText.Number(first.Packets));
        Fact(writer, "Virtual time", FlipText.Number(first.DurationNanos / 1e9) + " s");
        Fact(writer, "Seed", first.Seed.ToString(CultureInfo.InvariantCulture));
        writer.Write("</dl>\n<h3>Remedies</h3>\n");
        WriteTable(writer, FlipText.Columns, runs.Select(FlipText.Row));
        writer.Write("<dl>");
        foreach (FlipResult run in runs) Fact(writer, run.Remedy.Name, run.Remedy.Meaning, isSmall: true);
        writer.Write("</dl>\n");
        WriteNodes(writer, first);
        Figure(writer, "Remote memory of the loaded guest", "Part of its pages", runs, sample => sample.RemoteShare, Percent);
        writer.Write($"<h3>STREAM before and after, {Escape(first.Remedy.Name)}</h3>\n");
        WriteTable(writer, FlipText.StreamColumns, FlipText.StreamRows(first));
        FlipResult[] pools = [.. runs.Where(run => run.PoolFramesMax > 0)];
        if (pools.Length > 0)
        {
            Figure(writer, "Size of the exchange pool", "Frames", pools, sample => sample.PoolFrames, FlipText.Number);
            Figure(writer, "Frames of the pool that are out", "Frames", pools, sample => sample.PoolUsedFrames, FlipText.Number);
        }

        FlipResult[] movers = [.. runs.Where(run => run.Migrated > 0)];
        if (movers.Length > 0)
        {
            Figure(writer, "Pages brought home", "Pages", movers, sample => sample.MigratedPages, FlipText.Number);
            Figure(writer, "What the remedy costs", "Part of a processor", movers, sample => sample.RemedyShare, Percent);
        }

        writer.Write("</section>\n");
    }

    private static void WriteNodes(TextWriter writer, FlipResult run) => writer.Write(
        $"<h3>Memory of the guests by node, {Escape(run.Remedy.Name)}</h3>\n<figure>\n{NodesPlot(run)}</figure>\n");

    /// <summary>The slide's picture: where the memory of each guest is, over time, in a run.</summary>
    internal static string NodesPlot(FlipResult run)
    {
        SvgPlot plot = new($"Memory by node, {run.Remedy.Name}", "Seconds", "Part of a guest's pages")
        {
            LinearX = true,
            LimitY = 1,
            FormatY = Percent,
            FormatTickY = Percent,
        };
        int nodes = run.Samples[0].ShareOfNode.Length;
        foreach (int guest in run.Samples.Select(sample => sample.Guest).Distinct())
        {
            FlipSample[] own = [.. run.Samples.Where(sample => sample.Guest == guest)];
            for (int node = 0; node < nodes; node++)
            {
                int at = node;
                if (own.All(sample => sample.ShareOfNode[at] == 0)) continue;
                plot.Add(new PlotSeries($"guest {guest + 1} on node {node}", [.. own.Select(sample => new PlotPoint(
                    sample.AtNanos / 1e9, sample.ShareOfNode[at],
                    $"guest {guest + 1}, node {at}, {sample.AtNanos / 1e9:0} s: {Percent(sample.ShareOfNode[at])}"))]));
            }
        }

        return plot.RenderBoth();
    }

    private static void Figure(TextWriter writer, string title, string unit, IEnumerable<FlipResult> runs,
        Func<FlipSample, double> value, Func<double, string> format)
    {
        SvgPlot plot = new(title, "Seconds", unit) { LinearX = true, FormatY = format, FormatTickY = format };
        foreach (FlipResult run in runs)
        {
            int loaded = run.Samples.Max(sample => sample.Guest);
            plot.Add(new PlotSeries(run.Remedy.Name, [.. run.Samples.Where(sample => sample.Guest == loaded).Select(sample =>
                new PlotPoint(sample.AtNanos / 1e9, value(sample),
                    $"{run.Remedy.Name}, {sample.AtNanos / 1e9:0} s: {format(value(sample))}"))]));
        }

        writer.Write($"<h3>{Escape(title)}</h3>\n<figure>\n{plot.RenderBoth()}</figure>\n");
    }

    private void WriteDelivery(TextWriter writer)
    {
        DeliveryCosts costs = new(Scenario.Parameters);
        writer.Write("<section>\n<h2>Copy or flip?</h2>\n<p>The sources disagree: Xen went back to copying, the slides praise "
            + $"flipping. Here {Escape(FlipText.Crossover(costs.CrossoverBytes()))}.</p>\n<figure>\n{DeliveryPlot(costs)}</figure>\n</section>\n");
    }

    /// <summary>Throughput of both ways to deliver, by payload.</summary>
    internal static string DeliveryPlot(DeliveryCosts costs)
    {
        SvgPlot plot = new("Throughput of copy and flip by payload", "Payload in bytes", "Gb/s on one processor");
        IReadOnlyList<DeliveryPoint> points = costs.Points();
        plot.Add(new PlotSeries("copy", [.. points.Select(point =>
            new PlotPoint(point.Bytes, point.CopyGigabits, $"copy, {point.Bytes} B: {point.CopyGigabits:0.##} Gb/s"))]));
        plot.Add(new PlotSeries("flip", [.. points.Select(point =>
            new PlotPoint(point.Bytes, point.FlipGigabits, $"flip, {point.Bytes} B: {point.FlipGigabits:0.##} Gb/s"))]));
        return plot.RenderBoth();
    }

    private void WriteParameters(TextWriter writer)
    {
        writer.Write("<section>\n<h2>Parameters</h2>\n<p>Calibrated: chosen so that the naive run ends where the slides' did, so "
            + "that number is no prediction. Assumed: plausible, without a source.</p>\n");
        ParameterTable.WriteHtml(writer, Scenario.Parameters);
        if (Sensitivity.Count > 0)
        {
            writer.Write($"<h3>Each halved and doubled, at 1/{FlipStudy.SensitivityScale} of memory and time</h3>\n");
            WriteTable(writer, FlipText.SensitivityColumns, Sensitivity.Select(one => FlipText.SensitivityRow(
                one, one.Name.Length == 0 ? 0 : Scenario.Parameters.Value(one.Name))));
        }

        writer.Write("</section>\n");
    }

    private static void WriteTable(TextWriter writer, IEnumerable<string> columns, IEnumerable<string[]> rows)
    {
        writer.Write("<div class=\"scroll\"><table>\n<thead><tr>");
        foreach (string column in columns) writer.Write($"<th>{Escape(column)}</th>");
        writer.Write("</tr></thead>\n<tbody>\n");
        foreach (string[] row in rows)
            writer.Write("<tr>" + string.Concat(row.Select(cell => $"<td>{Escape(cell)}</td>")) + "</tr>\n");
        writer.Write("</tbody></table></div>\n");
    }

    private static void Fact(TextWriter writer, string name, string value, bool isSmall = false) =>
        writer.Write($"<div><dt>{Escape(name)}</dt><dd{(isSmall ? " style=\"font-size:13px;font-weight:400\"" : "")}>"
            + $"{Escape(value)}</dd></div>");

    private static string Percent(double share) => (share * 100).ToString("0.##", CultureInfo.InvariantCulture) + "%";

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
