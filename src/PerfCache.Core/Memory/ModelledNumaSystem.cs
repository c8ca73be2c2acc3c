// SPDX-License-Identifier: MIT
namespace PerfCache.Memory;

/// <summary>A system with nodes that exists as a table of pages: for studies and tests, on any machine.</summary>
/// <remarks>
/// It has the nodes of a topology, emulated ones included, and on each as many free pages as it is told. A page gets
/// its node when it is touched (<see cref="Touch"/>), by the placement of its range, and falls back by distance when a
/// node is full, as Linux does. No memory stands behind the addresses. Its answers are those that
/// <see cref="INumaSystem"/> promises; it takes no time, and says nothing about how long a real move takes.
/// <para>M1: the pages on a node and its free pages add up to what it had at first.</para>
/// Thread-safe.
/// </remarks>
public sealed class ModelledNumaSystem : INumaSystem
{
    private const int NoSuchProcess = 3;

    private readonly Lock _lock = new();
    private readonly NumaTopology _topology;
    private readonly Dictionary<int, long> _freePages = [];
    private readonly Dictionary<nint, int> _nodeOfPage = [];
    private readonly List<(nint First, nint End, NumaPlacement Placement)> _ranges = [];

    /// <summary>Makes a system where no page is touched.</summary>
    /// <param name="topology">The nodes, their distances, and which of them have memory.</param>
    /// <param name="pagesOfNode">Free pages of a node; by default what the topology says is free.</param>
    /// <param name="pageBytes">Bytes of a page: a power of two.</param>
    public ModelledNumaSystem(NumaTopology topology, Func<int, long>? pagesOfNode = null, int pageBytes = 4096)
    {
        ArgumentNullException.ThrowIfNull(topology);
        if (pageBytes <= 0 || !int.IsPow2(pageBytes))
            throw new ArgumentOutOfRangeException(nameof(pageBytes), pageBytes, "a page is a power of two of bytes");
        _topology = topology;
        PageBytes = pageBytes;
        pagesOfNode ??= node => (topology.Node(node).FreeBytes ?? 0) / pageBytes;
        foreach (NumaNode node in topology.Nodes)
            _freePages.Add(node.Number, node.HasMemory ? pagesOfNode(node.Number) : 0);
    }

    /// <inheritdoc/>
    public string? Reason => null;

    /// <inheritdoc/>
    public int PageBytes { get; }

    /// <summary>
    /// Asked before each page is moved; any other answer than 0 is its status, and the page stays. Null: all move.
    /// </summary>
    public Func<nint, int>? Refusal { get; set; }

    /// <summary>Pages that a node has left.</summary>
    public long FreePages(int node)
    {
        lock (_lock) return _freePages[node];
    }

    /// <inheritdoc/>
    public int Bind(nint address, long bytes, NumaPlacement placement)
    {
        ArgumentNullException.ThrowIfNull(placement);
        if (address % PageBytes != 0 || bytes < 0) return OsMemory.InvalidArgument;
        lock (_lock)
        {
            if (placement.Nodes.Numbers.Any(node => !_freePages.ContainsKey(node))) return OsMemory.InvalidArgument;
            _ranges.Add((address, address + (nint)bytes, placement));
            return 0;
        }
    }

    /// <summary>Touches the pages of a range that were not touched yet, from a CPU of a node.</summary>
    /// <returns>Pages that found no memory: of a bound range on its nodes, of any other anywhere.</returns>
    public long Touch(nint address, long bytes, int fromNode)
    {
        long failed = 0;
        lock (_lock)
        {
            nint first = address & ~(nint)(PageBytes - 1);
            for (nint page = first; page < address + (nint)bytes; page += PageBytes)
            {
                if (_nodeOfPage.ContainsKey(page)) continue;
                int node = Choose(page, fromNode);
                if (node < 0)
                {
                    failed++;
                    continue;
                }

                _nodeOfPage.Add(page, node);
                _freePages[node]--;
            }
        }

        return failed;
    }

    /// <inheritdoc/>
    public int Query(int process, ReadOnlySpan<nint> addresses, Span<int> statuses)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(statuses.Length, addresses.Length);
        if (process != 0) return NoSuchProcess;
        lock (_lock)
        {
            for (int i = 0; i < addresses.Length; i++)
            {
                statuses[i] = _nodeOfPage.TryGetValue(addresses[i] & ~(nint)(PageBytes - 1), out int node)
                    ? node : NumaStatus.NotTouched;
            }
        }

        return 0;
    }

    /// <inheritdoc/>
    public int Move(ReadOnlySpan<nint> addresses, ReadOnlySpan<int> targets, Span<int> statuses)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(targets.Length, addresses.Length);
        ArgumentOutOfRangeException.ThrowIfNotEqual(statuses.Length, addresses.Length);
        lock (_lock)
        {
            for (int i = 0; i < addresses.Length; i++)
                statuses[i] = MovePage(addresses[i] & ~(nint)(PageBytes - 1), targets[i]);
        }

        return 0;
    }

    private int MovePage(nint page, int target)
    {
        if (!_freePages.TryGetValue(target, out long free)) return NumaStatus.NoSuchNode;
        if (!_nodeOfPage.TryGetValue(page, out int node)) return NumaStatus.NotTouched;
        if (node == target) return node;
        int refused = Refusal?.Invoke(page) ?? 0;
        if (refused != 0) return refused;
        if (free == 0) return NumaStatus.NoMemory;
        _nodeOfPage[page] = target;
        _freePages[target]--;
        _freePages[node]++;
        return target;
    }

    // The latest placement of an address counts; without one, a page is local.
    private int Choose(nint page, int fromNode)
    {
        int at = _ranges.FindLastIndex(range => page >= range.First && page < range.End);
        NumaPlacement placement = at < 0 ? NumaPlacement.Local : _ranges[at].Placement;
        IReadOnlyList<int> nodes = placement.Nodes.Numbers;
        return placement.Mode switch
        {
            NumaMode.Bind => NearestFree(fromNode, nodes.Contains),
            NumaMode.Preferred when NearestFree(fromNode, nodes.Contains) is >= 0 and int node => node,
            NumaMode.Preferred => NearestFree(nodes[0], _ => true),
            NumaMode.Interleave => NearestFree(
                nodes[(int)((page - _ranges[at].First) / PageBytes % nodes.Count)], _ => true),
            _ => NearestFree(fromNode, _ => true),
        };
    }

    private int NearestFree(int from, Func<int, bool> isWanted)
    {
        foreach (NumaNode node in _topology.NodesByDistance(from))
            if (_freePages[node.Number] > 0 && isWanted(node.Number)) return node.Number;
        return -1;
    }
}
