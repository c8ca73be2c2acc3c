// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>The size at run time: frames go offline and come back.</summary>
/// <remarks>
/// <para>Rows of the frame table for <see cref="CapacityBytesMax"/> are there from the start, so a size changes page data
/// only. A frame goes <em>offline</em> when its memory goes back to the system; its addresses stay good, so a reader that
/// is late reads zeros and finds out by the version.</para>
/// <para>S1: used bytes are at most <see cref="CapacityBytes"/>, which the meter's limit always equals. Growing raises
/// both before the first page comes; shrinking lowers both after each batch of frames, to what is in use by then or to
/// what was asked for.</para>
/// <para>S2: at most the target (the frames that fit when pages are dense) are online. Fewer, when the index took the
/// room. Frames that were given up for the index come back when an object is removed, whose directory goes, and at each
/// Resize: as many as fit beyond what the index may want next. Its blocks stay with the index, which uses them for its
/// next leaves before it asks for more.</para>
/// <para>S3: the offline list has discarded frames at its head and, behind them, ascending, frames that never had
/// memory. Of several nodes each has such a list, of discarded frames only, because memory is had from the front and the
/// nodes lie one behind the other.</para>
/// <para>S4: frames go and come so that each node has its part of those that are online, as far as what can be
/// reclaimed allows.</para>
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>Frames that change hands in one system call, and the stack that they are gathered on.</summary>
    private const int ResizeRunMax = 64;

    /// <summary>Frames that a resize moves before it lets others have the lock.</summary>
    private const int ResizeBatchMax = 512;

    private readonly Lock _resize = new();
    private uint _frameTarget;

    /// <summary>Changes the bound in bytes while the cache is in use. Shrinking evicts pages and gives their memory back;
    /// growing takes effect as pages come in.</summary>
    /// <param name="capacityBytes">The new <see cref="CapacityBytes"/>: room for the metadata and 8 pages at least, at
    /// most <see cref="CapacityBytesMax"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is not possible, or less than partitions are guaranteed.
    /// </exception>
    /// <exception cref="TimeoutException">Leases, loads or changed pages kept too many frames for longer than
    /// <see cref="PageCacheOptions.Patience"/>: <see cref="CapacityBytes"/> says how far it came.</exception>
    /// <exception cref="NativeMemoryException">The system has no memory to grow by; the bound is raised all the same.
    /// </exception>
    public void Resize(long capacityBytes)
    {
        uint target = FramesFor(capacityBytes, CapacityBytesMax, ref _main.First.Rules);
        if (target < FramesMin && target >= PageCacheOptions.PagesMin) throw LessThanGuaranteed(capacityBytes, target);
        if (capacityBytes > CapacityBytesMax || target < PageCacheOptions.PagesMin)
        {
            throw new ArgumentOutOfRangeException(
                nameof(capacityBytes), capacityBytes,
                $"{Name}: possible is at most CapacityBytesMax ({CapacityBytesMax}) and enough for the metadata and "
                + $"{PageCacheOptions.PagesMin} pages of {PageBytes} bytes ({target} would fit)");
        }

        lock (_resize)
        {
            if (Begin(capacityBytes, target)) Grow();
            else Shrink(capacityBytes);
        }
    }

    private ArgumentOutOfRangeException LessThanGuaranteed(long capacityBytes, uint target) => new(
        nameof(capacityBytes), capacityBytes,
        $"{Name}: {target} pages of {PageBytes} bytes would fit, but partitions are guaranteed "
        + $"{FramesMin - PageCacheOptions.PagesMin} and {PageCacheOptions.PagesMin} must stay free of guarantees; lower "
        + "MinBytes of a partition first");

    /// <summary>Sets what the size shall be.</summary>
    /// <returns>True when the cache grows, and may.</returns>
    private bool Begin(long capacityBytes, uint target)
    {
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            // A guarantee may have been given meanwhile.
            if (target < FramesMin) throw LessThanGuaranteed(capacityBytes, target);
            _frameTarget = target;
            if (capacityBytes < CapacityBytes) return false;
            SetCapacity(capacityBytes);
            return true;
        }
        finally
        {
            Exit();
        }
    }

    private void Grow()
    {
        int came;
        do
        {
            Enter();
            try
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                came = PutOnline(ResizeBatchMax, spareBytes: 0);
                SetWaterMarks();
            }
            finally
            {
                Exit();
            }
        }
        while (came == ResizeBatchMax);
    }

    private void Shrink(long capacityBytes)
    {
        Deadline deadline = new(_options.Patience);
        while (true)
        {
            int taken;
            Enter();
            try
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                DrainActivations();
                taken = TakeOffline((int)Math.Min(FramesTooMany(capacityBytes), ResizeBatchMax), EvictionReason.Resized);
                SetCapacity(Math.Min(CapacityBytes, Math.Max(capacityBytes, UsedBytes)));
                SetWaterMarks();
                if (FramesTooMany(capacityBytes) == 0)
                {
                    SetCapacity(capacityBytes);
                    return;
                }
            }
            finally
            {
                Exit();
            }

            if (taken > 0 || deadline.Wait()) continue;
            throw new TimeoutException(
                $"{Name}: {FramesTooMany(capacityBytes)} frames too many after {_options.Patience.TotalSeconds:0.###} s: "
                + $"CapacityBytes is {CapacityBytes}, not {capacityBytes}; {_space.HeldCount} frames are leased, being "
                + "written or dirty; let them go and resize again");
        }
    }

    /// <summary>Frames that must go before the cache fits into so many bytes.</summary>
    private long FramesTooMany(long capacityBytes)
    {
        long over = (UsedBytes - capacityBytes + PageBytes - 1) / PageBytes;
        return Math.Max(0, Math.Max(over, (long)FrameCount - _frameTarget));
    }

    private void SetCapacity(long bytes)
    {
        CapacityBytes = bytes;
        _meter.SetLimit(bytes);
    }

    /// <summary>At the start: memory for so many frames, dealt out to the nodes; the others go offline.</summary>
    private void EnsureFrames(uint frames)
    {
        while (_space.FrameCount > frames)
        {
            int node = FullestNode(withFree: true);
            _space.OfflineOf(node).PushHead(_pools[node].AllocateLast());
            _space.SetFrameCount(_space.FrameCount - 1);
        }

        if (_space.OfflineCount == 0 || !_hasNodes)
        {
            _memory.EnsureFrames(frames);
            return;
        }

        // Memory is had from the front. What no node needs yet is given back before it was ever touched, a part at a time,
        // for which the bound is raised while nobody is there.
        _meter.SetLimit(CapacityBytes + (ResizeBatchMax * (long)PageBytes));
        List<FrameId> unused = [];
        for (uint end = 0; end < _frames.FrameCount;)
        {
            uint first = end + 1;
            end = (uint)Math.Min(end + (ulong)ResizeBatchMax, _frames.FrameCount);
            _memory.EnsureFrames(end);
            unused.Clear();
            for (uint row = first; row <= end; row++)
                if (_frames.IsOnList(new FrameId(row))) unused.Add(new FrameId(row));
            _memory.Discard(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(unused));
        }

        _meter.SetLimit(CapacityBytes);
    }

    /// <summary>The node that has most of its frames online; nodes without a free frame only if there is no other.</summary>
    private int FullestNode(bool withFree)
    {
        int fullest = -1;
        double most = -1;
        for (int node = 0; node < _pools.NodeCount && _hasNodes; node++)
        {
            if (withFree && _pools[node].FreeCount == 0) continue;
            double part = (double)_space.OnlineCount(node) / _pools[node].FrameCount;
            if (part <= most) continue;
            fullest = node;
            most = part;
        }

        return fullest >= 0 || !withFree ? Math.Max(0, fullest) : FullestNode(withFree: false);
    }

    /// <summary>The node with offline frames that has fewest of its frames online.</summary>
    private int EmptiestNode()
    {
        int emptiest = 0;
        double least = double.MaxValue;
        for (int node = 0; node < _pools.NodeCount && _hasNodes; node++)
        {
            double part = (double)_space.OnlineCount(node) / _pools[node].FrameCount;
            if (_space.OfflineOf(node).Count == 0 || part >= least) continue;
            emptiest = node;
            least = part;
        }

        return emptiest;
    }

    /// <summary>Under the lock: a free frame that may go offline, of the node that has most.</summary>
    /// <returns>None when none can be reclaimed.</returns>
    private FrameId TakeAnyFree(Partition? forWhom)
    {
        if (!_hasNodes)
            return _pool.FreeCount == 0 && !ReclaimUntilFree(Anywhere(forWhom)) ? FrameId.None : _pool.Allocate();
        int node = FullestNode(withFree: false);
        if (_pools[node].FreeCount == 0) ReclaimUntilFree(Just(forWhom, node));
        if (_pools[node].FreeCount == 0 && _pools.FreeCount == 0) ReclaimUntilFree(Anywhere(forWhom));
        return _pools[node].FreeCount > 0 ? _pools[node].Allocate() : _pools[FullestNode(withFree: true)].Allocate();
    }

    /// <summary>Under the lock: evicts and takes frames out of service, and their memory back; never frames that are
    /// guaranteed to a partition.</summary>
    /// <param name="count">The most frames.</param>
    /// <param name="reason">What is told of the pages that go.</param>
    /// <param name="forWhom">The partition for whose sake it is, or null.</param>
    /// <returns>The number of frames.</returns>
    private int TakeOffline(int count, EvictionReason reason, Partition? forWhom = null)
    {
        Span<FrameId> run = stackalloc FrameId[ResizeRunMax];
        int taken = 0;
        int inRun = 0;
        // At its own limit it would be asked alone.
        if (forWhom is { IsFull: true }) forWhom = null;
        _space.ReasonOfReclaim = reason;
        while (taken < count && FrameCount > FramesMin)
        {
            FrameId frame = TakeAnyFree(forWhom);
            if (frame.IsNone) break;
            _space.OfflineOf(_frames.Owner(frame).Node).PushHead(frame);
            _space.SetFrameCount(FrameCount - 1);
            run[inRun++] = frame;
            taken++;
            if (inRun < run.Length) continue;
            _memory.Discard(run);
            inRun = 0;
        }

        _memory.Discard(run[..inRun]);
        _space.ReasonOfReclaim = EvictionReason.Reclaimed;
        return taken;
    }

    /// <summary>Under the lock: brings offline frames back, up to the target and as far as the bound allows.</summary>
    /// <param name="countMax">The most frames.</param>
    /// <param name="spareBytes">Bytes of the bound to leave free.</param>
    /// <returns>The number of frames.</returns>
    private int PutOnline(int countMax, long spareBytes)
    {
        Span<FrameId> run = stackalloc FrameId[ResizeRunMax];
        int came = 0;
        while (came < countMax)
        {
            // A page of the system for knowing which frames are discarded.
            long room = _meter.LimitBytes - UsedBytes - spareBytes - Environment.SystemPageSize;
            long wanted = Math.Min(room / PageBytes, Math.Min(_frameTarget - (long)FrameCount, _space.OfflineCount));
            int count = (int)Math.Min(wanted, Math.Min(run.Length, countMax - came));
            if (count <= 0) break;
            FrameList offline = _space.OfflineOf(EmptiestNode());
            count = (int)Math.Min((uint)count, offline.Count);
            for (int i = 0; i < count; i++)
            {
                run[i] = offline.Head;
                offline.Remove(run[i]);
            }

            GiveMemory(run[..count], offline);
            _space.SetFrameCount(FrameCount + (uint)count);
            for (int i = 0; i < count; i++) _pools.Free(run[i]);
            came += count;
        }

        return came;
    }

    /// <summary>Memory for frames in the order of S3; if it cannot be had, they are offline again.</summary>
    private void GiveMemory(ReadOnlySpan<FrameId> frames, FrameList offline)
    {
        uint highest = _memory.FrameCount;
        int restored = 0;
        while (restored < frames.Length && frames[restored].Value <= highest) restored++;
        try
        {
            _memory.Restore(frames[..restored]);
            if (restored < frames.Length) _memory.EnsureFrames(frames[^1].Value);
        }
        catch (NativeMemoryException)
        {
            _memory.Discard(frames[..restored]);
            for (int i = frames.Length - 1; i >= 0; i--) offline.PushHead(frames[i]);
            throw;
        }
    }

    /// <summary>Under the lock: the index has become smaller, so frames that were given up for it may come back (S2).
    /// </summary>
    private void TakeBackFrames()
    {
        if (FrameCount >= _frameTarget) return;
        try
        {
            PutOnline(ResizeBatchMax, BytesOfNextIndexGrowth);
        }
        catch (NativeMemoryException)
        {
            // The system is short of memory: the cache stays as small as it is until somebody resizes it.
        }
    }
}
