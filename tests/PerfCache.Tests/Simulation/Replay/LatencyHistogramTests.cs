// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>Goal: percentiles are never too low and never too high by a 64th, whatever the values.</summary>
[TestFixture]
public sealed class LatencyHistogramTests
{
    private static readonly double[] s_percents = [0.001, 1, 25, 50, 90, 99, 99.9, 99.99, 100];

    [Test]
    public void PercentilesAreThoseOfTheSortedValuesToOnePartIn64([Values(1, 2, 3)] int seed)
    {
        Random random = TestSeed.Random(seed);
        LatencyHistogram histogram = new();
        long[] values = new long[20_000];
        for (int i = 0; i < values.Length; i++)
        {
            // From single nanoseconds to hours, every magnitude alike.
            values[i] = (long)Math.Pow(2, random.NextDouble() * 43) - 1;
            histogram.Record(values[i]);
        }

        Array.Sort(values);
        foreach (double percent in s_percents)
        {
            long exact = values[Math.Max(0, (int)Math.Ceiling(percent / 100 * values.Length) - 1)];
            long told = histogram.Percentile(percent);
            Assert.That(told, Is.GreaterThanOrEqualTo(exact), $"{percent} %");
            Assert.That(told - exact, Is.LessThanOrEqualTo(exact / (double)LatencyHistogram.Precision), $"{percent} %");
        }

        Assert.That(histogram.Count, Is.EqualTo(values.Length));
        Assert.That(histogram.Highest, Is.EqualTo(values[^1]));
    }

    [Test]
    public void EveryPowerOfTwoAndItsNeighboursKeepTheBound()
    {
        for (int bit = 0; bit < 63; bit++)
        {
            foreach (long value in new[] { (1L << bit) - 1, 1L << bit, (1L << bit) + 1, long.MaxValue >> (62 - bit) })
            {
                LatencyHistogram histogram = new();
                histogram.Record(value);
                // A higher value beside it, so that the answer is the bucket's and not the highest of all.
                histogram.Record(long.MaxValue);
                long told = histogram.Percentile(50);
                Assert.That(told, Is.InRange(value, (long)Math.Min(long.MaxValue, value + (value / 64m))), $"{value}");
            }
        }
    }

    [Test]
    public void SmallValuesAreExact()
    {
        LatencyHistogram histogram = new();
        for (int value = 0; value < 128; value++) histogram.Record(value);
        for (int value = 0; value < 128; value++)
            Assert.That(histogram.Percentile((value + 1) / 128.0 * 100), Is.EqualTo(value));
    }

    [Test]
    public void ThoseOfSeveralThreadsAddUp()
    {
        Random random = TestSeed.Random(9);
        LatencyHistogram all = new(), left = new(), right = new();
        for (int i = 0; i < 5000; i++)
        {
            long value = random.NextInt64(1_000_000);
            all.Record(value);
            (i % 3 == 0 ? left : right).Record(value);
        }

        left.Add(right);
        Assert.That(left.Count, Is.EqualTo(all.Count));
        foreach (double percent in s_percents) Assert.That(left.Percentile(percent), Is.EqualTo(all.Percentile(percent)));
    }

    [Test]
    public void NothingRecordedIsZeroAndAClockThatWentBackIsToo()
    {
        LatencyHistogram histogram = new();
        Assert.That(histogram.Percentile(99), Is.Zero);
        histogram.Record(-5);
        Assert.That((histogram.Percentile(100), histogram.Count), Is.EqualTo((0L, 1L)));
    }

    [Test]
    public void APercentageOutsideItsRangeIsRefused([Values(0, -1, 100.1, double.NaN)] double percent) =>
        Assert.That(() => new LatencyHistogram().Percentile(percent), Throws.InstanceOf<ArgumentOutOfRangeException>());
}
