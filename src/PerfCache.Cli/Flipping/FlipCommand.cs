// SPDX-License-Identifier: MIT
using System.CommandLine;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Scenarios.Flipping;
using static PerfCache.Cli.OptionText;

namespace PerfCache.Cli.Flipping;

/// <summary>What the command line of <c>flip</c> asks for, checked.</summary>
internal sealed record FlipRequest
{
    public required FlipScenario Scenario { get; init; }

    public required IReadOnlyList<PlacementModel> Placements { get; init; }

    public required IReadOnlyList<FlipRemedy> Remedies { get; init; }

    public bool Sensitivity { get; init; }

    public string? Report { get; init; }

    public string? Csv { get; init; }

    public bool Json { get; init; }

    public required string CommandLine { get; init; }
}

/// <summary><c>perfcache flip</c>: options and their checks; <see cref="FlipRun"/> does the work.</summary>
internal sealed class FlipCommand : CliCommand
{
    private const int QuickScale = 16;

    private readonly Option<string> _placement = Text("--placement", "heap|swap|both",
        "How the driver domain gets its frames; default: both");

    private readonly Option<string> _remedy = Text("--remedy", "NAMES",
        $"What goes back and what is migrated, comma-separated, or all (the default): {string.Join(' ', FlipRemedy.All.Select(one => one.Name))}")
        .Offers([.. FlipRemedy.All.Select(one => one.Name), "all"]);

    private readonly Option<string[]> _set = new("--set")
    {
        HelpName = "NAME=VALUE",
        Description = "Another value for a parameter; may be given several times; --parameters lists them",
    };

    private readonly Option<bool> _parameters = new("--parameters")
    {
        Description = "List the parameters with their sources and do nothing else",
    };

    private readonly Option<string> _load = Text("--load", "FILE.csv",
        "Packets from a file with lines time_us,bytes,domain instead of generated ones");

    private readonly Option<string> _seed = Text("--seed", "N", "Decides every random choice; default: 1");

    private readonly Option<string> _scale = Text("--scale", "N",
        "Divide the guests' memory and the time by N; default: 1");

    private readonly Option<bool> _quick = new("--quick")
    {
        Description = $"The same as --scale {QuickScale} --no-sensitivity",
    };

    private readonly Option<bool> _noSensitivity = new("--no-sensitivity")
    {
        Description = "Do not halve and double every parameter",
    };

    private readonly Option<string> _report = Text("--report", "FILE.html", "Write an HTML report with plots");

    private readonly Option<string> _csv = Text("--csv", "FILE", "Write the samples over time as comma-separated values");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a line and nothing else on standard output",
    };

    private readonly Option<bool> _live = new("--live")
    {
        Description = "Not a model: exchange real frames between two domains of this process, on two of its nodes",
    };

    private readonly Option<string> _nodes = Text("--nodes", "N",
        "With --live: emulate N nodes (2 to 8); by default those of this machine");

    private readonly string[] _args;

    /// <summary>Makes the command.</summary>
    public FlipCommand(CliContext context, string[] args)
        : base("flip", "Domains that exchange received pages for free ones: drift between NUMA nodes, and remedies.")
    {
        _args = args;
        Option[] options =
        [
            _placement, _remedy, _set, _parameters, _load, _seed, _scale, _quick, _noSensitivity, _live, _nodes, _report,
            _csv, _json,
        ];
        foreach (Option option in options) Add(option);
        SetAction(result =>
            result.GetValue(_parameters) ? FlipRun.ListParameters(context, ParametersOf(result), result.GetValue(_json))
            : result.GetValue(_live) ? LiveOf(context, result).Run()
            : new FlipRun(context, RequestOf(result)).Run());
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache flip --quick
        perfcache flip --report flip.html --csv flip.csv
        perfcache flip --remedy naive,pool-dynamic --placement heap --set burst-packets=600
        perfcache flip --load packets.csv --set guests=2 --no-sensitivity --json
        perfcache flip --live --nodes 2
        perfcache flip --parameters
        """;

    /// <inheritdoc/>
    public override string Notes => """
        Guest i lives on node i and the driver domain on node 0. The last guest gets the load, the others a part of it.
        Four parameters are calibrated so that the naive run ends where the published one did; the report lists them
        and all that are assumed. The same seed gives the same bytes.

        Exit code: 0 success; 1 failed or stopped by Ctrl-C (what is finished is printed); 2 wrong usage, a scenario that
        contradicts itself, bad input, or an output file that cannot be opened.
        """;

    private LiveFlipRun LiveOf(CliContext context, ParseResult result)
    {
        Option[] ofTheModel = [_placement, _set, _load, _seed, _scale, _quick, _noSensitivity, _report, _csv];
        if (ofTheModel.FirstOrDefault(option => result.GetResult(option) is { Implicit: false }) is { } wrong)
            throw new UsageException($"{wrong.Name} is for the model; --live goes with --remedy, --nodes and --json");
        return new LiveFlipRun(
            context,
            Checked("--remedy", () => RemediesOf(result.GetValue(_remedy) ?? "all")),
            result.GetValue(_nodes) is string nodes ? (int)WholeNumber("--nodes", nodes, 2, 8) : 0,
            result.GetValue(_json));
    }

    private ParameterSet ParametersOf(ParseResult result) =>
        FlipParameters.Defaults.WithAssignments(result.GetValue(_set) ?? []);

    /// <summary>What a command line of this command asks for, without doing it.</summary>
    /// <exception cref="UsageException">It is wrong.</exception>
    internal static FlipRequest Read(CliContext context, string[] args)
    {
        FlipCommand command = new(context, args);
        ParseResult result = command.Parse(args[1..], CommandLine.Parser);
        if (result.Errors.Count > 0) throw new UsageException(result.Errors[0].Message);
        return command.RequestOf(result);
    }

    private FlipRequest RequestOf(ParseResult result)
    {
        if (result.GetValue(_nodes) is not null) throw new UsageException("--nodes is for --live");
        bool isQuick = result.GetValue(_quick);
        string? scale = result.GetValue(_scale);
        if (isQuick && scale is not null) throw new UsageException("--quick is a scale; give one of --quick and --scale");
        string? report = result.GetValue(_report);
        string? csv = result.GetValue(_csv);
        CheckDifferent(report, csv);
        FlipScenario scenario = new()
        {
            Parameters = ParametersOf(result),
            Seed = result.GetValue(_seed) is string seed ? (ulong)WholeNumber("--seed", seed, 0, long.MaxValue) : 1,
            Scale = scale is not null ? (int)WholeNumber("--scale", scale, 1, 65_536) : isQuick ? QuickScale : 1,
            Recorded = result.GetValue(_load) is string load ? ReadLoad(load) : null,
        };
        IReadOnlyList<PlacementModel> placements = PlacementsOf(result.GetValue(_placement) ?? "both");
        foreach (PlacementModel placement in placements) (scenario with { Placement = placement }).Check();
        return new FlipRequest
        {
            Scenario = scenario,
            Placements = placements,
            Remedies = Checked("--remedy", () => RemediesOf(result.GetValue(_remedy) ?? "all")),
            Sensitivity = !isQuick && !result.GetValue(_noSensitivity) && scenario.Recorded is null,
            Report = report,
            Csv = csv,
            Json = result.GetValue(_json),
            CommandLine = CommandLineOf(_args),
        };
    }

    private static IReadOnlyList<FlipRemedy> RemediesOf(string names) => names == "all"
        ? FlipRemedy.All
        : [.. names.Split(',', StringSplitOptions.TrimEntries).Distinct().Select(FlipRemedy.Parse)];

    private static IReadOnlyList<PlacementModel> PlacementsOf(string text) => text switch
    {
        "heap" => [PlacementModel.Heap],
        "swap" => [PlacementModel.Swap],
        "both" => [PlacementModel.Heap, PlacementModel.Swap],
        _ => throw new UsageException($"--placement: '{text}' is not heap, swap or both"),
    };

    private static RecordedLoad ReadLoad(string path)
    {
        try
        {
            using StreamReader reader = new(path);
            return RecordedLoad.Read(reader, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UsageException($"--load: cannot read '{path}': {e.Message.TrimEnd('.')}");
        }
    }
}
