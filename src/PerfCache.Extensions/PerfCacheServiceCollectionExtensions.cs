// SPDX-License-Identifier: MIT
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using PerfCache.Extensions.Snapshots;

namespace PerfCache.Extensions;

/// <summary>Puts an off-heap cache into a container of services.</summary>
public static class PerfCacheServiceCollectionExtensions
{
    /// <summary>
    /// Makes an <see cref="OffHeapDistributedCache"/> the container's <see cref="IDistributedCache"/> and
    /// <see cref="IBufferDistributedCache"/>, so that HybridCache finds it too.
    /// </summary>
    /// <remarks>
    /// Options are checked when the host starts; a bad one stops it with a message. With
    /// <see cref="PerfCacheOptions.SnapshotPath"/> a host also reads and writes snapshots; a container without a host
    /// has <see cref="OffHeapDistributedCache.LoadSnapshot"/>. A <see cref="TimeProvider"/> of the container is used.
    /// </remarks>
    /// <param name="services">The container's services.</param>
    /// <param name="configure">Sets options; null leaves 256 MiB.</param>
    public static IServiceCollection AddPerfCache(
        this IServiceCollection services, Action<PerfCacheOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        AddOptions(services, Options.DefaultName, configure);
        services.TryAddSingleton(provider => Make(provider, Options.DefaultName));
        // AddCheck<T> would make a new one for each check, which could not tell what is new since the last.
        services.TryAddSingleton<PerfCacheHealthCheck>();
        // Not TryAdd: the call that comes last is what somebody wants, as with the other distributed caches.
        services.AddSingleton<IDistributedCache>(provider => provider.GetRequiredService<OffHeapDistributedCache>());
        services.AddSingleton<IBufferDistributedCache>(
            provider => provider.GetRequiredService<OffHeapDistributedCache>());
        services.AddSingleton<IHostedService>(provider => MakeSnapshots(
            provider, provider.GetRequiredService<OffHeapDistributedCache>(), Options.DefaultName));
        return services;
    }

    /// <summary>As <see cref="AddPerfCache"/>, one of several caches, told apart by a key of services.</summary>
    /// <param name="services">The container's services.</param>
    /// <param name="name">The key; the cache's <see cref="PerfCacheOptions.Name"/> too, unless that is set.</param>
    /// <param name="configure">Sets options; null leaves 256 MiB.</param>
    public static IServiceCollection AddKeyedPerfCache(
        this IServiceCollection services, string name, Action<PerfCacheOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        AddOptions(services, name, options => options.Name = name);
        AddOptions(services, name, configure);
        services.TryAddKeyedSingleton(name, (provider, _) => Make(provider, name));
        services.AddKeyedSingleton<IDistributedCache>(
            name, (provider, _) => provider.GetRequiredKeyedService<OffHeapDistributedCache>(name));
        services.AddKeyedSingleton<IBufferDistributedCache>(
            name, (provider, _) => provider.GetRequiredKeyedService<OffHeapDistributedCache>(name));
        services.AddSingleton<IHostedService>(provider => MakeSnapshots(
            provider, provider.GetRequiredKeyedService<OffHeapDistributedCache>(name), name));
        return services;
    }

    private static void AddOptions(IServiceCollection services, string name, Action<PerfCacheOptions>? configure)
    {
        OptionsBuilder<PerfCacheOptions> options = services.AddOptions<PerfCacheOptions>(name).ValidateOnStart();
        if (configure is not null) options.Configure(configure);
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<PerfCacheOptions>, PerfCacheOptionsValidator>());
    }

    private static OffHeapDistributedCache Make(IServiceProvider provider, string name) =>
        new(OptionsOf(provider, name), provider.GetService<TimeProvider>());

    private static SnapshotService MakeSnapshots(
        IServiceProvider provider, OffHeapDistributedCache cache, string name) => new(
        cache, OptionsOf(provider, name), provider.GetService<TimeProvider>() ?? TimeProvider.System,
        provider.GetService<ILogger<OffHeapDistributedCache>>() ?? NullLogger<OffHeapDistributedCache>.Instance);

    private static PerfCacheOptions OptionsOf(IServiceProvider provider, string name) =>
        provider.GetRequiredService<IOptionsMonitor<PerfCacheOptions>>().Get(name);
}
