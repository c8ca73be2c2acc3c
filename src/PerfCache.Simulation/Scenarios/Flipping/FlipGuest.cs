// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>
/// The memory of one guest, page by page: programs (never exchanged, all at home), page cache, free frames, frames
/// that arrived and are not consumed, and the exchange pool.
/// </summary>
/// <remarks>
/// A packet's frame is consumed some time after it arrived: its bytes go to the program, and the frame is freed (or
/// goes to the pool). For a part of the packets, the retention, the guest then takes a free frame for its page cache
/// and drops another page of it. So received frames stay only because some later allocation of the guest happens to
/// get them: that is how memory drifts, and what a dedicated pool prevents.
/// I1: programs + cache + free + arrived + pool (+ posted, where posting does not yet give) = owned, by node.
/// </remarks>
internal sealed class FlipGuest : IDomainFrames
{
    private readonly FrameNumbers _numbers;
    private readonly DomainResidency _residency;
    private readonly int _domain;
    private readonly int _home;
    private readonly ulong _retainBelow;
    private readonly bool _takesLastFreed;
    private readonly long _readDelayNanos;
    private readonly long _consumeNanos;
    private SeededRandom _random;

    private FrameId[] _arrived = new FrameId[1024];
    private long[] _dueNanos = new long[1024];
    private int _arrivedFirst;
    private long _consumedNanos;

    internal FlipGuest(FlipScenario scenario, FlipRemedy remedy, FrameNumbers numbers, DomainResidency residency, int guest)
    {
        (_numbers, _residency, _domain, _home) = (numbers, residency, guest, residency.HomeOf(guest));
        int nodes = residency.Nodes;
        long total = scenario.GuestFrames;
        long cache = scenario.FramesOf("cache-share");
        long free = scenario.FramesOf("free-share");
        ProgramFrames = total - cache - free;
        Cache = new FramesByNode(numbers, nodes);
        Cache.AddRange(_home, ProgramFrames, cache);
        Free = new FreeFrames(numbers, nodes, (int)free * 2);
        for (long i = total - free; i < total; i++) Free.Add(numbers.Frame(_home, i));
        residency.Add(guest, _home, total);
        double retention = remedy.IsWithoutRetention ? 0 : scenario.Value("retention");
        _retainBelow = (ulong)(retention * (1UL << 32));
        _takesLastFreed = remedy.GiveBack == GiveBack.LastFreed;
        _readDelayNanos = (long)(scenario.Value("read-delay-us") * 1000);
        _consumeNanos = (long)(scenario.Value("consume-us") * 1000);
        _random = new Engine.SeedStreams(scenario.Seed).Stream($"choices of guest {guest}");
    }

    /// <summary>Frames of programs; the first of the home node.</summary>
    internal long ProgramFrames { get; }

    internal FramesByNode Cache { get; }

    internal FreeFrames Free { get; }

    /// <summary>Packets that have arrived and are not consumed.</summary>
    internal int ArrivedCount { get; private set; }

    /// <summary>The policy; set once the guest is there, because a pool takes its first frames from it.</summary>
    internal FrameExchange Exchange { get; set; } = null!;

    /// <summary>Remote pages that migration can bring home: not those in the pool or under way.</summary>
    internal int MovablePages => Cache.Count - Cache.CountOn(_home) + Free.Count - Free.CountOn(_home);

    bool IDomainFrames.TryAllocate(out FrameId frame)
    {
        if (Free.Count > 0)
        {
            frame = Free.TakeRandom(ref _random);
            return true;
        }

        // Out of free frames, a kernel reclaims page cache.
        bool reclaims = Cache.Count > 0;
        frame = reclaims ? Cache.TakeRandom(ref _random) : FrameId.None;
        return reclaims;
    }

    bool IDomainFrames.TryAllocateLastFreed(out FrameId frame)
    {
        if (Free.Count == 0) return ((IDomainFrames)this).TryAllocate(out frame);
        frame = Free.TakeLast();
        return true;
    }

    void IDomainFrames.Free(FrameId frame) => Free.Add(frame);

    bool IDomainFrames.IsLocal(FrameId frame) => _numbers.NodeOf(frame) == _home;

    /// <summary>A packet has arrived in a frame, or (none) was copied into one that the guest had posted.</summary>
    internal void Arrive(FrameId frame, long nowNanos)
    {
        if (!frame.IsNone) _residency.Add(_domain, _numbers.NodeOf(frame));
        if (ArrivedCount == _arrived.Length) GrowArrived();
        int place = (_arrivedFirst + ArrivedCount) & (_arrived.Length - 1);
        _consumedNanos = Math.Max(_consumedNanos, nowNanos + _readDelayNanos) + _consumeNanos;
        (_arrived[place], _dueNanos[place]) = (frame, _consumedNanos);
        ArrivedCount++;
    }

    /// <summary>Consumes what is due.</summary>
    internal void ConsumeUntil(long nowNanos)
    {
        while (ArrivedCount > 0 && _dueNanos[_arrivedFirst] <= nowNanos)
        {
            FrameId frame = _arrived[_arrivedFirst];
            _arrivedFirst = (_arrivedFirst + 1) & (_arrived.Length - 1);
            ArrivedCount--;
            if (!frame.IsNone) Exchange.FreeReceived(frame);
            if ((_random.Next() >> 32) < _retainBelow) Retain();
        }
    }

    private void Retain()
    {
        if (Cache.Count == 0 || Free.Count == 0) return;
        FrameId taken = _takesLastFreed ? Free.TakeLast() : Free.TakeRandom(ref _random);
        FrameId dropped = Cache.TakeRandom(ref _random);
        Cache.Add(taken);
        Free.Add(dropped);
    }

    /// <summary>Takes a remote page, to be brought home; the page cache's first, because those are in use.</summary>
    internal FrameId TakeRemote(out bool isFree)
    {
        isFree = false;
        for (int node = 0; node < _residency.Nodes; node++)
            if (node != _home && Cache.TryTakeFrom(node, out FrameId frame)) return frame;
        isFree = true;
        return Free.TakeNotOn(_home);
    }

    /// <summary>Puts the page that <see cref="TakeRemote"/> took into the same use, in another frame.</summary>
    internal void PutBack(FrameId frame, bool isFree)
    {
        if (isFree) Free.Add(frame);
        else Cache.Add(frame);
    }

    /// <summary>The node of the guest's page at a place below programs + cache + free.</summary>
    internal int NodeAt(long place)
    {
        if (place < ProgramFrames) return _home;
        place -= ProgramFrames;
        FrameId frame = place < Cache.Count ? Cache.At((int)place) : Free.All[(int)(place - Cache.Count)];
        return _numbers.NodeOf(frame);
    }

    /// <summary>Calls back for every frame of the guest but those of programs.</summary>
    internal void VisitFrames(Action<FrameId> visit)
    {
        for (int node = 0; node < _residency.Nodes; node++)
            foreach (FrameId frame in Cache.On(node)) visit(frame);
        foreach (FrameId frame in Free.All) visit(frame);
        for (int i = 0; i < ArrivedCount; i++)
        {
            FrameId frame = _arrived[(_arrivedFirst + i) & (_arrived.Length - 1)];
            if (!frame.IsNone) visit(frame);
        }

        if (Exchange.Pool is not { } pool) return;
        foreach (FrameId frame in pool.Free) visit(frame);
    }

    private void GrowArrived()
    {
        FrameId[] frames = new FrameId[_arrived.Length * 2];
        long[] due = new long[frames.Length];
        for (int i = 0; i < ArrivedCount; i++)
        {
            int place = (_arrivedFirst + i) & (_arrived.Length - 1);
            (frames[i], due[i]) = (_arrived[place], _dueNanos[place]);
        }

        (_arrived, _dueNanos, _arrivedFirst) = (frames, due, 0);
    }
}
