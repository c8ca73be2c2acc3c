// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using PerfCache.Cache.Nodes;

namespace PerfCache.Cache;

/// <summary>
/// The metrics of all caches with page data in the process, for System.Diagnostics.Metrics: OpenTelemetry, dotnet-counters
/// or a listener of one's own.
/// </summary>
/// <remarks>
/// <code>
/// cache.requests         counter {request}     tag cache.request.type: hit, miss
/// cache.evictions        counter {eviction}    by reclaim; what somebody invalidated is not one
/// cache.entries          up-down {entry}       resident pages
/// cache.estimated_size   gauge   By            native bytes, metadata included; exact, in spite of the name
/// cache.refaults         counter {refault}     insertions that found a shadow
/// cache.activations      counter {activation}
/// cache.deactivations    counter {deactivation}
/// cache.lock_waits       counter {wait}        threads that waited for the cache's lock
/// cache.dirty_pages      up-down {page}        changed and not written
/// cache.held_frames      up-down {frame}       found in use by reclaim, and set aside
/// cache.lent_pages       up-down {page}        in memory that others lend it (<see cref="PageCacheOptions.Overflow"/>)
/// cache.limit_evictions     counter {eviction} of a partition, because it was at its own limit
/// cache.pressure_evictions  counter {eviction} of a partition, because another needed frames
/// cache.node.pages       up-down {page}        resident on a node, of each partition; tag cache.locality: local, remote
/// cache.node.free        up-down {frame}       free frames of a node
/// cache.node.fallbacks   counter {page}        pages that lie there because the node that was wanted had no free frame
/// cache.node.migrations  counter {page}        pages that were moved there from other nodes
/// </code>
/// The first four have the names and tags of the metrics proposed for .NET's own memory cache, whose meter is
/// Microsoft.Extensions.Caching.Memory.MemoryCache, so that one dashboard shows both. Every measurement has the tag
/// cache.name. Hits are reported where the cache counts them (<see cref="PageCacheOptions.CountHits"/>), and left out
/// elsewhere: 0 would be a lie.
/// <para>Once a cache has partitions of its own making, what is counted for each of them (requests, evictions, entries,
/// refaults, activations, deactivations, dirty pages, held frames) is reported for each, with the tag cache.partition:
/// the measurements of a cache sum up to the cache's. What only the whole has (size, lock, lent pages) has no such
/// tag.</para>
/// <para>What is counted for nodes is reported for caches that were given some (<see cref="PageCacheOptions.Nodes"/>), with
/// the node's number as the tag cache.node. The pages of all nodes and partitions sum up to the cache's.</para>
/// <para>All instruments are observable: a cache is asked, under its lock, when somebody collects, and pays nothing at
/// any other time. A cache is known here from when it is made until its memory is given back; one that was forgotten
/// without Dispose is not kept alive.</para>
/// </remarks>
public static class PageCacheMetrics
{
    /// <summary>The name of the meter.</summary>
    public const string MeterName = "PerfCache.PageCache";

    private const string NameTag = "cache.name";
    private const string TypeTag = "cache.request.type";
    private const string PartitionTag = "cache.partition";
    private const string NodeTag = "cache.node";
    private const string LocalityTag = "cache.locality";

    private static readonly Meter s_meter = new(MeterName);
    private static readonly MeasuredInstances<IMeasuredCache> s_caches = new();

    static PageCacheMetrics()
    {
        s_meter.CreateObservableCounter("cache.requests", Requests, "{request}", "Look-ups of pages.");
        Counter(
            "cache.evictions", "{eviction}", "Pages evicted by reclaim.", m => m.Statistics.Evictions, p => p.Evictions);
        UpDown("cache.entries", "{entry}", "Resident pages.", m => m.ResidentCount, p => p.ResidentPages);
        s_meter.CreateObservableGauge(
            "cache.estimated_size", () => Each(m => m.UsedBytes, null), "By", "Native bytes in use, metadata included.");
        Counter(
            "cache.refaults", "{refault}", "Insertions that found a shadow.", m => m.Statistics.Refaults, p => p.Refaults);
        Counter(
            "cache.activations", "{activation}", "Pages that became active.", m => m.Statistics.Activations,
            p => p.Activations);
        Counter(
            "cache.deactivations", "{deactivation}", "Pages that became inactive.", m => m.Statistics.Deactivations,
            p => p.Deactivations);
        Counter(
            "cache.limit_evictions", "{eviction}", "Pages evicted for a partition's own limit.", null, p => p.LimitEvictions);
        Counter(
            "cache.pressure_evictions", "{eviction}", "Pages evicted for another partition.", null, p => p.PressureEvictions);
        Counter("cache.lock_waits", "{wait}", "Threads that waited for the lock.", m => m.Statistics.LockWaits);
        UpDown("cache.dirty_pages", "{page}", "Pages changed and not written.", m => m.DirtyCount, p => p.DirtyPages);
        UpDown(
            "cache.held_frames", "{frame}", "Frames that reclaim set aside.", m => m.Statistics.HeldFrames,
            p => p.HeldFrames);
        UpDown("cache.lent_pages", "{page}", "Pages of the cache in memory that others lend it.", m => m.LentCount);
        s_meter.CreateObservableUpDownCounter("cache.node.pages", PagesOfNodes, "{page}", "Pages resident on a node.");
        s_meter.CreateObservableUpDownCounter(
            "cache.node.free", () => OfNodes(node => node.FreeFrames), "{frame}", "Free frames of a node.");
        s_meter.CreateObservableCounter(
            "cache.node.fallbacks", () => OfNodes(node => node.FallbacksTo), "{page}", "Pages that another node had no room for.");
        s_meter.CreateObservableCounter(
            "cache.node.migrations", () => OfNodes(node => node.MigratedIn), "{page}", "Pages moved here from other nodes.");
    }

    internal static void Add(IMeasuredCache cache) => s_caches.Add(cache);

    internal static void Remove(IMeasuredCache cache) => s_caches.Remove(cache);

    private static void Counter(
        string name, string unit, string description, Func<CacheMeasurement, long>? read,
        Func<PartitionStatistics, long>? readPartition = null) =>
        s_meter.CreateObservableCounter(name, () => Each(read, readPartition), unit, description);

    private static void UpDown(
        string name, string unit, string description, Func<CacheMeasurement, long> read,
        Func<PartitionStatistics, long>? readPartition = null) =>
        s_meter.CreateObservableUpDownCounter(name, () => Each(read, readPartition), unit, description);

    private static List<Measurement<long>> Requests()
    {
        List<Measurement<long>> requests = [];
        foreach (IMeasuredCache cache in s_caches.All())
        {
            CacheMeasurement measured = cache.Measure();
            KeyValuePair<string, object?> name = new(NameTag, cache.Name);
            KeyValuePair<string, object?> hit = new(TypeTag, "hit");
            KeyValuePair<string, object?> miss = new(TypeTag, "miss");
            if (measured.Partitions.Length == 0)
            {
                if (measured.CountsHits) requests.Add(new(measured.Statistics.Hits, name, hit));
                requests.Add(new(measured.Statistics.Misses, name, miss));
            }

            foreach (PartitionStatistics partition in measured.Partitions)
            {
                KeyValuePair<string, object?> part = new(PartitionTag, partition.Name);
                if (measured.CountsHits) requests.Add(new(partition.Hits, name, hit, part));
                requests.Add(new(partition.Misses, name, miss, part));
            }
        }

        return requests;
    }

    /// <summary>A value of each cache, or of each of its partitions where it has some.</summary>
    /// <param name="read">The value of a cache; null where only partitions have one.</param>
    /// <param name="readPartition">The value of a partition; null where only the whole cache has one.</param>
    private static List<Measurement<long>> Each(
        Func<CacheMeasurement, long>? read, Func<PartitionStatistics, long>? readPartition)
    {
        List<Measurement<long>> values = [];
        foreach (IMeasuredCache cache in s_caches.All())
        {
            CacheMeasurement measured = cache.Measure();
            KeyValuePair<string, object?> name = new(NameTag, cache.Name);
            if (read is not null && (readPartition is null || measured.Partitions.Length == 0))
                values.Add(new(read(measured), name));
            if (readPartition is null) continue;
            foreach (PartitionStatistics partition in measured.Partitions)
                values.Add(new(readPartition(partition), name, new(PartitionTag, partition.Name)));
        }

        return values;
    }

    private static List<Measurement<long>> OfNodes(Func<NodeStatistics, long> read)
    {
        List<Measurement<long>> values = [];
        foreach (IMeasuredCache cache in s_caches.All())
        {
            foreach (NodeStatistics node in cache.Measure().Nodes)
                values.Add(new(read(node), new(NameTag, cache.Name), new(NodeTag, node.Node)));
        }

        return values;
    }

    private static List<Measurement<long>> PagesOfNodes()
    {
        List<Measurement<long>> values = [];
        foreach (IMeasuredCache cache in s_caches.All())
        {
            foreach ((string partition, PartitionNode[] nodes) in cache.Measure().PartitionNodes)
            {
                foreach (PartitionNode node in nodes)
                {
                    values.Add(new(
                        node.Pages, new(NameTag, cache.Name), new(PartitionTag, partition), new(NodeTag, node.Node),
                        new(LocalityTag, node.IsLocal ? "local" : "remote")));
                }
            }
        }

        return values;
    }
}

/// <summary>A cache as the metrics see it, without its type parameters.</summary>
internal interface IMeasuredCache
{
    /// <summary>The value of the tag cache.name.</summary>
    string Name { get; }

    /// <summary>All values of one moment; also after the cache was disposed.</summary>
    CacheMeasurement Measure();
}

/// <summary>What a collection of metrics reads of a cache; of each partition, once there are some.</summary>
internal readonly record struct CacheMeasurement(
    PageCacheStatistics Statistics, bool CountsHits, long ResidentCount, long UsedBytes, long DirtyCount, long LentCount,
    PartitionStatistics[] Partitions, NodeStatistics[] Nodes, (string Partition, PartitionNode[] Nodes)[] PartitionNodes);
