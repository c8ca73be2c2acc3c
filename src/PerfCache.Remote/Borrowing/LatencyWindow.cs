// SPDX-License-Identifier: MIT
using System.Numerics;

namespace PerfCache.Remote.Borrowing;

/// <summary>How long gets of one server take of late, and from that how long one is worth waiting for.</summary>
/// <remarks>
/// A histogram with eight buckets for each power of two of microseconds. After <see cref="Period"/> times the p99 is read,
/// and where there are many all counts are halved, so that old times fade. The deadline is twice the p99, within bounds. A
/// get that was given up counts as twice what it was waited for: counted as what it waited, the deadline would hold
/// itself down where the server has become slower. Any thread records.
/// </remarks>
internal sealed class LatencyWindow(TimeSpan deadlineMin, TimeSpan deadlineMax)
{
    /// <summary>Times between two looks.</summary>
    internal const int Period = 64;

    private const int BucketBits = 3;
    private const int BucketCount = 32 << BucketBits;
    private const int FadeAt = 16 * Period;

    private readonly int[] _counts = new int[BucketCount];
    private long _deadlineTicks = deadlineMax.Ticks;
    private long _p99Micros;
    private int _recorded;

    /// <summary>How long a get is worth waiting for; the longest time before there is anything to go by.</summary>
    internal TimeSpan Deadline => new(Volatile.Read(ref _deadlineTicks));

    /// <summary>The p99 at the last look; 0 before the first.</summary>
    internal TimeSpan P99 => TimeSpan.FromMicroseconds(Volatile.Read(ref _p99Micros));

    /// <summary>A get has been answered.</summary>
    internal void Answered(TimeSpan took) => Record((long)took.TotalMicroseconds);

    /// <summary>A get has been given up.</summary>
    internal void GivenUp(TimeSpan waited) => Record(2 * (long)waited.TotalMicroseconds);

    private void Record(long micros)
    {
        Interlocked.Increment(ref _counts[BucketOf(micros)]);
        if (Interlocked.Increment(ref _recorded) % Period == 0) Look();
    }

    private void Look()
    {
        long total = 0;
        foreach (int count in _counts) total += count;
        long above = total / 100;
        int bucket = BucketCount - 1;
        for (long seen = _counts[bucket]; seen <= above && bucket > 0; seen += _counts[bucket]) bucket--;
        long p99 = HighestOf(bucket);
        Volatile.Write(ref _p99Micros, p99);
        long wanted = TimeSpan.FromMicroseconds(2 * p99).Ticks;
        Volatile.Write(ref _deadlineTicks, Math.Clamp(wanted, deadlineMin.Ticks, deadlineMax.Ticks));
        if (total < FadeAt) return;
        // A count that another thread adds to meanwhile may lose it: one of a thousand.
        for (int i = 0; i < BucketCount; i++) _counts[i] /= 2;
    }

    private static int BucketOf(long micros)
    {
        micros = Math.Clamp(micros, 0, int.MaxValue);
        int shift = Math.Max(0, BitOperations.Log2((uint)micros) - BucketBits);
        return Math.Min((shift << BucketBits) + (int)(micros >> shift), BucketCount - 1);
    }

    private static long HighestOf(int bucket)
    {
        int shift = Math.Max(0, (bucket >> BucketBits) - 1);
        return ((long)(bucket - (shift << BucketBits) + 1) << shift) - 1;
    }
}
