// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Pools;

/// <summary>The free frames of a cache, in a pool for each node: an allocation names the node that it wants.</summary>
/// <remarks>
/// Each node has a range of neighbouring frames, because memory is bound to nodes in ranges:
/// <code>
/// frame   1 ............ c0 | c0 + 1 ......... c0 + c1 | ...      c0, c1, ...: the frames of node 0, 1, ...
/// node    0                 | 1                        | ...
/// </code>
/// Nodes are named by index (<see cref="NodeLayout"/>). An allocation takes a frame of the node that it asks for; where
/// that has none free, of the nearest allowed node that has one, and then it is counted by both nodes.
/// <para>N1: the ranges follow each other from frame 1 on, and cover all frames.</para>
/// <para>N2: each frame names the node in whose range it is (<see cref="FrameOwner.Node"/>).</para>
/// <para>N3: <see cref="FreeCount"/> is the sum of the pools', each of which holds frames of its own range (P1).</para>
/// Not synchronised; the counts of fallbacks may be read by anybody.
/// </remarks>
public sealed class NodePools
{
    private readonly FrameTable _frames;
    private readonly NativeArray<FrameOwner> _owners;
    private readonly NodeLayout _layout;
    private readonly FramePool[] _pools;
    private readonly PoolsByNode _byNode;
    private readonly FramePool? _only;
    private readonly long[] _fallbacks;

    /// <summary>Makes the pools of all frames of a table, all free.</summary>
    internal NodePools(FrameTable frames, NodeLayout layout)
    {
        _frames = frames;
        _owners = frames.Owners;
        _layout = layout;
        _pools = new FramePool[layout.NodeCount];
        _fallbacks = new long[layout.NodeCount * layout.NodeCount];
        uint first = 1;
        for (int node = 0; node < _pools.Length; node++)
        {
            uint count = layout.FrameCounts[node];
            _pools[node] = new FramePool(frames, (byte)node, first, count);
            _byNode[node] = _pools[node];
            // N2 from the start: whoever looks at a frame that was never used must not take it for node 0's.
            for (uint row = first; node > 0 && row < first + count; row++) frames.Owner(new FrameId(row)).Node = (byte)node;
            first += count;
        }

        Invariant.Check(first - 1 == frames.FrameCount, nameof(NodePools), $"N1: {frames.FrameCount} frames", first - 1);
        _only = _pools.Length == 1 ? _pools[0] : null;
    }

    /// <summary>The number of nodes.</summary>
    public int NodeCount => _pools.Length;

    /// <summary>The free frames of all nodes.</summary>
    public uint FreeCount => _only is null ? SumFree() : _only.FreeCount;

    /// <summary>The pool of a node.</summary>
    /// <param name="node">The node's index.</param>
    public FramePool this[int node] => _pools[node];

    /// <summary>The pool that a frame for a node is taken from: the node's own if it has a free frame, otherwise that of the
    /// nearest node that has and is allowed; then both count it.</summary>
    /// <param name="node">The node's index.</param>
    /// <param name="allowed">A bit for the index of each node that will do; the first one's is among them.</param>
    /// <returns>A pool with a free frame, which the caller takes, or null when none of them has one.</returns>
    /// <remarks>A pool and not a frame: the caller goes on with it, and a frame's node need not be looked up.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal FramePool? PoolFor(int node, ulong allowed)
    {
        Invariant.Assert((allowed >> node & 1) != 0, nameof(NodePools), "the wanted node to be allowed", node);
        FramePool pool = _byNode[node & (NumaDistances.NodesMax - 1)];
        return pool.FreeCount > 0 ? pool : PoolOfOthers(node, allowed);
    }

    /// <summary>Gives a frame back to its node; it is on no list and not live.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Free(FrameId frame) =>
        (_only ?? _byNode[_owners[frame.Value].Node & (NumaDistances.NodesMax - 1)]).Free(frame);

    /// <summary>How often a frame of one node was wanted and one of another taken.</summary>
    /// <param name="wanted">The index of the node that had none.</param>
    /// <param name="taken">The index of the node that had one.</param>
    public long Fallbacks(int wanted, int taken) => Volatile.Read(ref _fallbacks[(wanted * NodeCount) + taken]);

    /// <summary>The nearest node with a free frame.</summary>
    /// <param name="node">The index of the node that is wanted.</param>
    /// <param name="allowed">A bit for the index of each node that will do.</param>
    /// <returns>Its index, or -1 when none of them has one.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int NearestFree(int node, ulong allowed) =>
        (allowed >> node & 1) != 0 && _pools[node].FreeCount > 0 ? node : NearestFreeOfOthers(node, allowed);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int NearestFreeOfOthers(int node, ulong allowed)
    {
        foreach (byte each in _layout.OrderFrom(node))
            if ((allowed >> each & 1) != 0 && _pools[each].FreeCount > 0) return each;
        return -1;
    }

    /// <summary>A node, then the others by their distance from it.</summary>
    internal ReadOnlySpan<byte> OrderFrom(int node) => _layout.OrderFrom(node);

    /// <summary>Counts that a frame was taken of another node than the one wanted.</summary>
    private void CountFallback(int wanted, int taken)
    {
        ref long count = ref _fallbacks[(wanted * NodeCount) + taken];
        // One writer at a time; readers must not see half a number.
        Volatile.Write(ref count, count + 1);
    }

    /// <summary>The free frames, in no order: for tests and validation.</summary>
    internal IEnumerable<FrameId> FreeFrames() => _pools.SelectMany(pool => pool.FreeFrames());

    /// <summary>Checks N1 to N3. O(frames): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        uint row = 1;
        for (int node = 0; node < _pools.Length; node++)
        {
            FramePool pool = _pools[node];
            Invariant.Check(pool.First == row, nameof(NodePools), $"N1: node {node} to begin at frame {row}", pool.First);
            for (uint end = row + pool.FrameCount; row < end; row++)
            {
                byte named = _frames.Owner(new FrameId(row)).Node;
                Invariant.Check(named == node, nameof(NodePools), $"N2: frame {row} to name node {node}", named);
            }

            pool.Validate();
        }

        Invariant.Check(row - 1 == _frames.FrameCount, nameof(NodePools), $"N1: {_frames.FrameCount} frames", row - 1);
        Invariant.Check(FreeCount == SumFree(), nameof(NodePools), $"N3: {SumFree()} free frames", FreeCount);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private FramePool? PoolOfOthers(int node, ulong allowed)
    {
        int taken = NearestFreeOfOthers(node, allowed);
        if (taken < 0) return null;
        CountFallback(node, taken);
        return _pools[taken];
    }

    private uint SumFree()
    {
        uint sum = 0;
        foreach (FramePool pool in _pools) sum += pool.FreeCount;
        return sum;
    }

    /// <summary>The pools within this object: an allocation reads one word, and has no bounds to check. What an array and its
    /// check cost was a tenth of an allocation (the benchmark's row allocate-four).</summary>
    [InlineArray(NumaDistances.NodesMax)]
    private struct PoolsByNode
    {
        private FramePool _first;
    }
}
