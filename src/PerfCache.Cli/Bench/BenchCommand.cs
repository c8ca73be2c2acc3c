// SPDX-License-Identifier: MIT
using System.CommandLine;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli.Bench;

/// <summary><c>perfcache bench</c>: quick ratios against the floor on this machine.</summary>
internal static class BenchCommand
{
    /// <summary>The command, ready for the root.</summary>
    public static Command Create()
    {
        Option<bool> json = new("--json")
        {
            Description = "One JSON object a line on standard output; notes go to standard error.",
        };
        Option<bool> quick = new("--quick")
        {
            Description = "Fewer requests and pairs: a look in seconds, with more noise.",
        };
        Command command = new(
            "bench",
            "How many times as long as the floor (plain LRU over arrays) a replay takes on this machine, per policy."
            + " Example: perfcache bench --quick")
        {
            json, quick,
        };
        // On a thread of the pool, so that Ctrl-C is being watched while the passes run.
        command.SetAction((parsed, cancellation) => Task.Run(
            () => Run(
                parsed.GetValue(quick) ? BenchPlan.Quick : new BenchPlan(), parsed.GetValue(json),
                PolicyCatalog.Create, parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error,
                cancellation),
            CancellationToken.None));
        return command;
    }

    /// <summary>Measures and prints; every row is printed as soon as it is complete.</summary>
    /// <returns>The exit code: 0, or 1 when misses differ that must be equal or the user stopped
    /// it.</returns>
    public static int Run(
        BenchPlan plan, bool json, Func<PolicySpec, long, ReplayCell> createCell, TextWriter output,
        TextWriter errors, CancellationToken cancellation)
    {
        BenchReport.WriteHeader(json ? errors : output, plan);
        BenchSize? size = null;
        try
        {
            foreach (BenchRow row in new FloorRatios(plan, createCell).Measure(cancellation))
            {
                if (!json && row.Size != size) BenchReport.WriteSize(output, row.Size);
                size = row.Size;
                if (json) BenchReport.WriteJson(output, row);
                else BenchReport.WriteRow(output, row);
                output.Flush();
            }

            return 0;
        }
        catch (OperationCanceledException)
        {
            errors.WriteLine("bench: stopped; the rows printed are complete");
            return 1;
        }
        catch (InvalidOperationException failure)
        {
            errors.WriteLine($"bench: {failure.Message}");
            return 1;
        }
    }
}
