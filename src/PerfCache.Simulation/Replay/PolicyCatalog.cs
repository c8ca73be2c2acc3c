// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Simulation.Replay;

/// <summary>One policy of the catalogue.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Summary">One line for help.</param>
/// <param name="Parameters">Its parameters: name and one line for help each.</param>
/// <param name="Numbering">How it wants pages numbered.</param>
public sealed record PolicyEntry(
    string Name, string Summary, IReadOnlyList<KeyValuePair<string, string>> Parameters, PageNumbering Numbering);

/// <summary>The policies by name: the one switch that picks a closed rule type.</summary>
public static class PolicyCatalog
{
    private const string ReclaimHelp = "pages a reclaim call wants to free, 1 to 1024 (32)";

    private static readonly PolicyEntry[] s_entries =
    [
        new("fifo", "first in, first out", [], PageNumbering.Dense),
        new("lru", "least recently used", [], PageNumbering.Dense),
        new("linux-3.15", "classic two-list LRU of Linux 3.15, clean page reads",
            [new("reclaim", ReclaimHelp), new("batch", "pages of a per-CPU batch, 1 (none) to 1024 (14)")],
            PageNumbering.PerLeaf),
        new("linux-6", "classic two-list LRU of Linux 6.x (no MGLRU, no kswapd), clean page reads",
            [new("reclaim", ReclaimHelp), new("batch", "pages of a per-CPU batch, 1 (none) to 1024 (31)")],
            PageNumbering.PerLeaf),
    ];

    /// <summary>The policies, in the order in which help lists them.</summary>
    public static IReadOnlyList<PolicyEntry> Entries => s_entries;

    /// <summary>The names, in the order in which help lists them.</summary>
    public static IReadOnlyList<string> Names { get; } = Array.ConvertAll(s_entries, entry => entry.Name);

    /// <summary>Checks a policy's name and parameters without making a cell.</summary>
    /// <returns>The policy's entry.</returns>
    /// <exception cref="FormatException">The name is not known, or a parameter is not one of the policy's.</exception>
    public static PolicyEntry Check(PolicySpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        PolicyEntry entry = Array.Find(s_entries, entry => entry.Name == spec.Name)
            ?? throw new FormatException($"policy '{spec.Text}' is not known; choose from {string.Join(", ", Names)}");
        foreach (string name in spec.ParameterNames)
        {
            if (entry.Parameters.All(parameter => parameter.Key != name))
            {
                string known = entry.Parameters.Count == 0
                    ? "it has none" : "it has " + string.Join(", ", entry.Parameters.Select(parameter => parameter.Key));
                throw new FormatException($"policy '{spec.Text}': there is no parameter '{name}'; {known}");
            }
        }

        if (entry.Numbering == PageNumbering.PerLeaf) _ = LinuxBatches(spec, 1);
        return entry;
    }

    /// <summary>How a policy wants pages numbered.</summary>
    /// <exception cref="FormatException">The name is not known, or a parameter is not one of the policy's.</exception>
    public static PageNumbering Numbering(PolicySpec spec) => Check(spec).Numbering;

    /// <summary>Makes a cell of <paramref name="frames"/> frames.</summary>
    /// <exception cref="FormatException">The name is not known, a parameter is not one of the policy's, or the number
    /// of frames is out of range.</exception>
    /// <exception cref="Memory.NativeMemoryException">The memory cannot be had.</exception>
    public static ReplayCell Create(PolicySpec spec, long frames)
    {
        PolicyEntry entry = Check(spec);
        if (frames < 1 || frames > FrameId.CountMax)
            throw new FormatException($"policy '{spec.Text}': {frames} frames are out of range (1 to {FrameId.CountMax})");
        uint count = (uint)frames;
        return spec.Name switch
        {
            "fifo" => new CacheReplayCell<Fifo>(spec.Text, count, entry.Numbering, new Fifo()),
            "lru" => new CacheReplayCell<Lru>(spec.Text, count, entry.Numbering, new Lru()),
            "linux-3.15" => Linux<Linux315>(spec, count, entry.Numbering),
            _ => Linux<Linux6>(spec, count, entry.Numbering),
        };
    }

    private static CacheReplayCell<LinuxRules<TProfile>> Linux<TProfile>(
        PolicySpec spec, uint frames, PageNumbering numbering) where TProfile : struct, ILinuxProfile
    {
        (int reclaim, int batch) = LinuxBatches(spec, TProfile.CpuBatchDefault);
        return new(spec.Text, frames, numbering, new LinuxRules<TProfile>(reclaim, batch));
    }

    internal static (int Reclaim, int Batch) LinuxBatches(PolicySpec spec, int cpuBatchDefault)
    {
        const int Max = LinuxRules<Linux6>.BatchMax;
        return (spec.GetInt32("reclaim", LinuxRules<Linux6>.ReclaimBatchDefault, 1, Max),
            spec.GetInt32("batch", cpuBatchDefault, 1, Max));
    }
}
