// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Core.Cache;

/// <summary>
/// Goal: a page that is put straight into the frame of the one that goes leaves the cache as one does that comes into a
/// frame which was freed before.
/// </summary>
[TestFixture]
public sealed class TakenVictimTests
{
    private const uint SlotsPerLeaf = IndexBlocks.SlotCount;

    [Test]
    public void ThePageThatComesInHasTheFrameOfTheOneThatWent()
    {
        using MetadataCache<Lru, ReplayMode> cache = new(2, new Lru());
        ObjectId file = cache.AddObject(100, dense: true);
        PageReader reader = default;
        for (uint page = 0; page < 2; page++) cache.Access(file, page, ref reader);
        FrameId oldest = cache.Find(file, 0);
        uint version = cache.Frames.State(oldest).Version;

        Assert.That(cache.Access(file, 2, ref reader), Is.EqualTo(AccessOutcome.ColdMiss));

        FrameState state = cache.Frames.State(oldest);
        Assert.Multiple(() =>
        {
            Assert.That(cache.Find(file, 2), Is.EqualTo(oldest));
            Assert.That(cache.Frames.Key(oldest), Is.EqualTo(new PageKey(file, 2)));
            Assert.That(cache.Contains(file, 0), Is.False);
            Assert.That(state.IsLive, Is.True);
            Assert.That(state.Version, Is.EqualTo(version + 1), "another page, another version");
            Assert.That(cache.Statistics.Evictions, Is.EqualTo(1));
        });
        cache.Validate();
    }

    /// <summary>The ghost that the victim leaves pushes the oldest one out: that of the page that comes in, whose leaf has
    /// nothing else and goes with it.</summary>
    [Test]
    public void ALeafThatGoesWhileTheVictimIsTakenIsMadeAgain()
    {
        const uint Frames = 10;
        using MetadataCache<S3Fifo, ReplayMode> cache = new(Frames, new S3Fifo());
        ObjectId file = cache.AddObject(100 * SlotsPerLeaf, dense: true);
        PageReader reader = default;
        uint ghosts = (uint)(Frames * S3Fifo.GhostDefault);
        for (uint leaf = 0; leaf < Frames + ghosts; leaf++) cache.Access(file, leaf * SlotsPerLeaf, ref reader);
        Assert.That(cache.HasShadow(file, 0), Is.True, "the oldest ghost is that of page 0");

        Assert.That(cache.Access(file, 0, ref reader), Is.EqualTo(AccessOutcome.ColdMiss));

        Assert.That(cache.Contains(file, 0), Is.True);
        Assert.That(cache.ResidentCount, Is.EqualTo(Frames));
        cache.Validate();
    }

    [Test]
    public void NoVictimIsTakenWhileThereAreFreeFramesOrWhenAllAreAside()
    {
        using MetadataCache<Lru, ReplayMode> cache = new(4, new Lru());
        ObjectId file = cache.AddObject(100, dense: true);
        PageReader reader = default;
        for (uint page = 0; page < 4; page++) cache.Access(file, page, ref reader);
        cache.Remove(file, 1);
        cache.Access(file, 4, ref reader);
        Assert.That(cache.Statistics.Evictions, Is.Zero, "the frame of the page that was removed is free");
        for (uint page = 0; page < 5; page++) cache.Remove(file, page);
        cache.SetAside(4);
        Assert.That(
            () => cache.Access(file, 5, ref reader),
            Throws.InvalidOperationException.With.Message.Contains("held and none can be reclaimed"));
        cache.Validate();
    }

    [Test]
    public void EveryRuleDoesTheSameByReclaim(
        [Values("shared leaves", "a leaf each", "sparse")] string layout, [Values] bool inBatches)
    {
        const uint Frames = 12;
        Compare<Lru>(() => new Lru());
        Compare<Fifo>(() => new Fifo());
        Compare<Clock>(() => new Clock());
        Compare<Sieve>(() => new Sieve());
        Compare<S3Fifo>(() => new S3Fifo());
        Compare<S3Fifo>(() => new S3Fifo(small: 0.5, ghost: 0, move: 1));
        Compare<TwoQ>(() => new TwoQ());
        Compare<Arc>(() => new Arc());
        Compare<Lirs>(() => new Lirs());
        Compare<Lfu>(() => new Lfu());
        Compare<WTinyLfu>(() => new WTinyLfu());

        void Compare<TRules>(Func<TRules> make) where TRules : struct, IReplacementRules
        {
            Assert.That(TRules.TakesVictims, Is.True, typeof(TRules).Name);
            for (int seed = 0; seed < 4; seed++)
            {
                using MetadataCache<TRules, ReplayMode> taken = new(Frames, make());
                using MetadataCache<ByReclaim<TRules>, ReplayMode> freed = new(Frames, new(make()));
                string name = $"{typeof(TRules).Name}, seed {seed}";
                Random random = new(seed);
                uint stride = layout == "a leaf each" ? SlotsPerLeaf : 7;
                RunBoth(taken, freed, random, layout != "sparse", stride, inBatches, name);
            }
        }
    }

    private static void RunBoth<TTaken, TFreed>(
        MetadataCache<TTaken, ReplayMode> taken, MetadataCache<TFreed, ReplayMode> freed, Random random, bool dense,
        uint stride, bool inBatches, string name)
        where TTaken : struct, IReplacementRules
        where TFreed : struct, IReplacementRules
    {
        const uint Pages = 40;
        const int Steps = 300;
        ObjectId file = taken.AddObject(Pages * SlotsPerLeaf, dense);
        Assert.That(freed.AddObject(Pages * SlotsPerLeaf, dense), Is.EqualTo(file));
        taken.HintBytesMin = 0;
        freed.HintBytesMin = 0;
        PageReader takenReader = default;
        PageReader freedReader = default;
        for (int step = 0; step < Steps; step++)
        {
            uint[] pages = new uint[inBatches ? random.Next(1, 150) : 1];
            // Small numbers more often, so that there are hits.
            for (int i = 0; i < pages.Length; i++)
                pages[i] = (uint)Math.Min(random.Next((int)Pages), random.Next((int)Pages)) * stride;
            AccessOutcome[] fromTaken = new AccessOutcome[pages.Length];
            AccessOutcome[] fromFreed = new AccessOutcome[pages.Length];
            taken.AccessMany(file, pages, ref takenReader, fromTaken);
            freed.AccessMany(file, pages, ref freedReader, fromFreed);
            Assert.That(fromTaken, Is.EqualTo(fromFreed), $"{name}, step {step}");
            // What else changes a cache, now and then.
            uint page = (uint)random.Next((int)Pages) * stride;
            switch (random.Next(12))
            {
                case 0:
                    Assert.That(taken.Remove(file, page), Is.EqualTo(freed.Remove(file, page)), name);
                    break;
                case 1:
                    Assert.That(taken.Insert(file, page), Is.EqualTo(freed.Insert(file, page)), name);
                    break;
                case 2:
                    Assert.That(taken.Reclaim(), Is.EqualTo(freed.Reclaim()), name);
                    break;
                case 3:
                    Assert.That(taken.SetAside(2), Is.EqualTo(freed.SetAside(2)), name);
                    break;
                case 4:
                    Assert.That(taken.BringBack(1), Is.EqualTo(freed.BringBack(1)), name);
                    break;
            }

            taken.Validate();
        }

        Assert.That(taken.Statistics, Is.EqualTo(freed.Statistics), name);
        for (uint page = 0; page < Pages; page++)
        {
            Assert.That(taken.Contains(file, page * stride), Is.EqualTo(freed.Contains(file, page * stride)), name);
            Assert.That(taken.HasShadow(file, page * stride), Is.EqualTo(freed.HasShadow(file, page * stride)), name);
        }
    }

    /// <summary>A rule that does not say that it takes victims.</summary>
    private struct ByReclaim<TRules>(TRules rules) : IReplacementRules where TRules : struct, IReplacementRules
    {
        private TRules _rules = rules;

        public static RuleKind Kind => TRules.Kind;

        public static bool CountsRepeats => TRules.CountsRepeats;

        public static bool UsesGhosts => TRules.UsesGhosts;

        public static bool HitsReadState => TRules.HitsReadState;

        public static bool HintsAccesses => TRules.HintsAccesses;

        public static bool HitsDropGhosts => TRules.HitsDropGhosts;

        public static HitEffect OnHit(FrameState state) => TRules.OnHit(state);

        public readonly uint GhostRowCount(uint frameCount) => _rules.GhostRowCount(frameCount);

        public void Attach(CacheSpace space) => _rules.Attach(space);

        public void OnMiss(ShadowEntry shadow) => _rules.OnMiss(shadow);

        public void HintAccess(PageKey page, FrameId row) => _rules.HintAccess(page, row);

        public void OnDeferredHit(FrameId frame) => _rules.OnDeferredHit(frame);

        public void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess) =>
            _rules.OnInsert(frame, shadow, countsAsAccess);

        public int Reclaim() => _rules.Reclaim();

        public void OnRemove(FrameId frame) => _rules.OnRemove(frame);

        public readonly void Validate() => _rules.Validate();
    }
}
