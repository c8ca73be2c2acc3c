// SPDX-License-Identifier: MIT
namespace PerfCache.Remote.Protocol;

/// <summary>Writes the line before a value, or a reply's line, into a buffer that is large enough for any.</summary>
internal ref struct HeaderWriter(Span<byte> bytes)
{
    private readonly Span<byte> _bytes = bytes;

    internal int Length { get; private set; }

    internal readonly ReadOnlySpan<byte> Written => _bytes[..Length];

    internal void Add(byte value) => _bytes[Length++] = value;

    internal void Add(scoped ReadOnlySpan<byte> text)
    {
        text.CopyTo(_bytes[Length..]);
        Length += text.Length;
    }

    internal void Add(ulong value) => Length += TextNumber.Format(value, _bytes[Length..]);

    /// <summary>Adds a flag with a number.</summary>
    internal void AddFlag(char letter, ulong value)
    {
        Add((byte)' ');
        Add((byte)letter);
        Add(value);
    }

    /// <summary>Adds a flag with a number that may be -1.</summary>
    internal void AddFlag(char letter, long value)
    {
        if (value >= 0)
        {
            AddFlag(letter, (ulong)value);
            return;
        }

        Add((byte)' ');
        Add((byte)letter);
        Add("-1"u8);
    }
}
