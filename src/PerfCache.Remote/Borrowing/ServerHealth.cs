// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Borrowing;

/// <summary>
/// Whether a connected server is worth using: how fast it answers signs of life, whether gets of it end in time, and
/// whether it takes what it is given.
/// </summary>
/// <remarks>
/// Slow (PUMA's thresholds on signs of life, by a true moving average) or silent (so many gets in a row without an answer):
/// suspended, neither asked nor given anything, until a sign of life comes fast enough. Refusing (a lender that needs its
/// memory says so by refusing a store): given nothing for a time that doubles, still asked. The monitor belongs to the
/// link's thread; everybody else reads a word.
/// </remarks>
internal sealed class ServerHealth
{
    private static readonly long s_refusalMin = Stopwatch.Frequency / 10;
    private static readonly long s_refusalMax = 3 * Stopwatch.Frequency;

    private readonly FleetOptions _options;
    private readonly LatencyMonitor _monitor;
    private int _expiredInARow;
    private bool _isSilent;
    private bool _isSuspended;
    private long _refusedUntil;
    private long _refusalTicks;
    private long _suspensions;
    private long _averageTicks;

    internal ServerHealth(FleetOptions options)
    {
        _options = options;
        _monitor = new LatencyMonitor(options.Latency, Stopwatch.Frequency);
        Gets = new LatencyWindow(options.DeadlineMin, options.DeadlineMax);
    }

    /// <summary>How long gets take.</summary>
    internal LatencyWindow Gets { get; }

    /// <summary>True while the server is left alone.</summary>
    internal bool IsSuspended => Volatile.Read(ref _isSuspended);

    /// <summary>True while nothing should be sent to be stored.</summary>
    internal bool IsRefusing
    {
        get
        {
            long until = Volatile.Read(ref _refusedUntil);
            return until != 0 && Stopwatch.GetTimestamp() < until;
        }
    }

    /// <summary>How often it was suspended.</summary>
    internal long Suspensions => Volatile.Read(ref _suspensions);

    /// <summary>The average of signs of life.</summary>
    internal TimeSpan PingAverage => Stopwatch.GetElapsedTime(0, Volatile.Read(ref _averageTicks));

    /// <summary>A get was answered. Any thread.</summary>
    internal void Answered(long ticks)
    {
        if (Volatile.Read(ref _expiredInARow) != 0) Volatile.Write(ref _expiredInARow, 0);
        Gets.Answered(Stopwatch.GetElapsedTime(0, ticks));
    }

    /// <summary>A get was given up. Any thread.</summary>
    internal void Expired(long ticks)
    {
        Gets.GivenUp(Stopwatch.GetElapsedTime(0, ticks));
        Interlocked.Increment(ref _expiredInARow);
    }

    /// <summary>A store was answered.</summary>
    internal void Stored(bool isStored)
    {
        if (isStored)
        {
            if (_refusalTicks == 0) return;
            _refusalTicks = 0;
            Volatile.Write(ref _refusedUntil, 0);
            return;
        }

        // Those that were on their way with it are refused for the same reason.
        if (IsRefusing) return;
        _refusalTicks = Math.Clamp(2 * _refusalTicks, s_refusalMin, s_refusalMax);
        Volatile.Write(ref _refusedUntil, Stopwatch.GetTimestamp() + _refusalTicks);
    }

    /// <summary>Looks whether gets have shown the server to be silent.</summary>
    /// <returns>True when it is left alone from now on.</returns>
    internal bool LookForSilence()
    {
        if (_isSilent || Volatile.Read(ref _expiredInARow) < _options.ExpiredMax) return false;
        _isSilent = true;
        Decide();
        return true;
    }

    /// <summary>A sign of life was answered, or has been waited for so long already.</summary>
    internal void Ping(long ticks, bool answered)
    {
        if (answered)
        {
            _isSilent = false;
            Volatile.Write(ref _expiredInARow, 0);
        }

        if (_options.Latency.IsOn)
        {
            _monitor.OnPong(ticks);
            Volatile.Write(ref _averageTicks, (long)_monitor.AverageTicks);
        }

        Decide();
    }

    /// <summary>A new connection: what was held against the old one counts no more.</summary>
    internal void Reconnected(long pingTicks)
    {
        _refusalTicks = 0;
        Volatile.Write(ref _refusedUntil, 0);
        Ping(pingTicks, answered: true);
    }

    private void Decide()
    {
        bool isSuspended = _isSilent || (_options.Latency.IsOn && _monitor.IsSuspended);
        if (isSuspended && !_isSuspended) Interlocked.Increment(ref _suspensions);
        Volatile.Write(ref _isSuspended, isSuspended);
    }
}
