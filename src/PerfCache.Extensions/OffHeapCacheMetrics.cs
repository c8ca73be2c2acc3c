// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using PerfCache.Cache;
using PerfCache.Items;

namespace PerfCache.Extensions;

/// <summary>
/// The metrics of all <see cref="OffHeapDistributedCache"/>s of the process, for System.Diagnostics.Metrics:
/// OpenTelemetry, dotnet-counters or a listener of one's own.
/// </summary>
/// <remarks>
/// <code>
/// cache.requests         counter {request}    tag cache.request.type: hit, miss
/// cache.evictions        counter {eviction}   to make room; what expired or was removed is not one
/// cache.entries          up-down {entry}      expired ones that nobody met included
/// cache.estimated_size   gauge   By           native bytes, metadata included; exact, in spite of the name
/// cache.stores           counter {store}      values stored
/// cache.expirations      counter {entry}      entries whose time was over
/// cache.refused_stores   counter {store}      values that found no room
/// cache.lost_entries     counter {entry}      entries whose bytes did not match their checksum any more
/// cache.size_limit       gauge   By           the bound
/// </code>
/// The first four have the names and tags of the metrics proposed for .NET's own memory cache, and of
/// <see cref="PerfCache.Cache.PageCacheMetrics"/>, so that one dashboard shows all three. Every measurement has the tag
/// cache.name. All instruments are observable: a cache is asked when somebody collects, and pays nothing otherwise.
/// A cache is known here from when it is made until it is disposed; one that was forgotten is not kept alive.
/// </remarks>
public static class OffHeapCacheMetrics
{
    /// <summary>The name of the meter.</summary>
    public const string MeterName = "PerfCache.DistributedCache";

    private const string NameTag = "cache.name";
    private const string TypeTag = "cache.request.type";

    private static readonly Meter s_meter = new(MeterName);
    private static readonly MeasuredInstances<OffHeapDistributedCache> s_caches = new();

    static OffHeapCacheMetrics()
    {
        s_meter.CreateObservableCounter("cache.requests", Requests, "{request}", "Look-ups of entries.");
        Counter("cache.evictions", "{eviction}", "Entries evicted to make room.", (_, counts) => counts.Evicted);
        s_meter.CreateObservableUpDownCounter(
            "cache.entries", () => Each((_, counts) => counts.Items), "{entry}", "Entries.");
        s_meter.CreateObservableGauge(
            "cache.estimated_size", () => Each((cache, counts) => cache.UsedBytesOf(counts)), "By",
            "Native bytes in use, metadata included.");
        Counter("cache.stores", "{store}", "Values stored.", (_, counts) => counts.Stores);
        Counter("cache.expirations", "{entry}", "Entries whose time was over.", (_, counts) => counts.Expired);
        Counter("cache.refused_stores", "{store}", "Values that found no room.", (_, counts) => counts.Refused);
        Counter("cache.lost_entries", "{entry}", "Entries with a wrong checksum.", (_, counts) => counts.Lost);
        s_meter.CreateObservableGauge(
            "cache.size_limit", () => Each((cache, _) => cache.CapacityBytes), "By", "The most native bytes.");
    }

    internal static void Add(OffHeapDistributedCache cache) => s_caches.Add(cache);

    internal static void Remove(OffHeapDistributedCache cache) => s_caches.Remove(cache);

    private static void Counter(
        string name, string unit, string description, Func<OffHeapDistributedCache, ItemStatistics, long> read) =>
        s_meter.CreateObservableCounter(name, () => Each(read), unit, description);

    private static List<Measurement<long>> Requests()
    {
        List<Measurement<long>> requests = [];
        foreach ((OffHeapDistributedCache cache, ItemStatistics counts) in Measured())
        {
            KeyValuePair<string, object?> name = new(NameTag, cache.Name);
            requests.Add(new(counts.Hits, name, new(TypeTag, "hit")));
            requests.Add(new(counts.Misses, name, new(TypeTag, "miss")));
        }

        return requests;
    }

    private static List<Measurement<long>> Each(Func<OffHeapDistributedCache, ItemStatistics, long> read) =>
        [.. Measured().Select(measured => new Measurement<long>(
            read(measured.Cache, measured.Counts), new KeyValuePair<string, object?>(NameTag, measured.Cache.Name)))];

    /// <summary>The caches of the moment and their counts.</summary>
    private static List<(OffHeapDistributedCache Cache, ItemStatistics Counts)> Measured()
    {
        List<(OffHeapDistributedCache, ItemStatistics)> measured = [];
        foreach (OffHeapDistributedCache cache in s_caches.All())
        {
            try
            {
                measured.Add((cache, cache.Statistics));
            }
            catch (ObjectDisposedException)
            {
                // It went in between, and is in nobody's figures any more.
            }
        }

        return measured;
    }
}
