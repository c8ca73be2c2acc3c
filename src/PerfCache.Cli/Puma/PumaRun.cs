// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Machines;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Scenarios;
using Spectre.Console;

namespace PerfCache.Cli.Puma;

/// <summary>Does what the command line of <c>puma</c> asks for.</summary>
internal sealed class PumaRun(CliContext context, PumaRequest request)
{
    private readonly List<ScenarioReport> _finished = [];

    /// <summary>Runs and returns the exit code.</summary>
    public int Run()
    {
        using OutputFiles files = new();
        OutputFile? report = files.Open(request.Report);
        OutputFile? csv = files.Open(request.Csv);
        if (request.ShowsParameters && !request.Json) WriteParameters();
        bool stopped = false;
        foreach (string scenario in request.Scenarios)
        {
            try
            {
                ScenarioReport one = UnderProgress(
                    progress => PumaStudy.Run(
                        scenario, request.OptionsOf(scenario), progress, context.Cancellation),
                    out double seconds);
                _finished.Add(one);
                Print(one, seconds);
            }
            catch (OperationCanceledException)
            {
                stopped = true;
                break;
            }
        }

        if (_finished.Count > 0)
        {
            OutputFiles.Write(csv, writer => ScenarioText.WriteCsv(writer, _finished));
            OutputFiles.Write(report, writer => new ScenarioPage
            {
                CommandLine = request.CommandLine,
                MadeBy = CommandLine.Version,
                Reports = _finished,
            }.Write(writer));
        }

        return stopped ? CommandLine.Stopped(context, hasResults: _finished.Count > 0) : ExitCode.Success;
    }

    private void WriteParameters()
    {
        ParameterTable.WriteText(context.Out, request.Scenarios.Count == 0
            ? MachineParameters.Defaults : request.OptionsOf(request.Scenarios[0]).Parameters);
        context.Out.WriteLine();
    }

    private void Print(ScenarioReport report, double seconds)
    {
        // How long it really took is of this machine and moment: no result, so not where results are.
        if (report.Scenario == "scale")
        {
            double simulated = (double)report.Tables[0].Rows[0][1]!;
            long requests = (long)report.Tables[0].Rows[0][2]!;
            context.Error.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"scale: {seconds:0.0} s, {simulated / seconds:0.0} virtual seconds a second, "
                + $"{requests / seconds / 1e6:0.00} million I/Os a second"));
        }

        if (request.Json)
        {
            foreach (string line in ScenarioText.JsonLines(report)) context.Out.WriteLine(line);
            context.Out.Flush();
            return;
        }

        context.Out.WriteLine($"{report.Scenario}: {report.Question}");
        foreach (ScenarioTable table in report.Tables)
        {
            context.Out.WriteLine($"\n{table.Title}");
            ReplayTable.WriteRows(
                context.Out, context.OutIsTerminal, [.. table.Columns.Select(column => column.Heading)],
                table.Rows.Select(row => row.Select((value, i) => ScenarioText.Cell(table.Columns[i], value)).ToArray()));
        }

        context.Out.WriteLine();
        foreach (string finding in report.Findings) context.Out.WriteLine(finding);
        if (request.Why is { } why)
            foreach (string line in ScenarioText.Why(report, why)) context.Out.WriteLine(line);
        if (request.ShowsEvents)
            foreach (string line in ScenarioText.Decisions(report)) context.Out.WriteLine(line);
        context.Out.WriteLine();
        context.Out.Flush();
    }

    private TResult UnderProgress<TResult>(Func<Action<string, double>?, TResult> work, out double seconds)
    {
        long began = TimeProvider.System.GetTimestamp();
        try
        {
            if (!context.ErrorIsTerminal) return work(null);
            IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(context.Error) });
            return console.Progress().AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn()).Start(tasks =>
                {
                    ProgressTask? task = null;
                    string part = "";
                    return work((name, fraction) =>
                    {
                        if (task is null || name != part)
                        {
                            task?.StopTask();
                            task = tasks.AddTask(Markup.Escape(name), maxValue: 1);
                            part = name;
                        }

                        task.Value = fraction;
                    });
                });
        }
        finally
        {
            seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        }
    }
}
