// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>The size at run time: frames go offline and come back.</summary>
/// <remarks>
/// <para>Rows of the frame table for <see cref="CapacityBytesMax"/> are there from the start, so a size changes page data
/// only. A frame goes <em>offline</em> when its memory goes back to the system; its addresses stay good, so a reader that
/// is late reads zeros and finds out by the version.</para>
/// <para>R1: used bytes are at most <see cref="CapacityBytes"/>, which the meter's limit always equals. Growing raises
/// both before the first page comes; shrinking lowers both after each batch of frames, to what is in use by then or to
/// what was asked for.</para>
/// <para>R2: at most the target (the frames that fit when pages are dense) are online. Fewer, when the index took the
/// room. Frames that were given up for the index come back when an object is removed, whose directory goes, and at each
/// Resize: as many as fit beyond what the index may want next. Its blocks stay with the index, which uses them for its
/// next leaves before it asks for more.</para>
/// <para>R3: the offline list has discarded frames at its head and, behind them, ascending, frames that never had
/// memory.</para>
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
        uint target = FramesFor(capacityBytes, CapacityBytesMax, ref _main.Rules);
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

    private void TakeUnusedOffline(uint frames)
    {
        while (_space.FrameCount > frames)
        {
            _space.Offline.PushHead(_pool.AllocateLast());
            _space.SetFrameCount(_space.FrameCount - 1);
        }
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
        if (forWhom is { Space.IsFull: true }) forWhom = null;
        _space.ReasonOfReclaim = reason;
        while (taken < count && FrameCount > FramesMin)
        {
            if (_pool.FreeCount == 0 && !ReclaimUntilFree(forWhom)) break;
            FrameId frame = _pool.Allocate();
            _space.Offline.PushHead(frame);
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
            long wanted = Math.Min(room / PageBytes, Math.Min(_frameTarget - (long)FrameCount, _space.Offline.Count));
            int count = (int)Math.Min(wanted, Math.Min(run.Length, countMax - came));
            if (count <= 0) break;
            for (int i = 0; i < count; i++)
            {
                run[i] = _space.Offline.Head;
                _space.Offline.Remove(run[i]);
            }

            GiveMemory(run[..count]);
            _space.SetFrameCount(FrameCount + (uint)count);
            for (int i = 0; i < count; i++) _pool.Free(run[i]);
            came += count;
        }

        return came;
    }

    /// <summary>Memory for frames in the order of R3; if it cannot be had, they are offline again.</summary>
    private void GiveMemory(ReadOnlySpan<FrameId> frames)
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
            for (int i = frames.Length - 1; i >= 0; i--) _space.Offline.PushHead(frames[i]);
            throw;
        }
    }

    /// <summary>Under the lock: the index has become smaller, so frames that were given up for it may come back (R2).
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
