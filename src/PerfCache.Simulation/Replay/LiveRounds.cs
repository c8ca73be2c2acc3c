// SPDX-License-Identifier: MIT
using System.Runtime.ExceptionServices;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// The threads of one live cell. They serve a round of blocks while nobody reads the trace, then wait while the next
/// round is read: so reading disturbs no timing, and memory is bounded by a round.
/// </summary>
/// <remarks>
/// A thread takes the next block whenever it has served one, under a lock that is cheap beside a block. So the blocks
/// served are always a beginning of the trace, also after a cancellation, and one thread serves the trace's own order.
/// </remarks>
internal sealed class LiveRounds : IDisposable
{
    /// <summary>Requests of a block.</summary>
    public const int BlockLength = 1024;

    /// <summary>Blocks of a round, at most.</summary>
    public const int BlockCountMax = 256;

    private const int BlocksPerReport = 16;

    private readonly Lock _gate = new();
    private readonly LiveCell _cell;
    private readonly CancellationToken _cancellation;
    private readonly Barrier _barrier;
    private readonly Thread[] _threads;
    private IReadOnlyList<ReplayBlock>? _blocks;
    private Action<double>? _report;
    private int _next;
    private bool _isStopped;
    private Exception? _failure;

    public LiveRounds(LiveCell cell, int threadCount, CancellationToken cancellation)
    {
        _cell = cell;
        _cancellation = cancellation;
        _barrier = new Barrier(threadCount + 1);
        Parts = new LiveThread[threadCount];
        _threads = new Thread[threadCount];
        for (int i = 0; i < threadCount; i++)
        {
            LiveThread part = Parts[i] = new LiveThread();
            _threads[i] = new Thread(() => TakePart(part)) { IsBackground = true, Name = $"live replay {i}" };
            _threads[i].Start();
        }
    }

    /// <summary>What each thread measured; to be read between rounds.</summary>
    public LiveThread[] Parts { get; }

    /// <summary>From the first thread's beginning to the last one's end, over all rounds.</summary>
    public long Ticks { get; private set; }

    /// <summary>Distinct pages among the requests served.</summary>
    public long DistinctPages { get; private set; }

    /// <summary>Serves a round; <paramref name="report"/> gets the part done, now and then.</summary>
    /// <returns>False when cancelled before its end.</returns>
    public bool Serve(IReadOnlyList<ReplayBlock> blocks, Action<double>? report)
    {
        _blocks = blocks;
        _report = report;
        _next = 0;
        foreach (LiveThread part in Parts) part.Times = default;
        _barrier.SignalAndWait();
        _barrier.SignalAndWait();
        if (_failure is not null) ExceptionDispatchInfo.Throw(_failure);
        if (_next > 0)
        {
            DistinctPages = blocks[_next - 1].DistinctPages;
            Ticks += Parts.Max(part => part.Times.Ended)
                - Parts.Where(part => part.Times.Began != 0).Min(part => part.Times.Began);
        }

        return !_isStopped;
    }

    public void Dispose()
    {
        // A round without blocks is the last.
        _blocks = null;
        _barrier.SignalAndWait();
        foreach (Thread thread in _threads) thread.Join();
        _barrier.Dispose();
    }

    private void TakePart(LiveThread part)
    {
        while (true)
        {
            _barrier.SignalAndWait();
            if (_blocks is null) return;
            try
            {
                ServeBlocks(part);
            }
            catch (Exception e)
            {
                // Whatever it is must reach the caller's thread, and the others stop at their next block.
                lock (_gate) _failure ??= e;
            }

            _barrier.SignalAndWait();
        }
    }

    private void ServeBlocks(LiveThread part)
    {
        long began = 0;
        while (TakeBlock() is ReplayBlock block)
        {
            if (began == 0) began = System.Diagnostics.Stopwatch.GetTimestamp();
            _cell.Serve(part, block.Pages(_cell.Numbering), block.FilesOrEmpty);
            part.Times = (began, System.Diagnostics.Stopwatch.GetTimestamp());
        }
    }

    private ReplayBlock? TakeBlock()
    {
        lock (_gate)
        {
            if (_cancellation.IsCancellationRequested) _isStopped = true;
            if (_isStopped || _failure is not null || _next == _blocks!.Count) return null;
            if (_next % BlocksPerReport == 0) _report?.Invoke((double)_next / _blocks.Count);
            return _blocks[_next++];
        }
    }
}
