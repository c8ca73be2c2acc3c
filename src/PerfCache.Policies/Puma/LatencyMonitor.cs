// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Puma;

/// <summary>When a borrower leaves a slow lender alone.</summary>
public sealed record LatencyMonitorOptions
{
    /// <summary>Thresholds for a borrower that races lenders against its source by the time of real gets
    /// (<see cref="TierRace"/>): a sign of life then needs to tell only who has stopped from who is slow. The authors' 2.5 ms
    /// are what a thread waits for a processor on a busy machine.</summary>
    public static LatencyMonitorOptions Patient { get; } = new()
    {
        IsOn = true,
        AverageMax = TimeSpan.FromMilliseconds(50),
        InstantMax = TimeSpan.FromMilliseconds(400),
        InstantGood = TimeSpan.FromMilliseconds(20),
        AverageGood = TimeSpan.FromMilliseconds(30),
    };

    /// <summary>True to ask lenders regularly; the authors' default is not to.</summary>
    public bool IsOn { get; init; }

    /// <summary>How often a lender is asked.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>An average above this suspends.</summary>
    public TimeSpan AverageMax { get; init; } = TimeSpan.FromMilliseconds(2.5);

    /// <summary>One answer above this suspends.</summary>
    public TimeSpan InstantMax { get; init; } = TimeSpan.FromMilliseconds(40);

    /// <summary>One answer below this resumes.</summary>
    public TimeSpan InstantGood { get; init; } = TimeSpan.FromMilliseconds(3);

    /// <summary>An average below this resumes.</summary>
    public TimeSpan AverageGood { get; init; } = TimeSpan.FromMilliseconds(2);

    /// <summary>A new answer weighs 1 / this in the average.</summary>
    public int Smoothing { get; init; } = 8;
}

/// <summary>
/// Watches how fast one lender answers, by an exponentially weighted moving average.
/// </summary>
/// <remarks>
/// average = average + (sample - average) / smoothing. In the authors' code the arguments of the smoothing are swapped, so
/// a new sample weighs 7/8 there, and the long average never uses its old value; this is the average that was meant.
/// The thresholds are theirs: slow on average or one very slow answer suspends, one fast answer or a fast average resumes.
/// </remarks>
public sealed class LatencyMonitor
{
    private readonly LatencyMonitorOptions _options;
    private readonly long _ticksPerSecond;

    /// <summary>Makes a monitor that has heard nothing.</summary>
    public LatencyMonitor(LatencyMonitorOptions options, long ticksPerSecond)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Smoothing, 1);
        _options = options;
        _ticksPerSecond = ticksPerSecond;
        NextPingTicks = options.IsOn ? 0 : long.MaxValue;
    }

    /// <summary>The average in ticks; not a number before the first answer.</summary>
    public double AverageTicks { get; private set; } = double.NaN;

    /// <summary>True while the lender is left alone: neither puts nor gets.</summary>
    public bool IsSuspended { get; private set; }

    /// <summary>When to ask next; <see cref="long.MaxValue"/> for never.</summary>
    public long NextPingTicks { get; private set; }

    /// <summary>A question goes out.</summary>
    public void OnPing(long nowTicks) => NextPingTicks = nowTicks + PumaTime.Ticks(_options.Interval, _ticksPerSecond);

    /// <summary>An answer has come.</summary>
    /// <param name="roundTripTicks">How long it took.</param>
    /// <returns>The cause when <see cref="IsSuspended"/> has changed; otherwise <see cref="PumaCause.None"/>.</returns>
    public PumaCause OnPong(long roundTripTicks)
    {
        AverageTicks = double.IsNaN(AverageTicks)
            ? roundTripTicks : AverageTicks + ((roundTripTicks - AverageTicks) / _options.Smoothing);
        double average = AverageTicks / _ticksPerSecond;
        double instant = (double)roundTripTicks / _ticksPerSecond;
        if (!IsSuspended)
        {
            if (instant > _options.InstantMax.TotalSeconds) return Change(PumaCause.Instant);
            return average > _options.AverageMax.TotalSeconds ? Change(PumaCause.Average) : PumaCause.None;
        }

        if (instant < _options.InstantGood.TotalSeconds) return Change(PumaCause.Instant);
        return average < _options.AverageGood.TotalSeconds ? Change(PumaCause.Average) : PumaCause.None;
    }

    private PumaCause Change(PumaCause cause)
    {
        IsSuspended = !IsSuspended;
        return cause;
    }
}
