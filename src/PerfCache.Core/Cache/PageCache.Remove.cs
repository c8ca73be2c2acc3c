// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Pages that go because somebody says so; the end of the cache.</summary>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>Forgets a page. Leases of it keep their bytes; changes that were not written are lost; a load under way
    /// begins again, so whoever asks afterwards sees the source's newer state. A write to the source that is under way is
    /// waited for, and none of these pages begins afterwards: nothing older than this call is written once it has
    /// returned.</summary>
    /// <returns>True when the page was resident.</returns>
    /// <exception cref="TimeoutException">A write has not ended within <see cref="PageCacheOptions.Patience"/>: pages that
    /// are being written are still there.</exception>
    public bool Invalidate(ObjectId owner, ulong page) => InvalidateRange(owner, page, 1) > 0;

    /// <summary>Forgets a range of pages, as <see cref="Invalidate"/> does one.</summary>
    /// <returns>The number of pages that were resident.</returns>
    public long InvalidateRange(ObjectId owner, ulong firstPage, ulong pageCount)
    {
        if (pageCount == 0 || firstPage > PageKey.PageMax) return 0;
        ulong lastPage = pageCount - 1 > PageKey.PageMax - firstPage ? PageKey.PageMax : firstPage + pageCount - 1;
        return InvalidateAndWait(owner, firstPage, lastPage, thenRemoveObject: false);
    }

    /// <summary>Forgets all pages of an object, as <see cref="Invalidate"/> does one.</summary>
    /// <returns>The number of pages that were resident.</returns>
    public long InvalidateObject(ObjectId owner) => InvalidateRange(owner, 0, PageKey.PageMax + 1);

    /// <summary>Forgets an object and all its pages; its number is not used again.</summary>
    /// <returns>The number of pages that were resident.</returns>
    public long RemoveObject(ObjectId owner)
    {
        return InvalidateAndWait(owner, 0, PageKey.PageMax, thenRemoveObject: true);
    }

    /// <summary>Invalidates what is not being written, waits for the writes, and looks again: a page that is being written
    /// stays until its write has ended, so that nobody reads it from the source before.</summary>
    private long InvalidateAndWait(ObjectId owner, ulong firstPage, ulong lastPage, bool thenRemoveObject)
    {
        Deadline deadline = new(_options.Patience);
        long removed = 0;
        while (true)
        {
            Task<WriteShortfall?>? underWay;
            Enter();
            try
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                if (!_index.IsPage(owner, thenRemoveObject ? 0 : firstPage)) return removed;
                removed += InvalidateCore(owner, firstPage, lastPage);
                underWay = FindWrite(owner, firstPage, lastPage);
                if (underWay is null || TProbe.Omits(CacheCheck.WaitForWrite))
                {
                    if (!thenRemoveObject) return removed;
                    _index.RemoveObject(owner);
                    _sources[owner.Value] = null;
                    PartitionOf(owner).ObjectCount--;
                    _placementOfObject.Remove(owner.Value);
                    ForgetWrites(owner);
                    TakeBackFrames();
                    return removed;
                }
            }
            finally
            {
                Exit();
            }

            WaitForWrite(underWay, ref deadline, owner);
        }
    }

    private long InvalidateCore(ObjectId owner, ulong firstPage, ulong lastPage)
    {
        DrainActivations();
        _tier?.Forget(owner, firstPage, lastPage);
        foreach ((ulong packed, PageLoad load) in _loads)
        {
            PageKey key = new(packed);
            if (key.ObjectId == owner && key.Page >= firstPage && key.Page <= lastPage) load.IsStale = true;
        }

        // A stale load is nobody's any more: whoever misses the page now starts another.
        if (_loads.Count > 0) ForgetStaleLoads();
        long removed = 0;
        _index.Walk(owner, firstPage, lastPage, (_, address, entry) =>
        {
            if (entry.IsShadow) _space.ClearShadow(address);
            if (!entry.IsFrame || IsBeingWritten(entry.Frame)) return;
            RemoveFrame(entry.Frame, EvictionReason.Invalidated);
            removed++;
        });
        _removals += removed;
        return removed;
    }

    private void ForgetStaleLoads()
    {
        foreach (KeyValuePair<ulong, PageLoad> pair in _loads)
            if (pair.Value.IsStale) _loads.Remove(pair.Key);
    }

    private void RemoveFrame(FrameId frame, EvictionReason reason)
    {
        NoteClean(frame);
        NodeShare share = ShareOf(frame);
        if (_space.IsHeld(frame)) share.Space.LetGo(frame);
        else share.Rules.OnRemove(frame);
        share.Space.RemoveShared(frame, reason);
    }

    /// <summary>Ends the cache: waits for leases and for writes that are under way, then gives all memory back. Call it
    /// once no thread uses the cache. Changes that were not written are lost: to keep them, call
    /// <see cref="FlushAsync(CancellationToken)"/> first, which says what it could not write.</summary>
    /// <exception cref="TimeoutException">Leases are out after <see cref="PageCacheOptions.Patience"/>: the memory stays
    /// mapped, so that those who hold them read no one else's bytes, and Dispose may be called again.</exception>
    public void Dispose()
    {
        Deadline deadline = new(_options.Patience);
        if (!_disposed) _shutdown.Cancel();
        while (true)
        {
            Enter();
            // The index must not be looked at any more: the flag comes first, then every reader ends in the slow path.
            _disposed = true;
            long leases = CountLeases();
            if (leases == 0 && _space.PrivateCount == 0 && WritesUnderWay == 0)
            {
                if (!_released) Release();
                _lock.Exit();
                break;
            }

            _lock.Exit();
            if (deadline.Wait()) continue;
            throw new TimeoutException(
                $"{Name}: {leases} leases are out, {_space.PrivateCount} loads and {WritesUnderWay} writes under way "
                + $"{_options.Patience.TotalSeconds:0.###} s after Dispose; dispose the leases, then call it again");
        }

        StopReclaimer();
        StopFlusher();
        GC.SuppressFinalize(this);
    }

    private bool _released;

    private long CountLeases()
    {
        if (_released) return 0;
        long leases = 0;
        for (uint row = 1; row <= _frames.FrameCount; row++)
            leases += new FrameState(Volatile.Read(ref _heads[row].Word)).Pins;
        for (uint row = 0; row < _readerHighWater; row++)
            if (Volatile.Read(ref ReaderEpoch(row)) != 0) leases++;
        return leases;
    }

    private void Release()
    {
        _released = true;
        PageCacheMetrics.Remove(this);
        _space.Dispose();
        ShowDirectories();
        _memory.Dispose();
        _activations.Dispose();
        _readerEpochs?.Dispose();
        ReleaseWrites();
        _streams?.Dispose();
        _shutdown.Dispose();
    }
}
