// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;

namespace PerfCache.Tests.Policies.Puma;

/// <summary>Goal: when lenders are left alone for the source, when they are used again, and who is tried meanwhile.</summary>
[TestFixture]
public sealed class TierRaceTests
{
    private const long Second = 1_000_000;
    private const long Probe = Second / 20;

    [Test]
    public void TheTierIsOffWhileTheSourceIsFasterAndChangesOnlyBeyondTheMargins()
    {
        TierRace race = new(new TierRaceOptions(), Second);
        long now = 0;
        Race(race, tier: 100, source: 100, ref now);
        Assert.That(race.IsOff, Is.False, "equal: as it was");
        Race(race, tier: 108, source: 100, ref now);
        Assert.That(race.IsOff, Is.False, "within the margin");
        Race(race, tier: 120, source: 100, ref now);
        Assert.That(race.IsOff, "slower");
        Race(race, tier: 90, source: 100, ref now);
        Assert.That(race.IsOff, "within the margin");
        Race(race, tier: 70, source: 100, ref now);
        Assert.That(race.IsOff, Is.False, "faster");
    }

    [Test]
    public void AFirstDecisionNeedsEnoughOfBoth()
    {
        TierRace race = new(new TierRaceOptions(), Second);
        for (int i = 0; i < 100; i++) race.OnTier(1000, i);
        for (int i = 0; i < 15; i++) Assert.That(race.OnSource(1, i), Is.False);
        Assert.That(race.OnSource(1, 16));
        Assert.That(race.IsOff);
    }

    [Test]
    public void TheOneThatIsNotUsedIsTriedOnceAnInterval()
    {
        TierRace race = new(new TierRaceOptions(), Second);
        long now = 10 * Second;
        Assert.That(race.Asks(now), Is.False, "nobody has timed the source yet");
        Assert.That(race.Asks(now), Is.True);
        race.OnSource(100, now);
        for (long at = now; at < now + Probe; at += Probe / 10) Assert.That(race.Asks(at));
        Assert.That(race.Asks(now + Probe), Is.False, "the source is tried");

        Race(race, tier: 1000, source: 100, ref now);
        Assert.That(race.IsOff);
        now += Probe;
        int asked = 0;
        for (long at = now; at < now + (10 * Probe); at += Probe / 10) asked += race.Asks(at) ? 1 : 0;
        Assert.That(asked, Is.EqualTo(10), "the tier is tried");
        Assert.That(Enumerable.Range(0, 10 * TierRace.OffersApart).Count(_ => race.Offers()), Is.EqualTo(10));
    }

    [TestCase(0.0, 1.1, 16, 1)]
    [TestCase(1.2, 1.1, 16, 1)]
    [TestCase(0.8, 1.1, 0, 1)]
    [TestCase(0.8, 1.1, 16, 0)]
    public void WrongOptionsAreRefused(double on, double off, int smoothing, int probeMs) =>
        Assert.Throws<ArgumentException>(() => _ = new TierRace(
            new TierRaceOptions
            {
                OnShare = on,
                OffShare = off,
                Smoothing = smoothing,
                ProbeInterval = TimeSpan.FromMilliseconds(probeMs),
            },
            Second));

    private static void Race(TierRace race, long tier, long source, ref long now)
    {
        for (int i = 0; i < 200; i++)
        {
            now += Probe / 100;
            race.OnTier(tier, now);
            race.OnSource(source, now);
        }
    }
}
