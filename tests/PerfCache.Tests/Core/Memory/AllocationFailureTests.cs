// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Cache;
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Items;
using PerfCache.Policies.Replacement;
using PerfCache.Remote;
using PerfCache.Simulation.Replay;
using PerfCache.Tests.Core.Cache;
using PerfCache.Tests.Core.Cache.Nodes;
using PerfCache.Tests.Core.Items;

namespace PerfCache.Tests.Core.Memory;

/// <summary>
/// Goal: wherever the system refuses memory, whoever asked fails with one clear exception, keeps nothing, and what was
/// there before goes on. Method: a first run counts the requests that opening and using a thing makes; then the run is
/// repeated once for each of them, with this one refused. Afterwards no byte is charged, no address range is reserved,
/// no file is open.
/// </summary>
[TestFixture]
internal sealed class AllocationFailureTests
{
    private static readonly byte[] s_page = new byte[4096];

    /// <summary>Opens something, uses it until it has grown, and ends it.</summary>
    public delegate void Life(MemoryMeter meter);

    private static IEnumerable<TestCaseData> Lives =>
    [
        Case("a column", meter => NativeColumn<ulong>.Whole("test", 5000, meter).Dispose()),
        Case("page memory", meter => UsePages(meter, new PageMemoryOptions())),
        Case("page memory that is shared", meter => UsePages(meter, new PageMemoryOptions { Kind = PageMemoryKind.Shared })),
        Case("page memory in huge pages", meter => UsePages(meter, new PageMemoryOptions { HugePages = HugePageUse.Pool })),
        Case("a frame table", meter => new FrameTable(3000, 20, meter, 500).Dispose()),
        Case("a cache of names, linux-6", meter => UseNames(new LinuxRules<Linux6>(), meter)),
        Case("a cache of names, arc", meter => UseNames(new Arc(), meter)),
        Case("a cache of names, lirs", meter => UseNames(new Lirs(), meter)),
        Case("a cache of names, w-tinylfu", meter => UseNames(new WTinyLfu(), meter)),
        Case("a page cache", _ => UseCache(new PageCacheOptions { CapacityBytes = 1 << 20, BackgroundReclaim = false })),
        Case("a page cache with readahead", _ => UseCache(
            new PageCacheOptions { CapacityBytes = 1 << 20, BackgroundReclaim = false, ReadaheadPagesMax = 8 })),
        Case("a page cache on nodes", _ => UseCache(new TestNodes(3).CacheOptions(300))),
        Case("a page cache of s3-fifo", _ => UseGhostCache()),
        Case("a flip ring", UseFlipRing),
        Case("a value ring", meter => new ValueRing<long, OneToOne>(1024, meter).Dispose()),
        Case("pages to flip", UseFlipMemory),
        Case("an item store", UseItems),
        Case("a lender", meter => new Lender(new LenderOptions { MemoryBytes = 32 << 20 }, meter).Dispose()),
        Case("a map of ids, dense", meter => UseIds(PageNumbering.Dense, meter)),
        Case("a map of ids, by leaf", meter => UseIds(PageNumbering.PerLeaf, meter)),
    ];

    [TestCaseSource(nameof(Lives))]
    public void EachRefusedRequestLeavesNothingBehind(Life live)
    {
        long requests = Run(live, refused: 0, out bool failed);
        Assert.That(failed, Is.False);
        Assert.That(requests, Is.GreaterThan(0));
        int failures = 0;
        for (long refused = 1; refused <= requests; refused++)
        {
            Run(live, refused, out failed);
            if (failed) failures++;
        }

        TestContext.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{requests} requests, {failures} of them needed"));
        Assert.That(failures, Is.GreaterThan(0));
    }

    /// <summary>A cache that could not grow its index says so, and the same page goes in the next time.</summary>
    [Test]
    public void APageCacheGoesOnAfterARefusal()
    {
        int refused = 0;
        for (bool wasRefused = true; wasRefused;)
        {
            using PageCache<LinuxRules<Linux6>> cache = new(
                new PageCacheOptions { CapacityBytes = 2 << 20, BackgroundReclaim = false }, new());
            ObjectId dense = cache.AddObject(null, 1 << 20);
            ObjectId sparse = cache.AddObject(null, 1UL << 40, dense: false);
            using MemoryFaults faults = new(++refused);
            for (ulong page = 0; page < 600; page++)
            {
                AddTwiceIfNeeded(cache, dense, page * 70);
                AddTwiceIfNeeded(cache, sparse, page << 20);
            }

            cache.Validate();
            Assert.That(cache.Contains(dense, 599 * 70) && cache.Contains(sparse, 599UL << 20), Is.True);
            wasRefused = faults.Requests >= refused;
        }

        Assert.That(refused, Is.GreaterThan(3));
    }

    /// <summary>A store that cannot grow drops something else, or says that it has no room; never half an item.</summary>
    [Test]
    public void AnItemStoreGoesOnAfterARefusal()
    {
        for (long refused = 1; refused <= 30; refused++)
        {
            using ItemTestStore store = new(capacityBytes: 8 << 20);
            using MemoryFaults faults = new(refused);
            byte[] value = ItemTestStore.Value(1, 3000);
            int refusals = 0;
            for (int i = 0; i < 400; i++)
            {
                string key = i.ToString(CultureInfo.InvariantCulture);
                if (store.Set(key, value) != ItemStatus.Done) refusals++;
                byte[]? read = store.Get(key);
                Assert.That(read is null || read.AsSpan().SequenceEqual(value), Is.True);
            }

            // It tries again after a while.
            Assert.That(refusals, Is.LessThanOrEqualTo(70));
            Assert.That(store.Get("399"), Is.EqualTo(value));
            foreach (ItemShard<SecondChanceItems> shard in store.Store.Shards) shard.Validate();
        }
    }

    private static TestCaseData Case(string name, Life live) => new TestCaseData(live).SetArgDisplayNames(name);

    private static long Run(Life live, long refused, out bool failed)
    {
        MemoryMeter meter = new();
        using MemoryFaults faults = new(refused);
        failed = false;
        try
        {
            live(meter);
        }
        catch (NativeMemoryException failure)
        {
            failed = true;
            Assert.That(failure.Message, Does.Contain("error 12").And.Not.Contain("\n"));
        }

        Assert.Multiple(() =>
        {
            Assert.That(meter.OutstandingBytes, Is.Zero, $"bytes charged after refusal {refused}");
            Assert.That(faults.Reservations, Is.Zero, $"address ranges after refusal {refused}");
            Assert.That(faults.Files, Is.Zero, $"files after refusal {refused}");
        });
        return faults.Requests;
    }

    private static void UsePages(MemoryMeter meter, PageMemoryOptions options)
    {
        using PageMemory pages = new(2000, 4096, meter, options);
        pages.EnsureFrames(100);
        pages.EnsureFrames(2000);
        pages.Discard([new FrameId(5), new FrameId(7)]);
        pages.Restore([new FrameId(5)]);
    }

    private static void UseNames<TRules>(TRules rules, MemoryMeter meter) where TRules : struct, IReplacementRules
    {
        using MetadataCache<TRules, ReplayMode> cache = new(200, rules, meter);
        ObjectId dense = cache.AddObject(100_000, dense: true);
        ObjectId sparse = cache.AddObject(1UL << 30, dense: false);
        PageReader reader = default;
        for (ulong page = 0; page < 500; page++)
        {
            cache.Access(dense, page * 130, ref reader);
            cache.Access(sparse, page << 18, ref reader);
        }
    }

    private static void UseCache(PageCacheOptions options)
    {
        using PageCache<LinuxRules<Linux6>> cache = new(options, new());
        // Before the cache is full, when the bound leaves nothing for it.
        using (cache.OpenReader())
        {
            Fill(cache);
        }
    }

    private static void UseGhostCache()
    {
        using PageCache<S3Fifo> cache = new(
            new PageCacheOptions { CapacityBytes = 1 << 20, BackgroundReclaim = false }, new());
        PartitionId second = cache.AddPartition(new PartitionOptions { Name = "second" }, new S3Fifo());
        cache.AddObject(null, 1000, partition: second);
        Fill(cache);
    }

    private static void Fill<TRules>(PageCache<TRules> cache) where TRules : struct, IFlagRules
    {
        ObjectId file = cache.AddObject(new StoredPages());
        ObjectId sparse = cache.AddObject(null, 1UL << 40, dense: false);
        for (ulong page = 0; page < 400; page++)
        {
            using (cache.Get(file, page * 20))
            {
            }

            cache.TryAdd(sparse, page << 20, s_page);
        }

        using (WriteLease write = cache.GetForWrite(file, 3)) write.Span[0] = 1;
        cache.FlushAsync().GetAwaiter().GetResult();
    }

    private static void UseFlipRing(MemoryMeter meter)
    {
        using FrameLedger ledger = new(100, meter);
        using FlipRing<ManyToMany> ring = new(new FlipRingOptions { Producer = 1, Consumer = 2, Ledger = ledger }, meter);
    }

    private static void UseFlipMemory(MemoryMeter meter)
    {
        ModelledNumaSystem system = new(new TestNodes(2).Topology, _ => 1000);
        using FlipMemory pages = new([new FlipHome(0, 20), new FlipHome(1, 30)], system, meter);
    }

    private static void UseItems(MemoryMeter meter)
    {
        using ItemStore<SecondChanceItems> store = new(
            new ItemStoreOptions { CapacityBytes = 16 << 20, ShardCount = 4, HashSeed = 1 }, meter: meter);
        for (int i = 0; i < 200; i++)
            store.Store(BitConverter.GetBytes(i + 0x01010101), s_page, new ItemWrite(), 0, out _);
    }

    private static void UseIds(PageNumbering numbering, MemoryMeter meter)
    {
        using IdMap map = new(numbering, hasFiles: true, countMax: 1 << 20, meter);
    }

    private static void AddTwiceIfNeeded(PageCache<LinuxRules<Linux6>> cache, ObjectId owner, ulong page)
    {
        try
        {
            Assert.That(cache.TryAdd(owner, page, s_page), Is.True);
        }
        catch (NativeMemoryException)
        {
            cache.Validate();
            Assert.That(cache.TryAdd(owner, page, s_page), Is.True);
        }
    }
}
