// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Curves;

/// <summary>Which curves of a trace to make, and how.</summary>
public sealed record CurveOptions
{
    /// <summary>The points of a curve unless told otherwise.</summary>
    public const int DefaultPoints = 64;

    /// <summary>The policies, in the order of the results.</summary>
    public required IReadOnlyList<PolicySpec> Policies { get; init; }

    /// <summary>Where the policies are looked up.</summary>
    public PolicyCatalog Catalog { get; init; } = PolicyCatalog.BuiltIn;

    /// <summary>The sizes, or null for <see cref="Points"/> of them.</summary>
    public IReadOnlyList<CacheSize>? Sizes { get; init; }

    /// <summary>How many sizes to spread, each larger than the one before by the same factor, from one frame (in a sample:
    /// from what one of its pages stands for) to as many as there are distinct pages. At least 2.</summary>
    public int Points { get; init; } = DefaultPoints;

    /// <summary>The part of the pages to look at, above 0 and up to 1; null to look at all. With
    /// <see cref="SampleSize"/>, the rate to begin with.</summary>
    public double? SampleRate { get; init; }

    /// <summary>The most pages to look at, at least 1; null for as many as the rate gives. For lru only.</summary>
    public int? SampleSize { get; init; }

    /// <summary>Which pages a sample has.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Whether to make exact curves besides and compare.</summary>
    public bool Check { get; init; }

    /// <summary>The requests to look at, at most.</summary>
    public long Limit { get; init; } = long.MaxValue;

    /// <summary>Threads of a sweep, the calling one included.</summary>
    public int Jobs { get; init; } = Environment.ProcessorCount;

    /// <summary>Whether the curves come from a sample.</summary>
    public bool IsSampled => SampleRate is not null || SampleSize is not null;
}
