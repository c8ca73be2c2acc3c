// SPDX-License-Identifier: MIT
using PerfCache.Cache.Nodes;

namespace PerfCache.Tests.Models;

/// <summary>
/// The description of where pages lie, as plain lists: nodes in a row, each with its pages, oldest first. When pages go,
/// the oldest of a node go.
/// </summary>
/// <param name="frames">The frames of each node.</param>
internal sealed class NaiveNodes(int[] frames)
{
    private readonly List<uint>[] _pages = [.. frames.Select(_ => new List<uint>())];

    /// <summary>The pages that went for want of a frame since this was last cleared.</summary>
    internal List<uint> Evicted { get; } = [];

    internal IReadOnlyList<uint> PagesOf(int node) => _pages[node];

    /// <summary>Where the page lies, or -1.</summary>
    internal int NodeOf(uint page) => Array.FindIndex(_pages, node => node.Contains(page));

    internal void Invalidate(uint page)
    {
        foreach (List<uint> node in _pages) node.Remove(page);
    }

    /// <summary>A page that is not resident comes in.</summary>
    /// <returns>False when it may not.</returns>
    internal bool Add(uint page, NodeChoice choice)
    {
        int[] order = ByDistance(choice.Node, choice.Allowed);
        if (choice.WhenFull == NodeFull.Fail && !order.Any(HasRoom)) return false;
        if (choice.WhenFull == NodeFull.Reclaim && !HasRoom(choice.Node) && _pages[choice.Node].Count > 0) Evict(choice.Node);
        if (!order.Any(HasRoom)) Evict(order.First(node => _pages[node].Count > 0));
        _pages[order.First(HasRoom)].Add(page);
        return true;
    }

    /// <summary>A page moves, as the youngest.</summary>
    internal MigrationReport Move(uint page, int to, bool mayEvict)
    {
        int from = NodeOf(page);
        if (from < 0) return new(0, 0, Gone: 1, 0, 0, 0);
        if (from == to) return new(0, AlreadyThere: 1, 0, 0, 0, 0);
        if (!HasRoom(to) && mayEvict && _pages[to].Count > 0) Evict(to);
        if (!HasRoom(to)) return new(0, 0, 0, 0, NoRoom: 1, 0);
        _pages[from].Remove(page);
        _pages[to].Add(page);
        return new(Moved: 1, 0, 0, 0, 0, 0);
    }

    private bool HasRoom(int node) => _pages[node].Count < frames[node];

    private int[] ByDistance(int from, NodeSet allowed) =>
    [
        .. Enumerable.Range(0, frames.Length).Where(allowed.Contains).OrderBy(node => Math.Abs(node - from)).ThenBy(node => node),
    ];

    private void Evict(int node)
    {
        Evicted.Add(_pages[node][0]);
        _pages[node].RemoveAt(0);
    }
}
