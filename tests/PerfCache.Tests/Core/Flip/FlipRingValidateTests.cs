// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Flip;

/// <summary>
/// Goal: <c>Validate</c> finds each broken invariant and names it. Method: a ring of four slots with two full and two
/// returned, one of whose words is overwritten; then it is put right, and all is well again.
/// </summary>
[TestFixture(typeof(OneToOne))]
[TestFixture(typeof(ManyToMany))]
internal sealed class FlipRingValidateTests<TThreads> where TThreads : struct, IRingThreads
{
    private const string Ring = "the ring from domain 1 to domain 2: expected ";

    [Test]
    public void AHeadTooFarBehindIsNamed()
    {
        using RingDomains<TThreads> domains = Make();
        Breaks(
            domains, ref RingParts<TThreads>.Lines(domains.Ring).Control.Tail, tail => new RingTail(tail).Reserve(3).Packed,
            "I1: at most 4 full slots, found 5");
    }

    [Test]
    public void TooManyCollectedSlotsAreNamed()
    {
        using RingDomains<TThreads> domains = Make();
        Breaks(
            domains, ref RingParts<TThreads>.Lines(domains.Ring).Control.Tail, tail => new RingTail(tail).Collect(3).Packed,
            "I4: at most 2 collected slots, found 3");
    }

    [TestCase(0, "I2, I4: a frame in the slot, found 0", Description = "a page without a frame")]
    [TestCase(1, "I2: a page for domain 2, found 7")]
    [TestCase(2, "I2: 1 to 4096 bytes, found 0")]
    [TestCase(3, "I2: 1 to 4096 bytes, found 4097")]
    [TestCase(4, "I5: a frame in one slot, found 4", Description = "the frame of the next page")]
    [TestCase(5, "I6: a frame of domain 1 in here, found 6", Description = "a frame in its owner's hands")]
    [TestCase(6, "I6: a frame of domain 1 in here, found 99", Description = "a frame that there is not")]
    public void AFullSlotThatIsBrokenIsNamed(int damage, string message)
    {
        using RingDomains<TThreads> domains = Make();
        FlipPage page = RingParts<TThreads>.Slots(domains.Ring)[2u];
        Breaks(
            domains, ref RingParts<TThreads>.Slots(domains.Ring)[2u],
            _ => damage switch
            {
                0 => page with { Frame = FrameId.None },
                1 => page with { Domain = 7 },
                2 => page with { LengthBytes = 0 },
                3 => page with { LengthBytes = 4097 },
                4 => page with { Frame = RingParts<TThreads>.Slots(domains.Ring)[3u].Frame },
                5 => page with { Frame = new FrameId(6) },
                _ => page with { Frame = new FrameId(99) },
            },
            message);
    }

    [TestCase(0u, "I2, I4: a frame in the slot, found 0")]
    [TestCase(3u, "I5: a frame in one slot, found 3", Description = "the frame of a full slot")]
    [TestCase(12u, "I6: a frame of domain 2 in here, found 12")]
    public void AReturnedFrameThatIsBrokenIsNamed(uint frame, string message)
    {
        using RingDomains<TThreads> domains = Make();
        Breaks(
            domains, ref RingParts<TThreads>.Slots(domains.Ring)[1u], _ => new FlipPage(new FrameId(frame), 1, 0, 0),
            message);
    }

    [Test]
    public void PagesOfOneByteAndOfAWholePageAreRight()
    {
        using RingDomains<TThreads> domains = new();
        domains.Ring.Publish(new FlipPage(domains.ProducerFrames.Dequeue(), 1, 0, 2));
        domains.Ring.Publish(new FlipPage(domains.ProducerFrames.Dequeue(), 4096, 0, 2));
        domains.CheckConservation();
    }

    [Test]
    public void AWrongTurnIsNamed()
    {
        if (typeof(TThreads) != typeof(ManyToMany)) Assert.Ignore("there are no turns");
        using RingDomains<TThreads> domains = Make();
        // Positions 2 and 3 are full in the first lap, 4 and 5 free in the second.
        Breaks(domains, ref RingParts<TThreads>.Lines(domains.Ring).Turns[3u], _ => 9, "I3: turn 1 at position 3, found 9");
        Breaks(domains, ref RingParts<TThreads>.Lines(domains.Ring).Turns[0u], _ => 3, "I3: turn 2 at position 4, found 3");
        Breaks(domains, ref RingParts<TThreads>.Lines(domains.Ring).Turns[1u], _ => 3, "I3: turn 2 at position 5, found 3");
    }

    /// <summary>A frame that the ledger writes down as being in the ring, and that is not there.</summary>
    [Test]
    public void AFrameTooManyInTheLedgerIsNamed()
    {
        using RingDomains<TThreads> domains = Make();
        domains.Ledger.TryEnter(new FrameId(6), RingDomains<TThreads>.Producer, 1);
        Assert.That(
            domains.Ring.Validate,
            Throws.TypeOf<InvariantException>().With.Message.EqualTo(Ring + "I6: 4 frames in the ledger, found 5"));
        domains.Ledger.Undo(new FrameId(6), RingDomains<TThreads>.Producer, 1);
    }

    [Test]
    public void AForgottenRingIsNotLookedAt()
    {
        using RingDomains<TThreads> domains = Make();
        MemoryMeter meter = new();
        FlipRing<TThreads> ring = new(new FlipRingOptions { Producer = 1, Consumer = 2, SlotCount = 4 }, meter);
        ring.Publish(RingDomains<TThreads>.Page(new FrameId(1)));
        RingParts<TThreads>.Lines(ring).Control.Head = RingHead.At(9).Packed;
        ring.Forget();
        ring.Validate();
        Assert.That((ring.FullCount, ring.ReturnedCount), Is.EqualTo((0, 0)));
        ring.Dispose();
        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    /// <summary>Slots 0 and 1 hold returned frames 9 and 10, slots 2 and 3 pages in frames 3 and 4.</summary>
    private static RingDomains<TThreads> Make()
    {
        RingDomains<TThreads> domains = new();
        for (int i = 0; i < 4; i++) domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue()));
        for (int i = 0; i < 2; i++)
        {
            domains.Ring.TryFlip(domains.ConsumerFrames.Dequeue(), out FlipPage page);
            domains.ConsumerFrames.Enqueue(page.Frame);
        }

        return domains;
    }

    private static void Breaks<TWord>(
        RingDomains<TThreads> domains, ref TWord word, Func<TWord, TWord> damage, string message)
    {
        TWord before = word;
        word = damage(before);
        Assert.That(
            domains.Ring.Validate, Throws.TypeOf<InvariantException>().With.Message.EqualTo(Ring + message));
        word = before;
        domains.Ring.Validate();
    }
}

/// <summary>What a ring keeps to itself, for tests that break it.</summary>
internal static class RingParts<TThreads> where TThreads : struct, IRingThreads
{
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_ring")]
    internal static extern ref RingLines Lines(FlipRing<TThreads> ring);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_slots")]
    internal static extern ref NativeArray<FlipPage> Slots(FlipRing<TThreads> ring);
}
