// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using PerfCache.Memory;
using PerfCache.Numa;

namespace PerfCache.GuestTests;

/// <summary>Where processes have their memory, and what a cpuset forbids.</summary>
internal static class ResidencyChecks
{
    private const string Group = "/cgroup/checks";

    internal static IReadOnlyList<GuestCheck> All { get; } =
    [
        new("the-kernels-list-says-the-same-as-the-query", GuestKind.Any, _ => OwnList()),
        new("another-process-can-be-looked-at", GuestKind.Any, _ => OtherProcess()),
        new("a-sample-tells-an-interleaved-range-right", GuestKind.Any, _ => Sampled()),
        new("a-cpuset-forbids-nodes-with-a-clear-complaint", GuestKind.Any, _ => Cpuset()),
    ];

    private static int[] MemoryNodes => [.. NumaTopology.Read().MemoryNodes.Numbers];

    private static void OwnList()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory memory = new(100 * nodes.Length);
        for (int part = 0; part < nodes.Length; part++)
            Expect.Equal(memory.BindPages(100 * part, 100, NumaPlacement.Bind(nodes[part])), 0, "error of the binding");
        memory.Touch();
        ProcessResidency own = ProcessResidency.Read(Environment.ProcessId);
        Expect.Equal(own.UnreadableLines, 0, "lines that were not understood");
        for (int part = 0; part < nodes.Length; part++)
        {
            ulong address = (ulong)(memory.Address + part * 100 * (nint)GuestMemory.PageBytes);
            ProcessMapping mapping = own.Mappings.Single(each => each.Address == address);
            Expect.Equal(mapping.Policy, $"bind:{nodes[part]}", "policy");
            Expect.Equal(mapping.Kind, MappingKind.Anonymous, "kind");
            Expect.Equal(mapping.BytesOnNode[nodes[part]], 100 * GuestMemory.PageBytes, "bytes on the node");
            Expect.Equal(mapping.BytesOnNode.Count, 1, "nodes of the mapping");
        }

        Expect.That(own.Mappings.Any(mapping => mapping.Kind == MappingKind.File), "files are mapped");
        Expect.Equal(
            own.Nodes.Sum(node => own.BytesOn(node)), own.Mappings.Sum(mapping => mapping.Bytes), "sum over the nodes");
    }

    private static void OtherProcess()
    {
        ProcessStartInfo start = new("/bin/busybox", ["sleep", "60"]);
        using Process sleeper = Process.Start(start)!;
        try
        {
            // The list of a process that has just begun is short; what it has is on nodes that exist.
            ProcessResidency other = ProcessResidency.Read(sleeper.Id);
            Expect.That(other.Mappings.Count > 0, "it has memory");
            Expect.That(other.Nodes.All(MemoryNodes.Contains), $"nodes: {string.Join(' ', other.Nodes)}");
            nint[] pages = [.. other.Mappings.Where(mapping => mapping.Kind != MappingKind.HugePages)
                .Select(mapping => (nint)mapping.Address)];
            int[] statuses = new int[pages.Length];
            Expect.Equal(NumaSystem.OfThisMachine.Query(sleeper.Id, pages, statuses), 0, "error of the query");
            Expect.That(
                statuses.All(status => status >= 0 ? other.Nodes.Contains(status) : status != NumaStatus.NotTold),
                $"statuses: {string.Join(' ', statuses)}");
        }
        finally
        {
            sleeper.Kill();
            sleeper.WaitForExit();
        }

        int gone = sleeper.Id;
        Expect.That(
            Expect.Throws<ArgumentException>(() => ProcessResidency.Read(gone)).Contains(
                gone.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal),
            "the complaint about a process that is gone");
    }

    private static void Sampled()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory memory = new(8000);
        Expect.Equal(memory.Bind(NumaPlacement.Interleave(nodes)), 0, "error of the binding");
        memory.Touch();
        PlacementReport sample = PlacementReport.Measure(
            NumaSystem.OfThisMachine, memory.Address, memory.Bytes, sampleMax: 1000);
        Expect.Equal(sample.AskedPages, 1000, "pages asked for");
        foreach (int node in nodes)
        {
            double share = sample.ShareOn(node);
            Expect.That(Math.Abs(share - 1.0 / nodes.Length) < 0.06, $"share of node {node}: {share}");
        }
    }

    // The last check: a task that enters a group takes its memory along.
    private static void Cpuset()
    {
        try
        {
            File.WriteAllText("/cgroup/cgroup.subtree_control", "+cpuset");
            Directory.CreateDirectory(Group);
            File.WriteAllText($"{Group}/cpuset.mems", "0");
            File.WriteAllText($"{Group}/cpuset.cpus", "0");
            File.WriteAllText($"{Group}/cgroup.procs", Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        }
        catch (IOException failure)
        {
            throw new SkippedException($"no cpuset can be made: {failure.Message}");
        }

        try
        {
            NumaTopology topology = NumaTopology.Read();
            Expect.Equal(topology.AllowedMemoryNodes.ToString(), "0", "nodes allowed");
            Expect.Equal(topology.AllowedCpus.ToString(), "0", "CPUs allowed");
            string complaint = Expect.Throws<ArgumentException>(() => NumaPlacement.Bind(1).CheckAgainst(topology));
            Expect.That(complaint.Contains("its cpuset forbids it; use 0", StringComparison.Ordinal), complaint);
            complaint = Expect.Throws<ArgumentException>(() => ThreadPin.ToNode(topology, 1));
            Expect.That(complaint.Contains("no CPU that this process may run on", StringComparison.Ordinal), complaint);
            using GuestMemory memory = new(4);
            Expect.Equal(memory.Bind(NumaPlacement.Bind(1)), OsMemory.InvalidArgument, "error of binding to node 1");
        }
        finally
        {
            File.WriteAllText(
                "/cgroup/cgroup.procs", Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        }
    }
}
