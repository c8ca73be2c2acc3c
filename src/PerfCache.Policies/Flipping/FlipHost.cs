// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Memory;

namespace PerfCache.Policies.Flipping;

/// <summary>What a domain of a <see cref="FlipHost"/> is made for.</summary>
public sealed record FlipDomainOptions
{
    /// <summary>The name, for reports.</summary>
    public required string Name { get; init; }

    /// <summary>The node where it runs and its frames come from.</summary>
    public required int HomeNode { get; init; }

    /// <summary>Frames that it begins with, and has at any later time.</summary>
    public required uint Frames { get; init; }

    /// <summary>Which free frame goes back, and from which pool.</summary>
    public FrameExchangeOptions Exchange { get; init; } = new();

    /// <summary>When remote pages are brought home; null for never.</summary>
    public MigrationOptions? Migration { get; init; }
}

/// <summary>
/// Domains of one process that exchange page frames: the policies of this room over real memory and real rings. The
/// study in virtual time runs the same policies over counted frames.
/// </summary>
/// <remarks>
/// A host owns the memory and the ledger of who owns which frame; domains own frames; a channel carries pages from one
/// domain to another. Nothing here reads a clock: verbs that depend on the time take it, in ticks of the caller's choice
/// (the same as in the options).
/// <para>One thread at a time works for a domain and its ends of channels; different domains may run at once. The host
/// is made, checked and disposed while nobody works.</para>
/// <para>X1: frames in hands + frames in rings = all frames; each has one owner.</para>
/// <para>X2: a domain's residency counts are those of the frames in its hands.</para>
/// </remarks>
public sealed class FlipHost : IDisposable
{
    private readonly List<FlipDomain> _domains = [];
    private readonly List<FlipChannel> _channels = [];
    private readonly MemoryMeter _meter;

    /// <summary>Maps the memory of all domains and gives each its frames.</summary>
    /// <param name="domains">The domains; 2 to 255.</param>
    /// <param name="topology">The nodes, of this machine or emulated.</param>
    /// <param name="system">What places and moves memory on these nodes.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <param name="nowTicks">The present.</param>
    /// <exception cref="ArgumentException">The domains do not go together, or a home is no node with memory.</exception>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public FlipHost(IReadOnlyList<FlipDomainOptions> domains, NumaTopology topology, INumaSystem system, MemoryMeter meter,
        long nowTicks)
    {
        ArgumentNullException.ThrowIfNull(domains);
        ArgumentNullException.ThrowIfNull(topology);
        if (domains.Count is < 2 or > 255)
            throw new ArgumentException($"a host of {domains.Count} domains exchanges nothing; give 2 to 255", nameof(domains));
        foreach (FlipDomainOptions one in domains)
        {
            if (!topology.Nodes.Any(node => node.Number == one.HomeNode && node.HasMemory))
                throw new ArgumentException(
                    $"domain '{one.Name}' lives on node {one.HomeNode}, and the nodes with memory are "
                    + string.Join(", ", topology.Nodes.Where(node => node.HasMemory).Select(node => node.Number)), nameof(domains));
        }

        _meter = meter;
        Memory = new FlipMemory([.. domains.Select(one => new FlipHome(one.HomeNode, one.Frames))], system, meter);
        try
        {
            Ledger = new FrameLedger(Memory.FrameCount, meter);
            int nodes = topology.Nodes.Max(node => node.Number) + 1;
            for (int i = 0; i < domains.Count; i++)
                _domains.Add(new FlipDomain(this, domains[i], (ushort)(i + 1), Memory.First(i), nodes, nowTicks));
        }
        catch
        {
            Ledger?.Dispose();
            Memory.Dispose();
            throw;
        }
    }

    /// <summary>The domains, in the order of their options.</summary>
    public IReadOnlyList<FlipDomain> Domains => _domains;

    /// <summary>The page memory.</summary>
    public FlipMemory Memory { get; }

    /// <summary>Who owns each frame.</summary>
    public FrameLedger Ledger { get; }

    /// <summary>Makes a channel from one domain to another, one thread at each end.</summary>
    /// <param name="from">Who sends pages.</param>
    /// <param name="to">Who receives them and gives free frames back.</param>
    /// <param name="delivery">Which payloads the receiver copies instead of keeping their frames.</param>
    /// <param name="placement">From which node the sender takes frames for pages.</param>
    /// <param name="slotCount">Slots of the ring, a power of two.</param>
    public FlipChannel Connect(FlipDomain from, FlipDomain to, DeliveryRule delivery,
        ReceivePlacement placement = ReceivePlacement.DriverNode, int slotCount = FlipRingOptions.DefaultSlotCount)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        if (from.Host != this || to.Host != this) throw new ArgumentException("a channel connects domains of its own host");
        FlipRing<OneToOne> ring = new(new FlipRingOptions
        {
            Producer = from.Number,
            Consumer = to.Number,
            SlotCount = slotCount,
            PageBytes = Memory.PageBytes,
            Ledger = Ledger,
        }, _meter);
        FlipChannel channel = new(ring, from, to, delivery, placement);
        _channels.Add(channel);
        return channel;
    }

    /// <summary>
    /// Measures from which payload on a flip is cheaper than a copy, on the frames of two domains and their ring: what
    /// <see cref="DeliveryRule.CopyBreakBytes"/> should be here. Takes some milliseconds; nobody else may work
    /// meanwhile.
    /// </summary>
    /// <param name="channel">An idle channel between domains with free frames.</param>
    /// <param name="time">The clock to measure with.</param>
    public CopyBreakMeasurement MeasureCopyBreak(FlipChannel channel, TimeProvider time) =>
        CopyBreakMeasurement.Take(this, channel, time);

    /// <summary>Checks the invariants. O(frames), and only while nobody works.</summary>
    /// <exception cref="InvalidOperationException">One does not hold; the message says which.</exception>
    public void Validate()
    {
        uint inHands = 0;
        foreach (FlipDomain domain in _domains)
        {
            uint own = Ledger.CountInHands(domain.Number);
            inHands += own;
            if (own != domain.Residency.Pages(0))
                throw new InvalidOperationException(
                    $"X2: domain '{domain.Name}' counts {domain.Residency.Pages(0)} frames and owns {own}");
        }

        uint inRings = Ledger.CountInRings();
        if (inHands + inRings != Memory.FrameCount)
            throw new InvalidOperationException(
                $"X1: {inHands} frames in hands and {inRings} in rings, of {Memory.FrameCount}");
    }

    /// <summary>Closes all channels and gives the memory back.</summary>
    public void Dispose()
    {
        foreach (FlipChannel channel in _channels) channel.Dispose();
        Ledger.Dispose();
        Memory.Dispose();
    }
}
