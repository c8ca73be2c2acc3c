// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Simulation.Curves;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// A curve as JSON objects, one a line: a <c>point</c> for each size, then one <c>knee</c>, then one <c>check</c> if it
/// was asked for. The names and their order are a contract with scripts.
/// </summary>
public static class CurveJson
{
    /// <summary>The lines of a curve, without the lines' ends.</summary>
    public static IEnumerable<string> Lines(MissRatioCurve curve, int pageBytes) => Lines(curve, pageBytes, withTimes: true);

    /// <summary>The same, without what differs from run to run unless it is wanted.</summary>
    internal static IEnumerable<string> Lines(MissRatioCurve curve, int pageBytes, bool withTimes)
    {
        ArgumentNullException.ThrowIfNull(curve);
        foreach (CurvePoint point in curve.Points)
            yield return Line("point", curve, json => WritePoint(json, curve, point, pageBytes, withTimes));
        yield return Line("knee", curve, json => WriteKnee(json, curve.Knee(pageBytes), pageBytes));
        if (curve.Check is CurveError check) yield return Line("check", curve, json => WriteCheck(json, check));
    }

    private static string Line(string kind, MissRatioCurve curve, Action<Utf8JsonWriter> write) => JsonLine.Of(json =>
    {
        json.WriteString("kind", kind);
        json.WriteString("trace", curve.Trace);
        json.WriteString("policy", curve.Policy);
        write(json);
        if (!curve.Complete) json.WriteBoolean("complete", false);
    });

    private static void WritePoint(
        Utf8JsonWriter json, MissRatioCurve curve, CurvePoint point, int pageBytes, bool withTimes)
    {
        json.WriteNumber("frames", point.Frames);
        json.WriteNumber("bytes", (decimal)point.Frames * pageBytes);
        json.WriteNumber("requests", curve.Requests);
        json.WriteNumber("misses", point.Misses);
        json.WriteNumber("missRatio", point.MissRatio);
        json.WriteNumber("distinctPages", curve.DistinctPages);
        json.WriteNumber("sampleRate", curve.SampleRate);
        json.WriteNumber("sampledRequests", curve.SampledRequests);
        if (!withTimes) return;
        json.WriteNumber("seconds", curve.Seconds);
        json.WriteNumber("readSeconds", curve.ReadSeconds);
    }

    private static void WriteKnee(Utf8JsonWriter json, CurveKnee knee, int pageBytes)
    {
        json.WriteNumber("frames", knee.Frames);
        json.WriteNumber("bytes", (decimal)knee.Frames * pageBytes);
        json.WriteNumber("missRatio", knee.MissRatio);
        json.WriteNumber("advantage", knee.Advantage);
        json.WriteNumber("stepFrames", knee.StepFrames);
        json.WriteString("stepName", knee.StepName);
        json.WriteNumber("stepSaves", knee.StepSaves);
        json.WriteNumber("framesFor90", knee.FramesFor90);
    }

    private static void WriteCheck(Utf8JsonWriter json, CurveError check)
    {
        json.WriteNumber("meanAbsoluteError", check.Mean);
        json.WriteNumber("pointsMeanAbsoluteError", check.PointsMean);
        json.WriteNumber("largestError", check.Largest);
        json.WriteNumber("largestErrorFrames", check.LargestFrames);
    }
}
