// SPDX-License-Identifier: MIT
using System.Buffers.Text;

namespace PerfCache.Remote.Protocol;

/// <summary>Numbers in a command, read as the C library reads them: that is what memcached's clients are used to.</summary>
/// <remarks>
/// White space before a number and behind it is allowed, a sign too; anything else behind the digits is not. A minus
/// before an unsigned number negates it modulo 2^64, and the result is refused where that makes it huge.
/// </remarks>
internal static class TextNumber
{
    /// <summary>The most digits of 64 bits.</summary>
    internal const int DigitsMax = 20;

    /// <summary>Reads an unsigned number of 64 bits.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, out ulong value)
    {
        if (!TryParseMagnitude(text, out value, out bool negative)) return false;
        if (!negative) return true;
        value = 0 - value;
        if ((long)value >= 0) return true;
        value = 0;
        return false;
    }

    /// <summary>Reads an unsigned number and keeps its lower 32 bits, as memcached does with flags.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, out uint value)
    {
        bool parsed = TryParse(text, out ulong wide);
        value = (uint)wide;
        return parsed;
    }

    /// <summary>Reads a signed number of 64 bits.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, out long value)
    {
        value = 0;
        if (!TryParseMagnitude(text, out ulong magnitude, out bool negative)) return false;
        if (magnitude > (ulong)long.MaxValue + (negative ? 1u : 0u)) return false;
        value = negative ? (long)(0 - magnitude) : (long)magnitude;
        return true;
    }

    /// <summary>Reads a signed number of 32 bits; a larger one is refused.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> text, out int value)
    {
        bool parsed = TryParse(text, out long wide) && wide is >= int.MinValue and <= int.MaxValue;
        value = parsed ? (int)wide : 0;
        return parsed;
    }

    /// <summary>Writes a number's digits.</summary>
    /// <returns>How many.</returns>
    internal static int Format(ulong value, Span<byte> destination)
    {
        if (value < 10)
        {
            destination[0] = (byte)('0' + value);
            return 1;
        }

        Utf8Formatter.TryFormat(value, destination, out int count);
        return count;
    }

    /// <summary>True for what the C library takes for white space.</summary>
    internal static bool IsSpace(byte value) => value is (byte)' ' or (>= 9 and <= 13);

    private static bool TryParseMagnitude(ReadOnlySpan<byte> text, out ulong value, out bool negative)
    {
        value = 0;
        negative = false;
        int at = 0;
        while (at < text.Length && IsSpace(text[at])) at++;
        if (at < text.Length && text[at] is (byte)'-' or (byte)'+') negative = text[at++] == '-';
        int digits = at;
        for (; at < text.Length; at++)
        {
            uint digit = (uint)text[at] - '0';
            if (digit > 9) break;
            if (value > (ulong.MaxValue - digit) / 10)
            {
                value = 0;
                return false;
            }

            value = (value * 10) + digit;
        }

        if (at > digits && (at == text.Length || IsSpace(text[at]))) return true;
        value = 0;
        return false;
    }
}
