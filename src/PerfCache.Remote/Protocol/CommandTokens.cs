// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Protocol;

/// <summary>The words of a command line: what lies between spaces, and only spaces.</summary>
/// <remarks>The line itself is not touched. A word beyond the last one that there is room for stays unread.</remarks>
internal ref struct CommandTokens
{
    /// <summary>The most words that are taken apart; memcached has room for as many.</summary>
    internal const int CountMax = 23;

    private readonly ReadOnlySpan<byte> _line;
    private readonly Span<int> _bounds;

    /// <summary>Takes a line apart.</summary>
    /// <param name="line">The line, without its end.</param>
    /// <param name="bounds">Room for twice <see cref="CountMax"/> numbers.</param>
    internal CommandTokens(ReadOnlySpan<byte> line, Span<int> bounds)
    {
        _line = line;
        _bounds = bounds;
        int at = 0;
        while (Count < CountMax && TryNext(line, ref at, out int start))
        {
            bounds[2 * Count] = start;
            bounds[(2 * Count) + 1] = at;
            Count++;
        }
    }

    /// <summary>How many words there are.</summary>
    internal int Count { get; private set; }

    /// <summary>A word; empty where there is none.</summary>
    internal readonly ReadOnlySpan<byte> this[int word] =>
        word < Count ? _line[_bounds[2 * word].._bounds[(2 * word) + 1]] : default;

    /// <summary>Where a word begins in the line.</summary>
    internal readonly int StartOf(int word) => _bounds[2 * word];

    /// <summary>True when the last word asks for no reply, on whatever place it stands.</summary>
    internal readonly bool EndsWithNoReply => Count > 0 && this[Count - 1].SequenceEqual("noreply"u8);

    /// <summary>Finds the next word of a line.</summary>
    /// <param name="line">The line.</param>
    /// <param name="at">Where to look; then the end of the word.</param>
    /// <param name="start">Where the word begins.</param>
    internal static bool TryNext(ReadOnlySpan<byte> line, ref int at, out int start)
    {
        while (at < line.Length && line[at] == ' ') at++;
        start = at;
        if (at == line.Length) return false;
        int length = line[at..].IndexOf((byte)' ');
        at = length < 0 ? line.Length : at + length;
        return true;
    }
}
