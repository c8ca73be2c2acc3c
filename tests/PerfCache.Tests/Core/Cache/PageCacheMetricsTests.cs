// SPDX-License-Identifier: MIT
using System.Diagnostics.Metrics;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: a listener sees what the statistics say, of each cache by its name, until the cache is gone.</summary>
[TestFixture]
public sealed class PageCacheMetricsTests
{
    [Test]
    public void AListenerSeesWhatTheStatisticsSay()
    {
        using PageCache<LinuxRules<Linux6>> cache = New("metrics one", countHits: true);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 10_000);
        for (uint round = 0; round < 5; round++)
        {
            for (uint page = 0; page < 100; page++)
            {
                if (!cache.Touch(owner, page + (round * 10))) cache.TryAdd(owner, page + (round * 10), [1]);
                cache.Touch(owner, page % 20);
            }
        }

        ObjectId written = cache.AddObject(new ModelledPageSource(new ModelledPageSourceOptions { PageCount = 10 }));
        using (cache.GetForWrite(written, 3))
        {
        }

        Dictionary<string, long> seen = Collect("metrics one");
        PageCacheStatistics statistics = cache.Statistics;
        Assert.That(statistics.Evictions, Is.GreaterThan(0));
        Assert.That(statistics.Refaults, Is.GreaterThan(0));
        Assert.That(seen, Is.EqualTo(new Dictionary<string, long>
        {
            ["cache.requests hit"] = statistics.Hits,
            ["cache.requests miss"] = statistics.Misses,
            ["cache.evictions"] = statistics.Evictions,
            ["cache.entries"] = cache.ResidentCount,
            ["cache.estimated_size"] = cache.UsedBytes,
            ["cache.refaults"] = statistics.Refaults,
            ["cache.activations"] = statistics.Activations,
            ["cache.deactivations"] = statistics.Deactivations,
            ["cache.lock_waits"] = statistics.LockWaits,
            ["cache.dirty_pages"] = 1,
            ["cache.held_frames"] = statistics.HeldFrames,
            ["cache.lent_pages"] = 0,
        }));
    }

    [Test]
    public void CachesAreToldApartAndLeaveWhenTheyAreDisposed()
    {
        using PageCache<LinuxRules<Linux6>> one = New("metrics left", countHits: false);
        using (PageCache<LinuxRules<Linux6>> other = New("metrics right", countHits: false))
        {
            one.TryAdd(one.AddObject(source: null, pageCountMax: 64), 1, [1]);
            Assert.That(Collect("metrics left")["cache.entries"], Is.EqualTo(1));
            Assert.That(Collect("metrics right")["cache.entries"], Is.Zero);
            Assert.That(Collect("metrics left").ContainsKey("cache.requests hit"), Is.False, "hits are not counted");
        }

        Assert.That(Collect("metrics right"), Is.Empty);
        Assert.That(Collect("metrics left"), Is.Not.Empty);
    }

    [Test]
    public void PartitionsAreToldApartAndSumUpToTheCache()
    {
        using PageCache<LinuxRules<Linux6>> cache = New("metrics parts", countHits: true);
        PartitionId temp = cache.AddPartition(
            new PartitionOptions { Name = "temp", MaxBytes = 16 * 4096 }, new LinuxRules<Linux6>());
        ObjectId[] objects =
            [cache.AddObject(source: null, 1000), cache.AddObject(source: null, 1000, dense: true, temp)];
        for (uint i = 0; i < 500; i++)
        {
            foreach (ObjectId owner in objects)
                if (!cache.Touch(owner, i % 150)) cache.TryAdd(owner, i % 150, [1]);
            cache.Touch(objects[1], i % 150);
        }

        Dictionary<string, long> seen = Collect("metrics parts");
        PartitionStatistics limited = cache.GetPartitionStatistics(temp);
        Assert.That(seen["cache.requests hit of temp"], Is.EqualTo(limited.Hits).And.GreaterThan(400));
        Assert.That(seen["cache.entries of temp"], Is.EqualTo(limited.ResidentPages).And.InRange(1, 16));
        Assert.That(seen["cache.limit_evictions of temp"], Is.EqualTo(limited.Evictions).And.GreaterThan(100));
        Assert.That(
            seen["cache.pressure_evictions of default"], Is.EqualTo(cache.GetPartitionStatistics(default).PressureEvictions));
        Assert.That(seen["cache.entries of temp"] + seen["cache.entries of default"], Is.EqualTo(cache.ResidentCount));
        Assert.That(
            seen["cache.requests miss of temp"] + seen["cache.requests miss of default"], Is.EqualTo(cache.Statistics.Misses));
        Assert.That(seen, Does.ContainKey("cache.estimated_size").And.ContainKey("cache.lock_waits"));
        Assert.That(seen, Does.Not.ContainKey("cache.entries"), "the parts stand for the whole, which would count twice");
    }

    private static PageCache<LinuxRules<Linux6>> New(string name, bool countHits) => new(
        PageCacheOptions.ForFrames(64) with { Name = name, CountHits = countHits, BackgroundReclaim = false },
        new LinuxRules<Linux6>());

    private static Dictionary<string, long> Collect(string cacheName)
    {
        Dictionary<string, long> seen = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == PageCacheMetrics.MeterName) self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            Dictionary<string, object?> tag = new(tags.ToArray());
            if (!Equals(tag["cache.name"], cacheName)) return;
            string suffix = tag.TryGetValue("cache.request.type", out object? type) ? $" {type}" : "";
            if (tag.TryGetValue("cache.partition", out object? partition)) suffix += $" of {partition}";
            seen.Add(instrument.Name + suffix, value);
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return seen;
    }
}
