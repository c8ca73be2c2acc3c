// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Models;

/// <summary>
/// Goal: the page that goes next is the one that the description names. Method: a cache with fifo, which gives up one page
/// at a time, and plain lists get the same seeded requests, invalidations, limits, partitions and removals; after each,
/// what was evicted, from whom and in which order must agree, and every invariant hold.
/// </summary>
[TestFixture]
public sealed class PartitionModelTests
{
    private const int PageBytes = 4096;
    private const int NumberMax = 5;
    private const uint PageMax = 60;

    private readonly PartitionId[] _ids = new PartitionId[NumberMax];
    private readonly ObjectId?[] _objects = new ObjectId?[NumberMax];
    private readonly List<(ObjectId Owner, ulong Page, EvictionReason Reason)> _told = [];
    private PageCache<Fifo> _cache = null!;
    private NaivePartitions _model = null!;

    [Test]
    public void WhoGivesUpTheNextPage([Values(24, 40, 90)] int frames, [Values(1, 2, 3)] int seed)
    {
        Random random = TestSeed.Random(seed);
        _told.Clear();
        Array.Clear(_objects);
        using (_cache = new PageCache<Fifo>(
            PageCacheOptions.ForFrames((uint)frames) with
            {
                BackgroundReclaim = false,
                Evicted = (owner, page, reason) => _told.Add((owner, page, reason)),
            },
            new Fifo()))
        {
            _model = new NaivePartitions(frames);
            _objects[0] = _cache.AddObject(source: null, PageMax);
            for (int step = 0; step < 3000; step++)
            {
                Step(random, frames);
                AssertSame($"step {step}");
            }
        }
    }

    private void Step(Random random, int frames)
    {
        int number = random.Next(NumberMax);
        switch (random.Next(100))
        {
            case < 3 when number > 0:
                if (_objects[number] is null) AddPartition(random, number, frames);
                else RemovePartition(number);
                break;
            case < 6 when _objects[number] is not null:
                (int guarantee, int limit) = Limits(random, frames, number);
                _model.SetLimits(number, guarantee, limit);
                _cache.SetPartitionLimits(_ids[number], Bytes(guarantee), MaxBytes(limit));
                break;
            case < 12 when _objects[number] is { } owner:
                uint gone = (uint)random.Next((int)PageMax);
                _model.Invalidate(number, gone);
                _cache.Invalidate(owner, gone);
                break;
            default:
                if (_objects[number] is not { } asked) break;
                uint page = (uint)random.Next((int)PageMax);
                bool hit = _cache.Touch(asked, page);
                if (!hit) _cache.TryAdd(asked, page, [1]);
                Assert.That(hit, Is.EqualTo(_model.Ask(number, page)));
                break;
        }
    }

    /// <summary>Numbers of the model are places in the cache, as long as the lowest free one is taken; so only that one is
    /// added.</summary>
    private void AddPartition(Random random, int number, int frames)
    {
        if (Array.IndexOf(_objects, null) != number) return;
        (int guarantee, int limit) = Limits(random, frames, number);
        _model.AddPartition(number, guarantee, limit);
        _ids[number] = _cache.AddPartition(
            new PartitionOptions { Name = $"p{number}", MinBytes = Bytes(guarantee), MaxBytes = MaxBytes(limit) }, new Fifo());
        _objects[number] = _cache.AddObject(source: null, PageMax, dense: number % 2 == 0, _ids[number]);
    }

    private void RemovePartition(int number)
    {
        _model.RemovePartition(number);
        _cache.RemoveObject(_objects[number]!.Value);
        _cache.RemovePartition(_ids[number]);
        _objects[number] = null;
    }

    private (int Guarantee, int Limit) Limits(Random random, int frames, int number)
    {
        int others = 0;
        for (int i = 0; i < NumberMax; i++)
            if (i != number && _objects[i] is not null) others += _model.GuaranteeOf(i);
        int most = frames - PageCacheOptions.PagesMin - others;
        int guarantee = random.Next(3) == 0 ? 0 : random.Next((most / 2) + 1);
        int limit = random.Next(2) == 0 ? int.MaxValue : Math.Max(PageCacheOptions.PagesMin, guarantee) + random.Next(30);
        return (guarantee, limit);
    }

    private void AssertSame(string step)
    {
        (int, uint)[] evicted =
        [
            .. _told.Where(each => each.Reason != EvictionReason.Invalidated)
                .Select(each => (Array.IndexOf(_objects, each.Owner), (uint)each.Page)),
        ];
        Assert.That(evicted, Is.EqualTo(_model.Evicted), step);
        _told.Clear();
        _model.Evicted.Clear();
        for (int number = 0; number < NumberMax; number++)
        {
            if (_objects[number] is null) continue;
            Assert.That(
                _cache.GetPartitionStatistics(_ids[number]).ResidentPages, Is.EqualTo(_model.PagesOf(number).Count), step);
        }

        _cache.Validate();
    }

    private static long Bytes(int pages) => (long)pages * PageBytes;

    private static long? MaxBytes(int pages) => pages == int.MaxValue ? null : Bytes(pages);
}
