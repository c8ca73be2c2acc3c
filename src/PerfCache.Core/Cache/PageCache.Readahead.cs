// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using Microsoft.Extensions.ObjectPool;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Pages that come in before anybody asks for them.</summary>
/// <remarks>
/// Sequential reads are served as the kernel's readahead serves them (mm/readahead.c), in spirit:
/// <code>
/// miss p, then miss p + 1          the reader is sequential: the first window, 4 pages, is read behind the missed page
/// first use of a window's marker   its first page: the next window, twice as large up to the maximum, is read while the
///                                  reader goes through this one
/// miss behind a window             the next window came too late or was dropped: it is read now
/// </code>
/// Windows are read by requests of up to 32 neighbours and published as pages that nobody has used: the rule hears of
/// the first use as of a page's first. A hit looks at the mark of its frame only when it changes the referenced byte,
/// so readahead costs nothing to pages that are in use; under a rule without that byte (fifo) there are no markers, and
/// every window waits for the miss behind the one before.
/// It is a hint: where frames are short it is dropped, and failures are counted and kept from everybody.
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>The first window of a reader.</summary>
    private const int FirstWindowPages = 4;

    /// <summary>Pages that one hold of the lock looks at.</summary>
    private const int PagesPerLock = 2 * ReadRequest.PageMax;

    private readonly ReadaheadStreams? _streams;
    private readonly bool _readsAhead;
    private readonly ObjectPool<NextWindow> _windowPool =
        new DefaultObjectPool<NextWindow>(new DefaultPooledObjectPolicy<NextWindow>());

    private long _readaheadPages;
    private long _readaheadHits;
    private long _readaheadWasted;
    private long _readaheadDropped;

    /// <summary>Starts to load pages that are not resident, and waits for none of them. A hint: pages that do not exist
    /// are skipped, pages for which no frame is to be had at once are dropped, and failures are only counted.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="firstPage">The number of the first page.</param>
    /// <param name="count">How many pages.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object; the count is negative.</exception>
    /// <exception cref="InvalidOperationException">The object has no source.</exception>
    public void Prefetch(ObjectId owner, ulong firstPage, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        IPageSource? source = SourceOf(owner);
        ulong end = source?.PageCount ?? 0;
        if (firstPage < end) end = Math.Min(end, firstPage + (ulong)count);
        ulong page = firstPage;
        bool isShort = false;
        do
        {
            RequestChain chain = default;
            ulong stop = Math.Min(end, page + PagesPerLock);
            Enter();
            try
            {
                CheckPage(owner, 0);
                if (source is null) throw NoSource(new PageKey(owner, firstPage & PageKey.PageMax));
                DrainActivations();
                while (page < stop && !isShort)
                {
                    isShort = StartAhead(owner, page, source, ref chain, out _);
                    if (!isShort) page++;
                }

                if (isShort) _readaheadDropped += (long)(end - page);
            }
            finally
            {
                Exit();
            }

            chain.StartAll();
        }
        while (page < end && !isShort);
    }

    /// <summary>Frames that readahead and loads together may have under way: pages ahead of need must not push out those
    /// in use.</summary>
    private static uint AheadFramesMax(uint frameCount) => Math.Max(1, frameCount / 4);

    private bool HasTooManyAhead(Partition partition) =>
        _space.PrivateCount >= AheadFramesMax(FrameCount) || partition.PrivateCount >= AheadFramesMax(partition.FrameCount);

    /// <summary>Under the lock: starts to load a page that nobody asked for.</summary>
    /// <param name="owner">The object.</param>
    /// <param name="page">The page.</param>
    /// <param name="source">Where it comes from.</param>
    /// <param name="chain">Receives the load.</param>
    /// <param name="load">The load, or null when the page is known, or is none.</param>
    /// <returns>True when there is no frame for it.</returns>
    private bool StartAhead(ObjectId owner, ulong page, IPageSource source, ref RequestChain chain, out PageLoad? load)
    {
        load = null;
        PageKey key = new(owner, page);
        if (!_index.IsPage(owner, page) || IsKnown(key)) return false;
        Partition partition = PartitionOf(owner);
        if (HasTooManyAhead(partition) || !TryAllocateFrame(NeedOf(partition, key), out FrameId frame)) return true;
        load = StartLoad(key, frame, pins: 0);
        load.Mark = ReadaheadMark.Unread;
        chain.Add(this, load, source);
        _readaheadPages++;
        return false;
    }

    /// <summary>Under the lock: a page was missed and is being loaded.</summary>
    private void NoteMiss(PageKey key, IPageSource source, ulong pageEnd, ref RequestChain ahead)
    {
        if (source != SourceOf(key.ObjectId) || key.Page == PageKey.PageMax) return;
        PageKey next = new(key.Packed + 1);
        if (_streams!.TryTake(key, out int size))
            StartWindow(next, size == 0 ? FirstWindowPages : 2 * size, source, pageEnd, ref ahead);
        else
            _streams.Expect(next, size: 0);
    }

    /// <summary>Under the lock: reads a window ahead, without its pages that are known.</summary>
    private void StartWindow(PageKey first, int size, IPageSource source, ulong pageEnd, ref RequestChain ahead)
    {
        ObjectId owner = first.ObjectId;
        size = (int)Math.Min(Math.Min((uint)size, (uint)_options.ReadaheadPagesMax),
            Math.Max(1, PartitionOf(owner).FrameCount / 8));
        ulong end = Math.Min(first.Page + (ulong)size, pageEnd);
        PageLoad? marker = null;
        bool isSequential = _tier is not null && IsSequential(first, size);
        for (ulong page = first.Page; page < end; page++)
        {
            if (StartAhead(owner, page, source, ref ahead, out PageLoad? load))
            {
                _readaheadDropped += (long)(end - page);
                end = page;
                size = 0;
                break;
            }

            marker ??= load;
            if (isSequential && load is not null) load.Mark = load.Mark.Sequentially();
        }

        if (marker is not null)
        {
            ReadaheadMark mark = ReadaheadMark.Marker((int)(end - marker.Key.Page));
            marker.Mark = isSequential ? mark.Sequentially() : mark;
        }

        // Where the reader comes to the end of the window and nothing has been read behind it.
        if (end > 0 && end < pageEnd) _streams!.Expect(new PageKey(owner, end), size);
    }

    /// <summary>A hit on a frame that may have been read ahead.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void NoteFirstUse(FrameId frame)
    {
        // Looked at before it is exchanged: mostly there is none, and the exchange would take the line away from others.
        ReadaheadMark mark = _streams!.Mark(frame);
        if (!mark.IsUnread) return;
        NoteFirstUse(_frames.Key(frame), _streams.Exchange(frame, mark.Read()));
    }

    /// <summary>Under the lock: somebody asked for a page that is still being read ahead.</summary>
    private void NoteFirstUse(PageLoad load)
    {
        ReadaheadMark mark = load.Mark;
        load.Mark = mark.Read();
        if (_readsAhead) NoteFirstUse(load.Key, mark);
    }

    private void NoteFirstUse(PageKey key, ReadaheadMark mark)
    {
        if (!mark.IsUnread) return;
        Interlocked.Increment(ref _readaheadHits);
        if (mark.Distance == 0) return;
        // Hits wait for nothing, not even for the lock.
        NextWindow window = _windowPool.Get();
        window.Open(this, key, mark.Distance);
        ThreadPool.UnsafeQueueUserWorkItem(window, preferLocal: false);
    }

    /// <summary>Under the lock: marks the frame of a page that comes in.</summary>
    private void SetMark(FrameId frame, ReadaheadMark mark)
    {
        if (_streams!.Exchange(frame, mark).IsUnread) _readaheadWasted++;
    }

    private void StartNextWindow(PageKey marker, int distance)
    {
        ulong first = marker.Page + (ulong)distance;
        if (first > PageKey.PageMax || SourceOf(marker.ObjectId) is not { } source) return;
        ulong pageEnd;
        try
        {
            pageEnd = source.PageCount;
        }
        // A hint fails silently, whatever the source throws.
        catch (Exception)
        {
            return;
        }

        RequestChain chain = default;
        Enter();
        try
        {
            // The marker's frame may have been another page's by the time its key was read: any page is as good a hint.
            if (_disposed || !_index.IsPage(marker.ObjectId, first)) return;
            DrainActivations();
            StartWindow(new PageKey(marker.ObjectId, first), 2 * distance, source, pageEnd, ref chain);
        }
        finally
        {
            Exit();
        }

        chain.StartAll();
    }

    /// <summary>The work that a marker's first reader leaves to another thread. Pooled.</summary>
    private sealed class NextWindow : IThreadPoolWorkItem
    {
        private PageCache<TRules, TProbe>? _cache;
        private PageKey _marker;
        private int _distance;

        internal void Open(PageCache<TRules, TProbe> cache, PageKey marker, int distance)
        {
            _cache = cache;
            _marker = marker;
            _distance = distance;
        }

        /// <inheritdoc/>
        public void Execute()
        {
            PageCache<TRules, TProbe> cache = _cache!;
            PageKey marker = _marker;
            int distance = _distance;
            _cache = null;
            cache._windowPool.Return(this);
            cache.StartNextWindow(marker, distance);
        }
    }
}
