// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Policies.Flipping;

/// <summary>The free memory of a domain, as its exchange policy sees it: real frames, or a model's.</summary>
public interface IDomainFrames
{
    /// <summary>Takes any free frame.</summary>
    bool TryAllocate(out FrameId frame);

    /// <summary>Takes the frame that was freed last.</summary>
    bool TryAllocateLastFreed(out FrameId frame);

    /// <summary>Frees a frame for whatever the domain needs next.</summary>
    void Free(FrameId frame);

    /// <summary>Whether a frame lies on the domain's home node.</summary>
    bool IsLocal(FrameId frame);
}

/// <summary>How a domain exchanges frames.</summary>
public sealed record FrameExchangeOptions
{
    /// <summary>Which free frame goes back.</summary>
    public GiveBack GiveBack { get; init; }

    /// <summary>The pool; needed for <see cref="GiveBack.Pool"/>, and refused otherwise.</summary>
    public PoolSizingOptions? Pool { get; init; }

    /// <summary>Watches the run to find the size of a static pool; or nothing.</summary>
    public PoolCalibration? Calibration { get; init; }
}

/// <summary>
/// What a receiving domain does about frames: which free frame it gives for a flipped one, and where a frame goes
/// that came with a flip and was consumed. One object for each domain; the same code drives real rings and the
/// study in virtual time.
/// </summary>
/// <remarks>
/// With a pool, the frames of the pool are allocated when it is made and when it grows, and stay withheld from the
/// rest of the domain. A take from an empty pool allocates instead; so more is out than the pool's size, and what
/// comes back first is freed, remote as it is. That is how a pool smaller than a burst lets memory drift.
/// A consumed frame is freed by the same call that a domain without a pool uses, so nobody downstream need know.
/// Verbs take the time and return the next deadline; nothing waits, and one thread at a time is inside.
/// </remarks>
public sealed class FrameExchange
{
    private readonly IDomainFrames _frames;
    private readonly GiveBack _giveBack;
    private readonly PoolCalibration? _calibration;
    private readonly PoolSizing? _sizing;
    private readonly ExchangePool? _pool;
    private readonly Func<FrameId, bool> _isLocal;

    /// <summary>Makes the policy of a domain, and fills its pool if it has one.</summary>
    /// <exception cref="ArgumentException">The options contradict one another.</exception>
    public FrameExchange(FrameExchangeOptions options, IDomainFrames frames, long nowTicks)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(frames);
        if (options.GiveBack == GiveBack.Pool != options.Pool is not null)
            throw new ArgumentException("a pool is needed where frames are given back from it, and nowhere else");
        (_frames, _giveBack, _calibration) = (frames, options.GiveBack, options.Calibration);
        _isLocal = frames.IsLocal;
        if (options.Pool is null) return;
        _sizing = new PoolSizing(options.Pool, nowTicks);
        _pool = new ExchangePool(_sizing.SizeFrames);
        Fill();
        _pool.StartPeriod();
        LargestPoolFrames = _pool.SizeFrames;
    }

    /// <summary>The pool, for looking; nothing where there is none.</summary>
    public ExchangePool? Pool => _pool;

    /// <summary>The largest size that the pool has had.</summary>
    public int LargestPoolFrames { get; private set; }

    /// <summary>Frames given so far.</summary>
    public long Given { get; private set; }

    /// <summary>Frames given that were allocated because the pool was empty.</summary>
    public long Allocated { get; private set; }

    /// <summary>When <see cref="Advance"/> has something to do; <see cref="long.MaxValue"/> for never.</summary>
    public long DeadlineTicks => _sizing?.DeadlineTicks ?? long.MaxValue;

    /// <summary>Chooses the free frame that goes back for a flipped one.</summary>
    /// <returns>False if the domain has no free frame.</returns>
    public bool TryTakeFrameToGive(out FrameId frame)
    {
        if (_pool is not null && _pool.TryTake(out frame))
        {
            Given++;
            _calibration?.NoteGiven();
            return true;
        }

        bool taken = _giveBack == GiveBack.LastFreed
            ? _frames.TryAllocateLastFreed(out frame) : _frames.TryAllocate(out frame);
        if (!taken)
        {
            _pool?.TakeFailed();
            return false;
        }

        Given++;
        if (_pool is not null) Allocated++;
        _calibration?.NoteGiven();
        return true;
    }

    /// <summary>A frame of the domain's own, which was not given for it, will come back by
    /// <see cref="FreeReceived"/>: one that a payload was copied into.</summary>
    public void NoteOwnFrame()
    {
        _calibration?.NoteGiven();
        _pool?.NoteOut();
    }

    /// <summary>Frees a frame that came with a flip and whose payload was consumed.</summary>
    public void FreeReceived(FrameId frame)
    {
        _calibration?.NoteBack();
        if (_pool is null || !_pool.TryPut(frame)) _frames.Free(frame);
    }

    /// <summary>Lets a dynamic pool grow or shrink when its period is over.</summary>
    /// <returns>The next deadline.</returns>
    public long Advance(long nowTicks)
    {
        if (_sizing is null || _pool is null || !_sizing.Evaluate(nowTicks, _pool.FewestFree)) return DeadlineTicks;
        _pool.Resize(_sizing.SizeFrames);
        Fill();
        while (_pool.RemoveSurplus(_isLocal, out FrameId surplus)) _frames.Free(surplus);
        LargestPoolFrames = Math.Max(LargestPoolFrames, _pool.SizeFrames);
        _pool.StartPeriod();
        return DeadlineTicks;
    }

    /// <summary>Frees what is in the pool; the exchange is over.</summary>
    public void Close()
    {
        while (_pool is not null && _pool.TryTake(out FrameId frame)) _frames.Free(frame);
    }

    private void Fill()
    {
        while (_pool!.FreeFrames + _pool.OutFrames < _pool.SizeFrames && _frames.TryAllocate(out FrameId frame))
            _ = _pool.TryAdd(frame);
    }
}
