// SPDX-License-Identifier: MIT
using System.Text;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>csv</c>: one request a line in separated columns. The separator is the one that the first line has
/// most of among comma, tab, semicolon and bar; the first line is a header when its id column begins with a
/// letter. Ids are decimal, or hexadecimal after 0x. Of a time with a fraction the whole part counts.
/// </summary>
internal sealed class CsvTraceReader : LineTraceReader
{
    private readonly byte _separator;
    private readonly int _id;
    private readonly int _size;
    private readonly int _time;
    private readonly int _lastNeeded;

    internal CsvTraceReader(TraceInput input, TraceOptions options) : base(input, TraceFormats.Csv)
    {
        CsvColumns? columns = options.CsvColumns is null ? null : CsvColumns.Parse(options.CsvColumns);
        ReadOnlySpan<byte> lines = Input.Lines(Line);
        int length = 0;
        ReadOnlySpan<byte> first = LineFields.NextLine(lines, ref length);
        _separator = Separator(first);
        List<string> names = Fields(first, _separator);
        (_id, _size, _time) = CsvColumns.Resolve(columns, names, Input.Name);
        _lastNeeded = Math.Max(_id, Math.Max(_size, _time));
        bool isHeader = _id < names.Count && names[_id] is [var letter, ..] &&
            (char.IsLetter(letter) || letter == '_');
        if (!isHeader)
            return;
        Input.Consume(length);
        Line++;
    }

    public override TraceColumns Columns =>
        (_size >= 0 ? TraceColumns.Size : 0) | (_time >= 0 ? TraceColumns.Time : 0);

    /// <summary>The fields of a line as strings, for headers and detection.</summary>
    internal static List<string> Fields(ReadOnlySpan<byte> line, byte separator)
    {
        var names = new List<string>();
        var fields = new LineFields(line);
        while (names.Count < CsvColumns.NumberMax &&
            fields.TryNextField(separator, out ReadOnlySpan<byte> field))
            names.Add(Encoding.UTF8.GetString(field));
        return names;
    }

    /// <summary>The most frequent separator of a line; a comma if it has none.</summary>
    internal static byte Separator(ReadOnlySpan<byte> line)
    {
        byte best = (byte)',';
        foreach (byte separator in "\t;|"u8)
            if (line.Count(separator) > line.Count(best))
                best = separator;
        return best;
    }

    protected override int ParseLines(ReadOnlySpan<byte> lines, TraceBlock block)
    {
        int count = 0;
        int at = 0;
        while (at < lines.Length && count < block.Capacity)
        {
            ReadOnlySpan<byte> line = LineFields.NextLine(lines, ref at);
            if (!line.IsEmpty && line[0] != '#')
                ParseLine(line, block, count++);
            Line++;
        }
        block.Count = count;
        return at;
    }

    private void ParseLine(ReadOnlySpan<byte> line, TraceBlock block, int at)
    {
        var fields = new LineFields(line);
        for (int place = 0; place <= _lastNeeded; place++)
        {
            if (!fields.TryNextField(_separator, out ReadOnlySpan<byte> field))
                throw LineError(
                    $"has {place} fields ('{TraceInput.Excerpt(line)}') and column {_lastNeeded + 1} is " +
                    "asked for; correct --csv-columns or the line");
            if (place == _id)
                block.Ids[at] = ParseId(field);
            if (place == _size && block.Sizes.Length > 0)
                block.Sizes[at] = (uint)Math.Min(ParseNumber(field, "size"), uint.MaxValue);
            if (place == _time && block.Times.Length > 0)
                block.Times[at] = ParseTime(field);
        }
    }

    private ulong ParseId(ReadOnlySpan<byte> field)
    {
        if (field is not [(byte)'0', (byte)'x' or (byte)'X', ..])
            return ParseNumber(field, "id");
        NumberStatus status = AsciiNumber.ParseHex(field, out ulong id);
        return status == NumberStatus.Ok ? id : throw LineError(NumberProblem(status, field, "id"));
    }

    private long ParseTime(ReadOnlySpan<byte> field)
    {
        int point = field.IndexOf((byte)'.');
        ulong time = ParseNumber(point > 0 ? field[..point] : field, "time");
        return time <= long.MaxValue
            ? (long)time
            : throw LineError($"has the time {time}, later than any clock shows");
    }
}
