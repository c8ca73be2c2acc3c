// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using static PerfCache.Cli.OptionText;

namespace PerfCache.Cli.Study;

/// <summary>What the command line of <c>study</c> asks for, checked.</summary>
internal sealed record StudyRequest
{
    public required IReadOnlyList<StudyStep> Steps { get; init; }

    public required int Jobs { get; init; }

    public string? Report { get; init; }

    /// <summary>The folder to make for the report and the JSON lines; null for none.</summary>
    public string? Folder { get; init; }

    public bool Json { get; init; }

    public required string CommandLine { get; init; }
}

/// <summary><c>perfcache study</c>: options and their checks; <see cref="StudyRun"/> does the work.</summary>
internal sealed class StudyCommand : CliCommand
{
    /// <summary>Where the report goes when nobody says.</summary>
    public const string DefaultReport = "study.html";

    private readonly Option<bool> _quick = new("--quick")
    {
        Description = "Smaller workloads and machines: under a minute on two cores instead of minutes",
    };

    private readonly Option<string> _report = Text("--report", "FILE.html",
        $"Where the report goes; default: {DefaultReport}, and none with --json");

    private readonly Option<string> _out = Text("--out", "DIR",
        $"A folder, made if it is missing, for the report ({DefaultReport}) and its JSON lines (study.jsonl)");

    private readonly Option<string> _seed = Text("--seed", "N", "Decides all chance; default: 1");

    private readonly Option<string> _jobs = Text("--jobs", "N", "Parts that run side by side; default: the processors");

    private readonly Option<string> _scale = Text("--scale", "F",
        "Divide all workloads, memories and times by F, 1 to 64; the default is 1, with --quick 4");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a line and nothing else on standard output",
    };

    private readonly CliContext _context;
    private readonly string[] _args;

    /// <summary>Makes the command.</summary>
    public StudyCommand(CliContext context, string[] args)
        : base("study", "Everything at a glance: replay, miss ratio curve, PUMA and flipping into one HTML report.")
    {
        (_context, _args) = (context, args);
        Option[] options = [_quick, _report, _out, _seed, _jobs, _scale, _json];
        foreach (Option option in options) Add(option);
        SetAction(result => new StudyRun(context, RequestOf(result)).Run());
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache study --quick
        perfcache study --report study.html
        perfcache study --quick --seed 7 --json > study.jsonl
        """;

    /// <inheritdoc/>
    public override string Notes => """
        The study is a list of commands of this program; the report shows below every figure which one made it, and with
        --json each part's lines are those that its command prints with --json. The same seed gives the same lines.

        Exit code: 0 success; 1 failed or stopped by Ctrl-C (finished parts are named, and the report has them and says
        that it is incomplete); 2 wrong usage, or an output file that cannot be opened.
        """;

    private StudyRequest RequestOf(ParseResult result)
    {
        bool isQuick = result.GetValue(_quick);
        bool json = result.GetValue(_json);
        string? report = result.GetValue(_report);
        string? folder = result.GetValue(_out);
        if (report is not null && folder is not null) throw new UsageException("--out has the report too; give one of --report and --out");
        if (folder is { Length: 0 }) throw new UsageException("--out: the name is empty");
        if (folder is not null) report = Path.Combine(folder, DefaultReport);
        long seed = result.GetValue(_seed) is { } seedText ? WholeNumber("--seed", seedText, 0, long.MaxValue) : 1;
        double scale = result.GetValue(_scale) is { } scaleText ? ScaleOf(scaleText) : isQuick ? StudyPlan.QuickScale : 1;
        return new StudyRequest
        {
            Steps = [.. StudyPlan.Of(scale, isQuick, seed).Select(step => step.Read(_context))],
            Jobs = result.GetValue(_jobs) is { } jobs
                ? (int)WholeNumber("--jobs", jobs, 1, 1024) : Environment.ProcessorCount,
            Report = report ?? (json ? null : DefaultReport),
            Folder = folder,
            Json = json,
            CommandLine = CommandLineOf(_args),
        };
    }

    private static double ScaleOf(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double scale) && scale is >= 1 and <= 64
            ? scale : throw new UsageException($"--scale: '{text}' is not a number from 1 to 64");
}
