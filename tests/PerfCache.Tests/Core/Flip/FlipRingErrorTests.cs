// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Flip;

/// <summary>
/// Goal: bad input is refused with a message that says what and where, and nothing is lost by it. Method: each error
/// once; conservation is checked when each test ends.
/// </summary>
[TestFixture(typeof(OneToOne))]
[TestFixture(typeof(ManyToMany))]
internal sealed class FlipRingErrorTests<TThreads> where TThreads : struct, IRingThreads
{
    private const string Takes = "; the ring from domain 1 to domain 2 takes frames with 1 to 4096 bytes for domain 2";

    private static readonly object[] s_badPages =
    [
        new object[] { new FlipPage(FrameId.None, 100, 0, 2), "a page without a frame" + Takes },
        new object[] { new FlipPage(new FrameId(1), 0, 0, 2), "frame 1 holds a page of 0 bytes" + Takes },
        new object[] { new FlipPage(new FrameId(1), 4097, 0, 2), "frame 1 holds a page of 4097 bytes" + Takes },
        new object[] { new FlipPage(new FrameId(1), 100, 0, 3), "frame 1 is for domain 3" + Takes },
        new object[]
        {
            new FlipPage(new FrameId(9), 100, 0, 2),
            "domain 1 cannot give frame 9 to domain 2: it is owned by domain 2",
        },
        new object[]
        {
            new FlipPage(new FrameId(99), 100, 0, 2),
            "domain 1 cannot give frame 99 to domain 2: it is none of the 16 frames of the ledger",
        },
    ];

    [TestCaseSource(nameof(s_badPages))]
    public void ABadPageIsRefused(FlipPage page, string message)
    {
        using RingDomains<TThreads> domains = new();
        FlipPage good = RingDomains<TThreads>.Page(domains.ProducerFrames.Last());
        Assert.Multiple(() =>
        {
            Assert.That(
                () => domains.Ring.TryPublish(in page, out _), Throws.ArgumentException.With.Message.EqualTo(message));
            Assert.That(() => domains.Ring.Publish(in page), Throws.ArgumentException.With.Message.EqualTo(message));
            Assert.That(
                () => domains.Ring.TryPublish([good, page], new FrameId[2], out _),
                Throws.ArgumentException.With.Message.EqualTo(message), "behind a good one, which did not go either");
            Assert.That(domains.Ring.FullCount, Is.Zero);
        });
    }

    [Test]
    public void AFrameCannotGoTwice()
    {
        using RingDomains<TThreads> domains = new();
        FlipPage page = RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue());
        domains.Ring.Publish(in page);
        Assert.That(
            () => domains.Ring.Publish(in page),
            Throws.ArgumentException.With.Message.EqualTo(
                "domain 1 cannot give frame 1 to domain 2: it is domain 1's and in ring 1"));
        FlipPage next = RingDomains<TThreads>.Page(domains.ProducerFrames.Peek());
        Assert.That(
            () => domains.Ring.TryPublish([next, next], new FrameId[2], out _),
            Throws.ArgumentException.With.Message.EqualTo(
                "domain 1 cannot give frame 2 to domain 2: it is domain 1's and in ring 1"));
    }

    [Test]
    public void AFreeFrameOfAnotherDomainIsRefused()
    {
        using RingDomains<TThreads> domains = new();
        for (int i = 0; i < 2; i++) domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue()));
        FrameId foreign = domains.ProducerFrames.Peek();
        string message = $"domain 2 cannot give {foreign} to domain 1: it is owned by domain 1";
        Assert.Multiple(() =>
        {
            Assert.That(
                () => domains.Ring.TryFlip(foreign, out _), Throws.ArgumentException.With.Message.EqualTo(message));
            Assert.That(
                () => domains.Ring.TryFlip([domains.ConsumerFrames.Peek(), foreign], new FlipPage[2]),
                Throws.ArgumentException.With.Message.EqualTo(message));
            Assert.That(
                () => domains.Ring.TryFlip([domains.ConsumerFrames.Peek(), FrameId.None], new FlipPage[2]),
                Throws.ArgumentException.With.Message.EqualTo("free frame 1 of the batch is no frame"));
            Assert.That(domains.Ring.FullCount, Is.EqualTo(2));
        });
    }

    [Test]
    public void AnOverfullRingSaysSo()
    {
        using RingDomains<TThreads> domains = new(slotCount: 2);
        for (int i = 0; i < 2; i++) domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue()));
        Assert.That(
            () => domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Peek())),
            Throws.InvalidOperationException.With.Message.EqualTo(
                "the ring from domain 1 to domain 2 is full: 2 pages wait to be taken; try again later"));
    }

    [Test]
    public void DisposalWithFramesInFlightIsAnErrorAndLosesNothing()
    {
        using RingDomains<TThreads> domains = new();
        for (int i = 0; i < 3; i++) domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue()));
        domains.Ring.TryFlip(domains.ConsumerFrames.Dequeue(), out FlipPage page);
        domains.ConsumerFrames.Enqueue(page.Frame);
        Assert.That(
            domains.Ring.Dispose,
            Throws.InvalidOperationException.With.Message.EqualTo(
                "the ring from domain 1 to domain 2 still holds 2 pages that nobody took and 1 free frames that nobody "
                + "collected; Close hands them back"));
        Assert.That(
            () => domains.Ring.Close(new FrameId[2], out _),
            Throws.ArgumentException.With.Message.StartsWith("room for 2 frames is not enough for 3"));
        domains.CheckConservation();
    }

    [Test]
    public void DisposalWithNothingButAReturnedFrameIsAnErrorToo()
    {
        using RingDomains<TThreads> domains = new();
        domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue()));
        domains.Ring.TryFlip(domains.ConsumerFrames.Dequeue(), out FlipPage page);
        domains.ConsumerFrames.Enqueue(page.Frame);
        Assert.That(domains.Ring.Dispose, Throws.InvalidOperationException.With.Message.Contains("1 free frames"));
    }

    [Test]
    public void RoomForReturnedFramesIsDemandedBeforehand()
    {
        using RingDomains<TThreads> domains = new();
        FlipPage page = RingDomains<TThreads>.Page(domains.ProducerFrames.Peek());
        Assert.That(
            () => domains.Ring.TryPublish([page], [], out _),
            Throws.ArgumentException.With.Message.StartsWith("room for 0 frames is not enough for 1"));
    }

    [TestCase(1, 1, 4, 4096, RingWait.Spin, "a ring from domain 1 to itself")]
    [TestCase(0, 1, 4, 4096, RingWait.Spin, "domain 0 is no domain")]
    [TestCase(1, 0, 4, 4096, RingWait.Spin, "domain 0 is no domain")]
    [TestCase(1, 2, 3, 4096, RingWait.Spin, "a ring has a power of two from 2 to 32768 slots")]
    [TestCase(1, 2, 1, 4096, RingWait.Spin, "a ring has a power of two from 2 to 32768 slots")]
    [TestCase(1, 2, 65536, 4096, RingWait.Spin, "a ring has a power of two from 2 to 32768 slots")]
    [TestCase(1, 2, 4, 0, RingWait.Spin, "PageBytes")]
    [TestCase(1, 2, 4, 4096, (RingWait)77, "not a way to wait")]
    public void BadOptionsAreRefused(
        int producer, int consumer, int slotCount, int pageBytes, RingWait wait, string message)
    {
        MemoryMeter meter = new();
        FlipRingOptions options = new()
        {
            Producer = (ushort)producer,
            Consumer = (ushort)consumer,
            SlotCount = slotCount,
            PageBytes = pageBytes,
            Wait = wait,
        };
        Assert.That(
            () => new FlipRing<TThreads>(options, meter),
            Throws.InstanceOf<ArgumentException>().With.Message.Contains(message));
        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void NothingInPlaceOfOptionsOrAMeterIsRefused()
    {
        FlipRingOptions options = new() { Producer = 1, Consumer = 2 };
        Assert.That(() => new FlipRing<TThreads>(null!, new MemoryMeter()), Throws.ArgumentNullException);
        Assert.That(() => new FlipRing<TThreads>(options, null!), Throws.ArgumentNullException);
    }

    [Test]
    public void TheLargestRingTellsWhatItTakes()
    {
        MemoryMeter meter = new();
        using FlipRing<TThreads> ring = new(
            new FlipRingOptions { Producer = 1, Consumer = 2, SlotCount = 32_768 }, meter);
        Assert.That(ring.SlotCount, Is.EqualTo(32_768));
        Assert.That(ring.NativeBytes, Is.EqualTo(meter.OutstandingBytes).And.GreaterThan(17 * 32_768));
        Assert.That((ring.Producer, ring.Consumer), Is.EqualTo((1, 2)));
    }

    [Test]
    public void WithoutMemoryThereIsNoRingAndNothingIsOut([Values(0, 4096, 8192)] int limit)
    {
        MemoryMeter meter = new(limit);
        Assert.That(
            () => new FlipRing<TThreads>(new FlipRingOptions { Producer = 1, Consumer = 2 }, meter),
            Throws.InstanceOf<NativeMemoryException>().With.Message.Contains("flip ring"));
        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void ADisposedRingRefusesEverything()
    {
        RingDomains<TThreads> domains = new();
        FlipPage page = RingDomains<TThreads>.Page(domains.ProducerFrames.Peek());
        domains.Dispose();
        domains.Ring.Dispose();
        Assert.Multiple(() =>
        {
            Assert.That(() => domains.Ring.TryPublish(in page, out _), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => domains.Ring.TryPublish([], [], out _), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => domains.Ring.TryFlip(page.Frame, out _), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => domains.Ring.TryFlip([], []), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => domains.Ring.Collect([]), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(() => domains.Ring.Close([], out _), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(
                () => domains.Ring.WaitToFlip(TimeSpan.Zero), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That(
                () => domains.Ring.WaitToPublish(TimeSpan.Zero), Throws.InstanceOf<ObjectDisposedException>());
            Assert.That((domains.Ring.FullCount, domains.Ring.ReturnedCount), Is.EqualTo((0, 0)));
        });
    }
}
