// SPDX-License-Identifier: MIT
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>What became of a page in a <see cref="WriteBatch"/>.</summary>
internal enum WriteFate : byte
{
    Pending,
    Written,
    Blocked,
    Failed,
}

/// <summary>Neighbouring pages on their way to their source, and the memory that they are copied to.</summary>
/// <remarks>
/// Fields that say which pages these are change under the cache's lock; the copies and the fates belong to whoever
/// writes the batch.
/// </remarks>
internal sealed unsafe class WriteBatch
{
    private readonly NativePage[] _views;
    private readonly List<ReadOnlyMemory<byte>> _run = [];
    private readonly byte* _copies;
    private readonly int _pageBytes;

    internal WriteBatch(byte* copies, int pagesMax, int pageBytes)
    {
        _copies = copies;
        _pageBytes = pageBytes;
        _views = new NativePage[pagesMax];
        Frames = new FrameId[pagesMax];
        Fates = new WriteFate[pagesMax];
    }

    internal int PagesMax => Frames.Length;

    internal ObjectId Owner { get; private set; }

    internal ulong FirstPage { get; private set; }

    internal int Count { get; private set; }

    internal IPageSource Source { get; private set; } = null!;

    internal FrameId[] Frames { get; }

    internal WriteFate[] Fates { get; }

    internal Exception? Cause { get; set; }

    /// <summary>Ends when the pages are clean or dirty again; with what stayed dirty, or null.</summary>
    internal TaskCompletionSource<WriteShortfall?> Ended { get; private set; } = null!;

    internal void Begin(ObjectId owner, ulong firstPage, IPageSource source)
    {
        Owner = owner;
        FirstPage = firstPage;
        Source = source;
        Count = 0;
        Cause = null;
        Ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    internal void Add(FrameId frame)
    {
        Frames[Count] = frame;
        Fates[Count++] = WriteFate.Pending;
    }

    internal PageKey Key(int index) => new(Owner, FirstPage + (ulong)index);

    internal bool Overlaps(ObjectId owner, ulong firstPage, ulong lastPage) =>
        owner == Owner && firstPage < FirstPage + (ulong)Count && FirstPage <= lastPage;

    /// <summary>The copy of a page.</summary>
    internal Span<byte> Copy(int index) => new(_copies + ((nint)index * _pageBytes), _pageBytes);

    /// <summary>The copies of some pages, the last one cut to <paramref name="lastBytes"/>, as a source wants them.
    /// Good until <see cref="EndRun"/>.</summary>
    internal IReadOnlyList<ReadOnlyMemory<byte>> BeginRun(int first, int count, int lastBytes)
    {
        for (int i = 0; i < count; i++)
        {
            _views[i] = NativePage.Rent(_copies + ((nint)(first + i) * _pageBytes), i == count - 1 ? lastBytes : _pageBytes);
            _run.Add(_views[i].Memory);
        }

        return _run;
    }

    internal void EndRun()
    {
        for (int i = 0; i < _run.Count; i++) _views[i].Return();
        _run.Clear();
    }

    internal void SetPending(WriteFate fate, int first, int count)
    {
        for (int i = first; i < first + count; i++)
            if (Fates[i] == WriteFate.Pending) Fates[i] = fate;
    }
}

/// <summary>The batches of a cache: a few, so that as many requests may be under way. Under the cache's lock.</summary>
internal sealed unsafe class WriteBatches : IDisposable
{
    private const int CountMax = 4;

    private readonly NativeRange _copies;
    private readonly Stack<WriteBatch> _free = [];

    /// <summary>Commits the memory of all batches at once: a cache that is full can then always write, and so become less
    /// full.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    internal WriteBatches(uint frames, int pagesMax, int pageBytes, MemoryMeter meter)
    {
        // A thirty-second of the frames each, so an eighth at most.
        pagesMax = (int)Math.Clamp(frames / 32, 1, (uint)pagesMax);
        Count = (int)Math.Clamp(frames / 64, 1, CountMax);
        long bytes = (long)pagesMax * pageBytes;
        _copies = new NativeRange(
            "copies of pages being written", Count * bytes, OsMemory.PageBytes, shared: false, meter);
        try
        {
            _copies.Commit(Count * bytes);
        }
        catch
        {
            _copies.Dispose();
            throw;
        }

        for (int i = 0; i < Count; i++) _free.Push(new WriteBatch(_copies.Address + (i * bytes), pagesMax, pageBytes));
    }

    /// <summary>All batches.</summary>
    internal int Count { get; }

    /// <summary>Batches under way.</summary>
    internal List<WriteBatch> UnderWay { get; } = [];

    /// <summary>A batch that is free; the caller has waited for a turn, so there is one.</summary>
    internal WriteBatch Rent() => _free.Pop();

    internal void Return(WriteBatch batch) => _free.Push(batch);

    public void Dispose() => _copies.Dispose();
}

/// <summary>What the cache knows about writes to one object. Under the cache's lock.</summary>
internal sealed class ObjectWrites(IPageSource source)
{
    private const int DoublingsMax = 6;

    private int _failures;
    private long _retryAt;

    internal IPageSource Source { get; } = source;

    /// <summary>Requests that have written pages.</summary>
    internal long Written { get; set; }

    /// <summary>How many of them the source's own flush has covered.</summary>
    internal long Flushed { get; set; }

    /// <summary>The last failure, until a write succeeds.</summary>
    internal Exception? Failure { get; private set; }

    internal bool Rests(long nowMilliseconds) => _failures > 0 && nowMilliseconds < _retryAt;

    internal TimeSpan Fail(Exception failure, TimeSpan retryDelay, long nowMilliseconds)
    {
        TimeSpan delay = retryDelay * (1 << Math.Min(_failures++, DoublingsMax));
        _retryAt = nowMilliseconds + (long)delay.TotalMilliseconds;
        Failure = failure;
        return delay;
    }

    internal void Succeed()
    {
        _failures = 0;
        Failure = null;
    }
}
