// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Lending;

/// <summary>When a governor speaks up.</summary>
public sealed record LendingGovernorOptions
{
    /// <summary>
    /// Which of PUMA's detectors listen, and how long a sign suspends lending: the options that the simulated lenders
    /// have. Only activating refaults are counted by a real system, and nobody counts the owner's own pages.
    /// </summary>
    public DetectorOptions Detector { get; init; } = new();

    /// <summary>Bytes of available memory that are never lent.</summary>
    public long KeepAvailableBytes { get; init; } = 256L << 20;

    /// <summary>
    /// Refaults and deactivations mean something only when less than this part of the memory is free: with plenty free
    /// they are echoes of something else, such as a limit elsewhere.
    /// </summary>
    public double GateFreeShare { get; init; } = 0.10;

    /// <summary>The part of the time for which some task must wait before that is a sign; 1 for never.</summary>
    public double StallShare { get; init; } = 0.01;
}

/// <summary>
/// Decides from a real system's counters whether memory is lent: PUMA's <see cref="ActivityDetector"/>, fed with them.
/// </summary>
/// <remarks>
/// The detector is the one of the simulated lenders: a sign stops lending at once, and three seconds of quiet let it go
/// on. What is decided here is what the counters mean. Activating refaults are detector 1's; deactivations are what
/// detector 2 sees as low scans, because the kernel deactivates when the inactive list is low. Stalls, limits and the
/// floor are signs of their own, which a simulated cache does not have.
/// <para>
/// It reads no clock and does nothing: the same samples give the same decisions, which makes a log of them replayable.
/// </para>
/// <para>G1: suspended from the sample of a sign on, until <see cref="DetectorOptions.SuspendTime"/> after the last one.
/// </para>
/// <para>G2: the first sample says nothing but the floor, since counters count from the start of the machine.</para>
/// </remarks>
public sealed class LendingGovernor
{
    // As many suspensions are kept one by one; the totals stay right beyond that.
    private const int EventsMax = 10_000;

    private readonly LendingGovernorOptions _options;
    private readonly ActivityDetector _detector;
    private PressureSample? _last;
    private ActivitySignals _signals;

    /// <summary>Makes a governor; lending is not suspended.</summary>
    /// <exception cref="ArgumentException">The options ask for what no counter tells.</exception>
    public LendingGovernor(LendingGovernorOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Detector.IsIdleAware || options.Detector.CountsAnyRefault)
        {
            throw new ArgumentException(
                "lender: IsIdleAware and CountsAnyRefault need counts that the system does not keep; leave them off");
        }

        _options = options;
        Journal = new PumaJournal(TimeSpan.TicksPerSecond, EventsMax);
        _detector = new ActivityDetector(options.Detector, Journal, TimeSpan.TicksPerSecond);
    }

    /// <summary>Suspensions and resumptions, with the numbers that they were decided by.</summary>
    public PumaJournal Journal { get; }

    /// <summary>True while nothing new is to be taken.</summary>
    public bool IsSuspended => _detector.IsSuspended;

    /// <summary>The sign that began the suspension, or the last one.</summary>
    public PumaCause Reason => _detector.SuspendedBy;

    /// <summary>When the suspension began, or the last one.</summary>
    public long SinceTicks => _detector.SuspendedAtTicks;

    /// <summary>Takes the next sample.</summary>
    public LendingDecision Decide(PressureSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        bool before = IsSuspended;
        PumaCause sign = LookForSigns(sample);
        _last = sample;
        _detector.Expire(sample.NowTicks);
        return new LendingDecision(
            sample.NowTicks, IsSuspended, before != IsSuspended, sign, _detector.ResumeAtTicks);
    }

    /// <summary>Tells the detector of every sign in a sample.</summary>
    /// <returns>The first of them.</returns>
    private PumaCause LookForSigns(PressureSample sample)
    {
        PumaCause first = PumaCause.None;
        long now = sample.NowTicks;
        if (sample.AvailableBytes is { } available && available < _options.KeepAvailableBytes)
            Note(PumaCause.Floor, (available, _options.KeepAvailableBytes));
        if (_last is not { } last) return first;
        long limits = Grown(last.LimitEvents, sample.LimitEvents);
        if (limits > 0) Note(PumaCause.Limit, (limits, 0));
        if (IsTight(sample))
        {
            _signals = _signals with
            {
                ActivatingRefaults = _signals.ActivatingRefaults + Grown(last.ActivatingRefaults, sample.ActivatingRefaults),
                LowScans = _signals.LowScans + Grown(last.Deactivations, sample.Deactivations),
            };
        }

        long signs = _detector.SignCount;
        _detector.Observe(_signals, now);
        if (_detector.SignCount > signs && first == PumaCause.None) first = _detector.LastSign;
        long micros = (now - last.NowTicks) / TimeSpan.TicksPerMicrosecond;
        long stalled = Grown(last.StallMicros, sample.StallMicros);
        if (stalled > Math.Max(1, micros) * _options.StallShare) Note(PumaCause.Stall, (stalled, micros));
        return first;

        void Note(PumaCause cause, (long, long) evidence)
        {
            _detector.Note(cause, evidence, now);
            if (first == PumaCause.None) first = cause;
        }
    }

    private bool IsTight(PressureSample sample) =>
        sample.FreeBytes is not { } free || sample.TotalBytes is not { } total || free < total * _options.GateFreeShare;

    // A control group that was made anew counts from zero again.
    private static long Grown(long? before, long? now) => before is { } from && now is { } to ? Math.Max(0, to - from) : 0;
}
