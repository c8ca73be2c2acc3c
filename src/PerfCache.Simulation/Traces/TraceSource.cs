// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>The way in: from what a user writes for TRACE to a trace that can be opened.</summary>
public static class TraceSource
{
    /// <summary>The TRACE that means standard input.</summary>
    public const string StandardInput = "-";

    /// <summary>Understands a path, or <c>-</c>.</summary>
    /// <exception cref="TraceFormatException">Options are wrong, or the file is missing.</exception>
    public static ITraceSource Parse(string text, TraceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= new TraceOptions();
        Check(options);
        if (text.Length == 0)
            throw new TraceFormatException("the name of the trace is empty; name a file, - or a generator");
        CheckPresent(text);
        return new FileTraceSource(text, options);
    }

    /// <summary>Finds mistakes in the options before any file is touched.</summary>
    private static void Check(TraceOptions options)
    {
        if (!TraceFormats.IsKnown(options.Format))
            throw new TraceFormatException(TraceInput.OneLine(
                $"--format {options.Format}: no such trace format; the formats are {TraceFormats.List()}"));
        if (options.PageBytes is < 1 or > TraceOptions.PageBytesMax)
            throw new TraceFormatException($"--page-bytes {options.PageBytes}: must be from 1 to " +
                $"{TraceOptions.PageBytesMax}; {TraceOptions.DefaultPageBytes} is usual");
        if (options.CsvColumns is not null)
            _ = CsvColumns.Parse(options.CsvColumns);
    }

    // A file that is not there is said before hours of other traces are replayed; opening looks again.
    private static void CheckPresent(string path)
    {
        if (path == StandardInput || File.Exists(path) || Directory.Exists(path))
            return;
        throw new TraceFormatException($"{TraceInput.OneLine(path)}: no such file; check the path");
    }
}
