// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using PerfCache.Extensions.Snapshots;
using PerfCache.Items;

namespace PerfCache.Extensions;

/// <summary>Contents that outlive the process.</summary>
public sealed partial class OffHeapDistributedCache
{
    private readonly Lock _snapshotLock = new();

    /// <summary>How the snapshots went so far.</summary>
    public SnapshotStatus Snapshots { get; private set; } = new();

    /// <summary>Writes all entries to a file that takes the place of an older one only when it is complete.</summary>
    /// <remarks>
    /// Entries are read one by one while others use the cache: one that is stored meanwhile may be missing or be there with
    /// its newer value, any other is there. Lifetimes go on while the file lies: what expires meanwhile does not come back.
    /// One snapshot of a cache is written or read at a time.
    /// </remarks>
    /// <param name="path">The file; beside it, with <c>.new</c> at the end, lies what is not complete yet.</param>
    /// <param name="token">Stops it; the older file stays.</param>
    /// <exception cref="IOException">The file cannot be written; the older one stays.</exception>
    public SnapshotReport SaveSnapshot(string path, CancellationToken token = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        lock (_snapshotLock)
        {
            return Tracked(
                () => Save(path, token), status => status with { LastSaved = _clock.UtcNow, Failure = null });
        }
    }

    /// <summary>As <see cref="SaveSnapshot"/>, on a thread of the pool.</summary>
    /// <inheritdoc cref="SaveSnapshot(string, CancellationToken)"/>
    public Task<SnapshotReport> SaveSnapshotAsync(string path, CancellationToken token = default) =>
        Task.Run(() => SaveSnapshot(path, token), token);

    /// <summary>Reads entries back that are in a file and not in the cache.</summary>
    /// <remarks>
    /// The file is read to its end before the first entry is stored: a damaged one changes nothing. Entries whose time is
    /// over are left out. When the cache is smaller than the one that wrote the file, it evicts as always.
    /// </remarks>
    /// <param name="path">The file.</param>
    /// <param name="token">Stops it; what was stored until then stays.</param>
    /// <exception cref="InvalidDataException">The file is damaged or no snapshot; the message says what and where.
    /// </exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public SnapshotReport LoadSnapshot(string path, CancellationToken token = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        lock (_snapshotLock)
        {
            return Tracked(
                () => Load(path, token), status => status with { LastLoaded = _clock.UtcNow, Failure = null });
        }
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever it was is told to the health check and thrown on.")]
    private SnapshotReport Tracked(Func<SnapshotReport> work, Func<SnapshotStatus, SnapshotStatus> succeeded)
    {
        long start = _clock.NowTicks;
        try
        {
            SnapshotReport report = work() with { Duration = TimeSpan.FromTicks(_clock.NowTicks - start) };
            Snapshots = succeeded(Snapshots);
            return report;
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            Snapshots = Snapshots with { Failure = error.Message };
            throw;
        }
    }

    private SnapshotReport Save(string path, CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        byte[] key = new byte[ItemStoreOptions.KeyBytesMax];
        byte[] value = GC.AllocateUninitializedArray<byte>(ValueBytesMax);
        using SnapshotWriter writer = new(path, _clock.UtcNow.UtcTicks);
        long toUtc = _clock.ToUtc;
        ItemWalk walk = default;
        while (_store.TryReadNext(ref walk, _clock.NowTicks, key, value, out int keyLength, out ItemInfo info))
        {
            token.ThrowIfCancellationRequested();
            writer.Write(
                key.AsSpan(0, keyLength), value.AsSpan(0, info.Length), info.Flags,
                EntryLifetime.Shifted(info.ExpiryTicks, toUtc), EntryLifetime.Shifted((long)info.Cas, toUtc));
        }

        writer.Complete();
        return new SnapshotReport { Entries = writer.Count, FileBytes = writer.Bytes };
    }

    private SnapshotReport Load(string path, CancellationToken token)
    {
        using SnapshotReader reader = new(path);
        reader.Verify(token);
        reader.Begin();
        byte[] value = GC.AllocateUninitializedArray<byte>(ValueBytesMax);
        long fromUtc = -_clock.ToUtc;
        long entries = 0;
        long expired = 0;
        long skipped = 0;
        while (reader.TryRead(value, out SnapshotRecord record))
        {
            token.ThrowIfCancellationRequested();
            EntryLifetime lifetime = new(
                EntryLifetime.Shifted(record.ExpiryTicks, fromUtc), EntryLifetime.Shifted(record.LimitTicks, fromUtc),
                record.Sliding);
            long now = _clock.NowTicks;
            if (lifetime.ExpiryTicks <= now)
            {
                expired++;
                continue;
            }

            // Added, not set: what was stored since the process began is newer.
            bool stored = record.ValueBytes <= value.Length && _store.Store(
                reader.Key(record), value.AsSpan(0, record.ValueBytes), lifetime.ToWrite(ItemMode.Add), now, out _)
                == ItemStatus.Done;
            if (stored) entries++;
            else skipped++;
        }

        return new SnapshotReport
        {
            Entries = entries,
            Expired = expired,
            Skipped = skipped,
            FileBytes = reader.Bytes,
        };
    }
}
