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
