// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>A scenario by its name.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Summary">One line for help.</param>
public readonly record struct ScenarioInfo(string Name, string Summary);

/// <summary>
/// PUMA in virtual time: the slides' four problems with their before and after, what the borrower gains, and how much can
/// be simulated. The same options and seed give the same report, byte for byte.
/// </summary>
public static class PumaStudy
{
    /// <summary>The scenarios, in the order of the slides.</summary>
    public static IReadOnlyList<ScenarioInfo> Scenarios { get; } =
    [
        new("malloc", "the server allocates blocks of 8 MiB: free memory, ballooning, lent pages (problem 1)"),
        new("lender-resumes", "the lender reads after the borrower has stopped (problem 2)"),
        new("borrower-resumes", "the borrower reads after the lender has stopped (problem 3)"),
        new("concurrent", "both read: no detector, #1, #2, #3 (problem 4)"),
        new("gain", "what the borrower gains, by disk and workload"),
        new("scale", "ten machines of 16 GiB for an hour"),
    ];

    /// <summary>Those that <c>all</c> stands for.</summary>
    public static IReadOnlyList<string> All { get; } =
        ["malloc", "lender-resumes", "borrower-resumes", "concurrent", "gain"];

    /// <summary>Runs a scenario.</summary>
    /// <param name="scenario">Its name, out of <see cref="Scenarios"/>.</param>
    /// <param name="options">What it is run with.</param>
    /// <param name="progress">Told the part that runs and how far it is, from 0 to 1.</param>
    /// <param name="cancellation">Stops it between two steps.</param>
    /// <exception cref="ParameterException">The name or an option makes no sense; the message is one line.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public static ScenarioReport Run(
        string scenario, ScenarioOptions options, Action<string, double>? progress = null,
        CancellationToken cancellation = default)
    {
        Check(scenario, options);
        ScenarioRun run = new(progress, cancellation);
        ScenarioReport report = RunOnce(scenario, options, run);
        if (!options.ShowsSensitivity) return report;
        return report with { Tables = [.. report.Tables, Sensitivity(scenario, options, report, run)] };
    }

    /// <summary>Refuses what <see cref="Run"/> would refuse.</summary>
    /// <param name="scenario">The scenario's name.</param>
    /// <param name="options">What it would be run with.</param>
    /// <exception cref="ParameterException">The name or an option makes no sense; the message is one line.</exception>
    public static void Check(string scenario, ScenarioOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (Scenarios.All(one => one.Name != scenario))
        {
            throw new ParameterException(
                $"there is no scenario '{scenario}'; there are {string.Join(", ", Scenarios.Select(one => one.Name))}, all");
        }

        options.Check();
    }

    private static ScenarioReport RunOnce(string scenario, ScenarioOptions options, ScenarioRun run) => scenario switch
    {
        "malloc" => Malloc(options, run),
        "lender-resumes" => LenderResumesScenario.Run(options, run).Report,
        "borrower-resumes" => BorrowerResumesScenario.Run(options, run).Report,
        "concurrent" => ConcurrentScenario.Run(options, run).Report,
        "gain" => GainScenario.Run(options, run).Report,
        _ => ScaleScenario.Run(options, hours: 1, run).Report,
    };

    private static ScenarioReport Malloc(ScenarioOptions options, ScenarioRun run)
    {
        ScenarioReport blocks = MallocScenario.Run(options, run).Report;
        CrashOutcomes crash = CrashScenario.Run(options, run);
        return blocks with
        {
            Tables = [.. blocks.Tables, CrashScenario.Table(crash.Outcomes)],
            Findings = [.. blocks.Findings, .. CrashScenario.Findings(crash.Outcomes)],
            Timelines = [.. blocks.Timelines, .. crash.Timelines],
            Mallocs = [.. blocks.Mallocs, .. crash.Mallocs],
        };
    }

    /// <summary>Only what the figures need: the long run of malloc has none.</summary>
    private static IReadOnlyList<KeyFigure> KeyFiguresOf(string scenario, ScenarioOptions options, ScenarioRun run) =>
        (scenario == "malloc" ? MallocScenario.Run(options, run).Report : RunOnce(scenario, options, run)).KeyFigures;

    /// <summary>
    /// The scenario's key figures with each cost halved and doubled, on the first kernel and up to four times as small;
    /// what changes no figure by a hundredth is left out.
    /// </summary>
    private static ScenarioTable Sensitivity(
        string scenario, ScenarioOptions options, ScenarioReport report, ScenarioRun run)
    {
        const double Smaller = 4;
        const double Matters = 0.01;
        ScenarioOptions small = options with
        {
            Profiles = [options.Profiles[0]],
            Scale = Math.Min(options.Scale * Smaller, options.ScaleMax),
            ShowsSensitivity = false,
        };
        IReadOnlyList<KeyFigure> before = KeyFiguresOf(scenario, small, run);
        List<IReadOnlyList<object?>> rows = [[.. (object?[])["(as given)", null], .. before.Select(one => (object?)one.Value)]];
        foreach (ParameterVariant variant in options.Parameters.Variants())
        {
            ScenarioOptions varied = small with { Parameters = variant.Set };
            IReadOnlyList<KeyFigure> after = KeyFiguresOf(scenario, varied, run);
            bool changes = after.Zip(before).Any(pair => !(Math.Abs(pair.First.Value - pair.Second.Value)
                <= Matters * Math.Abs(pair.Second.Value)));
            if (!changes) continue;
            rows.Add([variant.Parameter.Name, variant.Value, .. after.Select(one => (object?)one.Value)]);
        }

        return new ScenarioTable(
            scenario.Replace("-", "", StringComparison.Ordinal) + "Sensitivity",
            $"Each parameter halved and doubled; those that change a figure by 1 % ({PairRun.NameOf(small.Profiles[0])}, "
            + $"scale {small.Scale:0.###})",
            [
                new("parameter", "parameter"), new("value", "value", "0.######"),
                .. report.KeyFigures.Select(one => new ScenarioColumn(one.Name, one.Heading, "0.000")),
            ], rows);
    }
}
