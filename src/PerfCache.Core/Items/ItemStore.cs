// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Numerics;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>
/// Keyed values in page memory: what a memcached server and a distributed cache stand on. Keys have 1 to 250 bytes,
/// values 0 to <see cref="ItemStoreOptions.ValueBytesMax"/>.
/// </summary>
/// <remarks>
/// Where an item lies:
/// <code>
/// normal memory   bucket ─► head (64 bytes) ─► key cells        frame rows, bitmaps of slots
///                             │  Place, Rest                       ▲
/// page memory                 └─► slot of a page · two slots · whole pages and a slot
/// </code>
/// Page memory may be lendable: the system may take any page at any moment, which then reads as zeros. So it holds
/// bytes of values and nothing else, and a read copies first and then checks the checksum of the copy. A value
/// that was taken is a miss, never zeros and never half of it (but for one chance in 2^32, the checksum's).
/// Frames can also be taken by whoever owns the memory, with notice (<see cref="Trim"/>), at once
/// (<see cref="Withdraw"/>), or after the fact (<see cref="Forget"/>).
/// <para>
/// The bound holds at any moment: page data, headers, keys and index together. Each shard has an even part of it.
/// Frames become metadata when there are many small items; metadata does not become frames again.
/// </para>
/// <para>
/// Time is the caller's: any clock of 100 ns ticks that does not jump. An item is expired from the tick of its expiry
/// on. It goes when somebody asks for it, when its room is wanted, or by <see cref="Sweep"/>.
/// </para>
/// Thread-safe, all verbs; one lock a shard. No verb allocates managed memory, but for those that say so.
/// </remarks>
/// <typeparam name="TRule">Which items go when a shard is full.</typeparam>
public sealed partial class ItemStore<TRule> : IDisposable where TRule : struct, IItemRule
{
    private readonly ItemShard<TRule>[] _shards;
    private readonly ItemFrames _frames;
    private readonly ItemJoin _join;
    private readonly KeyHash _hash;
    private readonly int _shardShift;
    private int _sweepShard;

    /// <summary>Makes an empty store.</summary>
    /// <param name="options">Its bounds.</param>
    /// <param name="rule">The rule with its parameters; each shard gets a copy.</param>
    /// <param name="pages">Page memory that nobody else uses and the caller disposes after the store; or null, and
    /// the store makes its own. The store takes frames from 1 on, as it needs them.</param>
    /// <param name="meter">The meter to charge, or null for <see cref="MemoryMeter.Process"/>.</param>
    /// <exception cref="ArgumentException">The options are out of range, or the pages too many to name.</exception>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public ItemStore(ItemStoreOptions options, TRule rule = default, PageMemory? pages = null, MemoryMeter? meter = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        meter ??= MemoryMeter.Process;
        if (pages is not null) options = options with { PageBytes = pages.PageBytes };
        options.Validate();
        Options = options;
        uint frameMax =
            pages?.FrameMax ?? (uint)Math.Min(options.CapacityBytes / options.PageBytes, FrameId.CountMax);
        uint frameLimit = uint.MaxValue / (uint)(options.PageBytes / SizeClasses.SlotBytesMin);
        if (frameMax >= frameLimit)
        {
            throw new ArgumentException(
                $"item store: {frameMax} frames are more than the {frameLimit - 1} that a place can name; "
                + "use several stores");
        }

        _hash = new KeyHash(options.SeedOrDrawn());
        _shardShift = 64 - BitOperations.Log2((uint)options.ShardCount);
        _frames = new ItemFrames(
            pages ?? new PageMemory(frameMax, options.PageBytes, meter), ownsPages: pages is null, meter);
        _shards = new ItemShard<TRule>[options.ShardCount];
        long shardBytes = (options.CapacityBytes - options.SharedBytes) / options.ShardCount;
        try
        {
            _join = new ItemJoin(options.ValueBytesMax, meter);
            for (int shard = 0; shard < _shards.Length; shard++)
            {
                _shards[shard] = new ItemShard<TRule>(
                    new ItemSpace(_frames, (byte)shard, shardBytes, meter), rule, _join, shard, _shards.Length);
            }
        }
        catch (NativeMemoryException)
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The bounds that the store was made with.</summary>
    public ItemStoreOptions Options { get; }

    /// <summary>The page data. For whoever lends it: bytes may vanish at any time, but must not be written.</summary>
    public PageMemory Pages => _frames.Pages;

    /// <summary>Counts and sizes, each shard's at one moment, the shards' one after another.</summary>
    public ItemStatistics Statistics
    {
        get
        {
            ItemStatistics sum = new() { MetadataBytes = _frames.NativeBytes + _join.NativeBytes };
            foreach (ItemShard<TRule> shard in _shards) sum = sum.Plus(shard.Statistics);
            return sum;
        }
    }

    /// <summary>The parts, for tests.</summary>
    internal ReadOnlySpan<ItemShard<TRule>> Shards => _shards;

    /// <summary>Reads a value into a buffer.</summary>
    /// <param name="key">1 to 250 bytes.</param>
    /// <param name="nowTicks">The time.</param>
    /// <param name="destination">Gets the value; what lies behind it is not touched unless the read misses.</param>
    /// <param name="info">The item; with <see cref="ItemRead.TooSmall"/> too, so that the caller can come again with
    /// <see cref="ItemInfo.Length"/> bytes.</param>
    public ItemRead Get(ReadOnlySpan<byte> key, long nowTicks, Span<byte> destination, out ItemInfo info)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.Read(hash, key, nowTicks, destination, default(KeepExpiry), out info);
    }

    /// <summary>Reads a value into a buffer and gives the item a new expiry, if it was a hit.</summary>
    /// <inheritdoc cref="Get(ReadOnlySpan{byte}, long, Span{byte}, out ItemInfo)"/>
    public ItemRead GetAndTouch(
        ReadOnlySpan<byte> key, long nowTicks, long newExpiryTicks, Span<byte> destination, out ItemInfo info)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.Read(hash, key, nowTicks, destination, new SetExpiry(newExpiryTicks), out info);
    }

    /// <summary>
    /// Reads a value into a buffer; a hit gives the item the expiry that <paramref name="renewal"/> makes of it, in the
    /// same step.
    /// </summary>
    /// <inheritdoc cref="Get(ReadOnlySpan{byte}, long, Span{byte}, out ItemInfo)"/>
    public ItemRead GetAndRenew<TRenewal>(
        ReadOnlySpan<byte> key, long nowTicks, TRenewal renewal, Span<byte> destination, out ItemInfo info)
        where TRenewal : struct, IItemRenewal
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.Read(hash, key, nowTicks, destination, renewal, out info);
    }

    /// <summary>
    /// Reads a value into an array of its length; a hit gives the item the expiry that <paramref name="renewal"/> makes of
    /// it, in the same step. The item is looked for once, so the array is allocated while its part of the store is locked.
    /// </summary>
    /// <param name="key">1 to 250 bytes.</param>
    /// <param name="nowTicks">The time.</param>
    /// <param name="renewal">What becomes of the expiry.</param>
    /// <param name="info">The item, if there was one.</param>
    /// <returns>The value; null when there is none.</returns>
    public byte[]? GetArrayAndRenew<TRenewal>(
        ReadOnlySpan<byte> key, long nowTicks, TRenewal renewal, out ItemInfo info)
        where TRenewal : struct, IItemRenewal
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.ReadArray(hash, key, nowTicks, renewal, out info);
    }

    /// <summary>Reads a value, or only what is known of it, and does in the same step what the request asks for.</summary>
    /// <param name="key">1 to 250 bytes.</param>
    /// <param name="nowTicks">The time.</param>
    /// <param name="fetch">What to do with the item besides reading it.</param>
    /// <param name="destination">Gets the value.</param>
    /// <param name="info">The item with expiry, marks and age as they were before.</param>
    /// <param name="won">True when this reader has won the right to renew the value.</param>
    public ItemRead Fetch(
        ReadOnlySpan<byte> key, long nowTicks, in ItemFetch fetch, Span<byte> destination, out ItemInfo info,
        out bool won)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.Fetch(hash, key, nowTicks, fetch, destination, out info, out won);
    }

    /// <summary>
    /// Marks an item stale: it is served on, and the next reader that contends wins the right to renew it. It gets a
    /// new CAS number, and a new expiry if one is given.
    /// </summary>
    public ItemStatus Invalidate(
        ReadOnlySpan<byte> key, long nowTicks, ulong expectedCas = 0, long? newExpiryTicks = null)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.Invalidate(hash, key, nowTicks, expectedCas, newExpiryTicks);
    }

    /// <summary>Reads a value straight into a buffer writer.</summary>
    /// <returns>True when there was one; the writer has advanced by its length.</returns>
    /// <remarks>The writer is asked for room outside of any lock; what it allocates is its business.</remarks>
    public bool TryGet(ReadOnlySpan<byte> key, long nowTicks, IBufferWriter<byte> destination, out ItemInfo info)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        int length = 0;
        while (true)
        {
            ItemRead read = shard.Read(
                hash, key, nowTicks, destination.GetSpan(length), default(KeepExpiry), out info);
            if (read == ItemRead.Hit) destination.Advance(info.Length);
            if (read != ItemRead.TooSmall) return read == ItemRead.Hit;
            // It may grow again before the next look; each round is somebody else's change.
            length = info.Length;
        }
    }

    /// <summary>
    /// Looks at an item without its value: no hit is counted, nothing is marked, no byte is checked.
    /// </summary>
    public bool TryPeek(ReadOnlySpan<byte> key, long nowTicks, out ItemInfo info)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.TryPeek(hash, key, nowTicks, out info);
    }

    /// <summary>Stores a value.</summary>
    /// <param name="key">1 to 250 bytes.</param>
    /// <param name="value">The bytes, which are copied.</param>
    /// <param name="write">The mode, the flags, the expiry, the conditions.</param>
    /// <param name="nowTicks">The time.</param>
    /// <param name="cas">The item's new CAS number, or 0.</param>
    public ItemStatus Store(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in ItemWrite write, long nowTicks, out ulong cas)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.Write(hash, key, value, write, nowTicks, out cas);
    }

    /// <summary>Removes an item, or only the one with this CAS number.</summary>
    public ItemStatus Delete(ReadOnlySpan<byte> key, long nowTicks, ulong expectedCas = 0)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.Delete(hash, key, nowTicks, expectedCas);
    }

    /// <summary>Gives an item a new expiry.</summary>
    public bool Touch(ReadOnlySpan<byte> key, long nowTicks, long newExpiryTicks)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.TryTouch(hash, key, nowTicks, new SetExpiry(newExpiryTicks));
    }

    /// <summary>Gives an item the expiry that <paramref name="renewal"/> makes of it, in one step.</summary>
    public bool Renew<TRenewal>(ReadOnlySpan<byte> key, long nowTicks, TRenewal renewal)
        where TRenewal : struct, IItemRenewal
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.TryTouch(hash, key, nowTicks, renewal);
    }

    /// <summary>
    /// Sets and clears marks in one step and tells how the item stood before: whoever finds
    /// <see cref="ItemMarks.Won"/> not yet set has won the right to renew the value.
    /// </summary>
    public bool Mark(ReadOnlySpan<byte> key, long nowTicks, ItemMarks set, ItemMarks clear, out ItemInfo before)
    {
        ItemShard<TRule> shard = ShardOf(key, out uint hash);
        return shard.TryMark(hash, key, nowTicks, set, clear, out before);
    }

    /// <summary>
    /// Makes every item vanish that is there at <paramref name="atTicks"/>, now or in the future. A second call takes
    /// the place of one that is still to come.
    /// </summary>
    public void FlushAll(long nowTicks, long atTicks)
    {
        foreach (ItemShard<TRule> shard in _shards) shard.Flush(nowTicks, atTicks);
    }

    /// <summary>Looks at some more rows and drops what is expired or flushed: call it now and then.</summary>
    /// <param name="nowTicks">The time.</param>
    /// <param name="budget">The most rows to look at; a call never goes beyond the end of a shard.</param>
    /// <returns>Items dropped.</returns>
    public int Sweep(long nowTicks, int budget)
    {
        uint shard = (uint)Interlocked.Increment(ref _sweepShard) % (uint)_shards.Length;
        return _shards[shard].Sweep(nowTicks, budget);
    }

    /// <summary>Checks every invariant of every shard. O(items + frames): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        foreach (ItemShard<TRule> shard in _shards) shard.Validate();
    }

    /// <summary>Gives all native memory back; page memory that was handed in stays its owner's.</summary>
    public void Dispose()
    {
        foreach (ItemShard<TRule>? shard in _shards) shard?.Dispose();
        _join?.Dispose();
        _frames.Dispose();
    }

    private ItemShard<TRule> ShardOf(ReadOnlySpan<byte> key, out uint hash)
    {
        if ((uint)(key.Length - 1) >= ItemStoreOptions.KeyBytesMax) ThrowKey(key);
        ulong full = _hash.Of(key);
        hash = (uint)full;
        // The shard is told by the upper bits and the bucket by the lower ones, so they do not thin each other out.
        return _shards[_shardShift == 64 ? 0 : full >> _shardShift];
    }

    private static void ThrowKey(ReadOnlySpan<byte> key) =>
        throw new ArgumentOutOfRangeException(
            nameof(key), key.Length, $"a key has 1 to {ItemStoreOptions.KeyBytesMax} bytes");
}
