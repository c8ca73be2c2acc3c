// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Security.Cryptography;
using PerfCache.Frames;

namespace PerfCache.Items;

/// <summary>What a store is made of.</summary>
public sealed record ItemStoreOptions
{
    /// <summary>The longest key, in bytes.</summary>
    public const int KeyBytesMax = 250;

    /// <summary>The largest value that any store may be made for, in bytes.</summary>
    public const int ValueBytesLimit = 128 << 20;

    /// <summary>The most shards.</summary>
    public const int ShardCountMax = 256;

    /// <summary>What a shard needs besides room for two of the largest values.</summary>
    internal const long ShardBytesMin = 256 * 1024;

    /// <summary>
    /// The most native bytes the store has out: page data, headers, keys and index. Reserved addresses are not
    /// counted.
    /// </summary>
    public required long CapacityBytes { get; init; }

    /// <summary>
    /// Bytes of a page: a power of two from 4 KiB to 64 KiB. Ignored when the store is given its pages.
    /// </summary>
    public int PageBytes { get; init; } = PageMemory.PageBytesMin;

    /// <summary>
    /// Parts with a lock each, a power of two. More of them let more threads in at once and make each part
    /// smaller: the bound is divided evenly. 1 is for one thread, and deterministic.
    /// </summary>
    public int ShardCount { get; init; } = 8;

    /// <summary>The largest value that may be stored, in bytes.</summary>
    public int ValueBytesMax { get; init; } = 1 << 20;

    /// <summary>The seed of the keys' hash; null draws one, so that nobody can know which keys collide.</summary>
    public ulong? HashSeed { get; init; }

    /// <summary>Says what is wrong with the options.</summary>
    /// <exception cref="ArgumentException">An option is out of its range; the message says which and what would do.
    /// </exception>
    public void Validate()
    {
        if (!PageMemory.IsPageSize(PageBytes))
        {
            throw new ArgumentException(
                $"item store: PageBytes is {PageBytes}; make it a power of two from 4096 to 65536");
        }

        if (ShardCount is < 1 or > ShardCountMax || !BitOperations.IsPow2(ShardCount))
        {
            throw new ArgumentException(
                $"item store: ShardCount is {ShardCount}; make it a power of two from 1 to {ShardCountMax}");
        }

        if (ValueBytesMax is < 1 or > ValueBytesLimit)
        {
            throw new ArgumentException(
                $"item store: ValueBytesMax is {ValueBytesMax}; make it 1 to {ValueBytesLimit}");
        }

        if (CapacityBytes < CapacityBytesMin)
        {
            throw new ArgumentException(
                $"item store: CapacityBytes is {CapacityBytes}; {ShardCount} shards with values up to {ValueBytesMax} "
                + $"bytes need {CapacityBytesMin}: give more, or fewer shards, or smaller values");
        }
    }

    /// <summary>The least capacity that the other options allow.</summary>
    public long CapacityBytesMin =>
        SharedBytes + (ShardCount * ((2L * ValueBytesMax) + (8L * PageBytes) + ShardBytesMin));

    /// <summary>
    /// What is set aside for what shards share: joining values, and the rounding of shared columns.
    /// </summary>
    internal long SharedBytes => RoundUp(ValueBytesMax) + (16L * Environment.SystemPageSize);

    internal ulong SeedOrDrawn()
    {
        if (HashSeed is { } seed) return seed;
        Span<byte> drawn = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(drawn);
        return BitConverter.ToUInt64(drawn);
    }

    private static long RoundUp(long bytes)
    {
        long page = Environment.SystemPageSize;
        return (bytes + page - 1) / page * page;
    }
}
