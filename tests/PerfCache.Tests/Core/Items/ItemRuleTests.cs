// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using static PerfCache.Tests.Core.Items.ItemTestStore;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: the rule is told of each item once when it comes and once when it goes, and what room is wanted; and where it gives
/// none, the refused value takes nothing. Method: a rule that writes down what it is told, and evicts only if the test
/// says so.
/// </summary>
[TestFixture]
internal sealed class ItemRuleTests
{
    private readonly MemoryMeter _meter = new();
    private Diary _diary = null!;

    [SetUp]
    public void Make() => _diary = new Diary();

    [Test]
    public void TheRuleIsToldWhatRoomIsWanted()
    {
        using PageMemory pages = new(4, 4096, _meter);
        using ItemStore<DiaryRule> store = Store(pages);
        for (int i = 0; i < 4; i++) Assert.That(Set(store, $"whole {i}", 4096), Is.EqualTo(ItemStatus.Done));
        Assert.That(_diary.Wanted, Is.Empty);
        Set(store, "another", 4096);
        Assert.That(_diary.Wanted, Is.EqualTo(new[] { 1 }));
        Set(store, "slot", 1000);
        Assert.That(_diary.Wanted, Is.EqualTo(new[] { 1, 4 }));
        Set(store, "split", 3000);
        Assert.That(_diary.Wanted, Is.EqualTo(new[] { 1, 4, 2 }), "2048 bytes; the rest has room beside the first slot");
        Set(store, "larger", (2 * 4096) + 2000);
        Assert.That(_diary.Wanted, Is.EqualTo(new[] { 1, 4, 2, 1, 1 }), "two frames, and a slot beside the split one");
        store.Validate();
        Assert.That(store.Statistics.Evicted, Is.EqualTo(5));
    }

    [Test]
    public void WhereRowsAreWantingTheRuleIsToldTheClassOfTheValue([Values(0, 1000, 3000, 4096, 9000)] int length)
    {
        // Values without bytes take rows alone, until the bound is met.
        using PageMemory pages = new(40, 4096, _meter);
        using ItemStore<DiaryRule> store = Store(pages, s_least);
        for (int i = 0; i < 5; i++) Set(store, $"first {i}", length);
        _diary.Evicts = false;
        for (int i = 0; store.Statistics.Refused == 0; i++) Set(store, $"empty {i}", 0);
        Assert.That(_diary.Wanted, Is.EqualTo(new[] { 0 }));
        Set(store, "next", length);
        int sizeClass = length switch { 0 => 0, 1000 => 4, 3000 => 2, _ => 1 };
        Assert.That(_diary.Wanted, Is.EqualTo(new[] { 0, sizeClass }));
        Assert.That(store.Statistics.Refused, Is.EqualTo(2));
        store.Validate();
    }

    [Test]
    public void WhereCellsOfKeysAreWantingItemsGoToo()
    {
        using PageMemory pages = new(40, 4096, _meter);
        using ItemStore<DiaryRule> store = Store(pages, s_least);
        for (int i = 0; i < 3000; i++)
            Assert.That(Set(store, $"{i} {new string('k', 200)}", 0), Is.EqualTo(ItemStatus.Done), $"item {i}");
        int evicted = _diary.Wanted.Count;
        Assert.That((store.Statistics.Items, store.Statistics.Evicted), Is.EqualTo((3000 - evicted, evicted)));
        Assert.That(_diary.Wanted, Is.Not.Empty.And.All.Zero);
        store.Validate();
    }

    [Test]
    public void TheRuleIsToldOfEachItemOnceWhenItComesAndOnceWhenItGoes()
    {
        using PageMemory pages = new(64, 4096, _meter);
        using ItemStore<DiaryRule> store = Store(pages);
        Set(store, "k", 100);
        Set(store, "k", 120);
        Assert.That(_diary.Lines, Is.EqualTo(new[] { "insert 1", "hit 1" }), "a value of the same shape");
        Set(store, "k", 1000);
        Assert.That(_diary.Lines[2..], Is.EqualTo(new[] { "remove 1", "insert 1" }), "a value of another shape");
        byte[] buffer = new byte[1000];
        store.Get(Key("k"), 0, buffer, out _);
        store.Touch(Key("k"), 0, 50);
        Assert.That(_diary.Lines[4..], Is.EqualTo(new[] { "hit 1", "hit 1" }));
        store.TryPeek(Key("k"), 0, out _);
        store.Fetch(Key("k"), 0, new ItemFetch { Unnoticed = true }, buffer, out _, out _);
        Set(store, "k", 0, new ItemWrite { Mode = ItemMode.Replace, ExpectedCas = 77 });
        Assert.That(_diary.Lines, Has.Count.EqualTo(6), "a look is no hit, nor is what was not stored");
        store.Get(Key("k"), 50, buffer, out _);
        Set(store, "k", 0);
        store.Delete(Key("k"), 0);
        Set(store, "k", 10);
        store.FlushAll(60, 60);
        store.Sweep(60, 10);
        Assert.That(
            _diary.Lines[6..],
            Is.EqualTo(new[] { "remove 1", "insert 1", "remove 1", "insert 1", "remove 1" }));
    }

    [Test]
    public void ARefusedValueTakesNothing([Values(1, 2, 3)] int seed)
    {
        // Values of all shapes until one is refused for want of frames, of a first or of a second slot; then some go.
        using PageMemory pages = new(30, 4096, _meter);
        using ItemStore<DiaryRule> store = Store(pages);
        _diary.Evicts = false;
        ItemSpace space = store.Shards[0].Space;
        Random random = TestSeed.Random(seed);
        int refused = 0;
        for (int i = 0; i < 3000; i++)
        {
            ItemStatistics before = store.Statistics;
            (uint rows, uint cells, uint frames) = (space.Rows.FreeRows, space.Rows.FreeCells, space.Frames.FreeCount);
            int length = random.Next(4) == 0 ? random.Next(15_000) : random.Next(4096);
            string key = $"{i} {new string('k', random.Next(60))}";
            if (Set(store, key, length) == ItemStatus.NoRoom)
            {
                Assert.That(store.Statistics, Is.EqualTo(before with { Refused = ++refused }));
                Assert.That(
                    (space.Rows.FreeRows, space.Rows.FreeCells, space.Frames.FreeCount), Is.EqualTo((rows, cells, frames)));
                if (i % 8 == 0) store.Validate();
                _diary.EvictTail(random.Next(3));
            }
            else
            {
                Assert.That(store.Statistics, Is.EqualTo(before with
                {
                    Items = before.Items + 1,
                    Stores = before.Stores + 1,
                    KeyBytes = before.KeyBytes + key.Length,
                    ValueBytes = before.ValueBytes + length,
                    WasteBytes = store.Statistics.WasteBytes,
                    UsedFrames = store.Statistics.UsedFrames,
                    FreeFrames = store.Statistics.FreeFrames,
                    MetadataBytes = store.Statistics.MetadataBytes,
                }));
            }
        }

        store.Validate();
        Assert.That(refused, Is.GreaterThan(500));
        _diary.EvictTail(int.MaxValue);
        Assert.That((store.Statistics.Items, store.Statistics.UsedFrames, store.Statistics.WasteBytes), Is.EqualTo((0L, 0L, 0L)));
        store.Validate();
    }

    private static readonly ItemStoreOptions s_options = new()
    {
        CapacityBytes = 2 << 20,
        ShardCount = 1,
        ValueBytesMax = 64 << 10,
        HashSeed = 1,
    };

    private static readonly ItemStoreOptions s_least = s_options with { CapacityBytes = s_options.CapacityBytesMin };

    private ItemStore<DiaryRule> Store(PageMemory pages, ItemStoreOptions? options = null) =>
        new(options ?? s_options, new DiaryRule(_diary), pages, _meter);

    private static ItemStatus Set(ItemStore<DiaryRule> store, string key, int length, ItemWrite? write = null) =>
        store.Store(Key(key), new byte[length], write ?? new ItemWrite(), 0, out _);

    /// <summary>What the rule was told, and its list.</summary>
    private sealed class Diary
    {
        internal List<string> Lines { get; } = [];

        internal List<int> Wanted { get; } = [];

        internal bool Evicts { get; set; } = true;

        internal ItemSpace Space { get; set; } = null!;

        internal ItemList List { get; set; } = null!;

        internal int EvictTail(int most)
        {
            int count = 0;
            for (; count < most && !List.Tail.IsNone; count++)
            {
                ItemId oldest = List.Tail;
                List.Remove(oldest);
                Space.Evict(oldest);
            }

            return count;
        }
    }

    /// <summary>The oldest goes first.</summary>
    private readonly struct DiaryRule(Diary diary) : IItemRule
    {
        public void Attach(ItemSpace space)
        {
            diary.Space = space;
            diary.List = space.NewList();
        }

        public void OnInsert(ItemId item)
        {
            diary.Lines.Add($"insert {item.Value}");
            diary.List.PushHead(item);
        }

        public void OnHit(ItemId item) => diary.Lines.Add($"hit {item.Value}");

        public void OnRemove(ItemId item)
        {
            diary.Lines.Add($"remove {item.Value}");
            diary.List.Remove(item);
        }

        public int Reclaim(int sizeClass)
        {
            diary.Wanted.Add(sizeClass);
            return diary.Evicts ? diary.EvictTail(1) : 0;
        }

        public void Validate() => diary.List.Validate();
    }
}
