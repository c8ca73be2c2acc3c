// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using PerfCache.Simulation.Curves;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The HTML report of the curves of one trace: facts, what they suggest, the plot, and every point. It takes all it says
/// from its input, reads no clock, and so gives the same bytes for the same curves.
/// </summary>
public sealed record CurveReport
{
    /// <summary>The heading.</summary>
    public string Title { get; init; } = "Miss ratio curves";

    /// <summary>The command that made the curves, as it can be typed again.</summary>
    public required string CommandLine { get; init; }

    /// <summary>What made the report, for the last line; or nothing.</summary>
    public string MadeBy { get; init; } = "";

    /// <summary>Bytes of a page.</summary>
    public required int PageBytes { get; init; }

    /// <summary>The curves of one trace at the same sizes, in the order to show them; at least one.</summary>
    public required IReadOnlyList<MissRatioCurve> Curves { get; init; }

    /// <summary>Writes the page.</summary>
    public void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ReportPage.Write(writer, Title, WriteBody);
    }

    private void WriteBody(TextWriter writer)
    {
        MissRatioCurve first = Curves[0];
        writer.Write($"<h1>{Escape(Title)}</h1>\n<p class=\"lead\">How many requests miss with how much cache, by "
            + $"{Escape(string.Join(", ", Curves.Select(curve => curve.Policy)))}.</p>\n");
        if (Curves.Any(curve => !curve.Complete))
            writer.Write("<p class=\"notice\">Stopped before the end: the curves cover the requests until then.</p>\n");
        writer.Write($"<pre>{Escape(CommandLine)}</pre>\n<section>\n<h2>{Escape(first.Trace)}</h2>\n<dl>");
        WriteFact(writer, "Requests", Number(first.Requests));
        WriteFact(writer, first.SampleRate < 1 ? "Distinct pages, about" : "Distinct pages", Number(first.DistinctPages));
        WriteFact(writer, "All pages", CurveText.Size(first.DistinctPages, PageBytes));
        WriteFact(writer, "Page", Number(PageBytes) + " bytes");
        if (first.SampleRate < 1)
            WriteFact(writer, "Sample", first.SampleRate.ToString("G3", CultureInfo.InvariantCulture));
        writer.Write("</dl>\n");
        foreach (string sentence in Curves.SelectMany(curve => CurveText.Sentences(curve, PageBytes)))
            writer.Write($"<p>{Escape(sentence)}.</p>\n");
        writer.Write($"<h3>Miss ratio by cache size</h3>\n<figure>\n{Plot(Curves, PageBytes)}</figure>\n");
        WriteTable(writer);
        writer.Write("</section>\n");
        WriteFooter(writer);
    }

    /// <summary>Miss ratio against cache size, a line a policy; curves of one trace.</summary>
    internal static string Plot(IReadOnlyList<MissRatioCurve> curves, int pageBytes)
    {
        SvgPlot plot = new($"Miss ratio by cache size, {curves[0].Trace}", "Cache size in frames", "Miss ratio")
        {
            FormatY = Ratio,
            FormatTickY = value => (value * 100).ToString("0.###", CultureInfo.InvariantCulture) + "%",
            FormatXBelow = frames => CurveText.Size((long)frames, pageBytes),
            LimitY = 1,
        };
        foreach (MissRatioCurve curve in curves)
        {
            plot.Add(new PlotSeries(curve.Policy, [.. curve.Points.Select(point => new PlotPoint(
                point.Frames, point.MissRatio, $"{curve.Policy}, {Number(point.Frames)} frames "
                    + $"({CurveText.Size(point.Frames, pageBytes)}): {Ratio(point.MissRatio)}"))]));
        }

        return plot.RenderBoth();
    }

    private void WriteTable(TextWriter writer)
    {
        writer.Write("<h3>All points</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th>Frames</th><th>Size</th>");
        foreach (MissRatioCurve curve in Curves) writer.Write($"<th>{Escape(curve.Policy)}</th>");
        writer.Write("</tr></thead>\n<tbody>\n");
        for (int i = 0; i < Curves[0].Points.Count; i++)
        {
            long frames = Curves[0].Points[i].Frames;
            writer.Write($"<tr><th>{Number(frames)}</th><td>{CurveText.Size(frames, PageBytes)}</td>");
            foreach (MissRatioCurve curve in Curves) writer.Write($"<td>{Ratio(curve.Points[i].MissRatio)}</td>");
            writer.Write("</tr>\n");
        }

        writer.Write("</tbody>\n</table></div>\n");
    }

    private void WriteFooter(TextWriter writer)
    {
        writer.Write("""
            <footer><dl>
            <dt>Knee</dt><dd>The size whose share of the reachable hits exceeds its share of the largest size by most.
            Reachable are the hits of the largest size.</dd>
            <dt>Sample</dt><dd>The part of the pages whose requests were looked at. Caches that hold few pages of the
            sample are known least.</dd>
            <dt>Mean absolute error</dt><dd>Over all sizes: 100 of them, spread evenly up to the largest. In percentage
            points of the miss ratio.</dd>
            </dl>

            """);
        if (MadeBy.Length > 0) writer.Write($"<p>{Escape(MadeBy)}</p>");
        writer.Write("</footer>\n");
    }

    private static void WriteFact(TextWriter writer, string name, string value) =>
        writer.Write($"<div><dt>{Escape(name)}</dt><dd>{Escape(value)}</dd></div>");

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Ratio(double value) => (value * 100).ToString("0.00", CultureInfo.InvariantCulture) + "%";

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
