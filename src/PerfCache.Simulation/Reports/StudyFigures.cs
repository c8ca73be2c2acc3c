// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Simulation.Reports;

/// <summary>The study's sections on replacement policies, the miss ratio curve and flipping.</summary>
internal static class StudyFigures
{
    private const int PointsMax = 60;

    /// <summary>A plot and a table of miss ratios for each trace.</summary>
    public static void WriteReplays(StudyWriter writer, IReadOnlyList<StudyPart> parts) => writer.Section(
        "policies", "Which replacement policy",
        "Built-in workloads, each replayed through the policies at several cache sizes: how many requests miss?", () =>
        {
            foreach (StudyPart part in parts)
            {
                foreach (IGrouping<string, ReplayResult> trace in part.Replays.GroupBy(result => result.Trace))
                {
                    ReplayResult[] results = [.. trace];
                    string kind = trace.Key.Split(':')[0];
                    writer.Figure($"Miss ratio by cache size, {kind}", ReplayReport.Plot(results),
                        $"{trace.Key}: {Number(results[0].Requests)} requests, {Number(results[0].DistinctPages)} distinct pages. Lower is better.",
                        part.CommandLine);
                    long[] sizes = [.. results.Select(result => result.Frames).Distinct().Order()];
                    writer.Table($"Miss ratio by policy and cache size in frames, {kind}",
                        ["policy", .. sizes.Select(Number)],
                        results.GroupBy(result => result.Policy).Select(policy => (IEnumerable<string>)[policy.Key,
                            .. sizes.Select(size => policy.FirstOrDefault(one => one.Frames == size) is { } one
                                ? Percent(one.MissRatio) : "")]),
                        part.CommandLine);
                }
            }

            writer.Paragraphs("linux-6 and linux-3.15 are the kernel's classic two-list LRU for clean page reads; belady knows the future and "
                + "is the floor that no policy can pass.");
        });

    /// <summary>The curve over all sizes.</summary>
    public static void WriteCurves(StudyWriter writer, IReadOnlyList<StudyPart> parts) => writer.Section(
        "curve", "How much cache", "The miss ratio over all cache sizes, and a size to begin with.", () =>
        {
            foreach (StudyPart part in parts)
            {
                writer.Figure("Miss ratio over cache size", CurveReport.Plot(part.Curves, StudyLines.PageBytes),
                    part.Curves[0].Trace, part.CommandLine);
                writer.Paragraphs(part.Curves.SelectMany(curve => CurveText.Sentences(curve, StudyLines.PageBytes))
                    .Select(sentence => sentence + "."));
            }
        });

    /// <summary>Drift, cures, STREAM, pool, migration, for each way to get frames.</summary>
    public static void WriteFlips(StudyWriter writer, IReadOnlyList<StudyPart> parts)
    {
        foreach (StudyPart part in parts)
        {
            foreach (IGrouping<PlacementModel, FlipResult> runs in part.Flips.GroupBy(result => result.Placement))
            {
                string model = runs.Key == PlacementModel.Heap ? "heap" : "swap";
                writer.Section("flipping-" + model, $"Flipping, {model} model: where memory goes, and what helps",
                    FlipText.PlacementText(runs.Key) + ".", () => WritePlacement(writer, part, [.. runs], model));
            }
        }
    }

    private static void WritePlacement(StudyWriter writer, StudyPart part, FlipResult[] runs, string model)
    {
        FlipResult first = runs[0];
        writer.Figure($"Memory of the guests by node, {first.Remedy.Name}, {model} model", FlipReport.NodesPlot(first),
            "The last guest gets the load. This is the slides' picture: its memory moves to the driver domain's node.",
                part.CommandLine);
        FlipResult[] shown = [.. runs.Where(run => !run.Remedy.IsAblation)];
        Timeline(writer, part, $"Remote memory of the loaded guest by remedy, {model} model", "Part of its pages", shown,
            sample => sample.RemoteShare, Percent, "Ablations, which are set up to fail, are in the table only.");
        SvgPlot bars = new($"Speed lost on average by remedy, {model} model", "", "Part of the speed of latency-bound work")
        {
            FormatY = Percent,
            FormatTickY = Percent,
        };
        foreach (FlipResult run in runs)
            bars.Add(new PlotSeries(run.Remedy.Name,
                [new PlotPoint(1, run.LossMean, $"{run.Remedy.Name}: {Percent(run.LossMean)}")]));
        writer.Figure($"Speed lost on average by remedy, {model} model", bars.RenderBoth(),
            "The remedy's own processor time is in it.", part.CommandLine);
        Stream(writer, part, first, model);
        Timeline(writer, part, $"Size of the exchange pool, {model} model", "Frames",
            [.. shown.Where(run => run.PoolFramesMax > 0)], sample => sample.PoolFrames, FlipText.Number,
            "Frames that are withheld from the guest.");
        Timeline(writer, part, $"What bringing pages home costs, {model} model", "Part of a processor",
            [.. shown.Where(run => run.Migrated > 0)], sample => sample.RemedyShare, Percent, "Since the sample before.");
        writer.Table($"Remedies, {model} model: {CurveText.Size(first.GuestFrames, 4096)}, {FlipText.Number(first.Packets)} packets, "
            + $"{FlipText.Number(first.DurationNanos / 1e9)} s of virtual time", FlipText.Columns,
                runs.Select(FlipText.Row), part.CommandLine);
        writer.Table($"What the remedies are, {model} model", ["remedy", "what it does|"],
            runs.Select(run => (string[])[run.Remedy.Name, run.Remedy.Meaning]));
        writer.Paragraphs(FlipText.Notes.Select(note => note + "."));
    }

    private static void Stream(StudyWriter writer, StudyPart part, FlipResult run, string model)
    {
        string title = $"STREAM before and after, {run.Remedy.Name}, {model} model";
        SvgPlot plot = new(title, "", "MB/s") { FormatY = FlipText.Number };
        foreach (StreamResult one in run.Stream)
        {
            foreach ((string when, double rate) in new[] { ("before", one.BeforeMegabytes), ("after", one.AfterMegabytes) })
                plot.Add(new PlotSeries($"{one.Kernel}, {when}",
                    [new PlotPoint(1, rate, $"{one.Kernel}, {when}: {FlipText.Number(rate)} MB/s")]));
        }

        writer.Figure(title, plot.RenderBoth(),
            "The benchmark of memory speed in the loaded guest: new arrays take the pages that are free then.",
            part.CommandLine);
        writer.Table(title, FlipText.StreamColumns, FlipText.StreamRows(run), part.CommandLine);
    }

    private static void Timeline(StudyWriter writer, StudyPart part, string title, string unit, FlipResult[] runs,
        Func<FlipSample, double> value, Func<double, string> format, string caption)
    {
        if (runs.Length == 0) return;
        SvgPlot plot = new(title, "Seconds", unit) { LinearX = true, FormatY = format, FormatTickY = format };
        foreach (FlipResult run in runs)
        {
            FlipSample[] own = [.. run.Samples.Where(sample => sample.Guest == run.Samples.Max(one => one.Guest))];
            int step = Math.Max(1, (own.Length + PointsMax - 1) / PointsMax);
            plot.Add(new PlotSeries(run.Remedy.Name,
                [.. own.Where((_, i) => i % step == 0 || i == own.Length - 1).Select(sample =>
                new PlotPoint(sample.AtNanos / 1e9, value(sample),
                    $"{run.Remedy.Name}, {FlipText.Number(sample.AtNanos / 1e9)} s: {format(value(sample))}"))]));
        }

        writer.Figure(title, plot.RenderBoth(), caption, part.CommandLine);
    }

    /// <summary>Throughput of both ways to deliver a packet.</summary>
    public static void WriteDelivery(StudyWriter writer, StudyPart part)
    {
        DeliveryCosts costs = new(part.Flipping!.Parameters);
        writer.Section("delivery", "Copy or flip",
            "The sources disagree: Xen went back to copying, the slides praise flipping.", () =>
        {
            writer.Figure("Throughput of copy and flip by payload", FlipReport.DeliveryPlot(costs),
                FlipText.Crossover(costs.CrossoverBytes()) + ".", part.CommandLine);
            writer.Table("Throughput by payload", ["payload, bytes", "copy, Gb/s", "flip, Gb/s"],
                costs.Points().Select(point => (string[])
                [Number(point.Bytes), point.CopyGigabits.ToString("0.00", CultureInfo.InvariantCulture),
                    point.FlipGigabits.ToString("0.00", CultureInfo.InvariantCulture)]), part.CommandLine);
        });
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double share) => (share * 100).ToString("0.##", CultureInfo.InvariantCulture) + "%";
}
