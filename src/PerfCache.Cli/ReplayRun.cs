// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Traces;

namespace PerfCache.Cli;

/// <summary>
/// Does what a replay's command line asks for. Output files are opened first, so a wrong path shows before
/// hours of work; results are printed trace by trace; a trace that fails is named and the others go on.
/// </summary>
internal sealed class ReplayRun(CliContext context, ReplayRequest request)
{
    private readonly List<ReplayResult> _results = [];

    /// <summary>Runs and returns the exit code.</summary>
    public int Run()
    {
        List<ITraceSource> sources = [];
        foreach (string trace in request.Traces) sources.Add(context.OpenTrace(trace, request.TraceOptions));

        using OutputFiles files = new();
        OutputFile? outcomes = files.Open(request.Outcomes);
        OutputFile? resident = files.Open(request.Resident);
        OutputFile? report = files.Open(request.Report);
        OutputFile? csv = files.Open(request.Csv);
        OutputFile? timeline = files.Open(request.Timeline);
        if (request.Defaults.Length > 0) context.Error.WriteLine($"perfcache replay: using {request.Defaults}");

        int exitCode = ReplayAll(sources, request.Options with { Outcomes = outcomes, Resident = resident });
        if (_results.Count > 0)
        {
            OutputFiles.Write(csv, writer => CsvTable.Write(writer, _results));
            OutputFiles.Write(timeline, writer => CsvTable.WriteTimelines(writer, _results));
            OutputFiles.Write(report, writer => new ReplayReport
            {
                CommandLine = request.CommandLine,
                MadeBy = CommandLine.Version,
                Results = _results,
            }.Write(writer));
        }

        return exitCode;
    }

    private int ReplayAll(List<ITraceSource> sources, ReplayOptions options)
    {
        int exitCode = ExitCode.Success;
        foreach (ITraceSource source in sources)
        {
            try
            {
                Print(ReplayProgressBar.Run(context, source.Name, progress => Replay(source, options, progress)));
            }
            catch (TraceFormatException e)
            {
                exitCode = CommandLine.Fail(context, e.Message, ExitCode.Usage);
            }
            catch (OutOfMemoryException e)
            {
                // The next trace may be smaller. Bad input outranks it: that no rerun on a larger machine mends.
                exitCode = Math.Max(exitCode, ExitCode.Failure);
                CommandLine.Fail(context, $"{source.Name}: not enough memory: {e.Message}", exitCode);
            }

            if (context.Cancellation.IsCancellationRequested)
                return CommandLine.Stopped(context, hasResults: _results.Count > 0);
        }

        return exitCode;
    }

    private IReadOnlyList<ReplayResult> Replay(
        ITraceSource source, ReplayOptions options, Action<ReplayProgress>? progress) => request.Live is null
            ? context.Replay(source, options, progress, context.Cancellation)
            : context.ReplayLive(source, options, request.Live, progress, context.Cancellation);

    private void Print(IReadOnlyList<ReplayResult> results)
    {
        if (results.Count == 0) return;
        try
        {
            WriteResults(results);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The runtime says "no space left" or "access is denied", and not of what.
            throw new IOException($"cannot write to standard output: {e.Message}", e);
        }

        _results.AddRange(results);
    }

    private void WriteResults(IReadOnlyList<ReplayResult> results)
    {
        if (request.Json)
        {
            foreach (ReplayResult result in results) context.Out.WriteLine(JsonLines.Format(result));
        }
        else
        {
            if (_results.Count > 0) context.Out.WriteLine();
            if (request.Live is null) ReplayTable.Write(context.Out, context.OutIsTerminal, results);
            else LiveTable.Write(context.Out, context.OutIsTerminal, results);
        }

        context.Out.Flush();
    }
}
