// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using PerfCache.Extensions;
using static PerfCache.Tests.Extensions.TestCache;

namespace PerfCache.Tests.Extensions;

/// <summary>Goal: a listener sees what the statistics say, of each cache by its name, until the cache is gone.</summary>
[TestFixture]
public sealed class OffHeapCacheMetricsTests
{
    [Test]
    public void AListenerSeesWhatTheStatisticsSayUntilTheCacheIsGone()
    {
        OffHeapDistributedCache cache = new(new PerfCacheOptions { Name = "metrics off heap", CapacityBytes = 8 << 20 });
        using OffHeapDistributedCache other = new(new PerfCacheOptions { Name = "metrics other", CapacityBytes = 8 << 20 });
        for (int i = 0; i < 4000; i++) cache.Set($"key {i}", Value(i, 4096), For(seconds: 1000));
        for (int i = 3500; i < 4100; i++) cache.Get($"key {i}");
        Dictionary<string, long> seen = Collect("metrics off heap");
        Assert.That(cache.Statistics.Evicted, Is.GreaterThan(0));
        Assert.That(seen, Is.EqualTo(new Dictionary<string, long>
        {
            ["cache.requests hit"] = 500,
            ["cache.requests miss"] = 100,
            ["cache.evictions"] = cache.Statistics.Evicted,
            ["cache.entries"] = cache.Statistics.Items,
            ["cache.estimated_size"] = cache.UsedBytes,
            ["cache.stores"] = 4000,
            ["cache.expirations"] = 0,
            ["cache.refused_stores"] = 0,
            ["cache.lost_entries"] = 0,
            ["cache.size_limit"] = 8 << 20,
        }));
        Assert.That(Collect("metrics other")["cache.entries"], Is.Zero);
        cache.Dispose();
        Assert.That(Collect("metrics off heap"), Is.Empty);
    }

    private static Dictionary<string, long> Collect(string cacheName)
    {
        Dictionary<string, long> seen = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == OffHeapCacheMetrics.MeterName) self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            Dictionary<string, object?> tag = new(tags.ToArray());
            if (!Equals(tag["cache.name"], cacheName)) return;
            seen.Add(instrument.Name + (tag.TryGetValue("cache.request.type", out object? type) ? $" {type}" : ""), value);
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return seen;
    }
}
