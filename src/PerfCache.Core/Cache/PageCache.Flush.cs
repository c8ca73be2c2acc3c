// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Write-back: a flush writes what is dirty, a few requests at a time, and makes the sources durable.</summary>
public partial class PageCache<TRules, TProbe>
{
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

    private async Task FlushSourcesAsync(ObjectId? owner, WriteShortfall shortfall, CancellationToken cancellation)
    {
        foreach ((ObjectWrites writes, long written) in UnflushedSources(owner))
        {
            try
            {
                await writes.Source.FlushAsync(cancellation).ConfigureAwait(false);
                using (_lock.EnterScope()) writes.Flushed = Math.Max(writes.Flushed, written);
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
        using (_lock.EnterScope())
        {
            for (uint i = 0; i < _writes.Length; i++)
            {
                if (_writes[i] is not { } writes || (owner is not null && owner.Value.Value != i)) continue;
                if (writes.Flushed < writes.Written) sources.Add((writes, writes.Written));
            }
        }

        return sources;
    }
}
