// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Workloads;

namespace PerfCache.Tests.Simulation.Workloads;

internal sealed class SeededPermutationTests
{
    [Test]
    public void EveryIdIsHitExactlyOnce(
        [Values(1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 1000, 4096, 65537, 1_000_000)] int count)
    {
        var permutation = new SeededPermutation((ulong)count, seed: 42);
        var hit = new bool[count];
        for (int value = 0; value < count; value++)
        {
            ulong id = permutation.Map((ulong)value);
            if (id >= (ulong)count || hit[id])
                Assert.Fail($"{value} maps to {id}, which is outside or taken");
            hit[id] = true;
        }
    }

    [Test]
    public void AnotherSeedIsAnotherPermutation()
    {
        var first = new SeededPermutation(1000, 1);
        var second = new SeededPermutation(1000, 2);
        int same = Enumerable.Range(0, 1000).Count(value =>
            first.Map((ulong)value) == second.Map((ulong)value));
        Assert.That(same, Is.LessThan(20));
    }

    [Test]
    public void NeighboursAreScattered()
    {
        const int Count = 1_000_000;
        var permutation = new SeededPermutation(Count, 7);
        int near = Enumerable.Range(0, Count - 1).Count(value =>
            Math.Abs((long)permutation.Map((ulong)value) - (long)permutation.Map((ulong)value + 1)) < 64);

        // Of a random permutation about Count * 2 * 63 / Count = 126 neighbours stay as near.
        Assert.That(near, Is.InRange(60, 220));
    }
}
