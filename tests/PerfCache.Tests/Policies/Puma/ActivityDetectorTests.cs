// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;

namespace PerfCache.Tests.Policies.Puma;

/// <summary>Goal: each detector fires on its own sign and on no other, and a sign suspends for three seconds.</summary>
[TestFixture]
public sealed class ActivityDetectorTests
{
    private const long Second = 1000;
    private static readonly ActivitySignals s_activating = new(1, 1, 1, 0, 0, 0);
    private static readonly ActivitySignals s_refault = new(1, 1, 0, 0, 0, 0);
    private static readonly ActivitySignals s_low = new(0, 0, 0, 1, 10, 11);

    [TestCase(ActivitySigns.None, false, false)]
    [TestCase(ActivitySigns.Refault, true, false)]
    [TestCase(ActivitySigns.Pressure, false, true)]
    [TestCase(ActivitySigns.Both, true, true)]
    public void EachDetectorHearsItsOwnSign(ActivitySigns signs, bool hearsRefault, bool hearsPressure)
    {
        Assert.That(Make(signs, out _).Observe(s_activating, 0), Is.EqualTo(hearsRefault));
        Assert.That(Make(signs, out _).Observe(s_low, 0), Is.EqualTo(hearsPressure));
    }

    [Test]
    public void StrictlyARefaultMustActivateItsPage()
    {
        Assert.That(Make(ActivitySigns.Refault, out _).Observe(s_refault, 0), Is.False);
        ActivityDetector broad = new(
            new DetectorOptions { Signs = ActivitySigns.Refault, CountsAnyRefault = true }, new PumaJournal(Second), Second);
        Assert.That(broad.Observe(s_refault, 0), Is.True);
    }

    [Test]
    public void LendingIsResumedThreeSecondsAfterTheLastSign()
    {
        ActivityDetector detector = Make(ActivitySigns.Both, out PumaJournal journal);
        detector.Observe(s_activating, 100);
        Assert.That(detector.ResumeAtTicks, Is.EqualTo(3100));
        Assert.That(detector.Observe(s_activating with { LowScans = 1 }, 2000), Is.False, "it is suspended already");
        Assert.That(detector.Expire(3100), Is.False, "the second sign began the time anew");
        Assert.That(detector.Expire(5000), Is.True);
        Assert.That(detector.IsSuspended, Is.False);
        Assert.That(
            journal.Events.Select(one => (one.FirstTicks, one.Kind, one.Cause)),
            Is.EqualTo(new[]
            {
                (100L, PumaEventKind.Suspended, PumaCause.Refault), (2000L, PumaEventKind.Rearmed, PumaCause.Pressure),
                (5000L, PumaEventKind.Resumed, PumaCause.TimeOver),
            }));
    }

    [Test]
    public void TheSameSignalsAreNoNewSign()
    {
        ActivityDetector detector = Make(ActivitySigns.Both, out _);
        detector.Observe(s_activating, 0);
        detector.Expire(3000);
        Assert.That(detector.Observe(s_activating, 4000), Is.False);
    }

    [Test]
    public void AnIdleLenderIsNotSetOffByPressureWhenItKnowsThatItIsIdle()
    {
        DetectorOptions options = new() { IsIdleAware = true };
        ActivityDetector detector = new(options, new PumaJournal(Second), Second);
        Assert.That(detector.Observe(s_low, 0), Is.False, "it has never read a page");
        Assert.That(detector.Observe(s_low with { OwnInsertions = 1 }, 5000), Is.False, "a page, and no new low scan");
        Assert.That(detector.Observe(s_low with { OwnInsertions = 1, LowScans = 2 }, 5900), Is.True);
        detector.Expire(10_000);
        Assert.That(detector.Observe(s_low with { OwnInsertions = 1, LowScans = 3 }, 10_000), Is.False);
    }

    [Test]
    public void TheJournalSaysWhyLendingWasSuspendedAtATime()
    {
        ActivityDetector detector = Make(ActivitySigns.Both, out PumaJournal journal);
        detector.Observe(s_low, 1000);
        detector.Observe(s_low with { ActivatingRefaults = 2, Refaults = 5 }, 2000);
        detector.Expire(5000);
        (PumaEvent Began, PumaEvent LastSign)? why = journal.WhySuspended(4000);
        Assert.That(why!.Value.Began.Cause, Is.EqualTo(PumaCause.Pressure));
        Assert.That(why.Value.Began.Evidence, Is.EqualTo((10L, 11L)));
        Assert.That(why.Value.LastSign.Evidence, Is.EqualTo((5L, 2L)));
        Assert.That(journal.WhySuspended(500), Is.Null);
        Assert.That(journal.WhySuspended(5000), Is.Null);
        Assert.That(journal.SuspendedIntervals(9000), Is.EqualTo(new[] { (1000L, 5000L) }));
    }

    private static ActivityDetector Make(ActivitySigns signs, out PumaJournal journal)
    {
        journal = new PumaJournal(Second);
        return new ActivityDetector(new DetectorOptions { Signs = signs }, journal, Second);
    }
}
