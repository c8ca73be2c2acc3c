// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>
/// The nodes of this machine, what each has, how far they are from each other, and which of them this process may use.
/// </summary>
/// <remarks>
/// It is a snapshot: nodes come and go with hot-plug, and free memory changes all the time, so whoever needs the
/// present reads again; a read costs some small files a node. Three kinds of it look alike to a user and are told
/// apart by two properties:
/// <list type="bullet">
/// <item><description>real: <see cref="Reason"/> is null, <see cref="IsEmulated"/> is false;</description></item>
/// <item><description>degraded: the system has no nodes to tell, so one node 0 stands for the machine, and
/// <see cref="Reason"/> says why;</description></item>
/// <item><description>emulated: the machine's CPUs and memory dealt out to nodes that do not exist, at distances
/// somebody chose. Studies can run on it; a placement or a time measured on it says nothing about real
/// nodes.</description></item>
/// </list>
/// What always holds: there is at least one node; nodes ascend by number; each row of distances has an entry a node,
/// in the nodes' order; no CPU is allowed that its node does not have. A file that is missing or damaged costs its own
/// figure and adds a line to <see cref="Warnings"/>; it never costs the topology.
/// </remarks>
public sealed class NumaTopology
{
    private readonly NumaNode[] _nodes;

    internal NumaTopology(IEnumerable<NumaNode> nodes) => _nodes = [.. nodes.OrderBy(node => node.Number)];

    /// <summary>The nodes that are online, by ascending number.</summary>
    public IReadOnlyList<NumaNode> Nodes => Array.AsReadOnly(_nodes);

    /// <summary>Numbers of nodes that the kernel is ready for, online or not.</summary>
    public required NumberList PossibleNodes { get; init; }

    /// <summary>Numbers of nodes that are possible and not in <see cref="Nodes"/>.</summary>
    public NumberList OfflineNodes =>
        new(PossibleNodes.Numbers.Where(number => !Array.Exists(_nodes, node => node.Number == number)));

    /// <summary>Numbers of the nodes with memory.</summary>
    public required NumberList MemoryNodes { get; init; }

    /// <summary>Numbers of the nodes with CPUs.</summary>
    public required NumberList CpuNodes { get; init; }

    /// <summary>The CPUs that this process may run on: its affinity, the limits of its cgroup included.</summary>
    public required NumberList AllowedCpus { get; init; }

    /// <summary>The nodes with memory whose memory this process may take, the limits of its cgroup included.</summary>
    public required NumberList AllowedMemoryNodes { get; init; }

    /// <summary>True when the kernel moves pages between nodes on its own; null: it does not tell.</summary>
    public bool? AutomaticBalancing { get; init; }

    /// <summary>Why one node stands for the machine; null when the system told its nodes.</summary>
    public string? Reason { get; init; }

    /// <summary>What to know before relying on it: damaged files, an empty cpuset, balancing by the kernel. A
    /// sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>True for nodes that were made up by <see cref="Emulate"/>.</summary>
    public bool IsEmulated { get; init; }

    /// <summary>Reads the topology of this machine.</summary>
    /// <param name="root">The folder that has sys and proc; another one than / for a copy of another machine's
    /// files.</param>
    public static NumaTopology Read(string root = "/")
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        return new NumaReader(root).Read();
    }

    /// <summary>
    /// Deals this topology's CPUs and memory out to nodes that do not exist: blocks of neighbouring CPUs, and equal
    /// parts of the memory. With more nodes than CPUs, some have memory only.
    /// </summary>
    /// <param name="distances">The distances, and so the number of nodes.</param>
    public NumaTopology Emulate(NumaDistances distances)
    {
        ArgumentNullException.ThrowIfNull(distances);
        int count = distances.NodeCount;
        int[] cpus = [.. _nodes.SelectMany(node => node.Cpus.Numbers)];
        NumberList[] dealt = [.. Enumerable.Range(0, count).Select(
            node => new NumberList(cpus.Where((_, index) => (int)((long)index * count / cpus.Length) == node)))];
        long? total = Sum(_nodes.Select(node => node.TotalBytes));
        long? free = Sum(_nodes.Select(node => node.FreeBytes));
        NumberList all = new(Enumerable.Range(0, count));
        bool anyMemory = AllowedMemoryNodes.Count > 0;
        return new NumaTopology(all.Numbers.Select(number => new NumaNode
        {
            Number = number,
            Cpus = dealt[number],
            AllowedCpus = dealt[number].Both(AllowedCpus),
            TotalBytes = Part(total, number, count),
            FreeBytes = Part(free, number, count),
            HasMemory = true,
            IsMemoryAllowed = anyMemory,
            IsMemoryOnly = dealt[number].Count == 0,
            Distances = distances.Row(number),
        }))
        {
            PossibleNodes = all,
            MemoryNodes = all,
            CpuNodes = new NumberList(all.Numbers.Where(number => dealt[number].Count > 0)),
            AllowedCpus = AllowedCpus,
            AllowedMemoryNodes = anyMemory ? all : NumberList.Empty,
            AutomaticBalancing = AutomaticBalancing,
            Reason = Reason,
            Warnings = Warnings,
            IsEmulated = true,
        };
    }

    /// <summary>The node of a number.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No online node has it.</exception>
    public NumaNode Node(int number) => _nodes[IndexOf(number)];

    /// <summary>The distance between two nodes, by their numbers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No online node has one of them.</exception>
    public int Distance(int from, int to) => _nodes[IndexOf(from)].Distances[IndexOf(to)];

    /// <summary>
    /// The order in which to fall back from a node: itself, then the nearest, of equally near ones the lowest number.
    /// All nodes are in it, those without memory too.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">No online node has the number.</exception>
    public IReadOnlyList<NumaNode> NodesByDistance(int number)
    {
        IReadOnlyList<int> distances = Node(number).Distances;
        return Array.AsReadOnly(Enumerable.Range(0, _nodes.Length)
            .OrderByDescending(index => _nodes[index].Number == number)
            .ThenBy(index => distances[index])
            .ThenBy(index => index)
            .Select(index => _nodes[index]).ToArray());
    }

    private int IndexOf(int number)
    {
        int index = Array.FindIndex(_nodes, node => node.Number == number);
        if (index >= 0) return index;
        NumberList there = new(_nodes.Select(node => node.Number));
        string offline = PossibleNodes.Contains(number) ? $"node {number} is offline" : $"there is no node {number}";
        throw new ArgumentOutOfRangeException(nameof(number), number, $"{offline}; the nodes are {there}");
    }

    private static long? Sum(IEnumerable<long?> parts) => parts.Aggregate((long?)0, (sum, part) => sum + part);

    // Whole pages: a node does not end within one.
    private static long? Part(long? bytes, int index, int count)
    {
        const long Page = 4096;
        long? pages = bytes / Page;
        return (pages * (index + 1) / count - pages * index / count) * Page;
    }
}
