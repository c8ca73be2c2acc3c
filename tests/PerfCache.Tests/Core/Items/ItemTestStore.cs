// SPDX-License-Identifier: MIT
using System.Text;
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Items;

namespace PerfCache.Tests.Core.Items;

/// <summary>A store of its own meter with the shorthand that tests want, and eyes for which key lies in which frame.</summary>
internal sealed class ItemTestStore : IDisposable
{
    internal const long Second = TimeSpan.TicksPerSecond;

    private readonly byte[] _buffer;

    internal ItemTestStore(
        long capacityBytes = 4 << 20, int shards = 1, int valueBytesMax = 64 << 10, int pageBytes = 4096, PageMemory? pages = null)
    {
        Meter = new MemoryMeter();
        ItemStoreOptions options = new()
        {
            CapacityBytes = capacityBytes,
            ShardCount = shards,
            ValueBytesMax = valueBytesMax,
            PageBytes = pageBytes,
            HashSeed = 1,
        };
        Store = new ItemStore<SecondChanceItems>(options, meter: Meter, pages: pages);
        _buffer = new byte[valueBytesMax];
    }

    internal ItemStore<SecondChanceItems> Store { get; }

    internal MemoryMeter Meter { get; }

    internal ItemStatistics Counts => Store.Statistics;

    internal static byte[] Key(string key) => Encoding.ASCII.GetBytes(key);

    /// <summary>A value that depends on the number and tells every place in it apart.</summary>
    internal static byte[] Value(int number, int length)
    {
        byte[] value = new byte[length];
        new Random(number).NextBytes(value);
        return value;
    }

    internal ItemStatus Set(string key, byte[] value, ItemWrite? write = null, long now = 0) =>
        Store.Store(Key(key), value, write ?? new ItemWrite(), now, out _);

    internal ulong Cas(string key, long now = 0) => Store.TryPeek(Key(key), now, out ItemInfo info) ? info.Cas : 0;

    /// <summary>The value, or null.</summary>
    internal byte[]? Get(string key, long now = 0) => Get(Key(key), now, out _);

    internal byte[]? Get(byte[] key, long now, out ItemInfo info) =>
        Store.Get(key, now, _buffer, out info) == ItemRead.Hit ? _buffer[..info.Length] : null;

    /// <summary>What the kernel does to a lent page.</summary>
    internal void Vanish(FrameId frame) => Store.Pages.Page(frame).Clear();

    /// <summary>The frames in which the item has bytes.</summary>
    internal List<FrameId> FramesOf(string key) =>
        [.. FramesOfAll().Where(pair => pair.Key == key).Select(pair => pair.Frame).Distinct()];

    internal List<string> KeysIn(FrameId frame) =>
        [.. FramesOfAll().Where(pair => pair.Frame == frame).Select(pair => pair.Key).Distinct()];

    public void Dispose()
    {
        Store.Dispose();
        Assert.That(Meter.OutstandingBytes, Is.Zero, "native bytes out after dispose");
    }

    private List<(string Key, FrameId Frame)> FramesOfAll()
    {
        List<(string, FrameId)> found = [];
        byte[] bytes = new byte[ItemStoreOptions.KeyBytesMax];
        foreach (ItemShard<SecondChanceItems> shard in Store.Shards)
        {
            ItemSpace space = shard.Space;
            for (uint row = 1; row < space.Rows.RowEnd; row++)
            {
                ItemHead head = space.Rows.Heads[row];
                if (!head.Has(RowMarks.Live)) continue;
                string key = Encoding.ASCII.GetString(bytes, 0, space.Rows.CopyKey(row, bytes));
                if (head.Place != 0) found.Add((key, new FrameId(space.Frames.FrameOf(head.Place))));
                uint chain = head.Rest;
                if (head.Has(RowMarks.Split))
                {
                    ItemHead rest = space.Rows.Heads[head.Rest];
                    found.Add((key, new FrameId(space.Frames.FrameOf(rest.Place))));
                    chain = rest.Rest;
                }

                for (; chain != 0; chain = space.AllFrames.Rows[chain].Next) found.Add((key, new FrameId(chain)));
            }
        }

        return found;
    }
}
