// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>
/// The host of automatic ballooning: has the memory that no guest has, asks a controller for balloon sizes, and lets the
/// guests' balloons follow, request by request.
/// </summary>
/// <remarks>
/// The slides' four steps: a guest reports pressure; where the host has too little, another guest inflates; the first one
/// deflates; it touches the pages. Guests work one request at a time and side by side. To inflate, a guest needs free
/// pages above its minimum: it reclaims page cache for it, one pass; then, without any, it begins to swap programs out,
/// and the balloon rests.
/// </remarks>
internal sealed class BalloonHost : IEventTarget
{
    private const int Round = 0;
    private const int ReportArrives = 1;
    private const int RequestDone = 2;
    private const int RestOver = 3;
    private const int SwapPagesPerFailure = 256;
    private const int ReclaimTriesMax = 16;

    private readonly EventQueue _queue;
    private readonly IBalloonController _controller;
    private readonly List<Guest> _guests = [];
    private readonly List<BalloonGuest> _views = [];
    private readonly long _askNanos;
    private readonly double _inflateNanos;
    private readonly double _deflateNanos;
    private readonly double _reclaimNanos;
    private readonly long _backOffNanos;
    private readonly int _requestPages;
    private readonly long _reportNanos;

    internal BalloonHost(EventQueue queue, long hostPages, IBalloonController controller, ParameterSet parameters)
    {
        _queue = queue;
        HostPages = hostPages;
        FreePages = hostPages;
        _controller = controller;
        _askNanos = (long)(parameters.Value("balloon-ask-us") * VirtualClock.Microsecond);
        _inflateNanos = parameters.Value("balloon-inflate-ns");
        _deflateNanos = parameters.Value("balloon-deflate-ns");
        _reclaimNanos = parameters.Value("reclaim-ns");
        _backOffNanos = (long)(parameters.Value("balloon-backoff-ms") * VirtualClock.Millisecond);
        _requestPages = (int)parameters.Whole("balloon-request");
        _reportNanos = (long)(parameters.Value("pressure-report-ms") * VirtualClock.Millisecond);
        if (controller.RoundTime > TimeSpan.Zero)
            queue.Schedule(queue.NowNanos + RoundNanos, this, Round);
    }

    /// <summary>True where balloons give pages back when their guest is out of memory: an option of the device.</summary>
    internal bool DeflatesOnOutOfMemory { get; init; } = true;

    /// <summary>All memory of the host, in pages.</summary>
    internal long HostPages { get; }

    /// <summary>Pages that no guest has.</summary>
    internal long FreePages { get; private set; }

    /// <summary>Rests of all balloons.</summary>
    internal long BackOffs => _guests.Sum(guest => guest.View.Balloon.BackOffs);

    private long RoundNanos => VirtualClock.FromSeconds(_controller.RoundTime.TotalSeconds);

    /// <summary>Adds a guest; what its balloon does not have is taken from the host.</summary>
    /// <exception cref="ArgumentException">The host has not so many pages.</exception>
    internal void Add(Machine machine, long minPages)
    {
        BalloonDriver balloon = new(
            new BalloonOptions
            {
                PagesPerRequest = _requestPages,
                DeflatesOnOutOfMemory = DeflatesOnOutOfMemory,
                BackOff = TimeSpan.FromMilliseconds((double)_backOffNanos / VirtualClock.Millisecond),
            }, VirtualClock.Second);
        balloon.TargetPages = machine.BalloonPages;
        balloon.OnAcknowledged((int)machine.BalloonPages);
        BalloonGuest view = new()
        {
            MaxPages = machine.Options.MemoryPages,
            MinPages = minPages,
            Balloon = balloon,
            FreePages = machine.Cache.FreeCount,
        };
        FreePages -= view.CurrentPages;
        if (FreePages < 0)
        {
            throw new ArgumentException(
                $"the machines have {-FreePages} pages more than the host, which has {HostPages}; give the host more or "
                + "them less");
        }

        if (_controller is PressureController) machine.OnReclaimed = nowNanos => ReportReclaim(machine, nowNanos);
        _guests.Add(new Guest(machine, view));
        _views.Add(view);
    }

    /// <summary>A guest reports pressure.</summary>
    internal void Report(Machine machine, MemoryPressure pressure, long nowNanos)
    {
        Guest guest = GuestOf(machine);
        if (guest.IsReporting) return;
        guest.IsReporting = true;
        _queue.Schedule(nowNanos + _askNanos, this, ReportArrives, (_guests.IndexOf(guest) << 2) | (int)pressure);
    }

    /// <summary>A guest reclaims page cache: low pressure, reported now and then.</summary>
    private void ReportReclaim(Machine machine, long nowNanos)
    {
        Guest guest = GuestOf(machine);
        if (nowNanos < guest.NextReportNanos) return;
        guest.NextReportNanos = nowNanos + _reportNanos;
        Report(machine, MemoryPressure.Low, nowNanos);
    }

    /// <summary>A guest is out of memory and swap.</summary>
    /// <returns>True when its balloon gives pages back for it, and the host has them.</returns>
    internal bool OnOutOfMemory(Machine machine, long nowNanos)
    {
        Guest guest = GuestOf(machine);
        if (FreePages == 0 || guest.View.Balloon.OnOutOfMemory() == 0) return false;
        Pump(guest, nowNanos);
        return true;
    }

    /// <inheritdoc/>
    public void Handle(long nowNanos, int kind, long argument)
    {
        switch (kind)
        {
            case Round:
                LookAtGuests();
                _controller.OnRound(_views, HostPages - FreePages, HostPages);
                _queue.Schedule(nowNanos + RoundNanos, this, Round);
                break;
            case ReportArrives:
                LookAtGuests();
                _guests[(int)(argument >> 2)].IsReporting = false;
                _controller.OnPressure(_views, (int)(argument >> 2), (MemoryPressure)(argument & 3), FreePages);
                break;
            case RequestDone:
                EndRequest(_guests[(int)argument], nowNanos);
                break;
            default:
                _guests[(int)argument].IsBusy = false;
                break;
        }

        foreach (Guest guest in _guests) Pump(guest, nowNanos);
    }

    /// <summary>Begins a guest's next request, if it can.</summary>
    private void Pump(Guest guest, long nowNanos)
    {
        if (guest.IsBusy) return;
        BalloonStep step = guest.View.Balloon.Next(nowNanos);
        int index = _guests.IndexOf(guest);
        switch (step.Action)
        {
            case BalloonAction.Deflate when FreePages > 0:
                int pages = (int)Math.Min(step.Pages, FreePages);
                FreePages -= pages;
                guest.Begin(-pages);
                _queue.Schedule(nowNanos + (long)(pages * _deflateNanos), this, RequestDone, index);
                break;
            case BalloonAction.Inflate:
                Inflate(guest, index, step.Pages, nowNanos);
                break;
            case BalloonAction.Rest:
                guest.IsBusy = true;
                _queue.Schedule(step.UntilTicks, this, RestOver, index);
                break;
        }
    }

    private void Inflate(Guest guest, int index, int pages, long nowNanos)
    {
        Machine machine = guest.Machine;
        int reclaimed = 0;
        bool inflated = machine.Inflate(pages);
        for (int tries = 0; tries < ReclaimTriesMax && !inflated; tries++)
        {
            int freed = machine.Cache.ResidentCount > 0 ? machine.Cache.Reclaim() : 0;
            machine.Settle(nowNanos);
            if (freed == 0) break;
            reclaimed += freed;
            inflated = machine.Inflate(pages);
        }

        if (!inflated)
        {
            machine.SwapOut(SwapPagesPerFailure, nowNanos);
            guest.View.Balloon.OnAllocationFailed(nowNanos);
            guest.IsBusy = true;
            _queue.Schedule(nowNanos + _backOffNanos, this, RestOver, index);
            return;
        }

        machine.WakeReclaimer(nowNanos);
        guest.Begin(pages);
        double nanos = (pages * _inflateNanos) + (reclaimed * _reclaimNanos);
        _queue.Schedule(nowNanos + (long)nanos, this, RequestDone, index);
    }

    private void EndRequest(Guest guest, long nowNanos)
    {
        guest.IsBusy = false;
        guest.View.Balloon.OnAcknowledged(guest.Pages);
        if (guest.Pages > 0) FreePages += guest.Pages;
        else guest.Machine.Deflate(-guest.Pages, nowNanos);
    }

    private void LookAtGuests()
    {
        foreach (Guest guest in _guests) guest.View.FreePages = guest.Machine.Cache.FreeCount;
    }

    private Guest GuestOf(Machine machine) => _guests.First(guest => guest.Machine == machine);

    /// <summary>A guest and the request that is under way.</summary>
    private sealed class Guest(Machine machine, BalloonGuest view)
    {
        public Machine Machine { get; } = machine;

        public BalloonGuest View { get; } = view;

        public bool IsBusy { get; set; }

        public bool IsReporting { get; set; }

        public long NextReportNanos { get; set; }

        /// <summary>Pages of the request; below 0 for pages that come back.</summary>
        public int Pages { get; private set; }

        public void Begin(int pages) => (Pages, IsBusy) = (pages, true);
    }
}
