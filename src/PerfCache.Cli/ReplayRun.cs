// SPDX-License-Identifier: MIT
using System.Text;
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

        List<OutputFile> files = [];
        try
        {
            OutputFile? outcomes = Open(request.Outcomes, files);
            OutputFile? resident = Open(request.Resident, files);
            OutputFile? report = Open(request.Report, files);
            OutputFile? csv = Open(request.Csv, files);
            OutputFile? timeline = Open(request.Timeline, files);
            if (request.Defaults.Length > 0) context.Error.WriteLine($"perfcache replay: using {request.Defaults}");

            int exitCode = ReplayAll(sources, request.Options with { Outcomes = outcomes, Resident = resident });
            if (_results.Count > 0)
            {
                WriteFile(csv, writer => CsvTable.Write(writer, _results));
                WriteFile(timeline, writer => CsvTable.WriteTimelines(writer, _results));
                WriteFile(report, writer => new ReplayReport
                {
                    CommandLine = request.CommandLine,
                    MadeBy = CommandLine.Version,
                    Results = _results,
                }.Write(writer));
            }

            return exitCode;
        }
        catch (OutputPathException e)
        {
            return CommandLine.Fail(context, e.Message, ExitCode.Usage);
        }
        finally
        {
            foreach (OutputFile file in files) file.Dispose();
        }
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
            {
                return CommandLine.Fail(context,
                    _results.Count == 0 ? "stopped before the first result" : "stopped; what is finished is printed",
                    ExitCode.Failure);
            }
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

    private static OutputFile? Open(string? path, List<OutputFile> files)
    {
        if (path is null) return null;
        try
        {
            files.Add(OutputFile.Create(path));
            return files[^1];
        }
        catch (IOException e)
        {
            throw new OutputPathException(e.Message);
        }
    }

    private static void WriteFile(OutputFile? file, Action<TextWriter> write)
    {
        if (file is null) return;
        using (StreamWriter writer = new(file.Stream, new UTF8Encoding(false), leaveOpen: true)) write(writer);
        file.Commit();
    }

    /// <summary>
    /// An output file that cannot be opened: known before the work, so it counts as wrong usage.
    /// </summary>
    private sealed class OutputPathException(string message) : Exception(message);
}
