// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.InteropServices;

namespace PerfCache.Cache.Sources;

/// <content>What the bytes of a modelled page are, and whether bytes are those.</content>
/// <remarks>
/// Word w of a page is <c>start + w * step</c>, with a start that the seed and the page decide and a step
/// that is the same for all. Two pages with different starts differ in every single word, so one word of a
/// foreign page, of an older state or from another place of the same page is found wherever it stands:
/// nothing is sampled. Words are 64 bits in the machine's own order; where a length is no multiple of 8, the
/// last word is cut.
/// </remarks>
public sealed partial class ModelledPageSource
{
    // Odd, so that no two words of a page are equal; its bits look like chance (2^64 divided by the golden
    // ratio).
    private const ulong WordStep = 0x9E3779B97F4A7C15;

    /// <summary>Fills a page, or the beginning of one, with its pattern.</summary>
    /// <param name="seed">The object's seed.</param>
    /// <param name="page">The page's number.</param>
    /// <param name="destination">Where to.</param>
    public static void Fill(ulong seed, ulong page, Span<byte> destination)
    {
        ulong word = Start(seed, page);
        Span<Vector<ulong>> vectors = MemoryMarshal.Cast<byte, Vector<ulong>>(destination);
        Vector<ulong> next = FirstWords(word);
        Vector<ulong> step = new(unchecked((ulong)Vector<ulong>.Count * WordStep));
        for (int i = 0; i < vectors.Length; i++)
        {
            vectors[i] = next;
            next += step;
        }

        FillWords(unchecked(word + ((ulong)(vectors.Length * Vector<ulong>.Count) * WordStep)),
            destination[(vectors.Length * Vector<byte>.Count)..]);
    }

    /// <summary>Says whether every byte of a page, or of the beginning of one, is that of its
    /// pattern.</summary>
    /// <param name="seed">The object's seed.</param>
    /// <param name="page">The page's number.</param>
    /// <param name="data">The bytes.</param>
    public static bool Verify(ulong seed, ulong page, ReadOnlySpan<byte> data)
    {
        ulong word = Start(seed, page);
        ReadOnlySpan<Vector<ulong>> vectors = MemoryMarshal.Cast<byte, Vector<ulong>>(data);
        ReadOnlySpan<byte> rest = data[(vectors.Length * Vector<byte>.Count)..];
        return VerifyVectors(word, vectors)
            && VerifyRest(word, (ulong)(vectors.Length * Vector<ulong>.Count), rest);
    }

    /// <summary>The first word of a page.</summary>
    internal static ulong Start(ulong seed, ulong page) => Mix(Mix(seed) + page);

    // A bijection whose every output bit depends on every input bit (Stafford's variant 13 of the 64-bit
    // finaliser).
    private static ulong Mix(ulong value)
    {
        value = unchecked(value + WordStep);
        value = unchecked((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9);
        value = unchecked((value ^ (value >> 27)) * 0x94D049BB133111EB);
        return value ^ (value >> 31);
    }

    private static Vector<ulong> FirstWords(ulong word) =>
        new Vector<ulong>(word) + (Vector<ulong>.Indices * WordStep);

    private static bool VerifyVectors(ulong word, ReadOnlySpan<Vector<ulong>> vectors)
    {
        Vector<ulong> next = FirstWords(word);
        Vector<ulong> step = new(unchecked((ulong)Vector<ulong>.Count * WordStep));
        // Differences are collected and looked at once: pages are right as a rule, and a branch a vector
        // costs more.
        Vector<ulong> difference = Vector<ulong>.Zero;
        for (int i = 0; i < vectors.Length; i++)
        {
            difference |= vectors[i] ^ next;
            next += step;
        }

        return difference == Vector<ulong>.Zero;
    }

    // In a method of its own: with a buffer on the stack, the loop above would run at a sixth of its speed.
    private static bool VerifyRest(ulong word, ulong index, ReadOnlySpan<byte> rest)
    {
        if (rest.IsEmpty) return true;
        Span<byte> expected = stackalloc byte[Vector<byte>.Count];
        FillWords(unchecked(word + (index * WordStep)), expected);
        return rest.SequenceEqual(expected[..rest.Length]);
    }

    private static void FillWords(ulong word, Span<byte> destination)
    {
        for (int i = 0; i < destination.Length; i += sizeof(ulong))
        {
            int length = Math.Min(sizeof(ulong), destination.Length - i);
            MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in word))[..length].CopyTo(destination[i..]);
            word = unchecked(word + WordStep);
        }
    }
}
