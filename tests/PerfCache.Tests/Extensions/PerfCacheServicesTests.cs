// SPDX-License-Identifier: MIT
using System.Buffers;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using PerfCache.Extensions;
using PerfCache.Items;
using PerfCache.Policies.Items;

namespace PerfCache.Tests.Extensions;

/// <summary>
/// Goal: one line gives a host a cache that it finds under every name, that refuses bad options with a message, and that
/// is warm after a restart. Method: real containers and hosts.
/// </summary>
[TestFixture]
public sealed class PerfCacheServicesTests : FolderFixture
{
    private readonly RecordingLogs _logs = new();

    private string Snapshot => PathOf("cache.snapshot");

    [Test]
    public void OneLineGivesOneCacheUnderEveryName()
    {
        using ServiceProvider provider = new ServiceCollection().AddPerfCache().BuildServiceProvider();
        OffHeapDistributedCache cache = provider.GetRequiredService<OffHeapDistributedCache>();
        Assert.That(provider.GetRequiredService<IDistributedCache>(), Is.SameAs(cache));
        Assert.That(provider.GetRequiredService<IBufferDistributedCache>(), Is.SameAs(cache));
        Assert.That((cache.Name, cache.CapacityBytes, cache.ValueBytesMax), Is.EqualTo(("distributed", 256L << 20, 1 << 20)));
        provider.Dispose();
        Assert.That(cache.IsDisposed, Is.True);
    }

    [Test]
    public void KeyedCachesAreApart()
    {
        using ServiceProvider provider = new ServiceCollection()
            .AddPerfCache(options => options.CapacityBytes = 16 << 20)
            .AddKeyedPerfCache("images", options => options.CapacityBytes = 64 << 20)
            .AddKeyedPerfCache("pages", options => options.Name = "web pages")
            .BuildServiceProvider();
        IDistributedCache images = provider.GetRequiredKeyedService<IDistributedCache>("images");
        OffHeapDistributedCache pages = provider.GetRequiredKeyedService<OffHeapDistributedCache>("pages");
        images.Set("key", [1], new DistributedCacheEntryOptions());
        Assert.That(pages.Get("key"), Is.Null);
        Assert.That(provider.GetRequiredService<IDistributedCache>().Get("key"), Is.Null);
        Assert.That(images, Is.SameAs(provider.GetRequiredKeyedService<IBufferDistributedCache>("images")));
        Assert.That(((OffHeapDistributedCache)images).Name, Is.EqualTo("images"));
        Assert.That(((OffHeapDistributedCache)images).CapacityBytes, Is.EqualTo(64 << 20));
        Assert.That(pages.Name, Is.EqualTo("web pages"));
    }

    private static IEnumerable<TestCaseData> BadOptions()
    {
        yield return Bad("capacity", o => o.CapacityBytes = 1000, "AddPerfCache: item store: CapacityBytes is 1000;", "give more");
        yield return Bad("value", o => o.ValueBytesMax = 0, "ValueBytesMax is 0; make it 1 to");
        yield return Bad("shards", o => o.ShardCount = 3, "ShardCount is 3; make it a power of two");
        yield return Bad("name", o => o.Name = " ", "Name is empty", "give one");
        yield return Bad("sweep", o => o.SweepInterval = TimeSpan.Zero, "SweepInterval is 00:00:00; make it 10 ms to 45 days");
        yield return Bad("interval alone", o => o.SnapshotInterval = TimeSpan.FromHours(1), "say where the snapshot goes");
        yield return Bad("folder", o => o.SnapshotPath = Path.GetTempPath(), "a folder; name a file in it");
        yield return Bad("no folder", o => o.SnapshotPath = "/no/such/folder/file", "the folder /no/such/folder does not exist: make it");
        yield return Bad("no path", o => o.SnapshotPath = "", "SnapshotPath is no file name");
        yield return Bad("interval", o => (o.SnapshotPath, o.SnapshotInterval) = ("x", TimeSpan.FromTicks(1)), "make it 1 s to 45 days");

        static TestCaseData Bad(string name, Action<PerfCacheOptions> configure, params string[] expected) =>
            new TestCaseData(configure, expected).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(BadOptions))]
    public async Task ABadOptionStopsTheHostAndSaysWhatToDo(Action<PerfCacheOptions> configure, string[] expected)
    {
        using IHost host = Build(configure);
        OptionsValidationException? error = null;
        try
        {
            await host.StartAsync();
        }
        catch (OptionsValidationException thrown)
        {
            error = thrown;
        }

        Assert.That(error, Is.Not.Null);
        foreach (string part in expected) Assert.That(error!.Message, Does.Contain(part));
        PerfCacheOptions options = new();
        configure(options);
        Assert.That(
            () => new OffHeapDistributedCache(options), Throws.ArgumentException.With.Message.Contains(expected[^1]),
            "and without a container");
    }

    [Test]
    public void ShardsAreChosenSoThatEachHasRoomForSeveralValues()
    {
        Assert.That(Shards(new PerfCacheOptions { CapacityBytes = 8 << 20 }), Is.EqualTo(1));
        Assert.That(Shards(new PerfCacheOptions { CapacityBytes = 1L << 30 }), Is.GreaterThanOrEqualTo(2));
        Assert.That(Shards(new PerfCacheOptions { CapacityBytes = 1L << 30, ValueBytesMax = 64 << 20 }), Is.LessThanOrEqualTo(2));

        static int Shards(PerfCacheOptions options) => options.ToStoreOptions().ShardCount;
    }

    [Test]
    public async Task ARestartedHostIsWarm()
    {
        using (IHost first = Build(options => options.SnapshotPath = Snapshot))
        {
            await first.StartAsync();
            IDistributedCache cache = first.Services.GetRequiredService<IDistributedCache>();
            await cache.SetAsync("key", [1, 2, 3], new DistributedCacheEntryOptions());
            await first.StopAsync();
        }

        Assert.That(_logs.Text, Does.Contain($"Cache 'distributed' wrote {Snapshot}: 1 entries"));
        using IHost second = Build(options => options.SnapshotPath = Snapshot);
        await second.StartAsync();
        ArrayBufferWriter<byte> writer = new();
        IBufferDistributedCache warm = second.Services.GetRequiredService<IBufferDistributedCache>();
        Assert.That(await warm.TryGetAsync("key", writer), Is.True);
        Assert.That(writer.WrittenSpan.ToArray(), Is.EqualTo(new byte[] { 1, 2, 3 }));
        Assert.That(_logs.Text, Does.Contain($"Cache 'distributed' read {Snapshot}: 1 entries, 0 expired"));
        Assert.That((await HealthOf(second)).Data, Does.ContainKey("snapshotLoaded"));
        await second.StopAsync();
    }

    [Test]
    public async Task ADamagedSnapshotIsAWarningAndAnEmptyCache()
    {
        await File.WriteAllTextAsync(Snapshot, "something else entirely, by mistake");
        using IHost host = Build(options => options.SnapshotPath = Snapshot);
        await host.StartAsync();
        Assert.That(_logs.Text, Does.Contain("Warning Cache 'distributed' starts empty: snapshot " + Snapshot));
        Assert.That(host.Services.GetRequiredService<OffHeapDistributedCache>().Statistics.Items, Is.Zero);
        HealthReportEntry health = await HealthOf(host);
        Assert.That((health.Status, health.Description), Is.EqualTo((HealthStatus.Degraded, health.Description)));
        Assert.That(health.Description, Does.Contain("the last snapshot failed").And.Contain("PCITEMS"));
        await host.StopAsync();
        Assert.That(_logs.Text, Does.Contain("wrote"), "the end of the host puts a good one in its place");
    }

    [Test]
    public async Task ASnapshotIsWrittenEverySoOften()
    {
        ManualTime time = new();
        using IHost host = Build(
            options => (options.SnapshotPath, options.SnapshotInterval) = (Snapshot, TimeSpan.FromMinutes(5)), time);
        await host.StartAsync();
        Assert.That(File.Exists(Snapshot), Is.False);
        OffHeapDistributedCache cache = host.Services.GetRequiredService<OffHeapDistributedCache>();
        cache.Set("key", [1], new DistributedCacheEntryOptions());
        time.Advance(TimeSpan.FromMinutes(5));
        // The timer's continuation runs on the pool.
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
        while (cache.Snapshots.LastSaved is null) await Task.Delay(5, patience.Token);
        using TestCache other = new();
        Assert.That(other.Cache.LoadSnapshot(Snapshot).Entries, Is.EqualTo(1));
        await host.StopAsync();
    }

    [Test]
    public async Task HealthTellsWhatNobodyElseWould()
    {
        using IHost host = Build(_ => { });
        await host.StartAsync();
        OffHeapDistributedCache cache = host.Services.GetRequiredService<OffHeapDistributedCache>();
        cache.Set("key", TestCache.Value(2, 4096), new DistributedCacheEntryOptions());
        HealthReportEntry healthy = await HealthOf(host);
        Assert.That((healthy.Status, healthy.Data["entries"]), Is.EqualTo((HealthStatus.Healthy, 1L)));
        Assert.That(healthy.Data["usedBytes"], Is.EqualTo(cache.UsedBytes));

        // What a broken memory chip does to the only value that there is.
        foreach (ItemShard<SecondChanceItems> shard in cache.Store.Shards)
            if (shard.Space.ItemCount == 1) cache.Store.Pages.Page(shard.Space.FrameOf(new ItemId(1))).Clear();
        Assert.That(cache.Get("key"), Is.Null);
        HealthReportEntry degraded = await HealthOf(host);
        Assert.That(degraded.Status, Is.EqualTo(HealthStatus.Degraded));
        Assert.That(degraded.Description, Does.Contain("1 entries did not match their checksum"));
        Assert.That((await HealthOf(host)).Status, Is.EqualTo(HealthStatus.Healthy), "told once");
        cache.Dispose();
        Assert.That((await HealthOf(host)).Status, Is.EqualTo(HealthStatus.Unhealthy));
    }

    private IHost Build(Action<PerfCacheOptions> configure, TimeProvider? time = null)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Logging.AddProvider(_logs);
        if (time is not null) builder.Services.AddSingleton(time);
        builder.Services.AddPerfCache(configure);
        builder.Services.AddHealthChecks().AddCheck<PerfCacheHealthCheck>("perfcache");
        return builder.Build();
    }

    private static async Task<HealthReportEntry> HealthOf(IHost host)
    {
        HealthReport report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        return report.Entries["perfcache"];
    }

    private sealed class RecordingLogs : ILoggerProvider, ILogger
    {
        private readonly List<string> _lines = [];

        internal string Text
        {
            get
            {
                lock (_lines) return string.Join('\n', _lines);
            }
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            lock (_lines) _lines.Add($"{logLevel} {formatter(state, exception)}");
        }

        public void Dispose()
        {
        }
    }
}
