// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Puma;
using PerfCache.Policies.Replacement;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>What a virtual machine is.</summary>
internal sealed record MachineOptions
{
    public required string Name { get; init; }

    /// <summary>The memory that it has when its balloon is empty.</summary>
    public required uint MemoryPages { get; init; }

    /// <summary>Memory of programs that is there from the start.</summary>
    public uint AnonymousPages { get; init; }

    /// <summary>Memory that a balloon has at the start.</summary>
    public uint BalloonPages { get; init; }

    /// <summary>Free pages whose memory the host has given to others: it swaps somebody out when they are touched.</summary>
    public uint ReportedPages { get; init; }

    public KernelProfile Profile { get; init; }

    /// <summary>How many times as large the machine is that it stands for.</summary>
    public double Scale { get; init; } = 1;

    public DiskKind Disk { get; init; } = DiskKind.Ssd;

    /// <summary>False: whoever allocates reclaims himself, and waits for it.</summary>
    public bool ReclaimsInBackground { get; init; } = true;

    /// <summary>Room on the swap device.</summary>
    public long SwapPages { get; init; }
}

/// <summary>
/// A virtual machine: memory, of which the page cache has what programs, the balloon and the watermarks leave; a disk; a
/// link; and PUMA's two roles.
/// </summary>
/// <remarks>
/// Memory: <c>free + page cache (own and lent) + programs + balloon = MemoryPages</c>. The frames of programs and balloon
/// are set aside in the cache (M1).
/// <para>
/// Reclaim. When free memory falls below the low watermark, the background reclaimer starts and frees batch after batch at
/// its own speed until the high one. Who allocates below the minimum reclaims a batch himself and waits for it.
/// </para>
/// <para>
/// Whatever touches the cache ends with <see cref="Settle"/>: evicted pages go to the disk, to a lender, or into a notice;
/// the detectors look; messages leave.
/// </para>
/// </remarks>
internal sealed partial class Machine : IEventTarget, ILentStore, IDisposable
{
    private const int Reclaimer = 0;
    private const int LenderDeadline = 1;
    private const int Flusher = 2;

    private readonly EventQueue _queue;
    private readonly List<ulong> _objectPages = [];
    private readonly List<PumaLink> _borrowerLinks = [];
    private readonly List<PumaLink> _lenderLinks = [];
    private readonly List<(int Borrower, ObjectId Object)> _originals = [];
    private readonly Queue<(PageKey Page, long AtNanos)> _dirty = [];
    private readonly long _dirtyExpireNanos;
    private readonly long _dirtyWakeupNanos;
    private readonly double _reclaimNanos;
    private long _deadlineNanos = long.MaxValue;
    private bool _reclaims;
    private bool _flushes;

    internal Machine(EventQueue queue, MachineOptions options, ParameterSet parameters)
    {
        _queue = queue;
        Options = options;
        Parameters = parameters;
        double share = parameters.Value("watermark-min");
        MinWatermark = (uint)Math.Max(48, options.MemoryPages * share);
        LowWatermark = MinWatermark + (MinWatermark / 4);
        HighWatermark = MinWatermark + (MinWatermark / 2);
        Cache = MachineCache.Create(options.Profile, options.MemoryPages, options.Scale);
        Cache.Watch.ActiveShareMin = parameters.Value("min-active");
        Cache.Watch.LentShareMin = parameters.Value("max-remote");
        Disk = new Disk(options.Disk, parameters);
        SwapDisk = Disk.ForSwap(parameters);
        Egress = new QueuedServer(
            (long)(parameters.Value("network-us") * VirtualClock.Microsecond),
            parameters.Value("network-gbit") * 1e9 / 8, depth: 0);
        _reclaimNanos = parameters.Value("reclaim-ns");
        _dirtyExpireNanos = VirtualClock.FromSeconds(parameters.Value("dirty-expire-s"));
        _dirtyWakeupNanos = VirtualClock.FromSeconds(parameters.Value("dirty-wakeup-s"));
        AnonymousPages = Cache.SetAside(options.AnonymousPages);
        Cache.SetAside(options.BalloonPages);
        BalloonPages = options.BalloonPages;
        UnbackedPages = options.ReportedPages;
    }

    internal MachineOptions Options { get; }

    internal ParameterSet Parameters { get; }

    internal MachineCache Cache { get; }

    internal CacheWatch Watch => Cache.Watch;

    internal Disk Disk { get; }

    internal Disk SwapDisk { get; }

    /// <summary>All that leaves the machine goes through here.</summary>
    internal QueuedServer Egress { get; }

    internal PumaLender? Lender { get; private set; }

    internal Borrower? Borrower { get; private set; }

    internal uint MinWatermark { get; }

    internal uint LowWatermark { get; }

    internal uint HighWatermark { get; }

    /// <summary>Pages of programs in memory.</summary>
    internal long AnonymousPages { get; private set; }

    /// <summary>Pages of programs on the swap device.</summary>
    internal long SwappedPages { get; private set; }

    /// <summary>Pages that the balloon has.</summary>
    internal long BalloonPages { get; private set; }

    /// <summary>Free pages that came back from the host and were not touched since: their first touch costs more.</summary>
    internal long UnbackedPages { get; private set; }

    /// <summary>Pages swapped out in all.</summary>
    internal long SwapOuts { get; private set; }

    /// <summary>Told when memory became free; for programs that wait for it.</summary>
    internal Action<long>? OnMemoryFreed { get; set; }

    /// <summary>Told when the background reclaimer has freed page cache.</summary>
    internal Action<long>? OnReclaimed { get; set; }

    /// <summary>The memory as far as it decides what may be lent.</summary>
    internal MemoryState MemoryState =>
        new(Cache.FreeCount, LowWatermark, Cache.ResidentCount, ReclaimableSlab: 0);

    /// <summary>Adds a file.</summary>
    internal ObjectId AddFile(ulong pages)
    {
        ObjectId file = AddObject(pages);
        _originals[(int)file.Value] = (-1, file);
        return file;
    }

    internal ulong FilePages(ObjectId file) => _objectPages[(int)file.Value];

    /// <summary>Whoever is about to bring a page in reclaims first if memory is below the minimum.</summary>
    /// <returns>What the reclaim took, in nanoseconds.</returns>
    internal long MakeRoom(long nowNanos)
    {
        if (Cache.FreeCount > MinWatermark) return 0;
        int freed = Cache.Reclaim();
        Settle(nowNanos);
        return (long)(freed * _reclaimNanos);
    }

    /// <summary>After the cache was touched: sees to what was evicted, lets the detectors look, sends messages.</summary>
    internal void Settle(long nowNanos)
    {
        if (Watch.Evicted.Count > 0) SeeToEvicted(nowNanos);
        if (Lender is not null) Observe(nowNanos);
        if (Borrower is not null) SendPuts(nowNanos);
        WakeReclaimer(nowNanos);
    }

    /// <summary>A page is written: it is dirty until it reaches the disk.</summary>
    internal void Write(PageKey page, long nowNanos)
    {
        Borrower?.OnWrite(page, nowNanos);
        Cache.SetDirty(page.ObjectId, page.Page, true);
        _dirty.Enqueue((page, nowNanos));
        if (_flushes) return;
        _flushes = true;
        _queue.Schedule(nowNanos + _dirtyWakeupNanos, this, Flusher);
    }

    /// <summary>Starts the background reclaimer where memory is low.</summary>
    internal void WakeReclaimer(long nowNanos)
    {
        if (_reclaims || Cache.FreeCount >= LowWatermark || !Options.ReclaimsInBackground) return;
        _reclaims = true;
        _queue.Schedule(nowNanos, this, Reclaimer);
    }

    /// <inheritdoc/>
    public void Handle(long nowNanos, int kind, long argument)
    {
        if (kind == Reclaimer) ReclaimBatch(nowNanos);
        else if (kind == Flusher) Flush(nowNanos);
        else
        {
            _deadlineNanos = long.MaxValue;
            Lender!.Advance(nowNanos);
            Observe(nowNanos);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Cache.Dispose();

    private void ReclaimBatch(long nowNanos)
    {
        _reclaims = false;
        if (Cache.FreeCount >= HighWatermark || Cache.ResidentCount == 0) return;
        int freed = Cache.Reclaim();
        Settle(nowNanos);
        if (freed == 0) return;
        OnReclaimed?.Invoke(nowNanos);
        OnMemoryFreed?.Invoke(nowNanos);
        if (Cache.FreeCount >= HighWatermark || _reclaims) return;
        _reclaims = true;
        _queue.Schedule(nowNanos + (long)(freed * _reclaimNanos), this, Reclaimer);
    }

    private void SeeToEvicted(long nowNanos)
    {
        bool lends = Watch.LentCount > 0;
        // Taking what is evicted may evict no more, so the list does not grow under the loop.
        foreach (EvictedPage evicted in Watch.Evicted)
        {
            (int borrower, ObjectId original) = _originals[(int)evicted.Key.ObjectId.Value];
            if (evicted.IsLent)
            {
                Lender!.OnReclaimed(borrower, new PageKey(original, evicted.Key.Page), nowNanos);
                continue;
            }

            if (evicted.IsDirty) Disk.Write(nowNanos, evicted.Key, 1);
            Borrower?.OnEvicted(evicted.Key, evicted.IsDirty, lends, nowNanos);
        }

        Watch.ClearEvicted();
        Lender?.EndReclaim();
        Borrower?.EndReclaim();
    }

    /// <summary>Pages that were dirty for long enough go to the disk, and are clean.</summary>
    private void Flush(long nowNanos)
    {
        while (_dirty.TryPeek(out (PageKey Page, long AtNanos) oldest) && nowNanos - oldest.AtNanos >= _dirtyExpireNanos)
        {
            _dirty.Dequeue();
            if (!Cache.IsDirty(oldest.Page.ObjectId, oldest.Page.Page)) continue;
            Cache.SetDirty(oldest.Page.ObjectId, oldest.Page.Page, false);
            Disk.Write(nowNanos, oldest.Page, 1);
        }

        _flushes = _dirty.Count > 0;
        if (_flushes) _queue.Schedule(nowNanos + _dirtyWakeupNanos, this, Flusher);
    }

    private ObjectId AddObject(ulong pages)
    {
        ObjectId added = Cache.AddObject(pages);
        while (_originals.Count <= added.Value)
        {
            _originals.Add(default);
            _objectPages.Add(0);
        }

        _objectPages[(int)added.Value] = pages;
        return added;
    }
}
