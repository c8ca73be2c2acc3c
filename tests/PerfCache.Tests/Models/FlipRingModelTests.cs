// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Tests.Core.Flip;

namespace PerfCache.Tests.Models;

/// <summary>
/// Goal: one thread sees a ring do what two queues and a count would. Method: seeded steps on the ring and on a naive
/// twin, compared after each; so is conservation, by <c>Validate</c>, the ledger and a count.
/// </summary>
[TestFixture(typeof(OneToOne))]
[TestFixture(typeof(ManyToMany))]
internal sealed class FlipRingModelTests<TThreads> where TThreads : struct, IRingThreads
{
    private const uint FramesEach = 12;

    [Test]
    public void DoesWhatTwoQueuesDo([Values(2, 4, 8)] int slotCount)
    {
        Random random = TestSeed.Random(slotCount);
        // Close to where positions wrap, so that they do.
        using RingDomains<TThreads> domains = new(slotCount, FramesEach, startPosition: (1UL << 48) - 1000);
        Twin twin = new(slotCount);
        uint stamp = 0;
        for (int step = 0; step < 20_000; step++)
        {
            int batch = random.Next(slotCount + 2);
            switch (random.Next(5))
            {
                case 0:
                    Publish(domains, twin, batch, ref stamp);
                    break;
                case 1:
                    PublishOne(domains, twin, ref stamp);
                    break;
                case 2:
                    Flip(domains, twin, batch);
                    break;
                case 3:
                    FlipOne(domains, twin);
                    break;
                default:
                    FrameId[] collected = new FrameId[batch];
                    int count = domains.Ring.Collect(collected);
                    Assert.That(collected[..count], Is.EqualTo(twin.Collect(batch)));
                    GiveBack(domains, collected[..count]);
                    break;
            }

            Assert.That(domains.Ring.FullCount, Is.EqualTo(twin.Full.Count));
            Assert.That(domains.Ring.ReturnedCount, Is.EqualTo(twin.Returned.Count));
            if (step % 8 == 0) domains.CheckConservation();
        }
    }

    private static void Publish(RingDomains<TThreads> domains, Twin twin, int batch, ref uint stamp)
    {
        List<FlipPage> pages = [];
        foreach (FrameId frame in domains.ProducerFrames.Take(batch))
            pages.Add(RingDomains<TThreads>.Page(frame, stamp + (uint)pages.Count));
        FrameId[] returned = new FrameId[pages.Count];
        int sent = domains.Ring.TryPublish([.. pages], returned, out int returnedCount);
        for (int i = 0; i < sent; i++) domains.ProducerFrames.Dequeue();
        stamp += (uint)sent;
        Assert.That(twin.Publish(pages, out List<FrameId> expected), Is.EqualTo(sent));
        Assert.That(returned[..returnedCount], Is.EqualTo(expected));
        GiveBack(domains, returned[..returnedCount]);
    }

    private static void PublishOne(RingDomains<TThreads> domains, Twin twin, ref uint stamp)
    {
        if (domains.ProducerFrames.Count == 0) return;
        FlipPage page = RingDomains<TThreads>.Page(domains.ProducerFrames.Peek(), stamp);
        bool sent = domains.Ring.TryPublish(in page, out FrameId returned);
        Assert.That(twin.Publish([page], out List<FrameId> expected) == 1, Is.EqualTo(sent));
        Assert.That(returned, Is.EqualTo(expected.SingleOrDefault()));
        if (!sent) return;
        stamp++;
        domains.ProducerFrames.Dequeue();
        if (!returned.IsNone) domains.ProducerFrames.Enqueue(returned);
    }

    private static void Flip(RingDomains<TThreads> domains, Twin twin, int batch)
    {
        FrameId[] free = [.. domains.ConsumerFrames.Take(batch)];
        FlipPage[] pages = new FlipPage[batch];
        int taken = domains.Ring.TryFlip(free, pages);
        Assert.That(pages[..taken], Is.EqualTo(twin.Flip(free)));
        for (int i = 0; i < taken; i++)
        {
            domains.ConsumerFrames.Dequeue();
            domains.ConsumerFrames.Enqueue(pages[i].Frame);
        }
    }

    private static void FlipOne(RingDomains<TThreads> domains, Twin twin)
    {
        FrameId free = domains.ConsumerFrames.Count == 0 ? FrameId.None : domains.ConsumerFrames.Peek();
        bool taken = domains.Ring.TryFlip(free, out FlipPage page);
        List<FlipPage> expected = free.IsNone ? [] : twin.Flip([free]);
        Assert.That(taken, Is.EqualTo(expected.Count == 1));
        if (!taken) return;
        Assert.That(page, Is.EqualTo(expected[0]));
        domains.ConsumerFrames.Dequeue();
        domains.ConsumerFrames.Enqueue(page.Frame);
    }

    private static void GiveBack(RingDomains<TThreads> domains, FrameId[] frames)
    {
        foreach (FrameId frame in frames) domains.ProducerFrames.Enqueue(frame);
    }

    /// <summary>The ring as two queues; a slot that was filled again has its free frame back by then.</summary>
    private sealed class Twin
    {
        private readonly int _slotCount;
        private int _blankSlots;

        internal Twin(int slotCount) => _slotCount = _blankSlots = slotCount;

        internal Queue<FlipPage> Full { get; } = new();

        internal Queue<FrameId> Returned { get; } = new();

        internal int Publish(List<FlipPage> pages, out List<FrameId> returned)
        {
            returned = [];
            int sent = 0;
            for (; sent < pages.Count && Full.Count < _slotCount; sent++)
            {
                Full.Enqueue(pages[sent]);
                if (_blankSlots > 0) _blankSlots--;
                else returned.Add(Returned.Dequeue());
            }

            return sent;
        }

        internal List<FlipPage> Flip(FrameId[] free)
        {
            List<FlipPage> taken = [];
            for (; taken.Count < free.Length && Full.Count > 0; Returned.Enqueue(free[taken.Count - 1]))
                taken.Add(Full.Dequeue());
            return taken;
        }

        internal List<FrameId> Collect(int most)
        {
            List<FrameId> collected = [];
            for (; collected.Count < most && Returned.Count > 0; _blankSlots++) collected.Add(Returned.Dequeue());
            return collected;
        }
    }
}
