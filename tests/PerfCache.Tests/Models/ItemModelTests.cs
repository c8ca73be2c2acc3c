// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Tests.Core.Items;
using static PerfCache.Tests.Core.Items.ItemTestStore;

namespace PerfCache.Tests.Models;

/// <summary>
/// Goal: the item store is a dictionary whose entries may vanish, and nothing but that. Method: seeded random verbs on
/// the store and on a naive twin, with time passing, frames withdrawn, returned, trimmed and forgotten, and pages
/// cleared behind the store's back. Where nothing has happened to an item both must answer the same, byte for byte;
/// where something has, the store may miss, but may never say anything else. All invariants are checked all the while.
/// </summary>
[TestFixture]
public sealed class ItemModelTests
{
    private static readonly int[] s_lengths = [0, 1, 90, 128, 300, 1025, 1400, 2049, 3000, 3600, 4096, 4097, 6200, 12_000];

    [TestCase(1, 1, 4096, 8 << 20, Description = "nothing is ever evicted: exact")]
    [TestCase(2, 4, 4096, 16 << 20, Description = "nothing is ever evicted: exact")]
    [TestCase(3, 2, 16_384, 16 << 20, Description = "larger pages")]
    [TestCase(4, 1, 4096, 0, Description = "the smallest store: evicts all the time")]
    [TestCase(5, 1, 4096, 0)]
    [TestCase(6, 2, 65_536, 0)]
    public void IsADictionaryWhoseEntriesMayVanish(int seed, int shards, int pageBytes, long capacity)
    {
        const int ValueMax = 24_000;
        bool evicts = capacity == 0;
        capacity = evicts
            ? new ItemStoreOptions
            {
                CapacityBytes = 1,
                ShardCount = shards,
                ValueBytesMax = ValueMax,
                PageBytes = pageBytes,
            }.CapacityBytesMin
            : capacity;
        using ItemTestStore store = new(capacity, shards, ValueMax, pageBytes);
        Run run = new(store, new NaiveItems(ValueMax), TestSeed.Random(seed), evicts);
        for (int step = 0; step < 8_000; step++)
        {
            run.Step(step);
            Assert.That(store.Meter.OutstandingBytes, Is.LessThanOrEqualTo(capacity), $"the bound, at step {step}");
            if (step % 16 == 0) store.Store.Validate();
        }

        store.Store.Validate();
        ItemStatistics counts = store.Counts;
        TestContext.Out.WriteLine(counts);
        Assert.Multiple(() =>
        {
            Assert.That(counts.Evicted, evicts ? Is.Positive : Is.Zero.Or.LessThan(counts.Stores / 2));
            Assert.That(counts.Hits, Is.GreaterThan(100));
            Assert.That(counts.Expired, Is.Positive);
            Assert.That(counts.Flushed, Is.Positive);
            Assert.That(counts.Withdrawn, Is.Positive);
            Assert.That(counts.ChecksumFailures, Is.Positive);
            Assert.That(counts.Lost, Is.GreaterThan(counts.ChecksumFailures));
        });
    }

    /// <summary>Both sides, the time, and the frames that are out.</summary>
    private sealed class Run(ItemTestStore store, NaiveItems twin, Random random, bool evicts)
    {
        private readonly List<FrameId> _out = [];
        private long _now = 1000 * Second;

        internal void Step(int step)
        {
            if (random.Next(4) == 0) _now += random.Next(1000) * (Second / 1000);
            twin.Pass(_now);
            string key = Name(random.Next(400));
            switch (random.Next(100))
            {
                case < 45:
                    Write(key, step);
                    break;
                case < 75:
                    Read(key);
                    break;
                case < 80:
                    Delete(key);
                    break;
                case < 85:
                    Touch(key);
                    break;
                case < 88:
                    store.Store.Sweep(_now, random.Next(50));
                    break;
                case < 91:
                    Clear();
                    break;
                case < 94:
                    Withdraw();
                    break;
                case < 97:
                    Return();
                    break;
                case < 98:
                    Forget();
                    break;
                case 98 when random.Next(4) == 0:
                    Trim();
                    break;
                case 99 when random.Next(4) == 0:
                    long at = _now + (random.Next(3) * Second);
                    store.Store.FlushAll(_now, at);
                    twin.Flush(_now, at);
                    break;
            }

            if (!evicts && store.Counts.Evicted == _evicted) return;
            // Anything may have gone to make room.
            _evicted = store.Counts.Evicted;
            foreach (NaiveItem item in twin.Items.Values) item.MayBeGone = true;
        }

        private long _evicted;

        private static string Name(int number) => number % 3 == 0 ? $"{number}" : $"{number}-{new string('k', number % 240)}";

        private void Write(string key, int step)
        {
            NaiveItem? known = Settle(key);
            int length = s_lengths[random.Next(s_lengths.Length)] + random.Next(3);
            if (random.Next(200) == 0) length = 24_001;
            ItemWrite write = new()
            {
                Mode = (ItemMode)Math.Max(0, random.Next(-5, 5)),
                Flags = (uint)step,
                ExpiryTicks = random.Next(3) == 0 ? _now + (random.Next(-1, 60) * Second) : long.MaxValue,
                ExpectedCas = random.Next(6) == 0 ? (known?.Cas ?? 1) + (ulong)random.Next(2) : 0,
                StaleIfOlder = random.Next(2) == 0,
            };
            byte[] value = Value(step, length);
            ItemStatus status = store.Store.Store(Key(key), value, write, _now, out ulong cas);
            if (status == ItemStatus.NoRoom)
            {
                Assert.That(_out, Is.Not.Empty, "room is wanting only when frames were taken");
                twin.Items.Remove(key);
                return;
            }

            Assert.That(twin.Store(key, value, write, out _), Is.EqualTo(status), $"{write} of {key}");
            if (status == ItemStatus.Done) twin.Items[key].Cas = cas;
            else Assert.That(cas, Is.Zero);
        }

        /// <summary>Reads an item of which it is not known whether it is there, so that both sides agree again.</summary>
        private NaiveItem? Settle(string key)
        {
            NaiveItem? item = twin.Items.GetValueOrDefault(key);
            if (item is { MayBeGone: true }) Read(key);
            return twin.Items.GetValueOrDefault(key);
        }

        private void Read(string key)
        {
            byte[]? value = store.Get(Key(key), _now, out ItemInfo info);
            NaiveItem? item = twin.Items.GetValueOrDefault(key);
            if (value is null && item is { MayBeGone: true })
            {
                twin.Items.Remove(key);
                return;
            }

            Assert.That(value, Is.EqualTo(item?.Value), $"the value of {key}");
            if (item is null) return;
            Assert.That(
                (info.Flags, info.ExpiryTicks, info.Cas, info.Marks),
                Is.EqualTo((item.Flags, item.ExpiryTicks, item.Cas, item.Marks)), $"the rest of {key}");
            item.Marks |= ItemMarks.Fetched;
            item.MayBeGone = false;
        }

        private void Delete(string key)
        {
            Settle(key);
            ItemStatus expected = twin.Items.Remove(key) ? ItemStatus.Done : ItemStatus.NotFound;
            Assert.That(store.Store.Delete(Key(key), _now), Is.EqualTo(expected));
        }

        private void Touch(string key)
        {
            NaiveItem? item = Settle(key);
            long expiry = _now + (random.Next(1, 60) * Second);
            Assert.That(store.Store.Touch(Key(key), _now, expiry), Is.EqualTo(item is not null));
            if (item is not null) item.ExpiryTicks = expiry;
        }

        private void Clear()
        {
            if (RandomFrame() is not { } frame) return;
            foreach (string key in store.KeysIn(frame).Where(twin.Items.ContainsKey)) twin.Items[key].MayBeGone = true;
            store.Vanish(frame);
        }

        private void Withdraw()
        {
            if (_out.Count > 40 || RandomFrame() is not { } frame || _out.Contains(frame)) return;
            Gone(frame, store.Store.Withdraw);
            // Its owner writes into it.
            store.Store.Pages.Page(frame).Fill(0xEE);
            _out.Add(frame);
        }

        private void Forget()
        {
            if (RandomFrame() is not { } frame || _out.Contains(frame)) return;
            Gone(frame, store.Store.Forget);
        }

        private void Gone(FrameId frame, Func<FrameId, int> verb)
        {
            List<string> inside = store.KeysIn(frame);
            Assert.That(verb(frame), Is.EqualTo(inside.Count), $"items in {frame}");
            foreach (string key in inside) twin.Items.Remove(key);
            Assert.That(store.KeysIn(frame), Is.Empty);
        }

        private void Return()
        {
            if (_out.Count == 0) return;
            FrameId frame = _out[random.Next(_out.Count)];
            Assert.That(store.Store.Return(frame), Is.True);
            _out.Remove(frame);
        }

        private void Trim()
        {
            FrameId[] taken = new FrameId[random.Next(1, 8)];
            int count = store.Store.Trim(taken);
            foreach (NaiveItem item in twin.Items.Values) item.MayBeGone = true;
            Assert.That(taken.Take(count).Intersect(_out), Is.Empty);
            _out.AddRange(taken.Take(count));
        }

        private FrameId? RandomFrame()
        {
            uint count = store.Store.Shards[0].Space.AllFrames.Count;
            return count == 0 ? null : new FrameId((uint)random.Next(1, (int)count + 1));
        }
    }
}
