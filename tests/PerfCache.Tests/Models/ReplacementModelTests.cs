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
[TestFixture]
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
        for (int step = 0; step < 6_000; step++)
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

    private static string Pages(FrameTable frames, FrameList list) =>
        string.Join(' ', list.FromHead().Select(frame => frames.Key(frame).Page));
}
