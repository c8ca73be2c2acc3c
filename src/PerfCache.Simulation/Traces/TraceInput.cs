// SPDX-License-Identifier: MIT
using System.Text;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// The decoded bytes of a trace behind one bounded buffer: decoders look at what is unread as one span and
/// say how much of it they took. It grows only when a single record or line does not fit, and a line may
/// not be longer than <see cref="LineBytesMax"/>, so memory stays bounded whatever the input.
/// </summary>
internal sealed class TraceInput : IDisposable
{
    internal const int DefaultBufferBytes = 1 << 20;

    /// <summary>The longest line of a text format; binary data shows itself by a lack of line ends.</summary>
    internal const int LineBytesMax = 64 * 1024;

    private readonly RawTraceStream _raw;
    private readonly Stream _decoded;
    private byte[] _buffer;
    private int _start;
    private int _end;
    private bool _ended;

    internal TraceInput(string path, TraceOptions options)
    {
        Path = path;
        Name = path == TraceSource.StandardInput ? "standard input" : OneLine(path);
        _raw = TraceStreams.OpenRaw(path, options);
        try
        {
            _decoded = TraceStreams.Decode(Name, _raw, options);
        }
        catch (TraceFormatException)
        {
            _raw.Dispose();
            throw;
        }
        _buffer = GC.AllocateUninitializedArray<byte>(Math.Max(options.BufferBytes, 1));
    }

    /// <summary>The path as given.</summary>
    internal string Path { get; }

    /// <summary>The name to show in messages.</summary>
    internal string Name { get; }

    internal bool IsRewindable => _raw.IsRewindable;

    internal double Progress => _raw.Progress;

    /// <summary>Where <see cref="Unread"/> begins, in decoded bytes from the start.</summary>
    internal long Offset { get; private set; }

    /// <summary>What has been fetched and not consumed.</summary>
    internal ReadOnlySpan<byte> Unread => _buffer.AsSpan(_start, _end - _start);

    internal void Consume(int bytes)
    {
        _start += bytes;
        Offset += bytes;
    }

    /// <summary>Fetches until at least <paramref name="bytes"/> are unread, and then as much as
    /// fits.</summary>
    /// <returns>False when the input ends before that; what there is stays unread.</returns>
    internal bool Ensure(int bytes)
    {
        if (_end - _start >= bytes)
            return true;
        Compact();
        if (_buffer.Length < bytes)
            Array.Resize(ref _buffer, bytes);
        Fill();
        return _end - _start >= bytes;
    }

    /// <summary>Whether a further record is unread; a part of one at the end of the input is an
    /// error.</summary>
    internal bool HasRecord(string format, int recordBytes)
    {
        if (Ensure(recordBytes))
            return true;
        int rest = _end - _start;
        return rest == 0
            ? false
            : throw ByteError(Offset,
                $"the last record has {rest} bytes of {recordBytes}; the file is cut off or is " +
                $"not of the format {format}");
    }

    /// <summary>The unread lines that are complete, ending in a line feed (added to the last line of the
    /// input if it has none); empty at the end of the input.</summary>
    /// <param name="line">The number of the first unread line, for the message about a line that never
    /// ends.</param>
    internal ReadOnlySpan<byte> Lines(long line)
    {
        while (true)
        {
            int length = Unread.LastIndexOf((byte)'\n') + 1;
            if (length > 0)
                return Unread[..length];
            if (_ended)
                return LastLine();
            if (_end - _start >= LineBytesMax)
                throw LineError(line,
                    $"is longer than {LineBytesMax} bytes; is this text? For a binary trace name " +
                    "its --format");
            Compact();
            if (_end == _buffer.Length)
                Array.Resize(ref _buffer, _buffer.Length * 2);
            Fill();
        }
    }

    internal TraceFormatException Error(string what) => new($"{Name}: {what}");

    internal TraceFormatException LineError(long line, string what) => new($"{Name}: line {line} {what}");

    internal TraceFormatException ByteError(long offset, string what) =>
        new($"{Name}: byte {offset}: {what}");

    public void Dispose()
    {
        _decoded.Dispose();
        _raw.Dispose();
    }

    /// <summary>At most 40 bytes of input in a form that cannot break the line or the terminal.</summary>
    internal static string Excerpt(ReadOnlySpan<byte> bytes)
    {
        const int ShownMax = 40;
        var text = new StringBuilder();
        foreach (byte value in bytes[..Math.Min(bytes.Length, ShownMax)])
            _ = value is >= 0x20 and < 0x7f ? text.Append((char)value) : text.Append($"\\x{value:x2}");
        return text.Append(bytes.Length > ShownMax ? "..." : "").ToString();
    }

    /// <summary>A user's or the system's text with its line ends and control characters made
    /// harmless.</summary>
    internal static string OneLine(string text) =>
        text.Any(char.IsControl) ? new string([.. text.Select(c => char.IsControl(c) ? '?' : c)]) : text;

    private ReadOnlySpan<byte> LastLine()
    {
        if (_start == _end)
            return [];
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, _buffer.Length + 1);
        _buffer[_end++] = (byte)'\n';
        return Unread;
    }

    private void Compact()
    {
        if (_start == 0)
            return;
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        _end -= _start;
        _start = 0;
    }

    private void Fill()
    {
        while (!_ended && _end < _buffer.Length)
        {
            int got = _decoded.Read(_buffer.AsSpan(_end));
            _end += got;
            _ended = got == 0;
        }
    }
}
