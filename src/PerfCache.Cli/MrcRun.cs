// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Traces;

namespace PerfCache.Cli;

/// <summary>Does what the command line of <c>mrc</c> asks for.</summary>
internal sealed class MrcRun(CliContext context, MrcRequest request)
{
    /// <summary>Runs and returns the exit code.</summary>
    public int Run()
    {
        ITraceSource source = context.OpenTrace(request.Trace, request.TraceOptions);
        using OutputFiles files = new();
        OutputFile? report = files.Open(request.Report);
        IReadOnlyList<MissRatioCurve> curves = ReplayProgressBar.Run(context, source.Name,
            progress => context.MakeCurves(source, request.Options, progress, context.Cancellation));
        if (curves.Count > 0)
        {
            Print(curves);
            OutputFiles.Write(report, writer => new CurveReport
            {
                CommandLine = request.CommandLine,
                MadeBy = CommandLine.Version,
                PageBytes = request.TraceOptions.PageBytes,
                Curves = curves,
            }.Write(writer));
        }

        if (!context.Cancellation.IsCancellationRequested) return ExitCode.Success;
        return CommandLine.Stopped(context, hasResults: curves.Count > 0);
    }

    private void Print(IReadOnlyList<MissRatioCurve> curves)
    {
        int pageBytes = request.TraceOptions.PageBytes;
        try
        {
            if (request.Json)
            {
                foreach (string line in curves.SelectMany(curve => CurveJson.Lines(curve, pageBytes)))
                    context.Out.WriteLine(line);
            }
            else
            {
                MrcTable.Write(context.Out, context.OutIsTerminal, curves, pageBytes);
            }

            context.Out.Flush();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The runtime says "no space left" or "access is denied", and not of what.
            throw new IOException($"cannot write to standard output: {e.Message}", e);
        }
    }
}
