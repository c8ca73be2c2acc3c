// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>The base of the text formats in which a line is a run of blocks or pages.</summary>
internal abstract class RangeTraceReader(TraceInput input, string format, int pageBytes)
    : LineTraceReader(input, format)
{
    private PageRun _run;

    protected int PageBytes { get; } = pageBytes;

    protected sealed override void EmitRun(TraceBlock block)
    {
        if (!_run.IsEmpty)
            _run.Emit(block);
    }

    protected sealed override int ParseLines(ReadOnlySpan<byte> lines, TraceBlock block)
    {
        int at = 0;
        while (at < lines.Length && block.Count < block.Capacity)
        {
            ReadOnlySpan<byte> line = LineFields.NextLine(lines, ref at);
            if (!line.IsEmpty && line[0] != '#')
                _run = ParseLine(line);
            Line++;
            EmitRun(block);
        }
        return at;
    }

    /// <summary>The run of one line; empty for a line that is no request.</summary>
    protected abstract PageRun ParseLine(ReadOnlySpan<byte> line);

    /// <summary>The pages under a range of bytes, or the line that says why not.</summary>
    protected PageRun Pages(ulong startByte, ulong bytes) =>
        PageRun.TryPages(startByte, bytes, PageBytes, out PageRun run)
            ? run
            : throw RangeError(startByte, bytes);

    /// <summary>The same where the range begins at a sector.</summary>
    protected PageRun Sectors(ulong sector, ulong bytes) =>
        PageRun.TrySectors(sector, bytes, PageBytes, out PageRun run)
            ? run
            : throw RangeError((UInt128)sector * PageRun.SectorBytes, bytes);

    /// <summary>The next comma-separated field; <paramref name="expected"/> is the form of the whole
    /// line.</summary>
    protected ReadOnlySpan<byte> Field(ref LineFields fields, ReadOnlySpan<byte> line, string expected) =>
        fields.TryNextField((byte)',', out ReadOnlySpan<byte> field)
            ? field
            : throw LineError($"has too few fields ('{TraceInput.Excerpt(line)}'); expected {expected}");

    /// <summary>A count of seconds with an optional fraction, in microseconds.</summary>
    protected long ParseMicroseconds(ReadOnlySpan<byte> field)
    {
        const long MicrosecondsPerSecond = 1_000_000;
        int point = field.IndexOf((byte)'.');
        ReadOnlySpan<byte> whole = point < 0 ? field : field[..point];
        ulong seconds = whole.IsEmpty && field.Length > 1 ? 0 : ParseNumber(whole, "time");
        ulong fraction = 0;
        ReadOnlySpan<byte> digits = point < 0 ? [] : field[(point + 1)..];
        for (int i = 0; i < 6; i++)
        {
            uint digit = i < digits.Length ? digits[i] - (uint)'0' : 0;
            if (digit > 9)
                throw LineError(
                    $"has the time '{TraceInput.Excerpt(field)}'; expected seconds such as 12.345678");
            fraction = fraction * 10 + digit;
        }
        if (seconds > long.MaxValue / MicrosecondsPerSecond - 1)
            throw LineError($"has the time {seconds} s, which does not fit in 64 bits of microseconds");
        return (long)seconds * MicrosecondsPerSecond + (long)fraction;
    }

    private TraceFormatException RangeError(UInt128 startByte, ulong bytes) =>
        LineError($"asks for {bytes} bytes at byte {startByte}; a request ends before byte 2^64 and covers " +
            "at most 2^32 pages");
}
