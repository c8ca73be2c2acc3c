// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>
/// The bytes of a file or of standard input as they come: it shows the first few without consuming them (the
/// compression is told by its magic number, and a pipe cannot be rewound), counts what was handed on for the
/// progress display, and turns a failing device into a line that says where.
/// </summary>
internal sealed class RawTraceStream : ReadOnlyStream
{
    private readonly Stream _source;
    private readonly string _name;
    private readonly byte[] _head = new byte[4];
    private readonly int _headLength;
    private readonly long _length;
    private long _position;

    internal RawTraceStream(string name, Stream source)
    {
        _name = name;
        _source = source;
        _length = source.CanSeek ? source.Length : 0;
        while (_headLength < _head.Length && ReadSource(_head.AsSpan(_headLength)) is int got and > 0)
            _headLength += got;
    }

    /// <summary>The first bytes: four, or all there are.</summary>
    internal ReadOnlySpan<byte> Head => _head.AsSpan(0, _headLength);

    /// <summary>True where the source is a real file that can be opened again.</summary>
    internal bool IsRewindable => _source.CanSeek;

    /// <summary>The number of bytes handed on.</summary>
    internal long BytesRead => _position;

    /// <summary>The share handed on, or -1 when the length is unknown.</summary>
    internal double Progress => _length > 0 ? Math.Min(1.0, (double)_position / _length) : -1;

    public override int Read(Span<byte> buffer)
    {
        int got;
        if (_position < _headLength)
        {
            ReadOnlySpan<byte> rest = _head.AsSpan((int)_position, _headLength - (int)_position);
            got = Math.Min(rest.Length, buffer.Length);
            rest[..got].CopyTo(buffer);
        }
        else
        {
            got = ReadSource(buffer);
        }
        _position += got;
        return got;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _source.Dispose();
        base.Dispose(disposing);
    }

    private int ReadSource(Span<byte> buffer)
    {
        try
        {
            return _source.Read(buffer);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new TraceFormatException(
                $"{_name}: cannot read on at byte {_position}: {TraceInput.OneLine(failure.Message)}",
                failure);
        }
    }
}
