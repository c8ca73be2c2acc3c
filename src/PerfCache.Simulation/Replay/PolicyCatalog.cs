// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Replay;

/// <summary>The policies by name: the one switch that picks a closed rule type.</summary>
public static class PolicyCatalog
{
    /// <summary>The names, in the order in which help lists them.</summary>
    public static IReadOnlyList<string> Names { get; } = ["fifo", "lru", "linux-3.15", "linux-6"];

    /// <summary>Checks a policy's name and parameters without making a cell.</summary>
    /// <exception cref="FormatException">The name is not known, or a parameter is not one of the policy's.</exception>
    public static void Check(PolicySpec spec) => throw new NotSupportedException();

    /// <summary>How a policy wants pages numbered.</summary>
    public static PageNumbering Numbering(PolicySpec spec) => throw new NotSupportedException();

    /// <summary>Makes a cell of <paramref name="frames"/> frames.</summary>
    /// <exception cref="FormatException">The name is not known, or a parameter is not one of the policy's.</exception>
    public static ReplayCell Create(PolicySpec spec, long frames) => throw new NotSupportedException();
}
