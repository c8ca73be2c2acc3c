// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Replay;

/// <summary>Consecutive requests of a trace, as a cell gets them: a column each, as long as <see cref="Pages"/> or empty.
/// </summary>
public readonly ref struct ReplayRequests(ReadOnlySpan<uint> pages, ReadOnlySpan<int> files)
{
    /// <summary>Page numbers in the cell's numbering.</summary>
    public ReadOnlySpan<uint> Pages { get; } = pages;

    /// <summary>The file number of each request, small because a cell keeps a reader for each; empty when the trace has
    /// no files. Consecutive reads of one page through one file count once where the policy says so (linux-*).</summary>
    public ReadOnlySpan<int> Files { get; } = files;

    /// <summary>The position in the trace, from 0, of the next request to the same page, or
    /// <see cref="Policies.Replacement.NextUses.Never"/>; empty unless a policy of the run needs it
    /// (<see cref="PolicyEntry.NeedsNextUses"/>).</summary>
    public ReadOnlySpan<uint> NextUses { get; init; }
}
