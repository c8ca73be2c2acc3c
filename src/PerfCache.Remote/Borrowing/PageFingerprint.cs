// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace PerfCache.Remote.Borrowing;

/// <summary>
/// 61 bits by which a borrower knows its own page again, and which nobody can aim at who does not know the key.
/// </summary>
/// <remarks>
/// <para>
/// A checksum against accidents is not enough: a server that wants to deceive changes a page so that its CRC stays, which
/// works whatever the CRC began with. This is a universal hash instead, keyed by random words that never leave the
/// process, and neither does what it computes. So a server can do no better than guess: two pages that it may choose
/// collide with a chance below 2^-58 (4 KiB) to 2^-54 (64 KiB), over the key.
/// </para>
/// <code>
/// block (4 KiB)   NH of UMAC, with words of 64 bits: sum of (m[i] + k[i]) * (m[i+1] + k[i+1]) mod 2^128
/// page            the blocks' sums as digits of 60 bits of a polynomial over 2^61 - 1, at a secret point
/// </code>
/// Black, Halevi, Krawczyk, Krovetz, Rogaway, "UMAC: fast and secure message authentication", CRYPTO 1999; Dai, Krovetz,
/// "VHASH security", 2007. One multiplication for 16 bytes.
/// </remarks>
internal sealed class PageFingerprint
{
    /// <summary>Bytes of a block; pages are whole blocks.</summary>
    internal const int BlockBytes = 4096;

    private const int BlockWords = BlockBytes / sizeof(ulong);
    private const int DigitBits = 60;
    private const ulong DigitMask = (1UL << DigitBits) - 1;
    private const ulong Prime = (1UL << 61) - 1;

    private readonly ulong[] _key = new ulong[BlockWords];
    private readonly ulong _point;

    /// <summary>A fingerprint with a key of its own, from the system's source of randomness.</summary>
    internal PageFingerprint()
    {
        RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(_key.AsSpan()));
        Span<ulong> point = stackalloc ulong[1];
        RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(point));
        _point = point[0] & DigitMask;
    }

    /// <summary>The fingerprint of a page.</summary>
    /// <param name="bytes">Whole blocks.</param>
    internal ulong Of(ReadOnlySpan<byte> bytes)
    {
        ulong value = 1;
        for (; bytes.Length >= BlockBytes; bytes = bytes[BlockBytes..])
        {
            (ulong high, ulong low) = SumOf(MemoryMarshal.Cast<byte, ulong>(bytes[..BlockBytes]));
            value = Step(value, low & DigitMask);
            value = Step(value, ((low >> DigitBits) | (high << (64 - DigitBits))) & DigitMask);
            value = Step(value, high >> ((2 * DigitBits) - 64));
        }

        return value;
    }

    private (ulong High, ulong Low) SumOf(ReadOnlySpan<ulong> words)
    {
        ReadOnlySpan<ulong> key = _key.AsSpan(0, BlockWords);
        ulong low = 0, high = 0, otherLow = 0, otherHigh = 0;
        // Two sums, because each addition waits for the carry of the one before.
        for (int i = 0; i + 3 < words.Length && i + 3 < key.Length; i += 4)
        {
            ulong top = Math.BigMul(words[i] + key[i], words[i + 1] + key[i + 1], out ulong bottom);
            low += bottom;
            high += top + (low < bottom ? 1UL : 0);
            top = Math.BigMul(words[i + 2] + key[i + 2], words[i + 3] + key[i + 3], out bottom);
            otherLow += bottom;
            otherHigh += top + (otherLow < bottom ? 1UL : 0);
        }

        low += otherLow;
        return (high + otherHigh + (low < otherLow ? 1UL : 0), low);
    }

    /// <summary>value * point + digit, modulo 2^61 - 1.</summary>
    private ulong Step(ulong value, ulong digit)
    {
        ulong high = Math.BigMul(value, _point, out ulong low);
        ulong sum = (low & Prime) + ((low >> 61) | (high << 3));
        sum = (sum & Prime) + (sum >> 61) + digit;
        return sum >= Prime ? sum - Prime : sum;
    }
}
