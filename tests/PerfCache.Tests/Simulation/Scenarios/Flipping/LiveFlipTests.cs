// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Flipping;
using PerfCache.Simulation.Engine;
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Tests.Simulation.Scenarios.Flipping;

/// <summary>The exchange for real in one process: real frames, bytes, ledger and ring; the nodes are modelled here.</summary>
[TestFixture]
public sealed class LiveFlipTests
{
    private static readonly NumaTopology s_topology = NumaTopology.Read("/").Emulate(NumaDistances.Uniform(2, 10, 21));

    private MemoryMeter _meter = new();

    [SetUp]
    public void NewMeter() => _meter = new MemoryMeter();

    [TearDown]
    public void NothingIsLeft() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    // Goal: the study's policies do over real frames what they do over counted ones. Each run checks the payload of every
    // page, and conservation by the ledger at its end.
    [TestCase("naive", 0.10, 0.45)]
    [TestCase("lifo", 0.10, 0.45)]
    [TestCase("pool-static", 0, 0.07)]
    [TestCase("pool-dynamic", 0, 0.07)]
    [TestCase("periodic", 0, 0.06)]
    [TestCase("threshold", 0, 0.03)]
    [TestCase("source", 0, 0.04)]
    [TestCase("copy", 0, 0.001)]
    [TestCase("pool-small", 0.10, 0.45)]
    [TestCase("periodic-long", 0.10, 0.45)]
    public void Remedies_do_over_real_frames_what_they_do_in_the_study(string name, double least, double most)
    {
        LiveFlipResult result = LiveFlip.Run(new LiveFlipOptions { Pages = 32_768 }, FlipRemedy.Parse(name), s_topology,
            System(), TimeProvider.System);
        Assert.That(result.WrongPages, Is.Zero);
        Assert.That(result.Flips + result.Copies, Is.GreaterThanOrEqualTo(32_768));
        Assert.That(result.RemoteShareMax, Is.InRange(least, most));
        if (name == "copy") Assert.That(result.Flips, Is.Zero);
    }

    [Test]
    public void Copied_payloads_leave_the_senders_frames_with_the_sender()
    {
        using FlipHost host = Host(64);
        FlipChannel channel = host.Connect(host.Domains[0], host.Domains[1], new DeliveryRule(DeliveryKind.Adaptive, 100));
        for (int i = 0; i < 500; i++)
        {
            Assert.That(channel.TryAllocate(out FrameId frame), Is.True);
            channel.Page(frame)[..100].Fill((byte)i);
            Assert.That(channel.TrySend(frame, 100, (uint)i), Is.True);
            Assert.That(channel.TryReceive(out FlipPage page), Is.True);
            Assert.That(page.UserBits, Is.EqualTo((uint)i));
            Assert.That(channel.Page(page.Frame)[..100].IndexOfAnyExcept((byte)i), Is.EqualTo(-1));
            channel.Free(page);
        }

        Assert.That((channel.Copies, channel.Flips), Is.EqualTo((500L, 0L)));
        Assert.That(host.Domains[1].Residency.RemotePages(0), Is.EqualTo(1), "the frame that goes back with the next page");
        host.Validate();
    }

    [Test]
    public void Two_threads_exchange_pages_and_lose_none()
    {
        const int Pages = 30_000;
        using FlipHost host = Host(1024, new FrameExchangeOptions { GiveBack = GiveBack.Pool, Pool = new PoolSizingOptions { Frames = 300 } });
        FlipChannel channel = host.Connect(host.Domains[0], host.Domains[1], new DeliveryRule(DeliveryKind.Adaptive, 512));
        using CancellationTokenSource source = new(TimeSpan.FromSeconds(60));
        Task sender = Task.Run(() =>
        {
            for (int i = 0; i < Pages;)
            {
                if (!channel.TryAllocate(out FrameId frame))
                {
                    channel.Collect();
                    source.Token.ThrowIfCancellationRequested();
                    continue;
                }

                channel.Page(frame)[..1024].Fill((byte)i);
                while (!channel.TrySend(frame, 1 + (i % 1024), (uint)i))
                    if (!channel.WaitToSend(TimeSpan.FromSeconds(30), source.Token)) throw new TimeoutException();
                i++;
            }
        });
        int wrong = 0;
        for (int i = 0; i < Pages; i++)
        {
            FlipPage page;
            while (!channel.TryReceive(out page))
                Assert.That(channel.WaitToReceive(TimeSpan.FromSeconds(30), source.Token), Is.True);
            int length = (int)page.LengthBytes;
            if (page.UserBits != i || length != 1 + (i % 1024)
                || channel.Page(page.Frame)[..length].ContainsAnyExcept((byte)i)) wrong++;
            channel.Free(page);
        }

        Assert.That(sender.Wait(TimeSpan.FromSeconds(30)), Is.True);
        Assert.That(wrong, Is.Zero);
        channel.Collect();
        host.Validate();
        Assert.That(channel.Copies + channel.Flips, Is.EqualTo(Pages));
    }

    [Test]
    public void Migration_brings_pages_home_that_are_in_use_and_leaves_their_bytes()
    {
        ModelledNumaSystem system = System();
        using FlipHost host = Host(256, migration: new MigrationOptions { ThresholdShare = 0.05, BatchPages = 64 }, system: system);
        FlipChannel channel = host.Connect(host.Domains[0], host.Domains[1], new DeliveryRule(DeliveryKind.Flip));
        List<FlipPage> kept = [];
        for (int i = 0; i < 40; i++)
        {
            Assert.That(channel.TryAllocate(out FrameId frame), Is.True);
            channel.Page(frame).Fill((byte)i);
            Assert.That(channel.TrySend(frame, 4096), Is.True);
            Assert.That(channel.TryReceive(out FlipPage page), Is.True);
            kept.Add(page);
        }

        FlipDomain guest = host.Domains[1];
        Assert.That(guest.RemoteShare, Is.GreaterThan(0.14));
        system.Refusal = _ => NumaBusy;
        guest.Advance(1);
        Assert.That((guest.Migrated, guest.RemoteShare > 0.14), Is.EqualTo((0L, true)), "refused pages stay, and are counted so");
        system.Refusal = null;
        guest.Advance(2);
        Assert.That((guest.Migrated, guest.RemoteShare), Is.EqualTo((40L, 0.0)));
        for (int i = 0; i < kept.Count; i++)
            Assert.That(channel.Page(kept[i].Frame).ContainsAnyExcept((byte)i), Is.False);
        host.Validate();
    }

    [Test]
    public void A_receiver_without_a_free_frame_leaves_the_page_where_it_is()
    {
        using FlipHost host = Host(8);
        FlipChannel channel = host.Connect(host.Domains[0], host.Domains[1], new DeliveryRule(DeliveryKind.Flip), slotCount: 4);
        FlipDomain guest = host.Domains[1];
        while (guest.TryAllocate(out _)) { }
        Assert.That(channel.TryAllocate(out FrameId frame) && channel.TrySend(frame, 10), Is.True);
        Assert.That(channel.TryReceive(out _), Is.False);
        Assert.That(channel.WithoutFrame, Is.EqualTo(1));
        guest.Free(host.Memory.First(1));
        Assert.That(channel.TryReceive(out FlipPage page), Is.True);
        Assert.That(page.Frame, Is.EqualTo(frame));
    }

    [Test]
    public void Bad_input_is_refused_and_changes_nothing()
    {
        using FlipHost host = Host(16);
        FlipChannel channel = host.Connect(host.Domains[0], host.Domains[1], new DeliveryRule(DeliveryKind.Flip), slotCount: 4);
        Assert.That(channel.TryAllocate(out FrameId frame), Is.True);
        Assert.That(() => channel.TrySend(frame, 0), Throws.InstanceOf<ArgumentException>(), "no payload");
        Assert.That(() => channel.TrySend(frame, 4097), Throws.InstanceOf<ArgumentException>(), "longer than a page");
        Assert.That(() => channel.TrySend(host.Memory.First(1), 1), Throws.InstanceOf<ArgumentException>(), "not the sender's");
        Assert.That(() => channel.Page(new FrameId(1000)), Throws.InstanceOf<ArgumentException>());
        host.Validate();
        Assert.That(channel.TrySend(frame, 1), Is.True);
        host.Validate();
        Assert.That(() => new FlipHost([Domain("a", 0, 4), Domain("b", 7, 4)], s_topology, System(), _meter, 0),
            Throws.ArgumentException.With.Message.StartsWith("domain 'b' lives on node 7, and the nodes with memory are 0, 1"));
        Assert.That(() => new FlipHost([Domain("a", 0, 4)], s_topology, System(), _meter, 0), Throws.ArgumentException);
        Assert.That(() => new FlipHost([Domain("a", 0, 4), Domain("b", 1, 4)], s_topology,
            new ModelledNumaSystem(s_topology, _ => 2), _meter, 0), Throws.TypeOf<NativeMemoryException>());
        Assert.That(() => LiveFlip.Run(new LiveFlipOptions { PayloadBytes = 3 }, FlipRemedy.All[0], s_topology, System(), TimeProvider.System),
            Throws.TypeOf<ParameterException>());
        NumaTopology single = NumaTopology.Read("/").Emulate(NumaDistances.Uniform(1, 10, 10));
        Assert.That(() => LiveFlip.Run(new LiveFlipOptions(), FlipRemedy.All[0], single, System(), TimeProvider.System),
            Throws.TypeOf<ParameterException>().With.Message.Contains("emulate some with --nodes 2"));
    }

    [Test]
    public void Frames_of_a_disposed_channel_go_back_to_the_sender()
    {
        using FlipHost host = Host(64);
        FlipChannel channel = host.Connect(host.Domains[0], host.Domains[1], new DeliveryRule(DeliveryKind.Flip));
        for (int i = 0; i < 10; i++)
            Assert.That(channel.TryAllocate(out FrameId frame) && channel.TrySend(frame, 1), Is.True);
        for (int i = 0; i < 4; i++)
        {
            Assert.That(channel.TryReceive(out FlipPage page), Is.True);
            channel.Free(page);
        }

        channel.Dispose();
        channel.Dispose();
        Assert.That(channel.Untaken, Is.EqualTo(6));
        Assert.That((host.Domains[0].FreeFrames, host.Domains[1].FreeFrames), Is.EqualTo((64, 64)));
        host.Validate();
    }

    // Enforced isolation: an extent can be touched by its owner only, and by nobody while it is on its way.
    [Test]
    [Platform("Linux")]
    public void Extents_are_out_of_reach_on_their_way_and_keep_their_bytes()
    {
        const uint Frames = FlipMemory.ExtentFrames;
        using FlipMemory memory = new([new FlipHome(0, 4 * Frames), new FlipHome(1, 4 * Frames)], System(), _meter);
        using FlipExtents extents = new(memory, sender: 1, receiver: 2, slotCount: 2, _meter);
        Queue<FrameId> sender = new(Enumerable.Range(0, 4).Select(i => new FrameId(memory.First(0).Value + ((uint)i * Frames))));
        Queue<FrameId> receiver = new(Enumerable.Range(0, 4).Select(i => new FrameId(memory.First(1).Value + ((uint)i * Frames))));
        for (int round = 0; round < 20; round++)
        {
            FrameId sent = sender.Dequeue();
            memory.Page(sent).Fill((byte)round);
            memory.Page(new FrameId(sent.Value + Frames - 1)).Fill((byte)~round);
            Assert.That(extents.TrySend(sent, (int)Frames * 4096, out FrameId returned), Is.True);
            Assert.That(returned.IsNone, Is.EqualTo(round < 2), "later slots have a free extent");
            if (!returned.IsNone) sender.Enqueue(returned);
            Assert.That(extents.TryReceive(receiver.Dequeue(), out FlipPage page), Is.True);
            Assert.That(memory.Page(page.Frame).ContainsAnyExcept((byte)round), Is.False);
            Assert.That(memory.Page(new FrameId(page.Frame.Value + Frames - 1)).ContainsAnyExcept((byte)~round), Is.False);
            receiver.Enqueue(page.Frame);
        }

        FrameId[] free = [.. receiver];
        Assert.That(extents.TryReceive(free[0], out _), Is.False);
        memory.Page(free[0])[0] = 1; // open again, though nothing came for it
        Assert.That(extents.FenceCalls, Is.GreaterThan(70));
        Assert.That(() => extents.TrySend(new FrameId(2), 1, out _), Throws.ArgumentException.With.Message.Contains("begins no extent"));
    }

    [Test]
    public void Measuring_at_the_start_gives_a_threshold_and_a_price()
    {
        CopyBreakMeasurement costs = LiveFlip.Measure(s_topology, System(), TimeProvider.System);
        Assert.That(costs.Sizes, Is.EqualTo(new[] { 64, 128, 256, 512, 1024, 2048, 4096 }));
        Assert.That(costs.CopyNanos.Concat(costs.FlipNanos), Has.All.GreaterThan(0));
        Assert.That(costs.CopyBreakBytes, Is.InRange(0, 4096));
        if (OperatingSystem.IsLinux()) Assert.That(costs.FenceNanos, Is.GreaterThan(0));
    }

    // A fenced extent really is out of reach: the kernel's own list of this process's memory says so.
    [Test]
    [Platform("Linux")]
    public void A_fenced_extent_allows_no_access_until_it_is_opened_again()
    {
        using FlipHost host = Host(FlipMemory.ExtentFrames);
        FrameId first = host.Memory.First(0);
        host.Memory.Page(first)[0] = 7;
        int before = Forbidden();
        Assert.That(host.Memory.TryFence(first, FlipMemory.ExtentFrames, fenced: true), Is.True);
        Assert.That(Forbidden(), Is.EqualTo(before + (512 * 4)));
        Assert.That(host.Memory.TryFence(first, FlipMemory.ExtentFrames, fenced: false), Is.True);
        Assert.That((Forbidden(), host.Memory.Page(first)[0]), Is.EqualTo((before, (byte)7)));

        // KiB of mappings without access; only those that this process made have pages behind them.
        static int Forbidden() => File.ReadLines("/proc/self/smaps")
            .Aggregate((Kib: 0, Inside: false), (state, line) =>
                line.Contains("---p", StringComparison.Ordinal) ? (state.Kib, true)
                : line.Contains('-', StringComparison.Ordinal) && line.Contains(" rw", StringComparison.Ordinal) ? (state.Kib, false)
                : state.Inside && line.StartsWith("Rss:", StringComparison.Ordinal)
                    ? (state.Kib + int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture), false)
                : state).Kib;
    }

    private const int NumaBusy = -16;

    private static ModelledNumaSystem System() => new(s_topology, _ => 1 << 20);

    private static FlipDomainOptions Domain(string name, int node, uint frames) =>
        new() { Name = name, HomeNode = node, Frames = frames };

    private FlipHost Host(uint frames, FrameExchangeOptions? exchange = null, MigrationOptions? migration = null,
        ModelledNumaSystem? system = null) => new(
        [
            Domain("driver", 0, frames),
            Domain("guest", 1, frames) with { Exchange = exchange ?? new FrameExchangeOptions(), Migration = migration },
        ], s_topology, system ?? System(), _meter, 0);
}
