// SPDX-License-Identifier: MIT
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Conversion;

/// <summary>
/// <c>text</c>: <c>PAGE</c> lines, or <c>FILE PAGE r|w</c> where the trace tells files or writes (without files, all are
/// file 0), with the names of the files and the notes of a recording between them.
/// </summary>
internal sealed class TextTraceWriter(Stream stream, ITraceReader reader) : TraceWriter(stream)
{
    private const int LineBytesMax = 64;

    private readonly bool _hasFiles = (reader.Columns & (TraceColumns.File | TraceColumns.Write)) != 0;
    private readonly HashSet<int> _named = [];

    public override TraceColumns Columns => TraceColumns.File | TraceColumns.Write | TraceColumns.Notes;

    public override void Write(TraceBlock block, ReadOnlySpan<ulong> ids)
    {
        if (reader.FileNames.Count > _named.Count) WriteNames();
        int note = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            while (note < block.Notes.Count && block.Notes[note].At <= i) WriteNote(block.Notes[note++]);
            Span<byte> line = Room(LineBytesMax);
            int used = 0;
            if (_hasFiles)
            {
                Utf8Formatter.TryFormat(block.Files.Length > 0 ? block.Files[i] : 0, line, out used);
                line[used++] = (byte)' ';
            }

            Utf8Formatter.TryFormat(ids[i], line[used..], out int digits);
            used += digits;
            if (_hasFiles)
            {
                line[used++] = (byte)' ';
                line[used++] = block.Writes.Length > 0 && block.Writes[i] ? (byte)'w' : (byte)'r';
            }

            line[used++] = (byte)'\n';
            Take(used);
        }

        // Those behind the last request of a block that was not cut.
        if (ids.Length < block.Capacity)
            while (note < block.Notes.Count && block.Notes[note].At <= ids.Length) WriteNote(block.Notes[note++]);
    }

    // Before the requests, since a reader may ask for a name as soon as it meets the file.
    private void WriteNames()
    {
        foreach ((int file, string name) in reader.FileNames)
        {
            if (!_named.Add(file)) continue;
            Append(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"# file {file} {name}\n")));
        }
    }

    private void WriteNote(in TraceNote note) => Append(Encoding.UTF8.GetBytes($"# {note.Format()}\n"));
}
