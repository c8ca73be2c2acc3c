// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Scenarios;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// The study's section on parameters: all of them with their sources, and for the results that matter most what halving and
/// doubling one at a time does, at a smaller scale.
/// </summary>
internal static class StudySensitivity
{
    private const int RowsMax = 12;
    private static readonly (string Low, string High) s_settings = ("halved", "doubled");

    /// <summary>The results that are drawn, by scenario: the figure's name, and what it is.</summary>
    private static readonly (string Scenario, string Figure, string Title)[] s_figures =
    [
        ("malloc", MallocScenario.PumaDirect, "A block from lent pages, over free memory, all reclaimed by the program"),
        ("malloc", MallocScenario.Balloon, "A block from a balloon, over free memory"),
        ("lender-resumes", "integratedOverAlone", "The lender's way back with lent pages like its own, over alone"),
        ("borrower-resumes", "forced", "Idle memory that the borrower gets, forced deactivation"),
        ("concurrent", "overSolo#3", "The lender's speed with detector #3, over alone"),
        ("gain", "ssd-random", "The borrower's gain, SSD, random reads"),
    ];

    /// <summary>Writes the section; without parts for sensitivity only the parameters.</summary>
    public static void Write(StudyWriter writer, IReadOnlyList<StudyPart> parts) => writer.Section(
        "parameters", "Parameters, their sources, and what depends on them",
        "Published: the source says where. Calibrated: chosen so that the model meets a published result, which it therefore does not "
        + "predict. Assumed: plausible, without a source. Given: set on the command line.", () =>
        {
            if (parts.FirstOrDefault(part => part.Scenarios.Count > 0) is { } puma)
                Parameters(writer, "Parameters of PUMA", puma.Scenarios[0].Parameters, "perfcache puma --parameters");
            if (parts.FirstOrDefault(part => part.Flipping is not null) is { } flip)
                Parameters(writer, "Parameters of flipping", flip.Flipping!.Parameters, "perfcache flip --parameters");
            foreach (StudyPart part in parts.Where(part => part.IsSensitivity))
            {
                foreach (ScenarioReport report in part.Scenarios) WritePuma(writer, part, report);
                if (part.FlipSensitivities.Count > 0) WriteFlip(writer, part);
            }
        });

    private static void Parameters(StudyWriter writer, string caption, ParameterSet parameters, string commandLine) =>
        writer.Table(caption, ["parameter", "value", "unit|", "origin|", "source|"], parameters.Select(one => (string[])
            [one.Name, ParameterTable.Number(one.Value), ParameterTable.Unit(one), one.OriginText, one.Source]), commandLine);

    private static void WritePuma(StudyWriter writer, StudyPart part, ScenarioReport report)
    {
        ScenarioTable table = report.Tables[^1];
        foreach ((_, string figure, string title) in s_figures.Where(one => one.Scenario == report.Scenario))
        {
            int at = table.Columns.Index().FirstOrDefault(column => column.Item.Name == figure, (-1, default)).Item1;
            if (at < 0 || table.Rows.Count == 0 || table.Rows[0][at] is not double given) continue;
            var variants = table.Rows.Skip(1).Where(row => row[at] is double).Select(row =>
                ((string)row[0]!, (double)row[1]!, (double)row[at]!));
            Tornado(writer, title, given, variants, report.Parameters,
                value => value.ToString("#,0.###", CultureInfo.InvariantCulture), part);
        }

        StudyPumaFigures.WriteTable(writer, table, part.CommandLine);
    }

    private static void WriteFlip(StudyWriter writer, StudyPart part)
    {
        FlipSensitivity given = part.FlipSensitivities[0];
        FlipSensitivity[] varied = [.. part.FlipSensitivities.Skip(1).Where(one => one.Refusal.Length == 0)];
        (string Title, Func<FlipSensitivity, double> Value)[] figures =
        [
            ("Memory that becomes remote, naive, heap model", one => one.NaiveHeap),
            ("Speed lost at the end, naive, heap model", one => one.NaiveLoss),
            ("Largest remote part with a dynamic pool", one => one.PoolMax),
        ];
        foreach ((string title, Func<FlipSensitivity, double> value) in figures)
        {
            Tornado(writer, title, value(given), varied.Select(one => (one.Name, one.Value, value(one))),
                part.Flipping!.Parameters,
                FlipText.Percent, part);
        }

        writer.Table("Flipping: each parameter halved and doubled", FlipText.SensitivityColumns,
            part.FlipSensitivities.Select(
            one => FlipText.SensitivityRow(one, one.Name.Length == 0 ? 0 : part.Flipping!.Parameters.Value(one.Name))),
                part.CommandLine);
    }

    /// <summary>The parameters that move a result most, the widest on top.</summary>
    private static void Tornado(StudyWriter writer, string title, double given,
        IEnumerable<(string Name, double Setting, double Result)> variants, ParameterSet parameters,
        Func<double, string> format, StudyPart part)
    {
        const double Matters = 0.01;
        SpanPlot plot = new("Sensitivity: " + title, title, given) { Settings = s_settings, Format = format };
        var rows = variants.Where(one => double.IsFinite(one.Result)).GroupBy(one => one.Name).Select(group =>
        {
            Parameter parameter = parameters[group.Key];
            double Of(bool isLower) => group.Where(one => one.Setting < parameter.Value == isLower)
                .Select(one => one.Result).DefaultIfEmpty(double.NaN).First();
            return (Parameter: parameter, Low: Of(true), High: Of(false),
                Width: group.Max(one => Math.Abs(one.Result - given)));
        }).Where(row => row.Width > Matters * Math.Abs(given)).OrderByDescending(row => row.Width).ToArray();
        foreach (var row in rows.Take(RowsMax))
        {
            plot.Add(new PlotSpan($"{row.Parameter.Name} ({row.Parameter.OriginText})", row.Low, row.High,
                $"{row.Parameter.Name}: {format(row.Low)} halved, {format(row.High)} doubled, {format(given)} as given"));
        }

        string rest = rows.Length > RowsMax
            ? $" {rows.Length - RowsMax} more change it by 1 % or more." : " All others change it by less than 1 %.";
        writer.Figure("Sensitivity: " + title, plot.RenderBoth(),
            $"The line in the middle is the result as given, {format(given)}, at this "
            + "smaller scale." + rest, part.CommandLine);
        if (rows.Length == 0) writer.Paragraphs($"{title}: no parameter changes it by 1 % ({format(given)}).");
    }
}
