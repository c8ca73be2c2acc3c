// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;
using PerfCache.Simulation.Scenarios;
using PerfCache.Simulation.Traces;
using static PerfCache.Cli.OptionText;

namespace PerfCache.Cli.Puma;

/// <summary>What the command line of <c>puma</c> asks for, checked.</summary>
internal sealed record PumaRequest
{
    public required IReadOnlyList<string> Scenarios { get; init; }

    /// <summary>The options of each scenario; the scale differs where none was given.</summary>
    public required Func<string, ScenarioOptions> OptionsOf { get; init; }

    public bool Json { get; init; }

    public bool ShowsEvents { get; init; }

    public bool ShowsParameters { get; init; }

    public double? Why { get; init; }

    public string? Csv { get; init; }

    public string? Report { get; init; }

    public required string CommandLine { get; init; }
}

/// <summary>
/// <c>perfcache puma</c>: options and their checks; <see cref="PumaRun"/> does the work.
/// </summary>
internal sealed class PumaCommand : CliCommand
{
    private const string ProfileNames = "linux-3.15, linux-6";

    private readonly Argument<string> _scenario = new("SCENARIO")
    {
        Description = string.Join(" | ", PumaStudy.Scenarios.Select(one => one.Name)) + " | all",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string> _seed = Text("--seed", "N", "Decides all chance; default: 1");

    private readonly Option<string> _profile = Text("--profile", "NAMES",
        $"The kernel of all machines, or several, comma-separated: {ProfileNames}; default: linux-3.15");

    private readonly Option<string> _disk =
        Text("--disk", "hdd|ssd|fast-ssd", "The machines' disks; default: ssd");

    private readonly Option<string> _scale = Text("--scale", "F",
        "Divide memory by this and stretch what one I/O takes by it: the same curves from fewer events; default: 8, "
        + "for scale 1");

    private readonly Option<string[]> _set = new("--set")
    {
        HelpName = "NAME=VALUE",
        Description = "Another value for a parameter; may be given several times",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<bool> _parameters = new("--parameters")
    {
        Description = "List all parameters with their sources; without a scenario, that is all",
    };

    private readonly Option<bool> _sensitivity = new("--sensitivity")
    {
        Description = "Run again with each parameter halved and doubled (minutes)",
    };

    private readonly Option<bool> _events = new("--events")
    {
        Description = "List when lending was suspended and resumed, and why",
    };

    private readonly Option<string> _why = Text("--why", "SECONDS", "Say for each run why lending was suspended at that time");

    private readonly Option<string> _lenderTrace = Text("--lender-trace", "TRACE",
        "What the lender reads in concurrent: a trace or a generator, as in replay");

    private readonly Option<string> _borrowerTrace = Text("--borrower-trace", "TRACE", "The same for the borrower");

    private readonly Option<string> _report = Text("--report", "FILE.html", "Write an HTML report with plots");

    private readonly Option<string> _csv = Text("--csv", "FILE", "Write the tables as comma-separated values");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a line and nothing else on standard output",
    };

    private readonly CliContext _context;
    private readonly string[] _args;

    /// <summary>Makes the command.</summary>
    public PumaCommand(CliContext context, string[] args)
        : base("puma", "Machines that lend page cache to one another, and their rivals, in virtual time.")
    {
        (_context, _args) = (context, args);
        _scenario.Offers([.. PumaStudy.Scenarios.Select(one => one.Name), "all"]);
        _profile.Offers(ProfileNames.Split(", "));
        Add(_scenario);
        Option[] options =
        [
            _seed, _profile, _disk, _scale, _set, _parameters, _sensitivity, _events, _why, _lenderTrace, _borrowerTrace,
            _report, _csv, _json,
        ];
        foreach (Option option in options) Add(option);
        SetAction(result => new PumaRun(context, RequestOf(result)).Run());
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache puma malloc
        perfcache puma concurrent --events --report concurrent.html
        perfcache puma concurrent --why 212.5
        perfcache puma lender-resumes --profile linux-3.15,linux-6 --seed 7
        perfcache puma malloc --set reclaim-ns=1000 --set touch-ns=250 --json
        perfcache puma --parameters
        """;

    /// <inheritdoc/>
    public override string Notes => string.Join('\n', PumaStudy.Scenarios.Select(one => $"{one.Name,-17} {one.Summary}"))
        + "\n" + $"{"all",-17} {string.Join(", ", PumaStudy.All)}" + """


        The same options and seed give the same bytes. A value without a source is listed as assumed.
        Both roles are the classes that run between real processes; page caches are the production cache.

        Exit code: 0 success; 1 failed or stopped by Ctrl-C (what is finished is printed); 2 wrong usage, a scenario that
        makes no sense, or an output file that cannot be opened.
        """;

    /// <summary>What a command line of this command asks for, without doing it.</summary>
    /// <exception cref="UsageException">It is wrong.</exception>
    internal static PumaRequest Read(CliContext context, string[] args)
    {
        PumaCommand command = new(context, args);
        ParseResult result = command.Parse(args[1..], CommandLine.Parser);
        if (result.Errors.Count > 0) throw new UsageException(result.Errors[0].Message);
        return command.RequestOf(result);
    }

    private PumaRequest RequestOf(ParseResult result)
    {
        string? scenario = result.GetValue(_scenario);
        bool listsOnly = scenario is null && result.GetValue(_parameters);
        if (scenario is null && !listsOnly)
            throw new UsageException($"name a scenario: {string.Join(", ", PumaStudy.Scenarios.Select(one => one.Name))}, all");
        string[] scenarios = scenario switch { null => [], "all" => [.. PumaStudy.All], _ => [scenario] };
        foreach (string one in scenarios)
            if (PumaStudy.Scenarios.All(known => known.Name != one))
                throw new UsageException($"there is no scenario '{one}'; there are "
                    + $"{string.Join(", ", PumaStudy.Scenarios.Select(known => known.Name))}, all");
        CheckDifferent(result.GetValue(_report), result.GetValue(_csv));
        double? scale = result.GetValue(_scale) is { } text ? Number("--scale", text) : null;
        ScenarioOptions options = OptionsOf(result);
        PumaRequest request = new()
        {
            Scenarios = scenarios,
            OptionsOf = one => options with { Scale = scale ?? (one == "scale" ? 1 : options.Scale) },
            Json = result.GetValue(_json),
            ShowsEvents = result.GetValue(_events),
            ShowsParameters = result.GetValue(_parameters),
            Why = result.GetValue(_why) is { } seconds ? Number("--why", seconds) : null,
            Csv = result.GetValue(_csv),
            Report = result.GetValue(_report),
            CommandLine = CommandLineOf(_args),
        };
        foreach (string one in scenarios) Refused(() => { PumaStudy.Check(one, request.OptionsOf(one)); return true; });
        return request;
    }

    private ScenarioOptions OptionsOf(ParseResult result) => new()
    {
        Seed = result.GetValue(_seed) is { } seed ? (ulong)WholeNumber("--seed", seed, 0, long.MaxValue) : 1,
        Profiles = [.. (result.GetValue(_profile) ?? "linux-3.15").Split(',').Select(ProfileOf).Distinct()],
        Disk = (result.GetValue(_disk) ?? "ssd") switch
        {
            "hdd" => DiskKind.Hdd,
            "ssd" => DiskKind.Ssd,
            "fast-ssd" => DiskKind.FastSsd,
            string other => throw new UsageException($"--disk: '{other}' is none of hdd, ssd, fast-ssd"),
        },
        Parameters = Refused(() => MachineParameters.Defaults.WithAssignments(result.GetValue(_set) ?? [])),
        ShowsSensitivity = result.GetValue(_sensitivity),
        LenderTrace = TraceOf(result.GetValue(_lenderTrace)),
        BorrowerTrace = TraceOf(result.GetValue(_borrowerTrace)),
    };

    private ITraceSource? TraceOf(string? name) => name is null ? null : _context.OpenTrace(name, new TraceOptions());

    private static KernelProfile ProfileOf(string name) => name switch
    {
        "linux-3.15" => KernelProfile.Linux315,
        "linux-6" => KernelProfile.Linux6,
        _ => throw new UsageException($"--profile: '{name}' is none of {ProfileNames}"),
    };

    private static double Number(string option, string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
            && number >= 0 ? number : throw new UsageException($"{option}: '{text}' is not a number from 0 on");

    private static TValue Refused<TValue>(Func<TValue> make)
    {
        try
        {
            return make();
        }
        catch (ParameterException e)
        {
            throw new UsageException(e.Message);
        }
    }
}
