// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The report of the whole study as one page of HTML that needs no other file and no script: the summary first, then a
/// section a question, the parameters with their sources and what depends on them, and what ran where and how long. All
/// that it says comes from the parts; what is not finished is named and left out.
/// </summary>
public sealed record StudyReport
{
    private const string Prefix = "dotnet run -c Release --project src/PerfCache.Cli --";

    /// <summary>The heading.</summary>
    public string Title { get; init; } = "Page cache, lent memory and exchanged pages: the study";

    /// <summary>The command that made the report.</summary>
    public required string CommandLine { get; init; }

    /// <summary>The finished parts, in the order of the study.</summary>
    public required IReadOnlyList<StudyPart> Parts { get; init; }

    /// <summary>The names of the parts that are missing, because the study was stopped.</summary>
    public IReadOnlyList<string> Unfinished { get; init; } = [];

    /// <summary>Facts about the machine and the versions.</summary>
    public IReadOnlyList<(string Name, string Value)> Machine { get; init; } = [];

    /// <summary>Writes the page.</summary>
    public void Write(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ReportPage.Write(writer, Title, WriteBody);
    }

    private void WriteBody(TextWriter writer)
    {
        using StringWriter sections = new(CultureInfo.InvariantCulture);
        StudyWriter study = new(sections);
        WriteSections(study);

        writer.Write("<a class=\"skip\" href=\"#summary\">To the summary</a>\n");
        writer.Write($"<h1>{Escape(Title)}</h1>\n<p class=\"lead\">Measured and simulated on one machine, from one command.</p>\n");
        if (Unfinished.Count > 0)
        {
            writer.Write($"<p class=\"notice\" role=\"status\">Incomplete: the study was stopped. Missing are {Escape(string.Join(", ", Unfinished))}; "
                + "what is here is finished.</p>\n");
        }

        writer.Write($"<pre>{Escape(CommandLine)}</pre>\n<section id=\"summary\">\n<h2>In short</h2>\n<ul class=\"summary\">\n");
        foreach (string sentence in StudySummary.Sentences(Parts))
        {
            // What stands before the colon is what the sentence is about.
            int colon = sentence.IndexOf(':', StringComparison.Ordinal);
            writer.Write($"<li><strong>{Escape(sentence[..(colon + 1)])}</strong>{Escape(sentence[(colon + 1)..])}</li>\n");
        }

        writer.Write("</ul>\n<p class=\"muted\">PUMA and flipping are simulated in virtual time with the production cache and policies; "
            + "their costs are parameters, and those without a source are marked as assumed.</p>\n</section>\n");
        writer.Write("<nav aria-label=\"Contents\">\n<ol>\n");
        foreach ((string id, string title) in study.Sections) writer.Write($"<li><a href=\"#{id}\">{Escape(title)}</a></li>\n");
        writer.Write("</ol>\n</nav>\n");
        writer.Write(sections.ToString());
        WriteFooter(writer);
    }

    private void WriteSections(StudyWriter study)
    {
        StudyPart[] main = [.. Parts.Where(part => !part.IsSensitivity)];
        StudyPart[] replays = [.. main.Where(part => part.Replays.Count > 0)];
        StudyPart[] curves = [.. main.Where(part => part.Curves.Count > 0)];
        if (replays.Length > 0) StudyFigures.WriteReplays(study, replays);
        if (curves.Length > 0) StudyFigures.WriteCurves(study, curves);
        foreach (StudyPart part in main)
            foreach (Scenarios.ScenarioReport report in part.Scenarios) StudyPumaFigures.Write(study, part, report);
        StudyFigures.WriteFlips(study, main);
        if (main.FirstOrDefault(part => part.Flipping is not null) is { } flip) StudyFigures.WriteDelivery(study, flip);
        if (Parts.Any(part => part.Scenarios.Count > 0 || part.Flipping is not null)) StudySensitivity.Write(study, Parts);
        study.Section("machine", "Machine, versions and commands",
            "What ran where. In a clone of the repository, perfcache is: " + Prefix, () =>
            {
                study.Table("The machine", ["what|", "which|"], Machine.Select(fact => (string[])[fact.Name, fact.Value]));
                study.Table("The parts of the study; several ran side by side", ["part|", "seconds", "command|"],
                    Parts.Select(part => (string[])
                    [part.Name, part.Seconds.ToString("0.0", CultureInfo.InvariantCulture), part.CommandLine]));
            });
    }

    private static void WriteFooter(TextWriter writer) => writer.Write("""
        <footer>
        <p>Click a command to select it whole. Tables that are wider than the page can be scrolled, with the arrow keys too.</p>
        <p>Every figure comes from the command below it, and this command prints the same numbers with <code>--json</code>.</p>
        </footer>

        """);

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
