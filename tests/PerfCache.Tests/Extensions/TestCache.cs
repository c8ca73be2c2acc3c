// SPDX-License-Identifier: MIT
using Microsoft.Extensions.Caching.Distributed;
using PerfCache.Extensions;
using PerfCache.Memory;

namespace PerfCache.Tests.Extensions;

/// <summary>A small cache on a clock and a meter of its own; ends with all invariants checked and the meter at zero.
/// </summary>
internal sealed class TestCache : IDisposable
{
    private readonly MemoryMeter _meter = new();

    internal TestCache(ManualTime? time = null, int valueBytesMax = 64 << 10, long capacityBytes = 4 << 20)
    {
        Time = time ?? new ManualTime();
        Cache = new OffHeapDistributedCache(
            new PerfCacheOptions
            {
                Name = "test",
                CapacityBytes = capacityBytes,
                ValueBytesMax = valueBytesMax,
                ShardCount = 2,
                SweepInterval = Timeout.InfiniteTimeSpan,
            },
            Time, _meter);
    }

    internal ManualTime Time { get; }

    internal OffHeapDistributedCache Cache { get; }

    /// <summary>Bytes that depend on the number and tell every place in them apart.</summary>
    internal static byte[] Value(int number, int length)
    {
        byte[] value = new byte[length];
        new Random(number).NextBytes(value);
        return value;
    }

    internal static DistributedCacheEntryOptions For(double? seconds = null, double? sliding = null) => new()
    {
        AbsoluteExpirationRelativeToNow = seconds is { } s ? TimeSpan.FromSeconds(s) : null,
        SlidingExpiration = sliding is { } l ? TimeSpan.FromSeconds(l) : null,
    };

    internal void Set(string key, byte[] value, double? seconds = null, double? sliding = null) =>
        Cache.Set(key, value, For(seconds, sliding));

    internal void Pass(double seconds) => Time.Advance(TimeSpan.FromSeconds(seconds));

    public void Dispose()
    {
        if (!Cache.IsDisposed) Cache.Store.Validate();
        Cache.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero, "native bytes out after dispose");
    }
}
