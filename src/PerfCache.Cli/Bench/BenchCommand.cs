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

    private readonly Option<string> _policies = new("--policy")
    {
        Description = $"The policies to measure, separated by commas; default: {string.Join(',', new BenchPlan().Policies)}.",
        HelpName = "NAMES",
    };

    /// <summary>Makes the command.</summary>
    public BenchCommand()
        : base("bench", "How fast each policy replays on this machine, as a part of the floor's speed (plain LRU over arrays).")
    {
        Add(_json);
        Add(_quick);
        Add(_policies.Offers(PolicyCatalog.BuiltIn.Names));
        // On a thread of the pool, so that Ctrl-C is being watched while the passes run.
        SetAction((parsed, cancellation) =>
        {
            BenchPlan plan = PlanOf(parsed);
            return Task.Run(
                () => Run(
                    plan, parsed.GetValue(_json), PolicyCatalog.BuiltIn.Create, parsed.InvocationConfiguration.Output,
                    parsed.InvocationConfiguration.Error, cancellation),
                CancellationToken.None);
        });
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache bench --quick
        perfcache bench --policy sieve,s3fifo:small=0.05 --json
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

    private BenchPlan PlanOf(ParseResult parsed)
    {
        BenchPlan plan = parsed.GetValue(_quick) ? BenchPlan.Quick : new BenchPlan();
        if (parsed.GetValue(_policies) is not { } policies) return plan;
        try
        {
            IReadOnlyList<PolicySpec> specs = PolicySpec.ParseList(policies);
            PolicySpec? clairvoyant = specs.FirstOrDefault(spec => PolicyCatalog.BuiltIn.Check(spec).NeedsNextUses);
            if (clairvoyant is not null)
                throw new UsageException($"--policy: '{clairvoyant.Text}' knows the future, which is not measured here");
            return plan with { Policies = [.. specs.Select(spec => spec.Text)] };
        }
        catch (FormatException e)
        {
            throw new UsageException($"--policy: {e.Message}");
        }
    }
}
