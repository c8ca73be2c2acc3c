// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Write-back: which pages go together, and what happens to them under the lock.</summary>
/// <remarks>
/// <code>
/// clean ──EndWrite──► dirty ──D1──► being written ──D5──► clean            writeback keeps the frame where it is;
///                       ▲                │                                  dirty beside it says: changed since D2
///                       └── failed, not yet allowed, or changed meanwhile
/// </code>
/// Pages are copied and the copies written, so no writer ever waits for a disk; while a page is copied, a pin keeps
/// writers away as any reader's does, for as long as copying a few pages takes. The price is one copy of a page a
/// write, next to nothing beside the write itself, and a few batches of memory.
/// <para>A5: dirty pages and pages being written are counted by <see cref="DirtyCount"/>, a page that is both once.</para>
/// <para>A6: a frame is being written if and only if one batch under way has it; it is live and keeps its page.</para>
/// <para>The dirty ones are on the <see cref="DirtyList"/>, with invariants of its own.</para>
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    private ObjectWrites?[] _writes = [];
    private DirtyList? _dirty;
    private WriteBatches? _batches;
    private SemaphoreSlim? _batchTurns;
    private long _dirtyCount;
    private long _pagesWritten;
    private long _writeRequests;
    private long _writeFailures;
    private PageKey? _lastBlocked;

    /// <summary>Pages that have been changed and are not yet written to their source.</summary>
    public long DirtyCount => Interlocked.Read(ref _dirtyCount);

    /// <summary>How many pages may be dirty before writers wait.</summary>
    internal long DirtyFramesMax => DirtyFramesMaxOf(FrameCount);

    private long DirtyFramesMaxOf(uint frameCount) =>
        Math.Max(1, (long)(frameCount * _options.WriteBack.DirtyLimit));

    private int WritesUnderWay => _batches?.UnderWay.Count ?? 0;

    private ObjectWrites? WritesOf(ObjectId owner)
    {
        ObjectWrites?[] writes = Volatile.Read(ref _writes);
        return owner.Value < (uint)writes.Length ? writes[owner.Value] : null;
    }

    /// <summary>Before the first write to an object: what is needed to write its pages back.</summary>
    private void PrepareWrites(ObjectId owner, IPageSource source)
    {
        if (WritesOf(owner) is not null) return;
        if (!source.CanWrite)
        {
            throw new InvalidOperationException(
                $"{Name}: the source of object {owner.Value} cannot write; open it for writing, or change no pages of it");
        }

        Enter();
        try
        {
            CheckPage(owner, 0);
            while (_batches is null)
            {
                try
                {
                    _dirty ??= new DirtyList(_frames.FrameCount, _meter);
                    _batches = new WriteBatches(FrameCount, _options.WriteBack.BatchPages, PageBytes, _meter);
                    _batchTurns = new SemaphoreSlim(_batches.Count);
                }
                catch (NativeMemoryException) when (GiveUpFrames(PartitionOf(owner)))
                {
                }
            }

            if (owner.Value >= _writes.Length)
            {
                ObjectWrites?[] more = new ObjectWrites?[_sources.Length];
                _writes.CopyTo(more, 0);
                Volatile.Write(ref _writes, more);
            }

            _writes[owner.Value] ??= new ObjectWrites(source);
            StartFlusher();
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Under the lock: a writer has left a page that was clean before, or is being written.</summary>
    private void NoteDirty(FrameId frame, FrameState before)
    {
        long now = Environment.TickCount64;
        _dirty!.Add(frame, now);
        if (before.Has(FrameState.Writeback)) return;
        PartitionOf(frame).DirtyCount++;
        long count = Interlocked.Increment(ref _dirtyCount);
        if (count == 1 || count == DirtyFramesMax / 2) _flusherWork?.Set();
    }

    /// <summary>Under the lock: a page goes without being written.</summary>
    private void NoteClean(FrameId frame)
    {
        if (!_frames.State(frame).Has(FrameState.Dirty)) return;
        _dirty!.Remove(frame);
        CountWritten(frame);
    }

    private bool IsBeingWritten(FrameId frame) =>
        _frames.State(frame).Has(FrameState.Writeback) && !TProbe.Omits(CacheCheck.WaitForWrite);

    private Task<WriteShortfall?>? FindWrite(ObjectId owner, ulong firstPage, ulong lastPage)
    {
        if (_batches is null) return null;
        foreach (WriteBatch batch in _batches.UnderWay)
            if (batch.Overlaps(owner, firstPage, lastPage)) return batch.Ended.Task;
        return null;
    }

    private void WaitForWrite(Task<WriteShortfall?> underWay, ref Deadline deadline, ObjectId owner)
    {
        if (underWay.Wait(deadline.Left)) return;
        throw new TimeoutException(
            $"{Name}: a write to object {owner.Value} is still under way after {_options.Patience.TotalSeconds:0.###} s; "
            + "look at its source, then invalidate again");
    }

    private void ForgetWrites(ObjectId owner)
    {
        if (owner.Value < (uint)_writes.Length) _writes[owner.Value] = null;
    }

    /// <summary>Under the lock: D1 for a page and its neighbours.</summary>
    /// <param name="seed">The page that is wanted.</param>
    /// <param name="backward">True to take neighbours before it too.</param>
    /// <returns>The batch, or null: the page is clean, or in somebody's hands.</returns>
    private WriteBatch? TryTake(PageKey seed, bool backward)
    {
        ObjectId owner = seed.ObjectId;
        if (WritesOf(owner) is not { } writes || TakeableFrame(owner, seed.Page).IsNone) return null;
        WriteBatch batch = _batches!.Rent();
        ulong first = seed.Page;
        while (backward && first > 0 && seed.Page - first + 1 < (ulong)batch.PagesMax
            && !TakeableFrame(owner, first - 1).IsNone) first--;
        batch.Begin(owner, first, writes.Source);
        for (ulong page = first; batch.Count < batch.PagesMax && page <= PageKey.PageMax; page++)
        {
            FrameId frame = TakeableFrame(owner, page);
            if (frame.IsNone) break;
            Interlocked.Add(ref _heads[frame.Value].Word, FrameState.OnePin);
            _frames.ClearFlags(frame, FrameState.Dirty, thenSet: FrameState.Writeback);
            _dirty!.Remove(frame);
            batch.Add(frame);
        }

        _batches.UnderWay.Add(batch);
        return batch;
    }

    /// <summary>The frame of a page that is dirty, not being written and in no writer's hands; or none.</summary>
    private FrameId TakeableFrame(ObjectId owner, ulong page)
    {
        SlotEntry entry = _index.Entry(_index.FindSlot(owner, page));
        if (!entry.IsFrame) return FrameId.None;
        const ulong Looked = FrameState.Live | FrameState.Dirty | FrameState.Locked | FrameState.Writeback | PinsFull;
        ulong word = Volatile.Read(ref _heads[entry.Frame.Value].Word);
        return (word & Looked) == (FrameState.Live | FrameState.Dirty) ? entry.Frame : FrameId.None;
    }

    /// <summary>D2 and D3.</summary>
    private void CopyBatch(WriteBatch batch)
    {
        if (TProbe.Omits(CacheCheck.PinBeforeCopy))
            for (int i = 0; i < batch.Count; i++) Unpin(batch.Frames[i]);
        TProbe.At(CacheStep.WriteChosen);
        for (int i = 0; i < batch.Count; i++)
        {
            _memory.Page(batch.Frames[i]).CopyTo(batch.Copy(i)); // D2
            if (!TProbe.Omits(CacheCheck.PinBeforeCopy)) Unpin(batch.Frames[i]); // D3
        }

        TProbe.At(CacheStep.WriteCopied);
    }

    private void Unpin(FrameId frame) => Interlocked.Add(ref _heads[frame.Value].Word, FrameState.PinsMask);

    /// <summary>How many bytes of the last page of a run are written: what the source has of it, and whatever somebody
    /// put behind.</summary>
    private int LengthToWrite(WriteBatch batch, int index)
    {
        ulong page = batch.FirstPage + (ulong)index;
        int valid = Math.Clamp(batch.Source.ValidBytes(page, PageBytes), 1, PageBytes);
        if (valid == PageBytes) return PageBytes;
        // Pages behind it are on their way: then this one is not the last any more.
        using (_lock.EnterScope())
            if (_batches!.UnderWay.Any(b => b != batch && b.Overlaps(batch.Owner, page, PageKey.PageMax))) return PageBytes;
        return Math.Max(valid, batch.Copy(index).LastIndexOfAnyExcept((byte)0) + 1);
    }

    /// <summary>D5: the pages are clean, or dirty again; whoever waits is told.</summary>
    private void EndBatch(WriteBatch batch)
    {
        TProbe.At(CacheStep.WriteDone);
        WriteShortfall? shortfall = null;
        TimeSpan retryIn = default;
        int failed = 0;
        int written = 0;
        TaskCompletionSource<WriteShortfall?> ended = batch.Ended;
        PageWriteFailure failure;
        Enter();
        try
        {
            long now = Environment.TickCount64;
            ObjectWrites? writes = WritesOf(batch.Owner);
            for (int i = 0; i < batch.Count; i++)
            {
                WriteFate fate = batch.Fates[i];
                EndWriteOf(batch.Frames[i], fate == WriteFate.Written, now);
                if (fate == WriteFate.Written) written++;
                if (fate is WriteFate.Failed) (shortfall ??= new()).Failed.Add(batch.Key(i));
                if (fate is WriteFate.Blocked) (shortfall ??= new()).Blocked.Add(batch.Key(i));
            }

            failed = shortfall?.Failed.Count ?? 0;
            _pagesWritten += written;
            _writeFailures += failed;
            if (shortfall is { Blocked.Count: > 0 }) _lastBlocked = shortfall.Blocked[0];
            else if (written > 0) _lastBlocked = null;
            if (written > 0 && writes is not null) writes.Written++;
            if (failed > 0 && writes is not null) retryIn = writes.Fail(batch.Cause!, _options.WriteBack.RetryDelay, now);
            else if (written > 0) writes?.Succeed();
            if (shortfall is not null) shortfall.Cause = batch.Cause;
            failure = new PageWriteFailure(batch.Owner, batch.FirstPage, failed, batch.Cause!, retryIn);
            _batches!.UnderWay.Remove(batch);
            _batches.Return(batch);
            NoteEnd();
        }
        finally
        {
            Exit();
        }

        _batchTurns!.Release();
        ended.SetResult(shortfall);
        if (failed > 0) _options.WriteBack.Failed?.Invoke(failure);
    }

    private void EndWriteOf(FrameId frame, bool isWritten, long now)
    {
        bool isDirty = _frames.State(frame).Has(FrameState.Dirty);
        if (isDirty && isWritten && TProbe.Omits(CacheCheck.StaysDirty))
        {
            _dirty!.Remove(frame);
            _frames.ClearFlags(frame, FrameState.Dirty);
            isDirty = false;
        }

        _frames.ClearFlags(frame, FrameState.Writeback, thenSet: isWritten ? 0 : FrameState.Dirty);
        if (isWritten && !isDirty) CountWritten(frame);
        if (!isWritten && !isDirty) _dirty!.Add(frame, now);
        if (_space.IsHeld(frame)) TryReturnHeld(ShareOf(frame), frame);
    }

    private void CountWritten(FrameId frame)
    {
        PartitionOf(frame).DirtyCount--;
        Interlocked.Decrement(ref _dirtyCount);
    }

    /// <summary>Under the lock: why dirty pages are not written, as the end of a message.</summary>
    private string WhyDirty()
    {
        if (_dirtyCount == 0) return "";
        string why = $"; {_dirtyCount} pages are dirty";
        Exception? failure = _writes.Select(writes => writes?.Failure).FirstOrDefault(cause => cause is not null);
        if (failure is not null) why += $"; the last write failed: {failure.Message}";
        if (_lastBlocked is { } key) why += $"; {key} may not be written yet: MayWrite says no";
        return why;
    }

    private void ReleaseWrites()
    {
        _dirty?.Dispose();
        _batches?.Dispose();
    }

    private void ValidateWrites()
    {
        _dirty?.Validate(_frames);
        long counted = 0;
        int writing = 0;
        for (uint row = 1; row <= _frames.FrameCount; row++)
        {
            FrameState state = _frames.State(new FrameId(row));
            if (state.HasAny(FrameState.Dirty | FrameState.Writeback)) counted++;
            if (!state.Has(FrameState.Writeback)) continue;
            writing++;
            Invariant.Check(state.IsLive, nameof(PageCache<TRules>), $"A6: frame {row} live while it is written", row);
        }

        long charged = Sum(static partition => partition.DirtyCount);
        Invariant.Check(
            charged == counted, nameof(PageCache<TRules>), $"A5: {counted} dirty pages in all partitions", charged);
        Invariant.Check(
            counted == _dirtyCount, nameof(PageCache<TRules>), $"A5: {counted} pages dirty or being written", _dirtyCount);
        int inBatches = _batches?.UnderWay.Sum(batch => batch.Count) ?? 0;
        Invariant.Check(
            inBatches == writing, nameof(PageCache<TRules>), $"A6: {inBatches} frames being written", writing);
    }
}
