// SPDX-License-Identifier: MIT
namespace PerfCache.Cache;

/// <summary>Write-back without a flush: by a thread of its own, by a miss that wants room, by a writer at the limit.</summary>
public partial class PageCache<TRules, TProbe>
{
    /// <summary>Pages that the flusher chooses at a time; it then writes them in the order of their numbers.</summary>
    private const int FlusherPagesMax = 1024;

    private Thread? _flusher;
    private AutoResetEvent? _flusherWork;

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
            using (_lock.EnterScope()) why = WhyDirty();
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
        using (_lock.EnterScope())
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
