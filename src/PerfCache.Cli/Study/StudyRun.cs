// SPDX-License-Identifier: MIT
using System.Runtime.ExceptionServices;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Reports;
using Spectre.Console;

namespace PerfCache.Cli.Study;

/// <summary>
/// Does what the command line of <c>study</c> asks for: runs the parts side by side, each on one thread, and writes what
/// they found in the order of the plan. A part is finished or it is not there; when the study is stopped, the report has
/// the finished ones and names the others.
/// </summary>
internal sealed class StudyRun(CliContext context, StudyRequest request)
{
    private readonly Lock _gate = new();
    private readonly StudyPart?[] _parts = new StudyPart?[request.Steps.Count];
    private readonly double[] _fractions = new double[request.Steps.Count];
    private int _next;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Runs and returns the exit code.</summary>
    public int Run()
    {
        using OutputFiles files = new();
        MakeFolder();
        OutputFile? report = files.Open(request.Report);
        OutputFile? lines = files.Open(request.Folder is null ? null : Path.Combine(request.Folder, "study.jsonl"));
        RunParts();
        _failure?.Throw();
        StudyPart[] finished = [.. _parts.OfType<StudyPart>()];
        string[] missing = [.. request.Steps.Where((_, i) => _parts[i] is null).Select(step => step.Name)];
        if (finished.Length == 0) return CommandLine.Fail(context, "stopped before the first part was finished",
            ExitCode.Failure);
        OutputFiles.Write(lines, writer =>
        {
            foreach (string line in StudyLines.Of(finished)) writer.Write(line + "\n");
        });
        OutputFiles.Write(report, writer => new StudyReport
        {
            CommandLine = request.CommandLine,
            Parts = finished,
            Unfinished = missing,
            Machine = StudyMachine.Facts(context.MachineRoot),
        }.Write(writer));
        Print(finished);
        return missing.Length == 0 ? ExitCode.Success : CommandLine.Fail(context,
            $"stopped; finished: {string.Join(", ", finished.Select(part => part.Name))}; missing: {string.Join(", ", missing)}"
            + (report is null ? "" : "; the report says that it is incomplete"), ExitCode.Failure);
    }

    private void MakeFolder()
    {
        if (request.Folder is null) return;
        try
        {
            Directory.CreateDirectory(request.Folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new OutputPathException($"cannot make the folder '{request.Folder}': {e.Message.TrimEnd('.')}");
        }
    }

    private void RunParts()
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(context.Cancellation);
        Thread[] workers = new Thread[Math.Min(request.Jobs, request.Steps.Count)];
        for (int i = 0; i < workers.Length; i++)
        {
            workers[i] = new Thread(() => Work(stop)) { IsBackground = true, Name = $"study {i + 1}" };
            workers[i].Start();
        }

        if (context.ErrorIsTerminal) ShowProgress(workers);
        foreach (Thread worker in workers) worker.Join();
    }

    private void Work(CancellationTokenSource stop)
    {
        while (!stop.IsCancellationRequested)
        {
            int at;
            lock (_gate) at = _next++;
            if (at >= request.Steps.Count) return;
            try
            {
                _parts[at] = request.Steps[at].Run(fraction => Volatile.Write(ref _fractions[at], fraction), stop.Token);
                Volatile.Write(ref _fractions[at], 1);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e)
            {
                // The others stop at their next step; the first one's reason is the one that is told.
                lock (_gate) _failure ??= ExceptionDispatchInfo.Capture(e);
                stop.Cancel();
                return;
            }
        }
    }

    private void ShowProgress(Thread[] workers)
    {
        const int RefreshMilliseconds = 200;
        double all = request.Steps.Sum(step => step.Weight);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(context.Error) });
        console.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(tasks =>
            {
                ProgressTask task = tasks.AddTask(Stage(), maxValue: all);
                foreach (Thread worker in workers)
                {
                    do
                    {
                        task.Description = Stage();
                        task.Value = request.Steps.Index().Sum(step =>
                            step.Item.Weight * Volatile.Read(ref _fractions[step.Index]));
                    }
                    while (!worker.Join(RefreshMilliseconds));
                }
            });
    }

    /// <summary>How many parts are done, and which are under way.</summary>
    private string Stage()
    {
        int begun;
        lock (_gate) begun = Math.Min(_next, request.Steps.Count);
        string[] running = [.. request.Steps.Take(begun).Where((_, i) => Volatile.Read(ref _fractions[i]) < 1)
            .Select(step => step.Name)];
        string done = $"{begun - running.Length} of {request.Steps.Count} done";
        return Markup.Escape(running.Length == 0 ? done : $"{done}; now {string.Join(", ", running)}");
    }

    private void Print(StudyPart[] finished)
    {
        try
        {
            if (request.Json)
            {
                foreach (string line in StudyLines.Of(finished)) context.Out.WriteLine(line);
            }
            else
            {
                foreach (string sentence in StudySummary.Sentences(finished)) context.Out.WriteLine($"{sentence}\n");
                if (request.Report is not null) context.Out.WriteLine($"The report, with plots and tables: {request.Report}");
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
