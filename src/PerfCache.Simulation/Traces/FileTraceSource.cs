// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Simulation.Traces;

/// <summary>A trace in a file or on standard input.</summary>
internal sealed class FileTraceSource : ITraceSource
{
    private readonly string _path;
    private readonly TraceOptions _options;
    private bool _isOpened;

    // Unknown until the first reader has seen how the trace writes pages; the address format writes but one
    // way.
    private PageForm _form;

    internal FileTraceSource(string path, TraceOptions options)
    {
        _path = path;
        _options = options;
        _form = options.Format == TraceFormats.Address ? PageForm.Hex : PageForm.Page;

        // What a shell substitutes for a command is a pipe under one of these.
        CanReopen = path != TraceSource.StandardInput &&
            !path.StartsWith("/dev/", StringComparison.Ordinal) &&
            !path.StartsWith("/proc/", StringComparison.Ordinal);
    }

    public string Name => _path;

    public bool CanReopen { get; private set; }

    public ITraceReader Open()
    {
        if (_isOpened && !CanReopen)
            throw new TraceFormatException(
                $"{TraceInput.OneLine(_path)}: a pipe can be read once only; save it to a file first");
        _isOpened = true;
        var input = new TraceInput(_path, _options);
        try
        {
            CanReopen &= input.IsRewindable;
            if (!input.Ensure(1))
                throw input.Error("is empty; a trace has at least one request");
            FileTraceReader reader = OpenReader(input);
            _form = reader.Form;
            return reader;
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    public string FormatPage(int file, ulong id) => _form switch
    {
        PageForm.Hex => "0x" + id.ToString("x", CultureInfo.InvariantCulture),
        PageForm.FileAndPage => string.Create(CultureInfo.InvariantCulture, $"{file} {id}"),
        _ => id.ToString(CultureInfo.InvariantCulture),
    };

    private FileTraceReader OpenReader(TraceInput input)
    {
        string format = _options.Format;
        if (format == TraceFormats.Auto)
            format = FormatDetector.Detect(input, _options);
        if (_options.Split && !TraceFormats.HasBlocks(format))
            throw input.Error(
                $"is of the format {format}, which has no blocks to split into pages; leave out --split");
        return format switch
        {
            TraceFormats.Csv => new CsvTraceReader(input, _options),
            TraceFormats.Oracle => new RecordTraceReader(input, RecordLayout.Oracle),
            TraceFormats.Lcs => new RecordTraceReader(input, LcsHeader.Parse(input)),
            TraceFormats.Vscsi => VscsiTrace.Open(input, _options),
            TraceFormats.Twr => new TwrTraceReader(input),
            TraceFormats.Arc => new ArcTraceReader(input, _options),
            TraceFormats.Spc => new SpcTraceReader(input, _options),
            TraceFormats.Msr => new MsrTraceReader(input, _options),
            TraceFormats.Address => new AddressTraceReader(input),
            TraceFormats.Text or TraceFormats.Lirs => new TextTraceReader(input, format),
            _ => new RecordTraceReader(input, RecordLayout.Ids(format)),
        };
    }
}
