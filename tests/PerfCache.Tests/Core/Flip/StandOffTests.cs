// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;

namespace PerfCache.Tests.Core.Flip;

/// <summary>
/// Goal: a consumer close to the producer pauses, and yet gets every page that is there; where pauses bring nothing, it
/// does without them for a while. Method: the ring's own count of looks that do without, after pages that come alone.
/// </summary>
[TestFixture(typeof(OneToOne))]
[TestFixture(typeof(ManyToMany))]
internal sealed class StandOffTests<TThreads> where TThreads : struct, IRingThreads
{
    private const int SlotCount = 64;

    private static bool IsOneToOne => typeof(TThreads) == typeof(OneToOne);

    [Test]
    public void APageThatComesAloneIsTakenAndTheNextOnesWithoutAPause([Values] bool ledger)
    {
        RequireTwoCores();
        using RingDomains<TThreads> domains = Make(RingWait.Pause, ledger);
        // The first page of all is one of those that look behind themselves; its pause brings nothing.
        SendOne(domains);
        uint looks = Looks(domains);
        Assert.That(looks, Is.EqualTo(IsOneToOne ? 64 : 4), "a pause that brought nothing");
        for (int page = 1; page <= 64; page++)
        {
            SendOne(domains);
            // Many to many, one page in sixteen looks.
            uint done = (uint)(IsOneToOne ? page : page / 16);
            Assert.That(Looks(domains), Is.EqualTo(looks - done), $"page {page}");
        }

        if (!IsOneToOne) for (int page = 65; page < 80; page++) SendOne(domains);
        SendOne(domains);
        Assert.That(Looks(domains), Is.EqualTo(looks), "another pause that brought nothing");
    }

    [Test]
    public void WhoIsFarEnoughBehindDoesNotPause()
    {
        RequireTwoCores();
        using RingDomains<TThreads> domains = Make(RingWait.Adaptive, ledger: false);
        // A ring of 64 keeps off 8 pages.
        for (int page = 0; page < 9; page++) Publish(domains);
        Flip(domains);
        Assert.That(Looks(domains), Is.Zero);
    }

    [Test]
    public void WhoWantsTheQuickestAnswerDoesNotPause([Values(RingWait.Spin, RingWait.Yield, RingWait.Park)] RingWait wait)
    {
        using RingDomains<TThreads> domains = Make(wait, ledger: false);
        for (int page = 0; page < 40; page++) SendOne(domains);
        Assert.That(Looks(domains), Is.Zero);
    }

    [Test]
    public void ASmallRingKeepsOffLessThanItHolds([Values(2, 4, 8, 64, 1024, 32_768)] int slotCount)
    {
        uint distance = StandOff.DistanceOf(RingWait.Pause, slotCount);
        uint expected = slotCount switch { < 8 => 0u, 8 => 1, 64 => 8, _ => 128 };
        Assert.That(distance, Is.EqualTo(Environment.ProcessorCount > 1 ? expected : 0));
    }

    private static RingDomains<TThreads> Make(RingWait wait, bool ledger) =>
        new(SlotCount, framesEach: 128, ledger, wait: wait);

    private static void SendOne(RingDomains<TThreads> domains)
    {
        Publish(domains);
        Flip(domains);
    }

    private static void Publish(RingDomains<TThreads> domains)
    {
        FlipPage page = RingDomains<TThreads>.Page(domains.ProducerFrames.Dequeue());
        Assert.That(domains.Ring.TryPublish(in page, out FrameId returned), Is.True);
        if (!returned.IsNone) domains.ProducerFrames.Enqueue(returned);
    }

    private static void Flip(RingDomains<TThreads> domains)
    {
        Assert.That(domains.Ring.TryFlip(domains.ConsumerFrames.Dequeue(), out FlipPage page), Is.True);
        domains.ConsumerFrames.Enqueue(page.Frame);
    }

    private static uint Looks(RingDomains<TThreads> domains) =>
        RingParts<TThreads>.Lines(domains.Ring).Control.LooksWithoutPause;

    private static void RequireTwoCores()
    {
        if (Environment.ProcessorCount < 2) Assert.Ignore("a machine of one core never pauses");
    }
}
