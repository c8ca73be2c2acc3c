// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>spc</c>: lines of <c>ASU,LBA,bytes,r|w,seconds</c> and optional further fields. The unit (ASU) is the
/// file, the address counts sectors of 512 bytes, and a request becomes one request for each page that it
/// touches. Times are in microseconds.
/// </summary>
internal sealed class SpcTraceReader(TraceInput input, TraceOptions options)
    : RangeTraceReader(input, TraceFormats.Spc, options.PageBytes)
{
    private const string Expected = "ASU,LBA,BYTES,r|w,SECONDS";

    public override TraceColumns Columns => TraceColumns.File | TraceColumns.Time | TraceColumns.Write;

    internal override PageForm Form => PageForm.FileAndPage;

    protected override PageRun ParseLine(ReadOnlySpan<byte> line)
    {
        var fields = new LineFields(line);
        ulong unit = ParseNumber(Field(ref fields, line, Expected), "ASU");
        ulong sector = ParseNumber(Field(ref fields, line, Expected), "LBA");
        ulong bytes = ParseNumber(Field(ref fields, line, Expected), "size");
        ReadOnlySpan<byte> operation = Field(ref fields, line, Expected);
        bool isWrite = operation switch
        {
            [(byte)'r' or (byte)'R'] => false,
            [(byte)'w' or (byte)'W'] => true,
            _ => throw LineError(
                $"has the operation '{TraceInput.Excerpt(operation)}' where r or w should be"),
        };
        long time = ParseMicroseconds(Field(ref fields, line, Expected));
        if (unit > int.MaxValue)
            throw LineError($"has the ASU {unit}; units are numbered from 0 to {int.MaxValue}");
        return Sectors(sector, bytes).With((int)unit, time, isWrite);
    }
}
