// SPDX-License-Identifier: MIT
using System.Buffers.Text;
using System.Text;
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Recording;

/// <summary>
/// Writes what a program reads and writes as a trace of <c>FILE PAGE r|w</c> lines, and counts it.
/// </summary>
/// <remarks>
/// Whoever reads the lines alone has the requests. Between them are notes, as comments that other readers skip: what a
/// model of the kernel's readahead and write path wants to know and a page number does not say.
/// <code>
/// # file 1 /data/table.db      file 1 has this name
/// # size 1 2442                and this many pages, when it is first seen
/// # open 1 3                   the next requests of file 1 come through the new open file 3
/// # through 1 2                ... through open file 2, which was known
/// # call 16                    the next 16 lines are one system call
/// # part                       the next page is written in part: what else it holds must be there first
/// # drop 1 100 50              the 50 pages of file 1 from 100 on leave the cache (cut off, removed, told to);
/// # drop 1 100                 without a count, all from 100 on
/// # ahead 1 100 50             the program asked for these pages to be read ahead
/// # advice 1 3 random          it said how it reads through open file 3: random, sequential, normal
/// # map 1 0 80                 it mapped these pages; nobody saw which it used
/// </code>
/// Numbers of open files are used again once they are closed. A page written whole, or beyond what the file held, is a
/// plain w: it needs no read from the disk.
/// </remarks>
public sealed class RecordedTraceWriter : IDisposable
{
    /// <summary>Bytes of a page.</summary>
    public const int PageBytes = 4096;

    private const int BufferBytes = 64 * 1024;
    private const int LineBytesMax = 128;
    private const int TopFilesMax = 5;

    private readonly Stream _stream;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private readonly IdMap _distinct = new(PageNumbering.PerLeaf, hasFiles: true);
    private readonly ulong[] _pages = new ulong[1024];
    private readonly int[] _files = new int[1024];
    private readonly uint[] _numbers = new uint[1024];
    private readonly List<RecordedFileUse> _uses = [];
    private readonly Stack<int> _freeReaders = new();
    private int _readerCount;
    private int _uncounted;
    private int _used;
    private long _requests;
    private long _writes;
    private long _readCalls;
    private long _writeCalls;
    private long _readBytes;
    private long _writtenBytes;
    private long _fileReadBytes;
    private long _fileWrittenBytes;
    private long _directBytes;
    private long _mappings;
    private long _mappedBytes;

    /// <summary>Makes a writer.</summary>
    /// <param name="stream">Receives the trace; stays open.</param>
    public RecordedTraceWriter(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _stream = stream;
        Append("# pages of 4096 bytes, FILE PAGE r|w; the notes between: docs/traces.md\n"u8);
    }

    internal long UnseenOpens { get; set; }

    internal long HiddenReaders { get; set; }

    /// <summary>What was written so far.</summary>
    public RecordSummary Summary
    {
        get
        {
            CountDistinct();
            return new RecordSummary
            {
                Requests = _requests,
                Writes = _writes,
                DistinctPages = _distinct.Pages,
                ReadCalls = _readCalls,
                WriteCalls = _writeCalls,
                ReadBytes = _readBytes,
                WrittenBytes = _writtenBytes,
                FileReadBytes = _fileReadBytes,
                FileWrittenBytes = _fileWrittenBytes,
                DirectBytes = _directBytes,
                Mappings = _mappings,
                MappedBytes = _mappedBytes,
                UnseenOpens = UnseenOpens,
                HiddenReaders = HiddenReaders,
                Files = _uses.Count(use => use.Requests > 0),
                TopFiles =
                [
                    .. _uses.Where(use => use.Requests > 0).OrderByDescending(use => use.Requests).Take(TopFilesMax),
                ],
            };
        }
    }

    /// <summary>Writes out what is buffered.</summary>
    public void Flush()
    {
        _stream.Write(_buffer, 0, _used);
        _used = 0;
        _stream.Flush();
    }

    /// <summary>Gives the native memory of the page counts back; flushes nothing.</summary>
    public void Dispose() => _distinct.Dispose();

    internal static long PagesOf(long bytes) => (bytes / PageBytes) + (bytes % PageBytes == 0 ? 0 : 1);

    internal void CountRead(OpenFile? open, long bytes)
    {
        _readCalls++;
        _readBytes += bytes;
        if (open is null) return;
        _fileReadBytes += bytes;
        if (open.IsDirect) _directBytes += bytes;
    }

    internal void CountWrite(OpenFile? open, long bytes)
    {
        _writeCalls++;
        _writtenBytes += bytes;
        if (open is null) return;
        _fileWrittenBytes += bytes;
        if (open.IsDirect) _directBytes += bytes;
    }

    /// <summary>Bytes were read.</summary>
    internal void Read(OpenFile open, long at, long bytes)
    {
        if (bytes == 0) return;
        Go(open);
        _uses[open.File.Number - 1].ReadBytes += bytes;
        Pages(open.File, at, bytes, isWrite: false);
    }

    /// <summary>Bytes were written; the file's size is still what it was before.</summary>
    internal void Write(OpenFile open, long at, long bytes)
    {
        if (bytes == 0) return;
        Go(open);
        _uses[open.File.Number - 1].WrittenBytes += bytes;
        Pages(open.File, at, bytes, isWrite: true);
    }

    /// <summary>A range was mapped.</summary>
    internal void Map(OpenFile open, long at, long bytes, bool isRead)
    {
        _mappings++;
        _mappedBytes += bytes;
        Go(open);
        Note("map"u8, open.File.Number, at / PageBytes, PagesOf(bytes));
        // Without a known end there is no telling how much of the range exists.
        if (isRead && open.File.SizeBytes >= 0) Pages(open.File, at, bytes, isWrite: false);
    }

    internal void Ahead(OpenFile open, long first, long end)
    {
        if (open.File.SizeBytes >= 0) end = Math.Min(end, PagesOf(open.File.SizeBytes));
        if (end <= first || end == long.MaxValue) return;
        Go(open);
        Note("ahead"u8, open.File.Number, first, end - first);
    }

    internal void Advice(OpenFile open, string advice)
    {
        Go(open);
        Note("advice"u8, open.File.Number, open.Reader, -1, Encoding.ASCII.GetBytes(" " + advice));
    }

    /// <summary>Pages of a file leave the cache.</summary>
    internal void Drop(RecordedFile file, long first, long end)
    {
        if (file.Number == 0 || first >= end) return;
        Note("drop"u8, file.Number, first, end == long.MaxValue ? -1 : end - first);
    }

    internal void FreeReader(OpenFile open)
    {
        if (open.Reader == 0) return;
        _freeReaders.Push(open.Reader);
        if (open.File.LastReader == open.Reader) open.File.LastReader = 0;
        open.Reader = 0;
    }

    /// <summary>Tells what is new about the file and the open file of the next requests.</summary>
    private void Go(OpenFile open)
    {
        RecordedFile file = open.File;
        if (file.Number == 0)
        {
            file.Number = _uses.Count + 1;
            string path = EscapedText.ToLine(file.Path);
            _uses.Add(new RecordedFileUse(file.Number, path));
            Note("file"u8, file.Number, -1, -1, Encoding.UTF8.GetBytes(" " + path));
            if (file.SizeBytes >= 0) Note("size"u8, file.Number, PagesOf(file.SizeBytes));
        }

        if (open.Reader == 0)
        {
            open.Reader = _freeReaders.Count > 0 ? _freeReaders.Pop() : ++_readerCount;
            Note("open"u8, file.Number, open.Reader);
        }
        else if (file.LastReader != open.Reader)
        {
            Note("through"u8, file.Number, open.Reader);
        }

        file.LastReader = open.Reader;
    }

    private void Pages(RecordedFile file, long at, long bytes, bool isWrite)
    {
        long first = at / PageBytes;
        long last = (at + bytes - 1) / PageBytes;
        if (last > first) Note("call"u8, last - first + 1);
        for (long page = first; page <= last; page++)
        {
            if (isWrite && IsPart(file, page, at, at + bytes)) Append("# part\n"u8);
            Request(file.Number, page, isWrite);
        }
    }

    /// <summary>True when the page holds bytes that the write does not cover.</summary>
    private static bool IsPart(RecordedFile file, long page, long at, long end)
    {
        long start = page * PageBytes;
        long held = file.SizeBytes < 0 ? start + PageBytes : Math.Min(file.SizeBytes, start + PageBytes);
        return start < held && (at > start || end < held);
    }

    private void Request(int file, long page, bool isWrite)
    {
        _requests++;
        if (isWrite) _writes++;
        _uses[file - 1].Requests++;
        _files[_uncounted] = file;
        _pages[_uncounted] = (ulong)page;
        if (++_uncounted == _pages.Length) CountDistinct();
        Span<byte> line = Room(LineBytesMax);
        Utf8Formatter.TryFormat(file, line, out int used);
        line[used++] = (byte)' ';
        Utf8Formatter.TryFormat(page, line[used..], out int more);
        used += more;
        line[used++] = (byte)' ';
        line[used++] = isWrite ? (byte)'w' : (byte)'r';
        line[used++] = (byte)'\n';
        _used += used;
    }

    private void CountDistinct()
    {
        _distinct.Map(_pages.AsSpan(0, _uncounted), _files.AsSpan(0, _uncounted), _numbers);
        _uncounted = 0;
    }

    private void Note(
        ReadOnlySpan<byte> word, long first, long second = -1, long third = -1, ReadOnlySpan<byte> text = default)
    {
        Append("# "u8);
        Append(word);
        Number(first);
        if (second >= 0) Number(second);
        if (third >= 0) Number(third);
        Append(text);
        Append("\n"u8);
    }

    private void Number(long number)
    {
        Span<byte> digits = stackalloc byte[24];
        digits[0] = (byte)' ';
        Utf8Formatter.TryFormat(number, digits[1..], out int used);
        Append(digits[..(used + 1)]);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Span<byte> room = Room(1);
            int length = Math.Min(room.Length, bytes.Length);
            bytes[..length].CopyTo(room);
            bytes = bytes[length..];
            _used += length;
        }
    }

    private Span<byte> Room(int bytes)
    {
        if (BufferBytes - _used < bytes)
        {
            _stream.Write(_buffer, 0, _used);
            _used = 0;
        }

        return _buffer.AsSpan(_used);
    }
}
