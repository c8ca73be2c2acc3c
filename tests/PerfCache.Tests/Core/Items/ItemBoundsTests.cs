// SPDX-License-Identifier: MIT
using System.Reflection;
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Items;
using static PerfCache.Tests.Core.Items.ItemTestStore;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: a store keeps to its bounds, says what is wrong with others, and goes on when memory is refused. Method: each
/// bound met exactly and missed by one; the meter as the judge of what the store says of itself; each request for memory
/// refused in turn.
/// </summary>
[TestFixture]
internal sealed class ItemBoundsTests
{
    private static readonly ItemStoreOptions s_small = new()
    {
        CapacityBytes = 4 << 20,
        ShardCount = 1,
        ValueBytesMax = 64 << 10,
        HashSeed = 1,
    };

    [Test]
    public void OptionsAtTheirBoundsAreTakenAndBeyondThemAreNot()
    {
        Assert.Multiple(() =>
        {
            foreach (int shards in (int[])[1, 2, 256]) Takes(s_small with { ShardCount = shards });
            foreach (int shards in (int[])[-1, 0, 3, 512])
                Refuses(s_small with { ShardCount = shards }, $"ShardCount is {shards}; make it a power of two from 1 to 256");
            foreach (int page in (int[])[4096, 65_536]) Takes(s_small with { PageBytes = page });
            foreach (int page in (int[])[2048, 131_072])
            {
                Refuses(
                    s_small with { PageBytes = page }, $"PageBytes is {page}; make it a power of two from 4096 to 65536");
            }

            foreach (int bytes in (int[])[1, 128 << 20]) Takes(s_small with { ValueBytesMax = bytes });
            foreach (int bytes in (int[])[0, (128 << 20) + 1])
                Refuses(s_small with { ValueBytesMax = bytes }, $"ValueBytesMax is {bytes}; make it 1 to 134217728");
            ItemStoreOptions least = s_small with { ShardCount = 2 };
            least = least with { CapacityBytes = least.CapacityBytesMin };
            Assert.That(least.Validate, Throws.Nothing);
            // Two values and eight pages in each shard and 256 KiB; a value and sixteen pages of the system for all.
            ItemStoreOptions example = least with { PageBytes = 65_536, ValueBytesMax = 100_000 };
            long system = Environment.SystemPageSize;
            Assert.That(
                example.CapacityBytesMin,
                Is.EqualTo(
                    (2 * (200_000 + (8 * 65_536) + (256 * 1024))) + (16 * system) + ((100_000 + system - 1) / system * system)));
            Assert.That(
                (least with { CapacityBytes = least.CapacityBytesMin - 1 }).Validate,
                Throws.ArgumentException.With.Message.Contains(
                    $"CapacityBytes is {least.CapacityBytesMin - 1}; 2 shards with values up to 65536 bytes need "
                    + $"{least.CapacityBytesMin}: give more, or fewer shards, or smaller values"));
        });

        static void Takes(ItemStoreOptions options) =>
            Assert.That((options with { CapacityBytes = 1L << 60 }).Validate, Throws.Nothing, $"{options}");

        static void Refuses(ItemStoreOptions options, string message) =>
            Assert.That(
                (options with { CapacityBytes = 1L << 60 }).Validate, Throws.ArgumentException.With.Message.Contains(message));
    }

    [Test]
    public void TheSmallestStoreHoldsOneOfTheLargestValuesInEachShardWithinItsBytes(
        [Values(1, 4)] int shards, [Values(4096, 65_536)] int pageBytes, [Values(1, 5000, 300_000)] int valueBytes)
    {
        ItemStoreOptions options = s_small with { ShardCount = shards, PageBytes = pageBytes, ValueBytesMax = valueBytes };
        using ItemTestStore store = new(options.CapacityBytesMin, shards, valueBytes, pageBytes);
        for (int i = 0; i < 40; i++)
        {
            byte[] value = Value(i, valueBytes);
            Assert.That(store.Set($"k{i}", value), Is.EqualTo(ItemStatus.Done));
            Assert.That(store.Get($"k{i}").AsSpan().SequenceEqual(value), Is.True);
            Assert.That(store.Meter.OutstandingBytes, Is.LessThanOrEqualTo(options.CapacityBytesMin));
        }

        store.Store.Validate();
        // Not much more than that is asked for either.
        long needed = shards * ((2L * valueBytes) + (8L * pageBytes));
        Assert.That(options.CapacityBytesMin, Is.LessThan(needed + (shards * 300_000L) + valueBytes + 100_000));
    }

    [Test]
    public void MoreFramesThanAPlaceCanNameAreRefused()
    {
        // 32 slots of 128 bytes in a page: 2^32 places are 2^27 pages, and the last number is none.
        ItemStoreOptions options = s_small with { CapacityBytes = ((1L << 27) - 1) * 4096 };
        Assert.That(
            () => new ItemStore<SecondChanceItems>(options).Dispose(), Throws.ArgumentException.With.Message.Contains(
                "134217727 frames are more than the 134217726 that a place can name; use several stores"));
        Assert.That(() => new ItemStore<SecondChanceItems>(null!), Throws.ArgumentNullException);
    }

    [Test]
    public void ASeedThatIsNotGivenIsDrawn()
    {
        ItemStoreOptions options = s_small with { HashSeed = null };
        Assert.That(Enumerable.Range(0, 20).Select(_ => options.SeedOrDrawn()).Distinct().Count(), Is.EqualTo(20));
        Assert.That(s_small.SeedOrDrawn(), Is.EqualTo(1));
    }

    [Test]
    public void WhatTheStoreSaysOfItsBytesIsWhatTheMeterSays([Values(1, 4)] int shards)
    {
        using ItemTestStore store = new(8 << 20, shards);
        for (int i = 0; i < 3000; i++) store.Set($"key {i}", Value(i, i % 700));
        store.Set("key 1", Value(1, 50), new ItemWrite { Mode = ItemMode.Append });
        ItemStatistics counts = store.Counts;
        PageMemory pages = store.Store.Pages;
        Assert.That(
            counts.MetadataBytes + pages.CommittedBytes + pages.BookkeepingBytes,
            Is.EqualTo(store.Meter.OutstandingBytes));
        Assert.That(counts.UsedFrames + counts.FreeFrames, Is.EqualTo(pages.FrameCount));
        Assert.That(counts.ValueBytes, Is.EqualTo(Enumerable.Range(0, 3000).Sum(i => i % 700) + 50));
        Assert.That(counts.KeyBytes, Is.EqualTo(Enumerable.Range(0, 3000).Sum(i => $"key {i}".Length)));
        SizeClasses classes = new(4096);
        long taken = Enumerable.Range(0, 3000).Sum(i => classes.BytesOf(classes.ShapeOf(i == 1 ? 51 : i % 700)));
        Assert.That(counts.WasteBytes, Is.EqualTo(taken - counts.ValueBytes));
        // Each shard's own bound: rows, index and frames within its part.
        foreach (ItemShard<SecondChanceItems> shard in store.Store.Shards)
        {
            ItemBudget budget = shard.Space.Budget;
            Assert.That(budget.LimitBytes, Is.EqualTo(((8 << 20) - store.Store.Options.SharedBytes) / shards));
            Assert.That(budget.FreeBytes + budget.UsedBytes, Is.EqualTo(budget.LimitBytes));
        }
    }

    [Test]
    public void TheCountsAreTheSumsOverTheShards()
    {
        using ItemTestStore store = new(4 << 20, shards: 4);
        for (int i = 0; i < 3000; i++)
            store.Set($"k{i}", Value(i, 2000), new ItemWrite { ExpiryTicks = i % 9 == 0 ? Second : long.MaxValue });
        for (int i = 2500; i < 3100; i++) store.Get($"k{i}", 2 * Second);
        foreach (int i in (int[])[2999, 2998, 2996, 2995]) store.Vanish(store.FramesOf($"k{i}")[0]);
        for (int i = 2900; i < 3000; i++) store.Get($"k{i}", 2 * Second);
        store.Store.Trim(new FrameId[8]);
        for (uint frame = 1; frame < 200; frame++) store.Store.Withdraw(new FrameId(frame));
        store.Store.FlushAll(2 * Second, 2 * Second);
        for (int i = 0; i < 3000; i++) store.Get($"k{i}", 2 * Second);
        for (int i = 0; i < 20; i++) store.Set($"new {i}", Value(i, 999), now: 2 * Second);
        ItemStatistics sum = store.Counts;
        ItemStatistics[] parts = [.. store.Store.Shards.ToArray().Select(shard => shard.Statistics)];
        Assert.Multiple(() =>
        {
            foreach (PropertyInfo count in typeof(ItemStatistics).GetProperties())
            {
                long expected = parts.Sum(part => (long)count.GetValue(part)!);
                long found = (long)count.GetValue(sum)!;
                // Frame rows are all shards' together, and so is the place where values are joined.
                if (count.Name == nameof(ItemStatistics.MetadataBytes)) Assert.That(found, Is.GreaterThan(expected));
                else Assert.That(found, Is.EqualTo(expected), count.Name);
            }

            Assert.That(sum.Stores, Is.EqualTo(3020));
            Assert.That((sum.Items, sum.KeyBytes, sum.ValueBytes), Is.EqualTo((20, 10 * 5 + (10 * 6), 20 * 999)));
            foreach (long count in (long[])
                [sum.Hits, sum.Misses, sum.Expired, sum.Flushed, sum.Evicted, sum.Withdrawn, sum.Lost, sum.ChecksumFailures])
                Assert.That(count, Is.Positive);
            Assert.That(
                sum.Items + sum.Expired + sum.Flushed + sum.Evicted + sum.Withdrawn + sum.Lost, Is.EqualTo(sum.Stores),
                "each item stored is there or has gone for one reason");
        });
    }

    [Test]
    public void TheMemoryThatIsRefusedIsNamed()
    {
        HashSet<string> purposes = [];
        for (long refused = 1; refused < 100; refused++)
        {
            MemoryMeter meter = new();
            using MemoryFaults faults = new(refused);
            try
            {
                using ItemStore<SecondChanceItems> store = new(s_small, meter: meter);
                Assert.That(faults.Requests, Is.LessThan(refused), "a store that is made was refused nothing");
                break;
            }
            catch (NativeMemoryException failure)
            {
                purposes.Add(failure.Message[..failure.Message.IndexOf(':', StringComparison.Ordinal)]);
                Assert.That((meter.OutstandingBytes, faults.Reservations), Is.EqualTo((0L, 0L)), failure.Message);
            }
        }

        Assert.That(
            purposes, Is.EquivalentTo(new[]
            {
                "page data", "discarded frames", "frames of items", "slots of items", "written frames of items",
                "heads of items", "links of items", "links of items in frames", "keys of items", "index of items",
                "joining of values",
            }));
    }

    [Test]
    public void AStoreGoesOnWhateverIsRefused()
    {
        // Rows, cells of keys, buckets and frames must grow; each request is refused once, in a store of its own.
        const string Last = "1299 a key that is longer than a row";
        byte[][] values = [.. Enumerable.Range(0, 7).Select(i => Value(i, 90))];
        long requests = 0;
        for (long refused = 0; refused <= requests; refused++)
        {
            using ItemTestStore store = new(capacityBytes: 2 << 20);
            using MemoryFaults faults = new(refused);
            int refusals = 0;
            for (int i = 0; i < 1300; i++)
            {
                string key = $"{i} a key that is longer than a row";
                if (store.Set(key, values[i % 7]) != ItemStatus.Done) refusals++;
                else if (!store.Get(key).AsSpan().SequenceEqual(values[i % 7])) Assert.Fail($"the value of {key}");
            }

            ItemWrite append = new() { Mode = ItemMode.Append };
            if (store.Set(Last, [9], append) != ItemStatus.Done)
            {
                Assert.That(store.Get(Last), Is.EqualTo(values[1299 % 7]), "as it was");
                Assert.That(store.Set(Last, [9], append), Is.EqualTo(ItemStatus.Done), $"refusal {refused}");
            }

            Assert.That(store.Get(Last), Is.EqualTo(values[1299 % 7].Append((byte)9)), $"refusal {refused}");
            Assert.That(refusals, Is.LessThanOrEqualTo(refused == 0 ? 0 : 65), $"refusal {refused}");
            Assert.That(store.Meter.OutstandingBytes, Is.LessThanOrEqualTo(2 << 20), $"refusal {refused}");
            store.Store.Validate();
            if (refused == 0) requests = faults.Requests;
        }

        Assert.That(requests, Is.InRange(10, 200));
    }

    [Test]
    public void ABudgetIsSpentToTheLastByteAndNoFurther()
    {
        ItemBudget budget = new(100);
        Assert.That((budget.TrySpend(101), budget.UsedBytes), Is.EqualTo((false, 0L)));
        Assert.That((budget.TrySpend(100), budget.FreeBytes, budget.TrySpend(1)), Is.EqualTo((true, 0L, false)));
        budget.Refund(30);
        Assert.That((budget.UsedBytes, budget.FreeBytes), Is.EqualTo((70L, 30L)));
        budget.Move(-50);
        Assert.That((budget.LimitBytes, budget.FreeBytes, budget.TrySpend(1)), Is.EqualTo((50L, 0L, false)), "not below none");
        budget.Move(60);
        Assert.That((budget.FreeBytes, budget.TrySpend(0)), Is.EqualTo((40L, true)));
    }

    [Test]
    public void NoTwoChangesGetTheSameNumber()
    {
        using ItemTestStore store = new(8 << 20, shards: 4);
        HashSet<ulong> numbers = [];
        for (int i = 0; i < 500; i++)
        {
            store.Store.Store(Key($"k{i % 100}"), Value(1, 10), new ItemWrite(), 0, out ulong cas);
            Assert.That(numbers.Add(cas) && cas != 0 && store.Cas($"k{i % 100}") == cas, Is.True, $"change {i}");
            if (i % 5 != 0) continue;
            store.Store.Invalidate(Key($"k{i % 100}"), 0);
            Assert.That(numbers.Add(store.Cas($"k{i % 100}")), Is.True, $"change {i}");
        }
    }

    [Test]
    public void ASweepLooksAtAsManyRowsAsItMay()
    {
        using ItemTestStore store = new();
        for (int i = 0; i < 100; i++) store.Set($"k{i}", Value(i, 10), new ItemWrite { ExpiryTicks = Second });
        Assert.That(store.Store.Sweep(Second - 1, 1000), Is.Zero, "a tick too early");
        Assert.That(store.Store.Sweep(Second, 0), Is.Zero);
        Assert.That(store.Store.Sweep(Second, 30), Is.EqualTo(30));
        Assert.That(store.Store.Sweep(Second, 1000), Is.EqualTo(70), "and ends with the shard");
        Assert.That((store.Store.Sweep(Second, 1000), store.Counts.Expired), Is.EqualTo((0, 100L)));
        store.Set("new", [], new ItemWrite { ExpiryTicks = 2 * Second }, Second);
        Assert.That(store.Store.Sweep(2 * Second, 1000), Is.EqualTo(1), "the next one begins again");
    }

    [Test]
    public void ASweepComesByAllShards()
    {
        using ItemTestStore store = new(8 << 20, shards: 4);
        for (int i = 0; i < 100; i++) store.Set($"k{i}", Value(i, 10), new ItemWrite { ExpiryTicks = Second });
        int[] dropped = [.. Enumerable.Range(0, 4).Select(_ => store.Store.Sweep(Second, 1000))];
        Assert.That((dropped.Sum(), dropped.Min() > 0), Is.EqualTo((100, true)));
    }

    [Test]
    public void AFlushThatIsToComeIsReplacedByTheNext()
    {
        using ItemTestStore store = new();
        store.Set("k", Value(1, 10));
        store.Store.FlushAll(0, 10);
        store.Store.FlushAll(5, 20);
        Assert.That(store.Get("k", 19), Is.Not.Null, "the first was replaced");
        Assert.That(store.Get("k", 20), Is.Null, "from its tick on");
        store.Set("k", Value(1, 10), now: 20);
        Assert.That((store.Get("k", 30), store.Counts.Flushed), Is.EqualTo((Value(1, 10), 1L)), "once");
        store.Store.FlushAll(30, 29);
        Assert.That((store.Get("k", 30), store.Counts.Flushed), Is.EqualTo(((byte[]?)null, 2L)), "a past time is now");
    }

    [Test]
    public void AFullRoundOfFlushesDropsEveryItem()
    {
        // The mark of a flush has one byte: after 256 of them what nobody met would be good again.
        using ItemTestStore store = new();
        for (int i = 0; i < 10; i++) store.Set($"k{i}", Value(i, 3000));
        for (int i = 0; i < 255; i++) store.Store.FlushAll(0, 0);
        Assert.That((store.Counts.Items, store.Counts.Flushed), Is.EqualTo((10L, 0L)), "nobody met them");
        store.Store.FlushAll(0, 0);
        Assert.That((store.Counts.Items, store.Counts.Flushed, store.Counts.UsedFrames), Is.EqualTo((0L, 10L, 0L)));
        store.Store.Validate();
    }

    [Test]
    public void AgeIsToldToATenthOfASecondAndNeverBelowNone()
    {
        using ItemTestStore store = new();
        store.Set("k", Value(1, 10), now: 1000 * Second);
        foreach (long seconds in (long[])[0, 1, 100, 100_000])
        {
            store.Store.TryPeek(Key("k"), (1000 + seconds) * Second, out ItemInfo info);
            Assert.That(info.IdleTicks, Is.EqualTo(seconds * Second).Within((Second / 9) + 1));
            Assert.That(info.IdleTicks % (1 << 20), Is.Zero);
        }

        store.Store.TryPeek(Key("k"), 900 * Second, out ItemInfo earlier);
        Assert.That(earlier.IdleTicks, Is.Zero, "time that ran backwards");
    }

    [Test]
    public void AnItemThatIsExpiredWhenItIsEvictedCountsAsExpired()
    {
        using ItemTestStore store = new(1 << 20);
        for (int i = 0; i < 100; i++) store.Set($"old {i}", Value(i, 4096), new ItemWrite { ExpiryTicks = Second });
        for (int i = 0; i < 1000; i++) store.Set($"new {i}", Value(i, 4096), now: Second);
        Assert.That(store.Counts.Expired, Is.EqualTo(100));
        Assert.That(store.Counts.Evicted + store.Counts.Items, Is.EqualTo(1000));
    }

    [Test]
    public void AValueThatGrowsOrShrinksKeepsItsItem()
    {
        using ItemTestStore store = new();
        ItemWrite write = new() { ExpiryTicks = 50, Flags = 3 };
        foreach (int length in (int[])[100, 128, 1, 129, 4096, 4090, 9000, 3000, 2998, 0, 500])
        {
            Assert.That(store.Set("k", Value(length, length), write), Is.EqualTo(ItemStatus.Done));
            Assert.That(store.Get(Key("k"), 0, out ItemInfo info), Is.EqualTo(Value(length, length)));
            Assert.That((info.Flags, info.ExpiryTicks, store.Counts.ValueBytes), Is.EqualTo((3u, 50L, (long)length)));
            store.Store.Validate();
        }

        Assert.That((store.Counts.Items, store.Counts.Evicted, store.Counts.Stores), Is.EqualTo((1L, 0L, 11L)));
    }

    [Test]
    public void AJoinedValueMayHaveTheLargestLengthAndNoMore([Values(ItemMode.Append, ItemMode.Prepend)] ItemMode mode)
    {
        using ItemTestStore store = new();
        store.Set("k", Value(1, 60_000), new ItemWrite { Flags = 4, ExpiryTicks = 77 });
        ItemWrite write = new() { Mode = mode, Flags = 9, ExpiryTicks = 99 };
        byte[] more = Value(2, 5536);
        Assert.That(store.Set("k", [.. more, 1], write), Is.EqualTo(ItemStatus.TooLarge));
        Assert.That(store.Set("k", more, write), Is.EqualTo(ItemStatus.Done));
        byte[] joined = mode == ItemMode.Append ? [.. Value(1, 60_000), .. more] : [.. more, .. Value(1, 60_000)];
        Assert.That(store.Get(Key("k"), 0, out ItemInfo info), Is.EqualTo(joined));
        Assert.That((info.Length, info.Flags, info.ExpiryTicks), Is.EqualTo((65_536, 4u, 77L)));
        Assert.That(store.Set("k", [1], write), Is.EqualTo(ItemStatus.TooLarge));
        Assert.That(store.Set("k", [], write), Is.EqualTo(ItemStatus.Done), "nothing more always fits");
        Assert.That(
            store.Set("k", [], write with { ExpectedCas = 1 }), Is.EqualTo(ItemStatus.Exists), "joined by its number only");
    }
}
