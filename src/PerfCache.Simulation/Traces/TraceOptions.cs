// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>Stand-in until the readers land: how to read a trace.</summary>
public sealed record TraceOptions
{
    /// <summary>A format's name.</summary>
    public string Format { get; init; } = "auto";

    /// <summary>The page size at which requests are cut into pages.</summary>
    public int PageBytes { get; init; } = 4096;

    /// <summary>Cut the requests of block formats into pages.</summary>
    public bool Split { get; init; }

    /// <summary>Where a csv trace keeps its columns, or null.</summary>
    public string? CsvColumns { get; init; }
}
