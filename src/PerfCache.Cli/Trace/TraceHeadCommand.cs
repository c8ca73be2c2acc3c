// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Traces;
using static PerfCache.Cli.OptionText;

namespace PerfCache.Cli.Trace;

/// <summary><c>perfcache trace head</c>: the first requests of a trace, as they were understood.</summary>
internal sealed class TraceHeadCommand : CliCommand
{
    private const int LinesDefault = 10;

    private readonly Argument<string[]> _traces = TraceCommand.TraceArgument();

    private readonly Option<string> _lines =
        Text("--lines", "N", string.Create(CultureInfo.InvariantCulture, $"Requests to show; default: {LinesDefault}"));

    private readonly TraceArguments _trace = new("Page size at which block requests are split; default: 4096");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a request and nothing else on standard output",
    };

    private readonly CliContext _context;

    /// <summary>Makes the command.</summary>
    public TraceHeadCommand(CliContext context)
        : base("head", "The first requests of a trace, as they are understood.")
    {
        _context = context;
        _lines.Aliases.Add("-n");
        Add(_traces);
        Add(_lines);
        foreach (Option option in _trace.Options) Add(option);
        Add(_json);
        SetAction(Run);
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache trace head disk.vscsi.gz
        perfcache trace head log.csv --csv-columns id=5,size=4 -n 3 --json
        """;

    private int Run(ParseResult result)
    {
        string trace = TraceCommand.OneTrace(result.GetValue(_traces));
        long lines = result.GetValue(_lines) is string text
            ? WholeNumber("--lines", text, 1, 1_000_000) : LinesDefault;
        lines = Math.Min(lines, _trace.LimitOf(result));
        ITraceSource source = _context.OpenTrace(trace, _trace.TraceOptionsOf(result));
        using ITraceReader reader = source.Open();
        TraceBlock block = new(reader.Columns & ~TraceColumns.Notes, (int)lines);
        List<string[]> rows = [];
        long shown = 0;
        while (shown < lines && reader.Read(block) && !_context.Cancellation.IsCancellationRequested)
        {
            for (int i = 0; i < block.Count && shown < lines; i++)
            {
                shown++;
                if (result.GetValue(_json)) _context.Out.WriteLine(Json(source, block, i, shown));
                else rows.Add(Cells(source, block, i, shown));
            }
        }

        if (rows.Count > 0) ReplayTable.WriteRows(_context.Out, _context.OutIsTerminal, Columns(block), rows);
        return ExitCode.Success;
    }

    private static string[] Columns(TraceBlock block)
    {
        List<string> names = ["request", block.Files.Length > 0 ? "file page" : "page"];
        if (block.Writes.Length > 0) names.Add("r/w");
        if (block.Sizes.Length > 0) names.Add("bytes");
        if (block.Times.Length > 0) names.Add("time");
        if (block.Nexts.Length > 0) names.Add("next");
        return [.. names];
    }

    private static string[] Cells(ITraceSource source, TraceBlock block, int i, long request)
    {
        List<string> cells = [Number(request), source.FormatPage(FileOf(block, i), block.Ids[i])];
        if (block.Writes.Length > 0) cells.Add(block.Writes[i] ? "w" : "r");
        if (block.Sizes.Length > 0) cells.Add(Number(block.Sizes[i]));
        if (block.Times.Length > 0) cells.Add(Number(block.Times[i]));
        if (block.Nexts.Length > 0) cells.Add(block.Nexts[i] == long.MaxValue ? "-" : Number(block.Nexts[i]));
        return [.. cells];
    }

    private static string Json(ITraceSource source, TraceBlock block, int i, long request)
    {
        return JsonLine.Of(json =>
        {
            json.WriteNumber("request", request);
            json.WriteString("page", source.FormatPage(FileOf(block, i), block.Ids[i]));
            json.WriteNumber("id", block.Ids[i]);
            if (block.Files.Length > 0) json.WriteNumber("file", block.Files[i]);
            if (block.Writes.Length > 0) json.WriteBoolean("write", block.Writes[i]);
            if (block.Sizes.Length > 0) json.WriteNumber("bytes", block.Sizes[i]);
            if (block.Times.Length > 0) json.WriteNumber("time", block.Times[i]);
            if (block.Nexts.Length > 0 && block.Nexts[i] != long.MaxValue) json.WriteNumber("next", block.Nexts[i]);
        });
    }

    private static int FileOf(TraceBlock block, int i) => block.Files.Length > 0 ? block.Files[i] : 0;

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
