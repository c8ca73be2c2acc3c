// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Reports;

/// <summary>
/// Results as JSON objects, one a line. The names and their order are a contract with scripts.
/// </summary>
public static class JsonLines
{
    /// <summary>One result as one line, without the line's end.</summary>
    public static string Format(ReplayResult result) => Format(result, withTimes: true);

    /// <summary>The same, without what differs from run to run unless it is wanted.</summary>
    internal static string Format(ReplayResult result, bool withTimes)
    {
        ArgumentNullException.ThrowIfNull(result);
        return JsonLine.Of(json => WriteTo(json, result, withTimes));
    }

    private static void WriteTo(Utf8JsonWriter json, ReplayResult result, bool withTimes)
    {
        json.WriteString("trace", result.Trace);
        json.WriteString("policy", result.Policy);
        json.WriteNumber("frames", result.Frames);
        json.WriteNumber("requests", result.Requests);
        json.WriteNumber("misses", result.Misses);
        json.WriteNumber("missRatio", result.MissRatio);
        json.WriteNumber("compulsoryMisses", result.CompulsoryMisses);
        json.WriteNumber("coldMisses", result.ColdMisses);
        json.WriteNumber("refaults", result.Refaults);
        json.WriteNumber("activations", result.Activations);
        json.WriteNumber("deactivations", result.Deactivations);
        json.WriteNumber("evictions", result.Evictions);
        if (withTimes)
        {
            json.WriteNumber("seconds", result.Seconds);
            json.WriteNumber("readSeconds", result.ReadSeconds);
            json.WriteNumber("requestsPerSecond", Math.Round(result.RequestsPerSecond));
        }

        json.WriteNumber("nativeBytes", result.NativeBytes);
        json.WriteNumber("mapBytes", result.MapBytes);
        json.WriteNumber("shadowBytes", result.ShadowBytes);
        if (result.WarmupRequests > 0) json.WriteNumber("warmupRequests", result.WarmupRequests);
        if (result.RequestedBytes is long requested && result.MissedBytes is long missed)
        {
            json.WriteNumber("requestedBytes", requested);
            json.WriteNumber("missedBytes", missed);
            json.WriteNumber("byteMissRatio", result.ByteMissRatio!.Value);
        }

        if (result.Live is not null) WriteLive(json, result, result.Live);
        if (result.Disk is not null) WriteDisk(json, result.Disk);
        if (!result.Complete) json.WriteBoolean("complete", false);
    }

    /// <summary>Added by a live replay; the other names mean what they always do.</summary>
    private static void WriteLive(Utf8JsonWriter json, ReplayResult result, LiveMeasures live)
    {
        json.WriteBoolean("live", true);
        json.WriteNumber("threads", live.Threads);
        json.WriteString("reclaim", live.BackgroundReclaim ? "background" : "direct");
        json.WriteNumber("pageBytes", live.PageBytes);
        json.WriteNumber("bytesPerSecond", Math.Round(result.BytesPerSecond));
        json.WriteNumber("hitsTimed", live.Hits.Count);
        WriteLatencies(json, "hit", live.Hits);
        WriteLatencies(json, "miss", live.Misses);
        json.WriteNumber("lockWaits", live.LockWaits);
    }

    /// <summary>Added where a trace writes, or readahead is modelled.</summary>
    private static void WriteDisk(Utf8JsonWriter json, DiskTraffic disk)
    {
        json.WriteNumber("readaheadMax", disk.ReadaheadMax);
        json.WriteNumber("writes", disk.Writes);
        json.WriteNumber("diskReads", disk.DiskReads);
        json.WriteNumber("readaheadPages", disk.ReadaheadPages);
        json.WriteNumber("writeBacks", disk.WriteBacks);
        json.WriteNumber("dirtyPages", disk.DirtyPages);
    }

    private static void WriteLatencies(Utf8JsonWriter json, string kind, LatencyHistogram latencies)
    {
        json.WriteNumber(kind + "P50Ns", latencies.Percentile(50));
        json.WriteNumber(kind + "P99Ns", latencies.Percentile(99));
        json.WriteNumber(kind + "P999Ns", latencies.Percentile(99.9));
        json.WriteNumber(kind + "MaxNs", latencies.Highest);
    }
}
