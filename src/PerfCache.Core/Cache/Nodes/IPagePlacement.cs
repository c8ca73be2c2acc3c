// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache.Nodes;

/// <summary>What to do when the node that a page is to lie on has no free frame.</summary>
public enum NodeFull
{
    /// <summary>A free frame of the nearest allowed node; where none has one, the wanted node gives up pages first.
    /// </summary>
    FallBack,

    /// <summary>The wanted node gives up pages, though others have free frames; they come next when it can give none.
    /// </summary>
    Reclaim,

    /// <summary>The page does not come in: when no allowed node has a free frame, whoever wants it gets an exception.
    /// </summary>
    Fail,
}

/// <summary>A page that comes in.</summary>
/// <param name="page">Which.</param>
/// <param name="nodes">The nodes of the cache.</param>
public readonly struct PageArrival(PageKey page, CacheNodes nodes)
{
    /// <summary>Which page.</summary>
    public PageKey Page { get; } = page;

    /// <summary>The index of the node that the thread which asks for it runs on, or of the one nearest to it: looked up when
    /// it is asked for, since most policies do not.</summary>
    public int CallerNode => nodes.CallerNode();
}

/// <summary>Where a page shall lie.</summary>
/// <param name="Node">The index of the node that is wanted; one of the allowed.</param>
/// <param name="Allowed">Where it may lie.</param>
/// <param name="WhenFull">What to do when the node has no free frame.</param>
public readonly record struct NodeChoice(int Node, NodeSet Allowed, NodeFull WhenFull = NodeFull.FallBack);

/// <summary>A placement policy: it chooses the node of each page that comes in. The cache does the rest.</summary>
/// <remarks>
/// An instance serves one cache or one partition. It is asked under the cache's lock, once a miss, so it computes and does
/// not wait; it is not asked where there is one node.
/// </remarks>
public interface IPagePlacement
{
    /// <summary>Called once, before <see cref="Choose"/>: the policy learns which nodes there are.</summary>
    /// <returns>The nodes on which a page counts as local (<see cref="PartitionStatistics.LocalPages"/>).</returns>
    /// <exception cref="ArgumentException">The policy names a node that is not there.</exception>
    NodeSet Attach(CacheNodes nodes);

    /// <summary>Chooses.</summary>
    NodeChoice Choose(in PageArrival arrival);
}
