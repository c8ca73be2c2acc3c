// SPDX-License-Identifier: MIT
using System.Numerics;

namespace PerfCache.Simulation.Workloads;

/// <summary>
/// A seeded one-to-one mapping of 0 .. n-1 onto itself that needs no table: a Feistel network over the next even
/// number of bits, applied again while the result lies outside ("cycle walking", Black and Rogaway 2002). The domain
/// is at most four times n, so it takes four steps on average at worst.
/// </summary>
internal readonly struct SeededPermutation
{
    private const int Rounds = 4;

    private readonly ulong _count;
    private readonly int _halfBits;
    private readonly ulong _halfMask;
    private readonly ulong _key;

    internal SeededPermutation(ulong count, ulong seed)
    {
        _count = count;
        int bits = count <= 1 ? 0 : BitOperations.Log2(count - 1) + 1;
        _halfBits = Math.Max(1, (bits + 1) / 2);
        _halfMask = (1UL << _halfBits) - 1;
        _key = SeededRandom.Mix(seed ^ SeededRandom.Weyl);
    }

    /// <summary>Where <paramref name="value"/>, which is below the count, goes.</summary>
    internal ulong Map(ulong value)
    {
        do
            value = Permute(value);
        while (value >= _count);
        return value;
    }

    private ulong Permute(ulong value)
    {
        ulong left = value >> _halfBits;
        ulong right = value & _halfMask;
        for (uint round = 1; round <= Rounds; round++)
        {
            ulong mixed = SeededRandom.Mix(right + _key + round * SeededRandom.Weyl) & _halfMask;
            (left, right) = (right, left ^ mixed);
        }
        return (left << _halfBits) | right;
    }
}
