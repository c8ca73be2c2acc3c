// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Cli.Flipping;

/// <summary>Does what the command line of <c>flip</c> asks for.</summary>
internal sealed class FlipRun(CliContext context, FlipRequest request)
{
    private readonly List<FlipResult> _results = [];
    private readonly List<FlipSensitivity> _sensitivity = [];

    /// <summary>Prints the parameters.</summary>
    public static int ListParameters(CliContext context, ParameterSet parameters, bool json)
    {
        if (!json) ParameterTable.WriteText(context.Out, parameters);
        else
            foreach (Parameter one in parameters) context.Out.WriteLine(ParameterTable.Json(one));
        return ExitCode.Success;
    }

    /// <summary>Runs and returns the exit code.</summary>
    public int Run()
    {
        using OutputFiles files = new();
        OutputFile? report = files.Open(request.Report);
        OutputFile? csv = files.Open(request.Csv);
        foreach (PlacementModel placement in request.Placements) RunPlacement(placement);
        if (request.Sensitivity && !IsStopped) RunSensitivity();
        Print();
        if (_results.Count > 0)
        {
            OutputFiles.Write(report, writer => new FlipReport
            {
                CommandLine = request.CommandLine,
                MadeBy = CommandLine.Version,
                Scenario = request.Scenario,
                Results = _results,
                Sensitivity = _sensitivity,
            }.Write(writer));
            OutputFiles.Write(csv, writer => FlipLines.WriteCsv(writer, _results));
        }

        if (!IsStopped) return ExitCode.Success;
        return CommandLine.Stopped(context, hasResults: _results.Count > 0);
    }

    private bool IsStopped => context.Cancellation.IsCancellationRequested;

    private void RunPlacement(PlacementModel placement)
    {
        FlipScenario scenario = request.Scenario with { Placement = placement };
        foreach (FlipRemedy remedy in request.Remedies)
        {
            if (IsStopped) return;
            Progress($"{placement.ToString().ToLowerInvariant()} {remedy.Name}");
            _results.Add(FlipStudy.Run(scenario, remedy, context.Cancellation));
        }
    }

    private void RunSensitivity()
    {
        foreach (FlipSensitivity one in FlipStudy.Sensitivity(request.Scenario, context.Cancellation))
        {
            Progress($"halved and doubled: {one.Name}");
            if (!IsStopped) _sensitivity.Add(one);
        }
    }

    private void Progress(string what)
    {
        if (context.ErrorIsTerminal) context.Error.Write($"\r{what,-60}\r");
    }

    private void Print()
    {
        if (context.ErrorIsTerminal) context.Error.Write($"\r{"",-60}\r");
        try
        {
            if (request.Json) PrintJson();
            else PrintText();
            context.Out.Flush();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"cannot write to standard output: {e.Message}", e);
        }
    }

    private void PrintJson()
    {
        foreach (string line in FlipLines.All(request.Scenario, _results, _sensitivity)) context.Out.WriteLine(line);
    }

    private void PrintText()
    {
        TextWriter writer = context.Out;
        foreach (IGrouping<PlacementModel, FlipResult> runs in _results.GroupBy(result => result.Placement))
        {
            FlipResult first = runs.First();
            writer.WriteLine(FlipText.PlacementText(runs.Key));
            writer.WriteLine($"a guest of {CurveText.Size(first.GuestFrames, FlipParameters.PageBytes)}, "
                + $"{ReplayTable.Number(first.Packets)} packets in {first.DurationNanos / 1e9:0.##} s of virtual time, seed {first.Seed}");
            Table(FlipText.Columns, runs.Select(FlipText.Row));
            Table(FlipText.StreamColumns, FlipText.StreamRows(first));
            writer.WriteLine();
        }

        foreach (string note in FlipText.Notes) writer.WriteLine(note);
        DeliveryCosts costs = new(request.Scenario.Parameters);
        writer.WriteLine();
        Table(["bytes", "copy Gb/s", "flip Gb/s"], costs.Points().Select(point => new[]
        {
            ReplayTable.Number(point.Bytes), ReplayTable.Fixed(point.CopyGigabits, "0.00"),
            ReplayTable.Fixed(point.FlipGigabits, "0.00"),
        }));
        writer.WriteLine(FlipText.Crossover(costs.CrossoverBytes()));
        writer.WriteLine();
        ParameterTable.WriteText(writer, request.Scenario.Parameters);
        if (_sensitivity.Count == 0) return;
        writer.WriteLine();
        writer.WriteLine($"each parameter halved and doubled, at 1/{FlipStudy.SensitivityScale} of memory and time:");
        Table(FlipText.SensitivityColumns, _sensitivity.Select(one => FlipText.SensitivityRow(
            one, one.Name.Length == 0 ? 0 : request.Scenario.Parameters.Value(one.Name))));
    }

    private void Table(IReadOnlyList<string> columns, IEnumerable<string[]> rows) =>
        ReplayTable.WriteRows(context.Out, context.OutIsTerminal, columns, rows);
}
