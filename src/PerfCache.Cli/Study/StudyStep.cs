// SPDX-License-Identifier: MIT
using PerfCache.Cli.Flipping;
using PerfCache.Cli.Puma;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Scenarios;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Cli.Study;

/// <summary>
/// A part of the study before and while it runs: a command line, read by the command that it names and carried out by the
/// classes behind it. Only printing is left out.
/// </summary>
internal sealed record StudyStep
{
    private Func<Action<double>, CancellationToken, StudyPart>? _work;

    /// <summary>What progress and report call it.</summary>
    public required string Name { get; init; }

    /// <summary>The command's arguments.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>What it takes compared with the others, for the progress bar.</summary>
    public required double Weight { get; init; }

    /// <summary>See <see cref="StudyPart.IsSensitivity"/>.</summary>
    public bool IsSensitivity { get; init; }

    /// <summary>The command line as it can be typed.</summary>
    public string CommandLine => OptionText.CommandLineOf(Arguments);

    /// <summary>Reads the arguments as the command itself does.</summary>
    /// <exception cref="UsageException">The command refuses them.</exception>
    public StudyStep Read(CliContext context)
    {
        string[] args = [.. Arguments];
        _work = args[0] switch
        {
            "replay" => Replay(context, ReplayCommand.Read(context, args)),
            "mrc" => Curves(context, MrcCommand.Read(context, args)),
            "puma" => Puma(PumaCommand.Read(context, args)),
            "flip" => Flip(FlipCommand.Read(context, args)),
            _ => throw new UsageException($"the study has no part '{args[0]}'"),
        };
        return this;
    }

    /// <summary>Runs it.</summary>
    /// <param name="progress">Told how far it is, from 0 to 1.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="OperationCanceledException">It was stopped; there is no half result.</exception>
    public StudyPart Run(Action<double> progress, CancellationToken cancellation)
    {
        long began = TimeProvider.System.GetTimestamp();
        StudyPart part = _work!(progress, cancellation);
        // Some of the work ends early instead of throwing, with what it has.
        cancellation.ThrowIfCancellationRequested();
        return part with { IsSensitivity = IsSensitivity, Seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds };
    }

    private StudyPart Empty => new() { Name = Name, CommandLine = CommandLine };

    private Func<Action<double>, CancellationToken, StudyPart> Replay(CliContext context, ReplayRequest request) =>
        (progress, cancellation) => Empty with
        {
            // The parts run side by side, so each has one thread.
            Replays = [.. request.Traces.SelectMany(trace => context.Replay(
                context.OpenTrace(trace, request.TraceOptions), request.Options with { Jobs = 1 }, Fraction(progress),
                    cancellation))],
        };

    private Func<Action<double>, CancellationToken, StudyPart> Curves(CliContext context, MrcRequest request) =>
        (progress, cancellation) => Empty with
        {
            Curves = context.MakeCurves(
                context.OpenTrace(request.Trace, request.TraceOptions), request.Options with { Jobs = 1 },
                    Fraction(progress), cancellation),
        };

    private Func<Action<double>, CancellationToken, StudyPart> Puma(PumaRequest request) => (progress, cancellation) =>
    {
        double expected = request.Scenarios.Sum(scenario => ExpectedRuns(scenario, request.OptionsOf(scenario)));
        (int runs, string run, double before) = (0, "", 0);
        void Report(string part, double fraction)
        {
            // Each run counts from 0 to 1, and a new one has another name.
            if (part != run || fraction < before) runs++;
            (run, before) = (part, fraction);
            progress(Math.Min(0.99, (runs - 1 + fraction) / expected));
        }

        return Empty with
        {
            Scenarios = [.. request.Scenarios.Select(
                scenario => PumaStudy.Run(scenario, request.OptionsOf(scenario), Report, cancellation))],
        };
    };

    /// <summary>About how many runs a scenario has that report their progress; for the bar only.</summary>
    private static double ExpectedRuns(string scenario, ScenarioOptions options)
    {
        const int MallocForLong = 4;
        const int Gain = 42;
        int runs = scenario switch
        {
            "malloc" => 9,
            "lender-resumes" => 3,
            "borrower-resumes" => 4,
            "concurrent" => 10,
            _ => Gain,
        };
        int own = (scenario == "malloc" ? runs + MallocForLong : runs) * options.Profiles.Count;
        return own + (options.ShowsSensitivity ? runs * (options.Parameters.Variants().Count() + 1) : 0);
    }

    private Func<Action<double>, CancellationToken, StudyPart> Flip(FlipRequest request) => (progress, cancellation) =>
    {
        List<FlipResult> results = [];
        List<FlipSensitivity> sensitivities = [];
        int count = (request.Placements.Count * request.Remedies.Count)
            + (request.Sensitivity ? request.Scenario.Parameters.Variants().Count() + 1 : 0);
        foreach (PlacementModel placement in request.Placements)
        {
            foreach (FlipRemedy remedy in request.Remedies)
            {
                cancellation.ThrowIfCancellationRequested();
                results.Add(FlipStudy.Run(request.Scenario with { Placement = placement }, remedy, cancellation));
                progress((double)results.Count / count);
            }
        }

        foreach (FlipSensitivity one in request.Sensitivity ? FlipStudy.Sensitivity(request.Scenario, cancellation) : [])
        {
            sensitivities.Add(one);
            progress((double)(results.Count + sensitivities.Count) / count);
        }

        return Empty with { Flipping = request.Scenario, Flips = results, FlipSensitivities = sensitivities };
    };

    private static Action<ReplayProgress> Fraction(Action<double> progress) => one =>
    {
        if (!one.Counting && one.Fraction >= 0) progress(one.Fraction);
    };
}
