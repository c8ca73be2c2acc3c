// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Flip;

/// <summary>Goal: a frame has one owner, and only that one can give it away.</summary>
[TestFixture]
internal sealed class FrameLedgerTests
{
    private readonly MemoryMeter _meter = new();

    [OneTimeTearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void AFrameIsGivenOnceAndTakenFromItsOwner()
    {
        using FrameLedger ledger = new(10, _meter);
        FrameId frame = new(3);
        ledger.Give(frame, 7);
        Assert.Multiple(() =>
        {
            Assert.That(ledger.OwnerOf(frame), Is.EqualTo(7));
            Assert.That(ledger.IsInRing(frame), Is.False);
            Assert.That((ledger.CountInHands(7), ledger.CountUnowned(), ledger.CountInRings()), Is.EqualTo((1u, 9u, 0u)));
            Assert.That(
                () => ledger.Give(frame, 8),
                Throws.ArgumentException.With.Message.StartsWith(
                    "frame 3 cannot be given to domain 8: it is owned by domain 7"));
            Assert.That(
                () => ledger.TakeAway(frame, 8),
                Throws.ArgumentException.With.Message.StartsWith(
                    "frame 3 cannot be taken from domain 8: it is owned by domain 7"));
        });
        ledger.TakeAway(frame, 7);
        Assert.That(ledger.OwnerOf(frame), Is.Zero);
        Assert.That(
            () => ledger.TakeAway(frame, 7), Throws.ArgumentException.With.Message.Contains("it is nobody's"));
    }

    [Test]
    public void ItKnowsOnlyItsOwnFrames()
    {
        using FrameLedger ledger = new(10, _meter);
        foreach (uint frame in new uint[] { 0, 11, uint.MaxValue })
        {
            Assert.That(
                () => ledger.OwnerOf(new FrameId(frame)),
                Throws.ArgumentException.With.Message.StartsWith(
                    $"frame {frame} is none of the 10 frames of the ledger"));
        }

        Assert.That(() => ledger.Give(new FrameId(1), 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new FrameLedger(0, _meter), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void EveryVerbKnowsOnlyItsOwnFrames()
    {
        using FrameLedger ledger = new(10, _meter);
        FrameId foreign = new(11);
        foreach (Action verb in (Action[])
            [() => ledger.Give(foreign, 1), () => ledger.TakeAway(foreign, 1), () => _ = ledger.IsInRing(foreign)])
        {
            Assert.That(verb, Throws.ArgumentException.With.Message.StartsWith("frame 11 is none of the 10 frames"));
        }

        Assert.That(ledger.Describe(new FrameId(10)), Is.EqualTo("is nobody's"), "the last one is its own");
        Assert.That(ledger.IsIn(foreign, 0, 0), Is.False);
    }

    [Test]
    public void ItHasAWordForEachFrameAndSaysWhatItWantsMemoryFor()
    {
        using (FrameLedger ledger = new(4096, _meter))
            Assert.That(_meter.OutstandingBytes, Is.GreaterThanOrEqualTo(4097 * FrameLedger.BytesPerFrame));
        Assert.That(
            () => new FrameLedger(10, new MemoryMeter(0)),
            Throws.InstanceOf<NativeMemoryException>().With.Message.Contains("frame ledger"));
        Assert.That(() => new FrameLedger(FrameId.CountMax + 1, _meter), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void RingsAreNumberedUpToALimit()
    {
        using FrameLedger ledger = new(10, _meter);
        for (int ring = 1; ring <= ushort.MaxValue; ring++) Assert.That(ledger.AddRing(), Is.EqualTo(ring));
        Assert.That(
            ledger.AddRing, Throws.InvalidOperationException.With.Message.EqualTo("a ledger is for 65535 rings"));
    }

    [TestCase(1u, 7)]
    [TestCase(2u, 8)]
    [TestCase(11u, 7)]
    public void AFrameThatIsNotInTheRingCannotLeaveIt(uint frame, int ring)
    {
        using FrameLedger ledger = new(10, _meter);
        ledger.Give(new FrameId(1), 3);
        ledger.Give(new FrameId(2), 3);
        Assert.That(ledger.TryEnter(new FrameId(2), 3, 7), Is.True);
        Assert.That(
            () => ledger.Leave(new FrameId(frame), 3, (ushort)ring, 4),
            Throws.TypeOf<InvariantException>().With.Message.EqualTo(
                $"FrameLedger: expected L1: a frame of domain 3 in ring {ring} to leave it, found {frame}"));
        Assert.That((ledger.OwnerOf(new FrameId(1)), ledger.OwnerOf(new FrameId(2))), Is.EqualTo((3, 3)));
    }

    [Test]
    public void ADisposedOneRefuses()
    {
        FrameLedger ledger = new(10, _meter);
        ledger.Dispose();
        ledger.Dispose();
        Assert.That(() => ledger.Give(new FrameId(1), 1), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => ledger.CountUnowned(), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(
            () => new FlipRing<OneToOne>(
                new FlipRingOptions { Producer = 1, Consumer = 2, Ledger = ledger }, _meter),
            Throws.InstanceOf<ObjectDisposedException>());
    }
}
