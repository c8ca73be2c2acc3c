// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>arc</c>: lines of first block, number of blocks, a number to ignore, and the request's own number.
/// One line is as many requests as it has blocks; a line of no blocks is none. With the split option the
/// blocks of 512 bytes become the pages that they lie in.
/// </summary>
internal sealed class ArcTraceReader(TraceInput input, TraceOptions options)
    : RangeTraceReader(input, TraceFormats.Arc, options.PageBytes)
{
    private readonly bool _split = options.Split;

    public override TraceColumns Columns => TraceColumns.None;

    protected override PageRun ParseLine(ReadOnlySpan<byte> line)
    {
        var fields = new LineFields(line);
        ReadOnlySpan<byte> word = fields.NextWord();
        if (word.IsEmpty)
            return default;
        ulong first = ParseNumber(word, "first block");
        word = fields.NextWord();
        if (word.IsEmpty)
            throw LineError(
                $"has too few fields ('{TraceInput.Excerpt(line)}'); expected FIRST COUNT ignored NUMBER");
        ulong count = ParseNumber(word, "number of blocks");
        if (count == 0)
            return default;
        if (count > PageRun.PagesMax || first > ulong.MaxValue - (count - 1))
            throw LineError(
                $"asks for {count} blocks from block {first} on; a line may have 2^32 blocks and none " +
                $"beyond {ulong.MaxValue}");
        return _split
            ? Sectors(first, count * PageRun.SectorBytes)
            : PageRun.OfIds(first, count);
    }
}
