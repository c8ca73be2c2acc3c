// SPDX-License-Identifier: MIT
using System.Runtime.Intrinsics.X86;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Policies;

/// <summary>What must be seen of 2q, arc, lirs and wtinylfu, whatever their details; the details are the model
/// test's.</summary>
[TestFixture]
public sealed class ListRulesTests
{
    private static readonly string[] s_policies =
        ["2q", "arc", "lirs", "wtinylfu", "wtinylfu:doorkeeper=true", "wtinylfu:adaptive=true"];

    /// <summary>Goal: pages in use survive a scan of pages that are used once, which empties an LRU
    /// cache.</summary>
    [Test]
    public void AHotSetSurvivesAScan([ValueSource(nameof(s_policies))] string policy)
    {
        const int Frames = 200;
        const int Hot = 100;
        Random random = TestSeed.Random(5);
        List<uint> requests = [];
        // Uses in random order, and other pages between them: 2q needs both to see that a page comes back.
        for (int i = 0; i < 20_000; i++)
            requests.Add((uint)(random.Next(2) == 0 ? random.Next(Hot) : 1000 + random.Next(400)));
        for (uint i = 0; i < 10 * Frames; i++) requests.Add(5000 + i);

        Assert.That(HotPagesLeft("lru"), Is.Zero);
        Assert.That(HotPagesLeft(policy), Is.AtLeast(Hot * 7 / 10));

        int HotPagesLeft(string name)
        {
            using ReplayCell cell = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse(name), Frames);
            cell.Replay(new(requests.ToArray(), []), []);
            int left = 0;
            cell.VisitResident(page => left += page < Hot ? 1 : 0);
            return left;
        }
    }

    /// <summary>Goal: the case that LIRS was made for. In a loop longer than the cache LRU never hits; LIRS
    /// keeps its LIR pages, so it misses all others only.</summary>
    [Test]
    public void LirsHitsInALoopLongerThanTheCache()
    {
        const int Rounds = 10;
        const int Pages = 150;
        const int Frames = 100;
        uint[] loop = [.. Enumerable.Range(0, Rounds * Pages).Select(i => (uint)(i % Pages))];

        Assert.That(Misses("lru", loop, Frames), Is.EqualTo(Rounds * Pages));
        Assert.That(Misses("lirs", loop, Frames), Is.EqualTo(Pages + ((Rounds - 1) * (Pages - (Frames - 1)))));
    }

    /// <summary>Goal: the adaptive window helps where recency is all. Each page is used a few times soon after
    /// its first use and never again, so what was used often before is worth nothing.</summary>
    [Test]
    public void TheAdaptiveWindowGrowsWhereRecencyRules()
    {
        const int Frames = 1000;
        Random random = TestSeed.Random(9);
        uint[] requests = [.. Enumerable.Range(0, 600_000).Select(
            i => (uint)Math.Max(0, (i / 4) - (int)(random.NextDouble() * random.NextDouble() * 2 * Frames)))];

        long fixedWindow = Misses("wtinylfu", requests, Frames);
        long adaptive = Misses("wtinylfu:adaptive=true", requests, Frames);
        Assert.That(adaptive, Is.LessThan(fixedWindow * 0.9));
    }

    /// <summary>Goal: a use is never lost, and hardly any page is taken for another. Method: pages used 0 to 15
    /// times each, counted exactly beside.</summary>
    [Test]
    public void FrequenciesAreNeverTooLowAndSeldomTooHigh([Values] bool doorkeeper)
    {
        MemoryMeter meter = new();
        Random random = TestSeed.Random(3);
        using MetadataCache<WTinyLfu, ReplayMode> cache =
            new(10_000, new WTinyLfu(new WTinyLfuOptions { Doorkeeper = doorkeeper }), meter);
        ObjectId owner = cache.AddObject(10_000, dense: true);
        PageReader reader = default;
        int[] uses = new int[10_000];
        for (int i = 0; i < uses.Length; i++)
        {
            int page = random.Next(3000);
            if (uses[page] == FrequencySketch.CountMax) continue;
            uses[page]++;
            cache.Access(owner, (ulong)page, ref reader);
        }

        int tooHigh = 0;
        for (int page = 0; page < uses.Length; page++)
        {
            int frequency = cache.Rules.Frequency(new PageKey(owner, (ulong)page));
            Assert.That(frequency, Is.AtLeast(uses[page]), $"page {page}");
            if (frequency > uses[page]) tooHigh++;
        }

        Assert.That(tooHigh, Is.LessThan(uses.Length / 50));
    }

    [Test]
    public void FrequenciesAreHalvedAfterASample()
    {
        const int Frames = 100;
        MemoryMeter meter = new();
        using MetadataCache<WTinyLfu, ReplayMode> cache =
            new(Frames, new WTinyLfu(new WTinyLfuOptions { Sample = 1 }), meter);
        ObjectId owner = cache.AddObject(100, dense: true);
        PageReader reader = default;
        for (int i = 0; i < 12; i++) cache.Access(owner, 7, ref reader);
        for (ulong i = 0; i < Frames - 13; i++) cache.Access(owner, 8 + (i % 8), ref reader);
        Assert.That(cache.Rules.Frequency(new PageKey(owner, 7)), Is.EqualTo(12));
        cache.Access(owner, 8, ref reader);
        Assert.That(cache.Rules.Frequency(new PageKey(owner, 7)), Is.EqualTo(6));
    }

    /// <summary>Goal: what a vector does is what is done word by word. Method: pages of a few blocks until most counters are
    /// full, both ways side by side.</summary>
    [Test]
    public void TheSketchCountsTheSameByVectorAndByWord()
    {
        if (!Avx2.IsSupported) Assert.Ignore("this processor has no AVX2");
        const int Blocks = 3;
        const int WordsPerBlock = 8;
        MemoryMeter meter = new();
        using NativeColumn<ulong> byVector = NativeColumn<ulong>.Whole("by vector", Blocks * WordsPerBlock, meter);
        using NativeColumn<ulong> byWord = NativeColumn<ulong>.Whole("by word", Blocks * WordsPerBlock, meter);
        Random random = TestSeed.Random(31);
        ulong[] hashes = [.. Enumerable.Range(0, 200).Select(_ => (ulong)random.NextInt64())];
        for (int i = 0; i < 20_000; i++)
        {
            ulong hash = hashes[random.Next(hashes.Length)];
            uint block = (uint)(hash % Blocks) * WordsPerBlock;
            FrequencySketch.IncrementByVector(byVector.View, hash, block);
            FrequencySketch.IncrementByWord(byWord.View, hash, block);
            Assert.That(
                FrequencySketch.EstimateByVector(byVector.View, hash, block),
                Is.EqualTo(FrequencySketch.EstimateByWord(byWord.View, hash, block)));
            Assert.That(
                byVector.View.AsSpan(0, Blocks * WordsPerBlock).SequenceEqual(byWord.View.AsSpan(0, Blocks * WordsPerBlock)));
        }
    }

    /// <summary>Goal: reclaim asked for by the owner instead of by a miss empties the cache, whatever is on the
    /// lists.</summary>
    [Test]
    public void ReclaimWithoutAMissEmptiesTheCache([Values(1, 2, 30)] int frames)
    {
        EmptyByReclaim(frames, new TwoQ());
        EmptyByReclaim(frames, new Arc());
        EmptyByReclaim(frames, new Lirs());
        EmptyByReclaim(frames, new WTinyLfu());
    }

    /// <summary>Goal: the memory that docs/policies.md states: 32 bytes a frame and a ghost, 36 of lirs, 40 of
    /// wtinylfu, and with the index of a dense file at most 48.</summary>
    [TestCase("2q", 32, 0.5)]
    [TestCase("arc", 32, 1)]
    [TestCase("lirs", 36, 1.01)]
    [TestCase("wtinylfu", 40, 0)]
    [TestCase("wtinylfu:doorkeeper=true", 48, 0)]
    public void BytesAFrameAndAGhost(string policy, int bytes, double ghosts)
    {
        const int Frames = 100_000;
        const int PageBytes = 4096;
        uint[] pages = [.. Enumerable.Range(0, (int)(Frames * (1 + ghosts))).Select(i => (uint)i)];
        using ReplayCell empty = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse(policy), Frames);
        double rows = Frames * (1 + ghosts);
        Assert.That(empty.NativeBytes, Is.InRange(rows * bytes, (rows * bytes) + (32 * PageBytes)));

        using ReplayCell full = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse(policy), Frames);
        full.Replay(new(pages, []), []);
        if (bytes < 48) Assert.That(full.NativeBytes / rows, Is.AtMost(48));
    }

    [TestCase("2q:in=1.5", "in must be a number from 0 to 1, not '1.5'")]
    [TestCase("2q:out=x", "out must be a number from 0 to 100, not 'x'")]
    [TestCase("arc:p=1", "there is no parameter 'p'; it has none")]
    [TestCase("lirs:stack=0.5", "stack must be a number from 1 to 100, not '0.5'")]
    [TestCase("wtinylfu:adaptive=yes", "adaptive must be true or false, not 'yes'")]
    [TestCase("wtinylfu:sample=0", "sample must be a number from 1 to 1000000, not '0'")]
    public void BadParametersAreNamed(string policy, string message) =>
        Assert.That(() => PolicyCatalog.BuiltIn.Check(PolicySpec.Parse(policy)),
            Throws.TypeOf<FormatException>().With.Message.EndsWith(message));

    private static long Misses(string policy, uint[] requests, long frames)
    {
        using ReplayCell cell = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse(policy), frames);
        cell.Replay(new(requests, []), []);
        return cell.Counts.Misses;
    }

    private static void EmptyByReclaim<TRules>(int frames, TRules rules) where TRules : struct, IListRules
    {
        MemoryMeter meter = new();
        Random random = TestSeed.Random(frames);
        using (MetadataCache<TRules, ReplayMode> cache = new((uint)frames, rules, meter))
        {
            ObjectId owner = cache.AddObject(200, dense: true);
            PageReader reader = default;
            for (int round = 0; round < 20; round++)
            {
                for (int i = 0; i < 100; i++) cache.Access(owner, (ulong)random.Next(frames * 3), ref reader);
                int keep = random.Next(frames);
                while (cache.ResidentCount > keep)
                {
                    Assert.That(cache.Reclaim(), Is.Positive);
                    cache.Validate();
                }
            }

            while (cache.ResidentCount > 0) Assert.That(cache.Reclaim(), Is.Positive);
            Assert.That(cache.Reclaim(), Is.Zero);
            cache.Validate();
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }
}
