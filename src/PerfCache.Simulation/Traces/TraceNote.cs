// SPDX-License-Identifier: MIT
using System.Globalization;

namespace PerfCache.Simulation.Traces;

/// <summary>What a note between the requests of a recorded trace says; docs/traces.md explains each.</summary>
public enum TraceNoteKind
{
    /// <summary>The file has <see cref="TraceNote.First"/> pages.</summary>
    Size,

    /// <summary>The next requests of the file come through the new open file <see cref="TraceNote.First"/>.</summary>
    Open,

    /// <summary>The next requests of the file come through the known open file <see cref="TraceNote.First"/>.</summary>
    Through,

    /// <summary>The next <see cref="TraceNote.First"/> requests are one system call.</summary>
    Call,

    /// <summary>The next request writes a part of its page only.</summary>
    Part,

    /// <summary><see cref="TraceNote.Count"/> pages from <see cref="TraceNote.First"/> on leave the cache.</summary>
    Drop,

    /// <summary>The program asked for these pages to be read ahead.</summary>
    Ahead,

    /// <summary>It reads at random through the open file <see cref="TraceNote.First"/>.</summary>
    Random,

    /// <summary>It reads in order through the open file <see cref="TraceNote.First"/>.</summary>
    Sequential,

    /// <summary>It takes back what it said of the open file <see cref="TraceNote.First"/>.</summary>
    Normal,
}

/// <summary>A note of a recorded trace.</summary>
/// <param name="At">The request of the block before which it stands; the block's count for one behind the last.</param>
/// <param name="Kind">What it says.</param>
/// <param name="File">The file, as the trace numbers it; 0 where the note has none.</param>
/// <param name="First">A page, an open file, or a number, by the kind.</param>
/// <param name="Count">A number of pages; <see cref="long.MaxValue"/> for all.</param>
public readonly record struct TraceNote(int At, TraceNoteKind Kind, int File, long First, long Count)
{
    /// <summary>Understands a comment, from its first word on.</summary>
    /// <returns>False when it is a comment of another kind, which means nothing.</returns>
    internal static bool TryParse(ReadOnlySpan<byte> line, int at, out TraceNote note)
    {
        note = default;
        LineFields fields = new(line);
        if (!fields.NextWord().SequenceEqual("#"u8)) return false;
        ReadOnlySpan<byte> word = fields.NextWord();
        if (word.SequenceEqual("part"u8))
        {
            note = new(at, TraceNoteKind.Part, 0, 0, 0);
            return true;
        }

        if (!TryNumber(fields.NextWord(), out long first)) return false;
        if (word.SequenceEqual("call"u8))
        {
            note = new(at, TraceNoteKind.Call, 0, first, 0);
            return first > 0;
        }

        if (first > int.MaxValue || !TryNumber(fields.NextWord(), out long second)) return false;
        ReadOnlySpan<byte> third = fields.NextWord();
        if (!TryNumber(third, out long count)) count = long.MaxValue;
        TraceNoteKind? kind = KindOf(word, third);
        if (kind is null) return false;
        note = new(at, kind.Value, (int)first, second, count);
        return true;
    }

    /// <summary>The note as <see cref="TryParse"/> understands it, without the mark of a comment.</summary>
    internal string Format() => Kind switch
    {
        TraceNoteKind.Part => "part",
        TraceNoteKind.Call => $"call {First}",
        TraceNoteKind.Size => $"size {File} {First}",
        TraceNoteKind.Open => $"open {File} {First}",
        TraceNoteKind.Through => $"through {File} {First}",
        TraceNoteKind.Drop when Count == long.MaxValue => $"drop {File} {First}",
        TraceNoteKind.Drop => $"drop {File} {First} {Count}",
        TraceNoteKind.Ahead => $"ahead {File} {First} {Count}",
        TraceNoteKind.Random => $"advice {File} {First} random",
        TraceNoteKind.Sequential => $"advice {File} {First} sequential",
        _ => $"advice {File} {First} normal",
    };

    private static TraceNoteKind? KindOf(ReadOnlySpan<byte> word, ReadOnlySpan<byte> third) => word switch
    {
        _ when word.SequenceEqual("size"u8) => TraceNoteKind.Size,
        _ when word.SequenceEqual("open"u8) => TraceNoteKind.Open,
        _ when word.SequenceEqual("through"u8) => TraceNoteKind.Through,
        _ when word.SequenceEqual("drop"u8) => TraceNoteKind.Drop,
        _ when word.SequenceEqual("ahead"u8) => TraceNoteKind.Ahead,
        _ when !word.SequenceEqual("advice"u8) => null,
        _ when third.SequenceEqual("random"u8) => TraceNoteKind.Random,
        _ when third.SequenceEqual("sequential"u8) => TraceNoteKind.Sequential,
        _ when third.SequenceEqual("normal"u8) => TraceNoteKind.Normal,
        _ => null,
    };

    private static bool TryNumber(ReadOnlySpan<byte> word, out long number) =>
        long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
