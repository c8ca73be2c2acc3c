// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;

namespace PerfCache.Policies.Placement;

/// <summary>Pages lie on one node, and on others when that is full.</summary>
/// <remarks>For a partition whose threads are pinned to a node. Pages on other nodes count as remote.</remarks>
/// <param name="node">The number of the node.</param>
/// <param name="whenFull">What to do when it has no free frame.</param>
public sealed class PreferredPlacement(int node, NodeFull whenFull = NodeFull.FallBack) : IPagePlacement
{
    private NodeChoice _choice;

    /// <inheritdoc/>
    public NodeSet Attach(CacheNodes nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        int index = nodes.IndexOf(node);
        _choice = new NodeChoice(index, nodes.All, whenFull);
        return NodeSet.Of(index);
    }

    /// <inheritdoc/>
    public NodeChoice Choose(in PageArrival arrival) => _choice;
}
