// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>What a program that needs memory does.</summary>
internal sealed record MallocClientOptions
{
    public required long StartNanos { get; init; }

    /// <summary>Pages of one block; the slides' blocks have 8 MiB.</summary>
    public int BlockPages { get; init; } = 2048;

    public required int Blocks { get; init; }

    /// <summary>The time between the ends of one block and the beginning of the next.</summary>
    public required long PauseNanos { get; init; }
}

/// <summary>How long a block took, and what happened meanwhile.</summary>
/// <param name="AtNanos">When it was asked for.</param>
/// <param name="Nanos">How long it took until all of it was touched.</param>
/// <param name="BackOffs">Rests of any balloon in that time.</param>
/// <param name="SwappedPages">Pages that this machine or its neighbours swapped out in that time.</param>
internal readonly record struct MallocSample(long AtNanos, long Nanos, long BackOffs, long SwappedPages)
{
    /// <summary>True when neither a rest nor the swap device made it slow.</summary>
    internal bool IsClean => BackOffs == 0 && SwappedPages == 0;
}

/// <summary>
/// A program that allocates and touches memory block by block: the slides' server.
/// </summary>
/// <remarks>
/// It goes chunk by chunk of 32 pages. A chunk takes the time to touch its pages. Where memory is below the minimum, it
/// reclaims a batch first, as the kernel does, and pays for it. Where there is nothing left to reclaim, it asks for its
/// balloon's pages and waits; after a while it swaps its own pages out; and when the swap device is full, too, it is
/// killed.
/// </remarks>
internal sealed class MallocClient : IEventTarget
{
    private const int NextBlock = 0;
    private const int NextChunk = 1;
    private const int PatienceOver = 2;
    private const uint ChunkPages = 32;

    private readonly EventQueue _queue;
    private readonly Machine _machine;
    private readonly BalloonHost? _host;
    private readonly MallocClientOptions _options;
    private readonly Func<(long BackOffs, long Swapped)> _troubles;
    private readonly List<MallocSample> _samples = [];
    private readonly double _touchNanos;
    private readonly double _firstTouchNanos;
    private readonly double _reclaimNanos;
    private readonly long _swapPatienceNanos;
    private readonly long _oomPatienceNanos;
    private uint _missing;
    private long _beganNanos;
    private (long BackOffs, long Swapped) _before;
    private long _waitsSinceNanos = -1;
    private EventTicket _patience;

    /// <param name="queue">The time.</param>
    /// <param name="machine">Where it runs.</param>
    /// <param name="host">Who has the balloon's pages; null where there is no balloon.</param>
    /// <param name="options">What it does.</param>
    /// <param name="troubles">Rests of balloons, and pages swapped out, so far.</param>
    internal MallocClient(
        EventQueue queue, Machine machine, BalloonHost? host, MallocClientOptions options,
        Func<(long BackOffs, long Swapped)> troubles)
    {
        (_queue, _machine, _host, _options, _troubles) = (queue, machine, host, options, troubles);
        _touchNanos = machine.Parameters.Value("touch-ns");
        _firstTouchNanos = machine.Parameters.Value("balloon-touch-ns");
        _reclaimNanos = machine.Parameters.Value("reclaim-ns");
        _swapPatienceNanos = (long)(machine.Parameters.Value("swap-patience-ms") * VirtualClock.Millisecond);
        _oomPatienceNanos = VirtualClock.FromSeconds(machine.Parameters.Value("oom-patience-s"));
        machine.OnMemoryFreed += Wake;
        queue.Schedule(options.StartNanos, this, NextBlock);
    }

    internal IReadOnlyList<MallocSample> Samples => _samples;

    /// <summary>Pages that it has, in memory and swapped out.</summary>
    internal long HeldPages { get; private set; }

    /// <summary>When it was killed for want of memory; -1 when it was not.</summary>
    internal long KilledAtNanos { get; private set; } = -1;

    /// <summary>When the last block had been touched; -1 when that was not reached.</summary>
    internal long EndedAtNanos { get; private set; } = -1;

    /// <inheritdoc/>
    public void Handle(long nowNanos, int kind, long argument)
    {
        if (KilledAtNanos >= 0) return;
        switch (kind)
        {
            case NextBlock:
                _missing = (uint)_options.BlockPages;
                _beganNanos = nowNanos;
                _before = _troubles();
                Allocate(nowNanos);
                break;
            case NextChunk:
                Allocate(nowNanos);
                break;
            default:
                OnPatienceOver(nowNanos);
                break;
        }
    }

    /// <summary>The program ends: all it had is free.</summary>
    internal void End(long nowNanos)
    {
        _machine.FreeSwap(HeldPages);
        _machine.Free(HeldPages, nowNanos);
        HeldPages = 0;
    }

    private void Allocate(long nowNanos)
    {
        if (_missing == 0)
        {
            EndBlock(nowNanos);
            return;
        }

        uint got = _machine.Allocate(Math.Min(_missing, ChunkPages), out uint unbacked);
        _machine.WakeReclaimer(nowNanos);
        if (got > 0)
        {
            _waitsSinceNanos = -1;
            _missing -= got;
            HeldPages += got;
            double nanos = (unbacked * _firstTouchNanos) + ((got - unbacked) * _touchNanos);
            bool swaps = unbacked > 0 && _machine.Options.ReportedPages > 0;
            long from = swaps ? _machine.HostSwapsOut(unbacked, nowNanos) : nowNanos;
            _queue.Schedule(from + (long)nanos, this, NextChunk);
            return;
        }

        int freed = _machine.Cache.ResidentCount > 0 ? _machine.Cache.Reclaim() : 0;
        if (freed > 0)
        {
            _machine.Settle(nowNanos);
            _queue.Schedule(nowNanos + (long)(freed * _reclaimNanos), this, NextChunk);
            return;
        }

        Wait(nowNanos);
    }

    /// <summary>Nothing is free and nothing can be reclaimed: step 1 of the slides' four.</summary>
    private void Wait(long nowNanos)
    {
        if (_waitsSinceNanos < 0) _waitsSinceNanos = nowNanos;
        _host?.Report(_machine, Policies.Puma.MemoryPressure.Medium, nowNanos);
        if (_queue.IsPending(_patience)) return;
        _patience = _queue.Schedule(nowNanos + (_host is null ? 0 : _swapPatienceNanos), this, PatienceOver);
    }

    private void Wake(long nowNanos)
    {
        if (_waitsSinceNanos < 0 || KilledAtNanos >= 0) return;
        if (_machine.Cache.FreeCount <= _machine.MinWatermark) return;
        _queue.Cancel(_patience);
        _queue.Schedule(nowNanos, this, NextChunk);
        _waitsSinceNanos = -1;
    }

    private void OnPatienceOver(long nowNanos)
    {
        if (_waitsSinceNanos < 0) return;
        long written = _machine.SwapOut((int)ChunkPages, nowNanos);
        if (written >= 0)
        {
            _host?.Report(_machine, Policies.Puma.MemoryPressure.Critical, nowNanos);
            _waitsSinceNanos = -1;
            _queue.Schedule(written, this, NextChunk);
            return;
        }

        bool gets = _host is not null && _host.OnOutOfMemory(_machine, nowNanos);
        if (nowNanos - _waitsSinceNanos < _oomPatienceNanos || gets)
        {
            long next = nowNanos + Math.Max(_swapPatienceNanos, _oomPatienceNanos / 16);
            _patience = _queue.Schedule(next, this, PatienceOver);
            return;
        }

        Kill(nowNanos);
    }

    private void EndBlock(long nowNanos)
    {
        (long backOffs, long swapped) = _troubles();
        _samples.Add(new MallocSample(
            _beganNanos, nowNanos - _beganNanos, backOffs - _before.BackOffs, swapped - _before.Swapped));
        if (_samples.Count == _options.Blocks) EndedAtNanos = nowNanos;
        else _queue.Schedule(nowNanos + _options.PauseNanos, this, NextBlock);
    }

    /// <summary>The out-of-memory killer takes the program.</summary>
    private void Kill(long nowNanos)
    {
        KilledAtNanos = nowNanos;
        End(nowNanos);
    }
}
