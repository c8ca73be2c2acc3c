// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Scenarios.Flipping;

/// <summary>A run of the real exchange: two domains in this process, real frames, a real ring.</summary>
public sealed record LiveFlipOptions
{
    /// <summary>Frames of the receiving domain.</summary>
    public uint GuestFrames { get; init; } = 8192;

    /// <summary>Frames of the sending domain.</summary>
    public uint DriverFrames { get; init; } = 4096;

    /// <summary>Pages to send.</summary>
    public long Pages { get; init; } = 65_536;

    /// <summary>Pages that are sent before the receiver gets its turn: at most the slots of the ring.</summary>
    public int Burst { get; init; } = 64;

    /// <summary>Bytes of a payload.</summary>
    public int PayloadBytes { get; init; } = 1500;

    /// <summary>Frames of a static pool; a dynamic one begins with them.</summary>
    public int PoolFrames { get; init; } = 512;

    /// <summary>The remote part of the domain at which migration begins.</summary>
    public double MigrationThreshold { get; init; } = 0.01;

    /// <summary>Pages received between periodic migrations and evaluations of a dynamic pool.</summary>
    public long PeriodPages { get; init; } = 256;

    /// <summary>Decides which kept pages are dropped.</summary>
    public ulong Seed { get; init; } = 1;
}

/// <summary>What became of the receiving domain.</summary>
/// <param name="Remedy">What went back and what was migrated.</param>
/// <param name="Flips">Pages whose frame changed hands.</param>
/// <param name="Copies">Pages that were copied.</param>
/// <param name="RemoteShare">The part of its frames that is remote at the end.</param>
/// <param name="RemoteShareMax">The largest part after any burst.</param>
/// <param name="Migrated">Pages brought home.</param>
/// <param name="PoolFramesMax">The largest size of its pool.</param>
/// <param name="WrongPages">Received pages that did not hold what was sent: 0, or something is broken.</param>
/// <param name="RemoteShareFound">As <paramref name="RemoteShare"/>, from asking the system where each frame is.</param>
/// <param name="PagesPerSecond">Pages a second, one thread doing both sides and checking the payload.</param>
public sealed record LiveFlipResult(FlipRemedy Remedy, long Flips, long Copies, double RemoteShare, double RemoteShareMax,
    long Migrated, int PoolFramesMax, long WrongPages, double RemoteShareFound, double PagesPerSecond);

/// <summary>
/// The study's story over real frames: the same policies, the flip ring, and memory on nodes, real or modelled. One
/// thread plays both domains, so a run is repeatable; ticks of the policies are pages received.
/// </summary>
/// <remarks>
/// The receiver keeps half of its frames as page cache. For each page it consumes it takes a free frame into the cache
/// and drops a kept one, as the guests of the study do at a retention of 1.
/// </remarks>
public sealed class LiveFlip
{
    private readonly LiveFlipOptions _options;
    private readonly FlipRemedy _remedy;
    private readonly FlipHost _host;
    private readonly FlipChannel _channel;
    private readonly List<FrameId> _kept = [];
    private SeededRandom _random;
    private long _sent;
    private long _received;
    private long _wrong;
    private double _shareMax;

    private LiveFlip(LiveFlipOptions options, FlipRemedy remedy, FlipHost host)
    {
        (_options, _remedy, _host) = (options, remedy, host);
        _random = new SeedStreams(options.Seed).Stream("kept pages");
        _channel = host.Connect(host.Domains[0], host.Domains[1],
            new DeliveryRule(remedy.Delivery, DeliveryRule.DefaultCopyBreakBytes), remedy.Placement);
    }

    private FlipDomain Guest => _host.Domains[1];

    /// <summary>Runs a remedy.</summary>
    /// <param name="options">How much.</param>
    /// <param name="remedy">What goes back and what is migrated.</param>
    /// <param name="topology">The nodes; the first two with memory are used.</param>
    /// <param name="system">What places and moves memory on these nodes.</param>
    /// <param name="time">The clock to measure with.</param>
    /// <param name="cancellation">Stops after a burst.</param>
    /// <exception cref="ParameterException">The machine has no two nodes with memory, or sizes do not go together.</exception>
    public static LiveFlipResult Run(LiveFlipOptions options, FlipRemedy remedy, NumaTopology topology, INumaSystem system,
        TimeProvider time, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(remedy);
        ArgumentNullException.ThrowIfNull(time);
        MemoryMeter meter = new();
        using FlipHost host = Host(options, remedy, topology, system, meter);
        LiveFlip run = new(options, remedy, host);
        return run.Run(time, cancellation);
    }

    /// <summary>Measures the copy-break threshold of this process.</summary>
    public static CopyBreakMeasurement Measure(NumaTopology topology, INumaSystem system, TimeProvider time)
    {
        using FlipHost host = Host(new LiveFlipOptions(), FlipRemedy.Parse("lifo"), topology, system, new MemoryMeter());
        return host.MeasureCopyBreak(
            host.Connect(host.Domains[0], host.Domains[1], new DeliveryRule(DeliveryKind.Adaptive)), time);
    }

    private LiveFlipResult Run(TimeProvider time, CancellationToken cancellation)
    {
        for (uint i = 0; i < _options.GuestFrames / 2; i++)
            if (Guest.TryAllocate(out FrameId frame)) _kept.Add(frame);
        long start = time.GetTimestamp();
        while (_received < _options.Pages && !cancellation.IsCancellationRequested)
        {
            Send();
            Receive();
        }

        double seconds = Math.Max(1e-9, time.GetElapsedTime(start).TotalSeconds);
        _host.Validate();
        return new LiveFlipResult(_remedy, _channel.Flips, _channel.Copies, Guest.RemoteShare, _shareMax, Guest.Migrated,
            Guest.Exchange.LargestPoolFrames, _wrong, ShareFound(), _received / seconds);
    }

    /// <summary>Asks the system, in place of the books that were kept.</summary>
    private double ShareFound()
    {
        if (_host.Memory.Reason is not null) return Guest.RemoteShare;
        FrameId[] own = [.. Enumerable.Range(1, (int)_host.Memory.FrameCount).Select(number => new FrameId((uint)number))
            .Where(frame => _host.Ledger.OwnerOf(frame) == Guest.Number && !_host.Ledger.IsInRing(frame))];
        return 1 - (_host.Memory.Refresh(own, Guest.HomeNode) / (double)own.Length);
    }

    private void Send()
    {
        for (int i = 0; i < _options.Burst; i++)
        {
            if (!_channel.TryAllocate(out FrameId frame)) throw new InvalidOperationException("the driver domain has no frame left");
            Stamp(_channel.Page(frame), _sent);
            if (!_channel.TrySend(frame, _options.PayloadBytes, (uint)_sent))
            {
                _host.Domains[0].Free(frame);
                return;
            }

            _sent++;
        }
    }

    private void Receive()
    {
        List<FlipPage> arrived = [];
        while (_channel.TryReceive(out FlipPage page)) arrived.Add(page);
        if (arrived.Count == 0) throw new InvalidOperationException("the receiving domain has no free frame left");
        foreach (FlipPage page in arrived)
        {
            if (!IsStamped(_channel.Page(page.Frame), _received) || page.UserBits != (uint)_received) _wrong++;
            _received++;
            _channel.Free(page);
            if (_remedy.IsWithoutRetention || !Guest.TryAllocate(out FrameId frame)) continue;
            int dropped = (int)_random.NextBelow((ulong)_kept.Count);
            Guest.Free(_kept[dropped]);
            _kept[dropped] = frame;
        }

        _ = Guest.Advance(_received);
        _shareMax = Math.Max(_shareMax, Guest.RemoteShare);
    }

    private void Stamp(Span<byte> page, long number)
    {
        BitConverter.TryWriteBytes(page, number);
        BitConverter.TryWriteBytes(page[(_options.PayloadBytes - sizeof(long))..], ~number);
    }

    private bool IsStamped(ReadOnlySpan<byte> page, long number) => BitConverter.ToInt64(page) == number
        && BitConverter.ToInt64(page[(_options.PayloadBytes - sizeof(long))..]) == ~number;

    private static FlipHost Host(LiveFlipOptions options, FlipRemedy remedy, NumaTopology topology, INumaSystem system,
        MemoryMeter meter)
    {
        int[] nodes = [.. topology.Nodes.Where(node => node.HasMemory).Select(node => node.Number).Take(2)];
        if (nodes.Length < 2)
            throw new ParameterException("flipping between nodes needs two with memory, and this machine has one; emulate some with --nodes 2");
        if (options.PayloadBytes < 2 * sizeof(long) || options.PayloadBytes > system.PageBytes)
            throw new ParameterException($"a payload of {options.PayloadBytes} bytes is not from 16 to a page of {system.PageBytes}");
        if (options.GuestFrames < 4 * (uint)options.Burst + 2 * (uint)options.PoolFrames || options.DriverFrames < 1024)
            throw new ParameterException(
                $"{options.GuestFrames} and {options.DriverFrames} frames are too few for bursts of {options.Burst} and a pool of {options.PoolFrames}");
        bool isPool = remedy.GiveBack == GiveBack.Pool;
        return new FlipHost(
        [
            new FlipDomainOptions { Name = "driver", HomeNode = nodes[0], Frames = options.DriverFrames },
            new FlipDomainOptions
            {
                Name = "guest",
                HomeNode = nodes[1],
                Frames = options.GuestFrames,
                Exchange = new FrameExchangeOptions
                {
                    GiveBack = remedy.GiveBack,
                    Pool = !isPool ? null : new PoolSizingOptions
                    {
                        Frames = remedy.IsAblation ? Math.Max(1, options.Burst / 4) : options.PoolFrames,
                        IsDynamic = remedy.IsDynamicPool,
                        FloorFrames = 1,
                        CeilingFrames = options.PoolFrames * 2,
                        PeriodTicks = options.PeriodPages,
                    },
                },
                Migration = !remedy.IsPeriodic && !remedy.HasThreshold ? null : new MigrationOptions
                {
                    PeriodTicks = !remedy.IsPeriodic ? 0 : remedy.IsAblation ? options.Pages / 2 : options.PeriodPages,
                    ThresholdShare = remedy.HasThreshold ? options.MigrationThreshold : 0,
                },
            },
        ], topology, system, meter, nowTicks: 0);
    }
}
