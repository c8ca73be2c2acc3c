// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Replay;

/// <summary>What to replay a trace with: every policy at every size is one cell.</summary>
public sealed record ReplayOptions
{
    /// <summary>The policies, in the order of the results.</summary>
    public required IReadOnlyList<PolicySpec> Policies { get; init; }

    /// <summary>The sizes, in the order of the results of one policy.</summary>
    public required IReadOnlyList<CacheSize> Sizes { get; init; }

    /// <summary>Where the policies are looked up.</summary>
    public PolicyCatalog Catalog { get; init; } = PolicyCatalog.BuiltIn;

    /// <summary>The requests to replay at most.</summary>
    public long Limit { get; init; } = long.MaxValue;

    /// <summary>The first requests, which are replayed and not counted.</summary>
    public Warmup Warmup { get; init; }

    /// <summary>True to keep how the misses spread over time (<see cref="ReplayResult.Timeline"/>).</summary>
    public bool KeepTimeline { get; init; }

    /// <summary>
    /// The threads that read, map and replay, the calling one included. With 1, nothing runs beside a cell
    /// and <see cref="ReplayResult.Seconds"/> is least disturbed.
    /// </summary>
    public int Jobs { get; init; } = Environment.ProcessorCount;

    /// <summary>Receives one byte a request; only with a single cell. The runner commits it.</summary>
    public OutputFile? Outcomes { get; init; }

    /// <summary>
    /// Receives the pages resident at the end; only with a single cell. The runner commits it.
    /// </summary>
    public OutputFile? Resident { get; init; }
}

/// <summary>How far a replay is.</summary>
/// <param name="Trace">The trace's name.</param>
/// <param name="Counting">True in the pass that counts the distinct pages for sizes in percent.</param>
/// <param name="Fraction">From 0 to 1 in this pass, or negative when the trace's length is unknown.</param>
/// <param name="Requests">The requests read in this pass.</param>
public readonly record struct ReplayProgress(string Trace, bool Counting, double Fraction, long Requests);

/// <summary>Where cells come from: <see cref="PolicyCatalog"/>, or a test's own.</summary>
internal sealed record CellFactory(
    Func<PolicySpec, PageNumbering> Numbering, Func<PolicySpec, long, ReplayCell> Create)
{
    public Func<PolicySpec, bool> NeedsNextUses { get; init; } = _ => false;

    public static CellFactory Of(PolicyCatalog catalog) => new(catalog.Numbering, catalog.Create)
    {
        NeedsNextUses = spec => catalog.Check(spec).NeedsNextUses,
    };
}
