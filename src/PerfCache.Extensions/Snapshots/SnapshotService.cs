// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace PerfCache.Extensions.Snapshots;

/// <summary>
/// Reads the snapshot before anything else of the host starts, writes one every so often, and one when everything else
/// has stopped. A snapshot that fails is a warning, never the end of the host: a cache may be empty.
/// </summary>
internal sealed class SnapshotService(
    OffHeapDistributedCache cache, PerfCacheOptions options, TimeProvider time, ILogger<OffHeapDistributedCache> logger)
    : IHostedLifecycleService, IDisposable
{
    private static readonly Action<ILogger, string, string, long, long, double, Exception?> s_loaded =
        LoggerMessage.Define<string, string, long, long, double>(
            LogLevel.Information, new EventId(1, "SnapshotLoaded"),
            "Cache '{Name}' read {Path}: {Entries} entries, {Expired} expired, in {Seconds:F2} s");

    private static readonly Action<ILogger, string, string, long, long, double, Exception?> s_saved =
        LoggerMessage.Define<string, string, long, long, double>(
            LogLevel.Information, new EventId(2, "SnapshotSaved"),
            "Cache '{Name}' wrote {Path}: {Entries} entries, {Bytes} bytes, in {Seconds:F2} s");

    private static readonly Action<ILogger, string, string, Exception?> s_loadFailed =
        LoggerMessage.Define<string, string>(
            LogLevel.Warning, new EventId(3, "SnapshotLoadFailed"), "Cache '{Name}' starts empty: {Reason}");

    private static readonly Action<ILogger, string, string, Exception?> s_saveFailed =
        LoggerMessage.Define<string, string>(
            LogLevel.Warning, new EventId(4, "SnapshotSaveFailed"), "Cache '{Name}' wrote no snapshot: {Reason}");

    private readonly CancellationTokenSource _stopping = new();
    private Task _saving = Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) =>
        options.SnapshotPath is { } path && File.Exists(path)
            ? Task.Run(() => Load(path, cancellationToken), cancellationToken)
            : Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        if (options is { SnapshotPath: { } path, SnapshotInterval: { } interval })
            _saving = SaveEvery(interval, path, _stopping.Token);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _saving.ConfigureAwait(false);
        // The token is the host's patience: when it is at its end the older snapshot stays.
        if (options.SnapshotPath is { } path)
            await Task.Run(() => Save(path, cancellationToken), CancellationToken.None).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();

    private async Task SaveEvery(TimeSpan interval, string path, CancellationToken token)
    {
        using PeriodicTimer timer = new(interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(token).ConfigureAwait(false)) Save(path, token);
        }
        catch (OperationCanceledException)
        {
            // The host stops; the last snapshot is written when everything else has.
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever it was, the host goes on with an empty cache.")]
    private void Load(string path, CancellationToken token)
    {
        try
        {
            SnapshotReport report = cache.LoadSnapshot(path, token);
            s_loaded(
                logger, cache.Name, path, report.Entries, report.Expired, report.Duration.TotalSeconds, null);
        }
        catch (Exception error)
        {
            s_loadFailed(logger, cache.Name, error.Message, null);
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever it was, the host goes on without a snapshot.")]
    private void Save(string path, CancellationToken token)
    {
        try
        {
            SnapshotReport report = cache.SaveSnapshot(path, token);
            s_saved(
                logger, cache.Name, path, report.Entries, report.FileBytes, report.Duration.TotalSeconds, null);
        }
        catch (Exception error)
        {
            s_saveFailed(logger, cache.Name, error.Message, null);
        }
    }
}
