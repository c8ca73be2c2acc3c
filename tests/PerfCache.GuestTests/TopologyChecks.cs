// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.GuestTests;

/// <summary>The reader of the topology says what the machine was built with.</summary>
internal static class TopologyChecks
{
    private const string Balancing = "/proc/sys/kernel/numa_balancing";

    internal static IReadOnlyList<GuestCheck> All { get; } =
    [
        new("the-two-nodes-are-those-the-machine-has", GuestKind.Two, _ => TwoNodes()),
        new("the-four-nodes-are-those-the-machine-has", GuestKind.Four, _ => FourNodes()),
        new("the-firmwares-figures-and-the-tiers-are-read", GuestKind.Four, _ => Firmware()),
        new("the-kernels-balancing-is-a-warning-while-it-is-on", GuestKind.Any, _ => BalancingWarning()),
        new("placement-is-real-here", GuestKind.Any, _ => PlacementIsReal()),
    ];

    private static void TwoNodes()
    {
        NumaTopology topology = NumaTopology.Read();
        Expect.Sequence(topology.Nodes.Select(node => $"{node.Number}:{node.Cpus}"), ["0:0", "1:1"], "nodes and CPUs");
        Expect.Sequence(topology.Node(0).Distances, [10, 21], "distances of node 0");
        Expect.Sequence(topology.Node(1).Distances, [21, 10], "distances of node 1");
        ExpectMemory(topology, [640, 160]);
    }

    private static void FourNodes()
    {
        NumaTopology topology = NumaTopology.Read();
        Expect.Sequence(
            topology.Nodes.Select(node => $"{node.Number}:{node.Cpus}"), ["0:0-1", "1:2-3", "2:", "3:"], "nodes and CPUs");
        Expect.Sequence(
            topology.Nodes.Select(node => node.IsMemoryOnly), [false, false, true, true], "nodes of memory alone");
        int[][] distances = [[10, 21, 17, 28], [21, 10, 28, 17], [17, 28, 10, 28], [28, 17, 28, 10]];
        foreach (NumaNode node in topology.Nodes)
            Expect.Sequence(node.Distances, distances[node.Number], $"distances of node {node.Number}");
        Expect.Sequence(topology.NodesByDistance(0).Select(node => node.Number), [0, 2, 1, 3], "fall back from node 0");
        ExpectMemory(topology, [640, 256, 128, 128]);
    }

    private static void ExpectMemory(NumaTopology topology, long[] mebibytes)
    {
        foreach (NumaNode node in topology.Nodes)
        {
            long configured = mebibytes[node.Number] << 20;
            Expect.That(
                node.HasMemory && node.IsMemoryAllowed && node.TotalBytes <= configured
                    && node.TotalBytes > configured / 2 && node.FreeBytes <= node.TotalBytes,
                $"node {node.Number} has {node.TotalBytes} bytes, {node.FreeBytes} free, of {configured}");
        }
    }

    private static void Firmware()
    {
        NumaTopology topology = NumaTopology.Read();
        foreach (NumaNode node in topology.Nodes)
        {
            NumaAccess expected = node.Number < 2 ? new NumaAccess(100, 20480) : new NumaAccess(250, 8192);
            Expect.Equal(node.Read, expected, $"reads of node {node.Number}");
            Expect.Equal(node.Write, expected, $"writes of node {node.Number}");
        }

        Expect.That(
            topology.Node(0).Tier is int fast && topology.Node(1).Tier == fast && topology.Node(2).Tier is int slow
                && topology.Node(3).Tier == slow && fast < slow,
            "tiers: " + string.Join(' ', topology.Nodes.Select(node => node.Tier)));
    }

    private static void BalancingWarning()
    {
        Expect.Equal(NumaTopology.Read().AutomaticBalancing, false, "balancing, which the start script switched off");
        Expect.Sequence(NumaTopology.Read().Warnings, [], "warnings");
        File.WriteAllText(Balancing, "1");
        try
        {
            NumaTopology topology = NumaTopology.Read();
            Expect.Equal(topology.AutomaticBalancing, true, "balancing");
            Expect.That(topology.Warnings is [string warning] && warning.Contains("balancing", StringComparison.Ordinal),
                "one warning about balancing");
        }
        finally
        {
            File.WriteAllText(Balancing, "0");
        }
    }

    private static void PlacementIsReal() => Expect.Equal(NumaSystem.OfThisMachine.Reason, null, "the reason why not");
}
