// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Curves;

/// <summary>
/// How many requests had each stack distance: the LRU curve before anybody asked for sizes. Four bytes a distance, so a
/// trace with many pages costs little; a count that passes 2^32 goes on in a dictionary.
/// </summary>
internal sealed class DistanceHistogram : IDisposable
{
    private readonly NativeColumn<uint> _counts =
        new("stack distance counts", IdMap.PageCountMax + 1, MemoryMeter.Process);

    private readonly Dictionary<uint, long> _wrapped = [];
    private long _length;

    /// <summary>The requests counted.</summary>
    public long Requests { get; private set; }

    /// <summary>The requests without a distance: each page's first.</summary>
    public long FirstRequests => _length == 0 ? 0 : CountOf(0);

    /// <summary>Bytes in use.</summary>
    public long Bytes => _counts.CommittedBytes;

    /// <summary>Counts distances; 0 is a first request.</summary>
    public void Add(ReadOnlySpan<uint> distances)
    {
        NativeArray<uint> counts = _counts.View;
        foreach (uint distance in distances)
        {
            if (distance >= _length) Reach(distance);
            if (++counts[distance] == 0) _wrapped[distance] = _wrapped.GetValueOrDefault(distance) + (1L << 32);
        }

        Requests += distances.Length;
    }

    /// <summary>
    /// The requests with a distance within each limit. A limit between two distances counts the part of the next one
    /// that it covers: in a sample, distance d stands for a range that ends at d.
    /// </summary>
    /// <param name="limits">Not negative, ascending.</param>
    public double[] Within(IReadOnlyList<double> limits)
    {
        double[] sums = new double[limits.Count];
        long sum = 0;
        long distance = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            double limit = Math.Min(limits[i], _length);
            while (distance + 1 <= limit) sum += CountOf((uint)++distance);
            sums[i] = sum + ((limit - distance) * CountOf((uint)distance + 1));
        }

        return sums;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _counts.Dispose();

    private long CountOf(uint distance) => distance >= _length
        ? 0 : _counts.View[distance] + (_wrapped.Count == 0 ? 0 : _wrapped.GetValueOrDefault(distance));

    private void Reach(uint distance)
    {
        _counts.EnsureLength(distance + 1L);
        _length = distance + 1L;
    }
}
