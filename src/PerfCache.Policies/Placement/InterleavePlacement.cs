// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;

namespace PerfCache.Policies.Placement;

/// <summary>Neighbouring pages lie on different nodes by turns, so that all nodes serve a scan together.</summary>
/// <remarks>
/// The turn is told by the page's number in its object, as the kernel does it for files: a page that comes back lies where it
/// was, however many others came in meanwhile. Objects begin at different nodes.
/// </remarks>
public sealed class InterleavePlacement : IPagePlacement
{
    private readonly int[]? _numbers;
    private readonly NodeFull _whenFull;
    private int[] _turns = [];
    private NodeSet _all;

    /// <summary>Makes the policy.</summary>
    /// <param name="nodes">The numbers of the nodes, or null for all of the cache.</param>
    /// <param name="whenFull">What to do when the page's node has no free frame.</param>
    /// <exception cref="ArgumentException">There is no node.</exception>
    public InterleavePlacement(IEnumerable<int>? nodes = null, NodeFull whenFull = NodeFull.FallBack)
    {
        _numbers = nodes is null ? null : [.. nodes];
        if (_numbers is []) throw new ArgumentException("pages need a node to lie on; name one", nameof(nodes));
        _whenFull = whenFull;
    }

    /// <inheritdoc/>
    public NodeSet Attach(CacheNodes nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        _all = nodes.All;
        _turns = [.. (_numbers ?? nodes.Numbers).Select(nodes.IndexOf)];
        return nodes.SetOf(_numbers ?? nodes.Numbers);
    }

    /// <inheritdoc/>
    public NodeChoice Choose(in PageArrival arrival)
    {
        ulong turn = (arrival.Page.Page + arrival.Page.ObjectId.Value) % (ulong)_turns.Length;
        return new(_turns[turn], _all, _whenFull);
    }
}
