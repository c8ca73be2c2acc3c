// SPDX-License-Identifier: MIT
using System.Numerics;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// Counts latencies in buckets whose width grows with the value, so that percentiles from nanoseconds to hours come from
/// one small table.
/// </summary>
/// <remarks>
/// <code>
/// value     0 .. 127     one bucket each
///         128 .. 255     64 buckets of 2
///         256 .. 511     64 buckets of 4         and so on: 64 buckets for each power of two
/// </code>
/// A bucket is at most a 64th of its lowest value wide, and a percentile is answered by the highest value of its bucket:
/// never too low, and too high by less than one part in 64. One thread records; histograms of several threads are
/// added up afterwards.
/// </remarks>
public sealed class LatencyHistogram
{
    /// <summary>The parts of a value by which a percentile may be too high: one.</summary>
    public const int Precision = 1 << PrecisionBits;

    private const int PrecisionBits = 6;
    private const int BucketCount = (64 - PrecisionBits) << PrecisionBits;

    private readonly long[] _counts = new long[BucketCount];
    private long _highest;

    /// <summary>The number of values.</summary>
    public long Count { get; private set; }

    /// <summary>The highest value, exactly; 0 where there is none.</summary>
    public long Highest => _highest;

    /// <summary>Records a value; a negative one, which only a clock that was set back gives, counts as 0.</summary>
    public void Record(long value)
    {
        value = Math.Max(0, value);
        _counts[BucketOf(value)]++;
        Count++;
        if (value > _highest) _highest = value;
    }

    /// <summary>Adds all values of another histogram.</summary>
    public void Add(LatencyHistogram other)
    {
        ArgumentNullException.ThrowIfNull(other);
        for (int i = 0; i < _counts.Length; i++) _counts[i] += other._counts[i];
        Count += other.Count;
        _highest = Math.Max(_highest, other._highest);
    }

    /// <summary>The value that <paramref name="percent"/> of all values do not exceed.</summary>
    /// <param name="percent">Above 0 and at most 100.</param>
    /// <returns>The value, too high by less than a 64th; 0 where no value was recorded.</returns>
    public long Percentile(double percent)
    {
        if (!(percent > 0 && percent <= 100))
            throw new ArgumentOutOfRangeException(nameof(percent), percent, "above 0 and at most 100");
        if (Count == 0) return 0;
        long rank = Math.Clamp((long)Math.Ceiling(percent / 100 * Count), 1, Count);
        int bucket = 0;
        for (long below = _counts[0]; below < rank; below += _counts[bucket]) bucket++;
        return Math.Min(HighestOf(bucket), _highest);
    }

    private static int BucketOf(long value)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)value) - PrecisionBits);
        return (shift << PrecisionBits) + (int)(value >> shift);
    }

    private static long HighestOf(int bucket)
    {
        // The first two runs of 64 buckets have one value each.
        int shift = Math.Max(0, (bucket >> PrecisionBits) - 1);
        long lowest = (long)(bucket - (shift << PrecisionBits)) << shift;
        return lowest + ((1L << shift) - 1);
    }
}
