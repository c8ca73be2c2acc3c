// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using PerfCache.Items;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: each row is found by its key, there are as many buckets as items, and what the index costs is what it takes from
/// the budget. Method: the index alone, with hashes that the test chooses, so that it knows which rows share a bucket; and
/// a naive twin for keys whose hashes collide.
/// </summary>
[TestFixture]
internal sealed class ItemIndexTests
{
    private readonly MemoryMeter _meter = new();
    private readonly byte[] _key = new byte[4];
    private ItemRows _rows = null!;
    private ItemBudget _budget = null!;
    private ItemIndex _index = null!;

    [SetUp]
    public void Make() => Make(32L << 20);

    [TearDown]
    public void ValidateAndFree()
    {
        _index.Validate();
        Assert.That(_budget.UsedBytes, Is.EqualTo(_index.NativeBytes));
        _index.Dispose();
        _rows.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void ThereIsABucketForEachItem()
    {
        // With hashes 0, 1, 2 and so on every item has a bucket of its own, at each size on the way.
        uint[] rows = new uint[3000];
        for (uint i = 0; i < rows.Length; i++)
        {
            rows[i] = Add(i, i);
            if (i % 97 != 0) continue;
            for (uint other = 0; other <= i; other++)
                Assert.That(_rows.Heads[rows[other]].NextInBucket, Is.Zero, $"item {other} of {i + 1}");
        }

        Assert.That(_index.Count, Is.EqualTo(3000));
        for (uint i = 0; i < rows.Length; i++) Assert.That(Find(i, i), Is.EqualTo(rows[i]));
    }

    [Test]
    public void TheFirst64ItemsHave64Buckets()
    {
        uint first = Add(0, 0);
        uint other = Add(32, 32);
        Assert.That(
            (_rows.Heads[first].NextInBucket, _rows.Heads[other].NextInBucket), Is.EqualTo((0u, 0u)), "from the first item on");
        for (uint i = 1; i < 63; i++)
        {
            if (i != 32) Add(i, i);
        }

        uint second = Add(64, 64);
        Assert.That(_rows.Heads[second].NextInBucket, Is.EqualTo(first), "64 is 0 for 64 buckets");
        Add(63, 63);
        Assert.That(
            (_rows.Heads[second].NextInBucket, _rows.Heads[first].NextInBucket), Is.EqualTo((0u, 0u)), "the 65th parts them");
        _index.Remove(first);
        Assert.That((Find(0, 0), Find(64, 64), _index.Count), Is.EqualTo((0u, second, 64u)));
    }

    [Test]
    public void TheArrayGrowsWhenItIsFull()
    {
        for (uint i = 0; i < 1024; i++) Add(i, i);
        Assert.That(_index.NativeBytes, Is.EqualTo(4096));
        Add(1024, 1024);
        Assert.That((_index.NativeBytes, _budget.UsedBytes), Is.EqualTo((8192L, 8192L)));
    }

    [Test]
    public void WithoutMemoryTheChainsBecomeLonger([Values] bool byBudget)
    {
        if (byBudget)
        {
            _index.Dispose();
            _rows.Dispose();
            Make(8191);
        }

        for (uint i = 0; i < 1024; i++) Add(i, i);
        using (byBudget ? null : new MemoryFaults(1))
        {
            uint row = Add(1024, 1024);
            Assert.That((Find(0, 0), Find(1024, 1024)), Is.EqualTo((1u, row)));
            Assert.That(_rows.Heads[row].NextInBucket, Is.EqualTo(1u), "there are 1024 buckets still");
        }

        Assert.That(_index.NativeBytes, Is.EqualTo(4096));
        _index.Validate();
        for (uint i = 1025; i < 2000; i++) Add(i, i);
        Assert.That(_index.NativeBytes, Is.EqualTo(byBudget ? 4096 : 8192), "it is tried again");
        for (uint i = 0; i < 2000; i++) Assert.That(Find(i, i), Is.Not.Zero);
    }

    [Test]
    public void KeysWhoseHashesCollideAreToldApart()
    {
        // Against a dictionary: few hashes for many keys, added and removed in any order.
        Dictionary<uint, uint> twin = [];
        Random random = TestSeed.Random(5);
        for (int step = 0; step < 6000; step++)
        {
            uint key = (uint)random.Next(400);
            uint hash = key % 3 == 0 ? 7 : key * 0x9E37_79B9;
            Assert.That(Find(hash, key), Is.EqualTo(twin.GetValueOrDefault(key)), $"step {step}");
            if (twin.Remove(key, out uint row))
            {
                _index.Remove(row);
                Assert.That(_rows.Heads[row].NextInBucket, Is.Zero);
                _rows.FreeRow(row);
            }
            else
            {
                twin.Add(key, Add(hash, key));
            }

            Assert.That(_index.Count, Is.EqualTo((uint)twin.Count));
            if (step % 500 == 0) _index.Validate();
        }
    }

    [Test]
    public void AKeyOfAnotherHashIsAnotherItem()
    {
        uint row = Add(5, 1);
        Assert.That((Find(5, 1), Find(5, 2), Find(5 + 64, 1)), Is.EqualTo((row, 0u, 0u)));
    }

    private void Make(long indexBytes)
    {
        _rows = new ItemRows(new ItemBudget(32L << 20), _meter);
        _budget = new ItemBudget(indexBytes);
        _index = new ItemIndex(_rows, _budget, _meter);
    }

    private uint Add(uint hash, uint key)
    {
        if (_rows.FreeRows == 0) Assert.That(_rows.TryGrowRows(), Is.True);
        uint row = _rows.AllocateRow();
        BinaryPrimitives.WriteUInt32LittleEndian(_key, key);
        _rows.SetKey(row, _key);
        _rows.Heads[row].Marks = RowMarks.Live;
        _rows.Heads[row].Hash = hash;
        _index.Add(row);
        return row;
    }

    private uint Find(uint hash, uint key)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_key, key);
        return _index.Find(hash, _key);
    }
}
