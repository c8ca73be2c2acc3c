// SPDX-License-Identifier: MIT
using System.CommandLine;
using PerfCache.Simulation.Replay;

namespace PerfCache.Cli.Bench;

/// <summary><c>perfcache bench</c>: quick ratios against the floor on this machine.</summary>
internal sealed class BenchCommand : CliCommand
{
    private readonly Option<bool> _json = new("--json")
    {
        Description = "One JSON object a line on standard output; notes go to standard error.",
    };

    private readonly Option<bool> _quick = new("--quick")
    {
        Description = "Fewer requests and pairs: a look in seconds, with more noise.",
    };

    /// <summary>Makes the command.</summary>
    public BenchCommand()
        : base("bench", "How fast each policy replays on this machine, as a part of the floor's speed (plain LRU over arrays).")
    {
        Add(_json);
        Add(_quick);
        // On a thread of the pool, so that Ctrl-C is being watched while the passes run.
        SetAction((parsed, cancellation) => Task.Run(
            () => Run(
                parsed.GetValue(_quick) ? BenchPlan.Quick : new BenchPlan(), parsed.GetValue(_json),
                PolicyCatalog.BuiltIn.Create, parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error,
                cancellation),
            CancellationToken.None));
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache bench --quick
        perfcache bench --json
        """;

    /// <inheritdoc/>
    public override string Notes => """
        Each row alternates passes of the floor and of the policy in this process and shows the median of the pairs'
        ratios with its ends. The machine's mood moves the speeds; the ratios are what to compare.
        """;

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
