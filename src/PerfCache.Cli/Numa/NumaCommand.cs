// SPDX-License-Identifier: MIT
using System.CommandLine;
using PerfCache.Memory;
using static PerfCache.Cli.OptionText;

namespace PerfCache.Cli.Numa;

/// <summary><c>perfcache numa</c>: this machine's nodes, or nodes made up for it.</summary>
internal sealed class NumaCommand : CliCommand
{
    private readonly Option<string> _nodes = Text("--nodes", "N",
        $"Deal this machine's CPUs and memory out to N emulated nodes (1 to {NumaDistances.NodesMax})");

    private readonly Option<string> _distance = Text("--distance", "LOCAL,REMOTE",
        "Distances between emulated nodes, or a matrix with rows apart by semicolons; default: "
        + $"{NumaDistances.DefaultLocal},{NumaDistances.DefaultRemote}");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a line and nothing else on standard output",
    };

    /// <summary>Makes the command.</summary>
    public NumaCommand(CliContext context)
        : base("numa", "The NUMA nodes of this machine: CPUs, memory, distances; what is real and what is emulated.")
    {
        Add(_nodes);
        Add(_distance);
        Add(_json);
        Add(new NumaResidencyCommand(context));
        SetAction(result =>
        {
            NumaDistances? distances = DistancesOf(result);
            NumaTopology machine = NumaTopology.Read(context.MachineRoot);
            NumaTopology shown = distances is null ? machine : machine.Emulate(distances);
            string? reason = NumaSystem.ReasonFor(machine);
            if (result.GetValue(_json)) NumaReport.WriteJson(context.Out, shown, reason);
            else NumaReport.Write(context.Out, context.OutIsTerminal, machine, shown, reason);
            return ExitCode.Success;
        });
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache numa
        perfcache numa --json
        perfcache numa --nodes 4 --distance 10,21
        perfcache numa --nodes 3 --distance "10,21,31;21,10,21;31,21,10"
        perfcache numa residency 4711
        """;

    /// <inheritdoc/>
    public override string Notes => """
        Distances are the firmware's: 10 is local, 20 twice as far. Emulated nodes exist in this program only; they are
        marked as emulated wherever they show, and no time that is measured with them says anything of real nodes.
        """;

    private NumaDistances? DistancesOf(ParseResult result)
    {
        string? nodes = result.GetValue(_nodes);
        string? distance = result.GetValue(_distance);
        if (nodes is null)
        {
            return distance is null ? null
                : throw new UsageException("--distance is for emulated nodes; give their number with --nodes");
        }

        int count = (int)WholeNumber("--nodes", nodes, 1, NumaDistances.NodesMax);
        return distance is null
            ? NumaDistances.Uniform(count, NumaDistances.DefaultLocal, NumaDistances.DefaultRemote)
            : Checked("--distance", () => NumaDistances.Parse(distance, count));
    }
}
