// SPDX-License-Identifier: MIT
using Microsoft.Extensions.Diagnostics.HealthChecks;
using PerfCache.Items;

namespace PerfCache.Extensions;

/// <summary>
/// Says how an <see cref="OffHeapDistributedCache"/> is:
/// <c>services.AddHealthChecks().AddCheck&lt;PerfCacheHealthCheck&gt;("perfcache")</c>.
/// </summary>
/// <remarks>
/// <code>
/// failing   (the registered failure status)   the cache was disposed
/// degraded  since the last check a value found no room, or bytes did not match their checksum; or the last
///           snapshot could not be written or read
/// healthy   otherwise
/// </code>
/// One object has to make all checks of a cache, to know the last one; <c>AddPerfCache</c> registers it. For a keyed cache
/// hand one in: <c>AddCheck("images", new PerfCacheHealthCheck(cache))</c>.
/// <para>A full cache is healthy: it evicts. The data tells entries, bytes, the bound, hits, misses, evictions and
/// snapshots.</para>
/// </remarks>
/// <param name="cache">The cache.</param>
public sealed class PerfCacheHealthCheck(OffHeapDistributedCache cache) : IHealthCheck
{
    private readonly Lock _lock = new();
    private long _refused;
    private long _checksumFailures;

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return Task.FromCanceled<HealthCheckResult>(cancellationToken);
        HealthStatus failing = context?.Registration?.FailureStatus ?? HealthStatus.Unhealthy;
        ItemStatistics counts;
        try
        {
            counts = cache.Statistics;
        }
        catch (ObjectDisposedException)
        {
            return Task.FromResult(new HealthCheckResult(failing, $"cache '{cache.Name}' was disposed"));
        }

        string complaint = string.Join("; ", Complaints(counts));
        return Task.FromResult(complaint.Length == 0
            ? HealthCheckResult.Healthy($"cache '{cache.Name}': {counts.Items} entries", DataOf(counts))
            : HealthCheckResult.Degraded($"cache '{cache.Name}': {complaint}", data: DataOf(counts)));
    }

    private List<string> Complaints(ItemStatistics counts)
    {
        long refused;
        long wrong;
        lock (_lock)
        {
            refused = counts.Refused - _refused;
            wrong = counts.ChecksumFailures - _checksumFailures;
            _refused = counts.Refused;
            _checksumFailures = counts.ChecksumFailures;
        }

        List<string> complaints = [];
        if (refused > 0) complaints.Add($"{refused} values found no room since the last check; raise CapacityBytes");
        if (wrong > 0) complaints.Add($"{wrong} entries did not match their checksum since the last check; test the memory");
        if (cache.Snapshots.Failure is { } failure) complaints.Add($"the last snapshot failed: {failure}");
        return complaints;
    }

    private Dictionary<string, object> DataOf(ItemStatistics counts)
    {
        Dictionary<string, object> data = new()
        {
            ["entries"] = counts.Items,
            ["usedBytes"] = cache.UsedBytesOf(counts),
            ["capacityBytes"] = cache.CapacityBytes,
            ["hits"] = counts.Hits,
            ["misses"] = counts.Misses,
            ["evictions"] = counts.Evicted,
            ["expired"] = counts.Expired,
        };
        if (cache.Snapshots.LastSaved is { } saved) data["snapshotSaved"] = saved;
        if (cache.Snapshots.LastLoaded is { } loaded) data["snapshotLoaded"] = loaded;
        return data;
    }
}
