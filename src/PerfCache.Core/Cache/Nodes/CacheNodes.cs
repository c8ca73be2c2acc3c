// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Cache.Nodes;

/// <summary>The nodes that a cache has frames on. Here they have indexes from 0 on; the system's numbers may have gaps.
/// </summary>
public sealed class CacheNodes
{
    private readonly int[] _numbers;
    private readonly int[][] _distances;
    private readonly byte[] _indexOfCpu;
    private readonly Func<int>? _callerNode;

    internal CacheNodes(NodeOptions options)
    {
        _numbers = options.Check();
        NumaTopology topology = options.Topology;
        IsEmulated = topology.IsEmulated;
        _callerNode = options.CallerNode;
        _distances = [.. _numbers.Select(from => _numbers.Select(to => topology.Distance(from, to)).ToArray())];
        int cpuMax = topology.Nodes.SelectMany(node => node.Cpus.Numbers).DefaultIfEmpty(0).Max();
        _indexOfCpu = new byte[cpuMax + 1];
        foreach (NumaNode node in topology.Nodes)
            foreach (int cpu in node.Cpus.Numbers) _indexOfCpu[cpu] = (byte)Nearest(topology, node.Number);
        _indexOfNumber = topology.Nodes.ToDictionary(node => node.Number, node => Nearest(topology, node.Number));
    }

    private readonly Dictionary<int, int> _indexOfNumber;

    /// <summary>How many nodes there are.</summary>
    public int Count => _numbers.Length;

    /// <summary>The numbers of the nodes, by index.</summary>
    public IReadOnlyList<int> Numbers => Array.AsReadOnly(_numbers);

    /// <summary>True when they exist in this program only.</summary>
    public bool IsEmulated { get; }

    /// <summary>All of them.</summary>
    public NodeSet All => NodeSet.First(Count);

    /// <summary>The index of a node.</summary>
    /// <param name="number">The node's number.</param>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no frames there.</exception>
    public int IndexOf(int number)
    {
        int index = Array.IndexOf(_numbers, number);
        if (index >= 0) return index;
        throw new ArgumentOutOfRangeException(
            nameof(number), number, $"the cache has no frames on node {number}; it has on {string.Join(',', _numbers)}");
    }

    /// <summary>The nodes of some numbers.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The cache has no frames on one of them.</exception>
    public NodeSet SetOf(IEnumerable<int> numbers)
    {
        ArgumentNullException.ThrowIfNull(numbers);
        NodeSet set = NodeSet.Empty;
        foreach (int number in numbers) set = set.With(IndexOf(number));
        return set;
    }

    /// <summary>The distance between two nodes, by their indexes.</summary>
    public int Distance(int from, int to) => _distances[from][to];

    /// <summary>The nearest node of a set; of equally near ones the one with the lower index.</summary>
    /// <param name="from">The index to go from.</param>
    /// <param name="among">The set; not empty.</param>
    public int Nearest(int from, NodeSet among)
    {
        if (among.Contains(from)) return from;
        int nearest = -1;
        for (int index = 0; index < Count; index++)
        {
            if (!among.Contains(index)) continue;
            if (nearest < 0 || Distance(from, index) < Distance(from, nearest)) nearest = index;
        }

        return nearest;
    }

    /// <summary>The index of the node that the calling thread runs on, or of the nearest with frames. A thread may be
    /// somewhere else the next moment.</summary>
    public int CallerNode()
    {
        if (_callerNode is not null) return _indexOfNumber.GetValueOrDefault(_callerNode());
        int cpu = Thread.GetCurrentProcessorId();
        return (uint)cpu < (uint)_indexOfCpu.Length ? _indexOfCpu[cpu] : 0;
    }

    /// <summary>Deals frames out to the nodes.</summary>
    /// <param name="frameCount">All frames.</param>
    /// <param name="pageBytes">Bytes of a frame.</param>
    /// <param name="weights">A weight for each node, or null for equal parts.</param>
    /// <exception cref="ArgumentException">A node would have too few.</exception>
    internal NodeLayout Layout(uint frameCount, int pageBytes, IReadOnlyList<int>? weights)
    {
        long weightOfAll = weights?.Sum(weight => (long)weight) ?? Count;
        uint framesOfHugePage = (uint)Math.Max(1, (long)OsMemory.HugePageBytes / pageBytes);
        uint[] counts = new uint[Count];
        long weight = 0;
        uint begin = 0;
        for (int index = 0; index < Count; index++)
        {
            weight += weights?[index] ?? 1;
            uint end = (uint)(frameCount * (UInt128)weight / (ulong)weightOfAll);
            // A huge page has one node; a small part would be rounded away.
            if (index < Count - 1 && end - begin >= 4 * framesOfHugePage) end -= end % framesOfHugePage;
            counts[index] = end - begin;
            begin = end;
            if (counts[index] >= PageCacheOptions.PagesMin) continue;
            throw new ArgumentException(
                $"page cache: {frameCount} pages fit, of which node {_numbers[index]} would have {counts[index]}, and "
                + $"{PageCacheOptions.PagesMin} are the least; make the cache larger, or take fewer nodes");
        }

        return new NodeLayout(counts, Distance);
    }

    private int Nearest(NumaTopology topology, int number)
    {
        int index = Array.IndexOf(_numbers, number);
        return index >= 0 ? index
            : Enumerable.Range(0, Count).MinBy(each => topology.Distance(number, _numbers[each]));
    }
}
