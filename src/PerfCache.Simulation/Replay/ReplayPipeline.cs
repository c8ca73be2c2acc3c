// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace PerfCache.Simulation.Replay;

/// <summary>One cell on its way through the blocks of the trace.</summary>
internal sealed class ReplayLane(ReplayCell cell, Stream? outcomes, MissTimeline? timeline = null)
{
    private byte[] _outcomes = [];
    private ReplayCounts _countsBefore;
    private long _distinctBefore;

    public ReplayCell Cell { get; } = cell;

    /// <summary>The next block to replay; guarded by the pipeline's lock.</summary>
    public long NextBlock { get; set; }

    /// <summary>Whether a thread replays blocks now; guarded by the pipeline's lock.</summary>
    public bool IsBusy { get; set; }

    /// <summary>The requests after the warm-up.</summary>
    public long Requests { get; private set; }

    /// <summary>The requests of the warm-up.</summary>
    public long WarmupRequests { get; private set; }

    /// <summary>The distinct pages among all requests.</summary>
    public long DistinctPages { get; private set; }

    /// <summary>The distinct pages that were not requested before the warm-up ended.</summary>
    public long NewPages => DistinctPages - _distinctBefore;

    /// <summary>What the cell counted after the warm-up.</summary>
    public ReplayCounts Counts => Cell.Counts.Since(_countsBefore);

    /// <summary>Bytes of the requests after the warm-up, where the trace has sizes.</summary>
    public long RequestedBytes { get; private set; }

    /// <summary>Bytes of those that missed.</summary>
    public long MissedBytes { get; private set; }

    /// <summary>The misses over time, if they are wanted.</summary>
    public MissTimeline? Timeline => timeline;

    /// <summary>Time in the policy loop only, after the warm-up.</summary>
    public long Ticks { get; private set; }

    public void Replay(ReplayBlock block)
    {
        int start = 0;
        while (start < block.Count)
        {
            int end = start < block.WarmupCount ? block.WarmupCount : block.Count;
            if (timeline is not null) end = Math.Min(end, start + timeline.UntilWindowEnds);
            Replay(block, start, end);
            start = end;
            if (start == block.WarmupCount) EndWarmup(block);
        }

        DistinctPages = block.DistinctPages;
    }

    private void EndWarmup(ReplayBlock block)
    {
        _countsBefore = Cell.Counts;
        _distinctBefore = block.DistinctInWarmup;
    }

    private void Replay(ReplayBlock block, int start, int end)
    {
        int count = end - start;
        bool hasSizes = block.Sizes.Length > 0;
        bool wantsOutcomes = outcomes is not null || hasSizes;
        if (wantsOutcomes && _outcomes.Length < count) _outcomes = new byte[block.Count];
        Span<byte> results = wantsOutcomes ? _outcomes.AsSpan(0, count) : default;
        ReplayRequests requests = block.Requests(Cell.Numbering, start, end);
        long missesBefore = timeline is null ? 0 : Cell.Counts.Misses;
        long began = Stopwatch.GetTimestamp();
        Cell.Replay(requests, results);
        long ticks = Stopwatch.GetTimestamp() - began;
        timeline?.Add(count, Cell.Counts.Misses - missesBefore);
        outcomes?.Write(results);
        if (end <= block.WarmupCount)
        {
            WarmupRequests += count;
            return;
        }

        Ticks += ticks;
        Requests += count;
        if (hasSizes) CountBytes(block.Sizes.AsSpan(start, count), results);
    }

    private void CountBytes(ReadOnlySpan<uint> sizes, ReadOnlySpan<byte> results)
    {
        for (int i = 0; i < sizes.Length; i++)
        {
            RequestedBytes += sizes[i];
            if (results[i] == ReplayCell.Miss) MissedBytes += sizes[i];
        }
    }
}

/// <summary>
/// Moves the blocks of a trace past many cells with a few threads and bounded memory.
/// <para>
/// A ring holds the newest blocks. Each thread takes turns: it reads the next block if the ring has room and
/// nobody reads, else it takes the free cell that is furthest behind through a few of the blocks that it
/// lacks. Cells don't wait for one another (three cells keep two threads busy all the time), a slot is
/// refilled once the last cell has passed it, and a turn of several blocks lets a cell's memory warm up the
/// processor's caches. Which thread does what depends on timing, the results don't: a cell sees all blocks
/// in order and shares nothing.
/// </para>
/// <para>
/// When cancelled, reading stops and the cells catch up with what was read, so all have seen the same
/// requests.
/// </para>
/// </summary>
internal sealed class ReplayPipeline(IReplayFeed feed, IReadOnlyList<ReplayLane> lanes)
{
    private const int RingBlocks = 8;
    private const int TurnBlocks = 4;

    private readonly object _gate = new();
    private readonly ReplayBlock?[] _ring = new ReplayBlock?[RingBlocks];
    private long _blocksRead;
    private bool _isReading;
    private bool _hasEnded;
    private Exception? _failure;

    /// <summary>Runs until the end of the trace; false when cancelled before.</summary>
    public bool Run(int jobs, CancellationToken cancellation)
    {
        int helperCount = Math.Clamp(jobs, 1, lanes.Count + 1) - 1;
        Thread[] helpers = new Thread[helperCount];
        for (int i = 0; i < helperCount; i++)
        {
            helpers[i] = new Thread(() => TakeTurns(cancellation)) { IsBackground = true, Name = "replay" };
            helpers[i].Start();
        }

        TakeTurns(cancellation);
        foreach (Thread helper in helpers) helper.Join();
        if (_failure is not null) ExceptionDispatchInfo.Throw(_failure);
        return !WasCancelled;
    }

    private bool WasCancelled { get; set; }

    private void TakeTurns(CancellationToken cancellation)
    {
        try
        {
            while (TakeTurn(cancellation, out ReplayLane? lane, out long end))
            {
                if (lane is null) ReadBlock();
                else ReplayBlocks(lane, end);
            }
        }
        catch (Exception e)
        {
            // Whatever it is must reach the caller's thread, and the other threads must not wait for this
            // one.
            lock (_gate)
            {
                _failure ??= e;
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>
    /// Waits for something to do: to read (no lane), or to take a lane up to the block before end.
    /// </summary>
    private bool TakeTurn(CancellationToken cancellation, out ReplayLane? lane, out long end)
    {
        lock (_gate)
        {
            while (true)
            {
                lane = null;
                end = 0;
                if (_failure is not null) return false;
                if (!_hasEnded && cancellation.IsCancellationRequested) _hasEnded = WasCancelled = true;
                bool hasRoom = _blocksRead - SlowestBlock() < RingBlocks;
                if (hasRoom && !_hasEnded && !_isReading) return _isReading = true;
                lane = FurthestBehind();
                if (lane is not null)
                {
                    lane.IsBusy = true;
                    end = Math.Min(_blocksRead, lane.NextBlock + TurnBlocks);
                    return true;
                }

                if (_hasEnded && !_isReading && SlowestBlock() == _blocksRead) return false;
                Monitor.Wait(_gate);
            }
        }
    }

    private void ReadBlock()
    {
        // The slot is this turn's: no lane is behind it, and nobody else reads.
        long index = _blocksRead % RingBlocks;
        ReplayBlock? block = feed.Next(_ring[index]);
        lock (_gate)
        {
            _isReading = false;
            if (block is null)
            {
                _hasEnded = true;
            }
            else
            {
                _ring[index] = block;
                _blocksRead++;
            }

            Monitor.PulseAll(_gate);
        }
    }

    private void ReplayBlocks(ReplayLane lane, long end)
    {
        for (long block = lane.NextBlock; block < end; block++) lane.Replay(_ring[block % RingBlocks]!);
        lock (_gate)
        {
            lane.NextBlock = end;
            lane.IsBusy = false;
            Monitor.PulseAll(_gate);
        }
    }

    private long SlowestBlock()
    {
        long slowest = long.MaxValue;
        foreach (ReplayLane lane in lanes) slowest = Math.Min(slowest, lane.NextBlock);
        return slowest;
    }

    private ReplayLane? FurthestBehind()
    {
        ReplayLane? found = null;
        foreach (ReplayLane lane in lanes)
        {
            bool canRun = !lane.IsBusy && lane.NextBlock < _blocksRead;
            if (canRun && lane.NextBlock < (found?.NextBlock ?? long.MaxValue)) found = lane;
        }

        return found;
    }
}
