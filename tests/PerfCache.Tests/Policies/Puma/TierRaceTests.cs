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
    public void AFirstDecisionNeedsEnoughOfBothAfterTheWarmUp()
    {
        TierRace race = new(new TierRaceOptions { WarmUp = 10, Smoothing = 16 }, Second);
        for (int i = 0; i < 100; i++) race.OnTier(1000, i);
        for (int i = 0; i < 25; i++) Assert.That(race.OnSource(1, i), Is.False);
        Assert.That(race.OnSource(1, 26));
        Assert.That(race.IsOff);
    }

    [Test]
    public void UntilTheFirstDecisionEveryPageIsOfferedAndOneInSoManyGoesToTheSource()
    {
        TierRaceOptions options = new();
        TierRace race = new(options, Second);
        int asked = 0;
        long now = 0;
        for (; !race.HasRaced || race.SourceTicks is double.NaN; now++)
        {
            Assert.That(race.Offers());
            if (race.Asks(now)) race.OnTier(1000, now);
            else race.OnSource(100, now);
            asked++;
        }

        Assert.That(asked, Is.EqualTo(TierRace.RaceApart * (options.WarmUp + 1)));
        Assert.That(race.IsOff, Is.False, "one time of the source is no race");
        for (; !race.IsOff && asked < 10_000; now++, asked++)
        {
            if (race.Asks(now)) race.OnTier(1000, now);
            else race.OnSource(100, now);
        }

        Assert.That(asked, Is.EqualTo(TierRace.RaceApart * (options.WarmUp + options.Smoothing)));
    }

    [Test]
    public void ColdBeginningsAndSinglePausesAreNotTakenForASlowTier()
    {
        TierRace race = new(new TierRaceOptions(), Second);
        long now = 0;
        for (int i = 0; i < 256; i++)
        {
            now++;
            Assert.That(race.OnTier(800, now) || race.OnSource(60, now), Is.False, "while all is cold");
        }

        Race(race, tier: 40, source: 60, ref now);
        Assert.That(race.OnTier(1_000_000, now), Is.False, "the machine stood still once");
        Assert.That(race.TierTicks, Is.LessThan(60));
        for (int i = 0; i < 40; i++) race.OnTier(400, now);
        Assert.That(race.IsOff, "many are another thing");
    }

    [Test]
    public void TheOneThatIsNotUsedIsTriedInRowsOfWhichTheFirstDoesNotCount()
    {
        const int Together = TierRace.ProbesTogether;
        TierRace race = new(new TierRaceOptions { WarmUp = 0 }, Second);
        long now = 10 * Second;
        Race(race, tier: 100, source: 100, ref now);
        long interval = Together * Probe;
        for (long at = now; at < now + interval; at += Probe) Assert.That(race.Asks(at));
        now += interval;
        Assert.That(Enumerable.Range(0, 3 * Together).Count(_ => !race.Asks(now)), Is.EqualTo(Together), "source");

        Race(race, tier: 1000, source: 100, ref now);
        Assert.That(race.IsOff);
        now += interval;
        int asked = 0;
        for (long at = now; at < now + (10 * interval); at += Probe / 10) asked += race.Asks(at) ? 1 : 0;
        Assert.That(asked, Is.EqualTo(10 * Together).Within(Together), "the tier is tried");
        Assert.That(Enumerable.Range(0, 10 * TierRace.OffersApart).Count(_ => race.Offers()), Is.EqualTo(10));

        now += 20 * interval;
        while (!race.Asks(now)) now += Probe / 10;
        double before = race.TierTicks;
        while (race.Asks(now)) { }
        now += 2 * interval;
        Assert.That(race.Asks(now));
        race.OnTier(1, now);
        Assert.That(race.TierTicks, Is.EqualTo(before), "the first of a row is cold");
        race.OnTier(1, now);
        Assert.That(race.TierTicks, Is.LessThan(before));
    }

    [Test]
    public void ATierThatHasBecomeFasterIsUsedAgainByItsProbesAlone()
    {
        TierRace race = new(new TierRaceOptions(), Second);
        long now = 0;
        Race(race, tier: 200, source: 100, ref now);
        Assert.That(race.IsOff);
        long since = now;
        for (; race.IsOff && now < since + (20 * Second); now += 100)
        {
            if (race.Asks(now)) race.OnTier(50, now);
            else race.OnSource(100, now);
        }

        Assert.That(race.IsOff, Is.False);
        Assert.That(now - since, Is.LessThan(4 * Second));
    }

    [TestCase(0.0, 1.1, 16, 1, 4, 0)]
    [TestCase(1.2, 1.1, 16, 1, 4, 0)]
    [TestCase(0.8, 1.1, 0, 1, 4, 0)]
    [TestCase(0.8, 1.1, 16, 0, 4, 0)]
    [TestCase(0.8, 1.1, 16, 1, 1, 0)]
    [TestCase(0.8, 1.1, 16, 1, 4, -1)]
    public void WrongOptionsAreRefused(double on, double off, int smoothing, int probeMs, double outlier, int warmUp) =>
        Assert.Throws<ArgumentException>(() => _ = new TierRace(
            new TierRaceOptions
            {
                OnShare = on,
                OffShare = off,
                Smoothing = smoothing,
                OutlierShare = outlier,
                WarmUp = warmUp,
                ProbeInterval = TimeSpan.FromMilliseconds(probeMs),
            },
            Second));

    private static void Race(TierRace race, long tier, long source, ref long now)
    {
        for (int i = 0; i < 400; i++)
        {
            now += Probe / 100;
            race.OnTier(tier, now);
            race.OnSource(source, now);
        }
    }
}
