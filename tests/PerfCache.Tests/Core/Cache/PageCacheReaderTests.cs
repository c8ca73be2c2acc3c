// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>
/// Goal: reads through a reader tell the rule what they tell it in a replay, and give the data every time. Method: the
/// cache for names beside it, asked for the same pages through readers of its own.
/// </summary>
[TestFixture]
public sealed class PageCacheReaderTests
{
    private static PageCacheOptions Options(uint frames) =>
        PageCacheOptions.ForFrames(frames) with { BackgroundReclaim = false, ActivationBatch = 1 };

    [Test]
    public void RepeatedReadsAreHitsThatTheRuleDoesNotHearOf()
    {
        using PageCache<LinuxRules<Linux6>> cache = new(Options(64) with { CountHits = true }, new());
        ObjectId owner = cache.AddObject(new ModelledPageSource(new ModelledPageSourceOptions { PageCount = 100 }));
        PageReader reader = default;
        for (int i = 0; i < 10; i++)
        {
            using PageLease lease = cache.Get(owner, 5, ref reader);
            Assert.That(ModelledPageSource.Verify(0, 5, lease.Span), Is.True);
        }

        Assert.That(cache.Statistics.Activations, Is.Zero, "a page that is read in pieces is used once");
        Assert.That((cache.Statistics.Hits, cache.Statistics.Misses), Is.EqualTo((9L, 1L)));
        PageReader other = default;
        cache.Get(owner, 5, ref other).Dispose();
        other = default;
        cache.Get(owner, 5, ref other).Dispose();
        Assert.That(cache.Statistics.Activations, Is.EqualTo(1), "two more reads by readers of their own");
    }

    [Test]
    public void MissesSayWhenTheyBeganAndHitsReadNoClock()
    {
        using PageCache<Fifo> cache = new(Options(64), new());
        TimeSpan latency = TimeSpan.FromMilliseconds(2);
        ObjectId owner = cache.AddObject(
            new ModelledPageSource(new ModelledPageSourceOptions { PageCount = 100, ReadLatency = latency }));
        PageReader reader = default;
        long before = Stopwatch.GetTimestamp();
        cache.Get(owner, 5, ref reader, out long missedAt).Dispose();
        Assert.That(missedAt, Is.GreaterThanOrEqualTo(before));
        Assert.That(Stopwatch.GetElapsedTime(missedAt), Is.GreaterThanOrEqualTo(latency), "it began before the load");
        cache.Get(owner, 5, ref reader, out missedAt).Dispose();
        Assert.That(missedAt, Is.Zero);
        reader = default;
        cache.Get(owner, 5, ref reader, out missedAt).Dispose();
        Assert.That(missedAt, Is.Zero);
    }

    [Test]
    public void EveryRequestFindsWhatItFindsInAReplay([Values(8u, 60u, 300u)] uint frames, [Values(1, 2)] int seed)
    {
        Random random = TestSeed.Random(seed);
        using PageCache<LinuxRules<Linux6>> cache = new(Options(frames), new());
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> replay = new(frames, new());
        ObjectId owner = cache.AddObject(new ModelledPageSource(new ModelledPageSourceOptions { PageCount = 2000 }));
        ObjectId twin = replay.AddObject(2000, dense: true);
        PageReader[] readers = new PageReader[4];
        PageReader[] twins = new PageReader[4];
        uint page = 0;
        for (int i = 0; i < 40_000; i++)
        {
            if (random.Next(3) > 0) page = (uint)(Math.Pow(random.NextDouble(), 3) * 2000);
            int file = random.Next(readers.Length);
            bool expected = replay.Access(twin, page, ref twins[file]) == AccessOutcome.Hit;
            cache.Get(owner, page, ref readers[file], out long missedAt).Dispose();
            Assert.That(missedAt == 0, Is.EqualTo(expected), $"request {i}");
        }

        cache.Validate();
        PageCacheStatistics live = cache.Statistics;
        CacheStatistics names = replay.Statistics;
        Assert.That((live.Misses, live.Refaults, live.Activations, live.Deactivations, live.Evictions),
            Is.EqualTo((names.Misses, names.Refaults, names.Activations, names.Deactivations, names.Evictions)));
        Assert.That(live.Evictions, Is.Positive);
    }
}
