// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Traces;

/// <summary>The way in: from what a user writes for TRACE to a trace that can be opened.</summary>
public static class TraceSource
{
    /// <summary>The TRACE that means standard input.</summary>
    public const string StandardInput = "-";

    /// <summary>
    /// Understands a path, <c>-</c>, or a generator such as <c>zipf:objects=1000,requests=50000</c>. What
    /// begins with a generator's name and a colon is a generator, even if a file of that name exists;
    /// everything else is a path.
    /// </summary>
    /// <exception cref="TraceFormatException">Options or generator parameters are wrong, or the file is
    /// missing.</exception>
    public static ITraceSource Parse(string text, TraceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= new TraceOptions();
        Check(options);
        if (Workload.TryParse(text) is { } workload)
            return new WorkloadTraceSource(workload);
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
        int colon = path.IndexOf(':');
        string hint = colon > 0 && !path.Contains(Path.DirectorySeparatorChar)
            ? $"no such file, and the generators are {Workload.NameList()}"
            : "no such file; check the path";
        throw new TraceFormatException($"{TraceInput.OneLine(path)}: {hint}");
    }
}
