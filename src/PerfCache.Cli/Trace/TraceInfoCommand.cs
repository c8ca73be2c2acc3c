// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using PerfCache.Simulation.Conversion;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Traces;

namespace PerfCache.Cli.Trace;

/// <summary><c>perfcache trace info</c>: what traces hold.</summary>
internal sealed class TraceInfoCommand : CliCommand
{
    private readonly Argument<string[]> _traces = TraceCommand.TraceArgument();

    private readonly TraceArguments _trace = new("Page size at which block requests are split; default: 4096");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a trace and nothing else on standard output",
    };

    private readonly CliContext _context;

    /// <summary>Makes the command.</summary>
    public TraceInfoCommand(CliContext context)
        : base("info", "What a trace holds: format, requests, distinct pages, files, sizes, times, writes.")
    {
        _context = context;
        Add(_traces);
        foreach (Option option in _trace.Options) Add(option);
        Add(_json);
        SetAction(Run);
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache trace info disk.vscsi.gz
        perfcache trace info disk.vscsi.gz --split --page-bytes 16384
        perfcache trace info a.trace b.trace --json
        """;

    /// <inheritdoc/>
    public override string Notes => """
        A page is a file and an id. Pages requested once are a hit for no cache. Times are in the trace's own unit.
        """;

    private int Run(ParseResult result)
    {
        string[] traces = result.GetValue(_traces) ?? [];
        TraceArguments.CheckNames(traces);
        if (traces.Length == 0) throw new UsageException("no trace given");
        TraceOptions options = _trace.TraceOptionsOf(result);
        long limit = _trace.LimitOf(result);
        bool json = result.GetValue(_json);
        foreach (ITraceSource source in traces.Select(trace => _context.OpenTrace(trace, options)).ToArray())
        {
            TraceSummary summary = ReplayProgressBar.Run(_context, source.Name,
                progress => TraceSummary.Read(source, limit, progress, _context.Cancellation));
            if (json) _context.Out.WriteLine(Json(summary));
            else Print(summary);
            if (_context.Cancellation.IsCancellationRequested)
                return CommandLine.Fail(_context, "stopped; what was read so far is printed", ExitCode.Failure);
        }

        return ExitCode.Success;
    }

    private void Print(TraceSummary summary)
    {
        _context.Out.WriteLine($"{summary.Trace}{(summary.Complete ? "" : " (incomplete: stopped here)")}");
        Line("format", summary.Format);
        Line("requests", ReplayTable.Number(summary.Requests));
        Line("distinct pages", $"{ReplayTable.Number(summary.DistinctPages)} "
            + $"({Share(summary.DistinctPages, summary.Requests)} of the requests)");
        Line("requested once", $"{ReplayTable.Number(summary.PagesRequestedOnce)} "
            + $"({Share(summary.PagesRequestedOnce, summary.DistinctPages)} of the pages)");
        if (summary.Files is int files) Line("files", ReplayTable.Number(files));
        Line("ids", string.Create(CultureInfo.InvariantCulture, $"{summary.SmallestId} to {summary.LargestId}"));
        if (summary.Writes is long writes)
            Line("writes", $"{ReplayTable.Number(writes)} ({Share(writes, summary.Requests)} of the requests)");
        if (summary.RequestedBytes is long bytes)
        {
            Line("bytes", $"{ReplayTable.Number(bytes)} in all, {ReplayTable.Number(summary.SmallestBytes ?? 0)} to "
                + $"{ReplayTable.Number(summary.LargestBytes ?? 0)} a request");
        }

        if (summary.FirstTime is long first)
            Line("times", string.Create(CultureInfo.InvariantCulture, $"{first} to {summary.LastTime}"));
        if (summary.Columns.HasFlag(TraceColumns.Next)) Line("next requests", "yes");
    }

    private void Line(string name, string value) => _context.Out.WriteLine($"  {name,-16}{value}");

    private static string Share(long part, long whole) =>
        ReplayTable.Fixed(100.0 * part / Math.Max(1, whole), "0.0") + "%";

    private static string Json(TraceSummary summary)
    {
        return JsonLine.Of(json =>
        {
            json.WriteString("trace", summary.Trace);
            json.WriteString("format", summary.Format);
            json.WriteNumber("requests", summary.Requests);
            json.WriteNumber("distinctPages", summary.DistinctPages);
            json.WriteNumber("pagesRequestedOnce", summary.PagesRequestedOnce);
            Write(json, "files", summary.Files);
            json.WriteNumber("smallestId", summary.SmallestId);
            json.WriteNumber("largestId", summary.LargestId);
            Write(json, "writes", summary.Writes);
            Write(json, "requestedBytes", summary.RequestedBytes);
            Write(json, "smallestBytes", summary.SmallestBytes);
            Write(json, "largestBytes", summary.LargestBytes);
            Write(json, "firstTime", summary.FirstTime);
            Write(json, "lastTime", summary.LastTime);
            json.WriteBoolean("hasNextRequests", summary.Columns.HasFlag(TraceColumns.Next));
            if (!summary.Complete) json.WriteBoolean("complete", false);
        });
    }

    private static void Write(Utf8JsonWriter json, string name, long? value)
    {
        if (value is long known) json.WriteNumber(name, known);
        else json.WriteNull(name);
    }
}
