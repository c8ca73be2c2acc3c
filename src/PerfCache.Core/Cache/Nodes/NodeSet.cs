// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Memory;

namespace PerfCache.Cache.Nodes;

/// <summary>Some of a cache's nodes, by their indexes (<see cref="CacheNodes"/>).</summary>
/// <param name="Bits">Bit i stands for the node with index i.</param>
public readonly record struct NodeSet(ulong Bits)
{
    /// <summary>No node.</summary>
    public static NodeSet Empty => default;

    /// <summary>The number of nodes.</summary>
    public int Count => BitOperations.PopCount(Bits);

    /// <summary>True when there is none.</summary>
    public bool IsEmpty => Bits == 0;

    /// <summary>One node.</summary>
    /// <param name="index">Its index.</param>
    /// <exception cref="ArgumentOutOfRangeException">No cache has such a node.</exception>
    public static NodeSet Of(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, NumaDistances.NodesMax);
        return new(1UL << index);
    }

    /// <summary>The first nodes of a cache.</summary>
    /// <param name="count">How many.</param>
    public static NodeSet First(int count) => new(count >= NumaDistances.NodesMax ? ulong.MaxValue : (1UL << count) - 1);

    /// <summary>True for a node of the set.</summary>
    public bool Contains(int index) => (Bits >> index & 1) != 0;

    /// <summary>The set with one node more.</summary>
    public NodeSet With(int index) => new(Bits | Of(index).Bits);
}
