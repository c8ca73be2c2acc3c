// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Lending;

/// <summary>When a governor speaks up.</summary>
public sealed record LendingGovernorOptions
{
    /// <summary>Lending goes on after so much time without a signal. 3 s, as in PUMA.</summary>
    public TimeSpan Quiet { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Bytes of available memory that are never lent.</summary>
    public long KeepAvailableBytes { get; init; } = 256L << 20;

    /// <summary>
    /// Refaults and deactivations mean something only when less than this part of the memory is free: with plenty free
    /// they are echoes of something else, such as a limit elsewhere.
    /// </summary>
    public double GateFreeShare { get; init; } = 0.10;

    /// <summary>The part of the time for which some task must wait before that is a signal.</summary>
    public double StallShare { get; init; } = 0.01;

    /// <summary>Listens to refaults.</summary>
    public bool UsesRefaults { get; init; } = true;

    /// <summary>Listens to deactivations.</summary>
    public bool UsesDeactivations { get; init; } = true;

    /// <summary>Listens to stalls.</summary>
    public bool UsesStalls { get; init; } = true;
}

/// <summary>
/// Decides from counters whether memory is lent: any signal stops it at once, quiet lets it go on.
/// </summary>
/// <remarks>
/// The rule of PUMA's lender, in user space: the kernel counts what PUMA hooked. It reads no clock and does nothing: the
/// same samples give the same decisions, which is what makes a log of them replayable.
/// <para>G1: suspended from the sample of a signal on, until <see cref="LendingGovernorOptions.Quiet"/> after the last
/// one.</para>
/// <para>G2: the first sample says nothing, since counters count from the start of the machine.</para>
/// </remarks>
/// <param name="options">When it speaks up.</param>
public sealed class LendingGovernor(LendingGovernorOptions options)
{
    private readonly LendingGovernorOptions _options = options;
    private PressureSample? _last;
    private long _resumeTicks;

    /// <summary>True while nothing new is to be taken.</summary>
    public bool IsSuspended { get; private set; }

    /// <summary>The signal that began the suspension, or the last one.</summary>
    public LendingSignal Reason { get; private set; }

    /// <summary>When the suspension began.</summary>
    public long SinceTicks { get; private set; }

    /// <summary>Takes the next sample.</summary>
    public LendingDecision Decide(PressureSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        LendingSignal signal = SignalOf(sample);
        _last = sample;
        bool before = IsSuspended;
        if (signal != LendingSignal.None)
        {
            if (!before) (Reason, SinceTicks) = (signal, sample.NowTicks);
            IsSuspended = true;
            _resumeTicks = sample.NowTicks + _options.Quiet.Ticks;
        }
        else if (before && sample.NowTicks >= _resumeTicks)
        {
            IsSuspended = false;
        }

        return new LendingDecision(sample.NowTicks, IsSuspended, before != IsSuspended, signal, _resumeTicks);
    }

    private LendingSignal SignalOf(PressureSample sample)
    {
        if (sample.AvailableBytes < _options.KeepAvailableBytes) return LendingSignal.Floor;
        if (_last is not { } last) return LendingSignal.None;
        if (Grown(last.LimitEvents, sample.LimitEvents) > 0) return LendingSignal.Limit;
        bool isTight = sample.FreeBytes is not { } free || sample.TotalBytes is not { } total
            || free < total * _options.GateFreeShare;
        if (isTight && _options.UsesRefaults && Grown(last.ActivatingRefaults, sample.ActivatingRefaults) > 0)
            return LendingSignal.Refault;
        if (isTight && _options.UsesDeactivations && Grown(last.Deactivations, sample.Deactivations) > 0)
            return LendingSignal.Deactivation;
        long micros = (sample.NowTicks - last.NowTicks) / TimeSpan.TicksPerMicrosecond;
        bool stalls = _options.UsesStalls
            && Grown(last.StallMicros, sample.StallMicros) > Math.Max(1, micros) * _options.StallShare;
        return stalls ? LendingSignal.Stall : LendingSignal.None;
    }

    private static long Grown(long? before, long? now) => before is { } from && now is { } to ? to - from : 0;
}
