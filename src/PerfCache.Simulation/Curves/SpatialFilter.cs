// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PerfCache.Simulation.Curves;

/// <summary>
/// Picks the requests of a random part of all pages: those whose hashed key is small. A page is in the sample with all
/// of its requests or with none, which is what keeps reuse visible in a sample (Waldspurger, Park, Garthwaite, Ahmad,
/// "Efficient MRC construction with SHARDS", FAST 2015).
/// <para>
/// Nearly every request is rejected, so rejecting is all that counts: eight keys at a time are hashed to 32 bits and
/// compared, without a branch that depends on one of them alone, and a key costs about as much as reading it from
/// memory. The hash: the halves of the key times two odd constants, added, then two rounds of shift and multiply; the
/// seed goes in before all of it. Sequential keys, strides and aligned addresses must not favour one another, and keys
/// that are hashes already must not be harmed.
/// </para>
/// </summary>
internal sealed class SpatialFilter
{
    private const uint LowFactor = 0x9E3779B1;
    private const uint HighFactor = 0x85EBCA77;
    private const uint FirstFactor = 0x85EBCA6B;
    private const uint SecondFactor = 0xC2B2AE35;
    private const ulong FileSalt = 0x9E3779B97F4A7C15;

    private readonly ulong _seed;

    /// <summary>Makes a filter.</summary>
    /// <param name="rate">The part of the pages to pick: above 0, at most 1.</param>
    /// <param name="seed">Another seed picks other pages.</param>
    public SpatialFilter(double rate, ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rate);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rate, 1);
        _seed = Workloads.SeededRandom.Mix(seed + Workloads.SeededRandom.Weyl);
        HashMax = (uint)Math.Clamp(Math.Round(rate * (1UL << 32)) - 1, 0, uint.MaxValue);
    }

    /// <summary>The largest hash of a picked page.</summary>
    public uint HashMax { get; private set; }

    /// <summary>The part of the pages that is picked.</summary>
    public double Rate => (HashMax + 1.0) / (1UL << 32);

    /// <summary>Picks less: from now on pages with a hash up to <paramref name="hashMax"/> only.</summary>
    public void Lower(uint hashMax) => HashMax = hashMax;

    /// <summary>The hash of a page.</summary>
    public uint Hash(ulong id, int file)
    {
        ulong key = Key(id, file) ^ _seed;
        uint hash = ((uint)key * LowFactor) + ((uint)(key >> 32) * HighFactor);
        hash = (hash ^ (hash >> 16)) * FirstFactor;
        return (hash ^ (hash >> 13)) * SecondFactor;
    }

    /// <summary>Picks among requests without files.</summary>
    /// <param name="ids">The requests.</param>
    /// <param name="picked">Receives the ids picked, in order; must be as long as the requests.</param>
    /// <returns>How many were picked.</returns>
    public int Pick(ReadOnlySpan<ulong> ids, Span<ulong> picked)
    {
        const int Group = 2 * 4;
        ReadOnlySpan<Vector256<ulong>> vectors = MemoryMarshal.Cast<ulong, Vector256<ulong>>(ids);
        Vector256<ulong> seed = Vector256.Create(_seed);
        Vector256<uint> factors = Vector256.Create(LowFactor | ((ulong)HighFactor << 32)).AsUInt32();
        Vector256<uint> lowHalves = Vector256.Create((ulong)uint.MaxValue).AsUInt32();
        Vector256<uint> hashMax = Vector256.Create(HashMax);
        int count = 0;
        for (int i = 0; i + 1 < vectors.Length; i += 2)
        {
            Vector256<uint> one = (vectors[i] ^ seed).AsUInt32() * factors;
            Vector256<uint> other = (vectors[i + 1] ^ seed).AsUInt32() * factors;
            // The sums of four keys in the low halves, those of the next four in the high halves.
            one += (one.AsUInt64() >> 32).AsUInt32();
            other += (other.AsUInt64() << 32).AsUInt32();
            Vector256<uint> hash = Vector256.ConditionalSelect(lowHalves, one, other);
            hash = (hash ^ (hash >> 16)) * Vector256.Create(FirstFactor);
            hash = (hash ^ (hash >> 13)) * Vector256.Create(SecondFactor);
            uint found = Vector256.LessThanOrEqual(hash, hashMax).ExtractMostSignificantBits();
            if (found == 0) continue;
            int first = i * 4;
            for (int place = 0; place < Group; place++)
            {
                // Bits 0, 2, 4, 6 are the first four keys, bits 1, 3, 5, 7 the next.
                int bit = ((place & 3) * 2) + (place >> 2);
                picked[count] = ids[first + place];
                count += (int)(found >> bit) & 1;
            }
        }

        for (int i = ids.Length & -Group; i < ids.Length; i++)
        {
            picked[count] = ids[i];
            if (Hash(ids[i], 0) <= HashMax) count++;
        }

        return count;
    }

    /// <summary>Picks among requests with files.</summary>
    /// <inheritdoc cref="Pick(ReadOnlySpan{ulong}, Span{ulong})"/>
    public int Pick(
        ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files, Span<ulong> picked, Span<int> pickedFiles)
    {
        if (files.IsEmpty) return Pick(ids, picked);
        int count = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            if (Hash(ids[i], files[i]) > HashMax) continue;
            picked[count] = ids[i];
            pickedFiles[count++] = files[i];
        }

        return count;
    }

    /// <summary>File 0 leaves the key as it is, so a trace without files is one of a single file.</summary>
    private static ulong Key(ulong id, int file) =>
        id ^ System.Numerics.BitOperations.RotateLeft((uint)file * FileSalt, 32);
}
