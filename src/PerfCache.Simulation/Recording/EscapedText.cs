// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Text;

namespace PerfCache.Simulation.Recording;

/// <summary>
/// Strings as strace writes them: C escapes, in octal or hexadecimal where there is no letter. A name of a file is bytes
/// to the kernel, so a decoded string holds one byte a character; <see cref="ToUtf8"/> makes it readable.
/// </summary>
internal static class EscapedText
{
    /// <summary>Decodes a string without its quotes. An escape that is none stands for itself.</summary>
    internal static string Decode(ReadOnlySpan<byte> text)
    {
        if (text.IndexOf((byte)'\\') < 0) return Encoding.Latin1.GetString(text);
        ArrayBufferWriter<byte> decoded = new(text.Length);
        int at = 0;
        while (at < text.Length) decoded.Write([DecodeOne(text, ref at)]);
        return Encoding.Latin1.GetString(decoded.WrittenSpan);
    }

    /// <summary>A decoded name as text: its bytes as UTF-8.</summary>
    internal static string ToUtf8(string name) => Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(name));

    /// <summary>A decoded name as text on one line: control characters are escaped.</summary>
    internal static string ToLine(string name)
    {
        string text = ToUtf8(name);
        if (!text.Any(char.IsControl)) return text;
        StringBuilder line = new();
        foreach (char c in text)
        {
            if (char.IsControl(c)) line.Append('\\').Append(Convert.ToString(c, 8).PadLeft(3, '0'));
            else line.Append(c);
        }

        return line.ToString();
    }

    private static byte DecodeOne(ReadOnlySpan<byte> text, ref int at)
    {
        byte c = text[at++];
        if (c != '\\' || at == text.Length) return c;
        c = text[at++];
        switch (c)
        {
            case (byte)'n': return (byte)'\n';
            case (byte)'t': return (byte)'\t';
            case (byte)'r': return (byte)'\r';
            case (byte)'v': return (byte)'\v';
            case (byte)'f': return (byte)'\f';
            case (byte)'a': return (byte)'\a';
            case (byte)'b': return (byte)'\b';
            case (byte)'x': return Digits(text, ref at, 16, 2, 'x');
            case >= (byte)'0' and <= (byte)'7':
                at--;
                return Digits(text, ref at, 8, 3, '\0');
            default: return c;
        }
    }

    private static byte Digits(ReadOnlySpan<byte> text, ref int at, int radix, int digitsMax, char otherwise)
    {
        int value = 0;
        int first = at;
        while (at < text.Length && at < first + digitsMax)
        {
            int digit = char.IsAsciiHexDigit((char)text[at]) ? Convert.ToInt32(((char)text[at]).ToString(), 16) : radix;
            if (digit >= radix) break;
            value = (value * radix) + digit;
            at++;
        }

        return at == first ? (byte)otherwise : (byte)value;
    }
}
