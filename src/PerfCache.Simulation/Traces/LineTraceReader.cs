// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>
/// The base of the text formats. A format gets all the complete lines in the buffer at once and loops over
/// them itself, so the inner loop has neither a virtual call a line nor a check for the end of the buffer:
/// the last byte is always a line feed.
/// </summary>
internal abstract class LineTraceReader : FileTraceReader
{
    protected LineTraceReader(TraceInput input, string format) : base(input, format)
    {
        // Editors of one system put a byte order mark in front of text.
        if (input.Ensure(3) && input.Unread.StartsWith("\uFEFF"u8))
            input.Consume(3);
    }

    /// <summary>The number of the line being parsed, from 1.</summary>
    protected long Line { get; set; } = 1;

    public sealed override bool Read(TraceBlock block)
    {
        block.Count = 0;
        block.Notes.Clear();
        while (true)
        {
            EmitRun(block);
            if (block.Count > 0)
                return true;
            ReadOnlySpan<byte> lines = Input.Lines(Line);
            if (lines.IsEmpty)
                return false;
            Input.Consume(ParseLines(lines, block));
            if (block.Count > 0)
                return true;
        }
    }

    /// <summary>Parses lines until they end or the block is full, and counts them in
    /// <see cref="Line"/>.</summary>
    /// <returns>The bytes consumed.</returns>
    protected abstract int ParseLines(ReadOnlySpan<byte> lines, TraceBlock block);

    /// <summary>Goes on with requests of a line that did not fit in the block before.</summary>
    protected virtual void EmitRun(TraceBlock block) { }

    protected TraceFormatException LineError(string what) => Input.LineError(Line, what);

    /// <summary>Parses a whole field as an id, or says what it is instead.</summary>
    protected ulong ParseNumber(ReadOnlySpan<byte> field, string what)
    {
        NumberStatus status = AsciiNumber.Parse(field, out ulong value);
        return status == NumberStatus.Ok ? value : throw LineError(NumberProblem(status, field, what));
    }

    /// <summary>The words for a field that is not a number.</summary>
    protected static string NumberProblem(NumberStatus status, ReadOnlySpan<byte> field, string what)
    {
        string shown = TraceInput.Excerpt(field);
        return status switch
        {
            NumberStatus.Negative =>
                $"has the negative {what} {shown}; it must be from 0 to {ulong.MaxValue}",
            NumberStatus.Overflow => $"has the {what} {shown}, which is larger than {ulong.MaxValue}",
            _ => field.ContainsAnyExceptInRange((byte)0x20, (byte)0x7e)
                ? $"has bytes that are not text where the {what} should be ({shown}); is the trace binary " +
                  "or in another --format?"
                : $"has '{shown}' where the {what} should be, a decimal number; is it another --format?",
        };
    }
}
