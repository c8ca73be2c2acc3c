// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using LinuxCache = PerfCache.Cache.PageCache<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>>;

namespace PerfCache.Benchmarks.Hits;

/// <summary>The keys of a row of insertions: key number i, in an order that the row asks.</summary>
internal enum KeyOrder
{
    /// <summary>0, 1, 2, ...</summary>
    Sequential,

    /// <summary>All pages of an object of 2^20 in a scattered order, over and over.</summary>
    Random,

    /// <summary>Scattered over 2^36 pages; never twice.</summary>
    SparseRandom,
}

/// <summary>Makes keys.</summary>
internal static class Keys
{
    private const int RandomBits = 20;
    private const int SparseBits = 36;

    internal static ulong At(KeyOrder order, ulong i) => order switch
    {
        KeyOrder.Sequential => i,
        KeyOrder.Random => Scatter(i, RandomBits),
        _ => Scatter(i, SparseBits),
    };

    /// <summary>A one-to-one map of numbers of so many bits: odd factors and shifted exclusive ors can be undone.</summary>
    private static ulong Scatter(ulong i, int bits)
    {
        ulong mask = (1UL << bits) - 1;
        ulong x = i & mask;
        x = (x * 0x9E37_79B9_7F4A_7C15) & mask;
        x ^= x >> (bits / 2);
        x = (x * 0xBF58_476D_1CE4_E5B9) & mask;
        return x ^ (x >> (bits / 2));
    }
}

/// <summary>Inserts pages that are not resident, in blocks, as <see cref="HitPass"/> looks pages up; goes on with new keys
/// in each pass.</summary>
/// <param name="order">Which keys.</param>
/// <param name="count">Insertions a pass.</param>
internal abstract class InsertPass(KeyOrder order, int count)
{
    private readonly ulong[] _keys = new ulong[2048];
    private ulong _next;

    /// <summary>Insertions of pages that were resident after all.</summary>
    internal long Refused { get; private set; }

    internal long Run(int thread)
    {
        // The keys are made within the pass on both sides: a few instructions each.
        for (int done = 0; done < count; done += _keys.Length)
        {
            for (int i = 0; i < _keys.Length; i++) _keys[i] = Keys.At(order, _next++);
            Refused += _keys.Length - Block(_keys);
        }

        return (count + _keys.Length - 1) / _keys.Length * _keys.Length;
    }

    /// <summary>Inserts each.</summary>
    /// <returns>The number that came in.</returns>
    protected abstract int Block(ReadOnlySpan<ulong> keys);
}

/// <summary>The floor, copying a page or writing eight bytes.</summary>
internal sealed unsafe class FloorInsertPass(ClockFloor floor, byte[]? page, KeyOrder order, int count)
    : InsertPass(order, count)
{
    protected override int Block(ReadOnlySpan<ulong> keys)
    {
        ClockFloor local = floor;
        byte[]? bytes = page;
        int added = 0;
        foreach (ulong key in keys)
        {
            byte* at = local.TryAdd(key);
            if (at is null) continue;
            if (bytes is null) *(ulong*)at = key;
            else bytes.AsSpan().CopyTo(new Span<byte>(at, bytes.Length));
            added++;
        }

        return added;
    }
}

/// <summary>The cache, copying a page in.</summary>
internal sealed class CopyInsertPass(LinuxCache cache, ObjectId owner, byte[] page, KeyOrder order, int count)
    : InsertPass(order, count)
{
    protected override int Block(ReadOnlySpan<ulong> keys)
    {
        int added = 0;
        foreach (ulong key in keys)
            if (cache.TryAdd(owner, key, page)) added++;
        return added;
    }
}

/// <summary>The cache, writing eight bytes in place.</summary>
internal sealed class NewKeyPass(LinuxCache cache, ObjectId owner, KeyOrder order, int count)
    : InsertPass(order, count)
{
    protected override int Block(ReadOnlySpan<ulong> keys)
    {
        LinuxCache local = cache;
        int added = 0;
        foreach (ulong key in keys)
            if (local.TryAdd(owner, key, new EightBytes(key))) added++;
        return added;
    }

    private readonly struct EightBytes(ulong key) : IPageFiller
    {
        public void Fill(Span<byte> page) => BitConverter.TryWriteBytes(page, key);
    }
}
