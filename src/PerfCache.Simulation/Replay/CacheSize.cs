// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Frames;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// A cache size as asked for: a number of frames, or a percentage of the distinct pages of the trace, which
/// becomes frames when those are counted. Decimal arithmetic, because 0.1 % of 7,000 is 7 and not 6.999...
/// </summary>
public readonly record struct CacheSize
{
    private readonly long _frames;
    private readonly decimal _percent;

    private CacheSize(long frames, decimal percent)
    {
        _frames = frames;
        _percent = percent;
    }

    /// <summary>True where the trace's distinct pages must be counted before the size is known.</summary>
    public bool IsPercentage => _percent != 0;

    /// <summary>A size in frames.</summary>
    public static CacheSize OfFrames(long frames)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        return new(frames, 0);
    }

    /// <summary>A size in percent of the distinct pages.</summary>
    public static CacheSize OfPercent(decimal percent)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(percent, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(percent, 100);
        return new(0, percent);
    }

    /// <summary>The size in frames for a trace: percentages are cut to whole frames, at least 1.</summary>
    public long FramesFor(long distinctPages) =>
        IsPercentage ? Math.Max(1, (long)decimal.Floor(distinctPages * _percent / 100)) : _frames;

    /// <summary>Parses <c>N,N,...</c>; digits may be grouped by <c>_</c>.</summary>
    /// <exception cref="FormatException">A piece is not a positive whole number.</exception>
    public static IReadOnlyList<CacheSize> ParseFrames(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<CacheSize> sizes = [];
        foreach (string piece in text.Split(','))
        {
            string digits = piece.Trim().Replace("_", "", StringComparison.Ordinal);
            if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long frames)
                || frames < 1 || frames > FrameId.CountMax)
            {
                throw new FormatException($"'{piece}' is not a number of frames (1 to {FrameId.CountMax})");
            }

            sizes.Add(OfFrames(frames));
        }

        return sizes;
    }

    /// <summary>Parses <c>P%,P%,...</c>.</summary>
    /// <exception cref="FormatException">A piece is not a percentage above 0 and up to 100.</exception>
    public static IReadOnlyList<CacheSize> ParsePercentages(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<CacheSize> sizes = [];
        foreach (string piece in text.Split(','))
        {
            string number = piece.Trim();
            if (!number.EndsWith('%'))
                throw new FormatException($"'{piece}' is not a percentage such as 0.1% (for frames use --frames)");
            if (!decimal.TryParse(number[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
                out decimal percent) || percent <= 0 || percent > 100)
            {
                throw new FormatException($"'{piece}' is not a percentage above 0% and up to 100%");
            }

            sizes.Add(OfPercent(percent));
        }

        return sizes;
    }

    /// <summary>The size as a user writes it.</summary>
    public override string ToString() => IsPercentage
        ? _percent.ToString(CultureInfo.InvariantCulture) + "%"
        : _frames.ToString(CultureInfo.InvariantCulture);
}
