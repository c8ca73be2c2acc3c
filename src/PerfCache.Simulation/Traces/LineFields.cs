// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>Walks over one line: its fields between blanks, or between separators.</summary>
internal ref struct LineFields(ReadOnlySpan<byte> line)
{
    private ReadOnlySpan<byte> _rest = line;
    private bool _ended;

    /// <summary>Cuts the first line off <paramref name="lines"/>, without its line end.</summary>
    /// <param name="lines">Text that ends in a line feed.</param>
    /// <param name="at">Where the line begins; moved behind its line feed.</param>
    internal static ReadOnlySpan<byte> NextLine(ReadOnlySpan<byte> lines, ref int at)
    {
        ReadOnlySpan<byte> rest = lines[at..];
        int length = rest.IndexOf((byte)'\n');
        at += length + 1;
        return length > 0 && rest[length - 1] == '\r' ? rest[..(length - 1)] : rest[..length];
    }

    /// <summary>The next run of bytes without blanks or tabs; empty at the end of the line.</summary>
    internal ReadOnlySpan<byte> NextWord()
    {
        int start = 0;
        while (start < _rest.Length && IsBlank(_rest[start]))
            start++;
        int end = start;
        while (end < _rest.Length && !IsBlank(_rest[end]))
            end++;
        ReadOnlySpan<byte> word = _rest[start..end];
        _rest = _rest[end..];
        return word;
    }

    /// <summary>The field up to the next separator, without the blanks around it.</summary>
    /// <returns>False when the line has no further field.</returns>
    internal bool TryNextField(byte separator, out ReadOnlySpan<byte> field)
    {
        field = default;
        if (_ended)
            return false;
        int length = _rest.StartsWith("\""u8) ? QuotedLength(_rest, separator) : _rest.IndexOf(separator);
        _ended = length < 0;
        field = (_ended ? _rest : _rest[..length]).Trim((byte)' ');
        if (!_ended)
            _rest = _rest[(length + 1)..];
        if (field.Length >= 2 && field[0] == '"' && field[^1] == '"')
            field = field[1..^1];
        return true;
    }

    private static bool IsBlank(byte letter) => letter is (byte)' ' or (byte)'\t' or (byte)'\r';

    // A separator between quotes belongs to the field; a doubled quote opens and closes at once.
    private static int QuotedLength(ReadOnlySpan<byte> text, byte separator)
    {
        bool isOpen = false;
        for (int at = 0; at < text.Length; at++)
        {
            if (text[at] == '"')
                isOpen = !isOpen;
            else if (text[at] == separator && !isOpen)
                return at;
        }
        return -1;
    }
}
