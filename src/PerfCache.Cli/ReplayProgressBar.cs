// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Simulation.Replay;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace PerfCache.Cli;

/// <summary>
/// A progress bar with rate and time left on standard error while a trace is replayed or read; silent where no
/// person reads standard error.
/// </summary>
internal static class ReplayProgressBar
{
    private const int NameLengthMax = 40;

    /// <summary>Runs <paramref name="work"/> under a bar and returns its result.</summary>
    public static TResult Run<TResult>(
        CliContext context, string trace, Func<Action<ReplayProgress>?, TResult> work, string verb = "replaying")
    {
        if (!context.ErrorIsTerminal) return work(null);
        AnsiConsoleSettings settings = new() { Out = new AnsiConsoleOutput(context.Error) };
        IAnsiConsole console = AnsiConsole.Create(settings);
        RateColumn rate = new();
        Progress bar = console.Progress().AutoClear(true).Columns(
            new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), rate,
            new RemainingTimeColumn());
        string name = trace.Length <= NameLengthMax ? trace : trace[..(NameLengthMax - 1)] + "…";
        return bar.Start(tasks =>
        {
            ProgressTask? task = null;
            bool isCounting = false;
            return work(progress =>
            {
                if (task is null || isCounting != progress.Counting)
                {
                    // Each pass is a bar of its own: its rate and its time left are its own, too.
                    task?.StopTask();
                    isCounting = progress.Counting;
                    string pass = isCounting ? "counting the pages of" : verb;
                    task = tasks.AddTask($"{pass} {Markup.Escape(name)}", maxValue: 1);
                    task.IsIndeterminate = progress.Fraction < 0;
                }

                rate.Set(task.Id, progress.Requests);
                if (progress.Fraction >= 0) task.Value = progress.Fraction;
            });
        });
    }

    /// <summary>Million requests a second since the pass began.</summary>
    private sealed class RateColumn : ProgressColumn
    {
        private readonly Lock _gate = new();
        private readonly Dictionary<int, long> _requests = [];

        public void Set(int task, long requests)
        {
            lock (_gate) _requests[task] = requests;
        }

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime)
        {
            long requests;
            lock (_gate) requests = _requests.GetValueOrDefault(task.Id);
            double seconds = task.ElapsedTime?.TotalSeconds ?? 0;
            double rate = seconds > 0 ? requests / seconds / 1e6 : 0;
            return new Text(rate.ToString("0.0 M req/s", CultureInfo.InvariantCulture));
        }
    }
}
