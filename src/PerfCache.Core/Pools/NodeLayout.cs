// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Pools;

/// <summary>How the frames of a cache are dealt out to nodes: so many neighbouring ones to each, and where to look next
/// when a node has none free.</summary>
/// <remarks>
/// Nodes have indexes here, from 0 and without gaps: the system's numbers may have gaps, and one byte a frame is enough
/// for an index.
/// </remarks>
internal sealed class NodeLayout
{
    private readonly byte[][] _order;

    /// <param name="frameCounts">The frames of each node.</param>
    /// <param name="distance">The distance from one node to another, by indexes.</param>
    internal NodeLayout(uint[] frameCounts, Func<int, int, int> distance)
    {
        ArgumentOutOfRangeException.ThrowIfZero(frameCounts.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frameCounts.Length, NumaDistances.NodesMax);
        FrameCounts = frameCounts;
        _order = new byte[frameCounts.Length][];
        for (int from = 0; from < frameCounts.Length; from++)
        {
            int node = from;
            _order[from] = [.. Enumerable.Range(0, frameCounts.Length)
                .OrderByDescending(to => to == node).ThenBy(to => distance(node, to)).ThenBy(to => to)
                .Select(to => (byte)to)];
        }
    }

    /// <summary>The frames of each node.</summary>
    internal uint[] FrameCounts { get; }

    /// <summary>The number of nodes.</summary>
    internal int NodeCount => FrameCounts.Length;

    /// <summary>A node, then the others by their distance from it; of equally near ones the lower index first.</summary>
    internal ReadOnlySpan<byte> OrderFrom(int node) => _order[node];

    /// <summary>One node that has all frames.</summary>
    internal static NodeLayout OneNode(uint frameCount) => new([frameCount], static (_, _) => NumaDistances.DefaultLocal);
}
