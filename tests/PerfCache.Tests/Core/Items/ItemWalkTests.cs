// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Text;
using PerfCache.Frames;
using PerfCache.Items;
using static PerfCache.Tests.Core.Items.ItemTestStore;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: a walk meets every item once, a prefix removes what begins with it, and an expiry is renewed from what the item
/// says. Method: examples, and a walk during which the items change.
/// </summary>
[TestFixture]
public sealed class ItemWalkTests
{
    private readonly byte[] _key = new byte[ItemStoreOptions.KeyBytesMax];
    private readonly byte[] _value = new byte[64 << 10];

    [Test]
    public void AWalkMeetsEveryItemOnceWithAllThatIsKnownOfIt([Values(1, 4)] int shards)
    {
        using ItemTestStore store = new(16 << 20, shards);
        for (int i = 0; i < 2000; i++)
            store.Set($"key {i}", Value(i, i * 5), new ItemWrite { Flags = (uint)i, ExpiryTicks = 1000 + (i % 2), NewCas = 5 });
        Dictionary<string, ItemInfo> met = Walk(store, now: 1000);
        Assert.That(met, Has.Count.EqualTo(1000), "the others are expired");
        for (int i = 1; i < 2000; i += 2)
        {
            ItemInfo info = met[$"key {i}"];
            Assert.That((info.Length, info.Flags, info.ExpiryTicks, info.Cas), Is.EqualTo((i * 5, (uint)i, 1001L, 5ul)));
            Assert.That(info.Marks, Is.EqualTo(ItemMarks.None));
        }

        Assert.That((store.Counts.Hits, store.Counts.Misses), Is.EqualTo((0, 0)), "a walk is no read");
        store.Store.Validate();
    }

    [Test]
    public void AWalkThroughChangesMeetsWhatStaysExactlyOnce()
    {
        using ItemTestStore store = new(16 << 20, shards: 2);
        Random random = TestSeed.Random(7);
        for (int i = 0; i < 600; i++) store.Set($"stays {i}", Value(i, random.Next(6000)));
        for (int i = 0; i < 600; i++) store.Set($"moves {i}", Value(i, random.Next(6000)));
        List<string> met = [];
        ItemWalk walk = default;
        while (store.Store.TryReadNext(ref walk, 0, _key, _value, out int keyLength, out ItemInfo info))
        {
            string key = Encoding.ASCII.GetString(_key, 0, keyLength);
            met.Add(key);
            if (key.StartsWith("stays", StringComparison.Ordinal))
            {
                int number = int.Parse(key[6..], CultureInfo.InvariantCulture);
                Assert.That(_value.AsSpan(0, info.Length).SequenceEqual(Value(number, info.Length)), key);
            }

            string moved = $"moves {random.Next(600)}";
            if (random.Next(2) == 0) store.Set(moved, Value(1, random.Next(6000)));
            else store.Store.Delete(Key(moved), 0);
        }

        Assert.That(
            met.Where(key => key.StartsWith("stays", StringComparison.Ordinal)).Order(),
            Is.EqualTo(Enumerable.Range(0, 600).Select(i => $"stays {i}").Order()));
        store.Store.Validate();
    }

    [Test]
    public void AWalkPassesOverAnItemWhosePageVanished()
    {
        using ItemTestStore store = new();
        store.Set("whole", Value(1, 4096));
        store.Set("vanished", Value(2, 4096));
        foreach (FrameId frame in store.FramesOf("vanished")) store.Vanish(frame);
        Assert.That(Walk(store, now: 0).Keys, Is.EqualTo(new[] { "whole" }));
        Assert.That(store.Counts.Lost, Is.EqualTo(1));
    }

    [Test]
    public void AWalkWantsRoomForAnything()
    {
        using ItemTestStore store = new();
        ItemWalk walk = default;
        Assert.That(
            () => store.Store.TryReadNext(ref walk, 0, new byte[249], _value, out _, out _),
            Throws.ArgumentException.With.Message.Contains("room for any key: 250"));
        Assert.That(
            () => store.Store.TryReadNext(ref walk, 0, _key, new byte[100], out _, out _),
            Throws.ArgumentException.With.Message.Contains("room for any value: 65536"));
    }

    [Test]
    public void APrefixRemovesWhatBeginsWithItAndNothingElse()
    {
        using ItemTestStore store = new(16 << 20, shards: 4);
        string longPrefix = new('p', 100);
        for (int i = 0; i < 500; i++)
        {
            store.Set($"a{i}", Value(i, 50));
            store.Set($"{longPrefix}{i}", Value(i, 5000));
        }

        store.Set("expired", Value(1, 10), new ItemWrite { ExpiryTicks = 5 });
        Assert.That(store.Store.RemoveByPrefix(Key("e"), 10), Is.Zero, "its time was over");
        Assert.That(store.Store.RemoveByPrefix(Key(longPrefix), 10), Is.EqualTo(500));
        Assert.That(store.Store.RemoveByPrefix(Key("a1"), 10), Is.EqualTo(111));
        Assert.That(store.Counts.Items, Is.EqualTo(389));
        Assert.That(store.Get("a2", 10), Is.EqualTo(Value(2, 50)));
        store.Store.Validate();
        Assert.That(store.Store.RemoveByPrefix([], 10), Is.EqualTo(389));
        store.Store.Validate();
    }

    [Test]
    public void AnExpiryIsRenewedFromWhatTheItemSays()
    {
        using ItemTestStore store = new();
        store.Set("key", Value(1, 100), new ItemWrite { Flags = 7, ExpiryTicks = 50 });
        Assert.That(store.Store.Renew(Key("key"), 10, default(FlagsLater)), Is.True);
        Assert.That(store.Store.TryPeek(Key("key"), 16, out ItemInfo info) ? info.ExpiryTicks : 0, Is.EqualTo(17));
        ItemRead read = store.Store.GetAndRenew(Key("key"), 16, default(FlagsLater), _value, out info);
        Assert.That((read, info.ExpiryTicks), Is.EqualTo((ItemRead.Hit, 23L)));
        Assert.That(store.Get("key", 22), Is.Not.Null);
        Assert.That(store.Get("key", 23), Is.Null);
        Assert.That(store.Store.Renew(Key("key"), 23, default(FlagsLater)), Is.False);
    }

    private Dictionary<string, ItemInfo> Walk(ItemTestStore store, long now)
    {
        Dictionary<string, ItemInfo> met = [];
        ItemWalk walk = default;
        while (store.Store.TryReadNext(ref walk, now, _key, _value, out int keyLength, out ItemInfo info))
            met.Add(Encoding.ASCII.GetString(_key, 0, keyLength), info);
        return met;
    }

    private readonly struct FlagsLater : IItemRenewal
    {
        public long ExpiryTicks(in ItemInfo info, long nowTicks) => nowTicks + info.Flags;
    }
}
