// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>Stand-in until the readers land: one line of the list of formats.</summary>
public readonly record struct TraceFormatInfo(string Name, string Description);

/// <summary>Stand-in until the readers land: the trace formats by name.</summary>
public static class TraceFormats
{
    /// <summary>Every format, in the order of the help text.</summary>
    public static IReadOnlyList<TraceFormatInfo> Names { get; } = [new("auto", "detect the format")];
}
