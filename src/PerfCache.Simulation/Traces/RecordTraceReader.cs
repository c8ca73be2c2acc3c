// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>Reads any format of fixed records, column by column, and only the columns that the consumer
/// wants.</summary>
internal sealed class RecordTraceReader : FileTraceReader
{
    private readonly RecordLayout _layout;
    private long _requests;

    internal RecordTraceReader(TraceInput input, RecordLayout layout) : base(input, layout.Format)
    {
        _layout = layout;
        Input.Consume(layout.HeaderBytes);
    }

    public override TraceColumns Columns => _layout.Columns;

    public override bool Read(TraceBlock block)
    {
        int recordBytes = _layout.RecordBytes;
        block.Count = 0;
        if (!Input.HasRecord(_layout.Format, recordBytes))
        {
            if (_requests < _layout.RequestsPromised)
                throw Input.ByteError(Input.Offset,
                    $"the trace ends after {_requests} requests and its header " +
                    $"promises {_layout.RequestsPromised}; fetch the file again");
            return false;
        }
        ReadOnlySpan<byte> unread = Input.Unread;
        int count = Math.Min(block.Capacity, unread.Length / recordBytes);
        DecodeColumns(unread, block, count);
        Input.Consume(count * recordBytes);
        _requests += count;
        block.Count = count;
        return true;
    }

    private void DecodeColumns(ReadOnlySpan<byte> records, TraceBlock block, int count)
    {
        int recordBytes = _layout.RecordBytes;
        ColumnDecoder.Decode(records, recordBytes, _layout.Id, block.Ids.AsSpan(0, count));
        if (_layout.Size.IsPresent && block.Sizes.Length > 0)
            ColumnDecoder.DecodeSizes(records, recordBytes, _layout.Size, block.Sizes.AsSpan(0, count));
        if (_layout.Time.IsPresent && block.Times.Length > 0)
            ColumnDecoder.Decode(records, recordBytes, _layout.Time, block.Times.AsSpan(0, count));
        if (_layout.Operation.IsPresent && block.Writes.Length > 0)
            ColumnDecoder.DecodeWrites(
                records, recordBytes, _layout.Operation, _layout.Operations, block.Writes.AsSpan(0, count));
        if (!_layout.Next.IsPresent || block.Nexts.Length == 0)
            return;
        Span<long> nexts = block.Nexts.AsSpan(0, count);
        ColumnDecoder.Decode(records, recordBytes, _layout.Next, nexts);
        foreach (ref long next in nexts)
            next = next < 0 ? long.MaxValue : next;
    }
}
