// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Cache.Nodes;

/// <summary>The nodes of a cache: which, how the frames are dealt out, and where pages lie.</summary>
public sealed record NodeOptions
{
    /// <summary>The machine's nodes, or emulated ones: then nothing is bound, and all else is as on real nodes.</summary>
    public required NumaTopology Topology { get; init; }

    /// <summary>The numbers of the nodes that the cache has frames on; null for all whose memory the process may take.
    /// </summary>
    public IReadOnlyList<int>? Numbers { get; init; }

    /// <summary>How the frames are dealt out: a weight for each node, in the order of <see cref="Numbers"/>; null for equal
    /// parts. Parts of many huge pages are rounded to whole ones.</summary>
    public IReadOnlyList<int>? FrameWeights { get; init; }

    /// <summary>Where pages lie, unless their partition or object has a placement of its own; null for the caller's node,
    /// others by distance when it has no free frame.</summary>
    public IPagePlacement? Placement { get; init; }

    /// <summary>Tells the number of the node that the calling thread runs on; null for that of its processor. Called from
    /// any thread, for each miss.</summary>
    public Func<int>? CallerNode { get; init; }

    /// <summary>How fast pages are moved between nodes in the background.</summary>
    public MigrationOptions Migration { get; init; } = new();

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line that names the option, its value and what is possible.</exception>
    internal int[] Check()
    {
        if (Topology is null) throw Wrong(nameof(Topology), "null", "NumaTopology.Read(), or an emulated one");
        if (Migration is null) throw Wrong(nameof(Migration), "null", "options of migration");
        Migration.Check();
        int[] usable = [.. Topology.AllowedMemoryNodes.Numbers];
        int[] numbers = [.. Numbers ?? usable];
        string possible = usable.Length == 0
            ? "no node's memory may be used" : $"different nodes among {Topology.AllowedMemoryNodes}";
        if (numbers.Length == 0) throw Wrong(nameof(Numbers), "empty", possible);
        foreach (int number in numbers)
        {
            if (!Topology.Nodes.Any(node => node.Number == number))
            {
                string why = Topology.OfflineNodes.Contains(number) ? "which is offline" : "which there is not";
                throw Wrong(nameof(Numbers), $"{number}, {why}", possible);
            }

            if (!usable.Contains(number))
                throw Wrong(nameof(Numbers), $"{number}, which has no memory that this process may take", possible);
        }

        if (numbers.Distinct().Count() < numbers.Length) throw Wrong(nameof(Numbers), string.Join(',', numbers), possible);
        if (numbers.Length > NumaDistances.NodesMax)
            throw Wrong(nameof(Numbers), $"{numbers.Length} nodes", $"at most {NumaDistances.NodesMax}");
        if (FrameWeights is not null && (FrameWeights.Count != numbers.Length || FrameWeights.Any(weight => weight < 1)))
        {
            throw Wrong(
                nameof(FrameWeights), string.Join(',', FrameWeights), $"a weight from 1 on for each of {numbers.Length} nodes");
        }

        return numbers;
    }

    private static ArgumentException Wrong(string option, object value, string possible) =>
        new($"page cache: nodes: {option} is {value}; possible is {possible}", option);
}
