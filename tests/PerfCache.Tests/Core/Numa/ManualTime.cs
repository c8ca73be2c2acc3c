// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Core.Numa;

/// <summary>A clock that stands still until somebody waits: a wait ends at once, and the clock has moved by it.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<TimeSpan> _waits = [];
    private long _ticks;

    /// <summary>How long others waited, in order.</summary>
    internal IReadOnlyList<TimeSpan> Waits
    {
        get
        {
            lock (_lock) return [.. _waits];
        }
    }

    /// <summary>The time since the clock was made.</summary>
    internal TimeSpan Elapsed => new(Interlocked.Read(ref _ticks));

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime > TimeSpan.Zero && dueTime != Timeout.InfiniteTimeSpan)
        {
            lock (_lock) _waits.Add(dueTime);
            Interlocked.Add(ref _ticks, dueTime.Ticks);
            dueTime = TimeSpan.Zero;
        }

        return System.CreateTimer(callback, state, dueTime, period);
    }
}
