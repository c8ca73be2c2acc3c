// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The HTML report of a replay: for each trace its facts, a plot of miss ratio against cache size, the same
/// as a small table, and every count. It takes all it says from its input, reads no clock, and so gives the
/// same bytes for the same results.
/// </summary>
public sealed record ReplayReport
{
    private const string RatioFormat = "0.00";

    /// <summary>The heading.</summary>
    public string Title { get; init; } = "Page cache replay";

    /// <summary>The command that made the results, as it can be typed again.</summary>
    public required string CommandLine { get; init; }

    /// <summary>What made the report, and if wanted when, for the last line; or nothing.</summary>
    public string MadeBy { get; init; } = "";

    /// <summary>The results, in the order to show them.</summary>
    public required IReadOnlyList<ReplayResult> Results { get; init; }

    /// <summary>Writes the page.</summary>
    public void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ReportPage.Write(writer, Title, WriteBody);
    }

    private void WriteBody(TextWriter writer)
    {
        List<IGrouping<string, ReplayResult>> traces = [.. Results.GroupBy(result => result.Trace)];
        writer.Write($"<h1>{Escape(Title)}</h1>\n<p class=\"lead\">{Escape(Summary(traces))}</p>\n");
        if (Results.Any(result => !result.Complete))
            writer.Write("<p class=\"notice\">Stopped before the end: the counts cover the requests until then.</p>\n");
        writer.Write($"<pre>{Escape(CommandLine)}</pre>\n");
        foreach (IGrouping<string, ReplayResult> trace in traces)
        {
            List<ReplayResult> results = [.. trace];
            writer.Write($"<section>\n<h2>{Escape(trace.Key)}</h2>\n");
            WriteFacts(writer, results);
            writer.Write("<h3>Miss ratio by cache size</h3>\n<figure>\n");
            writer.Write(Plot(results));
            writer.Write("</figure>\n");
            WriteMatrix(writer, results);
            WriteTimeline(writer, results);
            WriteCounts(writer, results);
            writer.Write("</section>\n");
        }

        WriteFooter(writer);
    }

    private string Summary(List<IGrouping<string, ReplayResult>> traces)
    {
        int policies = Results.Select(result => result.Policy).Distinct().Count();
        int sizes = traces.Select(trace => trace.Select(result => result.Frames).Distinct().Count())
            .DefaultIfEmpty().Max();
        long requests = Results.Sum(result => result.Requests);
        return $"{Plural(traces.Count, "trace", "traces")}, "
            + $"{Plural(policies, "replacement policy", "replacement policies")} and "
            + $"{Plural(sizes, "cache size", "cache sizes")}: {Plural(Results.Count, "replay", "replays")} of "
            + $"{Number(requests)} requests in all.";
    }

    private static void WriteFacts(TextWriter writer, List<ReplayResult> results)
    {
        ReplayResult any = results[0];
        writer.Write("<dl>");
        WriteFact(writer, "Requests", Number(any.Requests));
        if (any.WarmupRequests > 0) WriteFact(writer, "Warm-up requests before", Number(any.WarmupRequests));
        WriteFact(writer, "Distinct pages", Number(any.DistinctPages));
        long all = any.Requests + any.WarmupRequests;
        WriteFact(writer, "Requests a page", Fixed(any.DistinctPages == 0 ? 0 : (double)all / any.DistinctPages, "0.0"));
        WriteFact(writer, "Unavoidable miss ratio",
            Ratio(any.Requests == 0 ? 0 : (double)any.CompulsoryMisses / any.Requests));
        writer.Write("</dl>\n");

        string winners = Winners(results);
        if (winners.Length > 0) writer.Write($"<p>Fewest misses: {Escape(winners)}.</p>\n");
    }

    /// <summary>
    /// Which policies miss least at which sizes; nothing where there is one policy or too much to say.
    /// </summary>
    private static string Winners(List<ReplayResult> results)
    {
        if (!results.Select(result => result.Policy).Distinct().Skip(1).Any()) return "";
        List<(string Names, long Frames)> best = [];
        foreach (var size in results.GroupBy(result => result.Frames).OrderBy(size => size.Key))
        {
            long fewest = size.Min(result => result.Misses);
            best.Add((string.Join(" and ", size.Where(result => result.Misses == fewest)
                .Select(result => result.Policy).Distinct()), size.Key));
        }

        List<IGrouping<string, long>> winners = [.. best.GroupBy(pair => pair.Names, pair => pair.Frames)];
        if (winners.Count == 1 && best.Count > 1) return winners[0].Key + " at every size";
        return winners.Count > 4 || best.Count > 12 ? "" : string.Join("; ",
            winners.Select(winner => $"{winner.Key} with {string.Join(", ", winner.Select(Number))} frames"));
    }

    private static void WriteFact(TextWriter writer, string name, string value) =>
        writer.Write($"<div><dt>{Escape(name)}</dt><dd>{Escape(value)}</dd></div>");

    /// <summary>Miss ratio against cache size, a line a policy; results of one trace.</summary>
    internal static string Plot(IReadOnlyList<ReplayResult> results)
    {
        long distinct = results[0].DistinctPages;
        SvgPlot plot = new($"Miss ratio by cache size, {results[0].Trace}", "Cache size in frames", "Miss ratio")
        {
            FormatY = Ratio,
            FormatTickY = value => Fixed(value * 100, "0.###") + "%",
            FormatXBelow = frames => Share((long)frames, distinct),
            LimitY = 1,
        };
        foreach (IGrouping<string, ReplayResult> policy in results.GroupBy(result => result.Policy))
        {
            plot.Add(new PlotSeries(policy.Key, [.. policy.DistinctBy(result => result.Frames)
                .OrderBy(result => result.Frames)
                .Select(result => new PlotPoint(result.Frames, result.MissRatio, $"{result.Policy}, "
                    + $"{Number(result.Frames)} frames ({Share(result.Frames, distinct)} of the pages): "
                    + $"{Ratio(result.MissRatio)}, {Number(result.Misses)} misses"))]));
        }

        return plot.RenderBoth();
    }

    /// <summary>The miss ratio over time of every policy, at the middle one of the sizes.</summary>
    private static void WriteTimeline(TextWriter writer, List<ReplayResult> results)
    {
        List<ReplayResult> timed = results.FindAll(result => result.Timeline?.Count > 1);
        if (timed.Count == 0) return;
        long[] sizes = [.. timed.Select(result => result.Frames).Distinct().Order()];
        long size = sizes[sizes.Length / 2];
        SvgPlot plot = new(
            $"Miss ratio over time at {Number(size)} frames, {results[0].Trace}", "Requests", "Miss ratio")
        {
            FormatY = Ratio,
            FormatTickY = value => Fixed(value * 100, "0.###") + "%",
            LimitY = 1,
            LinearX = true,
        };
        foreach (ReplayResult result in timed.Where(result => result.Frames == size).DistinctBy(result => result.Policy))
            plot.Add(new PlotSeries(result.Policy, TimePoints(result)));
        writer.Write($"<h3>Miss ratio over time, {Number(size)} frames</h3>\n<figure>\n");
        writer.Write(plot.RenderBoth());
        writer.Write("</figure>\n");
    }

    /// <summary>At most 128 points; more would not be told apart.</summary>
    private static List<PlotPoint> TimePoints(ReplayResult result)
    {
        const int PointsMax = 128;
        MissTimeline timeline = result.Timeline!;
        int windowsPerPoint = (timeline.Count + PointsMax - 1) / PointsMax;
        List<PlotPoint> points = [];
        for (int first = 0; first < timeline.Count; first += windowsPerPoint)
        {
            long requests = 0;
            long misses = 0;
            for (int i = first; i < Math.Min(first + windowsPerPoint, timeline.Count); i++)
            {
                requests += timeline.Requests(i);
                misses += timeline.Misses(i);
            }

            long end = timeline.Start(first) + requests;
            double ratio = (double)misses / requests;
            points.Add(new PlotPoint(end, ratio,
                $"{result.Policy}, requests {Number(timeline.Start(first))} to {Number(end)}: {Ratio(ratio)}"));
        }

        return points;
    }

    private static void WriteMatrix(TextWriter writer, List<ReplayResult> results)
    {
        long[] sizes = [.. results.Select(result => result.Frames).Distinct().Order()];
        if (sizes.Length == 1) return;
        Dictionary<long, long> fewest = results.GroupBy(result => result.Frames)
            .ToDictionary(size => size.Key, size => size.Min(result => result.Misses));
        writer.Write("<div class=\"scroll\"><table>\n<thead><tr><th>Frames</th>");
        foreach (long size in sizes)
            writer.Write($"<th>{Number(size)}<small>{Share(size, results[0].DistinctPages)}</small></th>");
        writer.Write("</tr></thead>\n<tbody>\n");
        bool hasRivals = results.Select(result => result.Policy).Distinct().Skip(1).Any();
        foreach (IGrouping<string, ReplayResult> policy in results.GroupBy(result => result.Policy))
        {
            writer.Write($"<tr><th>{Escape(policy.Key)}</th>");
            foreach (long size in sizes)
            {
                ReplayResult? cell = policy.FirstOrDefault(result => result.Frames == size);
                bool isBest = hasRivals && cell?.Misses == fewest[size];
                writer.Write(isBest ? "<td class=\"best\">" : "<td>");
                writer.Write($"{(cell is null ? "" : Ratio(cell.MissRatio))}</td>");
            }

            writer.Write("</tr>\n");
        }

        writer.Write("</tbody>\n</table></div>\n");
    }

    private static void WriteCounts(TextWriter writer, List<ReplayResult> results)
    {
        writer.Write("<h3>All counts</h3>\n<div class=\"scroll\"><table>\n<thead><tr><th>Policy</th><th>Frames</th>"
            + "<th>Miss ratio</th><th>Misses</th><th>Cold</th><th>Refaults</th><th>Activations</th>"
            + "<th>Deactivations</th><th>Evictions</th>"
            + (HasBytes(results) ? "<th>Byte<br>miss ratio</th>" : "")
            + "<th>Million<br>requests/s</th><th>Bytes<br>a frame</th></tr></thead>\n<tbody>\n");
        string before = "";
        foreach (ReplayResult result in results)
        {
            bool isFirst = result.Policy != before;
            before = result.Policy;
            writer.Write($"<tr class=\"{(isFirst ? "first" : "again")}\"><th>{Escape(result.Policy)}</th>"
                + $"<td>{Number(result.Frames)}</td><td>{Ratio(result.MissRatio)}</td>");
            long[] counts =
            [
                result.Misses, result.ColdMisses, result.Refaults, result.Activations, result.Deactivations,
                result.Evictions,
            ];
            foreach (long count in counts) writer.Write($"<td>{Number(count)}</td>");
            if (HasBytes(results))
                writer.Write($"<td>{(result.ByteMissRatio is double ratio ? Ratio(ratio) : "")}</td>");
            writer.Write($"<td>{Fixed(result.RequestsPerSecond / 1e6, "0.0")}</td>");
            writer.Write($"<td>{Fixed((double)result.NativeBytes / Math.Max(1, result.Frames), "N0")}</td></tr>\n");
        }

        writer.Write("</tbody>\n</table></div>\n");
        ReplayResult any = results[0];
        writer.Write("<p class=\"muted\">Reading and numbering the trace took "
            + $"{Fixed(any.ReadSeconds, "0.00")} s, shared by all rows; "
            + $"the largest page map held {Number(results.Max(result => result.MapBytes))} bytes.</p>\n");
    }

    private static bool HasBytes(List<ReplayResult> results) => results.Exists(result => result.RequestedBytes is not null);

    private void WriteFooter(TextWriter writer)
    {
        writer.Write("""
            <footer><dl>
            <dt>Miss ratio</dt><dd>Misses divided by requests. The unavoidable part is the first request of each
            page.</dd>
            <dt>Byte miss ratio</dt><dd>Bytes of the requests that missed, divided by those of all. Every object takes one
            frame, whatever its size.</dd>
            <dt>Cold misses and refaults</dt><dd>For linux policies a refault is a miss that finds the record of an
            earlier eviction, and every other miss is cold. For the others cold misses are first requests.</dd>
            <dt>Requests per second</dt><dd>The policy's own work, without reading the trace and numbering its
            pages.</dd>
            <dt>Bytes a frame</dt><dd>Frames, lists, index and the records of evicted pages, without page data, divided
            by the cache size. In a small cache the records of evicted pages weigh most.</dd>
            </dl>

            """);
        if (MadeBy.Length > 0) writer.Write($"<p>{Escape(MadeBy)}</p>");
        writer.Write("</footer>\n");
    }

    private static string Plural(int count, string one, string many) => $"{Number(count)} {(count == 1 ? one : many)}";

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Fixed(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Ratio(double value) => Fixed(value * 100, RatioFormat) + "%";

    /// <summary>A size as a share of the distinct pages, with about three digits.</summary>
    private static string Share(long frames, long distinctPages)
    {
        double percent = distinctPages == 0 ? 0 : 100.0 * frames / distinctPages;
        return Fixed(percent, percent >= 10 ? "0.#" : percent >= 0.1 ? "0.##" : "0.####") + "%";
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
