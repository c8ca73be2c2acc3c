// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Reports;

namespace PerfCache.Tests.Simulation.Reports;

/// <summary>JSON lines, comma-separated values and the HTML report of made-up results.</summary>
public sealed class ReportTests
{
    private static ReplayResult Result(string trace, string policy, long frames, long misses, bool complete = true) => new()
    {
        Trace = trace,
        Policy = policy,
        Frames = frames,
        Requests = 1000,
        Misses = misses,
        DistinctPages = 100,
        CompulsoryMisses = 100,
        ColdMisses = 101,
        Refaults = misses - 101,
        Activations = 7,
        Deactivations = 8,
        Evictions = 9,
        Seconds = 0.5,
        ReadSeconds = 0.25,
        NativeBytes = 4000,
        MapBytes = 2400,
        Complete = complete,
    };

    private static string Csv(params ReplayResult[] results)
    {
        using StringWriter writer = new();
        CsvTable.Write(writer, results);
        return writer.ToString();
    }

    private static string Html(params ReplayResult[] results)
    {
        using StringWriter writer = new();
        new ReplayReport { CommandLine = "perfcache replay a<b", Results = results, MadeBy = "made & by" }.Write(writer);
        return writer.ToString();
    }

    [Test]
    public void A_json_line_has_exactly_the_names_of_the_contract_in_order()
    {
        Assert.That(JsonLines.Format(Result("a \"b\" <ü>", "lru", 10, 300)), Is.EqualTo(
            """
            {"trace":"a \"b\" <ü>","policy":"lru","frames":10,"requests":1000,"misses":300,"missRatio":0.3,
            "compulsoryMisses":100,"coldMisses":101,"refaults":199,"activations":7,"deactivations":8,"evictions":9,
            "seconds":0.5,"readSeconds":0.25,"requestsPerSecond":2000,"nativeBytes":4000,"mapBytes":2400,"shadowBytes":0}
            """.Replace("\n", "", StringComparison.Ordinal)));
    }

    [Test]
    public void Only_an_incomplete_result_says_so()
    {
        using JsonDocument json = JsonDocument.Parse(JsonLines.Format(Result("a", "lru", 10, 300, complete: false)));
        Assert.That(json.RootElement.GetProperty("complete").GetBoolean(), Is.False);
        Assert.That(Csv(Result("a", "lru", 10, 300)), Does.Not.Contain("complete"));
        string[] lines = Csv(Result("a", "lru", 10, 300), Result("a", "lru", 10, 300, complete: false)).Split("\r\n");
        Assert.That(lines.Select(line => line.Split(',')[^1]), Is.EqualTo(new[] { "complete", "true", "false", "" }));
    }

    [Test]
    public void The_csv_header_is_the_json_names()
    {
        using JsonDocument json = JsonDocument.Parse(JsonLines.Format(Result("a", "lru", 10, 300)));
        Assert.That(CsvTable.Names, Is.EqualTo(json.RootElement.EnumerateObject().Select(property => property.Name)));
    }

    [Test]
    public void Csv_quotes_only_what_needs_it() =>
        Assert.That(Csv(Result("zipf:a=1,b=2", "say \"lru\"", 10, 300)).Split("\r\n")[1], Is.EqualTo(
            "\"zipf:a=1,b=2\",\"say \"\"lru\"\"\",10,1000,300,0.3,100,101,199,7,8,9,0.5,0.25,2000,4000,2400,0"));

    [Test]
    public void The_report_escapes_names_and_refers_to_nothing_outside()
    {
        string html = Html(Result("<script>x</script>", "lru&\"co\"", 10, 300), Result("<script>x</script>", "fifo", 10, 400));
        Assert.That(html, Does.Not.Contain("<script").And.Not.Contain("http").And.Not.Contain("url(").And.Not.Contain("@import"));
        Assert.That(html, Does.Contain("&lt;script&gt;x&lt;/script&gt;").And.Contain("lru&amp;&quot;co&quot;"));
        Assert.That(html, Does.Contain("perfcache replay a&lt;b").And.Contain("made &amp; by"));
    }

    [Test]
    public void The_same_results_give_the_same_bytes_and_the_parts_that_xml_can_read()
    {
        ReplayResult[] results = [Result("a", "lru", 10, 300), Result("a", "lru", 500, 200), Result("a", "fifo", 10, 301)];
        string html = Html(results);
        Assert.That(Html(results), Is.EqualTo(html));
        string body = html[html.IndexOf("<main>", StringComparison.Ordinal)..html.IndexOf("</body>", StringComparison.Ordinal)];
        XElement main = XElement.Parse(body.Replace("<br>", "", StringComparison.Ordinal));
        Assert.That(main.Descendants("svg").Select(svg => (string?)svg.Attribute("class")),
            Is.EqualTo(new[] { "plot wide", "plot narrow" }), "one plot, drawn for both");
        Assert.That(main.Descendants("tr").Count(), Is.EqualTo(1 + 2 + 1 + 3));
    }

    [Test]
    public void The_report_says_who_misses_least_and_that_a_run_was_stopped()
    {
        string html = Html(Result("a", "lru", 10, 300, complete: false), Result("a", "lru", 500, 200),
            Result("a", "fifo", 10, 299), Result("a", "fifo", 500, 201));
        Assert.That(html, Does.Contain("Fewest misses: fifo with 10 frames; lru with 500 frames."));
        Assert.That(html, Does.Contain("Stopped before the end"));
        Assert.That(Html(Result("a", "lru", 10, 300)), Does.Not.Contain("Fewest").And.Not.Contain("Stopped"));
    }

    [Test]
    public void A_report_without_results_is_still_a_page() => Assert.That(Html(), Does.Contain("0 traces"));

    [Test]
    public void Labels_at_the_ends_of_lines_never_overlap([Values(2, 7, 13, 20)] int count, [Values(0.0, 0.001, 0.05)] double apart)
    {
        SvgPlot plot = new("t", "x", "y") { LimitY = 1 };
        for (int i = 0; i < count; i++)
            plot.Add(new PlotSeries($"policy {i}", [new(10, 0.5, ""), new(1000, 0.1 + (apart * i), "")]));
        double[] places = [.. Regex.Matches(plot.Render(), "class=\"name\" x=\"[0-9.]+\" y=\"([0-9.]+)\"")
            .Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).Order()];
        Assert.That(places, Has.Length.EqualTo(count));
        for (int i = 1; i < count; i++) Assert.That(places[i] - places[i - 1], Is.GreaterThan(16.8));
        Assert.That(places[0], Is.GreaterThan(10));
        Assert.That(places[^1], Is.LessThan(420));
    }

    [Test]
    public void A_wide_range_of_sizes_is_logarithmic_and_a_single_size_is_bars()
    {
        static string Plot(params double[] xs)
        {
            SvgPlot plot = new("t", "size", "ratio");
            plot.Add(new PlotSeries("lru", [.. xs.Select(x => new PlotPoint(x, 0.5, $"at {x}"))]));
            return plot.Render();
        }

        Assert.That(Plot(10, 1000), Does.Contain("size, logarithmic").And.Contain("<title>at 1000</title>"));
        Assert.That(Plot(10, 20), Does.Not.Contain("logarithmic").And.Contain("class=\"line\""));
        Assert.That(Plot(10), Does.Contain("class=\"bar\"").And.Not.Contain("class=\"line\""));
        Assert.That(Plot(), Is.Empty);
    }
}
