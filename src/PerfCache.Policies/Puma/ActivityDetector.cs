// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>What reclaim and the misses of a lender have shown so far: counts since its cache was made.</summary>
/// <param name="OwnInsertions">Own pages that came in.</param>
/// <param name="Refaults">Own misses that found a shadow.</param>
/// <param name="ActivatingRefaults">Refaults that made their page active.</param>
/// <param name="LowScans">Times that reclaim deactivated pages because the inactive list was low.</param>
/// <param name="Inactive">Frames of the inactive list at the last low scan.</param>
/// <param name="Active">Frames of the active list then.</param>
public readonly record struct ActivitySignals(
    long OwnInsertions, long Refaults, long ActivatingRefaults, long LowScans, uint Inactive, uint Active);

/// <summary>
/// Decides whether a lender needs its memory itself: the slides' detectors.
/// </summary>
/// <remarks>
/// <para>
/// Observation. A lender that becomes active cannot say so: its cache fills with the borrower's pages, and its own are
/// evicted before they can be read twice. But the kernel notices both: the page that comes back finds its shadow (#1), and
/// once half of the pages are active, some must be deactivated (#2). #1 is fast, and silent between two refaults; #2 comes
/// late, and stays. Together (#3) they are fast and steady.
/// </para>
/// <para>
/// Each sign suspends lending for 3 seconds and starts the time anew. Deactivation by force or because of refaults is no
/// sign: <see cref="ActivitySignals.LowScans"/> does not count it.
/// </para>
/// <para>
/// A real system has more signs than the lists of its cache: tasks that wait, limits that are reached. Whoever reads them
/// says so (<see cref="Note"/>), and they suspend for the same time.
/// </para>
/// <para>
/// A flaw that we found in simulation: #2 does not ask who caused the reclaim. A lender that stops with more active than
/// inactive pages is set off by each put of its borrower. <see cref="DetectorOptions.IsIdleAware"/> is the cure.
/// </para>
/// </remarks>
public sealed class ActivityDetector
{
    private readonly DetectorOptions _options;
    private readonly PumaJournal _journal;
    private readonly long _suspendTicks;
    private readonly long _idleTicks;
    private ActivitySignals _seen;
    private long _lastOwnTicks = long.MinValue;

    /// <summary>Makes a detector; lending is not suspended.</summary>
    /// <param name="options">What it listens to.</param>
    /// <param name="journal">Where it notes what it decides.</param>
    /// <param name="ticksPerSecond">The unit of all times.</param>
    public ActivityDetector(DetectorOptions options, PumaJournal journal, long ticksPerSecond)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.SuspendTime <= TimeSpan.Zero)
            throw new ArgumentException($"SuspendTime is {options.SuspendTime}; it must be above 0");
        _options = options;
        _journal = journal;
        _suspendTicks = PumaTime.Ticks(options.SuspendTime, ticksPerSecond);
        _idleTicks = PumaTime.Ticks(options.IdleAfter, ticksPerSecond);
    }

    /// <summary>True while lending is suspended.</summary>
    public bool IsSuspended { get; private set; }

    /// <summary>When lending is resumed unless there is another sign; <see cref="long.MaxValue"/> while it is not
    /// suspended.</summary>
    public long ResumeAtTicks { get; private set; } = long.MaxValue;

    /// <summary>When the suspension began, or the last one.</summary>
    public long SuspendedAtTicks { get; private set; }

    /// <summary>The sign that began the suspension, or the last one.</summary>
    public PumaCause SuspendedBy { get; private set; }

    /// <summary>The last sign.</summary>
    public PumaCause LastSign { get; private set; }

    /// <summary>How many signs there were.</summary>
    public long SignCount { get; private set; }

    /// <summary>Looks at the signals.</summary>
    /// <returns>True when <see cref="IsSuspended"/> has changed.</returns>
    public bool Observe(in ActivitySignals signals, long nowTicks)
    {
        if (signals == _seen) return false;
        ActivitySignals before = _seen;
        _seen = signals;
        if (signals.OwnInsertions != before.OwnInsertions) _lastOwnTicks = nowTicks;
        bool changed = false;
        long refaults = signals.Refaults - before.Refaults;
        long activating = signals.ActivatingRefaults - before.ActivatingRefaults;
        if (_options.Signs.HasFlag(ActivitySigns.Refault) && (_options.CountsAnyRefault ? refaults : activating) > 0)
            changed = Suspend(PumaCause.Refault, (refaults, activating), nowTicks);
        if (_options.Signs.HasFlag(ActivitySigns.Pressure) && signals.LowScans != before.LowScans && !IsIdle(nowTicks))
            changed |= Suspend(PumaCause.Pressure, (signals.Inactive, signals.Active), nowTicks);
        return changed;
    }

    /// <summary>Takes note of a sign that somebody else has seen.</summary>
    /// <param name="cause">What it is.</param>
    /// <param name="evidence">The numbers that it was seen by, for the journal.</param>
    /// <param name="nowTicks">The time.</param>
    /// <returns>True when <see cref="IsSuspended"/> has changed.</returns>
    public bool Note(PumaCause cause, (long First, long Second) evidence, long nowTicks) =>
        Suspend(cause, evidence, nowTicks);

    /// <summary>Resumes lending if its time has come.</summary>
    /// <returns>True when it is resumed now.</returns>
    public bool Expire(long nowTicks)
    {
        if (!IsSuspended || nowTicks < ResumeAtTicks) return false;
        IsSuspended = false;
        ResumeAtTicks = long.MaxValue;
        _journal.Add(nowTicks, PumaEventKind.Resumed, PumaCause.TimeOver);
        return true;
    }

    private bool IsIdle(long nowTicks) =>
        _options.IsIdleAware && (_lastOwnTicks == long.MinValue || nowTicks - _lastOwnTicks > _idleTicks);

    private bool Suspend(PumaCause cause, (long, long) evidence, long nowTicks)
    {
        bool changes = !IsSuspended;
        _journal.Add(
            nowTicks, changes ? PumaEventKind.Suspended : PumaEventKind.Rearmed, cause, evidence: evidence);
        if (changes) (SuspendedBy, SuspendedAtTicks) = (cause, nowTicks);
        LastSign = cause;
        SignCount++;
        IsSuspended = true;
        ResumeAtTicks = nowTicks + _suspendTicks;
        return changes;
    }
}

/// <summary>Spans of time in the driver's ticks.</summary>
internal static class PumaTime
{
    internal static long Ticks(TimeSpan span, long ticksPerSecond) =>
        (long)Math.Round(span.TotalSeconds * ticksPerSecond);
}
