// SPDX-License-Identifier: MIT
using System.Buffers.Binary;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>auto</c>: tells the format from the first bytes, and from the name where the content leaves a choice.
/// It accepts a format only on evidence; a stream of bare ids has none, whatever its width and byte order,
/// so the answer there is a line that lists what to try.
/// </summary>
internal static class FormatDetector
{
    /// <summary>Bytes looked at; enough to see many records and to reach the first request behind
    /// comments.</summary>
    internal const int HeadBytes = 64 * 1024;

    // What only a name can tell.
    private static readonly string[] s_namedFormats =
        [TraceFormats.Vscsi, TraceFormats.Twr, "be32", "be64", "le32", "le64"];

    /// <summary>Names a format, or throws the line that says why it cannot.</summary>
    internal static string Detect(TraceInput input, TraceOptions options)
    {
        input.Ensure(HeadBytes);
        ReadOnlySpan<byte> head = input.Unread[..Math.Min(input.Unread.Length, HeadBytes)];
        string name = NameWithoutCompression(input.Path);
        if (LcsHeader.StartsWithMagic(head))
            return TraceFormats.Lcs;
        return IsText(head) ? DetectText(input, head, name, options) : DetectBinary(input, head, name);
    }

    private static string DetectBinary(TraceInput input, ReadOnlySpan<byte> head, string name)
    {
        // One record has too few bytes to prove a version; two that agree have.
        bool isVscsi = head.Length >= 2 * RecordLayout.Vscsi1.RecordBytes &&
            VscsiTrace.Detect(head) is not null;
        if (isVscsi && (name.EndsWith(".vscsi", StringComparison.OrdinalIgnoreCase) || !IsOracle(head)))
            return TraceFormats.Vscsi;
        if (name.Contains("oracleGeneral", StringComparison.OrdinalIgnoreCase) || IsOracle(head))
            return TraceFormats.Oracle;
        foreach (string format in s_namedFormats)
            if (name.EndsWith("." + format, StringComparison.OrdinalIgnoreCase))
                return format;
        throw input.Error(
            "is binary and neither its content nor its name tells the format; bare ids carry no " +
            "header, so say --format be32, be64, le32, le64, twr or oracle");
    }

    /// <summary>
    /// oracleGeneral has no magic, but its last field points at the next request of the same id, which
    /// random bytes cannot keep up: every pointer is forward, those into the part at hand hit the same id,
    /// no id comes again without having been pointed at, and at least one pointer can be checked. Ascending
    /// numbers, which point forward too, give themselves away by sizes of 0.
    /// </summary>
    private static bool IsOracle(ReadOnlySpan<byte> head)
    {
        RecordLayout layout = RecordLayout.Oracle;
        const long NextMax = 1L << 40;
        int records = head.Length / layout.RecordBytes;
        if (records < 2)
            return false;
        var expected = new Dictionary<ulong, long>();
        uint time = 0;
        int proofs = 0;
        int sized = 0;
        for (int i = 0; i < records; i++)
        {
            ReadOnlySpan<byte> record = head.Slice(i * layout.RecordBytes, layout.RecordBytes);
            uint now = BinaryPrimitives.ReadUInt32LittleEndian(record);
            ulong id = BinaryPrimitives.ReadUInt64LittleEndian(record[layout.Id.Offset..]);
            long next = BinaryPrimitives.ReadInt64LittleEndian(record[layout.Next.Offset..]);
            long position = i + 1;
            bool isLast = next is -1 or long.MaxValue;
            if (now < time || (!isLast && (next <= position || next > NextMax)))
                return false;
            bool isAgain = expected.TryGetValue(id, out long pointed);
            if (isAgain && pointed != position)
                return false;
            expected[id] = isLast ? 0 : next;
            proofs += isAgain || isLast ? 1 : 0;
            sized += record[12..16].ContainsAnyExcept((byte)0) ? 1 : 0;
            time = now;
        }
        // A pointer into the part at hand that no record answered was wrong.
        return proofs > 0 && sized > records / 2 && expected.Values.All(next => next <= 0 || next > records);
    }

    private static string DetectText(
        TraceInput input, ReadOnlySpan<byte> head, string name, TraceOptions options)
    {
        if (options.CsvColumns is not null)
            return TraceFormats.Csv;
        ReadOnlySpan<byte> line = FirstRequest(head, out long number);
        if (line.IsEmpty)
            return TraceFormats.Text;
        byte separator = CsvTraceReader.Separator(line);
        if (line.Contains(separator))
            return DetectSeparated(line, separator);
        List<string> words = Words(line);
        int numbers = words.Count(word => word.Length > 0 && word.All(char.IsAsciiDigit));
        if (numbers == words.Count && words.Count == 4)
            return TraceFormats.Arc;
        if (words.Count <= 3 && numbers == Math.Min(words.Count, 2))
            return name.EndsWith(".lis", StringComparison.OrdinalIgnoreCase)
                ? TraceFormats.Arc
                : TraceFormats.Text;
        if (words is [[_], ['0', 'x' or 'X', ..], ..])
            return TraceFormats.Address;
        throw input.LineError(number,
            $"('{TraceInput.Excerpt(line)}') is of no text format that can be told; say " +
            "--format text, csv, arc, lirs, spc, msr or address");
    }

    private static string DetectSeparated(ReadOnlySpan<byte> line, byte separator)
    {
        List<string> fields = CsvTraceReader.Fields(line, separator);
        string operation = fields.Count > 3 ? fields[3].ToUpperInvariant() : "";
        if (separator != ',')
            return TraceFormats.Csv;
        if (fields.Count >= 6 && (operation is "READ" or "WRITE" || fields[1] is "Hostname"))
            return TraceFormats.Msr;
        return fields.Count >= 5 && operation is "R" or "W" ? TraceFormats.Spc : TraceFormats.Csv;
    }

    // The first line that is neither empty nor skipped by the text formats; a last line may lack its end.
    private static ReadOnlySpan<byte> FirstRequest(ReadOnlySpan<byte> head, out long number)
    {
        if (head.StartsWith("\uFEFF"u8))
            head = head[3..];
        for (number = 1; !head.IsEmpty; number++)
        {
            int length = head.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = (length < 0 ? head : head[..length]).Trim(" \t\r"u8);
            if (!line.IsEmpty && line[0] is not ((byte)'*' or (byte)'#'))
                return line;
            head = length < 0 ? [] : head[(length + 1)..];
        }
        return [];
    }

    private static List<string> Words(ReadOnlySpan<byte> line)
    {
        const int WordsMax = 8;
        var words = new List<string>();
        var fields = new LineFields(line);
        while (words.Count < WordsMax && fields.NextWord() is { IsEmpty: false } word)
            words.Add(TraceInput.Excerpt(word));
        return words;
    }

    private static bool IsText(ReadOnlySpan<byte> head)
    {
        const byte Tab = 9;
        foreach (byte letter in head)
            if (letter < ' ' && letter is not (Tab or (byte)'\n' or (byte)'\r'))
                return false;
        return true;
    }

    private static string NameWithoutCompression(string path)
    {
        string name = Path.GetFileName(path);
        return Path.GetExtension(name).ToUpperInvariant() is ".GZ" or ".ZST"
            ? Path.GetFileNameWithoutExtension(name)
            : name;
    }
}
