// SPDX-License-Identifier: MIT
using System.Buffers;
using Microsoft.Extensions.Caching.Distributed;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Items;

namespace PerfCache.Extensions;

/// <summary>
/// A distributed cache in this process whose entries lie in native memory, within a bound in bytes: no entry is the
/// garbage collector's business. What HybridCache and users of IDistributedCache get from
/// <see cref="PerfCacheServiceCollectionExtensions.AddPerfCache"/>.
/// </summary>
/// <remarks>
/// A read through <see cref="IBufferDistributedCache"/> copies the value from its pages straight into the caller's
/// writer, and a write takes it from the caller's sequence: nothing managed is allocated but what the writer itself
/// allocates. <see cref="Get"/> must return an array and allocates that array, and nothing else.
/// <para>
/// Every verb is done when it returns, so the asynchronous ones return completed tasks; a token is looked at before
/// the work begins. An argument that cannot be served throws at once, from those too.
/// </para>
/// <para>
/// Lifetimes are by a clock that never jumps; an absolute time of the caller's is turned into one when the entry is
/// stored. Storing what is over already removes the entry. Where a value finds no room even after evicting (which
/// takes more writers at once than shards have room for), it is not kept: a cache may forget, and counts it
/// (<see cref="ItemStatistics.Refused"/>).
/// </para>
/// Thread-safe.
/// </remarks>
public sealed partial class OffHeapDistributedCache : IBufferDistributedCache, IDisposable
{
    // Rows looked at in one part of the cache under one hold of its lock.
    private const int SweepRows = 4096;

    // Below this a gathered value lies on the stack.
    private const int StackBytesMax = 1024;

    private static readonly Task<byte[]?> s_noValue = Task.FromResult<byte[]?>(null);

    private readonly ItemStore<SecondChanceItems> _store;
    private readonly CacheClock _clock;
    private readonly ITimer? _sweeper;
    private int _sweeping;
    private int _disposed;

    /// <summary>Makes an empty cache.</summary>
    /// <param name="options">Its bounds; not looked at again.</param>
    /// <param name="time">The clock; null for the system's.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message says which and what would do.
    /// </exception>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public OffHeapDistributedCache(PerfCacheOptions options, TimeProvider? time = null)
        : this(options, time, meter: null)
    {
    }

    internal OffHeapDistributedCache(PerfCacheOptions options, TimeProvider? time, MemoryMeter? meter)
    {
        ArgumentNullException.ThrowIfNull(options);
        PerfCacheOptionsValidator.ThrowIfInvalid(options);
        time ??= TimeProvider.System;
        _clock = new CacheClock(time);
        _store = new ItemStore<SecondChanceItems>(options.ToStoreOptions(), meter: meter);
        Name = options.Name;
        if (options.SweepInterval != Timeout.InfiniteTimeSpan)
        {
            _sweeper = time.CreateTimer(
                static cache => ((OffHeapDistributedCache)cache!).Sweep(), this, options.SweepInterval,
                options.SweepInterval);
        }

        OffHeapCacheMetrics.Add(this);
    }

    /// <summary>What metrics and logs call it.</summary>
    public string Name { get; }

    /// <summary>The most native bytes that it has out.</summary>
    public long CapacityBytes => _store.Options.CapacityBytes;

    /// <summary>The longest value, in bytes.</summary>
    public int ValueBytesMax => _store.Options.ValueBytesMax;

    /// <summary>Counts and sizes. Each part of the cache at one moment, the parts one after another.</summary>
    public ItemStatistics Statistics => _store.Statistics;

    /// <summary>Native bytes in use, metadata included; frames that are free for the next value are in use too.</summary>
    public long UsedBytes => UsedBytesOf(_store.Statistics);

    /// <summary>The store, for tests.</summary>
    internal ItemStore<SecondChanceItems> Store => _store;

    /// <summary>True once it was disposed.</summary>
    internal bool IsDisposed => Volatile.Read(ref _disposed) != 0;

    /// <inheritdoc/>
    public byte[]? Get(string key)
    {
        Span<byte> bytes = stackalloc byte[CacheKey.BytesMax];
        bytes = bytes[..CacheKey.Write(key, bytes)];
        return _store.GetArrayAndRenew(bytes, _clock.NowTicks, default(SlidingRenewal), out _);
    }

    /// <inheritdoc/>
    public Task<byte[]?> GetAsync(string key, CancellationToken token = default)
    {
        if (token.IsCancellationRequested) return Task.FromCanceled<byte[]?>(token);
        return Get(key) is { } value ? Task.FromResult<byte[]?>(value) : s_noValue;
    }

    /// <summary>Copies a value straight into a writer.</summary>
    /// <param name="key">Any string.</param>
    /// <param name="destination">Is asked for room outside of any lock, and advanced by the length of the value.</param>
    /// <returns>True when there was an entry.</returns>
    /// <exception cref="InvalidOperationException">The writer gave less room than it was asked for.</exception>
    public bool TryGet(string key, IBufferWriter<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(destination);
        Span<byte> bytes = stackalloc byte[CacheKey.BytesMax];
        bytes = bytes[..CacheKey.Write(key, bytes)];
        long now = _clock.NowTicks;
        for (int wanted = 0; ;)
        {
            Span<byte> room = destination.GetSpan(wanted);
            if (room.Length < wanted) ThrowShortWriter(room.Length, wanted);
            ItemRead read = _store.GetAndRenew(bytes, now, default(SlidingRenewal), room, out ItemInfo info);
            if (read == ItemRead.Hit) destination.Advance(info.Length);
            if (read != ItemRead.TooSmall) return read == ItemRead.Hit;
            wanted = info.Length;
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> TryGetAsync(string key, IBufferWriter<byte> destination, CancellationToken token = default)
    {
        if (token.IsCancellationRequested) return ValueTask.FromCanceled<bool>(token);
        return ValueTask.FromResult(TryGet(key, destination));
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The value is longer than <see cref="ValueBytesMax"/>. An older value of the
    /// key is gone then.</exception>
    public void Set(string key, byte[] value, DistributedCacheEntryOptions options)
    {
        ArgumentNullException.ThrowIfNull(value);
        Set(key, (ReadOnlySpan<byte>)value, options);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The value is longer than <see cref="ValueBytesMax"/>. An older value of the
    /// key is gone then.</exception>
    public Task SetAsync(
        string key, byte[] value, DistributedCacheEntryOptions options, CancellationToken token = default)
    {
        if (token.IsCancellationRequested) return Task.FromCanceled(token);
        Set(key, value, options);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The value is longer than <see cref="ValueBytesMax"/>. An older value of the
    /// key is gone then.</exception>
    public void Set(string key, ReadOnlySequence<byte> value, DistributedCacheEntryOptions options)
    {
        if (value.IsSingleSegment)
        {
            Set(key, value.FirstSpan, options);
            return;
        }

        if (value.Length > ValueBytesMax)
        {
            Remove(key);
            ThrowTooLong(value.Length);
        }

        // The store takes one span, because it may have to evict before it knows where the value goes.
        int length = (int)value.Length;
        byte[]? rented = length > StackBytesMax ? ArrayPool<byte>.Shared.Rent(length) : null;
        Span<byte> gathered = (rented ?? stackalloc byte[StackBytesMax])[..length];
        value.CopyTo(gathered);
        Set(key, gathered, options);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The value is longer than <see cref="ValueBytesMax"/>. An older value of the
    /// key is gone then.</exception>
    public ValueTask SetAsync(
        string key, ReadOnlySequence<byte> value, DistributedCacheEntryOptions options,
        CancellationToken token = default)
    {
        if (token.IsCancellationRequested) return ValueTask.FromCanceled(token);
        Set(key, value, options);
        return ValueTask.CompletedTask;
    }

    /// <summary>Stores a value, which is copied.</summary>
    /// <param name="key">Any string.</param>
    /// <param name="value">Its bytes.</param>
    /// <param name="options">How long it lives; of two absolute ends the earlier counts.</param>
    /// <exception cref="ArgumentException">The value is longer than <see cref="ValueBytesMax"/>. An older value of the
    /// key is gone then.</exception>
    public void Set(string key, ReadOnlySpan<byte> value, DistributedCacheEntryOptions options)
    {
        Span<byte> bytes = stackalloc byte[CacheKey.BytesMax];
        bytes = bytes[..CacheKey.Write(key, bytes)];
        EntryLifetime lifetime = EntryLifetime.Of(options, _clock);
        long now = _clock.NowTicks;
        if (lifetime.ExpiryTicks <= now) _store.Delete(bytes, now);
        else if (_store.Store(bytes, value, lifetime.ToWrite(), now, out _) == ItemStatus.TooLarge)
            ThrowTooLong(value.Length);
    }

    /// <inheritdoc/>
    public void Refresh(string key)
    {
        Span<byte> bytes = stackalloc byte[CacheKey.BytesMax];
        bytes = bytes[..CacheKey.Write(key, bytes)];
        _store.Renew(bytes, _clock.NowTicks, default(SlidingRenewal));
    }

    /// <inheritdoc/>
    public Task RefreshAsync(string key, CancellationToken token = default)
    {
        if (token.IsCancellationRequested) return Task.FromCanceled(token);
        Refresh(key);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public void Remove(string key)
    {
        Span<byte> bytes = stackalloc byte[CacheKey.BytesMax];
        bytes = bytes[..CacheKey.Write(key, bytes)];
        _store.Delete(bytes, _clock.NowTicks);
    }

    /// <inheritdoc/>
    public Task RemoveAsync(string key, CancellationToken token = default)
    {
        if (token.IsCancellationRequested) return Task.FromCanceled(token);
        Remove(key);
        return Task.CompletedTask;
    }

    /// <summary>
    /// Removes the entries whose keys begin with a text, compared by its UTF-8: of a tenant, of a kind, of a version.
    /// </summary>
    /// <remarks>
    /// Looks at every key of the cache, some hundred at a time under the lock of a part of it. What is stored while the call
    /// runs may stay.
    /// </remarks>
    /// <param name="prefix">At most 214 bytes of UTF-8; the empty text removes everything.</param>
    /// <returns>Entries removed.</returns>
    /// <exception cref="ArgumentException">The prefix is too long, or no well-formed UTF-16.</exception>
    public long RemoveByPrefix(string prefix)
    {
        Span<byte> bytes = stackalloc byte[CacheKey.BytesMax];
        return _store.RemoveByPrefix(bytes[..CacheKey.WritePrefix(prefix, bytes)], _clock.NowTicks);
    }

    /// <summary>Makes all entries vanish, at once and whatever their number.</summary>
    public void Clear()
    {
        long now = _clock.NowTicks;
        _store.FlushAll(now, now);
    }

    /// <summary>Gives all native memory back. Calls that come later get <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0) return;
        OffHeapCacheMetrics.Remove(this);
        _sweeper?.Dispose();
        // A snapshot that is being written holds no lock of the store; it ends with the exception of the disposed.
        _store.Dispose();
    }

    /// <summary>Native bytes that are in use by what was counted.</summary>
    internal long UsedBytesOf(ItemStatistics counts) =>
        ((counts.UsedFrames + counts.FreeFrames) * _store.Options.PageBytes) + counts.MetadataBytes;

    /// <summary>Drops some entries whose time is over, in each part of the cache.</summary>
    internal void Sweep()
    {
        // A slow sweep must not meet the next one.
        if (Interlocked.Exchange(ref _sweeping, 1) != 0) return;
        try
        {
            long now = _clock.NowTicks;
            for (int shard = 0; shard < _store.Options.ShardCount; shard++) _store.Sweep(now, SweepRows);
        }
        catch (ObjectDisposedException)
        {
            // The timer was under way when the cache went.
        }
        finally
        {
            Volatile.Write(ref _sweeping, 0);
        }
    }

    private static void ThrowShortWriter(int length, int wanted) => throw new InvalidOperationException(
        $"the buffer writer was asked for {wanted} bytes and gave {length}; GetSpan has to give as many as asked for");

    private void ThrowTooLong(long length) => throw new ArgumentException(
        $"cache '{Name}': the value has {length} bytes, more than the {ValueBytesMax} of ValueBytesMax; raise "
        + "PerfCacheOptions.ValueBytesMax, or do not cache it");
}
