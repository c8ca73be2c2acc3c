// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;

namespace PerfCache.Policies.Placement;

/// <summary>A page lies on the node of the thread that asked for it first, as the kernel places memory.</summary>
/// <remarks>
/// Right where each page is used by threads of one node. Where one thread reads everything ahead for the others, all pages
/// lie with it. No node is the partition's home, so all of its pages count as local.
/// </remarks>
/// <param name="whenFull">What to do when that node has no free frame.</param>
public sealed class LocalPlacement(NodeFull whenFull = NodeFull.FallBack) : IPagePlacement
{
    private NodeSet _all;

    /// <inheritdoc/>
    public NodeSet Attach(CacheNodes nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        return _all = nodes.All;
    }

    /// <inheritdoc/>
    public NodeChoice Choose(in PageArrival arrival) => new(arrival.CallerNode, _all, whenFull);
}
