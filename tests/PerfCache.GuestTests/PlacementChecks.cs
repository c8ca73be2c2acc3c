// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.GuestTests;

/// <summary>Pages land where they were bound, page by page.</summary>
internal static class PlacementChecks
{
    internal static IReadOnlyList<GuestCheck> All { get; } =
    [
        new("bound-pages-land-on-their-node", GuestKind.Any, _ => Bound()),
        new("parts-of-a-range-have-nodes-of-their-own", GuestKind.Any, _ => Parts()),
        new("interleaved-pages-take-turns", GuestKind.Any, _ => Interleaved()),
        new("preferred-pages-land-on-the-preferred-nodes", GuestKind.Any, _ => Preferred()),
        new("a-pinned-thread-touches-local-memory", GuestKind.Any, _ => Pinned()),
        new("huge-pages-land-on-their-node-whole", GuestKind.Any, _ => HugePages()),
        new("huge-pages-set-aside-come-from-their-node-and-end", GuestKind.Any, _ => HugePool()),
        new("a-thread-has-a-placement-until-it-is-restored", GuestKind.Any, _ => ThreadPolicy()),
    ];

    private static int[] MemoryNodes => [.. NumaTopology.Read().MemoryNodes.Numbers];

    private static void Bound()
    {
        foreach (int node in MemoryNodes)
        {
            using GuestMemory memory = new(100);
            Expect.Equal(memory.Bind(NumaPlacement.Bind(node)), 0, "error of the binding");
            Expect.Each<int>(memory.Nodes(), _ => NumaStatus.NotTouched, "before the touch");
            Expect.Each<int>(memory.Touch().Nodes(), _ => node, $"bound to {node}");
        }
    }

    private static void Parts()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory memory = new(25 * nodes.Length);
        for (int part = 0; part < nodes.Length; part++)
            Expect.Equal(memory.BindPages(25 * part, 25, NumaPlacement.Bind(nodes[^(part + 1)])), 0, "error of the binding");
        Expect.Each<int>(memory.Touch().Nodes(), page => nodes[^(page / 25 + 1)], "parts in falling order");
    }

    private static void Interleaved()
    {
        int[] nodes = MemoryNodes;
        using GuestMemory memory = new(40);
        Expect.Equal(memory.Bind(NumaPlacement.Interleave(nodes)), 0, "error of the binding");
        int[] found = memory.Touch().Nodes();
        int first = Array.IndexOf(nodes, found[0]);
        Expect.Each<int>(found, page => nodes[(first + page) % nodes.Length], "in turn");
    }

    private static void Preferred()
    {
        int[] nodes = MemoryNodes;
        foreach (int node in nodes)
        {
            using GuestMemory memory = new(20);
            Expect.Equal(memory.Bind(NumaPlacement.Preferred(node)), 0, "error of the binding");
            Expect.Each<int>(memory.Touch().Nodes(), _ => node, $"node {node} preferred");
        }

        using GuestMemory several = new(20);
        Expect.Equal(several.Bind(NumaPlacement.Preferred(nodes[^2], nodes[^1])), 0, "error of binding to several");
        foreach (int found in several.Touch().Nodes())
            Expect.That(found == nodes[^2] || found == nodes[^1], $"one of the last two, found {found}");
    }

    private static void Pinned()
    {
        NumaTopology topology = NumaTopology.Read();
        foreach (int node in topology.CpuNodes.Numbers)
        {
            using GuestMemory memory = new(20);
            Expect.Equal(memory.Bind(NumaPlacement.Local), 0, "error of the binding");
            using (ThreadPin pin = ThreadPin.ToNode(topology, node))
            {
                Expect.Equal(pin.Cpus.ToString(), topology.Node(node).Cpus.ToString(), "CPUs of the pin");
                memory.Touch();
            }

            Expect.Each<int>(memory.Nodes(), _ => node, $"touched from node {node}");
            Expect.Equal(
                NumaTopology.Read().AllowedCpus.ToString(), topology.AllowedCpus.ToString(), "CPUs after the pin");
        }

        int[] withoutCpus = [.. topology.Nodes.Where(node => node.IsMemoryOnly).Select(node => node.Number)];
        foreach (int node in withoutCpus)
        {
            Expect.That(
                Expect.Throws<ArgumentException>(() => ThreadPin.ToNode(topology, node)).Contains(
                    "has memory only", StringComparison.Ordinal),
                "the complaint about a node without CPUs");
        }
    }

    private static void HugePages()
    {
        int[] nodes = MemoryNodes;
        const int Pages = 1024;
        using PageMemory memory = new((uint)(Pages * nodes.Length), GuestMemory.PageBytes, new MemoryMeter());
        memory.EnsureFrames((uint)(Pages * nodes.Length));
        for (int part = 0; part < nodes.Length; part++)
        {
            FrameId first = new((uint)(part * Pages) + 1);
            PlacementReport report = memory.Place(first, Pages, NumaPlacement.Bind(nodes[part]), NodeFullPolicy.Fail);
            Expect.Equal(report.PagesOnNode[nodes[part]], Pages, $"pages on node {nodes[part]}: {report}");
        }

        Expect.Equal(memory.Describe().HugePageBytes, memory.CommittedBytes, $"in huge pages: {memory.Describe()}");
    }

    private static void HugePool()
    {
        int node = MemoryNodes[^1];
        string setting = $"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/nr_hugepages";
        File.WriteAllText(setting, "3");
        try
        {
            Expect.Equal(File.ReadAllText(setting).Trim(), "3", "huge pages set aside");
            PageMemoryOptions options = new() { HugePages = HugePageUse.Pool };
            using PageMemory memory = new(4096, GuestMemory.PageBytes, new MemoryMeter(), options);
            Expect.Equal(memory.Bind(new FrameId(1), 4096, NumaPlacement.Bind(node)), 0, "error of the binding");
            memory.EnsureFrames(1024);
            PageMemoryReport report = memory.Describe();
            Expect.Equal(report.HugePoolBytes, 4L << 20, $"bytes of the pool: {report}");
            Expect.Equal(memory.Residency(new FrameId(1), 1024).PagesOnNode[node], 1024, "pages on the node");

            // One is left, and two are wanted: ordinary memory takes their place, with the placement.
            memory.EnsureFrames(2048);
            report = memory.Describe();
            Expect.Equal(report.HugePoolBytes, 4L << 20, $"bytes of the pool when it is empty: {report}");
            Expect.That(report.Refused.Any(refused => refused.Advice == "MAP_HUGETLB"), $"the reason: {report}");
            memory.Prefault(new FrameId(1), 2048);
            Expect.Equal(memory.Residency(new FrameId(1), 2048).PagesOnNode[node], 2048, "all pages on the node");
        }
        finally
        {
            File.WriteAllText(setting, "0");
        }

        // A placement on a node that has none set aside: an error and ordinary memory, not the end of the process.
        string other = $"/sys/devices/system/node/node{MemoryNodes[0]}/hugepages/hugepages-2048kB/nr_hugepages";
        File.WriteAllText(other, "2");
        try
        {
            PageMemoryOptions options = new() { HugePages = HugePageUse.Pool };
            using PageMemory memory = new(512, GuestMemory.PageBytes, new MemoryMeter(), options);
            Expect.Equal(memory.Bind(new FrameId(1), 512, NumaPlacement.Bind(node)), 0, "error of the binding");
            memory.EnsureFrames(512);
            memory.Page(new FrameId(1)).Fill(1);
            Expect.Equal(memory.Describe().HugePoolBytes, 0, $"{memory.Describe()}");
            Expect.Equal(memory.Residency(new FrameId(1), 1).PagesOnNode[node], 1, "the page on its node");
        }
        finally
        {
            File.WriteAllText(other, "0");
        }
    }

    private static void ThreadPolicy()
    {
        int node = MemoryNodes[^1];
        using GuestMemory inside = new(10);
        using GuestMemory outside = new(10);
        using (ThreadPlacement.Set(NumaPlacement.Preferred(node)))
            Expect.Each<int>(inside.Touch().Nodes(), _ => node, "while it is set");
        using (ThreadPin.ToNode(NumaTopology.Read(), 0))
            Expect.Each<int>(outside.Touch().Nodes(), _ => 0, "after it was restored");
    }
}
