// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Frames: taken, reclaimed, waited for, given up.</summary>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>Held frames that one reclaim looks at: those that were let go meanwhile return to the rule.</summary>
    private const int HeldLookedAtMax = 64;

    /// <summary>Frames that go through limbo together, so that they share the wait for readers.</summary>
    private const uint LimboBatch = 32;

    private Thread? _reclaimer;
    private AutoResetEvent? _reclaimerWork;
    private readonly object _endSignal = new();
    private int _endWaiters;
    private long _ends;
    private uint _lowWater;
    private uint _highWater;

    /// <summary>Under the lock: takes a frame for a page that is coming in; it is private until published or freed.</summary>
    /// <param name="need">Whose it will be, and where it may lie.</param>
    /// <param name="leftLock">True when it had to wait without the lock: what the caller knew may have changed.</param>
    /// <exception cref="InvalidOperationException">Every frame is held.</exception>
    private FrameId AllocateFrame(in Need need, out bool leftLock)
    {
        if (_hasNodes) PrepareNode(need);
        leftLock = !HasRoom(need) && ReclaimForMiss(need);
        FrameId frame = TakeFrame(need);
        // Once on the way down: waking it with every miss would cost more than reclaiming does.
        if (!_hasNodes && _pool.FreeCount + 1 == _lowWater) _reclaimerWork?.Set();
        if (_isPartitioned) NoteAllocated(need.Partition!);
        return frame;
    }

    /// <summary>As <see cref="AllocateFrame(in Need, out bool)"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private FrameId AllocateFrame(PageKey key, out bool leftLock) =>
        AllocateFrame(NeedOf(PartitionOf(key.ObjectId), key), out leftLock);

    /// <summary>Takes a private frame where there is nothing to choose and nothing to wait for: the usual insertion.</summary>
    /// <returns>None when <see cref="AllocateFrame(PageKey, out bool)"/> has to be asked.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FrameId TakeFrameAtOnce()
    {
        NodeShare? share = _onlyShare;
        uint free = _pool.FreeCount;
        if (share is null || free == 0) return FrameId.None;
        if (share.Space.FrameLimit != uint.MaxValue && _main.IsFull) return FrameId.None;
        if (free == _lowWater) _reclaimerWork?.Set();
        return share.Space.AllocatePrivate();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool ReclaimForMiss(in Need need)
    {
        Deadline deadline = new(_options.Patience);
        bool leftLock = false;
        int tries = 0;
        while (true)
        {
            uint inHand = InHand(need);
            if (ReclaimOnce(need)) return leftLock;
            // Nothing was freed, but frames that were in use left the rule's hands: the next pass sees others. Where the
            // rule has none left, only time can help, if anything is on its way.
            uint left = InHand(need);
            if (!LimboIsFull && (left < inHand || (left > 0 && ++tries < CacheSpace.ReclaimTriesMax))) continue;
            if (!CanHope(need.Partition!) || !deadline.Wait()) break;
            leftLock = true;
            LeaveToWrite(need.Partition!, deadline.Left);
            if (HasRoom(need)) return true;
        }

        throw AllInUse(need);
    }

    /// <summary>Leaves the lock for a moment. Where only dirty frames are left, whoever needs one writes them; otherwise it
    /// waits until a load, a migration or a write has ended, or for a moment, since leases and readers end silently.
    /// </summary>
    private void LeaveToWrite(Partition partition, TimeSpan patience)
    {
        // The partition stays as long as somebody waits in it.
        partition.WaitingMisses++;
        long seen = _ends;
        _lock.Exit();
        // What the lock protects is as it was.
        if (!WriteSome(ofHeld: true, partition, patience)) WaitForAnEnd(seen);
        _lock.Enter();
        partition.WaitingMisses--;
        ObjectDisposedException.ThrowIf(_disposed, this);
    }

    /// <summary>Something has ended that had a frame: those who wait for one look again. Under the lock.</summary>
    private void NoteEnd()
    {
        _ends++;
        if (Volatile.Read(ref _endWaiters) == 0) return;
        lock (_endSignal) Monitor.PulseAll(_endSignal);
    }

    private void WaitForAnEnd(long seen)
    {
        Interlocked.Increment(ref _endWaiters);
        lock (_endSignal)
        {
            if (Volatile.Read(ref _ends) == seen) Monitor.Wait(_endSignal, millisecondsTimeout: 1);
        }

        Interlocked.Decrement(ref _endWaiters);
    }

    /// <summary>One call of a rule, with what belongs to it; none while frames that were evicted before wait for a reader
    /// that has stalled, which would empty the cache to no avail.</summary>
    /// <param name="need">What a frame is wanted for; perhaps for nobody's sake.</param>
    /// <returns>True when there is a frame for it.</returns>
    private bool ReclaimOnce(in Need need)
    {
        Partition? forWhom = _isPartitioned || _hasNodes ? need.Partition : _main;
        if (forWhom is not null) ReturnHeld(forWhom);
        bool ofOwn = forWhom is { IsFull: true };
        if (_space.Limbo.Count > 0)
        {
            EmptyLimbo();
            if (HasRoom(need)) return true;
            if (LimboIsFull) return false;
        }

        ReclaimSome(need, ofOwn, leave: 0);
        if (_space.UsesLimbo)
        {
            uint leave = FrameCount / 2;
            if (_isPartitioned || _hasNodes) leave = Math.Min(leave, 2 * LimboBatch);
            while (_space.Limbo.Count < LimboBatch && ReclaimSome(need, ofOwn, leave) > 0) { }
            if (_space.Limbo.Count > 0) EmptyLimbo();
        }

        if (_space.MetDirty) _flusherWork?.Set();
        return HasRoom(need);
    }

    /// <summary>Calls rules until a frame is free: a call may find nothing but frames in use, which the next one does
    /// not see any more.</summary>
    /// <returns>False when there is nothing to reclaim at the moment.</returns>
    private bool ReclaimUntilFree(in Need need)
    {
        for (uint calls = _space.RuleFrameCount + 1; calls > 0; calls--)
        {
            if (ReclaimOnce(need) || HasFree(need)) return true;
            if (InHand(need) == 0 || LimboIsFull) break;
        }

        return false;
    }

    /// <summary>Gives held frames that were let go back to their rule, as pages that come in unread.</summary>
    private void ReturnHeld(Partition partition)
    {
        foreach (NodeShare share in partition.Shares)
        {
            FrameList held = share.Space.Held;
            uint count = Math.Min(HeldLookedAtMax, held.Count);
            for (uint i = 0; i < count; i++)
            {
                // Those that stay go to the other end: however many they are, each comes up again and again.
                FrameId frame = held.Tail;
                if (!TryReturnHeld(share, frame)) held.MoveToHead(frame);
            }
        }
    }

    /// <returns>False when somebody still holds the frame.</returns>
    private bool TryReturnHeld(NodeShare share, FrameId frame)
    {
        FrameState state = new(Volatile.Read(ref _heads[frame.Value].Word));
        if (state.Pins != 0 || state.HasAny(FrameState.HoldMask)) return false;
        share.Space.LetGo(frame);
        if (state.IsLive) share.Rules.OnInsert(frame, default, countsAsAccess: false);
        else share.Space.FreeDead(frame);
        return true;
    }

    /// <summary>Sets the marks for the size, and starts the background thread if there shall be one and is none.</summary>
    private void SetWaterMarks()
    {
        // Between the marks lies a batch of the reclaim, at most a sixteenth of the cache.
        _lowWater = Math.Min(32, FrameCount / 32);
        _highWater = 2 * _lowWater;
        if (_isPartitioned) SetPartitionWaterMarks();
        if (_hasNodes) SetNodeWaterMarks();
        if (_lowWater == 0 || !_options.BackgroundReclaim || _reclaimer is not null) return;
        _reclaimerWork = new AutoResetEvent(false);
        _reclaimer = new Thread(ReclaimInBackground) { IsBackground = true, Name = $"{Name} reclaimer" };
        _reclaimer.Start();
    }

    private void ReclaimInBackground()
    {
        while (_reclaimerWork!.WaitOne() && !_disposed)
        {
            for (bool more = true; more && !_disposed;)
            {
                using (_lock.EnterScope())
                {
                    // Gone while this thread waited for the lock: nothing may be touched any more.
                    if (_disposed) return;
                    DrainActivations();
                    more = _hasNodes ? ReclaimAheadOfNodes() : ReclaimAhead();
                    if (_isPartitioned) more |= ReclaimAheadOfLimits();
                }

                ReportEvictions();
            }
        }
    }

    /// <summary>Under the lock, in the background: a batch ahead of need.</summary>
    /// <returns>True when there is more to do.</returns>
    private bool ReclaimAhead()
    {
        uint before = _pool.FreeCount;
        if (before < _highWater) ReclaimOnce(Anywhere(LastTaker.IsFull ? null : LastTaker));
        return _pool.FreeCount < _highWater && _pool.FreeCount > before;
    }

    private void StopReclaimer()
    {
        _reclaimerWork?.Set();
        _reclaimer?.Join();
        _reclaimerWork?.Dispose();
    }

    /// <summary>Makes a leaf, giving up frames if the bound leaves no room for it.</summary>
    private uint AddLeaf(PageKey key)
    {
        while (true)
        {
            try
            {
                return _index.AddLeaf(key.ObjectId, key.Page);
            }
            catch (NativeMemoryException) when (GiveUpFrames(PartitionOf(key.ObjectId)))
            {
            }
        }
    }

    /// <summary>Takes frames out of service so that the index can grow within the bound.</summary>
    /// <param name="forWhom">The partition whose pages want it.</param>
    /// <returns>False when none could be.</returns>
    private bool GiveUpFrames(Partition forWhom)
    {
        int count = (int)Math.Min((BytesOfNextIndexGrowth / PageBytes) + 1, _space.RuleFrameCount + _pools.FreeCount);
        return TakeOffline(count, EvictionReason.Reclaimed, forWhom) > 0;
    }

    /// <summary>What columns grow by, and then some: they grow by an eighth.</summary>
    private long BytesOfNextIndexGrowth => Math.Max(64 * 1024, _index.NativeBytes / 6);

    /// <summary>Leaves the lock, and tells of what was evicted under it.</summary>
    private void Exit()
    {
        bool tell = _space.EvictionLog is { Count: > 0 };
        if (!tell)
        {
            _lock.Exit();
            return;
        }

        ExitAndReport();
    }

    private void ExitAndReport()
    {
        (PageKey Key, EvictionReason Reason)[] evicted = [.. _space.EvictionLog!];
        _space.EvictionLog!.Clear();
        _lock.Exit();
        foreach ((PageKey key, EvictionReason reason) in evicted) _options.Evicted!(key.ObjectId, key.Page, reason);
    }

    private void ReportEvictions()
    {
        if (_space.EvictionLog is null) return;
        _lock.Enter();
        Exit();
    }
}
