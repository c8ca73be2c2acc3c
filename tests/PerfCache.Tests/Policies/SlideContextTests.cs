// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Lists;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Policies;

/// <summary>
/// Goal: the three pictures that introduce the Linux page cache in the slides ("Contexte #1, #2, #3"), as examples that
/// can be run. Method: linux-3.15 on a handful of frames, one page at a time (reclaim=1, batch=1), so that each step of
/// a picture is one access; lists are compared as a whole, from head to tail.
/// </summary>
[TestFixture]
public sealed class SlideContextTests
{
    private MetadataCache<LinuxRules<Linux315>, ReplayMode> _cache = null!;
    private ObjectId _file;
    private PageReader _reader;

    [TearDown]
    public void Free() => _cache.Dispose();

    [Test]
    public void Context1APageOnTrialIsActivatedByItsSecondRead()
    {
        StartWith(active: [1, 2], inactive: [8, 7, 6, 4, 3]);
        Assert.That(Picture(), Is.EqualTo("active P2 P1 | inactive P3 P4 P6 P7 P8"));

        Read(5);
        Assert.That(Picture(), Is.EqualTo("active P2 P1 | inactive P5 P3 P4 P6 P7"), "P5 is added, P8 is evicted");
        Assert.That(_cache.Contains(_file, 8), Is.False);

        long evictions = _cache.Statistics.Evictions;
        Read(3);
        Assert.Multiple(() =>
        {
            Assert.That(Picture(), Is.EqualTo("active P3 P2 P1 | inactive P5 P4 P6 P7"), "P3 is promoted");
            Assert.That(_cache.Statistics.Evictions, Is.EqualTo(evictions), "no eviction");
        });
    }

    [Test]
    public void Context2TheActiveListNeverHoldsMoreThanHalfAfterReclaim()
    {
        StartWith(active: [1, 2, 3, 4, 6], inactive: [8, 7]);
        Assert.That(Picture(), Is.EqualTo("active P6 P4 P3 P2 P1 | inactive P7 P8"));

        // Inactive < active: the oldest active pages go back on trial until the balance holds, then P8 is evicted.
        Read(5);
        Assert.Multiple(() =>
        {
            Assert.That(Picture(), Is.EqualTo("active P6 P4 P3 | inactive P5 P2 P1 P7"));
            Assert.That(_cache.Contains(_file, 8), Is.False);
            Assert.That(_cache.Statistics.Deactivations, Is.EqualTo(2));
            Assert.That(_cache.Rules.Lists.Active.Count, Is.LessThanOrEqualTo(_cache.Rules.Lists.Inactive.Count));
        });
    }

    [Test]
    public void Context3AShadowActivatesAPageThatWasEvictedTooEarly()
    {
        StartWith(active: [1, 2], inactive: [8, 7, 6, 4, 3]);

        Read(5);
        Assert.Multiple(() =>
        {
            Assert.That(Picture(), Is.EqualTo("active P2 P1 | inactive P5 P3 P4 P6 P7"), "P5 is added, P8 is evicted");
            Assert.That(_cache.HasShadow(_file, 8), Is.True, "the shadow keeps what is known of P8");
        });

        AccessOutcome outcome = Read(8);
        Assert.Multiple(() =>
        {
            Assert.That(outcome, Is.EqualTo(AccessOutcome.Refault), "hit in the shadows");
            Assert.That(Picture(), Is.EqualTo("active P8 P2 P1 | inactive P5 P3 P4 P6"), "P8 enters active at once");
            Assert.That(_cache.HasShadow(_file, 7), Is.True, "P7 made room");
        });
    }

    /// <summary>Reads the active pages twice, then the inactive ones once, so that the lists look as in the picture.</summary>
    private void StartWith(int[] active, int[] inactive)
    {
        _cache = new((uint)(active.Length + inactive.Length), new LinuxRules<Linux315>(reclaimBatch: 1, cpuBatch: 1));
        _file = _cache.AddObject(64, dense: true);
        _reader = default;
        foreach (int page in active)
        {
            Read(page);
            Read(page, ofAnotherReader: true);
        }

        foreach (int page in inactive) Read(page);
    }

    private AccessOutcome Read(int page, bool ofAnotherReader = false)
    {
        // Consecutive reads through one reader count once; a second read that counts comes from somebody else.
        PageReader other = default;
        return ofAnotherReader
            ? _cache.Access(_file, (ulong)page, ref other) : _cache.Access(_file, (ulong)page, ref _reader);
    }

    private string Picture() =>
        $"active {Names(_cache.Rules.Lists.Active)} | inactive {Names(_cache.Rules.Lists.Inactive)}";

    private string Names(FrameList list) =>
        string.Join(' ', list.FromHead().Select(frame => $"P{_cache.Frames.Key(frame).Page}"));
}
