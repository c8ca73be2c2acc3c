// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Lending;

/// <summary>
/// Samples and decisions as text, one line each: what happened can be read, and decided again by other rules.
/// </summary>
/// <remarks>
/// A line is written when a decision changes or a counter moved. Columns: time in ticks, available, free and total
/// bytes, activating refaults, deactivations, stall microseconds, limit events (a dash for what is unknown), then
/// <c>lent</c> or <c>suspended</c> and the sign.
/// </remarks>
public static class LendingLog
{
    /// <summary>The line of a sample and its decision.</summary>
    public static string Format(PressureSample sample, LendingDecision decision)
    {
        ArgumentNullException.ThrowIfNull(sample);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{sample.NowTicks} {Text(sample.AvailableBytes)} {Text(sample.FreeBytes)} {Text(sample.TotalBytes)} "
            + $"{Text(sample.ActivatingRefaults)} {Text(sample.Deactivations)} {Text(sample.StallMicros)} "
            + $"{Text(sample.LimitEvents)} {(decision.IsSuspended ? "suspended" : "lent")} {decision.Sign}");
    }

    /// <summary>Reads a line back.</summary>
    /// <exception cref="FormatException">It is none of this log.</exception>
    public static (PressureSample Sample, bool IsSuspended, PumaCause Sign) Parse(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        string[] words = line.Split(' ');
        if (words.Length != 10 || !Enum.TryParse(words[9], out PumaCause sign)
            || words[8] is not ("suspended" or "lent"))
        {
            throw new FormatException($"not a line of a lending log: '{line}'");
        }

        PressureSample sample = new()
        {
            NowTicks = Number(words[0]) ?? 0,
            AvailableBytes = Number(words[1]),
            FreeBytes = Number(words[2]),
            TotalBytes = Number(words[3]),
            ActivatingRefaults = Number(words[4]),
            Deactivations = Number(words[5]),
            StallMicros = Number(words[6]),
            LimitEvents = Number(words[7]),
        };
        return (sample, words[8] == "suspended", sign);
    }

    private static string Text(long? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "-";

    private static long? Number(string word)
    {
        if (word == "-") return null;
        return long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            ? value
            : throw new FormatException($"'{word}' is not a number of a lending log");
    }
}
