// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Write-back: who writes, and when: a flush, a thread of its own, a miss, a writer at the limit.</summary>
public partial class PageCache<TRules, TProbe>
{
    /// <summary>Pages that the flusher chooses at a time; it then writes them in the order of their numbers.</summary>
    private const int FlusherPagesMax = 1024;

    /// <summary>When this many pages of a request fail one by one, the rest is not tried.</summary>
    private const int SingleFailuresMax = 4;

    private Thread? _flusher;
    private AutoResetEvent? _flusherWork;

    /// <summary>Writes all pages that are dirty now, in the order of their numbers, and makes the sources durable. Pages
    /// that become dirty meanwhile may or may not be written.</summary>
    /// <param name="cancellation">Ends the waiting. Requests that are under way end by themselves; every page is clean, or
    /// still dirty.</param>
    /// <exception cref="PageWriteException">Pages could not be written, may not be written yet
    /// (<see cref="WriteBackOptions.MayWrite"/>), or were held by a writer for longer than
    /// <see cref="PageCacheOptions.Patience"/>; or a source's own flush failed, and then what was written since its last
    /// one may be lost although the pages are clean. All other pages have been written.</exception>
    public Task FlushAsync(CancellationToken cancellation = default) => FlushCoreAsync(null, cancellation);

    /// <summary>Writes all dirty pages of one object, as <see cref="FlushAsync(CancellationToken)"/> does those of all.</summary>
    /// <param name="owner">The object.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <inheritdoc cref="FlushAsync(CancellationToken)" path="/exception"/>
    public Task FlushAsync(ObjectId owner, CancellationToken cancellation = default) => FlushCoreAsync(owner, cancellation);

    private async Task FlushCoreAsync(ObjectId? owner, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        WriteShortfall shortfall = new();
        List<ulong> keys = [];
        List<Task<WriteShortfall?>> running = [];
        if (!NoteAllDirty(owner, keys, running)) return;
        Deadline deadline = new(_options.Patience);
        while (true)
        {
            keys = await WriteKeysAsync(keys, running, shortfall, waits: true, cancellation).ConfigureAwait(false);
            if (keys.Count == 0) break;
            // In a writer's hands, or changed while they were being written: soon they are not.
            if (deadline.Left == TimeSpan.Zero)
            {
                foreach (ulong key in keys) shortfall.BeingChanged.Add(new PageKey(key));
                break;
            }

            await Task.Delay(1, cancellation).ConfigureAwait(false);
        }

        await FlushSourcesAsync(owner, shortfall, cancellation).ConfigureAwait(false);
        if (!shortfall.IsNone) throw shortfall.ToException(Name);
    }

    /// <summary>What is dirty, sorted, and the requests that are under way.</summary>
    /// <returns>False when nothing was ever written to.</returns>
    private bool NoteAllDirty(ObjectId? owner, List<ulong> keys, List<Task<WriteShortfall?>> running)
    {
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_batches is null) return false;
            for (FrameId frame = _dirty!.Oldest; !frame.IsNone; frame = _dirty.Younger(frame))
            {
                PageKey key = _frames.Key(frame);
                if (owner is null || key.ObjectId == owner) keys.Add(key.Packed);
            }

            foreach (WriteBatch batch in _batches.UnderWay)
                if (owner is null || batch.Owner == owner) running.Add(batch.Ended.Task);
        }
        finally
        {
            Exit();
        }

        keys.Sort();
        return true;
    }

    /// <summary>Writes pages, a few requests at a time.</summary>
    /// <param name="keys">The pages, sorted.</param>
    /// <param name="running">Requests to wait for besides.</param>
    /// <param name="shortfall">Receives what was not written.</param>
    /// <param name="waits">True for a flush: it tries pages that rest after a failure too, and wants to know of those that it
    /// could not have.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <returns>Pages that are dirty and in somebody's hands.</returns>
    private async Task<List<ulong>> WriteKeysAsync(
        List<ulong> keys, List<Task<WriteShortfall?>> running, WriteShortfall shortfall, bool waits,
        CancellationToken cancellation)
    {
        List<ulong> left = [];
        for (int next = 0; next < keys.Count;)
        {
            await _batchTurns!.WaitAsync(cancellation).ConfigureAwait(false);
            WriteBatch? batch = TakeNext(keys, ref next, left, running, waits);
            if (batch is null) break;
            running.Add(batch.Ended.Task);
            // It never throws, and waiting for its end is waiting for the task above.
            _ = WriteBatchAsync(batch);
        }

        foreach (Task<WriteShortfall?> end in running)
            shortfall.Add(await end.WaitAsync(cancellation).ConfigureAwait(false));
        running.Clear();
        return left;
    }

    /// <summary>Takes the next of some pages that can be had, with its neighbours; gives the turn back if none can.</summary>
    private WriteBatch? TakeNext(
        List<ulong> keys, ref int next, List<ulong> left, List<Task<WriteShortfall?>> running, bool waits)
    {
        WriteBatch? batch = null;
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            long now = Environment.TickCount64;
            while (batch is null && next < keys.Count)
            {
                PageKey key = new(keys[next++]);
                if (WritesOf(key.ObjectId) is not { } writes || (!waits && writes.Rests(now))) continue;
                // A flush has met the pages before this one, and takes none twice: one that fails is dirty at once.
                batch = TryTake(key, backward: !waits);
                if (batch is null && waits) NoteTaken(key, left, running);
            }

            while (batch is not null && next < keys.Count && keys[next] <= batch.Key(batch.Count - 1).Packed) next++;

            return batch;
        }
        finally
        {
            Exit();
            if (batch is null) _batchTurns!.Release();
        }
    }

    /// <summary>Under the lock: a page that a flush wants is clean by now, being written, or in a writer's hands.</summary>
    private void NoteTaken(PageKey key, List<ulong> left, List<Task<WriteShortfall?>> running)
    {
        Index.SlotEntry entry = _index.Entry(_index.FindSlot(key.ObjectId, key.Page));
        if (!entry.IsFrame) return;
        FrameState state = _frames.State(entry.Frame);
        if (state.Has(FrameState.Dirty)) left.Add(key.Packed);
        else if (state.Has(FrameState.Writeback)
            && FindWrite(key.ObjectId, key.Page, key.Page) is { } end
            && !running.Contains(end)) running.Add(end);
    }

    /// <summary>D2 to D5 for a batch that was taken. Never throws.</summary>
    private async Task WriteBatchAsync(WriteBatch batch)
    {
        try
        {
            CopyBatch(batch);
            AskMayWrite(batch);
            for (int first = 0; first < batch.Count;)
            {
                int end = first;
                while (end < batch.Count && batch.Fates[end] == WriteFate.Pending) end++;
                if (end > first) await WriteRunAsync(batch, first, end - first).ConfigureAwait(false);
                first = end + 1;
            }
        }
        finally
        {
            EndBatch(batch);
        }
    }

    private async Task WriteRunAsync(WriteBatch batch, int first, int count)
    {
        if (await TryWriteAsync(batch, first, count).ConfigureAwait(false)) return;
        // One bad page must not keep its neighbours dirty for ever.
        int failuresInARow = 0;
        for (int i = first; count > 1 && i < first + count && failuresInARow < SingleFailuresMax; i++)
            failuresInARow = await TryWriteAsync(batch, i, 1).ConfigureAwait(false) ? 0 : failuresInARow + 1;
        batch.SetPending(WriteFate.Failed, first, count);
    }

    private async Task<bool> TryWriteAsync(WriteBatch batch, int first, int count)
    {
        try
        {
            Interlocked.Increment(ref _writeRequests);
            int lastBytes = LengthToWrite(batch, first + count - 1);
            IReadOnlyList<ReadOnlyMemory<byte>> pages = batch.BeginRun(first, count, lastBytes);
            ulong firstPage = batch.FirstPage + (ulong)first;
            // Not cancelled by anybody: others may be waiting for the same request.
            await batch.Source.WriteAsync(firstPage, pages, CancellationToken.None).ConfigureAwait(false);
            batch.SetPending(WriteFate.Written, first, count);
            return true;
        }
        // Whatever the source throws is for whoever flushes, not for the cache to judge.
        catch (Exception failure)
        {
            batch.Cause ??= failure;
            return false;
        }
        finally
        {
            batch.EndRun();
        }
    }

    private void AskMayWrite(WriteBatch batch)
    {
        if (_options.WriteBack.MayWrite is not { } mayWrite) return;
        for (int i = 0; i < batch.Count; i++)
        {
            try
            {
                if (!mayWrite(batch.Owner, batch.FirstPage + (ulong)i, batch.Copy(i))) batch.Fates[i] = WriteFate.Blocked;
            }
            catch (Exception failure)
            {
                batch.Fates[i] = WriteFate.Failed;
                batch.Cause ??= failure;
            }
        }
    }

    private async Task FlushSourcesAsync(ObjectId? owner, WriteShortfall shortfall, CancellationToken cancellation)
    {
        foreach ((ObjectWrites writes, long written) in UnflushedSources(owner))
        {
            try
            {
                await writes.Source.FlushAsync(cancellation).ConfigureAwait(false);
                lock (_lock) writes.Flushed = Math.Max(writes.Flushed, written);
            }
            catch (Exception failure) when (failure is not OperationCanceledException)
            {
                shortfall.Cause ??= failure;
            }
        }
    }

    private List<(ObjectWrites Writes, long Written)> UnflushedSources(ObjectId? owner)
    {
        List<(ObjectWrites, long)> sources = [];
        lock (_lock)
        {
            for (uint i = 0; i < _writes.Length; i++)
            {
                if (_writes[i] is not { } writes || (owner is not null && owner.Value.Value != i)) continue;
                if (writes.Flushed < writes.Written) sources.Add((writes, writes.Written));
            }
        }

        return sources;
    }

    /// <summary>Without the lock: writes one batch on this thread, if there is one and its turn has come.</summary>
    /// <param name="ofHeld">True for what reclaim has set aside, false for what has been dirty longest.</param>
    /// <param name="partition">Whose pages to prefer.</param>
    /// <param name="patience">How long to wait for it; afterwards it goes on alone.</param>
    /// <returns>True when pages were written.</returns>
    private bool WriteSome(bool ofHeld, Partition partition, TimeSpan patience)
    {
        if (_batches is null || !_batchTurns!.Wait(0)) return false;
        WriteBatch? batch = null;
        Enter();
        try
        {
            if (!_disposed) batch = ofHeld ? TakeHeldOfAny(partition) : TakeOldestOfAny(partition);
        }
        finally
        {
            Exit();
            if (batch is null) _batchTurns.Release();
        }

        if (batch is null) return false;
        Task<WriteShortfall?> end = batch.Ended.Task;
        int count = batch.Count;
        _ = WriteBatchAsync(batch);
        if (!end.Wait(patience)) return false;
        return end.Result is not { } shortfall || shortfall.Failed.Count + shortfall.Blocked.Count < count;
    }

    private WriteBatch? TakeHeldOfAny(Partition first)
    {
        WriteBatch? batch = TakeHeld(first);
        // A partition at its limit is not helped by what others write.
        if (batch is not null || !_isPartitioned || first.IsFull) return batch;
        foreach (Partition other in Existing())
            if (other != first && (batch = TakeHeld(other)) is not null) break;
        return batch;
    }

    private WriteBatch? TakeOldestOfAny(Partition first)
    {
        WriteBatch? batch = IsTooDirty(first) ? TakeOldest(first) : null;
        return batch ?? TakeOldest(only: null);
    }

    /// <summary>True when writers to a partition must wait, for the cache's sake or for the partition's.</summary>
    private bool MustThrottle(Partition partition) => DirtyCount >= DirtyFramesMax || IsTooDirty(partition);

    /// <summary>True when a partition has more dirty pages than its own limit bears.</summary>
    private bool IsTooDirty(Partition partition) =>
        _isPartitioned && Volatile.Read(ref partition.DirtyCount) >= DirtyFramesMaxOf(partition.FrameCount);

    /// <summary>A writer waits until fewer pages are dirty, and writes some itself: who makes the work does it.</summary>
    private void Throttle(Partition partition, ref Deadline deadline)
    {
        while (MustThrottle(partition))
        {
            _flusherWork?.Set();
            bool wrote = WriteSome(ofHeld: false, partition, deadline.Left);
            if (wrote ? deadline.Left > TimeSpan.Zero : deadline.Wait()) continue;
            string why;
            lock (_lock) why = WhyDirty();
            string of = DirtyCount >= DirtyFramesMax
                ? $"{DirtyFramesMax} pages" : $"{DirtyFramesMaxOf(partition.FrameCount)} pages of partition '{partition.Name}'";
            throw new TimeoutException(
                $"{Name}: {of} may be dirty (DirtyLimit), and writing has not made them fewer within "
                + $"{_options.Patience.TotalSeconds:0.###} s{why}");
        }
    }

    private void StartFlusher()
    {
        if (_options.WriteBack.FlushInterval == TimeSpan.Zero || _flusher is not null) return;
        _flusherWork = new AutoResetEvent(false);
        _flusher = new Thread(FlushInBackground) { IsBackground = true, Name = $"{Name} flusher" };
        _flusher.Start();
    }

    private void FlushInBackground()
    {
        List<ulong> keys = [];
        while (!_disposed)
        {
            _flusherWork!.WaitOne(DirtyCount == 0 ? Timeout.InfiniteTimeSpan : _options.WriteBack.FlushInterval);
            try
            {
                while (CollectForFlusher(keys))
                {
                    keys.Sort();
                    WriteShortfall shortfall = new();
                    WriteKeysAsync(keys, [], shortfall, waits: false, CancellationToken.None).GetAwaiter().GetResult();
                    // What failed or may not be written yet is tried again later, not at once.
                    if (!shortfall.IsNone) break;
                }
            }
            catch (ObjectDisposedException)
            {
                return;
            }
        }
    }

    private bool CollectForFlusher(List<ulong> keys)
    {
        keys.Clear();
        lock (_lock)
        {
            // Gone while this thread waited for the lock: nothing may be touched any more.
            if (_disposed) return false;
            CollectDue(keys, FlusherPagesMax);
        }

        return keys.Count > 0;
    }

    private void StopFlusher()
    {
        _flusherWork?.Set();
        _flusher?.Join();
        _flusherWork?.Dispose();
    }
}
