// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using PerfCache.Extensions;

namespace PerfCache.Tests.Extensions;

/// <summary>
/// Goal: .NET's HybridCache works over the off-heap cache as its second level, found by one line. Method: its own
/// implementation; where the second level is looked at, its first level, a memory cache, is told to stay out of the way.
/// </summary>
[TestFixture]
public sealed class HybridCacheTests
{
    private static readonly HybridCacheEntryOptions s_secondLevelOnly = new()
    {
        Flags = HybridCacheEntryFlags.DisableLocalCache,
        Expiration = TimeSpan.FromMinutes(5),
    };

    private readonly ManualTime _time = new();
    private ServiceProvider _provider = null!;
    private int _made;

    private HybridCache Cache => _provider.GetRequiredService<HybridCache>();

    private OffHeapDistributedCache SecondLevel => _provider.GetRequiredService<OffHeapDistributedCache>();

    [SetUp]
    public void BuildServices()
    {
        ServiceCollection services = new();
        services.AddSingleton<TimeProvider>(_time);
        services.AddPerfCache(options => options.CapacityBytes = 32 << 20);
        services.AddHybridCache();
        _provider = services.BuildServiceProvider();
        _made = 0;
    }

    [TearDown]
    public void DisposeServices() => _provider.Dispose();

    [Test]
    public async Task ValuesOfAnyKindAndLengthComeBackFromTheSecondLevel()
    {
        byte[] bytes = new byte[300_000];
        new Random(1).NextBytes(bytes);
        string text = string.Concat(Enumerable.Repeat("page ", 20_000));
        Page page = new("title", [.. Enumerable.Range(0, 500)]);
        for (int round = 0; round < 2; round++)
        {
            Assert.That(await Get("bytes", bytes), Is.EqualTo(bytes));
            Assert.That(await Get("text", text), Is.EqualTo(text));
            Page found = await Get("page", page);
            Assert.That((found.Title, found.Numbers.AsSpan().SequenceEqual(page.Numbers)), Is.EqualTo(("title", true)));
            Assert.That(await Get("empty", Array.Empty<byte>()), Is.Empty);
            Assert.That(await Get(new string('k', 1024), "a long key"), Is.EqualTo("a long key"));
        }

        Assert.That(_made, Is.EqualTo(5), "each was made once, and read from the second level after");
        Assert.That(SecondLevel.Statistics.Hits, Is.GreaterThanOrEqualTo(5));
    }

    [Test]
    public async Task WhatOneProcessPartStoredAnotherFinds()
    {
        await Get("key", "value");
        // Another HybridCache, with a first level of its own, over the same second level.
        using ServiceProvider other = new ServiceCollection()
            .AddSingleton<TimeProvider>(_time).AddSingleton<IDistributedCache>(SecondLevel).AddHybridCache().Services.BuildServiceProvider();
        string found = await other.GetRequiredService<HybridCache>().GetOrCreateAsync(
            "key", _ => ValueTask.FromResult("made anew"));
        Assert.That(found, Is.EqualTo("value"));
    }

    [Test]
    public async Task RemovedTaggedAndExpiredEntriesAreMadeAnew()
    {
        await Get("removed", "1");
        await Get("tagged", "1", "articles");
        await Get("kept", "1", "people");
        await Cache.RemoveAsync("removed");
        await Cache.RemoveByTagAsync("articles");
        Assert.That(await Get("removed", "2"), Is.EqualTo("2"));
        Assert.That(await Get("tagged", "2", "articles"), Is.EqualTo("2"));
        Assert.That(await Get("kept", "2", "people"), Is.EqualTo("1"));
        _time.Advance(TimeSpan.FromMinutes(6));
        Assert.That(await Get("kept", "3", "people"), Is.EqualTo("3"));
    }

    [Test]
    public async Task AStampedeMakesFewValuesAndNobodyGetsAWrongOne()
    {
        const int Keys = 200;
        ConcurrentDictionary<int, int> madePerKey = new();
        await Parallel.ForAsync(0, 4000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, cancellation) =>
        {
            int key = (int)(i * 7919L % Keys);
            byte[] value = await Cache.GetOrCreateAsync(
                $"item {key}",
                async token =>
                {
                    madePerKey.AddOrUpdate(key, 1, (_, count) => count + 1);
                    await Task.Yield();
                    byte[] made = new byte[4096];
                    Array.Fill(made, (byte)key);
                    return made;
                },
                i % 2 == 0 ? s_secondLevelOnly : null,
                cancellationToken: cancellation);
            if (value.Length != 4096 || value.AsSpan().ContainsAnyExcept((byte)key))
                throw new InvalidOperationException($"item {key} has another's bytes");
        });
        // HybridCache answers before its second level has the value; who comes in between makes it again.
        Assert.That(madePerKey, Has.Count.EqualTo(Keys));
        Assert.That(madePerKey.Values.Sum(), Is.LessThan(1000), "of 4,000 requests");
    }

    private ValueTask<T> Get<T>(string key, T value, params string[] tags) => Cache.GetOrCreateAsync(
        key,
        _ =>
        {
            Interlocked.Increment(ref _made);
            return ValueTask.FromResult(value);
        },
        s_secondLevelOnly, tags);

    private sealed record Page(string Title, int[] Numbers);
}
