// SPDX-License-Identifier: MIT
using System.CommandLine;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using static PerfCache.Cli.OptionText;

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

    private readonly Option<string> _jobs = Text("--jobs", "N",
        "Threads in all; 1 disturbs the timing least; default: the processors");

    private readonly TraceArguments _trace = new(
        "Page size at which block requests are split, and with --live that of the cache; default: 4096");

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

    private readonly DiskArguments _disk = new();

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
            $"Replacement policies, comma-separated: {string.Join(' ', _policies.Names)}; default: {DefaultPolicies}")
            .Offers(_policies.Names);
        _live = new LiveArguments(_policies);
        Add(_traces);
        Option[] options =
        [
            _policy, _frames, _size, .. _trace.Options, _jobs, _outcomes, _resident, _report, _csv, _timeline, _warmup,
            _json, .. _disk.Options, .. _live.Options,
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
        {TraceArguments.Lines(_policies.Entries.SelectMany(PolicyLines))}
        linux-6 and linux-3.15 are the kernel's classic two-list LRU for clean page reads: no multi-generation LRU, no
        kswapd, no nested groups.

        {TraceArguments.Notes}

        --live runs the cache that programs embed, with its page data. Misses are all timed, from
        the moment that they are known until the page is let go; of the hits one in {LiveReplay.HitsPerSample}, clock included,
        because a clock on each would cost as much as the hit. GB/s counts the pages handed out. With --threads 1
        --reclaim direct it counts what a replay without --live counts; otherwise the threads' order varies the counts.

        Exit code: 0 success; 1 failed or stopped by Ctrl-C (what is finished is printed); 2 wrong usage, bad input,
        or an output file that cannot be opened.
        """;

    private static IEnumerable<string> PolicyLines(PolicyEntry policy) =>
        policy.Parameters.Select(parameter => $"{"",-12} {parameter.Name}: {parameter.Help}")
            .Prepend($"{policy.Name,-12} {policy.Summary}");

    /// <summary>What a command line of this command asks for, without doing it.</summary>
    /// <exception cref="UsageException">It is wrong.</exception>
    internal static ReplayRequest Read(CliContext context, string[] args)
    {
        ReplayCommand command = new(context, args);
        ParseResult result = command.Parse(args[1..], CommandLine.Parser);
        if (result.Errors.Count > 0) throw new UsageException(result.Errors[0].Message);
        return command.RequestOf(result, context);
    }

    private ReplayRequest RequestOf(ParseResult result, CliContext context)
    {
        string[] traces = result.GetValue(_traces) ?? [];
        TraceArguments.CheckNames(traces);
        TraceOptions traceOptions = _trace.TraceOptionsOf(result);
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
            CommandLine = CommandLineOf(_args),
            Defaults = DefaultsOf(result, traces.Length > 0),
        };
        CheckFiles(request);
        return request;
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
            Limit = _trace.LimitOf(result),
            KeepTimeline = (result.GetValue(_timeline) ?? result.GetValue(_report)) is not null,
            Warmup = result.GetValue(_warmup) is string warmup
                ? Checked("--warmup", () => Warmup.Parse(warmup)) : default,
        };
        options = _disk.Apply(
            result, options, _live.IsAskedFor(result), wantsResident: result.GetValue(_resident) is not null);
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

        CheckDifferent(request.Outcomes, request.Resident, request.Report, request.Csv, request.Timeline);
    }
}
