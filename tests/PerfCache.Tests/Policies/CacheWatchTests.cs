// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Policies;

/// <summary>Goal: lent pages live in a lender's own lists by PUMA's rules, and nobody else notices.</summary>
[TestFixture]
public sealed class CacheWatchTests
{
    private const uint Frames = 200;

    [Test]
    public void AWatchedCacheWithoutLentPagesDecidesLikeAnUnwatchedOne()
    {
        Random random = TestSeed.Random(5);
        using MetadataCache<LinuxRules<Linux315>, ReplayMode> plain = new(Frames, new LinuxRules<Linux315>());
        using MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> watched =
            new(Frames, new LinuxRules<Watched<Linux315>>(new CacheWatch()));
        ObjectId file = plain.AddObject(1000, true);
        watched.AddObject(1000, true);
        PageReader one = default, other = default;
        for (int i = 0; i < 50_000; i++)
        {
            ulong page = (ulong)(random.NextDouble() * random.NextDouble() * 1000);
            Assert.That(watched.Access(file, page, ref other), Is.EqualTo(plain.Access(file, page, ref one)));
        }

        Assert.That(watched.Statistics, Is.EqualTo(plain.Statistics));
    }

    [Test]
    public void ALentPageStaysInactiveHoweverOftenItIsUsed([Values] bool staysInactive)
    {
        using MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> cache =
            Make(out CacheWatch watch, out _, out ObjectId lent);
        watch.LentStayInactive = staysInactive;
        PageReader reader = default;
        for (ulong page = 0; page < 50; page++) cache.Insert(lent, page);
        for (int round = 0; round < 4; round++)
            for (ulong page = 0; page < 50; page++) cache.Access(lent, page, ref reader);
        int active = 0;
        cache.VisitResident(lent, (_, frame) => active += cache.Frames.IsActive(frame) ? 1 : 0);
        Assert.That(active, staysInactive ? Is.Zero : Is.GreaterThan(30));
        Assert.That((watch.LentCount, watch.LentActiveCount), Is.EqualTo((50u, (uint)active)));
        cache.Validate();
    }

    [Test]
    public void ALentPageThatIsUsedAgainGetsAnotherTripThroughTheInactiveList()
    {
        using MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> cache = Make(out _, out _, out ObjectId lent);
        for (ulong page = 0; page < 28; page++) cache.Insert(lent, page);
        PageReader one = default, other = default;
        cache.Access(lent, 5, ref one);
        cache.Access(lent, 5, ref other);
        Assert.That(cache.Frames.Key(cache.Rules.Lists.Inactive.Head).Page, Is.EqualTo(5));
        Assert.That(cache.Rules.Lists.Inactive.Count, Is.EqualTo(28));
        cache.Validate();
    }

    [Test]
    public void AWatchedRuleWithoutAWatchWatchesForNobody()
    {
        using MetadataCache<LinuxRules<Watched<Linux6>>, ReplayMode> cache = new(Frames, new LinuxRules<Watched<Linux6>>());
        ObjectId file = cache.AddObject(1000, true);
        PageReader reader = default;
        for (ulong page = 0; page < 600; page++) cache.Access(file, page, ref reader);
        Assert.That(cache.Statistics.Misses, Is.EqualTo(600));
        cache.Validate();
    }

    [Test]
    public void ARemovedPageOfTheCachesOwnIsNoLentOne()
    {
        using MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> cache =
            Make(out CacheWatch watch, out ObjectId own, out ObjectId lent);
        cache.Insert(lent, 1);
        cache.Insert(own, 1);
        cache.Remove(own, 1);
        Assert.That((watch.LentCount, watch.LentActiveCount), Is.EqualTo((1u, 0u)));
        cache.Remove(lent, 1);
        Assert.That((watch.LentCount, watch.LentActiveCount), Is.EqualTo((0u, 0u)));
    }

    [Test]
    public void AnEvictedLentPageLeavesNoShadowDoesNotAgeAndIsTold()
    {
        using MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> cache =
            Make(out CacheWatch watch, out ObjectId own, out ObjectId lent);
        PageReader reader = default;
        for (ulong page = 0; page < Frames; page++) cache.Insert(lent, page);
        ulong age = cache.Rules.Age;
        for (ulong page = 0; page < 100; page++) cache.Access(own, page, ref reader);
        Assert.That(watch.Evicted, Has.Count.GreaterThanOrEqualTo(100).And.All.Matches<EvictedPage>(one => one.IsLent));
        Assert.That(watch.LentCount, Is.EqualTo(Frames - (uint)watch.Evicted.Count));
        Assert.That(cache.Rules.Age, Is.EqualTo(age));
        Assert.That(watch.Evicted.Any(one => cache.HasShadow(lent, one.Key.Page)), Is.False);
        Assert.That(watch.OwnEvictions, Is.Zero);
        cache.Validate();
    }

    /// <summary>Goal: forced deactivation needs both of its conditions, and is no sign for detector #2. Method: an idle
    /// lender with as many active as inactive pages, and a borrower that sends.</summary>
    [TestCase(true, false, true)]
    [TestCase(false, false, false)]
    [TestCase(true, true, false)]
    public void ForcedDeactivationGivesAnIdleLendersActivePagesAway(bool forces, bool suspended, bool gives)
    {
        using MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> cache =
            Make(out CacheWatch watch, out ObjectId own, out ObjectId lent);
        watch.ForcesDeactivation = forces;
        watch.IsSuspended = suspended;
        PageReader reader = default;
        for (int round = 0; round < 4; round++)
            for (ulong page = 0; page < 90; page++) cache.Access(own, page, ref reader);
        for (ulong page = 0; page < Frames; page++) cache.Insert(lent, page);
        long scans = watch.LowScans;
        for (ulong page = Frames; page < 10 * Frames; page++) cache.Insert(lent, page);
        Assert.That(watch.LentCount, gives ? Is.GreaterThan(Frames * 0.85) : Is.LessThan(Frames * 0.6));
        Assert.That(watch.ForcedScans > 0, Is.EqualTo(gives));
        Assert.That(watch.LowScans, Is.EqualTo(scans), "what is forced is no pressure");
        cache.Validate();
    }

    [Test]
    public void RemovedLentPagesAreCountedInRandomUse([Values] bool staysInactive)
    {
        Random random = TestSeed.Random(11);
        CacheWatch watch = new() { LentStayInactive = staysInactive };
        using MetadataCache<LinuxRules<Watched<Linux6>>, ReplayMode> watched =
            new(Frames, new LinuxRules<Watched<Linux6>>(watch));
        ObjectId own = watched.AddObject(4096, true);
        ObjectId lent = watched.AddObject(4096, true);
        watch.AddLent(lent);
        PageReader reader = default;
        HashSet<ulong> held = [];
        for (int i = 0; i < 20_000; i++)
        {
            ulong page = (ulong)random.Next(300);
            switch (random.Next(4))
            {
                case 0: if (watched.Insert(lent, page)) held.Add(page); break;
                case 1: if (watched.Remove(lent, page)) held.Remove(page); break;
                case 2: if (watched.Contains(lent, page)) watched.Access(lent, page, ref reader); break;
                default: watched.Access(own, page, ref reader); break;
            }

            foreach (EvictedPage evicted in watch.Evicted)
                if (evicted.IsLent) held.Remove(evicted.Key.Page);
            watch.ClearEvicted();
            Assert.That(watch.LentCount, Is.EqualTo((uint)held.Count));
        }

        watched.Validate();
        watched.Reclaim();
        int active = watched.Rules.Lists.Active.FromHead().Count(frame => watched.Frames.State(frame).Has(FrameState.Lent));
        Assert.That(watch.LentActiveCount, Is.EqualTo((uint)active));
    }

    [Test]
    public void RefaultsAndLowScansAreSignsOfTheOwnPages()
    {
        using MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> cache =
            Make(out CacheWatch watch, out ObjectId own, out _);
        PageReader reader = default;
        for (int round = 0; round < 3; round++)
            for (ulong page = 0; page < Frames + 20; page++) cache.Access(own, page, ref reader);
        Assert.That(watch.Refaults, Is.EqualTo(cache.Statistics.Refaults).And.GreaterThan(0));
        Assert.That(watch.ActivatingRefaults, Is.EqualTo(cache.Statistics.RefaultActivations));
        Assert.That(watch.OwnInsertions, Is.EqualTo(cache.Statistics.Misses));
    }

    [Test]
    public void PagesTakenFromTheActiveListBecauseTheInactiveOneIsLowAreCounted()
    {
        using MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> cache =
            Make(out CacheWatch watch, out ObjectId own, out _);
        PageReader reader = default;
        for (int round = 0; round < 4; round++)
            for (ulong page = 0; page < 150; page++) cache.Access(own, page, ref reader);
        Assert.That((watch.LowScans, cache.Statistics.Deactivations), Is.EqualTo((0L, 0L)));
        for (ulong page = 150; cache.Statistics.Deactivations == 0; page++) cache.Access(own, page, ref reader);
        Assert.That(watch.LowScans, Is.InRange(1, cache.Statistics.Deactivations));
        Assert.That(watch.AtLowScan.Inactive, Is.LessThan(watch.AtLowScan.Active));
    }

    private static MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> Make(
        out CacheWatch watch, out ObjectId own, out ObjectId lent)
    {
        watch = new CacheWatch();
        MetadataCache<LinuxRules<Watched<Linux315>>, ReplayMode> cache =
            new(Frames, new LinuxRules<Watched<Linux315>>(watch));
        own = cache.AddObject(4096, true);
        lent = cache.AddObject(4096, true);
        watch.AddLent(lent);
        return cache;
    }
}
