// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;

namespace PerfCache.Policies.Placement;

/// <summary>As <see cref="InterleavePlacement"/>, but with more turns for some nodes: for memory of different bandwidth.
/// </summary>
/// <remarks>
/// Of W neighbouring pages, W being the sum of the weights, each node has as many as its weight, spread as evenly as can be:
/// each turn goes to the node that is furthest behind its part. The kernel's weighted interleaving takes whole runs instead,
/// so a short scan of its pages may stay on one node.
/// </remarks>
public sealed class WeightedPlacement : IPagePlacement
{
    /// <summary>The most that a weight may be, as the kernel's.</summary>
    public const int WeightMax = 255;

    private readonly (int Node, int Weight)[] _weights;
    private readonly NodeFull _whenFull;
    private byte[] _turns = [];
    private NodeSet _all;

    /// <summary>Makes the policy.</summary>
    /// <param name="weights">A weight from 1 to <see cref="WeightMax"/> for the number of each node that pages shall lie on.
    /// </param>
    /// <param name="whenFull">What to do when the page's node has no free frame.</param>
    /// <exception cref="ArgumentException">There is no node, one is named twice, or a weight is not possible.</exception>
    public WeightedPlacement(IEnumerable<(int Node, int Weight)> weights, NodeFull whenFull = NodeFull.FallBack)
    {
        ArgumentNullException.ThrowIfNull(weights);
        _weights = [.. weights];
        if (_weights.Length == 0) throw new ArgumentException("pages need a node to lie on; name one", nameof(weights));
        foreach ((int node, int weight) in _weights)
        {
            if (weight is < 1 or > WeightMax)
                throw new ArgumentException($"node {node} has the weight {weight}; possible is 1 to {WeightMax}", nameof(weights));
        }

        if (_weights.DistinctBy(each => each.Node).Count() < _weights.Length)
            throw new ArgumentException("a node has two weights; give it one", nameof(weights));
        _whenFull = whenFull;
    }

    /// <inheritdoc/>
    public NodeSet Attach(CacheNodes nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        _all = nodes.All;
        int sum = _weights.Sum(each => each.Weight);
        _turns = new byte[sum];
        int[] had = new int[_weights.Length];
        for (int turn = 0; turn < sum; turn++)
        {
            int next = 0;
            for (int i = 1; i < _weights.Length; i++)
            {
                // Furthest behind: weight * (turn + 1) / sum - had is largest.
                long behind = ((long)_weights[i].Weight * (turn + 1)) - ((long)had[i] * sum);
                if (behind > ((long)_weights[next].Weight * (turn + 1)) - ((long)had[next] * sum)) next = i;
            }

            had[next]++;
            _turns[turn] = (byte)nodes.IndexOf(_weights[next].Node);
        }

        return nodes.SetOf(_weights.Select(each => each.Node));
    }

    /// <inheritdoc/>
    public NodeChoice Choose(in PageArrival arrival)
    {
        ulong turn = (arrival.Page.Page + arrival.Page.ObjectId.Value) % (ulong)_turns.Length;
        return new(_turns[turn], _all, _whenFull);
    }
}
