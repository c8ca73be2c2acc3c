// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Lists;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Models;

/// <summary>
/// Goal: each rule on the real cache does what its text says. Method: the real thing and a naive twin get the same
/// seeded requests, repetitions and removals; after each, verdict, lists and counts must agree and every invariant hold.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.Self)]
public sealed partial class ReplacementModelTests
{
    private MemoryMeter _meter = null!;

    [SetUp]
    public void MakeMeter() => _meter = new MemoryMeter();

    [TearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void Fifo([Values(1, 2, 9, 40)] int frames, [Values(1, 2)] int seed) => Compare(
        frames, seed, pageCount: 120, new Fifo(), new NaiveFifo(frames),
        cache => Pages(cache.Frames, cache.Rules.List));

    [Test]
    public void Lru([Values(1, 2, 9, 40)] int frames, [Values(1, 2)] int seed) => Compare(
        frames, seed, pageCount: 120, new Lru(), new NaiveLru(frames),
        cache => Pages(cache.Frames, cache.Rules.List));

    [Test]
    public void Clock([Values(1, 2, 9, 40)] int frames, [Values(1, 2)] int seed) => Compare(
        frames, seed, pageCount: 120, new Clock(), new NaiveClock(frames),
        cache => Marked(cache.Frames, cache.Rules.List));

    [Test]
    public void Sieve([Values(1, 2, 9, 40)] int frames, [Values(1, 2)] int seed) => Compare(
        frames, seed, pageCount: 120, new Sieve(), new NaiveSieve(frames),
        cache => $"{Marked(cache.Frames, cache.Rules.List)} | hand "
            + (cache.Rules.Hand.IsNone ? "" : $"{cache.Frames.Key(cache.Rules.Hand).Page}"));

    [TestCase(1, 0.1, 0.9, 2)]
    [TestCase(2, 0.1, 0.9, 2)]
    [TestCase(9, 0.1, 0.9, 2)]
    [TestCase(40, 0.1, 0.9, 2)]
    [TestCase(40, 0.1, 0.9, 1)]
    [TestCase(40, 0.3, 2, 3)]
    [TestCase(40, 0.1, 0, 2)]
    [TestCase(40, 0, 0.9, 2)]
    [TestCase(40, 1, 0.5, 2)]
    public void S3Fifo(int frames, double small, double ghost, int move) => Compare(
        frames, seed: frames + move, pageCount: 120, new S3Fifo(small, ghost, move),
        new NaiveS3Fifo(frames, small, ghost, move),
        cache => $"small {Marked(cache.Frames, cache.Rules.Small)} | main {Marked(cache.Frames, cache.Rules.Main)} | ghosts "
            + Pages(cache.Frames, cache.Rules.Ghosts));

    [Test]
    public void Lfu([Values(1, 2, 9, 40)] int frames, [Values(1, 2)] int seed) => Compare(
        frames, seed, pageCount: 120, new Lfu(), new NaiveLfu(frames),
        cache => string.Join(' ', cache.Rules.List.FromHead().Select(
            frame => $"{cache.Frames.Key(frame).Page}+{cache.Rules.CountOf(frame)}")));

    [TestCase(1, 32, 31, 100)]
    [TestCase(9, 1, 1, 100)]
    [TestCase(40, 4, 1, 200)]
    [TestCase(40, 32, 31, 200)]
    [TestCase(150, 8, 5, 600)]
    [TestCase(200, 32, 31, 2000)]
    [TestCase(64, 16, 7, 100_000)]
    public void Linux6(int frames, int reclaim, int batch, int pageCount) => CompareLinux(
        frames, pageCount, new LinuxRules<Linux6>(reclaim, batch), new NaiveLinux(frames, true, reclaim, batch),
        cache => LinuxDump(cache.Frames, cache.Rules.Lists, cache.Rules.Age));

    [TestCase(1, 32, 14, 100)]
    [TestCase(9, 1, 1, 100)]
    [TestCase(40, 4, 1, 200)]
    [TestCase(40, 32, 14, 200)]
    [TestCase(150, 8, 5, 600)]
    [TestCase(200, 32, 14, 2000)]
    [TestCase(64, 16, 7, 100_000)]
    public void Linux315(int frames, int reclaim, int batch, int pageCount) => CompareLinux(
        frames, pageCount, new LinuxRules<Linux315>(reclaim, batch), new NaiveLinux(frames, false, reclaim, batch),
        cache => LinuxDump(cache.Frames, cache.Rules.Lists, cache.Rules.Age));

    /// <remarks>Its requests are known beforehand, so it has a loop of its own, with removals of pages of both kinds.</remarks>
    [Test]
    public void Belady([Values(1, 2, 9, 40)] int frames, [Values(1, 2)] int seed)
    {
        const int RequestCount = 3000;
        Random random = TestSeed.Random(seed);
        long[] requests = new long[RequestCount];
        for (int i = 0; i < RequestCount; i++)
        {
            requests[i] = random.Next(4) switch
            {
                0 when i > 0 => requests[i - 1],
                1 => i % 200,
                // Pages of a past phase are never used again.
                _ => (i / 500 * 30) + random.Next(60),
            };
        }

        NextUses nextUses = new();
        NaiveBelady twin = new(frames, requests);
        using MetadataCache<Belady, ReplayMode> cache = new((uint)frames, new Belady(nextUses), _meter);
        ObjectId owner = cache.AddObject(400, dense: true);
        PageReader reader = default;
        for (int i = 0; i < RequestCount; i++)
        {
            int next = Array.IndexOf(requests, requests[i], i + 1);
            nextUses.Load([next < 0 ? NextUses.Never : (uint)next]);
            AccessOutcome outcome = cache.Access(owner, (ulong)requests[i], ref reader);
            Verdict verdict = twin.Access(requests[i], repeats: false);
            Assert.That((int)outcome, Is.EqualTo((int)verdict), $"request {i}, page {requests[i]}");
            if (random.Next(60) == 0)
            {
                long removed = requests[random.Next(i + 1)];
                cache.Remove(owner, (ulong)removed);
                twin.Remove(removed);
            }

            Assert.That(BeladyDump(cache), Is.EqualTo(twin.Dump()), $"pages after request {i}");
            if (i % 8 == 0) cache.Validate();
        }
    }

    private void CompareLinux<TProfile>(
        int frames, int pageCount, LinuxRules<TProfile> rules, NaiveLinux twin,
        Func<MetadataCache<LinuxRules<TProfile>, ReplayMode>, string> dump) where TProfile : struct, ILinuxProfile
    {
        CacheStatistics statistics = Compare(frames, seed: frames + pageCount, pageCount, rules, twin, dump);
        Assert.That(statistics.Activations, Is.EqualTo(twin.Activations));
        Assert.That(statistics.Deactivations, Is.EqualTo(twin.Deactivations));
    }

    private CacheStatistics Compare<TRules>(
        int frames, int seed, int pageCount, TRules rules, NaivePolicy twin,
        Func<MetadataCache<TRules, ReplayMode>, string> dump) where TRules : struct, IReplacementRules
    {
        Random random = TestSeed.Random(seed);
        using MetadataCache<TRules, ReplayMode> cache = new((uint)frames, rules, _meter);
        ObjectId owner = cache.AddObject((ulong)pageCount, dense: true);
        PageReader reader = default;
        long last = -1;
        int hot = Math.Max(1, Math.Min(pageCount, frames) * 2 / 3);
        for (int step = 0; step < TestScale.Of(6_000, 2_000); step++)
        {
            // Phases: mostly a hot set, a scan now and then, anything, repetitions, and a removal.
            long page = random.Next(10) switch
            {
                < 5 => random.Next(hot),
                5 => step % pageCount,
                6 when last >= 0 => last,
                _ => random.Next(pageCount),
            };
            if (random.Next(60) == 0)
            {
                cache.Remove(owner, (ulong)page);
                twin.Remove(page);
            }
            else
            {
                AccessOutcome outcome = cache.Access(owner, (ulong)page, ref reader);
                Verdict verdict = twin.Access(page, repeats: page == last);
                last = page;
                Assert.That((int)outcome, Is.EqualTo((int)verdict), $"request {step}, page {page}");
            }

            Assert.That(dump(cache), Is.EqualTo(twin.Dump()), $"lists after request {step}, page {page}");
            if (step % 8 == 0) cache.Validate();
        }

        return cache.Statistics;
    }

    private static string LinuxDump(FrameTable frames, ActiveInactiveLists lists, ulong age) =>
        $"active {Pages(frames, lists.Active)} | inactive {Pages(frames, lists.Inactive)} | age {age}";

    private static string BeladyDump(MetadataCache<Belady, ReplayMode> cache)
    {
        IEnumerable<(ulong, int)> pages = cache.Rules.Unused.FromHead()
            .Select(frame => (cache.Frames.Key(frame).Page, int.MaxValue))
            .Concat(cache.Rules.Used().Select(used => (cache.Frames.Key(used.Frame).Page, (int)used.NextUse)));
        return string.Join(' ', pages.Order());
    }

    private static string Marked(FrameTable frames, FrameList list) =>
        string.Join(' ', list.FromHead().Select(frame => $"{frames.Key(frame).Page}+{frames.Head(frame).Referenced}"));

    private static string Pages(FrameTable frames, FrameList list) =>
        string.Join(' ', list.FromHead().Select(frame => frames.Key(frame).Page));
}
