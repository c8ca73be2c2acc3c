// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Engine;

/// <summary>
/// A disk or a link: it works on a bounded number of requests at once, each of which takes a latency of its
/// own, and all of which share one channel of a bounded bandwidth.
/// </summary>
/// <remarks>
/// Requests are served first come, first served, and none is taken back, so the end of a request is known the
/// moment it is submitted: <see cref="Submit"/> returns it, and the caller schedules its event. Requests must be
/// submitted in the order of time.
///
/// A request waits for one of <see cref="Depth"/> places, then for the channel, crosses it at the bandwidth, and
/// then takes its latency, in which others may cross. So throughput is the smaller of the bandwidth and
/// depth / (latency + transfer), as with a disk; an idle link delivers after transfer + latency, and a busy one
/// at its bandwidth. Latency behind the channel, not before it, is the order of a link; a disk's order is the
/// other one, which gives the same ends for requests of one size.
/// </remarks>
public sealed class QueuedServer
{
    private readonly DeadlineHeap _places = new();
    private readonly DeadlineHeap _outstanding = new();
    private readonly double _nanosPerByte;
    private long _channelFreeNanos;
    private long _lastSubmitNanos;

    /// <summary>Makes an idle server.</summary>
    /// <param name="latencyNanos">What each request takes beside its transfer.</param>
    /// <param name="bytesPerSecond">The bandwidth of the channel; infinity for one that costs no time.</param>
    /// <param name="depth">Requests at work at once, at least 1; 0 for as many as come.</param>
    public QueuedServer(long latencyNanos, double bytesPerSecond, int depth)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(latencyNanos);
        ArgumentOutOfRangeException.ThrowIfNegative(depth);
        if (!(bytesPerSecond > 0))
            throw new ArgumentOutOfRangeException(nameof(bytesPerSecond), bytesPerSecond, "must be above 0");
        (LatencyNanos, Depth) = (latencyNanos, depth);
        _nanosPerByte = VirtualClock.Second / bytesPerSecond;
        for (int i = 0; i < depth; i++) _places.Add(0);
    }

    /// <summary>What each request takes beside its transfer, in nanoseconds.</summary>
    public long LatencyNanos { get; }

    /// <summary>Requests at work at once; 0 for as many as come.</summary>
    public int Depth { get; }

    /// <summary>Requests submitted.</summary>
    public long Requests { get; private set; }

    /// <summary>Bytes submitted.</summary>
    public long Bytes { get; private set; }

    /// <summary>What requests waited for a place or the channel, in nanoseconds, summed up.</summary>
    public long WaitedNanos { get; private set; }

    /// <summary>How long the channel was in use, in nanoseconds.</summary>
    public long ChannelNanos { get; private set; }

    /// <summary>Submits a request.</summary>
    /// <param name="nowNanos">The present; not before that of an earlier request.</param>
    /// <param name="bytes">What crosses the channel.</param>
    /// <param name="extraLatencyNanos">What this request takes beyond the latency: a longer seek.</param>
    /// <returns>When the request ends, in virtual nanoseconds.</returns>
    public long Submit(long nowNanos, long bytes, long extraLatencyNanos = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfNegative(extraLatencyNanos);
        ArgumentOutOfRangeException.ThrowIfLessThan(nowNanos, _lastSubmitNanos);
        _lastSubmitNanos = nowNanos;
        long start = Depth == 0 ? nowNanos : Math.Max(nowNanos, _places.RemoveFirst());
        start = Math.Max(start, _channelFreeNanos);
        long transfer = (long)Math.Round(bytes * _nanosPerByte);
        _channelFreeNanos = start + transfer;
        long end = checked(_channelFreeNanos + LatencyNanos + extraLatencyNanos);
        if (Depth > 0) _places.Add(end);
        ForgetEnded(nowNanos);
        _outstanding.Add(end);
        Requests++;
        Bytes += bytes;
        WaitedNanos += start - nowNanos;
        ChannelNanos += transfer;
        return end;
    }

    /// <summary>Requests that are waiting or at work.</summary>
    /// <param name="nowNanos">The present; not before an earlier call's.</param>
    public int Outstanding(long nowNanos)
    {
        ForgetEnded(nowNanos);
        return _outstanding.Count;
    }

    private void ForgetEnded(long nowNanos)
    {
        while (_outstanding.Count > 0 && _outstanding.First <= nowNanos) _ = _outstanding.RemoveFirst();
    }
}
