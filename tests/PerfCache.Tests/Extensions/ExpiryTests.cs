// SPDX-License-Identifier: MIT
using System.Globalization;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Internal;
using PerfCache.Extensions;
using static PerfCache.Tests.Extensions.TestCache;

namespace PerfCache.Tests.Extensions;

/// <summary>
/// Goal: lifetimes are those that users of a distributed cache know. Method: examples, and .NET's own memory cache as a
/// judge, asked the same on the same clock.
/// </summary>
[TestFixture]
public sealed class ExpiryTests
{
    [Test]
    public void AnAbsoluteEndComesToTheTick()
    {
        using TestCache test = new();
        test.Set("relative", [1], seconds: 10);
        test.Cache.Set("absolute", [2], new DistributedCacheEntryOptions
        {
            AbsoluteExpiration = test.Time.GetUtcNow().AddSeconds(10),
        });
        test.Time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromTicks(1));
        Assert.That((test.Cache.Get("relative"), test.Cache.Get("absolute")), Is.Not.EqualTo(((byte[]?)null, (byte[]?)null)));
        test.Time.Advance(TimeSpan.FromTicks(1));
        Assert.That((test.Cache.Get("relative"), test.Cache.Get("absolute")), Is.EqualTo(((byte[]?)null, (byte[]?)null)));
        Assert.That(test.Cache.Statistics.Expired, Is.EqualTo(2));
    }

    [Test]
    public void AReadOrARefreshBeginsTheSlidingLengthAnew()
    {
        using TestCache test = new();
        test.Set("read", [1], sliding: 10);
        test.Set("refreshed", [2], sliding: 10);
        test.Set("left alone", [3], sliding: 10);
        for (int i = 0; i < 5; i++)
        {
            test.Pass(9);
            Assert.That(test.Cache.Get("read"), Is.Not.Null);
            test.Cache.Refresh("refreshed");
        }

        test.Pass(9);
        Assert.That(test.Cache.Get("refreshed"), Is.Not.Null);
        Assert.That(test.Cache.Get("left alone"), Is.Null);
        test.Pass(10);
        Assert.That((test.Cache.Get("read"), test.Cache.Get("refreshed")), Is.EqualTo(((byte[]?)null, (byte[]?)null)));
    }

    [Test]
    public void ASlidingLengthNeverPassesTheAbsoluteEnd()
    {
        using TestCache test = new();
        test.Set("key", [1], seconds: 25, sliding: 10);
        for (int i = 0; i < 3; i++)
        {
            test.Pass(8);
            Assert.That(test.Cache.Get("key"), Is.Not.Null);
        }

        test.Pass(1);
        Assert.That(test.Cache.Get("key"), Is.Null);
    }

    [Test]
    public void ANewValueBringsItsOwnLifetime()
    {
        using TestCache test = new();
        test.Set("key", [1], sliding: 10);
        test.Set("key", [2]);
        test.Pass(1000);
        Assert.That(test.Cache.Get("key"), Is.EqualTo(new byte[] { 2 }));
        test.Cache.Set("key", [3], new DistributedCacheEntryOptions
        {
            AbsoluteExpiration = test.Time.GetUtcNow().AddSeconds(-1),
        });
        Assert.That(test.Cache.Get("key"), Is.Null, "its time was over already, and the older value's too");
    }

    [Test]
    public void ASteppedWallClockMovesNoLifetime()
    {
        using TestCache test = new();
        test.Set("key", [1], seconds: 10);
        test.Time.SetWallClock(TimeSpan.FromHours(5));
        test.Cache.Set("absolute", [2], new DistributedCacheEntryOptions
        {
            AbsoluteExpiration = test.Time.GetUtcNow().AddSeconds(10),
        });
        test.Pass(9);
        Assert.That((test.Cache.Get("key"), test.Cache.Get("absolute")), Is.Not.EqualTo(((byte[]?)null, (byte[]?)null)));
        test.Pass(1);
        Assert.That((test.Cache.Get("key"), test.Cache.Get("absolute")), Is.EqualTo(((byte[]?)null, (byte[]?)null)));
    }

    [Test]
    public void TheSweepDropsWhatNobodyAsksFor()
    {
        ManualTime time = new();
        using OffHeapDistributedCache cache = new(
            new PerfCacheOptions { CapacityBytes = 8 << 20, SweepInterval = TimeSpan.FromSeconds(2) }, time);
        for (int i = 0; i < 100; i++)
            cache.Set($"key {i}", [1], For(seconds: 1 + (i % 2 * 100)));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.That(cache.Statistics.Items, Is.EqualTo(100));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.That((cache.Statistics.Items, cache.Statistics.Expired), Is.EqualTo((50, 50)));
    }

    [TestCase(1)]
    [TestCase(TimeSpan.TicksPerSecond)]
    [TestCase((1L << 26) - 1)]
    [TestCase(1L << 26)]
    [TestCase((1L << 26) + 1)]
    [TestCase(20 * TimeSpan.TicksPerMinute)]
    [TestCase(TimeSpan.TicksPerDay * 365)]
    [TestCase(long.MaxValue)]
    public void ASlidingLengthIsRoundedUpByLittle(long ticks)
    {
        long decoded = EntryLifetime.Decode(EntryLifetime.Encode(ticks));
        Assert.That(decoded, Is.GreaterThanOrEqualTo(ticks));
        Assert.That((decoded - ticks) / (double)ticks, Is.LessThan(1.5e-8));
        if (ticks < 1 << 26) Assert.That(decoded, Is.EqualTo(ticks));
    }

    [Test]
    public void TheMemoryCacheOfDotNetAgreesAboutEveryEntry()
    {
        using TestCache test = new(capacityBytes: 16 << 20);
        using MemoryCache judged = new(new MemoryCacheOptions { Clock = new Clock(test.Time) });
        Random random = TestSeed.Random(1);
        for (int step = 0; step < 20_000; step++)
        {
            string key = random.Next(50).ToString(CultureInfo.InvariantCulture);
            switch (random.Next(6))
            {
                case 0 or 1:
                    byte[] value = Value(step, random.Next(1, 300));
                    DistributedCacheEntryOptions options = SomeOptions(random, test.Time);
                    test.Cache.Set(key, value, options);
                    judged.Set(key, value, new MemoryCacheEntryOptions
                    {
                        AbsoluteExpiration = options.AbsoluteExpiration,
                        AbsoluteExpirationRelativeToNow = options.AbsoluteExpirationRelativeToNow,
                        SlidingExpiration = options.SlidingExpiration,
                    });
                    break;
                case 2:
                    // A quarter of a second: no sliding length is rounded at it.
                    test.Time.Advance(TimeSpan.FromMilliseconds(250 * random.Next(12)));
                    break;
                case 3:
                    test.Cache.Refresh(key);
                    judged.TryGetValue(key, out _);
                    break;
                case 4 when random.Next(5) == 0:
                    test.Cache.Remove(key);
                    judged.Remove(key);
                    break;
                default:
                    Assert.That(test.Cache.Get(key), Is.EqualTo(judged.Get(key)), $"step {step}");
                    break;
            }
        }

        Assert.That(test.Cache.Statistics.Hits, Is.GreaterThan(1000));
        Assert.That(test.Cache.Statistics.Expired, Is.GreaterThan(500));
    }

    private static DistributedCacheEntryOptions SomeOptions(Random random, ManualTime time)
    {
        DistributedCacheEntryOptions options = new();
        if (random.Next(2) == 0)
            options.AbsoluteExpirationRelativeToNow = TimeSpan.FromMilliseconds(250 * random.Next(1, 60));
        if (random.Next(3) == 0)
            options.AbsoluteExpiration = time.GetUtcNow() + TimeSpan.FromMilliseconds(250 * random.Next(1, 60));
        if (random.Next(2) == 0) options.SlidingExpiration = TimeSpan.FromMilliseconds(250 * random.Next(1, 20));
        return options;
    }

    private sealed class Clock(TimeProvider time) : ISystemClock
    {
        public DateTimeOffset UtcNow => time.GetUtcNow();
    }
}
