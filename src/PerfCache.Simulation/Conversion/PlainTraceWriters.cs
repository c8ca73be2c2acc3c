// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Conversion;

/// <summary><c>le32 le64 be32 be64</c>: bare ids.</summary>
internal sealed class IdTraceWriter(Stream stream, string format, string trace) : TraceWriter(stream)
{
    private readonly int _width = format.EndsWith("32", StringComparison.Ordinal) ? sizeof(uint) : sizeof(ulong);
    private readonly bool _isBig = format.StartsWith("be", StringComparison.Ordinal);
    private long _written;

    public override TraceColumns Columns => TraceColumns.None;

    public override void Write(TraceBlock block, ReadOnlySpan<ulong> ids)
    {
        foreach (ulong id in ids)
        {
            Span<byte> room = Room(sizeof(ulong));
            if (_width == sizeof(ulong))
            {
                if (_isBig) BinaryPrimitives.WriteUInt64BigEndian(room, id);
                else BinaryPrimitives.WriteUInt64LittleEndian(room, id);
            }
            else
            {
                if (id > uint.MaxValue) throw TooLarge(id);
                if (_isBig) BinaryPrimitives.WriteUInt32BigEndian(room, (uint)id);
                else BinaryPrimitives.WriteUInt32LittleEndian(room, (uint)id);
            }

            Take(_width);
            _written++;
        }
    }

    private TraceFormatException TooLarge(ulong id) => new(string.Create(CultureInfo.InvariantCulture,
        $"{trace}: request {_written + 1} has the id {id}, and {format} has 32 bits; use {format[..2]}64, or --renumber"));
}

/// <summary><c>csv</c>: a header that names the columns, then a line a request.</summary>
internal sealed class CsvTraceWriter : TraceWriter
{
    private const int LineBytesMax = 96;

    internal CsvTraceWriter(Stream stream, TraceColumns has) : base(stream)
    {
        Append(has.HasFlag(TraceColumns.Time) ? "time,"u8 : default);
        Append("id"u8);
        Append(has.HasFlag(TraceColumns.Size) ? ",size"u8 : default);
        Append("\n"u8);
    }

    public override TraceColumns Columns => TraceColumns.Time | TraceColumns.Size;

    public override void Write(TraceBlock block, ReadOnlySpan<ulong> ids)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            Span<byte> line = Room(LineBytesMax);
            int used = 0;
            int digits;
            if (block.Times.Length > 0)
            {
                Utf8Formatter.TryFormat(block.Times[i], line, out used);
                line[used++] = (byte)',';
            }

            Utf8Formatter.TryFormat(ids[i], line[used..], out digits);
            used += digits;
            if (block.Sizes.Length > 0)
            {
                line[used++] = (byte)',';
                Utf8Formatter.TryFormat(block.Sizes[i], line[used..], out digits);
                used += digits;
            }

            line[used++] = (byte)'\n';
            Take(used);
        }
    }
}
