// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Flipping;

/// <summary>
/// How many pages each domain has on each node. It is kept up to date by every change of hands instead of being
/// counted, so a policy may look at it after each batch of flips.
/// </summary>
/// <remarks>
/// I1: no count is below 0.
/// I2: the counts of a domain sum up to its pages, those of a node to the pages in use there; whoever frees or
/// allocates a page says so.
/// Written by one thread; others may read single counts, which are then a moment old.
/// </remarks>
public sealed class DomainResidency
{
    private readonly long[] _counts;
    private readonly long[] _totals;
    private readonly int[] _homes;

    /// <summary>Makes an empty table.</summary>
    /// <param name="nodes">The number of nodes.</param>
    /// <param name="homeNodes">The home node of each domain.</param>
    public DomainResidency(int nodes, ReadOnlySpan<int> homeNodes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nodes, 1);
        foreach (int home in homeNodes)
            if (home < 0 || home >= nodes)
                throw new ArgumentException($"node {home} is no home: the nodes are 0 to {nodes - 1}", nameof(homeNodes));
        (Nodes, _homes) = (nodes, homeNodes.ToArray());
        _counts = new long[nodes * _homes.Length];
        _totals = new long[_homes.Length];
    }

    /// <summary>The number of nodes.</summary>
    public int Nodes { get; }

    /// <summary>The number of domains.</summary>
    public int Domains => _homes.Length;

    /// <summary>The home node of a domain.</summary>
    public int HomeOf(int domain) => _homes[domain];

    /// <summary>Pages of a domain on a node.</summary>
    public long PagesOn(int domain, int node) => _counts[domain * Nodes + node];

    /// <summary>All pages of a domain.</summary>
    public long Pages(int domain) => _totals[domain];

    /// <summary>Pages of a domain that are not on its home node.</summary>
    public long RemotePages(int domain) => _totals[domain] - _counts[domain * Nodes + _homes[domain]];

    /// <summary>The part of a domain's pages that is remote; 0 for a domain without pages.</summary>
    public double RemoteShare(int domain) =>
        _totals[domain] == 0 ? 0 : (double)RemotePages(domain) / _totals[domain];

    /// <summary>A domain gets pages on a node.</summary>
    public void Add(int domain, int node, long pages = 1)
    {
        _counts[domain * Nodes + node] += pages;
        _totals[domain] += pages;
    }

    /// <summary>A domain gives pages on a node away.</summary>
    /// <exception cref="InvalidOperationException">It has not so many there.</exception>
    public void Remove(int domain, int node, long pages = 1)
    {
        ref long count = ref _counts[domain * Nodes + node];
        if (count < pages)
            throw new InvalidOperationException(
                $"I1: domain {domain} has {count} pages on node {node} and gives {pages} away");
        count -= pages;
        _totals[domain] -= pages;
    }
}
