// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using PerfCache.Numa;
using static PerfCache.Cli.OptionText;

namespace PerfCache.Cli.Numa;

/// <summary><c>perfcache numa residency PID</c>: on which nodes a process has its memory.</summary>
internal sealed class NumaResidencyCommand : CliCommand
{
    private readonly Argument<string> _process = new("PID")
    {
        Description = "The process's id; self for this program",
    };

    private readonly Option<string> _mappings = Text("--mappings", "N",
        "Also print the N largest mappings, with what they are, their policy, and their bytes on each node");

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a line and nothing else on standard output",
    };

    /// <summary>Makes the command.</summary>
    public NumaResidencyCommand(CliContext context)
        : base("residency", "On which NUMA nodes a process has its memory, by kind; its own or another's.")
    {
        Add(_process);
        Add(_mappings);
        Add(_json);
        SetAction(result =>
        {
            string? wanted = result.GetValue(_mappings);
            int mappings = wanted is null ? 0 : (int)WholeNumber("--mappings", wanted, 0, int.MaxValue);
            ProcessResidency residency = Read(result.GetValue(_process) ?? "", context.MachineRoot);
            if (result.GetValue(_json)) ResidencyReport.WriteJson(context.Out, residency, mappings);
            else ResidencyReport.Write(context.Out, context.OutIsTerminal, residency, mappings);
            return ExitCode.Success;
        });
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache numa residency 4711
        perfcache numa residency self --mappings 10
        perfcache numa residency 4711 --json
        """;

    /// <inheritdoc/>
    public override string Notes => """
        It is the kernel's list /proc/PID/numa_maps, added up. A page that several processes map counts in each. The
        kernel walks the page tables for it, which takes milliseconds a gigabyte; mappings cannot change meanwhile.
        """;

    private static ProcessResidency Read(string process, string root)
    {
        int id = Environment.ProcessId;
        if (process != "self"
            && !int.TryParse(process, NumberStyles.None, CultureInfo.InvariantCulture, out id))
        {
            throw new UsageException($"'{process}' is not the id of a process; give a number, or self");
        }

        try
        {
            return ProcessResidency.Read(id, root);
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message);
        }
    }
}
