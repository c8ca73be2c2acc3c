// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>The packets for one guest, in the order of time and in chunks as a driver polls them.</summary>
internal abstract class NetworkLoad
{
    /// <summary>The most packets of a chunk.</summary>
    internal const int ChunkMax = 64;

    /// <summary>Takes the next chunk.</summary>
    /// <param name="sizes">Receives the payloads in bytes; as long as <see cref="ChunkMax"/>.</param>
    /// <param name="atNanos">When the last of them has arrived.</param>
    /// <returns>The number of packets; 0 at the end of the run.</returns>
    internal abstract int Next(Span<int> sizes, out long atNanos);
}

/// <summary>
/// A query workload: each query draws its tables for a part of its time and computes for the rest. Bursts come at
/// exponentially distributed intervals (their mean follows from the packets a second of the phase) and cross the line
/// at its rate; burst lengths are even between half and one and a half of the mean.
/// </summary>
internal sealed class QueryLoad : NetworkLoad
{
    private readonly double _bitNanos;
    private readonly long _queryNanos;
    private readonly long _scanNanos;
    private readonly long _endNanos;
    private readonly double _scanRate;
    private readonly double _quietRate;
    private readonly int _burst;
    private readonly int _bytes;
    private readonly int _smallBytes;
    private readonly ulong _smallBelow;
    private SeededRandom _arrivals;
    private SeededRandom _sizes;
    private long _nextBurstNanos;
    private double _lineFreeNanos;
    private int _burstLeft;

    internal QueryLoad(FlipScenario scenario, int guest)
    {
        SeedStreams streams = new(scenario.Seed);
        _arrivals = streams.Stream($"arrivals of guest {guest}");
        _sizes = streams.Stream($"sizes of guest {guest}");
        _bitNanos = 1 / scenario.Value("line-gbit");
        _endNanos = scenario.DurationNanos;
        _queryNanos = Math.Max(1, VirtualClock.FromSeconds(scenario.Value("query-seconds") / scenario.Scale));
        _scanNanos = (long)(_queryNanos * scenario.Value("scan-share"));
        double load = guest == scenario.LoadedGuest ? 1 : scenario.Value("other-load");
        _burst = (int)scenario.Value("burst-packets");
        _scanRate = load * scenario.Value("scan-packets") / _burst / VirtualClock.Second;
        _quietRate = load * scenario.Value("quiet-packets") / _burst / VirtualClock.Second;
        _bytes = (int)scenario.Value("packet-bytes");
        _smallBytes = (int)scenario.Value("small-bytes");
        _smallBelow = (ulong)(scenario.Value("small-share") * (1UL << 32));
        _nextBurstNanos = BurstAfter(0);
    }

    internal override int Next(Span<int> sizes, out long atNanos)
    {
        atNanos = 0;
        if (_burstLeft == 0)
        {
            if (_nextBurstNanos >= _endNanos) return 0;
            _burstLeft = Math.Max(1, (_burst / 2) + (int)_sizes.NextBelow((ulong)_burst + 1));
            _lineFreeNanos = Math.Max(_lineFreeNanos, _nextBurstNanos);
            _nextBurstNanos = BurstAfter(_nextBurstNanos);
        }

        int count = Math.Min(_burstLeft, ChunkMax);
        long bytes = 0;
        for (int i = 0; i < count; i++)
        {
            sizes[i] = (_sizes.Next() >> 32) < _smallBelow ? _smallBytes : _bytes;
            bytes += sizes[i];
        }

        _burstLeft -= count;
        _lineFreeNanos += bytes * 8 * _bitNanos;
        atNanos = (long)_lineFreeNanos;
        return atNanos < _endNanos ? count : 0;
    }

    /// <summary>An interval has no memory, so one that reaches into the next phase starts anew there.</summary>
    private long BurstAfter(long nanos)
    {
        while (nanos < _endNanos)
        {
            long inQuery = nanos % _queryNanos;
            bool isScan = inQuery < _scanNanos;
            long phaseEnd = nanos - inQuery + (isScan ? _scanNanos : _queryNanos);
            double rate = isScan ? _scanRate : _quietRate;
            if (rate > 0)
            {
                double interval = -Math.Log(1 - _arrivals.NextUnit()) / rate;
                if (nanos + interval < phaseEnd) return nanos + Math.Max(1, (long)interval);
            }

            nanos = phaseEnd;
        }

        return long.MaxValue;
    }
}
