// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.IO.Compression;
using PerfCache.Simulation.Conversion;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;
using static PerfCache.Cli.OptionText;

namespace PerfCache.Cli.Trace;

/// <summary><c>perfcache trace convert</c>: a trace in another format.</summary>
internal sealed class TraceConvertCommand : CliCommand
{
    private readonly Argument<string[]> _traces = TraceCommand.TraceArgument();

    private readonly Option<string> _to = Text("--to", "F", "The format to write: " + string.Join(' ', TraceConverter.Formats)).Offers(TraceConverter.Formats);

    private readonly Option<string> _output =
        Text("--output", "FILE", "The file to write, compressed if it ends in .gz; - for standard output");

    private readonly Option<bool> _renumber = new("--renumber")
    {
        Description = "Write numbers in the order of the pages' first requests instead of ids",
    };

    private readonly TraceArguments _trace =
        new("Page size: at which block requests are split, and the size of a request that has none; default: 4096");

    private readonly CliContext _context;

    /// <summary>Makes the command.</summary>
    public TraceConvertCommand(CliContext context) : base("convert", "Write a trace in another format.")
    {
        _context = context;
        _output.Aliases.Add("-o");
        Add(_traces);
        Add(_to);
        Add(_output);
        Add(_renumber);
        foreach (Option option in _trace.Options) Add(option);
        SetAction(Run);
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache trace convert disk.vscsi.gz --to oracle -o disk.oracleGeneral.gz
        perfcache trace convert disk.msr.csv --to text -o disk.trace.gz --limit 1e6
        perfcache trace convert zipf:objects=1000,requests=5000 --to csv -o -
        """;

    /// <inheritdoc/>
    public override string Notes => """
        What the format has no place for is left out, and a note on standard error says so. csv, oracle and bare ids know
        no files: a trace that has them gets a number for each page. oracle holds the whole trace in memory first.
        """;

    private int Run(ParseResult result)
    {
        string trace = TraceCommand.OneTrace(result.GetValue(_traces));
        string format = result.GetValue(_to)
            ?? throw new UsageException($"--to is missing; choose from {string.Join(' ', TraceConverter.Formats)}");
        if (!TraceConverter.Formats.Contains(format))
            throw new UsageException($"--to: '{format}' is not one of {string.Join(' ', TraceConverter.Formats)}");
        string path = result.GetValue(_output)
            ?? throw new UsageException("--output is missing; give a file, or - for standard output");
        if (path.EndsWith(".zst", StringComparison.OrdinalIgnoreCase))
            throw new UsageException("--output: zstd can be read, not written; use .gz, or pipe through zstd");
        TraceOptions traceOptions = _trace.TraceOptionsOf(result);
        ConversionOptions options = new()
        {
            Format = format,
            Limit = _trace.LimitOf(result),
            Renumber = result.GetValue(_renumber),
            SizeOfAll = (uint)traceOptions.PageBytes,
        };
        ITraceSource source = _context.OpenTrace(trace, traceOptions);
        return path == "-" ? ToStandardOutput(source, options) : ToFile(source, options, path);
    }

    private int ToStandardOutput(ITraceSource source, ConversionOptions options)
    {
        using Stream output = _context.OpenOut();
        return Convert(source, options, output, "standard output");
    }

    private int ToFile(ITraceSource source, ConversionOptions options, string path)
    {
        using OutputFiles files = new();
        OutputFile file = files.Open(path)!;
        int exitCode;
        if (path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
        {
            using GZipStream compressed = new(file.Stream, CompressionLevel.Optimal, leaveOpen: true);
            exitCode = Convert(source, options, compressed, path);
        }
        else
        {
            exitCode = Convert(source, options, file.Stream, path);
        }

        if (exitCode == ExitCode.Success) file.Commit();
        return exitCode;
    }

    private int Convert(ITraceSource source, ConversionOptions options, Stream output, string path)
    {
        Conversion conversion;
        try
        {
            conversion = ReplayProgressBar.Run(_context, source.Name,
                progress => TraceConverter.Convert(source, output, options, progress, _context.Cancellation), "converting");
            output.Flush();
        }
        catch (OperationCanceledException)
        {
            return CommandLine.Fail(_context, $"stopped; {path} is not complete and was not kept", ExitCode.Failure);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"cannot write '{path}': {e.Message}", e);
        }

        string lost = conversion.Lost == TraceColumns.None ? ""
            : $"; {options.Format} has no place for {TraceCommand.Describe(conversion.Lost)}";
        string numbers = conversion.IsRenumbered ? "; pages are numbered in the order of their first requests" : "";
        _context.Error.WriteLine(
            $"perfcache trace: {ReplayTable.Number(conversion.Requests)} requests to {path}{numbers}{lost}");
        return ExitCode.Success;
    }
}
