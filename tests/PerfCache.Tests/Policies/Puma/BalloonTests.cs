// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;

namespace PerfCache.Tests.Policies.Puma;

/// <summary>Goal: balloons follow their host in acknowledged requests, and controllers set the sizes that their sources
/// say.</summary>
[TestFixture]
public sealed class BalloonTests
{
    private const long Milli = 1;

    [Test]
    public void ABalloonGoesByRequestsOf256PagesAndRestsAfterAFailure()
    {
        BalloonDriver balloon = new(new BalloonOptions(), 1000 * Milli) { TargetPages = 300 };
        Assert.That(balloon.Next(0), Is.EqualTo(new BalloonStep(BalloonAction.Inflate, 256, 0)));
        balloon.OnAcknowledged(256);
        Assert.That(balloon.Next(0).Pages, Is.EqualTo(44));
        balloon.OnAllocationFailed(10);
        Assert.That(balloon.Next(209), Is.EqualTo(new BalloonStep(BalloonAction.Rest, 0, 210)));
        Assert.That(balloon.Next(210).Action, Is.EqualTo(BalloonAction.Inflate));
        balloon.TargetPages = 0;
        Assert.That(balloon.Next(0), Is.EqualTo(new BalloonStep(BalloonAction.Deflate, 256, 0)));
    }

    [Test]
    public void ABalloonGivesARequestBackWhenItsGuestIsOutOfMemory()
    {
        BalloonDriver balloon = Balloon(1000);
        Assert.That(balloon.OnOutOfMemory(), Is.EqualTo(256));
        Assert.That(balloon.TargetPages, Is.EqualTo(744));
        BalloonDriver stubborn = new(new BalloonOptions { DeflatesOnOutOfMemory = false }, 1000) { TargetPages = 10 };
        stubborn.OnAcknowledged(10);
        Assert.That(stubborn.OnOutOfMemory(), Is.Zero);
    }

    [Test]
    public void OnDemandTheOtherGuestInflatesForWhatTheHostLacks()
    {
        BalloonGuest server = Guest(4096, 1024, Balloon(2048));
        BalloonGuest client = Guest(4096, 1024, Balloon(0));
        new DemandController().OnPressure([server, client], 0, MemoryPressure.Medium, hostFreePages: 100);
        Assert.That(server.Balloon.TargetPages, Is.EqualTo(2048 - 256));
        Assert.That(client.Balloon.TargetPages, Is.EqualTo(156));
    }

    [TestCase(MemoryPressure.None, 0)]
    [TestCase(MemoryPressure.Low, 256)]
    [TestCase(MemoryPressure.Medium, 16 * 256)]
    [TestCase(MemoryPressure.Critical, 128 * 256)]
    public void ByPressureTheStepGrowsWithIt(MemoryPressure pressure, int pages)
    {
        BalloonGuest server = Guest(1 << 20, 0, Balloon(1 << 19));
        BalloonGuest client = Guest(1 << 20, 0, Balloon(0));
        new PressureController().OnPressure([server, client], 0, pressure, hostFreePages: 0);
        Assert.That((1 << 19) - server.Balloon.TargetPages, Is.EqualTo(pages));
        Assert.That(client.Balloon.TargetPages, Is.EqualTo(pages));
    }

    [Test]
    public void ByAGoalNobodyMovesMoreThan100MebibytesARoundAndNeverBelowItsMinimum()
    {
        const long Step = 100 * 256;
        BalloonGuest idle = Guest(1 << 20, 1 << 18, Balloon(0));
        idle.FreePages = 1 << 19;
        BalloonGuest busy = Guest(1 << 20, 1 << 18, Balloon(1 << 19));
        GoalController controller = new(TimeSpan.FromSeconds(10));
        controller.OnRound([idle, busy], hostUsedPages: 800_000, hostPages: 1_000_000);
        Assert.That(idle.Balloon.TargetPages, Is.EqualTo(Step));
        Assert.That(busy.Balloon.TargetPages, Is.EqualTo((1 << 19) - Step));

        BalloonGuest small = Guest(1 << 18, (1 << 18) - 10, Balloon(0));
        controller.OnRound([small], hostUsedPages: 1_000_000, hostPages: 1_000_000);
        Assert.That(small.Balloon.TargetPages, Is.EqualTo(10));
    }

    private static BalloonDriver Balloon(int pages)
    {
        BalloonDriver balloon = new(new BalloonOptions(), 1000) { TargetPages = pages };
        balloon.OnAcknowledged(pages);
        return balloon;
    }

    private static BalloonGuest Guest(long most, long least, BalloonDriver balloon) =>
        new() { MaxPages = most, MinPages = least, Balloon = balloon };
}
