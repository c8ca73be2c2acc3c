// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Numerics;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// The first requests of a trace, which fill the cache and are not counted: a number of them, or a part of all.
/// </summary>
/// <param name="Requests">The number; 0 for none or where <paramref name="Fraction"/> says it.</param>
/// <param name="Fraction">The part, from 0 to below 1; 0 where <paramref name="Requests"/> says it.</param>
public readonly record struct Warmup(long Requests, double Fraction)
{
    /// <summary>True when every request is counted.</summary>
    public bool IsNone => Requests == 0 && Fraction == 0;

    /// <summary>Parses <c>N</c> or <c>P%</c>.</summary>
    /// <exception cref="FormatException">The text is neither.</exception>
    public static Warmup Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.EndsWith('%'))
        {
            const NumberStyles Style = NumberStyles.AllowDecimalPoint;
            if (double.TryParse(text.AsSpan(0, text.Length - 1), Style, CultureInfo.InvariantCulture, out double percent)
                && percent < 100)
            {
                return new(0, percent / 100);
            }

            throw new FormatException($"'{text}' is not a part from 0% to below 100%");
        }

        string digits = text.Replace("_", "", StringComparison.Ordinal);
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long requests)
            ? new(requests, 0) : throw new FormatException($"'{text}' is neither a number of requests nor a percentage");
    }

    /// <summary>The number of requests, of a trace of <paramref name="total"/>.</summary>
    internal long Of(long total) => Requests > 0 ? Requests : (long)(Fraction * total);
}

/// <summary>Finds where the warm-up ends in the blocks of a trace, and how many distinct pages came before.</summary>
internal sealed class WarmupCounter(long requests)
{
    private ulong[] _seen = [];
    private long _left = requests;
    private long _distinct;

    /// <summary>Marks a block; called for each in order.</summary>
    public void Mark(ReplayBlock block)
    {
        int count = (int)Math.Min(_left, block.Count);
        block.WarmupCount = count;
        if (count == 0) return;
        // Any numbering will do: each has one number for a page.
        foreach (uint page in block.AnyPages[..count]) Add(page);
        _left -= count;
        block.DistinctInWarmup = _distinct;
        if (_left == 0) _seen = [];
    }

    private void Add(uint page)
    {
        uint word = page / 64;
        if (word >= _seen.Length) Array.Resize(ref _seen, (int)BitOperations.RoundUpToPowerOf2(word + 1));
        ulong bit = 1UL << (int)(page % 64);
        if ((_seen[word] & bit) == 0) _distinct++;
        _seen[word] |= bit;
    }
}
