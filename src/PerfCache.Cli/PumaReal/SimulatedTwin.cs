// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Machines;
using PerfCache.Simulation.Scenarios;

namespace PerfCache.Cli.PumaReal;

/// <summary>The simulated scenarios with the sizes of the real ones, and the kernel of today. Costs stay those of
/// <see cref="MachineParameters"/>.</summary>
internal static class SimulatedTwin
{
    private const double PagesMin = 4096;

    /// <summary>Fills in what the simulation says.</summary>
    public static List<RealFigure> Compare(
        RealPlan plan, string scenario, IReadOnlyList<RealFigure> figures, CancellationToken cancellation)
    {
        double lender = scenario == "malloc" ? plan.ServerMebibytes : plan.RoomMebibytes;
        ScenarioOptions options = new()
        {
            Profiles = [KernelProfile.Linux6],
            // The smallest machines that there are: the same curves from the fewest events.
            Scale = Math.Clamp(Math.Min(lender, plan.CacheMebibytes) * 256 / PagesMin, 1, 8),
            Parameters = MachineParameters.Defaults.With("lender-mib", lender).With("borrower-mib", plan.CacheMebibytes),
        };
        ScenarioTable table = PumaStudy.Run(scenario, options, null, cancellation).Tables[0];
        return [.. figures.Select(figure => figure.Twin is null ? figure : figure with { Simulated = Cell(table, figure) })];
    }

    private static double Cell(ScenarioTable table, RealFigure figure)
    {
        int column = table.Columns.Select(one => one.Name).ToList().IndexOf(figure.Column!);
        // The first row of that name: where a scenario has two workloads, the hot set and its stream are the first.
        IReadOnlyList<object?>? row = table.Rows.FirstOrDefault(one => one.Contains(figure.Twin));
        return (row ?? throw new InvalidOperationException($"{figure.Scenario} has no run '{figure.Twin}'"))[column] switch
        {
            double number => number,
            long number => number,
            _ => throw new InvalidOperationException($"{figure.Scenario}: {figure.Column} is no number"),
        };
    }
}
