// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;

namespace PerfCache.Policies.Placement;

/// <summary>Pages lie on some nodes and on no other, on the one nearest to whoever asks first.</summary>
/// <remarks>
/// When the nodes are full, they give up pages, though others have free frames; or, with <see cref="NodeFull.Fail"/>, a
/// page does not come in.
/// </remarks>
public sealed class BindPlacement : IPagePlacement
{
    private readonly int[] _numbers;
    private readonly NodeFull _whenFull;
    private CacheNodes? _nodes;
    private NodeSet _set;

    /// <summary>Makes the policy.</summary>
    /// <param name="nodes">The numbers of the nodes.</param>
    /// <param name="whenFull">What to do when the nearest of them has no free frame; the others of them come next, unless
    /// it is to give up pages first.</param>
    /// <exception cref="ArgumentException">There is no node.</exception>
    public BindPlacement(IEnumerable<int> nodes, NodeFull whenFull = NodeFull.FallBack)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        _numbers = [.. nodes];
        if (_numbers.Length == 0) throw new ArgumentException("pages bound to no node lie nowhere; name one", nameof(nodes));
        _whenFull = whenFull;
    }

    /// <inheritdoc/>
    public NodeSet Attach(CacheNodes nodes)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        _nodes = nodes;
        return _set = nodes.SetOf(_numbers);
    }

    /// <inheritdoc/>
    public NodeChoice Choose(in PageArrival arrival) =>
        new(_nodes!.Nearest(arrival.CallerNode, _set), _set, _whenFull);
}
