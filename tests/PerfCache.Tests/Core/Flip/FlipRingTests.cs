// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;

namespace PerfCache.Tests.Core.Flip;

/// <summary>
/// Goal: pages go one way, free frames the other, and every frame is in one place at any moment. Method: examples, for
/// both numbers of threads; conservation is checked when each test ends.
/// </summary>
[TestFixture(typeof(OneToOne))]
[TestFixture(typeof(ManyToMany))]
internal sealed class FlipRingTests<TThreads> where TThreads : struct, IRingThreads
{
    [Test]
    public void AFlipExchangesTwoFrames()
    {
        using RingDomains<TThreads> domains = new();
        FrameId full = domains.ProducerFrames.Dequeue();
        FrameId free = domains.ConsumerFrames.Dequeue();

        Assert.That(domains.Ring.Publish(new FlipPage(full, 1500, 7, 2)), Is.EqualTo(FrameId.None));
        Assert.That(domains.Ring.TryFlip(free, out FlipPage page), Is.True);

        Assert.That(page, Is.EqualTo(new FlipPage(full, 1500, 7, 2)));
        Assert.That(domains.Ledger.OwnerOf(full), Is.EqualTo(RingDomains<TThreads>.Consumer));
        Assert.That((domains.Ring.FullCount, domains.Ring.ReturnedCount), Is.EqualTo((0, 1)));
        domains.ConsumerFrames.Enqueue(page.Frame);
        FrameId[] returned = new FrameId[4];
        Assert.That(domains.Ring.Collect(returned), Is.EqualTo(1));
        Assert.That(returned[0], Is.EqualTo(free));
        Assert.That(domains.Ledger.OwnerOf(free), Is.EqualTo(RingDomains<TThreads>.Producer));
        domains.ProducerFrames.Enqueue(free);
        Assert.That(domains.Ring.Collect(returned), Is.Zero, "what was collected is not there any more");
    }

    [Test]
    public void TheSlotBringsItsFreeFrameBackWhenItIsFilledAgain()
    {
        using RingDomains<TThreads> domains = new(slotCount: 2);
        List<FrameId> left = [];
        List<FrameId> returned = [];
        for (int i = 0; i < 6; i++)
        {
            FrameId back = domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue()));
            if (!back.IsNone) returned.Add(back);
            left.Add(domains.ConsumerFrames.Dequeue());
            Assert.That(domains.Ring.TryFlip(left[^1], out FlipPage page), Is.True);
            domains.ConsumerFrames.Enqueue(page.Frame);
        }

        foreach (FrameId frame in returned) domains.ProducerFrames.Enqueue(frame);
        Assert.That(returned, Is.EqualTo(left[..4]), "two laps later, in the order of the slots");
    }

    [Test]
    public void AConsumerWithoutAFreeFrameGetsEmptyAndThePageStays()
    {
        using RingDomains<TThreads> domains = new();
        domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue()));

        Assert.That(domains.Ring.TryFlip(FrameId.None, out FlipPage page), Is.False);
        Assert.That(domains.Ring.TryFlip([], new FlipPage[4]), Is.Zero);
        Assert.That(page, Is.EqualTo(default(FlipPage)));
        Assert.That(domains.Ring.FullCount, Is.EqualTo(1));
    }

    [Test]
    public void AnEmptyRingKeepsTheFreeFrame()
    {
        using RingDomains<TThreads> domains = new();
        FrameId free = domains.ConsumerFrames.Peek();
        Assert.That(domains.Ring.TryFlip(free, out _), Is.False);
        Assert.That(domains.Ledger.IsInRing(free), Is.False);
    }

    [Test]
    public void AFullRingKeepsNothing()
    {
        using RingDomains<TThreads> domains = new(slotCount: 4);
        for (int i = 0; i < 4; i++) domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue()));
        FlipPage fifth = RingDomains<TThreads>.Page(domains.ProducerFrames.Peek());

        Assert.That(domains.Ring.TryPublish(in fifth, out FrameId returned), Is.False);
        Assert.That(returned.IsNone, Is.True);
        Assert.That(domains.Ledger.IsInRing(fifth.Frame), Is.False);
    }

    [Test]
    public void ABatchTakesAsManyAsThereAre([Values(1, 2, 3, 4, 7)] int batch, [Values] bool ledger)
    {
        using RingDomains<TThreads> domains = new(slotCount: 4, ledger: ledger);
        uint stamp = 0, expected = 0;
        for (int round = 0; round < 20; round++)
        {
            FlipPage[] pages =
                [.. domains.ProducerFrames.Take(batch).Select(frame => RingDomains<TThreads>.Page(frame, stamp++))];
            FrameId[] returned = new FrameId[batch];
            int sent = domains.Ring.TryPublish(pages, returned, out int returnedCount);
            Assert.That(sent, Is.EqualTo(Math.Min(4, pages.Length)));
            stamp -= (uint)(pages.Length - sent);
            for (int i = 0; i < sent; i++) domains.ProducerFrames.Dequeue();
            foreach (FrameId frame in returned[..returnedCount]) domains.ProducerFrames.Enqueue(frame);

            FlipPage[] taken = new FlipPage[8];
            FrameId[] free = [.. domains.ConsumerFrames];
            int flipped = domains.Ring.TryFlip(free, taken);
            Assert.That(flipped, Is.EqualTo(sent), "all that is ready");
            for (int i = 0; i < flipped; i++)
            {
                Assert.That(taken[i].UserBits, Is.EqualTo(expected++), "in order");
                domains.ConsumerFrames.Dequeue();
                domains.ConsumerFrames.Enqueue(taken[i].Frame);
            }

            domains.CheckConservation();
        }
    }

    [Test]
    public void PositionsWrap()
    {
        // 2^48 positions: the last ones and the first again.
        using RingDomains<TThreads> domains = new(slotCount: 4, startPosition: (1UL << 48) - 6);
        for (uint i = 0; i < 20; i++)
        {
            FrameId back = domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue(), i));
            if (!back.IsNone) domains.ProducerFrames.Enqueue(back);
            domains.CheckConservation();
            Assert.That(domains.Ring.TryFlip(domains.ConsumerFrames.Dequeue(), out FlipPage page), Is.True);
            Assert.That(page.UserBits, Is.EqualTo(i));
            domains.ConsumerFrames.Enqueue(page.Frame);
        }
    }

    [Test]
    public void TurnsWrap()
    {
        // 128 laps of a slot's byte, twice over.
        using RingDomains<TThreads> domains = new(slotCount: 2, ledger: false);
        for (uint i = 0; i < 600; i++)
        {
            FrameId back = domains.Ring.Publish(RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue(), i));
            if (!back.IsNone) domains.ProducerFrames.Enqueue(back);
            Assert.That(domains.Ring.TryFlip(domains.ConsumerFrames.Dequeue(), out FlipPage page), Is.True);
            Assert.That(page.UserBits, Is.EqualTo(i));
            domains.ConsumerFrames.Enqueue(page.Frame);
        }
    }

    [Test]
    public void ClosingHandsEverythingBackToTheProducer()
    {
        using RingDomains<TThreads> domains = new();
        FrameId[] pages = [domains.ProducerFrames.Dequeue(), domains.ProducerFrames.Dequeue()];
        FrameId free = domains.ConsumerFrames.Dequeue();
        foreach (FrameId frame in pages) domains.Ring.Publish(RingDomains<TThreads>.Page(frame));
        domains.Ring.TryFlip(free, out FlipPage taken);
        domains.ConsumerFrames.Enqueue(taken.Frame);
        FrameId[] left = new FrameId[4];

        int count = domains.Ring.Close(left, out int untaken);

        Assert.That((count, untaken), Is.EqualTo((2, 1)));
        Assert.That(left[..2], Is.EqualTo(new[] { pages[1], free }));
        Assert.That(domains.Ledger.CountInRings(), Is.Zero);
        Assert.That(domains.Ledger.OwnerOf(pages[1]), Is.EqualTo(RingDomains<TThreads>.Producer));
        Assert.That(domains.Ledger.OwnerOf(free), Is.EqualTo(RingDomains<TThreads>.Producer));
        foreach (FrameId frame in left[..2]) domains.ProducerFrames.Enqueue(frame);
        Assert.That(
            () => domains.Ring.TryFlip(free, out _),
            Throws.InvalidOperationException.With.Message.EqualTo("the ring from domain 1 to domain 2 is closed"));
    }

    [Test]
    public void AllocatesNothing()
    {
        using RingDomains<TThreads> domains = new(slotCount: 64, framesEach: 64);
        FlipPage[] pages = [.. domains.ProducerFrames.Select(frame => RingDomains<TThreads>.Page(frame))];
        FrameId[] free = [.. domains.ConsumerFrames];
        FlipPage[] taken = new FlipPage[64];
        FrameId[] returned = new FrameId[64];
        long before = 0;
        for (int round = 0; round < 1000; round++)
        {
            // The first rounds compile and start what there is to start.
            if (round == 500) before = GC.GetAllocatedBytesForCurrentThread();
            domains.Ring.TryPublish(pages.AsSpan(0, 32), returned, out int back);
            for (int i = 32; i < 64; i++) domains.Ring.TryPublish(in pages[i], out _);
            domains.Ring.WaitToFlip(TimeSpan.Zero);
            domains.Ring.TryFlip(free.AsSpan(0, 32), taken);
            for (int i = 32; i < 64; i++) domains.Ring.TryFlip(free[i], out taken[i]);
            domains.Ring.Collect(returned);
            // Each side sends in the next round what it got in this one.
            for (int i = 0; i < 64; i++) (free[i], pages[i]) = (taken[i].Frame, pages[i] with { Frame = free[i] });
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        domains.ProducerFrames.Clear();
        domains.ConsumerFrames.Clear();
        foreach (FlipPage page in pages) domains.ProducerFrames.Enqueue(page.Frame);
        foreach (FrameId frame in free) domains.ConsumerFrames.Enqueue(frame);
    }
}
