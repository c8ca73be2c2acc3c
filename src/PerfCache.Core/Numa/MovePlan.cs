// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Numa;

/// <summary>Neighbouring pages that are to go to a node.</summary>
/// <param name="Address">Where they begin.</param>
/// <param name="Bytes">Their size.</param>
/// <param name="Target">The node's number.</param>
public readonly record struct PageRun(nint Address, long Bytes, int Target)
{
    /// <summary>True when a page at an address, on its way to the same node, would be the run's next.</summary>
    internal bool IsContinuedBy(nint address, int target) => Address + (nint)Bytes == address && Target == target;
}

/// <summary>Which pages are to be moved where. Made by <see cref="NumaEngine"/> from where pages are, or by whoever
/// knows better.</summary>
public sealed class MovePlan
{
    private readonly PageRun[] _runs;

    /// <summary>Makes a plan from runs; they are moved in this order.</summary>
    /// <exception cref="ArgumentException">A run has no bytes.</exception>
    public MovePlan(IEnumerable<PageRun> runs)
    {
        ArgumentNullException.ThrowIfNull(runs);
        _runs = [.. runs];
        foreach (PageRun run in _runs)
        {
            if (run.Bytes > 0) continue;
            throw new ArgumentException(
                $"a run of {run.Bytes} bytes to node {run.Target} has no page", nameof(runs));
        }
    }

    /// <summary>The runs, in the order in which they are moved.</summary>
    public IReadOnlyList<PageRun> Runs => Array.AsReadOnly(_runs);

    /// <summary>Bytes of all runs.</summary>
    public long Bytes => _runs.Sum(run => run.Bytes);

    /// <summary>Bytes by the number of their target.</summary>
    public IReadOnlyDictionary<int, long> BytesToNode => _runs.GroupBy(run => run.Target)
        .ToDictionary(group => group.Key, group => group.Sum(run => run.Bytes));

    /// <summary>The plan in one line.</summary>
    public override string ToString()
    {
        string targets = string.Join(", ", BytesToNode.OrderBy(pair => pair.Key).Select(
            pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Value:N0} bytes to node {pair.Key}")));
        return targets.Length == 0 ? "nothing to move" : targets;
    }
}
