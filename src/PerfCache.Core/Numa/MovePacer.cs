// SPDX-License-Identifier: MIT
namespace PerfCache.Numa;

/// <summary>Says when the next batch may go: the rate, the budget of a period, and the pause after failures.</summary>
/// <remarks>
/// It reads no clock: the time is handed in, in ticks of <see cref="TimeSpan"/>, and must not run backwards.
/// <para>The rate is a queue: what was moved occupies the line for as long as it takes at that rate, and the next batch
/// goes when the line is free. So the average over any time from the first batch on is at most the rate, plus the one
/// batch that is under way, and an idle time is not saved up.</para>
/// <para>The budget counts within periods from the first batch on; a batch that does not fit any more waits for the
/// next.</para>
/// Not synchronised.
/// </remarks>
internal sealed class MovePacer(MoveLimits limits)
{
    private long _lineFree;
    private long _pauseEnd;
    private long _pause;
    private long _periodStart = long.MinValue;
    private long _periodBytes;

    /// <summary>Why a batch waits.</summary>
    internal enum Reason
    {
        /// <summary>It need not.</summary>
        None,

        /// <summary>Too much was moved lately.</summary>
        Rate,

        /// <summary>The last batches failed.</summary>
        BackOff,
    }

    /// <summary>How long a batch of at most so many bytes must wait; 0: it may go.</summary>
    internal (long Ticks, Reason Reason) Wait(long now, long bytes)
    {
        StartPeriod(now);
        long rate = _lineFree - now;
        if (limits.BudgetBytes is long budget && _periodBytes > 0 && _periodBytes + bytes > budget)
            rate = Math.Max(rate, _periodStart + limits.Period.Ticks - now);
        long pause = _pauseEnd - now;
        if (rate <= 0 && pause <= 0) return (0, Reason.None);
        return rate >= pause ? (rate, Reason.Rate) : (pause, Reason.BackOff);
    }

    /// <summary>Files what a batch has moved, and whether the greater part of it failed.</summary>
    internal void Done(long now, long bytesMoved, bool hasFailed)
    {
        StartPeriod(now);
        _periodBytes += bytesMoved;
        if (limits.BytesPerSecond is long rate)
        {
            _lineFree = Math.Max(_lineFree, now)
                + (long)((Int128)bytesMoved * TimeSpan.TicksPerSecond / rate);
        }

        _pause = hasFailed
            ? Math.Min(Math.Max(limits.BackOffLeast.Ticks, _pause * 2), limits.BackOffMost.Ticks) : 0;
        _pauseEnd = now + _pause;
    }

    private void StartPeriod(long now)
    {
        if (_periodStart == long.MinValue) _periodStart = now;
        long periods = (now - _periodStart) / limits.Period.Ticks;
        if (periods == 0) return;
        _periodStart += periods * limits.Period.Ticks;
        _periodBytes = 0;
    }
}
