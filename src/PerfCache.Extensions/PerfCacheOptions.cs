// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Items;

namespace PerfCache.Extensions;

/// <summary>What <see cref="OffHeapDistributedCache"/> is made of. Checked when the host starts.</summary>
/// <remarks>
/// One knob matters: <see cref="CapacityBytes"/>. The cache stays within it at every moment, with keys, index and all
/// that is wasted by rounding, and evicts to do so; nobody has to give sizes or call anything.
/// </remarks>
public sealed class PerfCacheOptions
{
    /// <summary>The least that a shard is given when the number of shards is chosen here.</summary>
    private const long ShardBytesMin = 4 << 20;

    /// <summary>What metrics, logs and health checks call the cache. Not empty.</summary>
    public string Name { get; set; } = "distributed";

    /// <summary>The most native bytes that the cache has out, metadata included. 256 MiB unless set.</summary>
    public long CapacityBytes { get; set; } = 256L << 20;

    /// <summary>
    /// The longest value, in bytes; 1 MiB unless set. Storing a longer one is an <see cref="ArgumentException"/>. Each
    /// part of the cache has room for eight such values, or at least two where the capacity allows no more.
    /// </summary>
    public int ValueBytesMax { get; set; } = 1 << 20;

    /// <summary>
    /// Parts with a lock each, a power of two to 256; null chooses by processors, capacity and
    /// <see cref="ValueBytesMax"/>.
    /// </summary>
    public int? ShardCount { get; set; }

    /// <summary>
    /// How often some expired entries are dropped that nobody asked for, at least 10 ms;
    /// <see cref="Timeout.InfiniteTimeSpan"/> leaves them until their room is wanted. One second unless set.
    /// </summary>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A file for the contents, read when the host starts and written when it stops; null for none. Its folder must
    /// be there and writable.
    /// </summary>
    public string? SnapshotPath { get; set; }

    /// <summary>How often the snapshot is written while the host runs, at least a second; null for only at its end.
    /// </summary>
    public TimeSpan? SnapshotInterval { get; set; }

    /// <summary>The store that these options describe.</summary>
    internal ItemStoreOptions ToStoreOptions() => new()
    {
        CapacityBytes = CapacityBytes,
        ValueBytesMax = ValueBytesMax,
        ShardCount = ShardCount ?? ChosenShardCount(),
    };

    // Twice as many parts as processors keep threads out of each other's way; but the capacity is divided evenly, and
    // a part that holds few values evicts what other parts would have had room for.
    private int ChosenShardCount()
    {
        long wanted = BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount * 2);
        long shardBytes = Math.Max(ShardBytesMin, 8L * ValueBytesMax);
        long count = Math.Min(wanted, ItemStoreOptions.ShardCountMax);
        while (count > 1 && CapacityBytes / count < shardBytes) count /= 2;
        return (int)count;
    }
}
