// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Borrowing;

/// <summary>
/// The lines that a fleet sends, in memcached's meta protocol. Each carries an opaque number that the answer must repeat, so
/// that an answer which belongs to something else is noticed. All lines of a kind have one length.
/// </summary>
internal static class MetaRequest
{
    /// <summary>Letters of an opaque number, in base 16.</summary>
    internal const int OpaqueLetters = 8;

    /// <summary>Bytes of a get: <c>mg KEY v OXXXXXXXX</c>.</summary>
    internal const int GetBytes = 3 + WireKey.Length + 4 + OpaqueLetters + 2;

    /// <summary>Bytes of the line before a value: <c>ms KEY 0004096 OXXXXXXXX</c>.</summary>
    internal const int SetBytes = 3 + WireKey.Length + 1 + LengthDigits + 2 + OpaqueLetters + 2;

    /// <summary>Bytes of a delete: <c>md KEY q OXXXXXXXX</c>.</summary>
    internal const int DeleteBytes = GetBytes;

    /// <summary>Bytes of a sign of life: <c>mg KEY OXXXXXXXX</c>.</summary>
    internal const int PingBytes = GetBytes - 2;

    private const int LengthDigits = 7;

    /// <summary>Asks for a value.</summary>
    internal static void WriteGet(Span<byte> line, WireKey keys, int epoch, in RemotePageKey key, uint opaque) =>
        WriteLine(line, "mg "u8, keys, epoch, key, " v O"u8, opaque);

    /// <summary>Asks to forget a value, and says nothing where that is done.</summary>
    internal static void WriteDelete(Span<byte> line, WireKey keys, int epoch, in RemotePageKey key, uint opaque) =>
        WriteLine(line, "md "u8, keys, epoch, key, " q O"u8, opaque);

    /// <summary>Asks whether a value is there, which also keeps it from being evicted.</summary>
    internal static void WritePing(Span<byte> line, WireKey keys, int epoch, in RemotePageKey key, uint opaque) =>
        WriteLine(line, "mg "u8, keys, epoch, key, " O"u8, opaque);

    /// <summary>Announces a value, which follows with a line's end of its own.</summary>
    internal static void WriteSet(
        Span<byte> line, WireKey keys, int epoch, in RemotePageKey key, int valueBytes, uint opaque)
    {
        "ms "u8.CopyTo(line);
        keys.Write(line[3..], epoch, key);
        Span<byte> rest = line[(3 + WireKey.Length)..];
        rest[0] = (byte)' ';
        // Zeros in front, so that the value always begins at the same place.
        for (int i = LengthDigits; i > 0; i--)
        {
            rest[i] = (byte)('0' + (valueBytes % 10));
            valueBytes /= 10;
        }

        WriteOpaque(rest[(1 + LengthDigits)..], " O"u8, opaque);
    }

    /// <summary>Writes an opaque number's letters.</summary>
    internal static void WriteHex(Span<byte> destination, uint value)
    {
        for (int i = OpaqueLetters - 1; i >= 0; i--)
        {
            destination[i] = "0123456789abcdef"u8[(int)(value & 15)];
            value >>= 4;
        }
    }

    /// <summary>True when the letters are the number's.</summary>
    internal static bool IsHex(ReadOnlySpan<byte> letters, uint value)
    {
        Span<byte> expected = stackalloc byte[OpaqueLetters];
        WriteHex(expected, value);
        return letters.SequenceEqual(expected);
    }

    private static void WriteLine(Span<byte> line, ReadOnlySpan<byte> verb, WireKey keys, int epoch, in RemotePageKey key,
        ReadOnlySpan<byte> flags, uint opaque)
    {
        verb.CopyTo(line);
        keys.Write(line[3..], epoch, key);
        WriteOpaque(line[(3 + WireKey.Length)..], flags, opaque);
    }

    private static void WriteOpaque(Span<byte> rest, ReadOnlySpan<byte> flags, uint opaque)
    {
        flags.CopyTo(rest);
        WriteHex(rest[flags.Length..], opaque);
        "\r\n"u8.CopyTo(rest[(flags.Length + OpaqueLetters)..]);
    }
}
