// SPDX-License-Identifier: MIT
using System.Buffers;
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Items;
using static PerfCache.Tests.Core.Items.ItemTestStore;

namespace PerfCache.Tests.Core.Items;

/// <summary>Goal: each verb does what its text says. Method: examples, every one ending with all invariants checked.</summary>
[TestFixture]
public sealed class ItemStoreTests
{
    private ItemTestStore _store = null!;

    [SetUp]
    public void Make() => _store = new ItemTestStore();

    [TearDown]
    public void ValidateAndFree()
    {
        _store.Store.Validate();
        _store.Dispose();
    }

    [Test]
    public void AValueOfAnyLengthComesBack(
        [Values(0, 1, 100, 128, 129, 1000, 1400, 2049, 2500, 3409, 4095, 4096, 4097, 6500, 8192, 65_535, 65_536)] int length)
    {
        byte[] value = Value(length, length);
        Assert.That(_store.Set("key", value, new ItemWrite { Flags = 77 }), Is.EqualTo(ItemStatus.Done));
        Assert.That(_store.Get(Key("key"), 0, out ItemInfo info), Is.EqualTo(value));
        Assert.That((info.Length, info.Flags, info.Cas), Is.EqualTo((length, 77u, 1ul)));
        _store.Store.Validate();
        Assert.That(_store.Store.Delete(Key("key"), 0), Is.EqualTo(ItemStatus.Done));
        Assert.That(_store.Get("key"), Is.Null);
        Assert.That((_store.Counts.UsedFrames, _store.Counts.Items), Is.EqualTo((0, 0)));
    }

    [Test]
    public void KeysOfAnyLengthAreToldApart()
    {
        for (int length = 1; length <= ItemStoreOptions.KeyBytesMax; length++)
            Assert.That(_store.Set(new string('k', length), Value(length, 20)), Is.EqualTo(ItemStatus.Done));
        for (int length = 1; length <= ItemStoreOptions.KeyBytesMax; length++)
            Assert.That(_store.Get(new string('k', length)), Is.EqualTo(Value(length, 20)));
        Assert.That(_store.Get(new string('k', 100) + "x"), Is.Null);
        Assert.That(_store.Counts.KeyBytes, Is.EqualTo(250 * 251 / 2));
    }

    [TestCase(0)]
    [TestCase(251)]
    public void AKeyHas1To250Bytes(int length) =>
        Assert.That(
            () => _store.Store.Delete(new byte[length], 0),
            Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("a key has 1 to 250 bytes"));

    [Test]
    public void ABufferThatIsTooSmallLearnsTheLength()
    {
        _store.Set("key", Value(1, 500));
        byte[] buffer = new byte[499];
        Assert.That(_store.Store.Get(Key("key"), 0, buffer, out ItemInfo info), Is.EqualTo(ItemRead.TooSmall));
        Assert.That((info.Length, buffer.Any(b => b != 0)), Is.EqualTo((500, false)));
        Assert.That((_store.Counts.Hits, _store.Counts.Misses), Is.EqualTo((0, 0)));
    }

    [Test]
    public void AWriterGetsTheValueInPlace()
    {
        ArrayBufferWriter<byte> writer = new(16);
        _store.Set("key", Value(1, 50_000));
        Assert.That(_store.Store.TryGet(Key("key"), 0, writer, out _), Is.True);
        Assert.That(writer.WrittenSpan.ToArray(), Is.EqualTo(Value(1, 50_000)));
        Assert.That(_store.Store.TryGet(Key("none"), 0, writer, out _), Is.False);
        Assert.That(writer.WrittenCount, Is.EqualTo(50_000));
    }

    [Test]
    public void ModesLookAtWhatIsThere()
    {
        byte[] a = Value(1, 10);
        byte[] b = Value(2, 3000);
        Assert.That(_store.Set("k", a, new ItemWrite { Mode = ItemMode.Replace }), Is.EqualTo(ItemStatus.NotStored));
        Assert.That(_store.Set("k", a, new ItemWrite { Mode = ItemMode.Append }), Is.EqualTo(ItemStatus.NotStored));
        Assert.That(_store.Set("k", a, new ItemWrite { Mode = ItemMode.Add, Flags = 9 }), Is.EqualTo(ItemStatus.Done));
        Assert.That(_store.Set("k", b, new ItemWrite { Mode = ItemMode.Add }), Is.EqualTo(ItemStatus.NotStored));
        Assert.That(_store.Set("k", b, new ItemWrite { Mode = ItemMode.Append }), Is.EqualTo(ItemStatus.Done));
        Assert.That(_store.Set("k", b, new ItemWrite { Mode = ItemMode.Prepend }), Is.EqualTo(ItemStatus.Done));
        Assert.That(_store.Get(Key("k"), 0, out ItemInfo info), Is.EqualTo(b.Concat(a).Concat(b)));
        Assert.That(info.Flags, Is.EqualTo(9), "append and prepend keep the flags");
        Assert.That(_store.Set("k", new byte[60_000], new ItemWrite { Mode = ItemMode.Append }), Is.EqualTo(ItemStatus.TooLarge));
        Assert.That(_store.Get("k"), Has.Length.EqualTo(6010), "what could not be appended to is still there");
    }

    [Test]
    public void CasLetsOneOfTwoWin()
    {
        _store.Set("k", Value(1, 100));
        ulong cas = _store.Cas("k");
        ItemWrite write = new() { ExpectedCas = cas };
        Assert.That(_store.Set("k", Value(2, 100), write), Is.EqualTo(ItemStatus.Done));
        Assert.That(_store.Set("k", Value(3, 100), write), Is.EqualTo(ItemStatus.Exists));
        Assert.That(_store.Set("none", Value(3, 100), write), Is.EqualTo(ItemStatus.NotFound));
        Assert.That(_store.Get("k"), Is.EqualTo(Value(2, 100)));
        Assert.That(_store.Store.Delete(Key("k"), 0, cas), Is.EqualTo(ItemStatus.Exists));
        Assert.That(_store.Store.Delete(Key("k"), 0, _store.Cas("k")), Is.EqualTo(ItemStatus.Done));
    }

    [Test]
    public void AnOlderCasMayStoreAStaleValue()
    {
        _store.Set("k", Value(1, 100), new ItemWrite { NewCas = 50 });
        Assert.That(
            _store.Set("k", Value(2, 100), new ItemWrite { ExpectedCas = 49, StaleIfOlder = true }),
            Is.EqualTo(ItemStatus.Done));
        Assert.That(_store.Get(Key("k"), 0, out ItemInfo info), Is.EqualTo(Value(2, 100)));
        Assert.That(info.Marks, Is.EqualTo(ItemMarks.Stale));
        Assert.That(
            _store.Set("k", Value(2, 100), new ItemWrite { ExpectedCas = ulong.MaxValue, StaleIfOlder = true }),
            Is.EqualTo(ItemStatus.Exists));
    }

    [Test]
    public void OneOfManyWinsTheRightToRenew()
    {
        _store.Set("k", Value(1, 100));
        Assert.That(_store.Store.Mark(Key("k"), 0, ItemMarks.Won, ItemMarks.None, out ItemInfo first), Is.True);
        Assert.That(_store.Store.Mark(Key("k"), 0, ItemMarks.Won, ItemMarks.None, out ItemInfo second), Is.True);
        Assert.That((first.Marks, second.Marks), Is.EqualTo((ItemMarks.None, ItemMarks.Won)));
        _store.Get("k");
        _store.Store.TryPeek(Key("k"), 0, out ItemInfo info);
        Assert.That(info.Marks, Is.EqualTo(ItemMarks.Won | ItemMarks.Fetched));
        _store.Set("k", Value(1, 100));
        _store.Store.TryPeek(Key("k"), 0, out info);
        Assert.That(info.Marks, Is.EqualTo(ItemMarks.None), "a new value starts anew");
    }

    [Test]
    public void AnItemLivesUntilTheTickOfItsExpiry()
    {
        _store.Set("k", Value(1, 100), new ItemWrite { ExpiryTicks = 10 * Second });
        Assert.That(_store.Get("k", (10 * Second) - 1), Is.Not.Null);
        Assert.That(_store.Store.Touch(Key("k"), 9 * Second, 20 * Second), Is.True);
        Assert.That(_store.Get("k", 10 * Second), Is.Not.Null);
        byte[] buffer = new byte[100];
        Assert.That(
            _store.Store.GetAndTouch(Key("k"), 19 * Second, 30 * Second, buffer, out ItemInfo info), Is.EqualTo(ItemRead.Hit));
        Assert.That((info.ExpiryTicks, info.IdleTicks / Second), Is.EqualTo((30 * Second, 9)));
        Assert.That(_store.Get("k", 30 * Second), Is.Null);
        Assert.That((_store.Counts.Expired, _store.Counts.Items), Is.EqualTo((1, 0)));
        Assert.That(_store.Store.Touch(Key("k"), 30 * Second, 40 * Second), Is.False);
    }

    [Test]
    public void ASweepDropsWhatNobodyAsksFor()
    {
        for (int i = 0; i < 1000; i++)
            _store.Set($"key {i}", Value(i, 100), new ItemWrite { ExpiryTicks = i % 2 == 0 ? Second : long.MaxValue });
        int dropped = 0;
        for (int call = 0; call < 21; call++) dropped += _store.Store.Sweep(2 * Second, 50);
        Assert.That((dropped, _store.Counts.Items, _store.Counts.Expired), Is.EqualTo((500, 500, 500)));
    }

    [Test]
    public void AFlushTakesAllThatIsThereAtItsTime()
    {
        _store.Set("early", Value(1, 100));
        _store.Store.FlushAll(Second, 5 * Second);
        _store.Set("meanwhile", Value(2, 100), now: 2 * Second);
        Assert.That(_store.Get("early", 4 * Second), Is.Not.Null);
        Assert.That(_store.Get("early", 5 * Second), Is.Null);
        Assert.That(_store.Set("late", Value(3, 100), now: 5 * Second), Is.EqualTo(ItemStatus.Done));
        Assert.That(_store.Get("meanwhile", 6 * Second), Is.Null);
        Assert.That(_store.Get("late", 6 * Second), Is.Not.Null);
        Assert.That(_store.Counts.Flushed, Is.EqualTo(2));
    }

    [Test]
    public void ManyFlushesBringNothingBack()
    {
        _store.Set("old", Value(1, 100));
        for (int i = 0; i < 256; i++) _store.Store.FlushAll(i, i);
        Assert.That(_store.Get("old", 1000), Is.Null);
    }

    [Test]
    public void AVanishedPageIsAMissAndLost([Values(100, 3000, 4096, 20_000)] int length)
    {
        _store.Set("k", Value(1, length));
        _store.Vanish(_store.FramesOf("k")[^1]);
        Assert.That(_store.Get("k"), Is.Null);
        Assert.That(
            (_store.Counts.Lost, _store.Counts.ChecksumFailures, _store.Counts.Misses, _store.Counts.Items),
            Is.EqualTo((1, 1, 1, 0)));
    }

    [Test]
    public void AnArrayIsReadInOneStepAndRenewsTheExpiry()
    {
        byte[] value = Value(1, 5000);
        _store.Set("key", value, new ItemWrite { ExpiryTicks = 10 });
        Assert.That(_store.Store.GetArrayAndRenew(Key("key"), 5, default(AHundredMore), out ItemInfo info), Is.EqualTo(value));
        Assert.That((info.Length, info.ExpiryTicks), Is.EqualTo((5000, 105L)));
        Assert.That(_store.Get("key", 50), Is.EqualTo(value), "it lives on");
        Assert.That(_store.Store.GetArrayAndRenew(Key("key"), 105, default(AHundredMore), out info), Is.Null);
        Assert.That((_store.Counts.Hits, _store.Counts.Misses, info), Is.EqualTo((2L, 1L, default(ItemInfo))));
    }

    [Test]
    public void AnArrayOfAVanishedValueIsAMiss()
    {
        _store.Set("key", Value(1, 3000));
        _store.Vanish(_store.FramesOf("key")[0]);
        Assert.That(_store.Store.GetArrayAndRenew(Key("key"), 0, default(AHundredMore), out _), Is.Null);
        Assert.That((_store.Counts.ChecksumFailures, _store.Counts.Misses, _store.Counts.Items), Is.EqualTo((1L, 1L, 0L)));
    }

    [Test]
    public void NothingIsAppendedToAVanishedValue()
    {
        _store.Set("k", Value(1, 1000));
        _store.Vanish(_store.FramesOf("k")[0]);
        Assert.That(_store.Set("k", Value(2, 10), new ItemWrite { Mode = ItemMode.Append }), Is.EqualTo(ItemStatus.NotStored));
        Assert.That(_store.Get("k"), Is.Null);
    }

    [Test]
    public void AWithdrawnFrameTakesItsItemsAlong()
    {
        for (int i = 0; i < 64; i++) _store.Set($"small {i}", Value(i, 120));
        _store.Set("split", Value(1, 3000));
        _store.Set("large", Value(2, 9000));
        foreach (string key in new[] { "small 3", "split", "large" })
        {
            FrameId frame = _store.FramesOf(key)[0];
            List<string> inside = _store.KeysIn(frame);
            Assert.That(_store.Store.Withdraw(frame), Is.EqualTo(inside.Count));
            Assert.That(inside.Select(name => _store.Get(name)), Is.All.Null);
            Assert.That(_store.Store.Withdraw(frame), Is.Zero, "it is out already");
            _store.Store.Validate();
            Assert.That(_store.Store.Return(frame), Is.True);
            Assert.That(_store.Store.Return(frame), Is.False);
        }

        Assert.That(_store.Counts.WithdrawnFrames, Is.Zero);
        Assert.That(_store.Counts.Withdrawn + _store.Counts.Items, Is.EqualTo(66));
        Assert.That(_store.Store.Withdraw(new FrameId(1_000_000)), Is.EqualTo(-1));
        Assert.That(_store.Store.Withdraw(FrameId.None), Is.EqualTo(-1));
    }

    [Test]
    public void AForgottenFrameIsOfUseAgain()
    {
        _store.Set("k", Value(1, 4096));
        FrameId frame = _store.FramesOf("k")[0];
        _store.Vanish(frame);
        Assert.That(_store.Store.Forget(frame), Is.EqualTo(1));
        Assert.That((_store.Counts.Lost, _store.Counts.UsedFrames), Is.EqualTo((1, 0)));
        _store.Set("k", Value(2, 4096));
        Assert.That(_store.FramesOf("k"), Is.EqualTo(new[] { frame }));
        Assert.That(_store.Store.Forget(new FrameId(1_000_000)), Is.EqualTo(-1));
        using ItemTestStore parts = new(16 << 20, shards: 4);
        for (int i = 0; i < 40; i++) parts.Set($"k{i}", Value(i, 4096));
        for (int i = 0; i < 40; i++) Assert.That(parts.Store.Forget(parts.FramesOf($"k{i}")[0]), Is.EqualTo(1), "in any shard");
    }

    [Test]
    public void TrimmedFramesComeFreeFirst()
    {
        for (int i = 0; i < 400; i++) _store.Set($"k{i}", Value(i, 4096));
        FrameId[] frames = new FrameId[100];
        Assert.That(_store.Store.Trim(frames), Is.EqualTo(100));
        Assert.That(frames.Distinct().Count(), Is.EqualTo(100));
        Assert.That(frames.SelectMany(_store.KeysIn), Is.Empty);
        Assert.That(_store.Counts.Items, Is.GreaterThanOrEqualTo(300));
        _store.Store.Validate();
        long bound = 100 * 4096;
        for (int i = 0; i < 2000; i++) _store.Set($"n{i}", Value(i, 4096));
        Assert.That(_store.Counts.UsedFrames * 4096, Is.LessThan((4 << 20) - bound), "the bound fell with them");
        foreach (FrameId frame in frames) Assert.That(_store.Store.Return(frame), Is.True);
    }

    [Test]
    public void TrimTakesEverythingWhenAsked()
    {
        for (int i = 0; i < 100; i++) _store.Set($"k{i}", Value(i, 50 * i));
        FrameId[] frames = new FrameId[5000];
        int count = _store.Store.Trim(frames);
        Assert.That((_store.Counts.Items - CountOfEmpty(), _store.Counts.UsedFrames), Is.EqualTo((0, 0)));
        Assert.That(count, Is.EqualTo(_store.Counts.WithdrawnFrames));

        long CountOfEmpty() => _store.Get("k0") is null ? 0 : 1;
    }

    [Test]
    public void AValueThatIsTooLargeRemovesTheOlderOne()
    {
        _store.Set("k", Value(1, 100));
        Assert.That(_store.Set("k", new byte[(64 << 10) + 1]), Is.EqualTo(ItemStatus.TooLarge));
        Assert.That(_store.Get("k"), Is.Null);
    }

    [Test]
    public void WithoutFramesThereIsNoRoom()
    {
        MemoryMeter meter = new();
        using PageMemory pages = new(20, 4096, meter);
        using ItemTestStore store = new(pages: pages);
        store.Set("k", Value(1, 100));
        Assert.That(store.Store.Trim(new FrameId[50]), Is.EqualTo(20));
        Assert.That(store.Set("k", Value(1, 100)), Is.EqualTo(ItemStatus.NoRoom));
        Assert.That(store.Set("empty", []), Is.EqualTo(ItemStatus.Done), "no bytes need no frame");
        Assert.That(store.Counts.Refused, Is.EqualTo(1));
        store.Store.Validate();
    }

    [Test]
    public void FramesBecomeMetadataWhenItemsBecomeSmall()
    {
        for (int i = 0; i < 2000; i++) _store.Set($"large {i}", Value(i, 4096), now: i * Second);
        Assert.That(_store.Counts.RetiredFrames, Is.LessThan(20));
        for (int i = 0; i < 30_000; i++) _store.Set($"small {i}", Value(i % 16, 100), now: (2000 + i) * Second);
        ItemStatistics counts = _store.Counts;
        TestContext.Out.WriteLine(counts);
        Assert.That(counts.RetiredFrames, Is.GreaterThan(100));
        Assert.That(_store.Meter.OutstandingBytes, Is.LessThanOrEqualTo(4 << 20));
        _store.Store.Validate();

        using ItemTestStore fresh = new();
        for (int i = 0; i < 30_000; i++) fresh.Set($"small {i}", Value(i % 16, 100), now: i * Second);
        Assert.That(counts.Items, Is.GreaterThan(fresh.Counts.Items * 9 / 10), "nearly as many as from the start");
        foreach (int i in new[] { 29_999, 29_000 }) Assert.That(_store.Get($"small {i}", 40_000 * Second), Is.Not.Null);
    }

    [Test]
    public void FramesFollowTheSizesThatAreInUse()
    {
        for (int i = 0; i < 4000; i++) _store.Set($"a{i}", Value(i % 16, 1000), now: i * Second);
        for (int i = 0; i < 4000; i++) _store.Set($"b{i}", Value(i % 16, 2000), now: (4000 + i) * Second);
        int old = Enumerable.Range(0, 4000).Count(i => _store.Store.TryPeek(Key($"a{i}"), 8000 * Second, out _));
        Assert.That(old, Is.LessThan(100), "items of a size that nobody stores any more have gone");
    }

    [Test]
    public void WhatIsReadStays()
    {
        for (int i = 0; i < 8000; i++)
        {
            _store.Set($"k{i}", Value(i % 16, 4000), now: i * Second);
            // Often enough: the store takes in a thousand before it comes by an item again.
            for (int hot = 0; hot < 100 && hot <= i && i % 100 == 99; hot++) _store.Get($"k{hot}", i * Second);
        }

        for (int hot = 0; hot < 100; hot++) Assert.That(_store.Get($"k{hot}", 8000 * Second), Is.Not.Null, $"k{hot}");
        Assert.That(_store.Counts.Evicted, Is.GreaterThan(5000));
    }

    [Test]
    public void ReadsAndWritesAllocateNothing()
    {
        byte[] key = Key("a key that is longer than a row");
        byte[] small = Value(1, 100);
        byte[] large = Value(2, 30_000);
        byte[] buffer = new byte[30_000];
        Round(0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 1; i < 2000; i++) Round(i);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Round(int i)
        {
            ItemWrite set = new() { ExpiryTicks = i + 10 };
            _store.Store.Store(key, i % 2 == 0 ? small : large, set, i, out _);
            _store.Store.Store(key, small, set with { Mode = ItemMode.Append }, i, out _);
            _store.Store.Get(key, i, buffer, out _);
            _store.Store.GetAndTouch(key, i, i + 5, buffer, out _);
            _store.Store.Touch(key, i, i + 7);
            _store.Store.Mark(key, i, ItemMarks.Won, ItemMarks.None, out _);
            _store.Store.Sweep(i, 10);
            _store.Store.Delete(key, i);
        }
    }

    [Test]
    public void ForeignPagesStayTheirOwners()
    {
        MemoryMeter meter = new();
        using (PageMemory pages = new(512, 4096, meter))
        {
            using (ItemTestStore store = new(pages: pages))
            {
                for (int i = 0; i < 1000; i++) store.Set($"k{i}", Value(i, 4096));
                Assert.That(store.Counts.UsedFrames, Is.EqualTo(512), "as many as there are");
                store.Store.Validate();
            }

            Assert.That(pages.Page(new FrameId(1)).Length, Is.EqualTo(4096));
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void OptionsSayWhatIsWrong()
    {
        Assert.Multiple(() =>
        {
            Complains(new() { CapacityBytes = 1 << 20, ShardCount = 3 }, "ShardCount is 3; make it a power of two");
            Complains(new() { CapacityBytes = 1 << 20, PageBytes = 5000 }, "PageBytes is 5000; make it a power of two");
            Complains(new() { CapacityBytes = 1 << 20, ValueBytesMax = 0 }, "ValueBytesMax is 0; make it 1 to");
            Complains(new() { CapacityBytes = 1 << 20 }, "CapacityBytes is 1048576; 8 shards with values up to 1048576 bytes need");
        });

        static void Complains(ItemStoreOptions options, string message) =>
            Assert.That(
                () => new ItemStore<SecondChanceItems>(options), Throws.ArgumentException.With.Message.Contains(message));
    }

    [Test]
    public void AfterDisposeEveryVerbSaysSo()
    {
        ItemTestStore store = new();
        store.Set("k", Value(1, 100));
        store.Dispose();
        Assert.That(() => store.Get("k"), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(() => store.Set("k", []), Throws.TypeOf<ObjectDisposedException>());
        Assert.That(store.Store.Withdraw(new FrameId(1)), Is.EqualTo(-1));
    }

    private readonly struct AHundredMore : IItemRenewal
    {
        public long ExpiryTicks(in ItemInfo info, long nowTicks) => nowTicks + 100;
    }
}
