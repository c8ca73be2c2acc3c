// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Cli;

/// <summary>What a replay's command line asks for, checked.</summary>
internal sealed record ReplayRequest
{
    public required IReadOnlyList<string> Traces { get; init; }

    public required TraceOptions TraceOptions { get; init; }

    public required ReplayOptions Options { get; init; }

    /// <summary>How to replay against the cache with page data, or null for the replay without.</summary>
    public LiveOptions? Live { get; init; }

    public string? Outcomes { get; init; }

    public string? Resident { get; init; }

    public string? Report { get; init; }

    public string? Csv { get; init; }

    public string? Timeline { get; init; }

    public bool Json { get; init; }

    /// <summary>The command as typed, for the report.</summary>
    public required string CommandLine { get; init; }

    /// <summary>What was not asked for and is assumed, or nothing.</summary>
    public required string Defaults { get; init; }
}

/// <summary>
/// <c>perfcache replay</c>: options and their checks. All options are strings here, so that every wrong
/// value gets a message of our own; <see cref="ReplayRun"/> does the work.
/// </summary>
internal sealed class ReplayCommand : CliCommand
{
    /// <summary>What is replayed where no trace is given.</summary>
    public const string DefaultTrace = "zipf:objects=100000,alpha=1.0,requests=2000000,seed=1";

    /// <summary>The policies where none is given.</summary>
    public const string DefaultPolicies = "linux-6,linux-3.15,lru,fifo";

    /// <summary>The sizes where none is given.</summary>
    public const string DefaultSizes = "1%,5%,10%,25%";

    private readonly Argument<string[]> _traces = new("TRACE")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "A file (plain, .gz or .zst), - for standard input, or a generator; default: " + DefaultTrace,
    };

    private readonly Option<string> _policy;

    private readonly Option<string> _frames = Text("--frames", "N,N", "Cache sizes in frames (pages)");

    private readonly Option<string> _size = Text("--size", "P%,P%",
        $"Cache sizes in percent of the trace's distinct pages, cut to whole frames; default: {DefaultSizes}");

    private readonly Option<string> _format = Text("--format", "F",
        "Trace format: " + string.Join(' ', TraceFormats.Names.Select(format => format.Name)));

    private readonly Option<string> _limit = Text("--limit", "N", "Replay the first N requests only");

    private readonly Option<string> _jobs = Text("--jobs", "N",
        "Threads in all; 1 disturbs the timing least; default: the processors");

    private readonly Option<string> _pageBytes = Text("--page-bytes", "N",
        "Page size at which block requests are split, and with --live that of the cache; default: 4096");

    private readonly Option<bool> _split = new("--split") { Description = "Split block requests into pages" };

    private readonly Option<string> _csvColumns = Text("--csv-columns", "COLUMNS",
        "Where a csv trace keeps its columns, for example id=5,size=4,time=2");

    private readonly Option<string> _outcomes = Text("--outcomes", "FILE",
        "Write one byte a request, h for a hit and m for a miss; one trace, policy and size only");

    private readonly Option<string> _resident = Text("--resident", "FILE",
        "Write the pages resident at the end, one a line; one trace, policy and size only");

    private readonly Option<string> _report = Text("--report", "FILE.html", "Write an HTML report with plots");

    private readonly Option<string> _csv = Text("--csv", "FILE", "Write all results as comma-separated values");

    private readonly Option<string> _warmup = Text("--warmup", "N|P%",
        "Requests at the start that fill the cache and are not counted: a number, or a part of the trace");

    private readonly Option<string> _timeline = Text("--timeline", "FILE",
        "Write the misses over time as comma-separated values, in at most 512 windows of requests");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a line and nothing else on standard output",
    };

    private readonly LiveArguments _live;

    private readonly PolicyCatalog _policies;

    private readonly string[] _args;

    /// <summary>Makes the command.</summary>
    public ReplayCommand(CliContext context, string[] args)
        : base("replay", "Replay traces through replacement policies and count misses.")
    {
        _args = args;
        _policies = context.Policies;
        _policy = Text("--policy", "NAMES",
            $"Replacement policies, comma-separated: {string.Join(' ', _policies.Names)}; default: {DefaultPolicies}");
        _live = new LiveArguments(_policies);
        Add(_traces);
        Option[] options =
        [
            _policy, _frames, _size, _format, _limit, _jobs, _pageBytes, _split, _csvColumns, _outcomes, _resident,
            _report, _csv, _timeline, _warmup, _json, .. _live.Options,
        ];
        foreach (Option option in options) Add(option);
        SetAction(result => new ReplayRun(context, RequestOf(result, context)).Run());
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache replay
        perfcache replay disk.vscsi.gz --policy linux-6,lru --size 0.1%,1%,10% --report disk.html
        perfcache replay zipf:objects=1000000,alpha=0.9,requests=10000000,seed=7 --frames 10000,100000 --json
        zcat pages.gz | perfcache replay - --format text --policy lru --frames 4096 --outcomes hits.txt
        perfcache replay disk.vscsi.gz --live --threads 2 --policy linux-6 --size 10% --load-latency-us 80
        """;

    /// <inheritdoc/>
    public override string Notes => $"""
        Policies (parameters as NAME:key=value,key=value):
        {Lines(_policies.Entries.SelectMany(PolicyLines))}
        linux-6 and linux-3.15 are the kernel's classic two-list LRU for clean page reads: no multi-generation LRU, no
        kswapd, no nested groups.

        Generators (parameters with their defaults):
        {Lines(Workload.Kinds.SelectMany(GeneratorLines))}

        Formats:
        {Lines(TraceFormats.Names.Select(format => $"{format.Name,-9} {format.Description}"))}

        --live runs the cache that programs embed, with its page data. Misses are all timed, from
        the moment that they are known until the page is let go; of the hits one in {LiveReplay.HitsPerSample}, clock included,
        because a clock on each would cost as much as the hit. GB/s counts the pages handed out. With --threads 1
        --reclaim direct it counts what a replay without --live counts; otherwise the threads' order varies the counts.

        Exit code: 0 success; 1 failed or stopped by Ctrl-C (what is finished is printed); 2 wrong usage, bad input,
        or an output file that cannot be opened.
        """;

    private static string Lines(IEnumerable<string> lines) => string.Join('\n', lines.Select(line => "  " + line));

    private static IEnumerable<string> PolicyLines(PolicyEntry policy) =>
        policy.Parameters.Select(parameter => $"{"",-12} {parameter.Name}: {parameter.Help}")
            .Prepend($"{policy.Name,-12} {policy.Summary}");

    private static IEnumerable<string> GeneratorLines(WorkloadInfo workload) =>
        [$"{workload.Name}:{workload.Parameters}", $"    {workload.Description}"];

    private static Option<string> Text(string name, string valueName, string description) =>
        new(name) { HelpName = valueName, Description = description };

    private ReplayRequest RequestOf(ParseResult result, CliContext context)
    {
        string[] traces = result.GetValue(_traces) ?? [];
        foreach (string trace in traces)
        {
            if (trace.StartsWith('-') && trace != "-") throw new UsageException($"unknown option '{trace}'");
            if (trace.Length == 0) throw new UsageException("a trace's name is empty");
        }

        if (traces.Count(trace => trace == "-") > 1) throw new UsageException("standard input can be given once");
        TraceOptions traceOptions = TraceOptionsOf(result);
        ReplayRequest request = new()
        {
            Traces = traces.Length == 0 ? [DefaultTrace] : traces,
            TraceOptions = traceOptions,
            Live = _live.OptionsOf(result, traceOptions.PageBytes,
            [
                (_outcomes, "leave it out, or replay without --live"),
                (_resident, "leave it out, or replay without --live"),
                (_report, "use --json"),
                (_csv, "use --json"),
                (_jobs, "use --threads"),
                (_warmup, "leave it out, or replay without --live"),
                (_timeline, "leave it out, or replay without --live"),
            ]),
            Options = OptionsOf(result, context),
            Outcomes = result.GetValue(_outcomes),
            Resident = result.GetValue(_resident),
            Report = result.GetValue(_report),
            Csv = result.GetValue(_csv),
            Timeline = result.GetValue(_timeline),
            Json = result.GetValue(_json),
            CommandLine = "perfcache " + string.Join(' ', _args.Select(Quote)),
            Defaults = DefaultsOf(result, traces.Length > 0),
        };
        CheckFiles(request);
        return request;
    }

    private TraceOptions TraceOptionsOf(ParseResult result)
    {
        TraceOptions options = new() { Split = result.GetValue(_split), CsvColumns = result.GetValue(_csvColumns) };
        if (result.GetValue(_format) is string format)
        {
            if (!TraceFormats.Names.Any(known => known.Name == format))
            {
                throw new UsageException($"--format: '{format}' is not one of "
                    + string.Join(' ', TraceFormats.Names.Select(known => known.Name)));
            }

            options = options with { Format = format };
        }

        return result.GetValue(_pageBytes) is string bytes
            ? options with { PageBytes = (int)WholeNumber("--page-bytes", bytes, 1, 1 << 30) }
            : options;
    }

    private ReplayOptions OptionsOf(ParseResult result, CliContext context)
    {
        string? frames = result.GetValue(_frames);
        string? size = result.GetValue(_size);
        if (frames is not null && size is not null) throw new UsageException("give --frames or --size, not both");
        ReplayOptions options = new()
        {
            Catalog = _policies,
            Policies = Checked("--policy",
                () => PolicySpec.ParseList(result.GetValue(_policy) ?? PoliciesByDefault(result))),
            Sizes = frames is not null
                ? Checked("--frames", () => CacheSize.ParseFrames(frames))
                : Checked("--size", () => CacheSize.ParsePercentages(size ?? DefaultSizes)),
        };
        foreach (PolicySpec policy in options.Policies)
        {
            Checked("--policy", () =>
            {
                if (_live.IsAskedFor(result)) _policies.CheckLive(policy);
                else if (context.CheckPolicy is not null) context.CheckPolicy(policy);
                else _policies.Check(policy);
                return policy;
            });
        }

        options = options with
        {
            KeepTimeline = (result.GetValue(_timeline) ?? result.GetValue(_report)) is not null,
            Warmup = result.GetValue(_warmup) is string warmup
                ? Checked("--warmup", () => Warmup.Parse(warmup)) : default,
        };
        if (result.GetValue(_limit) is string limit)
            options = options with { Limit = WholeNumber("--limit", limit, 1, long.MaxValue) };
        return result.GetValue(_jobs) is string jobs
            ? options with { Jobs = (int)WholeNumber("--jobs", jobs, 1, 1024) }
            : options;
    }

    private string PoliciesByDefault(ParseResult result) =>
        _live.IsAskedFor(result) ? LiveArguments.DefaultPolicies : DefaultPolicies;

    private string DefaultsOf(ParseResult result, bool hasTrace)
    {
        List<string> defaults = [];
        if (!hasTrace) defaults.Add(DefaultTrace);
        if (result.GetValue(_policy) is null) defaults.Add("--policy " + PoliciesByDefault(result));
        if (result.GetValue(_frames) is null && result.GetValue(_size) is null) defaults.Add("--size " + DefaultSizes);
        return string.Join(' ', defaults);
    }

    private static void CheckFiles(ReplayRequest request)
    {
        int cells = request.Options.Policies.Count * request.Options.Sizes.Count;
        if ((request.Outcomes ?? request.Resident) is not null && (cells != 1 || request.Traces.Count != 1))
        {
            string option = request.Outcomes is null ? "--resident" : "--outcomes";
            throw new UsageException($"{option} needs exactly one trace, one policy and one size, "
                + $"not {request.Traces.Count}, {request.Options.Policies.Count} "
                + $"and {request.Options.Sizes.Count}");
        }

        string?[] files = [request.Outcomes, request.Resident, request.Report, request.Csv, request.Timeline];
        string? twice = files.OfType<string>().Where(file => file.Length > 0).GroupBy(Path.GetFullPath)
            .FirstOrDefault(same => same.Count() > 1)?.First();
        if (twice is not null) throw new UsageException($"'{twice}' is given for two output files");
    }

    /// <summary>Parses digits, digits grouped by <c>_</c>, or a power such as <c>1e6</c>.</summary>
    private static long WholeNumber(string option, string text, long min, long max)
    {
        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        string digits = text.Replace("_", "", StringComparison.Ordinal);
        if (!decimal.TryParse(digits, Style, CultureInfo.InvariantCulture, out decimal number)
            || number != decimal.Truncate(number) || number < min || number > max)
        {
            string range = max == long.MaxValue ? $"of at least {min}" : $"from {min} to {max}";
            throw new UsageException($"{option}: '{text}' is not a whole number {range}");
        }

        return (long)number;
    }

    private static TValue Checked<TValue>(string option, Func<TValue> parse)
    {
        try
        {
            return parse();
        }
        catch (FormatException e)
        {
            throw new UsageException($"{option}: {e.Message}");
        }
    }

    private static string Quote(string arg)
    {
        bool isPlain = arg.Length > 0 && arg.All(c => char.IsLetterOrDigit(c) || "-_.,:=/%+@".Contains(c));
        return isPlain ? arg : "'" + arg.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
    }
}
