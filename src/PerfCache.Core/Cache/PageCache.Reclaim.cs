// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Frames: taken, reclaimed, waited for, given up.</summary>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>Held frames that one reclaim looks at: those that were let go meanwhile return to the rule.</summary>
    private const int HeldLookedAtMax = 64;

    /// <summary>How often reclaim is tried without any effect, as the kernel does (mm/memcontrol.c).</summary>
    private const int ReclaimTriesMax = 16;

    /// <summary>Frames that go through limbo together, so that they share the wait for readers.</summary>
    private const uint LimboBatch = 32;

    private Thread? _reclaimer;
    private AutoResetEvent? _reclaimerWork;
    private uint _lowWater;
    private uint _highWater;

    /// <summary>Under the lock: takes a frame for a page that is coming in; it is private until published or freed.</summary>
    /// <param name="leftLock">True when it had to wait without the lock: what the caller knew may have changed.</param>
    /// <exception cref="InvalidOperationException">Every frame is held.</exception>
    private FrameId AllocateFrame(out bool leftLock)
    {
        leftLock = _pool.FreeCount == 0 && ReclaimForMiss();
        FrameId frame = _pool.Allocate();
        _space.PrivateCount++;
        // Once on the way down: waking it with every miss would cost more than reclaiming does.
        if (_pool.FreeCount + 1 == _lowWater) _reclaimerWork?.Set();
        return frame;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool ReclaimForMiss()
    {
        Deadline deadline = new(_options.Patience);
        bool leftLock = false;
        int tries = 0;
        while (true)
        {
            uint inHand = _space.RuleFrameCount;
            if (ReclaimOnce()) return leftLock;
            // Nothing was freed, but frames that were in use left the rule's hands: the next pass sees others. Where the
            // rule has none left, only time can help, if anything is on its way.
            if (!LimboIsFull
                && (_space.RuleFrameCount < inHand || (_space.RuleFrameCount > 0 && ++tries < ReclaimTriesMax))) continue;
            if (!CanHope() || !deadline.Wait()) break;
            leftLock = true;
            _lock.Exit();
            // Where only dirty frames are left, whoever needs one writes them. What the lock protects is as it was.
            if (!WriteSome(ofHeld: true, deadline.Left)) Thread.Sleep(1);
            _lock.Enter();
            ObjectDisposedException.ThrowIf(_disposed, this);
        }

        throw AllInUse();
    }

    private InvalidOperationException AllInUse() => new(
        $"{Name}: all {FrameCount} frames are in use ({_space.Held.Count} leased, being written or dirty, "
        + $"{_space.PrivateCount} being loaded); dispose leases, or make the cache larger{WhyDirty()}");

    /// <summary>One call of the rule, with what belongs to it; none while frames that were evicted before wait for a reader
    /// that has stalled, which would empty the cache to no avail.</summary>
    /// <returns>True when a frame is free.</returns>
    private bool ReclaimOnce()
    {
        ReturnHeld();
        if (_space.Limbo.Count > 0)
        {
            EmptyLimbo();
            if (_pool.FreeCount > 0) return true;
            if (LimboIsFull) return false;
        }

        _rules.Reclaim();
        if (_space.UsesLimbo)
        {
            while (_space.Limbo.Count < LimboBatch && _space.RuleFrameCount > FrameCount / 2 && _rules.Reclaim() > 0) { }
            if (_space.Limbo.Count > 0) EmptyLimbo();
        }

        if (_space.MetDirty) _flusherWork?.Set();
        return _pool.FreeCount > 0;
    }

    /// <summary>Calls the rule until a frame is free: a call may find nothing but frames in use, which the next one does
    /// not see any more.</summary>
    /// <returns>False when there is nothing to reclaim at the moment.</returns>
    private bool ReclaimUntilFree()
    {
        for (uint calls = _space.RuleFrameCount + 1; calls > 0; calls--)
        {
            if (ReclaimOnce()) return true;
            if (_space.RuleFrameCount == 0 || LimboIsFull) break;
        }

        return false;
    }

    /// <summary>True while frames may become free without the caller's doing: loads, writes and readers end.</summary>
    private bool CanHope() => _space.PrivateCount > 0 || _space.Limbo.Count > 0 || _dirtyCount > 0;

    /// <summary>Gives held frames that were let go back to the rule, as pages that come in unread.</summary>
    private void ReturnHeld()
    {
        uint count = Math.Min(HeldLookedAtMax, _space.Held.Count);
        for (uint i = 0; i < count; i++)
        {
            // Those that stay go to the other end: however many they are, each comes up again and again.
            FrameId frame = _space.Held.Tail;
            if (!TryReturnHeld(frame)) _space.Held.MoveToHead(frame);
        }
    }

    /// <returns>False when somebody still holds the frame.</returns>
    private bool TryReturnHeld(FrameId frame)
    {
        FrameState state = new(Volatile.Read(ref _heads[frame.Value].Word));
        if (state.Pins != 0 || state.HasAny(FrameState.HoldMask)) return false;
        _space.LetGo(frame);
        if (state.IsLive) _rules.OnInsert(frame, default, countsAsAccess: false);
        else _space.FreeDead(frame);
        return true;
    }

    /// <summary>Sets the marks for the size, and starts the background thread if there shall be one and is none.</summary>
    private void SetWaterMarks()
    {
        // Between the marks lies a batch of the reclaim, at most a sixteenth of the cache.
        _lowWater = Math.Min(32, FrameCount / 32);
        _highWater = 2 * _lowWater;
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
                lock (_lock)
                {
                    // Gone while this thread waited for the lock: nothing may be touched any more.
                    if (_disposed) return;
                    DrainActivations();
                    uint before = _pool.FreeCount;
                    if (before < _highWater) ReclaimOnce();
                    more = _pool.FreeCount < _highWater && _pool.FreeCount > before;
                }

                ReportEvictions();
            }
        }
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
            catch (NativeMemoryException) when (GiveUpFrames())
            {
            }
        }
    }

    /// <summary>Takes frames out of service so that the index can grow within the bound.</summary>
    /// <returns>False when none could be.</returns>
    private bool GiveUpFrames()
    {
        int count = (int)Math.Min((BytesOfNextIndexGrowth / PageBytes) + 1, _space.RuleFrameCount + _pool.FreeCount);
        return TakeOffline(count, EvictionReason.Reclaimed) > 0;
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
