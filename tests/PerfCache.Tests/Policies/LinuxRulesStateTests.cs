// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Policies;

/// <summary>
/// Goal: what the rule does with pages that come from elsewhere (another node, another partition), and what its checks
/// find. Method: the rule alone on a space without a cache, verb by verb.
/// </summary>
[TestFixture]
internal sealed class LinuxRulesStateTests
{
    private readonly MemoryMeter _meter = new();
    private CacheSpace _space = null!;
    private LinuxRules<Linux6> _rules;
    private ShadowFormat _format;

    [SetUp]
    public void MakeRules()
    {
        _space = new CacheSpace(20, 0, _meter);
        _rules = new LinuxRules<Linux6>(32, 2);
        _rules.Attach(_space);
        _format = new ShadowFormat(_space.ShadowListBits, _space.FrameCount);
    }

    [TearDown]
    public void NothingIsOut()
    {
        _space.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void APageThatArrivesGoesWhereItsFlagSaysWhenTheBatchIsFull()
    {
        _space.Frames.SetFlags(new FrameId(1), FrameState.Active);
        _rules.OnArrive(new FrameId(1));
        Assert.That(_rules.Lists.Active.Count, Is.Zero, "it waits");
        _rules.OnArrive(new FrameId(2));
        Assert.That((_rules.Lists.Active.Head.Value, _rules.Lists.Inactive.Head.Value), Is.EqualTo((1u, 2u)));
        Assert.That((_rules.Lists.Active.Count, _rules.Lists.Inactive.Count), Is.EqualTo((1u, 1u)));
    }

    /// <summary>The distance may be as long as the active list: here 1, and each that is let in makes it longer by 1.</summary>
    [Test]
    public void ARefaultElsewhereIsJudgedByTheDistanceAndCounted([Values] bool workingset, [Values] bool counts)
    {
        _space.Frames.SetFlags(new FrameId(1), FrameState.Active);
        _rules.OnArrive(new FrameId(1));
        _rules.OnArrive(new FrameId(2));
        ShadowEntry shadow = _format.Pack(0, 0, workingset);
        ulong expected = FrameState.Active | (workingset ? FrameState.Workingset : 0) | (counts ? 1UL : 0);
        for (uint distance = 0; distance <= 1; distance++)
        {
            Assert.That(_rules.OnRefaultElsewhere(shadow, counts), Is.EqualTo(expected), $"distance {distance}");
            Assert.That(
                (_rules.Age, _space.Activations, _space.RefaultActivations),
                Is.EqualTo(((ulong)distance + 1, (long)distance + 1, (long)distance + 1)));
        }

        Assert.That(_rules.OnRefaultElsewhere(shadow, counts), Is.Zero, "distance 2");
        Assert.That((_rules.Age, _space.Activations, _space.RefaultActivations), Is.EqualTo((2UL, 2L, 2L)));
    }

    [Test]
    public void ARefaultThatEntersActiveKeepsWhatItHadBeen([Values] bool workingset)
    {
        _rules.OnInsert(new FrameId(3), _format.Pack(0, 0, workingset), countsAsAccess: true);
        FrameState state = _space.Frames.State(new FrameId(3));
        Assert.That((state.Has(FrameState.Active), state.Has(FrameState.Workingset)), Is.EqualTo((true, workingset)));
        Assert.That(_space.Frames.Head(new FrameId(3)).Referenced, Is.EqualTo(1));
        Assert.That((_rules.Age, _space.Activations, _space.RefaultActivations), Is.EqualTo((1UL, 1L, 1L)));
    }

    /// <summary>Two threads may both have seen the page inactive: it is activated once, though the age counts both.</summary>
    [Test]
    public void APageInTheBatchOfAdditionsIsActivatedOnce()
    {
        _rules.OnInsert(new FrameId(3), ShadowEntry.None, countsAsAccess: true);
        _rules.OnDeferredHit(new FrameId(3));
        _rules.OnDeferredHit(new FrameId(3));
        Assert.That((_space.Activations, _rules.Age), Is.EqualTo((1L, 2UL)));
        Assert.That(_space.Frames.IsActive(new FrameId(3)));
    }

    /// <summary>linux-6 marks what it deactivates as of the working set (mm/vmscan.c, shrink_active_list); 3.15 knows no such
    /// mark.</summary>
    [Test]
    public void OnlyLinux6MarksWhatItDeactivates()
    {
        Assert.That(MarkedAfterDeactivation(new LinuxRules<Linux6>()), Is.GreaterThan(0));
        Assert.That(MarkedAfterDeactivation(new LinuxRules<Linux315>()), Is.Zero);
    }

    /// <summary>Makes 150 pages active and reads others until some of those are deactivated.</summary>
    /// <returns>How many of the 150 are inactive, and marked.</returns>
    private int MarkedAfterDeactivation<TRules>(TRules rules) where TRules : struct, IReplacementRules
    {
        const ulong Used = 150;
        using MetadataCache<TRules, ReplayMode> cache = new(200, rules, _meter);
        ObjectId file = cache.AddObject(4096, dense: true);
        PageReader reader = default;
        for (int round = 0; round < 4; round++)
            for (ulong page = 0; page < Used; page++) cache.Access(file, page, ref reader);
        for (ulong page = Used; cache.Statistics.Deactivations == 0; page++) cache.Access(file, page, ref reader);
        int marked = 0;
        cache.VisitResident(file, (page, frame) =>
        {
            FrameState state = cache.Frames.State(frame);
            if (page < Used && !state.Has(FrameState.Active) && state.Has(FrameState.Workingset)) marked++;
        });
        return marked;
    }

    [TestCase(0, "active list: expected L1: ")]
    [TestCase(1, "rule: expected 2 frames on its lists, found 3")]
    [TestCase(2, "X1: expected frame 2 in the batch of additions on no list")]
    public void EachBrokenInvariantIsNamed(int damage, string message)
    {
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new(20, new LinuxRules<Linux6>(), _meter);
        ObjectId file = cache.AddObject(64, dense: true);
        PageReader reader = default;
        for (ulong page = 0; page < 2; page++) cache.Access(file, page, ref reader);
        cache.Rules.Validate();
        FrameLink before = cache.Frames.Link(2);
        switch (damage)
        {
            case 0:
                cache.Rules.Lists.Active.PushHead(new FrameId(9));
                cache.Frames.Link(9).Previous = 9;
                break;
            case 1: cache.Rules.Lists.Inactive.PushHead(new FrameId(9)); break;
            case 2: cache.Frames.Link(2).Next = 9; break;
        }

        Assert.That(
            () => cache.Rules.Validate(), Throws.TypeOf<InvariantException>().With.Message.StartsWith(message));
        cache.Frames.Link(2) = before;
    }
}
