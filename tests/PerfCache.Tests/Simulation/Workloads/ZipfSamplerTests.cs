// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Workloads;

namespace PerfCache.Tests.Simulation.Workloads;

/// <summary>
/// Goal: both ways of sampling follow the distribution exactly. Method: a chi-square test over all ranks
/// with a fixed seed, for skews on both sides of 1 and at the special values 0 and 1.
/// </summary>
internal sealed class ZipfSamplerTests
{
    [Test]
    public void FrequenciesFollowTheRanks(
        [Values(0.0, 0.5, 0.7, 0.99, 1.0, 1.0000001, 1.2, 3.0)] double alpha, [Values] bool fromTable)
    {
        const int Objects = 100;
        const int Draws = 400_000;
        var sampler = new ZipfSampler(Objects, alpha, scatterSeed: null, fromTable ? Objects : 0ul);
        var random = new SeededRandom(12345);
        var ids = new ulong[Draws];
        sampler.Fill(ref random, ids);

        double[] weights = [.. Enumerable.Range(1, Objects).Select(rank => Math.Pow(rank, -alpha))];
        double sum = weights.Sum();
        var counts = new int[Objects];
        foreach (ulong id in ids)
            counts[id]++;
        double chiSquare = 0;
        int cells = 0;
        (double expectedTail, double countTail) = (0, 0);
        for (int rank = 0; rank < Objects; rank++)
        {
            expectedTail += Draws * weights[rank] / sum;
            countTail += counts[rank];
            // Rare ranks are counted together until a cell expects enough for the statistic to hold.
            if (expectedTail < 20 && rank < Objects - 1)
                continue;
            chiSquare += (countTail - expectedTail) * (countTail - expectedTail) / Math.Max(expectedTail, 1);
            cells++;
            (expectedTail, countTail) = (0, 0);
        }
        // Mean cells-1, variance 2(cells-1); four deviations are passed by one seed in some tens of
        // thousands.
        Assert.That(chiSquare, Is.LessThan(cells + 4 * Math.Sqrt(2.0 * cells)), $"{cells} cells");
    }

    [Test]
    public void ManyObjectsNeedNoTable()
    {
        const ulong Objects = 1UL << 40;
        var sampler = new ZipfSampler(Objects, 0.9, scatterSeed: 3);
        var random = new SeededRandom(1);
        var ids = new ulong[100_000];
        sampler.Fill(ref random, ids);
        Assert.That(ids.Max(), Is.LessThan(Objects).And.GreaterThan(Objects / 2));
        Assert.That(ids.Distinct().Count(), Is.InRange(50_000, 99_999));
    }

    [Test]
    public void ScatteringKeepsTheFrequenciesAndMovesTheIds()
    {
        const int Objects = 1000;
        ulong[] sorted = Draw(null);
        ulong[] scattered = Draw(5);
        Assert.That(Frequencies(scattered), Is.EqualTo(Frequencies(sorted)));
        Assert.That(scattered.SequenceEqual(sorted), Is.False);
        Assert.That(sorted.GroupBy(id => id).MaxBy(group => group.Count())!.Key, Is.Zero);

        static ulong[] Draw(ulong? scatterSeed)
        {
            var sampler = new ZipfSampler(Objects, 1.0, scatterSeed);
            var random = new SeededRandom(9);
            var ids = new ulong[50_000];
            sampler.Fill(ref random, ids);
            return ids;
        }

        static IEnumerable<int> Frequencies(ulong[] ids) =>
            ids.GroupBy(id => id).Select(group => group.Count()).Order();
    }

    [Test]
    public void OneObjectIsAlwaysDrawn([Values] bool fromTable)
    {
        var sampler = new ZipfSampler(1, 20, scatterSeed: 1, fromTable ? 1ul : 0ul);
        var random = new SeededRandom(1);
        var ids = new ulong[1000];
        sampler.Fill(ref random, ids);
        Assert.That(ids, Is.All.Zero);
    }
}
