// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Workloads;

/// <summary>
/// A seeded one-to-one mapping of 0 .. n-1 onto itself that needs no table: a Feistel network over pairs of
/// numbers below the square root of n, rounded up, applied again while the result lies outside ("cycle
/// walking", Black and Rogaway 2002). The pairs are at most 2 sqrt(n) + 1 more than the ids, so a second
/// turn is rare.
/// </summary>
internal readonly struct SeededPermutation
{
    private const int Rounds = 4;

    private readonly ulong _count;
    private readonly ulong _side;
    private readonly ulong _key;

    internal SeededPermutation(ulong count, ulong seed)
    {
        _count = count;
        _side = (ulong)Math.Sqrt(count);
        while (_side * _side < count)
            _side++;
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
        (ulong left, ulong right) = Math.DivRem(value, _side);
        for (uint round = 1; round <= Rounds; round++)
        {
            ulong mixed = SeededRandom.Mix(right + _key + round * SeededRandom.Weyl);
            ulong sum = left + Math.BigMul(mixed, _side, out _);
            (left, right) = (right, sum >= _side ? sum - _side : sum);
        }
        return left * _side + right;
    }
}
