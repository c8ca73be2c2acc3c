// SPDX-License-Identifier: MIT
using System.Buffers.Binary;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>twr</c>, a key-value cache's requests in 20 bytes: 0 u32 time, 4 u64 id, 12 u32 key size (top 10
/// bits) and value size (low 22), 16 u32 operation (top 8) and lifetime (low 24). The size is key plus
/// value. A get of a value of size 0 is skipped: the cache that recorded it did not have the value, so the
/// trace does not say what was asked for. All other requests of size 0 count.
/// </summary>
internal sealed class TwrTraceReader(TraceInput input) : FileTraceReader(input, TraceFormats.Twr)
{
    private const int RecordBytes = 20;
    private const int KeySizeShift = 22;
    private const uint ValueSizeMask = (1u << KeySizeShift) - 1;
    private const int OperationShift = 24;
    private const uint Get = 1;

    public override TraceColumns Columns => TraceColumns.Size | TraceColumns.Time | TraceColumns.Write;

    public override bool Read(TraceBlock block)
    {
        block.Count = 0;
        while (block.Count == 0)
        {
            if (!Input.HasRecord(TraceFormats.Twr, RecordBytes))
                return false;
            int read = Decode(Input.Unread, block);
            Input.Consume(read);
        }
        return true;
    }

    private static int Decode(ReadOnlySpan<byte> unread, TraceBlock block)
    {
        ulong[] ids = block.Ids;
        int count = 0;
        int at = 0;
        for (; at <= unread.Length - RecordBytes && count < ids.Length; at += RecordBytes)
        {
            ReadOnlySpan<byte> record = unread.Slice(at, RecordBytes);
            uint sizes = BinaryPrimitives.ReadUInt32LittleEndian(record[12..]);
            uint operation = BinaryPrimitives.ReadUInt32LittleEndian(record[16..]) >> OperationShift;
            uint valueSize = sizes & ValueSizeMask;
            if (valueSize == 0 && operation == Get)
                continue;
            ids[count] = BinaryPrimitives.ReadUInt64LittleEndian(record[4..]);
            if (block.Sizes.Length > 0)
                block.Sizes[count] = (sizes >> KeySizeShift) + valueSize;
            if (block.Times.Length > 0)
                block.Times[count] = BinaryPrimitives.ReadUInt32LittleEndian(record);
            if (block.Writes.Length > 0)
                block.Writes[count] = OperationCodes.IsWrite(OperationCode.KeyValue, operation);
            count++;
        }
        block.Count = count;
        return at;
    }
}
