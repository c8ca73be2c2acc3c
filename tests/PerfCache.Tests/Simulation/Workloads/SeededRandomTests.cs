// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Workloads;

namespace PerfCache.Tests.Simulation.Workloads;

internal sealed class SeededRandomTests
{
    /// <summary>The output function of SplitMix64, seeded 0: its first two published values.</summary>
    [Test]
    public void MixIsSplitMix64()
    {
        Assert.That(SeededRandom.Mix(SeededRandom.Weyl), Is.EqualTo(0xe220a8397b1dcdaf));
        Assert.That(SeededRandom.Mix(unchecked(SeededRandom.Weyl * 2)), Is.EqualTo(0x6e789e6aa1b965f4));
    }

    /// <summary>The published generator from the state 1, 2, 3, 4.</summary>
    [Test]
    public void NextIsXoshiro256StarStar()
    {
        var random = new SeededRandom(1, 2, 3, 4);
        ulong[] values = [random.Next(), random.Next(), random.Next(), random.Next()];
        Assert.That(values, Is.EqualTo(new ulong[] { 11520, 0, 1509978240, 1215971899390074240 }));
    }

    [Test]
    public void BoundedNumbersReachEveryValueAndUnitsStayBelowOne()
    {
        var random = new SeededRandom(3);
        var counts = new int[10];
        double sum = 0;
        for (int i = 0; i < 100_000; i++)
        {
            counts[random.NextBelow(10)]++;
            double unit = random.NextUnit();
            if (unit is < 0 or >= 1)
                Assert.Fail($"{unit} is not from 0 up to 1");
            sum += unit;
        }
        Assert.That(counts, Is.All.InRange(9500, 10500));
        Assert.That(sum / 100_000, Is.EqualTo(0.5).Within(0.01));
    }
}
