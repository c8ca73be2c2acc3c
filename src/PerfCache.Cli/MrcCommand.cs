// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using static PerfCache.Cli.OptionText;

namespace PerfCache.Cli;

/// <summary>What the command line of <c>mrc</c> asks for, checked.</summary>
internal sealed record MrcRequest
{
    public required string Trace { get; init; }

    public required TraceOptions TraceOptions { get; init; }

    public required CurveOptions Options { get; init; }

    public string? Report { get; init; }

    public bool Json { get; init; }

    /// <summary>The command as typed, for the report.</summary>
    public required string CommandLine { get; init; }
}

/// <summary>
/// <c>perfcache mrc</c>: options and their checks; <see cref="MrcRun"/> does the work.
/// </summary>
internal sealed class MrcCommand : CliCommand
{
    /// <summary>The policy where none is given.</summary>
    public const string DefaultPolicies = "lru";

    private readonly Argument<string[]> _traces = new("TRACE")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "A file (plain, .gz or .zst), - for standard input, or a generator; default: "
            + ReplayCommand.DefaultTrace,
    };

    private readonly Option<string> _policy;

    private readonly Option<string> _points = Text("--points", "N",
        $"Sizes of a curve, spread by a factor from one frame to all pages; default: {CurveOptions.DefaultPoints}");

    private readonly Option<string> _frames = Text("--frames", "N,N", "The sizes, in frames (pages)");

    private readonly Option<string> _size = Text("--size", "P%,P%",
        "The sizes, in percent of the trace's distinct pages, cut to whole frames");

    private readonly Option<string> _sample = Text("--sample", "RATE",
        "Look at a part of the pages only: above 0, up to 1, for example 0.01");

    private readonly Option<string> _sampleSize = Text("--sample-size", "N",
        "Look at so many pages at most (lru only); with --sample, that is the rate to begin with");

    private readonly Option<string> _seed = Text("--seed", "N", "Which pages a sample has; default: 1");

    private readonly Option<bool> _check = new("--check")
    {
        Description = "With a sample: make the exact curves as well and print the error",
    };

    private readonly Option<string> _jobs = Text("--jobs", "N",
        "Threads that replay the sizes of policies other than lru; default: the processors");

    private readonly TraceArguments _trace =
        new("Page size: at which block requests are split, and in which sizes are told in bytes; default: 4096");

    private readonly Option<string> _report = Text("--report", "FILE.html", "Write an HTML report with the curves");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a line and nothing else on standard output",
    };

    private readonly string[] _args;

    private readonly PolicyCatalog _policies;

    /// <summary>Makes the command.</summary>
    public MrcCommand(CliContext context, string[] args)
        : base("mrc", "Miss ratio curves: how many misses with how much cache, exact or from a sample.")
    {
        _args = args;
        _policies = context.Policies;
        _policy = Text("--policy", "NAMES", "Replacement policies, comma-separated: "
            + $"{string.Join(' ', _policies.Names)}; default: {DefaultPolicies}").Offers(_policies.Names);
        Add(_traces);
        Option[] options =
        [
            _policy, _points, _frames, _size, _sample, _sampleSize, _seed, _check, _jobs, .. _trace.Options, _report,
            _json,
        ];
        foreach (Option option in options) Add(option);
        SetAction(result => new MrcRun(context, RequestOf(result)).Run());
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache mrc disk.vscsi.gz
        perfcache mrc disk.vscsi.gz --policy lru,linux-6 --points 24 --report curves.html
        perfcache mrc zipf:objects=1000000,alpha=0.8,requests=10000000,seed=2 --sample 0.01 --check
        zcat pages.gz | perfcache mrc - --format text --sample-size 8000 --page-bytes 16384 --json
        """;

    /// <inheritdoc/>
    public override string Notes => $"""
        lru takes one pass for all sizes (stack distances). Every other policy is replayed at every size.
        --sample looks at the pages whose hashed id is small: lru by SHARDS, others in miniature caches of
        RATE times the frames. Sizes then begin with what 32 pages of the sample stand for.
        --check prints two means of the absolute error: over sizes spread evenly up to the largest, and over
        the points. Both in percentage points of the miss ratio.
        The knee is the size whose share of the reachable hits exceeds its share of the largest size by most.

        {TraceArguments.Notes}

        Exit code: 0 success; 1 failed or stopped by Ctrl-C (what is finished is printed); 2 wrong usage, bad input,
        or an output file that cannot be opened.
        """;

    /// <summary>What a command line of this command asks for, without doing it.</summary>
    /// <exception cref="UsageException">It is wrong.</exception>
    internal static MrcRequest Read(CliContext context, string[] args)
    {
        MrcCommand command = new(context, args);
        ParseResult result = command.Parse(args[1..], CommandLine.Parser);
        if (result.Errors.Count > 0) throw new UsageException(result.Errors[0].Message);
        return command.RequestOf(result);
    }

    private MrcRequest RequestOf(ParseResult result)
    {
        string[] traces = result.GetValue(_traces) ?? [];
        TraceArguments.CheckNames(traces);
        if (traces.Length > 1) throw new UsageException($"give one trace, not {traces.Length}");
        return new MrcRequest
        {
            Trace = traces.FirstOrDefault(ReplayCommand.DefaultTrace),
            TraceOptions = _trace.TraceOptionsOf(result),
            Options = OptionsOf(result),
            Report = result.GetValue(_report),
            Json = result.GetValue(_json),
            CommandLine = CommandLineOf(_args),
        };
    }

    private CurveOptions OptionsOf(ParseResult result)
    {
        CurveOptions options = new()
        {
            Policies = Checked("--policy", () => PolicySpec.ParseList(result.GetValue(_policy) ?? DefaultPolicies)),
            Catalog = _policies,
            Sizes = SizesOf(result),
            SampleRate = result.GetValue(_sample) is string rate ? RateOf(rate) : null,
            SampleSize = result.GetValue(_sampleSize) is string size
                ? (int)WholeNumber("--sample-size", size, 1, 1 << 28) : null,
            Seed = result.GetValue(_seed) is string seed ? (ulong)WholeNumber("--seed", seed, 0, long.MaxValue) : 1,
            Check = result.GetValue(_check),
            Limit = _trace.LimitOf(result),
        };
        if (result.GetValue(_points) is string points)
            options = options with { Points = (int)WholeNumber("--points", points, 2, 10_000) };
        if (result.GetValue(_jobs) is string jobs)
            options = options with { Jobs = (int)WholeNumber("--jobs", jobs, 1, 1024) };
        if (!options.IsSampled && options.Check)
            throw new UsageException("--check compares a sample with the exact curve; give --sample or --sample-size");
        if (!options.IsSampled && result.GetValue(_seed) is not null)
            throw new UsageException("--seed needs --sample or --sample-size");
        return Checked("--policy", () =>
        {
            CurveRun.Check(options);
            return options;
        });
    }

    private IReadOnlyList<CacheSize>? SizesOf(ParseResult result)
    {
        string? frames = result.GetValue(_frames);
        string? size = result.GetValue(_size);
        string?[] ways = [frames, size, result.GetValue(_points)];
        if (ways.Count(way => way is not null) > 1) throw new UsageException("give one of --points, --frames and --size");
        if (frames is not null) return Checked("--frames", () => CacheSize.ParseFrames(frames));
        return size is null ? null : Checked("--size", () => CacheSize.ParsePercentages(size));
    }

    private static double RateOf(string text)
    {
        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (double.TryParse(text, Style, CultureInfo.InvariantCulture, out double rate) && rate is > 0 and <= 1)
            return rate;
        throw new UsageException($"--sample: '{text}' is not a rate above 0 and up to 1, such as 0.01");
    }
}
