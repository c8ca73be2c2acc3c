// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Extensions;

/// <summary>A clock that stands still until a test moves it; its timers run on the thread that does.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly List<ManualTimer> _timers = [];
    private DateTimeOffset _utcNow = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private long _elapsedTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _elapsedTicks;

    public override DateTimeOffset GetUtcNow() => _utcNow;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ManualTimer timer = new(this, callback, state, period);
        _timers.Add(timer);
        return timer;
    }

    /// <summary>Lets time pass.</summary>
    internal void Advance(TimeSpan span)
    {
        _elapsedTicks += span.Ticks;
        _utcNow += span;
        foreach (ManualTimer timer in _timers.ToArray()) timer.RunIfDue(_elapsedTicks);
    }

    /// <summary>What an administrator does: the wall clock jumps and no time passes.</summary>
    internal void SetWallClock(TimeSpan by) => _utcNow += by;

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state, TimeSpan period) : ITimer
    {
        private long _nextTicks = time._elapsedTicks + period.Ticks;

        internal void RunIfDue(long nowTicks)
        {
            if (nowTicks < _nextTicks) return;
            _nextTicks = nowTicks + period.Ticks;
            callback(state);
        }

        public bool Change(TimeSpan dueTime, TimeSpan newPeriod) => false;

        public void Dispose() => time._timers.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
