// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// Replays a trace as the kernel would serve it: with readahead, whole-page writes that need no read, and files that
/// have an end. The cache below is the one of every other replay.
/// </summary>
/// <remarks>
/// <para>Requests drive the readahead state of the open file that they come through (<see cref="KernelReadahead"/>). What
/// it wants is inserted as pages that nobody has used; the rule hears of the first use as of any hit. A request whose page
/// is missing is a miss; those that readahead saved are hits, and every page read is a disk read.</para>
/// <para>A trace that has notes (see RecordedTraceWriter) tells sizes of files, open files, lengths of calls and partial
/// writes. One that has none has one reader a file, calls of one page, files without an end and writes of whole pages.</para>
/// <para>Dirty pages leave by eviction only; the kernel would also write them for their age. Pages that are dropped are
/// gone, dirty or not.</para>
/// </remarks>
internal sealed class ReadaheadModel(IFileCache cache, int readaheadMax) : DiskModel
{
    /// <summary>The pages of the largest file that is followed: 16 TiB.</summary>
    public const ulong FilePagesMax = 1UL << 32;

    private readonly Dictionary<int, FileState> _files = [];
    private readonly Dictionary<int, ReaderState> _readers = [];
    private readonly HashSet<PageKey> _dirty = [];
    private readonly HashSet<PageKey> _markers = [];
    private long _callRemaining;
    private bool _isPart;
    private int _nextNote;
    private long _writes;
    private long _diskReads;
    private long _readaheadPages;
    private long _writeBacks;

    public override DiskTraffic Traffic
    {
        get
        {
            long resident = _dirty.LongCount(key => cache.Contains(key.ObjectId, key.Page));
            return new DiskTraffic
            {
                ReadaheadMax = readaheadMax,
                Writes = _writes,
                DiskReads = _diskReads,
                ReadaheadPages = _readaheadPages,
                WriteBacks = _writeBacks + _dirty.Count - resident,
                DirtyPages = resident,
            };
        }
    }

    public override void EndWarmup() => (_writes, _diskReads, _readaheadPages, _writeBacks) = (0, 0, 0, 0);

    public override void Replay(ReplayBlock block, int start, int end, Span<byte> outcomes)
    {
        TraceBlock recorded = block.Recorded!;
        if (start == 0) _nextNote = 0;
        for (int i = start; i < end; i++)
        {
            TakeNotes(recorded, i);
            FileState file = FileOf(recorded.Files[i]);
            if (recorded.Ids[i] >= FilePagesMax)
            {
                throw new TraceFormatException($"the trace asks for page {recorded.Ids[i]} of file {recorded.Files[i]}; "
                    + $"--readahead follows files of at most {FilePagesMax} pages; leave it out");
            }

            long page = (long)recorded.Ids[i];
            bool isWrite = recorded.Writes.Length > 0 && recorded.Writes[i];
            bool isHit = isWrite ? Write(file, page) : Read(file, page);
            if (!outcomes.IsEmpty) outcomes[i - start] = isHit ? ReplayCell.Hit : ReplayCell.Miss;
            if (_callRemaining > 0) _callRemaining--;
            _isPart = false;
            // The kernel notes where a read ended when the whole call has.
            if (_callRemaining == 0 && !isWrite) file.Reader.Readahead.Expected = page + 1;
        }

        if (end == block.Count) TakeNotes(recorded, end);
    }

    private void TakeNotes(TraceBlock recorded, int before)
    {
        while (_nextNote < recorded.Notes.Count && recorded.Notes[_nextNote].At <= before)
            Take(recorded.Notes[_nextNote++]);
    }

    private bool Read(FileState file, long page)
    {
        long asked = Math.Max(1, _callRemaining);
        file.Grow(page + 1);
        PageKey key = new(file.Owner, (ulong)page);
        ReaderState reader = file.Reader;
        if (cache.Contains(file.Owner, key.Page))
        {
            if (_markers.Remove(key))
                Fetch(file, reader.Readahead.Marked(page, asked, readaheadMax, file.IsCached), page, page - 1);
            cache.Access(file.Owner, key.Page, ref reader.Reader);
            return true;
        }

        ReadaheadRun run = reader.Readahead.Miss(page, asked, readaheadMax, file.IsCached);
        _markers.Remove(key);
        NoteWriteBack(key);
        cache.Access(file.Owner, key.Page, ref reader.Reader);
        _diskReads++;
        Fetch(file, run, page, page + asked - 1);
        return false;
    }

    private bool Write(FileState file, long page)
    {
        _writes++;
        PageKey key = new(file.Owner, (ulong)page);
        bool isHit = cache.Contains(file.Owner, key.Page);
        if (!isHit)
        {
            NoteWriteBack(key);
            _markers.Remove(key);
            if (_isPart && page < file.Pages) _diskReads++;
        }

        cache.Access(file.Owner, key.Page, ref file.Reader.Reader);
        file.Grow(page + 1);
        _dirty.Add(key);
        return isHit;
    }

    /// <summary>Reads pages that are not there.</summary>
    /// <param name="file">The file.</param>
    /// <param name="run">The pages.</param>
    /// <param name="present">A page that is there already.</param>
    /// <param name="lastAsked">The last page that the call asked for; those behind it are read ahead.</param>
    private void Fetch(FileState file, ReadaheadRun run, long present, long lastAsked)
    {
        long end = Math.Min(run.First + run.Count, file.Pages);
        for (long page = run.First; page < end; page++)
        {
            if (page == present || !cache.Insert(file.Owner, (ulong)page)) continue;
            PageKey key = new(file.Owner, (ulong)page);
            NoteWriteBack(key);
            _diskReads++;
            if (page > lastAsked) _readaheadPages++;
            if (page == run.Marker) _markers.Add(key);
            else _markers.Remove(key);
        }
    }

    /// <summary>A page comes in: if it was dirty, it went by way of the disk.</summary>
    private void NoteWriteBack(PageKey key)
    {
        if (_dirty.Count > 0 && _dirty.Remove(key)) _writeBacks++;
    }

    private void Take(TraceNote note)
    {
        switch (note.Kind)
        {
            case TraceNoteKind.Call:
                _callRemaining = note.First;
                break;
            case TraceNoteKind.Part:
                _isPart = true;
                break;
            case TraceNoteKind.Size:
                FileOf(note.File).SetPages(note.First);
                break;
            case TraceNoteKind.Open:
                FileOf(note.File).Reader = _readers[(int)note.First] = new ReaderState();
                break;
            case TraceNoteKind.Through:
                FileOf(note.File).Reader = ReaderOf(note.First);
                break;
            case TraceNoteKind.Drop:
                Drop(FileOf(note.File), note.First, note.Count);
                break;
            case TraceNoteKind.Ahead:
                Fetch(FileOf(note.File), new ReadaheadRun(note.First, AheadCount(note), -1), -1, -1);
                break;
            default:
                KernelReadahead readahead = ReaderOf(note.First).Readahead;
                readahead.IsRandom = note.Kind == TraceNoteKind.Random;
                readahead.IsSequential = note.Kind == TraceNoteKind.Sequential;
                break;
        }
    }

    // A note may ask for anything; a cache cannot hold more than it holds.
    private long AheadCount(TraceNote note) =>
        Math.Min(Math.Min(note.Count, cache.Frames), (long)FilePagesMax - Math.Min(note.First, (long)FilePagesMax));

    private void Drop(FileState file, long first, long count)
    {
        if (first > (long)FilePagesMax) return;
        cache.Remove(file.Owner, (ulong)first, (ulong)count);
        long end = count > long.MaxValue - first ? long.MaxValue : first + count;
        _dirty.RemoveWhere(key => key.ObjectId == file.Owner && (long)key.Page >= first && (long)key.Page < end);
        if (count == long.MaxValue) file.Cut(first);
    }

    private ReaderState ReaderOf(long number)
    {
        if (!_readers.TryGetValue((int)number, out ReaderState? reader))
            _readers[(int)number] = reader = new ReaderState();
        return reader;
    }

    private FileState FileOf(int number)
    {
        if (!_files.TryGetValue(number, out FileState? file))
            _files[number] = file = new FileState(cache, cache.AddFile());
        return file;
    }

    /// <summary>An open file.</summary>
    private sealed class ReaderState
    {
        public PageReader Reader;

        public KernelReadahead Readahead { get; } = new();
    }

    private sealed class FileState
    {
        public FileState(IFileCache cache, ObjectId owner)
        {
            Owner = owner;
            IsCached = page => cache.Contains(owner, (ulong)page);
        }

        public ObjectId Owner { get; }

        /// <summary>The open file that requests come through.</summary>
        public ReaderState Reader { get; set; } = new();

        /// <summary>Its size; without end where the trace does not tell.</summary>
        public long Pages { get; private set; } = (long)FilePagesMax;

        public Func<long, bool> IsCached { get; }

        public void SetPages(long pages) => Pages = Math.Min(pages, (long)FilePagesMax);

        public void Grow(long pages) => Pages = Math.Max(Pages, pages);

        public void Cut(long pages) => Pages = Math.Min(Pages, pages);
    }
}
