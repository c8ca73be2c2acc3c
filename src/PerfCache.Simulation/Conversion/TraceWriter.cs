// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Conversion;

/// <summary>Writes requests in one format to a stream, through a buffer of its own.</summary>
internal abstract class TraceWriter(Stream stream)
{
    private const int BufferBytes = 128 * 1024;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _used;

    /// <summary>The columns that the format keeps besides the id.</summary>
    public abstract TraceColumns Columns { get; }

    /// <summary>Writes the requests of a block.</summary>
    /// <param name="block">The requests, with the columns that both the trace and this format have.</param>
    /// <param name="ids">The ids to write, as many as the block has requests.</param>
    public abstract void Write(TraceBlock block, ReadOnlySpan<ulong> ids);

    /// <summary>Writes what can be written only at the end, and all that is buffered.</summary>
    public virtual void End() => Drain();

    /// <summary>Room for so many bytes, to be given to <see cref="Take"/> once they are there.</summary>
    protected Span<byte> Room(int bytes)
    {
        if (BufferBytes - _used < bytes) Drain();
        return _buffer.AsSpan(_used);
    }

    /// <summary>The first bytes of the last <see cref="Room"/> are written.</summary>
    protected void Take(int bytes) => _used += bytes;

    /// <summary>Writes bytes as they are.</summary>
    protected void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> room = Room(1);
            int length = Math.Min(room.Length, bytes.Length);
            bytes[..length].CopyTo(room);
            Take(length);
            bytes = bytes[length..];
        }
    }

    private void Drain()
    {
        stream.Write(_buffer, 0, _used);
        _used = 0;
    }
}
