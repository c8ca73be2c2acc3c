// SPDX-License-Identifier: MIT
namespace PerfCache.Policies.Flipping;

/// <summary>How large an exchange pool is and how it changes.</summary>
public sealed record PoolSizingOptions
{
    /// <summary>Frames at the start, and for ever where the size is static.</summary>
    public required int Frames { get; init; }

    /// <summary>Whether the size follows the use.</summary>
    public bool IsDynamic { get; init; }

    /// <summary>The least frames of a dynamic pool: the slots of the ring, which are all out at once.</summary>
    public int FloorFrames { get; init; } = 256;

    /// <summary>The most frames of a dynamic pool.</summary>
    public int CeilingFrames { get; init; } = int.MaxValue;

    /// <summary>How long the use is watched before the size changes, in the caller's ticks.</summary>
    public long PeriodTicks { get; init; } = TimeSpan.TicksPerMillisecond * 100;

    /// <summary>A larger part in use makes the pool grow.</summary>
    public double GrowAbove { get; init; } = 0.9;

    /// <summary>A smaller part in use makes the pool shrink.</summary>
    public double ShrinkBelow { get; init; } = 0.2;

    /// <summary>By which part of its size it grows or shrinks at once.</summary>
    public double StepShare { get; init; } = 0.1;

    /// <summary>Refuses sizes and shares that make no sense.</summary>
    /// <exception cref="ArgumentException">The message says what is wrong.</exception>
    public void Check()
    {
        if (Frames < 1) throw new ArgumentException($"a pool of {Frames} frames cannot give any");
        if (!IsDynamic) return;
        if (FloorFrames < 1 || CeilingFrames < FloorFrames)
            throw new ArgumentException($"a pool cannot stay between {FloorFrames} and {CeilingFrames} frames");
        if (PeriodTicks < 1) throw new ArgumentException("the period of a dynamic pool must be at least one tick");
        if (!(ShrinkBelow >= 0 && ShrinkBelow < GrowAbove && GrowAbove <= 1))
            throw new ArgumentException(
                $"a pool cannot shrink below {ShrinkBelow} and grow above {GrowAbove}; 0 <= shrink < grow <= 1");
        if (!(StepShare > 0 && StepShare < 1))
            throw new ArgumentException($"a pool cannot change by {StepShare} of its size; a part is above 0 and below 1");
    }
}

/// <summary>
/// The size of a dynamic pool by the published rule: used more than 90 %, add 10 %; used less than 20 %, remove
/// 10 %; otherwise leave it. "Used" is 1 - the fewest free frames in the period / the size, so one burst counts and
/// the calm around it does not. The source leaves open rounding, limits and period: a step is at least one frame
/// (a tenth of nine frames would be none, for ever), and floor, ceiling and period are options.
/// </summary>
public sealed class PoolSizing
{
    private readonly PoolSizingOptions _options;
    private long _deadlineTicks;

    /// <summary>Starts the first period.</summary>
    public PoolSizing(PoolSizingOptions options, long nowTicks)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        SizeFrames = options.IsDynamic
            ? Math.Clamp(options.Frames, options.FloorFrames, options.CeilingFrames) : options.Frames;
        _deadlineTicks = options.IsDynamic ? nowTicks + options.PeriodTicks : long.MaxValue;
    }

    /// <summary>The size that the pool should have.</summary>
    public int SizeFrames { get; private set; }

    /// <summary>When <see cref="Evaluate"/> has something to do; <see cref="long.MaxValue"/> for never.</summary>
    public long DeadlineTicks => _deadlineTicks;

    /// <summary>Ends a period that is over and decides the size.</summary>
    /// <param name="nowTicks">The present.</param>
    /// <param name="fewestFree">The fewest free frames since the last evaluation.</param>
    /// <returns>False if the period is not over; the caller then keeps counting.</returns>
    public bool Evaluate(long nowTicks, int fewestFree)
    {
        if (nowTicks < _deadlineTicks) return false;
        _deadlineTicks = nowTicks + _options.PeriodTicks;
        SizeFrames = NextSize(_options, SizeFrames, fewestFree);
        return true;
    }

    /// <summary>The rule itself.</summary>
    public static int NextSize(PoolSizingOptions options, int sizeFrames, int fewestFree)
    {
        ArgumentNullException.ThrowIfNull(options);
        int used = sizeFrames - fewestFree;
        int step = Math.Max(1, (int)(sizeFrames * options.StepShare));
        int size = used > options.GrowAbove * sizeFrames ? sizeFrames + step
            : used < options.ShrinkBelow * sizeFrames ? sizeFrames - step
            : sizeFrames;
        return Math.Clamp(size, options.FloorFrames, options.CeilingFrames);
    }
}

/// <summary>
/// Finds the size of a static pool: watches a run (a real one or a simulated one, with any give-back rule) and
/// remembers the most frames that were given away and not yet back at once. A pool of that size would never
/// have run empty.
/// </summary>
public sealed class PoolCalibration
{
    private int _out;

    /// <summary>The most frames that were out at once.</summary>
    public int PeakFrames { get; private set; }

    /// <summary>A frame was given away, to fill a slot or for a flipped one.</summary>
    public void NoteGiven() => PeakFrames = Math.Max(PeakFrames, ++_out);

    /// <summary>A frame that came with a flip was consumed, and a pool would have it again.</summary>
    public void NoteBack() => _out--;

    /// <summary>The size to use: the peak and some more, because the next burst may be larger.</summary>
    /// <param name="margin">A factor of at least 1.</param>
    public int RecommendedFrames(double margin)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(margin, 1);
        return Math.Max(1, checked((int)Math.Ceiling(PeakFrames * margin)));
    }
}
