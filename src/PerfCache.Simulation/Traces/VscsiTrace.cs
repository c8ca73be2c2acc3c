// SPDX-License-Identifier: MIT
using System.Buffers.Binary;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>vscsi</c>: which of the two versions a trace is. The version is the high byte of a field that lies
/// elsewhere in each, so the first two records must agree on one of them.
/// </summary>
internal static class VscsiTrace
{
    private const int Version1Offset = 15;
    private const int Version2Offset = 3;

    /// <summary>Opens a reader for the version found.</summary>
    internal static FileTraceReader Open(TraceInput input, TraceOptions options)
    {
        input.Ensure(2 * RecordLayout.Vscsi2.RecordBytes);
        RecordLayout layout = Detect(input.Unread) ?? throw input.ByteError(0,
            "is neither vscsi version 1 nor 2 (version bytes " +
            $"{At(input.Unread, Version1Offset)} at {Version1Offset}, " +
            $"{At(input.Unread, Version2Offset)} at {Version2Offset}); is it another --format?");
        return options.Split
            ? new VscsiSplitReader(input, layout, options.PageBytes)
            : new RecordTraceReader(input, layout);
    }

    /// <summary>The layout whose version number the first two records carry, if one does.</summary>
    internal static RecordLayout? Detect(ReadOnlySpan<byte> head)
    {
        if (IsVersion(head, RecordLayout.Vscsi1.RecordBytes, Version1Offset, 1))
            return RecordLayout.Vscsi1;
        return IsVersion(head, RecordLayout.Vscsi2.RecordBytes, Version2Offset, 2)
            ? RecordLayout.Vscsi2
            : null;
    }

    private static bool IsVersion(ReadOnlySpan<byte> head, int recordBytes, int offset, byte version) =>
        head.Length > offset && head[offset] == version &&
        (head.Length <= recordBytes + offset || head[recordBytes + offset] == version);

    private static string At(ReadOnlySpan<byte> head, int offset) =>
        offset < head.Length ? $"{head[offset]}" : "missing";

    /// <summary>vscsi with every request cut into the pages that its blocks lie in.</summary>
    private sealed class VscsiSplitReader(TraceInput input, RecordLayout layout, int pageBytes)
        : FileTraceReader(input, layout.Format)
    {
        private PageRun _run;

        public override TraceColumns Columns => TraceColumns.Time | TraceColumns.Write;

        public override bool Read(TraceBlock block)
        {
            block.Count = 0;
            while (block.Count < block.Capacity)
            {
                if (!_run.IsEmpty)
                    _run.Emit(block);
                else if (block.Count > 0 && Input.Unread.Length < layout.RecordBytes)
                    break; // hand over what there is before fetching more moves the buffer
                else if (Input.HasRecord(layout.Format, layout.RecordBytes))
                    _run = NextRun();
                else
                    break;
            }
            return block.Count > 0;
        }

        private PageRun NextRun()
        {
            ReadOnlySpan<byte> record = Input.Unread[..layout.RecordBytes];
            ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(record[layout.Id.Offset..]);
            uint bytes = BinaryPrimitives.ReadUInt32LittleEndian(record[layout.Size.Offset..]);
            ushort command = BinaryPrimitives.ReadUInt16LittleEndian(record[layout.Operation.Offset..]);
            long time = BinaryPrimitives.ReadInt64LittleEndian(record[layout.Time.Offset..]);
            if (!PageRun.TrySectors(sector, bytes, pageBytes, out PageRun run))
                throw Input.ByteError(Input.Offset,
                    $"the request of {bytes} bytes at block {sector} does not end " +
                    "before byte 2^64; is the file damaged?");
            Input.Consume(layout.RecordBytes);
            return run.With(0, time, OperationCodes.IsWrite(OperationCode.Scsi, command));
        }
    }
}
