// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Tests;

/// <summary>
/// A page that says in each of its words which page it is and of which version, or is all zero because it was never
/// written: bytes that are old, torn or another page's show. It throws what any thread may throw, whoever runs it.
/// </summary>
internal static class VersionedPage
{
    /// <summary>What stands in each word.</summary>
    internal static ulong Word(int page, uint version) => version == 0 ? 0 : ((ulong)page << 32) | version;

    /// <summary>Writes a version of a page.</summary>
    internal static void Fill(Span<byte> bytes, int page, uint version) =>
        MemoryMarshal.Cast<byte, ulong>(bytes).Fill(Word(page, version));

    /// <summary>True for this version of this page, from end to end.</summary>
    internal static bool Is(ReadOnlySpan<byte> bytes, int page, uint version) =>
        !MemoryMarshal.Cast<byte, ulong>(bytes).ContainsAnyExcept(Word(page, version));

    /// <summary>The version of a page that is whole and the right one.</summary>
    /// <exception cref="InvalidOperationException">It is torn, or another page.</exception>
    internal static uint Version(ReadOnlySpan<byte> bytes, int page)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        ulong word = words[0];
        if (words.ContainsAnyExcept(word)) throw new InvalidOperationException($"page {page} is torn");
        if (word != 0 && word >> 32 != (ulong)page)
            throw new InvalidOperationException($"page {page} has another one's bytes: {word:x16}");
        return (uint)word;
    }
}
