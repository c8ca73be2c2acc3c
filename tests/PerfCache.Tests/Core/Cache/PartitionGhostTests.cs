// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: rules that remember pages which are gone do so in each partition by itself.</summary>
[TestFixture]
public sealed class PartitionGhostTests
{
    private const int PageBytes = 4096;

    [Test]
    public void APartitionsGhostsAreThoseOfACacheOfItsSize([Values(1, 2)] int seed)
    {
        const uint Frames = 60;
        Random random = TestSeed.Random(seed);
        using PageCache<FifoWithGhosts> cache = New(400);
        using MetadataCache<FifoWithGhosts, ReplayMode> replay = new(Frames, new FifoWithGhosts());
        PartitionId limited = cache.AddPartition(Limit("limited", Frames), new FifoWithGhosts());
        ObjectId other = cache.AddObject(source: null, pageCountMax: 100_000);
        ObjectId owner = cache.AddObject(source: null, pageCountMax: 100_000, dense: true, limited);
        ObjectId twin = replay.AddObject(100_000, dense: true);
        for (int i = 0; i < 20_000; i++)
        {
            uint page = (uint)(Math.Pow(random.NextDouble(), 2) * 500);
            PageReader reader = default;
            bool expected = replay.Access(twin, page, ref reader) == AccessOutcome.Hit;
            Assert.That(Ask(cache, owner, page), Is.EqualTo(expected), $"request {i}");
            Ask(cache, other, (uint)random.Next(2000));
            if (i % 4000 == 0) cache.Validate();
        }

        PartitionStatistics statistics = cache.GetPartitionStatistics(limited);
        Assert.That(statistics.Refaults, Is.EqualTo(replay.Statistics.Refaults).And.GreaterThan(1000));
        Assert.That(statistics.Evictions, Is.EqualTo(replay.Statistics.Evictions));
        cache.Validate();
    }

    [Test]
    public void GhostsGoWithTheirPartitionAndTheirRoomIsUsedAgain()
    {
        using PageCache<FifoWithGhosts> cache = New(200);
        long used = 0;
        for (uint round = 0; round < 30; round++)
        {
            uint frames = 20 + (round * 7 % 50);
            PartitionId[] both =
            [
                cache.AddPartition(Limit("one", frames), new FifoWithGhosts()),
                cache.AddPartition(Limit("two", frames / 2), new FifoWithGhosts()),
            ];
            ObjectId[] objects = [.. both.Select(id => cache.AddObject(source: null, 1000, dense: true, id))];
            for (uint page = 0; page < 300; page++)
                foreach (ObjectId owner in objects) Ask(cache, owner, page % 200);
            cache.Validate();
            foreach (ObjectId owner in objects) cache.RemoveObject(owner);
            foreach (PartitionId id in both) cache.RemovePartition(id);
            cache.Validate();
            if (round == 10) used = cache.UsedBytes;
        }

        Assert.That(cache.UsedBytes, Is.InRange(1, used + (4 * PageBytes)), "rows are used again");
    }

    [Test]
    public void ALimitIsNotRaisedBeyondTheRoomForGhosts()
    {
        using PageCache<FifoWithGhosts> cache = New(200);
        PartitionId limited = cache.AddPartition(Limit("limited", 60), new FifoWithGhosts());
        cache.SetPartitionLimits(limited, 0, 20 * PageBytes);
        cache.SetPartitionLimits(limited, 0, 60 * PageBytes);
        ArgumentException? told = Assert.Throws<ArgumentException>(() => cache.SetPartitionLimits(limited, 0, 61 * PageBytes));
        Assert.That(told!.Message, Does.Contain("at most what the partition was added with (245760)"));
        Assert.Throws<ArgumentException>(() => cache.SetPartitionLimits(limited, 0, null));
    }

    private static PageCache<FifoWithGhosts> New(uint frames) => new(
        PageCacheOptions.ForFrames(frames) with { BackgroundReclaim = false }, new FifoWithGhosts());

    private static PartitionOptions Limit(string name, uint frames) => new() { Name = name, MaxBytes = frames * PageBytes };

    private static bool Ask(PageCache<FifoWithGhosts> cache, ObjectId owner, uint page)
    {
        if (cache.Touch(owner, page)) return true;
        cache.TryAdd(owner, page, [1]);
        return false;
    }

    /// <summary>First in, first out, but a page that comes back while its ghost is remembered enters as if it were in
    /// use: at the other list, which goes last.</summary>
    private struct FifoWithGhosts : IFlagRules
    {
        private CacheSpace _space;
        private FrameList _once;
        private FrameList _again;
        private FrameList _ghosts;

        public static RuleKind Kind => RuleKind.Flag;

        public static bool UsesGhosts => true;

        public static HitEffect OnHit(FrameState state) => HitEffect.None;

        public readonly uint GhostRowCount(uint frameCount) => frameCount / 2;

        public void Attach(CacheSpace space)
        {
            _space = space;
            _once = space.NewList("once");
            _again = space.NewList("again");
            _ghosts = space.NewList("ghosts");
        }

        public readonly void OnDeferredHit(FrameId frame)
        {
        }

        public readonly void OnInsert(FrameId frame, ShadowEntry shadow, bool countsAsAccess)
        {
            if (shadow.IsNone)
            {
                _once.PushHead(frame);
                return;
            }

            _ghosts.Remove(shadow.Ghost);
            _space.DropGhost(shadow.Ghost);
            _space.Frames.SetFlags(frame, FrameState.Active);
            _again.PushHead(frame);
        }

        public readonly void OnArrive(FrameId frame) => (_space.Frames.IsActive(frame) ? _again : _once).PushHead(frame);

        public readonly int Reclaim()
        {
            FrameId victim = _once.Count > 0 ? _once.PopTail() : _again.PopTail();
            if (victim.IsNone) return 0;
            if (_ghosts.Count == _space.GhostCountMax) _space.DropGhost(_ghosts.PopTail());
            if (!_space.EvictToGhost(victim, out FrameId ghost)) return 0;
            _ghosts.PushHead(ghost);
            return 1;
        }

        public readonly void OnRemove(FrameId frame) => (_space.Frames.IsActive(frame) ? _again : _once).Remove(frame);

        public readonly void Validate()
        {
            _once.Validate();
            _again.Validate();
            _ghosts.Validate();
            Assert.That(_once.Count + _again.Count, Is.EqualTo(_space.RuleFrameCount));
            Assert.That(_ghosts.Count, Is.EqualTo(_space.GhostCount));
        }
    }
}
