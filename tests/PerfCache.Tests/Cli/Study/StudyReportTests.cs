// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PerfCache.Tests.Cli.Study;

/// <summary>
/// The structure of the study's report, where no browser is needed: well formed, self-contained, every plot and table named,
/// every number of the summary out of the results. How it looks is <see cref="StudyBrowserTests"/>' business.
/// </summary>
[TestFixture]
internal sealed class StudyReportTests
{
    private static XElement Body
    {
        get
        {
            string html = StudyReportFile.Html;
            int from = html.IndexOf("<main>", StringComparison.Ordinal);
            return XElement.Parse(html[from..html.IndexOf("</body>", StringComparison.Ordinal)]);
        }
    }

    [Test]
    public void NothingOutsideTheFileIsReferredTo()
    {
        Assert.That(StudyReportFile.Html, Does.Not.Contain("http").And.Not.Contain("url(").And.Not.Contain("@import")
            .And.Not.Contain("<script").And.Not.Contain("<link").And.Not.Contain("<img"));
        Assert.That(Body.Descendants("a").Select(link => (string?)link.Attribute("href")), Has.All.StartsWith("#"));
    }

    [Test]
    public void EveryIdIsThereOnceAndEveryLinkLeadsToOne()
    {
        string[] ids = [.. Body.DescendantsAndSelf().Select(one => (string?)one.Attribute("id")).OfType<string>()];
        Assert.That(ids, Is.Unique);
        Assert.That(Body.Descendants("a").Select(link => ((string)link.Attribute("href")!)[1..]), Is.SubsetOf(ids));
    }

    [Test]
    public void EveryPlotHasANameACaptionACommandAndBothWidths()
    {
        XElement[] figures = [.. Body.Descendants("figure")];
        Assert.That(figures, Has.Length.GreaterThan(25));
        foreach (XElement figure in figures)
        {
            string title = figure.Element("h3")!.Value;
            XElement[] plots = [.. figure.Elements("svg")];
            Assert.That(plots.Select(plot => (string?)plot.Attribute("class")),
                Is.EqualTo(new[] { "plot wide", "plot narrow" }), title);
            Assert.That(plots.Select(plot => (string?)plot.Attribute("role")), Has.All.EqualTo("img"), title);
            Assert.That(plots.Select(plot => (string?)plot.Attribute("aria-label")), Has.All.Not.Empty, title);
            Assert.That(plots.Select(plot => plot.Attribute("width")), Has.All.Null, "the width follows the page");
            Assert.That(plots.Select(plot => plot.Elements("text").Count(text => (string?)text.Attribute("class") == "axis")),
                Has.All.GreaterThanOrEqualTo(1), title);
            Assert.That(figure.Element("figcaption")!.Value, Is.Not.Empty, title);
            // What a pointer shows on a wide page is a list on a narrow one.
            string[] values = [.. figure.Elements("details").Descendants("li").Select(item => item.Value)];
            Assert.That(values, Is.SubsetOf(plots[0].Descendants("title").Select(tip => tip.Value)), title);
            bool drawsValues = plots[1].Descendants("text").Any(text => (string?)text.Attribute("class") == "value");
            Assert.That(values, drawsValues ? Is.Empty : Is.Not.Empty, title);
            Assert.That(figure.Element("code")!.Value, Does.StartWith("perfcache "), title);
        }

        Assert.That(figures.Select(figure => figure.Element("h3")!.Value), Is.Unique);
    }

    [Test]
    public void EveryTableHasACaptionHeadingsWithAScopeAndCanBeScrolledByKeys()
    {
        XElement[] tables = [.. Body.Descendants("table")];
        Assert.That(tables, Has.Length.GreaterThan(15));
        foreach (XElement table in tables)
        {
            string caption = table.Element("caption")!.Value;
            Assert.That(caption, Does.StartWith("Table "));
            XElement[] headings = [.. table.Element("thead")!.Descendants("th")];
            Assert.That(headings.Select(heading => (string?)heading.Attribute("scope")), Has.All.EqualTo("col"), caption);
            foreach (XElement row in table.Element("tbody")!.Elements("tr"))
                Assert.That(row.Elements().Count(), Is.EqualTo(headings.Length), caption);
            Assert.That((string?)table.Parent!.Attribute("tabindex"), Is.EqualTo("0"), caption);
            Assert.That((string?)table.Parent!.Attribute("aria-label"), Is.Not.Empty, caption);
        }
    }

    [Test]
    public void TheLinesOfAPlotAreToldApartByMoreThanColour()
    {
        foreach (XElement plot in Body.Descendants("svg").Where(plot => (string?)plot.Attribute("class") == "plot narrow"))
        {
            string[] marks = [.. plot.Elements("g").Where(line =>
                line.Elements("path").Any(path => (string?)path.Attribute("class") == "line")
                    && line.Elements("text").Any())
                .Select(line => (string)line.Elements("path").Last().Attribute("d")!)];
            Assert.That(marks.Take(7), Is.Unique, (string)plot.Attribute("aria-label")!);
        }
    }

    [Test]
    public void ParametersHaveSourcesAndAssumedOnesAreMarked()
    {
        XElement section = Body.Elements("section").Single(one => (string?)one.Attribute("id") == "parameters");
        string[] origins = [.. section.Descendants("tr").Select(row =>
            row.Elements("td").ElementAtOrDefault(2)?.Value).OfType<string>()];
        Assert.That(origins, Has.Some.EqualTo("assumed").And.Some.EqualTo("published").And.Some.EqualTo("calibrated"));
        Assert.That(section.Value, Does.Contain("reclaim-ns (assumed)").And.Contain("halved").And.Contain("doubled"));
    }

    /// <summary>Method: each number of the summary's sentences on PUMA is looked up in the lines of the study.</summary>
    [Test]
    public void TheSummarysNumbersAreTheResults()
    {
        string summary = Body.Elements("section").Single(one => (string?)one.Attribute("id") == "summary").Value;
        Dictionary<string, JsonElement> runs = [];
        foreach (string line in StudyReportFile.Lines.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            JsonElement json = JsonDocument.Parse(line).RootElement;
            if (json.TryGetProperty("kind", out JsonElement kind) && json.TryGetProperty("run", out JsonElement run))
                runs.TryAdd($"{kind.GetString()}/{run.GetString()}", json);
        }

        string Number(string row, string column, double factor, string format) =>
            (runs[row].GetProperty(column).GetDouble() * factor).ToString(format, CultureInfo.InvariantCulture);
        Assert.That(summary, Does.Contain(Number("malloc/ballooning", "slowdown", 1, "0.##") + " times as long"));
        Assert.That(summary, Does.Contain(Number("malloc/PUMA, own reclaim only", "slowdown", 1, "0.##") + " times if"));
        Assert.That(summary, Does.Contain($"gets {Number("borrowerResumes/forced", "lentShare", 100, "0.#")} % of the idle memory"));
        Assert.That(Regex.Count(summary, @"\d"), Is.GreaterThan(30));
        Assert.That(summary, Does.Not.Contain("NaN").And.Not.Contain("Infinity").And.Not.Contain("∞"));
    }

    [Test]
    public void TheMachineAndTheVersionsAreNamed()
    {
        string machine = Body.Elements("section").Single(one => (string?)one.Attribute("id") == "machine").Value;
        Assert.That(machine, Does.Contain("perfcache 0").Or.Contain("perfcache 1"));
        Assert.That(machine, Does.Contain(".NET").And.Contain("processors in use"));
    }
}
