// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Reports;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Cli.Flipping;

/// <summary><c>perfcache flip --live</c>: the real exchange in this process, on real nodes or modelled ones.</summary>
internal sealed class LiveFlipRun(CliContext context, IReadOnlyList<FlipRemedy> remedies, int emulatedNodes, bool json)
{
    /// <summary>Runs and returns the exit code.</summary>
    public int Run()
    {
        NumaTopology topology = NumaTopology.Read(context.MachineRoot);
        bool isEmulated = emulatedNodes > 0;
        if (isEmulated)
            topology = topology.Emulate(NumaDistances.Uniform(
                emulatedNodes, NumaDistances.DefaultLocal, NumaDistances.DefaultRemote));
        CopyBreakMeasurement costs = LiveFlip.Measure(topology, SystemOf(topology), TimeProvider.System);
        if (json) foreach (string line in FlipLines.Measured(costs)) context.Out.WriteLine(line);
        else WriteCosts(costs, isEmulated);
        List<LiveFlipResult> results = [];
        foreach (FlipRemedy remedy in remedies)
        {
            if (context.Cancellation.IsCancellationRequested) break;
            LiveFlipResult result = LiveFlip.Run(
                new LiveFlipOptions(), remedy, topology, SystemOf(topology), TimeProvider.System, context.Cancellation);
            results.Add(result);
            if (json) context.Out.WriteLine(FlipLines.Live(result, isEmulated));
        }

        if (!json) ReplayTable.WriteRows(context.Out, context.OutIsTerminal, FlipText.LiveColumns, results.Select(FlipText.LiveRow));
        if (results.Any(result => result.WrongPages > 0))
            return CommandLine.Fail(context, "pages arrived that did not hold what was sent", ExitCode.Failure);
        return context.Cancellation.IsCancellationRequested
            ? CommandLine.Stopped(context, hasResults: true) : ExitCode.Success;
    }

    // A model counts pages, so each run has its own.
    private INumaSystem SystemOf(NumaTopology topology) =>
        emulatedNodes > 0 ? new ModelledNumaSystem(topology, _ => 1 << 24) : NumaSystem.OfThisMachine;

    private void WriteCosts(CopyBreakMeasurement costs, bool isEmulated)
    {
        TextWriter writer = context.Out;
        writer.WriteLine(isEmulated
            ? "emulated nodes: ring, frames, bytes and policies are real, the nodes are a table; times say nothing of real nodes"
            : "real nodes of this machine");
        ReplayTable.WriteRows(writer, context.OutIsTerminal, ["bytes", "copy ns", "flip ns"], costs.Sizes.Select((bytes, i) => new[]
        {
            ReplayTable.Number(bytes), ReplayTable.Fixed(costs.CopyNanos[i], "0.0"), ReplayTable.Fixed(costs.FlipNanos[i], "0.0"),
        }));
        writer.WriteLine($"copy-break measured here: {costs.CopyBreakBytes} bytes (payload in the caches, one thread)");
        writer.WriteLine(double.IsNaN(costs.FenceNanos)
            ? "enforced isolation: this system cannot"
            : $"enforced isolation: {ReplayTable.Fixed(costs.FenceNanos, "0.0")} ns a page, in extents of 2 MiB");
        writer.WriteLine();
    }
}
