// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.InteropServices;

namespace PerfCache.Cli.Borrow;

/// <summary>Contents that say what they are: every word follows from a seed, the page and its version, and a checksum of
/// 64 bits ends it, so that a wrong page, a wrong version and a wrong bit are all told from the right one.</summary>
/// <remarks>
/// <code>word i = start(seed, page, version) ^ (i * odd)     last word = checksum of the others</code>
/// The checksum folds four lanes by multiplication with odd numbers, in which any single changed word changes the result.
/// </remarks>
internal sealed class SeededPage
{
    private const ulong Odd = 0x9e37_79b9_7f4a_7c15;

    private readonly ulong _seed;
    private readonly ulong[] _steps;
    private readonly byte[] _expected;

    /// <summary>Makes the contents of one seed.</summary>
    /// <param name="seed">The seed.</param>
    /// <param name="pageBytes">The length, a multiple of 64.</param>
    public SeededPage(ulong seed, int pageBytes)
    {
        _seed = seed;
        _steps = new ulong[pageBytes / sizeof(ulong)];
        for (int i = 0; i < _steps.Length; i++) _steps[i] = (ulong)i * Odd;
        _expected = new byte[pageBytes];
    }

    /// <summary>Writes a page's contents.</summary>
    public void Fill(Span<byte> page, ulong number, uint version)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(page);
        ulong start = Start(number, version);
        Vector<ulong> starts = new(start);
        int i = 0;
        for (; i <= words.Length - Vector<ulong>.Count; i += Vector<ulong>.Count)
            (starts ^ new Vector<ulong>(_steps, i)).CopyTo(words[i..]);
        for (; i < words.Length; i++) words[i] = start ^ _steps[i];
        words[^1] = Checksum(words[..^1]);
    }

    /// <summary>True when each byte is what it must be, and the checksum that came with them fits them.</summary>
    public bool IsRight(ReadOnlySpan<byte> page, ulong number, uint version)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(page);
        if (words[^1] != Checksum(words[..^1])) return false;
        Fill(_expected, number, version);
        return page.SequenceEqual(_expected);
    }

    private static ulong Checksum(ReadOnlySpan<ulong> words)
    {
        ulong a = 1, b = 2, c = 3, d = 4;
        int i = 0;
        for (; i <= words.Length - 4; i += 4)
        {
            a = (a ^ words[i]) * Odd;
            b = (b ^ words[i + 1]) * Odd;
            c = (c ^ words[i + 2]) * Odd;
            d = (d ^ words[i + 3]) * Odd;
        }

        for (; i < words.Length; i++) a = (a ^ words[i]) * Odd;
        return BitOperations.RotateLeft(a, 7) ^ BitOperations.RotateLeft(b, 19) ^ BitOperations.RotateLeft(c, 37) ^ d;
    }

    private ulong Start(ulong number, uint version)
    {
        ulong start = (_seed ^ (number * Odd)) + (version * 0xbf58_476d_1ce4_e5b9);
        start ^= start >> 31;
        return start * 0x94d0_49bb_1331_11eb;
    }
}
