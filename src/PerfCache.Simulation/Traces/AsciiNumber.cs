// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>What a field turned out to be.</summary>
internal enum NumberStatus
{
    Ok,
    NotANumber,
    Negative,
    Overflow,
}

/// <summary>Unsigned numbers out of text bytes, exact up to 2^64-1 and without a string between.</summary>
internal static class AsciiNumber
{
    /// <summary>Digits that cannot overflow 64 bits, whatever they are.</summary>
    internal const int SafeDigits = 19;

    /// <summary>Parses a whole field as decimal.</summary>
    internal static NumberStatus Parse(ReadOnlySpan<byte> field, out ulong value)
    {
        value = 0;
        if (field.IsEmpty)
            return NumberStatus.NotANumber;
        bool isNegative = field[0] == '-';
        ReadOnlySpan<byte> digits = isNegative ? field[1..] : field;
        NumberStatus status = digits.Length <= SafeDigits
            ? ParseSafe(digits, out value)
            : ParseLong(digits, out value);
        if (!isNegative || status == NumberStatus.NotANumber)
            return status;
        value = 0;
        return NumberStatus.Negative;
    }

    /// <summary>Parses a whole field as hexadecimal, with or without 0x.</summary>
    internal static NumberStatus ParseHex(ReadOnlySpan<byte> field, out ulong value)
    {
        value = 0;
        ReadOnlySpan<byte> digits = field is [(byte)'0', (byte)'x' or (byte)'X', ..] ? field[2..] : field;
        if (digits.IsEmpty)
            return NumberStatus.NotANumber;
        ulong parsed = 0;
        bool overflows = false;
        foreach (byte letter in digits)
        {
            if (!char.IsAsciiHexDigit((char)letter))
                return NumberStatus.NotANumber;
            overflows |= parsed >> 60 != 0;
            parsed = (parsed << 4) | HexDigit(letter);
        }
        value = parsed;
        return overflows ? NumberStatus.Overflow : NumberStatus.Ok;
    }

    private static uint HexDigit(byte letter) =>
        letter <= '9' ? letter - (uint)'0' : (letter | 0x20u) - 'a' + 10;

    private static NumberStatus ParseSafe(ReadOnlySpan<byte> digits, out ulong value)
    {
        value = 0;
        if (digits.IsEmpty)
            return NumberStatus.NotANumber;
        ulong parsed = 0;
        foreach (byte letter in digits)
        {
            uint digit = letter - (uint)'0';
            if (digit > 9)
                return NumberStatus.NotANumber;
            parsed = parsed * 10 + digit;
        }
        value = parsed;
        return NumberStatus.Ok;
    }

    private static NumberStatus ParseLong(ReadOnlySpan<byte> digits, out ulong value)
    {
        value = 0;
        if (digits.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return NumberStatus.NotANumber;
        UInt128 parsed = 0;
        foreach (byte letter in digits.TrimStart((byte)'0'))
        {
            parsed = parsed * 10 + (uint)(letter - '0');
            if (parsed > ulong.MaxValue)
                return NumberStatus.Overflow;
        }
        value = (ulong)parsed;
        return NumberStatus.Ok;
    }
}
