// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Curves;

/// <summary>One cache size of a curve.</summary>
/// <param name="Frames">The size in frames.</param>
/// <param name="Misses">Requests that miss: exact, or estimated from a sample and rounded.</param>
/// <param name="MissRatio">Misses divided by requests, from 0 to 1.</param>
public readonly record struct CurvePoint(long Frames, long Misses, double MissRatio);

/// <summary>The miss ratio of one policy over cache sizes, for one trace. The names are those of the JSON output.</summary>
public sealed record MissRatioCurve
{
    /// <summary>The trace's name as the user gave it.</summary>
    public required string Trace { get; init; }

    /// <summary>The policy as the user named it, with its parameters.</summary>
    public required string Policy { get; init; }

    /// <summary>Requests of the trace that the curve is about, all of them and not the sampled ones alone.</summary>
    public required long Requests { get; init; }

    /// <summary>Distinct pages: counted, or estimated from the sample.</summary>
    public required long DistinctPages { get; init; }

    /// <summary>The part of the pages that was looked at; 1 for an exact curve. A sample of fixed size tells the rate at
    /// the end.</summary>
    public required double SampleRate { get; init; }

    /// <summary>The requests that were looked at.</summary>
    public required long SampledRequests { get; init; }

    /// <summary>The sizes asked for, ascending.</summary>
    public required IReadOnlyList<CurvePoint> Points { get; init; }

    /// <summary>More sizes, ascending, on which <see cref="Knee"/> looks; for swept policies those asked for.</summary>
    public required IReadOnlyList<CurvePoint> Steps { get; init; }

    /// <summary>Seconds spent on this curve without reading the trace. An exact or sampled LRU curve includes the
    /// numbering of its pages; for swept policies the time of all their cells.</summary>
    public required double Seconds { get; init; }

    /// <summary>Seconds spent reading the trace, shared by all its curves.</summary>
    public required double ReadSeconds { get; init; }

    /// <summary>The most bytes that the curve's structures had in use; 0 where that is not counted.</summary>
    public long Bytes { get; init; }

    /// <summary>The difference to the exact curve, where it was asked for.</summary>
    public CurveError? Check { get; init; }

    /// <summary>False when Ctrl-C stopped the work: the curve covers the requests until then.</summary>
    public bool Complete { get; init; } = true;

    /// <summary>Suggests a size: see <see cref="CurveKnee"/>.</summary>
    /// <param name="pageBytes">Bytes of a page.</param>
    public CurveKnee Knee(long pageBytes) => CurveKnee.Of(Steps, pageBytes);
}
