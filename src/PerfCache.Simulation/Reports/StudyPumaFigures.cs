// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Machines;
using PerfCache.Simulation.Scenarios;

namespace PerfCache.Simulation.Reports;

/// <summary>The study's sections on PUMA: for each of the slides' problems a question, the slides' kind of plots, a
/// table.</summary>
internal static class StudyPumaFigures
{
    private const int PointsMax = 60;
    private const double Mebibyte = 1 << 20;

    /// <summary>Writes the section of a scenario.</summary>
    public static void Write(StudyWriter writer, StudyPart part, ScenarioReport report)
    {
        string title = report.Scenario switch
        {
            "malloc" => "PUMA 1: the server needs its memory",
            "lender-resumes" => "PUMA 2: the lender comes back to work",
            "borrower-resumes" => "PUMA 3: the lender has stopped",
            "concurrent" => "PUMA 4: both work at the same time",
            "gain" => "PUMA: what the borrower gains",
            _ => report.Scenario,
        };
        writer.Section("puma-" + report.Scenario, title, report.Question, () =>
        {
            switch (report.Scenario)
            {
                case "malloc": WriteMalloc(writer, part, report); break;
                case "lender-resumes": WriteLenderResumes(writer, part, report); break;
                case "borrower-resumes": WriteBorrowerResumes(writer, part, report); break;
                case "concurrent": WriteConcurrent(writer, part, report); break;
                case "gain": WriteGain(writer, part, report); break;
            }

            foreach (ScenarioTable table in report.Tables) WriteTable(writer, table, part.CommandLine);
            // The gain's findings repeat its table row by row.
            if (report.Scenario != "gain") writer.Paragraphs(report.Findings.Select(finding => finding + "."));
        });
    }

    private static void WriteMalloc(StudyWriter writer, StudyPart part, ScenarioReport report)
    {
        ScenarioTable table = report.Tables[0];
        int at = table.Columns.Index().First(column => column.Item.Name == "milliseconds").Index;
        SvgPlot bars = new("Time to allocate a block of 8 MiB, by where the memory comes from", "", "Milliseconds");
        foreach (IReadOnlyList<object?> row in table.Rows.Where(row => Equals(row[0], table.Rows[0][0])))
        {
            if (row[at] is not double milliseconds || !double.IsFinite(milliseconds)) continue;
            bars.Add(new PlotSeries((string)row[1]!,
                [new PlotPoint(1, milliseconds, Invariant($"{row[1]}: {milliseconds:0.000} ms"))]));
        }

        writer.Figure("Time to allocate a block of 8 MiB, by where the memory comes from", bars.RenderBoth(),
            "The reference is free memory. Blocks that met a rest of the balloon or swap are left out here and counted in the table.",
            part.CommandLine);
        WriteLongRun(writer, part, report);
        foreach ((string run, string machine, string who) in new[]
            { ("PUMA, long", "lender", "with lent memory"),
                (CrashScenario.Steps + ", long", "server", "with ballooning by pressure") })
        {
            if (Find(report, run, machine) is not { } timeline) continue;
            writer.Figure($"The server's memory over time, {who}",
                MemoryPlot($"The server's memory over time, {who}", timeline),
                "The program begins to allocate at 420 s and ends after its last block.", part.CommandLine);
        }
    }

    private static void WriteLongRun(StudyWriter writer, StudyPart part, ScenarioReport report)
    {
        const string Title = "Each block's time while the server allocates nearly all its memory";
        (string Run, string Name)[] runs =
            [(CrashScenario.Steps + ", long", "ballooning by pressure"),
                (CrashScenario.Goal + ", long", "ballooning by a goal"), ("PUMA, long", "lent memory")];
        SvgPlot blocks = new(Title, "Seconds", "Milliseconds a block") { LinearX = true };
        SvgPlot speed = new("The neighbour's speed over time", "Seconds", "I/Os per second") { LinearX = true };
        foreach ((string run, string name) in runs)
        {
            if (report.Mallocs.FirstOrDefault(one => one.Run == run) is { Points.Count: > 0 } malloc)
                blocks.Add(new PlotSeries(name,
                    Bucketed(malloc.Points, one => one.Seconds, points => points.Max(one => one.Milliseconds),
                    (seconds, value) => Invariant($"{name}, {seconds:0} s: {value:0.0} ms"))));
            MachineTimeline? client = Find(report, run, "client") ?? Find(report, run, "borrower");
            if (client is not null) speed.Add(new PlotSeries(name, SpeedPoints(client, name)));
        }

        writer.Figure(Title, blocks.RenderBoth(),
            "The worst block of each moment. This is the slides' picture of ballooning: allocation that stalls on balloon and swap.",
            part.CommandLine);
        writer.Figure("The neighbour's speed over time", speed.RenderBoth(),
            "The neighbour reads a file of three times its memory all the time; the server's program allocates from 420 s on and then ends.",
            part.CommandLine);
    }

    private static void WriteLenderResumes(StudyWriter writer, StudyPart part, ScenarioReport report)
    {
        const string Title = "The lender's hits after it comes back";
        SvgPlot plot = new(Title, "Seconds", "Hit ratio of the lender")
        {
            LinearX = true,
            LimitY = 1,
            FormatY = Percent,
            FormatTickY = Percent,
        };
        foreach ((string run, string name) in new[]
            { ("alone", "never lent"), ("inactive-only", "lent pages stay inactive"),
                ("integrated", "lent pages like its own") })
        {
            if (Find(report, run, "lender") is not { } timeline) continue;
            plot.Add(new PlotSeries(name, Bucketed([.. timeline.Samples.Where(one => one.Pages > 0)], one => one.Seconds,
                samples => samples.Sum(one => one.Hits) / (double)samples.Sum(one => one.Pages),
                (seconds, value) => Invariant($"{name}, {seconds:0} s: {Percent(value)}"))));
        }

        writer.Figure(Title, plot.RenderBoth(),
            "It begins to read at 400 s, when its memory is full of the borrower's pages. The sooner the line is up, the less lending costs.",
            part.CommandLine);
    }

    private static void WriteBorrowerResumes(StudyWriter writer, StudyPart part, ScenarioReport report)
    {
        const string Title = "Memory that the borrower gets from the idle lender";
        SvgPlot plot = new(Title, "Seconds", "MiB lent") { LinearX = true };
        foreach (MachineTimeline timeline in FirstKernel(report).Where(one => one.Machine == "lender"))
        {
            plot.Add(new PlotSeries(timeline.Run, Bucketed([.. timeline.Samples], one => one.Seconds,
                samples => samples.Average(one => one.Lent) * timeline.PageBytes / Mebibyte,
                (seconds, value) => Invariant($"{timeline.Run}, {seconds:0} s: {value:0} MiB"))));
        }

        writer.Figure(Title, plot.RenderBoth(),
            "The lender has read until 250 s and left active pages behind; then the borrower reads.",
            part.CommandLine);
        if (Find(report, "forced, detector #3", "lender") is { } detector)
        {
            writer.Figure("The lender's memory by kind, forced deactivation and detector #3", MemoryPlot(
                "The lender's memory by kind, forced deactivation and detector #3", detector),
                "Shaded: lending is suspended.", part.CommandLine);
        }
    }

    private static void WriteConcurrent(StudyWriter writer, StudyPart part, ScenarioReport report)
    {
        const string Title = "The lender's speed beside a busy borrower";
        SvgPlot plot = new(Title, "Seconds", "I/Os per second") { LinearX = true };
        foreach (MachineTimeline timeline in FirstKernel(report).Where(one => one.Machine == "lender"))
        {
            string name = timeline.Run switch
            {
                "alone" => "alone",
                "none" => "no detector",
                _ => "detector " + timeline.Run,
            };
            plot.Add(new PlotSeries(name, SpeedPoints(timeline, name)));
        }

        writer.Figure(Title, plot.RenderBoth(),
            "The lender begins at 120 s: a hot set of 0.6 of its memory and a cold stream. Detector #1 looks at refaults, #2 at "
            + "pressure on the lists, #3 at both.", part.CommandLine);
        foreach ((string run, string name) in new[] { ("none", "no detector"), ("#3", "detector #3") })
        {
            if (Find(report, run, "lender") is { } timeline)
            {
                writer.Figure($"The lender's memory by kind, {name}",
                    MemoryPlot($"The lender's memory by kind, {name}", timeline),
                    timeline.Suspended.Count == 0 ? "Lending is never suspended here." : "Shaded: lending is suspended.",
                        part.CommandLine);
            }
        }
    }

    private static void WriteGain(StudyWriter writer, StudyPart part, ScenarioReport report)
    {
        const string Title = "The borrower's speed with PUMA, as a multiple of its speed without";
        ScenarioTable table = report.Tables[0];
        int at = table.Columns.Index().First(column => column.Item.Name == "gain").Index;
        SpanPlot plot = new(Title, "Times the I/Os per second; right of 1 PUMA pays", 1)
        {
            IsLogarithmic = true,
            Format = value => value.ToString("0.##", CultureInfo.InvariantCulture),
        };
        foreach (IReadOnlyList<object?> row in table.Rows.Where(row => Equals(row[0], table.Rows[0][0])))
        {
            double gain = row[at] is double value ? value : double.NaN;
            // Gains end in a circle and lie to the right, losses end in a square and lie to the left.
            plot.Add(new PlotSpan($"{row[1]}, {row[2]}", gain < 1 ? gain : double.NaN, gain < 1 ? double.NaN : gain,
                Invariant($"{row[1]}, {row[2]}: {gain:0.00} times")));
        }

        writer.Figure(Title, plot.RenderBoth(),
            "The borrower's data are twice its memory, the lender is idle. What is left of 1 is better off without PUMA.", part.CommandLine);
    }

    /// <summary>A scenario's table.</summary>
    public static void WriteTable(StudyWriter writer, ScenarioTable table, string commandLine) =>
        writer.Table(table.Title, table.Columns.Select((column, i) => column.Heading
            + (table.Rows.Any(row => row[i] is string) ? "|" : "")),
            table.Rows.Select(row => row.Select((value, i) => ScenarioText.Cell(table.Columns[i], value))), commandLine);

    private static string MemoryPlot(string title, MachineTimeline timeline)
    {
        SvgPlot plot = new(title, "Seconds", "MiB") { LinearX = true };
        (string Name, Func<MachineSample, long> Pages)[] kinds =
        [
            ("programs", one => one.Programs), ("own active", one => one.OwnActive), ("own inactive", one => one.OwnInactive),
            ("lent", one => one.Lent), ("free", one => one.Free), ("balloon", one => one.Balloon),
                ("swapped", one => one.Swapped),
        ];
        foreach ((string name, Func<MachineSample, long> pages) in kinds)
        {
            if (timeline.Samples.All(one => pages(one) == 0)) continue;
            plot.Add(new PlotSeries(name, Bucketed([.. timeline.Samples], one => one.Seconds,
                samples => samples.Average(pages) * timeline.PageBytes / Mebibyte,
                (seconds, value) => Invariant($"{name}, {seconds:0} s: {value:0} MiB"))));
        }

        foreach ((double from, double to) in timeline.Suspended)
            plot.Shade(from, to, Invariant($"lending suspended, {from:0.0} to {to:0.0} s"));
        return plot.RenderBoth();
    }

    /// <summary>I/Os per second, as many as the machines would do at scale 1.</summary>
    private static List<PlotPoint> SpeedPoints(MachineTimeline timeline, string name) =>
        Bucketed([.. timeline.Samples], one => one.Seconds,
            samples => samples.Average(one => one.Done) * timeline.PageBytes / 4096 / timeline.IntervalSeconds,
            (seconds, value) => Invariant($"{name}, {seconds:0} s: {value:N0} a second"));

    /// <summary>Neighbours together, so that a line has points that can be told apart.</summary>
    private static List<PlotPoint> Bucketed<TItem>(
        IReadOnlyList<TItem> items, Func<TItem, double> seconds, Func<IReadOnlyList<TItem>, double> value,
        Func<double, double, string> tip)
    {
        int size = Math.Max(1, (items.Count + PointsMax - 1) / PointsMax);
        List<PlotPoint> points = [];
        for (int i = 0; i < items.Count; i += size)
        {
            TItem[] bucket = [.. items.Skip(i).Take(size)];
            (double x, double y) = (seconds(bucket[^1]), value(bucket));
            points.Add(new PlotPoint(x, y, tip(x, y)));
        }

        return points;
    }

    /// <summary>Runs have the same names with every kernel; the first one's come first.</summary>
    private static IEnumerable<MachineTimeline> FirstKernel(ScenarioReport report) =>
        report.Timelines.DistinctBy(one => (one.Run, one.Machine));

    private static MachineTimeline? Find(ScenarioReport report, string run, string machine) =>
        report.Timelines.FirstOrDefault(one => one.Run == run && one.Machine == machine);

    private static string Percent(double share) => (share * 100).ToString("0.##", CultureInfo.InvariantCulture) + "%";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
