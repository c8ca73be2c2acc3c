// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Machines;

namespace PerfCache.Simulation.Scenarios;

/// <summary>What a PUMA scenario is run with.</summary>
public sealed record ScenarioOptions
{
    private const uint PagesMin = 4096;

    /// <summary>Decides all chance.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The kernels whose page cache the machines have, each a run of its own.</summary>
    public IReadOnlyList<KernelProfile> Profiles { get; init; } = [KernelProfile.Linux315];

    /// <summary>The disks of the machines, where the scenario does not say.</summary>
    public DiskKind Disk { get; init; } = DiskKind.Ssd;

    /// <summary>
    /// Memory is divided by this, and what one I/O takes is multiplied by it: the same curves from a fraction of the events.
    /// </summary>
    public double Scale { get; init; } = 8;

    /// <summary>All numbers that the result depends on.</summary>
    public ParameterSet Parameters { get; init; } = MachineParameters.Defaults;

    /// <summary>True to run with each cost halved and doubled, where a scenario has few enough.</summary>
    public bool ShowsSensitivity { get; init; }

    /// <summary>The name of a trace whose requests the lender makes in <c>concurrent</c>; null for the built-in
    /// workloads.</summary>
    public Traces.ITraceSource? LenderTrace { get; init; }

    /// <summary>As <see cref="LenderTrace"/>, for the borrower.</summary>
    public Traces.ITraceSource? BorrowerTrace { get; init; }

    /// <summary>Pages of so much memory, scaled.</summary>
    internal uint Pages(string mebibytes) => (uint)(Parameters.Value(mebibytes) * 256 / Scale);

    /// <summary>The largest scale at which both machines have the pages that they need.</summary>
    internal double ScaleMax =>
        Math.Min(Parameters.Value("lender-mib"), Parameters.Value("borrower-mib")) * 256 / PagesMin;

    /// <summary>The parameters at this scale.</summary>
    internal ParameterSet Scaled => MachineParameters.Stretched(Parameters, Scale);

    /// <summary>Refuses machines that cannot be.</summary>
    /// <exception cref="ParameterException">One line: what, its value, what is possible.</exception>
    internal void Check()
    {
        if (!(Scale >= 1 && Scale <= 1024)) throw new ParameterException($"the scale is {Scale}; possible is 1 to 1024");
        if (Profiles.Count == 0) throw new ParameterException("no kernel is named; name linux-3.15 or linux-6");
        CheckMemory("lender-mib");
        CheckMemory("borrower-mib");
        double machines = Parameters.Value("lender-mib") + Parameters.Value("borrower-mib");
        if (Parameters.Value("host-mib") is > 0 and double host && host < machines)
        {
            throw new ParameterException(
                $"host-mib={host:0.###} is less than lender-mib and borrower-mib together, {machines:0.###}; give the host more");
        }

        if (Parameters.Value("send-pool") < Parameters.Value("message-pages"))
        {
            throw new ParameterException(
                $"send-pool={Parameters.Value("send-pool"):0} holds less than one message of "
                + $"message-pages={Parameters.Value("message-pages"):0}; make it as large at least");
        }
    }

    private void CheckMemory(string name)
    {
        uint pages = Pages(name);
        if (pages >= PagesMin) return;
        throw new ParameterException(
            $"{name}={Parameters.Value(name):0.###} is {pages} pages at scale {Scale:0.###}; a machine has at least {PagesMin} "
            + "(its watermarks and a few batches of reclaim); make it larger or the scale smaller");
    }
}
