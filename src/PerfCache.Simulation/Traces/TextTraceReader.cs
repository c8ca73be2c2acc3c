// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// <c>text</c> and <c>lirs</c>: one page number a line, or <c>FILE PAGE [r|w]</c>. Lines that begin with
/// <c>*</c> (markers of the LIRS traces) or <c>#</c> and empty lines are skipped; <c># file N path</c>
/// names file N. The first line with a request decides which of the two forms the trace has, and all others
/// must keep to it.
/// </summary>
internal sealed class TextTraceReader : LineTraceReader
{
    // A trace that names more files than this still reads; only the names of the later ones are dropped.
    private const int FileNamesMax = 1 << 20;

    private readonly Dictionary<int, string> _fileNames = [];
    private readonly List<TraceNote> _earlyNotes = [];
    private readonly bool _hasFiles;

    internal TextTraceReader(TraceInput input, string format) : base(input, format)
    {
        _hasFiles = SkipToFirstRequest(out int words) && words > 1 && format == TraceFormats.Text;
    }

    public override TraceColumns Columns =>
        _hasFiles ? TraceColumns.File | TraceColumns.Write | TraceColumns.Notes : TraceColumns.None;

    public override IReadOnlyDictionary<int, string> FileNames => _fileNames;

    internal override PageForm Form => _hasFiles ? PageForm.FileAndPage : PageForm.Page;

    protected override int ParseLines(ReadOnlySpan<byte> lines, TraceBlock block) =>
        _hasFiles ? ParseFileLines(lines, block) : ParsePageLines(lines, block);

    private int ParsePageLines(ReadOnlySpan<byte> lines, TraceBlock block)
    {
        ulong[] ids = block.Ids;
        int count = 0;
        int at = 0;
        long line = Line;
        while (at < lines.Length && count < ids.Length)
        {
            // Nearly every line is digits and a line feed; whatever is not goes to the careful half from
            // its start.
            int end = Digits(lines, at, out ulong value);
            if (lines[end] == '\n' && (uint)(end - at - 1) < AsciiNumber.SafeDigits)
            {
                ids[count++] = value;
                at = end + 1;
                line++;
                continue;
            }
            Line = line;
            if (ParsePageSlow(LineFields.NextLine(lines, ref at), out value))
                ids[count++] = value;
            line = Line;
        }
        Line = line;
        block.Count = count;
        return at;
    }

    private int ParseFileLines(ReadOnlySpan<byte> lines, TraceBlock block)
    {
        bool wantsFiles = block.Files.Length > 0;
        bool wantsWrites = block.Writes.Length > 0;
        bool wantsNotes = block.Wanted.HasFlag(TraceColumns.Notes);
        if (wantsNotes)
        {
            foreach (TraceNote early in _earlyNotes) block.Notes.Add(early);
            _earlyNotes.Clear();
        }

        int count = 0;
        int at = 0;
        while (at < lines.Length && count < block.Ids.Length)
        {
            int fileEnd = Digits(lines, at, out ulong file);
            int pageStart = fileEnd + 1;
            bool isWrite = false;
            ulong page = 0;
            int pageEnd = lines[fileEnd] == ' ' ? Digits(lines, pageStart, out page) : fileEnd;
            if (lines[pageEnd] == '\n' && file <= int.MaxValue &&
                (uint)(fileEnd - at - 1) < AsciiNumber.SafeDigits &&
                (uint)(pageEnd - pageStart - 1) < AsciiNumber.SafeDigits)
            {
                at = pageEnd + 1;
                Line++;
            }
            else
            {
                ReadOnlySpan<byte> line = LineFields.NextLine(lines, ref at);
                if (!ParseFileSlow(line, out file, out page, out isWrite))
                {
                    if (wantsNotes && TraceNote.TryParse(line, count, out TraceNote note)) block.Notes.Add(note);
                    continue;
                }
            }
            block.Ids[count] = page;
            if (wantsFiles)
                block.Files[count] = (int)file;
            if (wantsWrites)
                block.Writes[count] = isWrite;
            count++;
        }
        block.Count = count;
        return at;
    }

    // Stops at the first byte that is no digit, at the latest at the line feed that ends every line.
    private static int Digits(ReadOnlySpan<byte> lines, int at, out ulong value)
    {
        ulong parsed = 0;
        uint digit;
        while ((digit = lines[at] - (uint)'0') <= 9)
        {
            parsed = parsed * 10 + digit;
            at++;
        }
        value = parsed;
        return at;
    }

    private bool ParsePageSlow(ReadOnlySpan<byte> line, out ulong page)
    {
        page = 0;
        var fields = new LineFields(line);
        ReadOnlySpan<byte> first = fields.NextWord();
        bool isRequest = !IsSkipped(first);
        if (isRequest)
        {
            page = ParseNumber(first, "page number");
            if (!fields.NextWord().IsEmpty)
                throw LineError(
                    $"has more than a page number ('{TraceInput.Excerpt(line)}'); a trace of PAGE lines " +
                    "has one number a line, and FILE PAGE lines must be so from the first line on");
        }
        else
        {
            NoteFileName(line);
        }
        Line++;
        return isRequest;
    }

    private bool ParseFileSlow(ReadOnlySpan<byte> line, out ulong file, out ulong page, out bool isWrite)
    {
        (file, page, isWrite) = (0, 0, false);
        var fields = new LineFields(line);
        ReadOnlySpan<byte> first = fields.NextWord();
        bool isRequest = !IsSkipped(first);
        if (isRequest)
        {
            file = ParseNumber(first, "file number");
            ReadOnlySpan<byte> second = fields.NextWord();
            if (second.IsEmpty)
                throw LineError(
                    $"has one number ('{TraceInput.Excerpt(line)}') where the lines before have FILE PAGE");
            page = ParseNumber(second, "page number");
            if (file > int.MaxValue)
                throw LineError($"has the file number {file}; files are numbered from 0 to {int.MaxValue}");
            isWrite = ParseOperation(fields.NextWord());
            if (!fields.NextWord().IsEmpty)
                throw LineError($"has more than FILE PAGE [r|w]: '{TraceInput.Excerpt(line)}'");
        }
        else
        {
            NoteFileName(line);
        }
        Line++;
        return isRequest;
    }

    private bool ParseOperation(ReadOnlySpan<byte> word) => word switch
    {
        [] or [(byte)'r' or (byte)'R'] => false,
        [(byte)'w' or (byte)'W'] => true,
        _ => throw LineError($"has '{TraceInput.Excerpt(word)}' where r (read) or w (write) should be"),
    };

    private static bool IsSkipped(ReadOnlySpan<byte> firstWord) =>
        firstWord.IsEmpty || firstWord[0] is (byte)'*' or (byte)'#';

    // Comments before the first request are consumed here, so that the columns are known before the first
    // block.
    private bool SkipToFirstRequest(out int words)
    {
        while (true)
        {
            ReadOnlySpan<byte> lines = Input.Lines(Line);
            if (lines.IsEmpty)
                throw Input.Error(
                    "holds no request, only empty and skipped lines; a text trace has one a line");
            int at = 0;
            while (at < lines.Length)
            {
                int next = at;
                ReadOnlySpan<byte> line = LineFields.NextLine(lines, ref next);
                var fields = new LineFields(line);
                if (!IsSkipped(fields.NextWord()))
                {
                    for (words = 1; !fields.NextWord().IsEmpty;)
                        words++;
                    Input.Consume(at);
                    return true;
                }
                NoteFileName(line);
                if (TraceNote.TryParse(line, 0, out TraceNote note)) _earlyNotes.Add(note);
                Line++;
                at = next;
            }
            Input.Consume(at);
        }
    }

    private void NoteFileName(ReadOnlySpan<byte> line)
    {
        var fields = new LineFields(line);
        if (!fields.NextWord().SequenceEqual("#"u8) || !fields.NextWord().SequenceEqual("file"u8))
            return;
        ReadOnlySpan<byte> number = fields.NextWord();
        if (_fileNames.Count >= FileNamesMax ||
            !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int file))
        {
            return;
        }
        int nameAt = line.IndexOf("file"u8) + "file".Length;
        nameAt += line[nameAt..].IndexOf(number) + number.Length;
        _fileNames[file] = TraceInput.OneLine(Encoding.UTF8.GetString(line[nameAt..].Trim((byte)' ')));
    }
}
