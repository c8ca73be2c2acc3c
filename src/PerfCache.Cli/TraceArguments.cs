// SPDX-License-Identifier: MIT
using System.CommandLine;
using PerfCache.Simulation.Traces;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Cli;

/// <summary>The options that say how a trace is read, for every command that reads one.</summary>
internal sealed class TraceArguments(string pageBytesDescription)
{
    private readonly Option<string> _limit = OptionText.Text("--limit", "N", "Read the first N requests only");

    private readonly Option<string> _format = OptionText.Text("--format", "F",
        "Trace format: " + string.Join(' ', TraceFormats.Names.Select(format => format.Name)))
        .Offers(TraceFormats.Names.Select(format => format.Name));

    private readonly Option<string> _pageBytes = OptionText.Text("--page-bytes", "N", pageBytesDescription);

    private readonly Option<bool> _split = new("--split") { Description = "Split block requests into pages" };

    private readonly Option<string> _csvColumns = OptionText.Text("--csv-columns", "COLUMNS",
        "Where a csv trace keeps its columns, for example id=5,size=4,time=2");

    /// <summary>The options, in the order in which help lists them.</summary>
    public IReadOnlyList<Option> Options => [_format, _limit, _pageBytes, _split, _csvColumns];

    /// <summary>The generators and formats, for the notes of a command's help.</summary>
    public static string Notes => $"""
        Generators (parameters with their defaults):
        {Lines(Workload.Kinds.SelectMany(GeneratorLines))}

        Formats:
        {Lines(TraceFormats.Names.Select(format => $"{format.Name,-9} {format.Description}"))}
        """;

    /// <summary>How to read, checked.</summary>
    public TraceOptions TraceOptionsOf(ParseResult result)
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
            ? options with { PageBytes = (int)OptionText.WholeNumber("--page-bytes", bytes, 1, 1 << 30) }
            : options;
    }

    /// <summary>The requests to read at most.</summary>
    public long LimitOf(ParseResult result) => result.GetValue(_limit) is string limit
        ? OptionText.WholeNumber("--limit", limit, 1, long.MaxValue) : long.MaxValue;

    /// <summary>Refuses names that cannot be a trace's.</summary>
    public static void CheckNames(IReadOnlyCollection<string> traces)
    {
        foreach (string trace in traces)
        {
            if (trace.StartsWith('-') && trace != "-") throw new UsageException($"unknown option '{trace}'");
            if (trace.Length == 0) throw new UsageException("a trace's name is empty");
        }

        if (traces.Count(trace => trace == "-") > 1) throw new UsageException("standard input can be given once");
    }

    /// <summary>Lines moved in by two spaces.</summary>
    public static string Lines(IEnumerable<string> lines) => string.Join('\n', lines.Select(line => "  " + line));

    private static IEnumerable<string> GeneratorLines(WorkloadInfo workload) =>
        [$"{workload.Name}:{workload.Parameters}", $"    {workload.Description}"];
}
