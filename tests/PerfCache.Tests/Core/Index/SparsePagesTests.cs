// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: nodes of sparse pages are found exactly while they are in the table, however it grows. Method: the same keys in a
/// dictionary; keys of every shape that could fall into few buckets; readers without the lock beside a writer.
/// </summary>
[TestFixture]
public sealed class SparsePagesTests
{
    private MemoryMeter _meter = null!;
    private IndexBlocks _blocks = null!;
    private SparsePages _nodes = null!;

    [SetUp]
    public void MakeTable()
    {
        _meter = new MemoryMeter();
        _blocks = new IndexBlocks(_meter);
        _nodes = new SparsePages(_blocks, _meter);
    }

    [TearDown]
    public void NothingIsOut()
    {
        _nodes.Dispose();
        _blocks.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void BehavesLikeADictionary([Values(1, 2, 3)] int seed, [Values(50, 3000, 40_000)] int size)
    {
        Random random = TestSeed.Random(seed);
        Dictionary<ulong, uint> model = [];
        List<ulong> keys = [];
        for (int step = 0; step < 3 * size; step++)
        {
            ulong key = new PageKey(new ObjectId((uint)random.Next(3)), (ulong)random.NextInt64(size) << random.Next(20)).Packed;
            bool isIn = model.TryGetValue(key, out uint expected);
            uint found = _nodes.Find(new PageKey(key));
            Assert.That(found, Is.EqualTo(isIn ? expected : 0), $"step {step}");
            Assert.That(_nodes.FindShared(new PageKey(key)), Is.EqualTo(found));
            if (!isIn && model.Count < size) Add(model, keys, key);
            else if (keys.Count > 0 && random.Next(3) > 0) RemoveAny(model, keys, random);
        }

        Assert.That(_nodes.Count, Is.EqualTo(model.Count));
        _nodes.Validate();
        Assert.That(_nodes.InOrder(new PageKey(0), new PageKey(ulong.MaxValue)).Select(pair => (pair.Key, pair.Address)),
            Is.EqualTo(model.OrderBy(pair => pair.Key).Select(pair => (pair.Key, pair.Value))));
    }

    [Test]
    public void ARangeIsInOrderHoweverItIsFound()
    {
        Dictionary<ulong, uint> model = [];
        for (ulong i = 0; i < 500; i++) Add(model, [], (i * 7919) % 1000);
        foreach ((ulong first, ulong last) in new[] { (0UL, 3UL), (100UL, 450UL), (0UL, 2000UL), (999UL, 999UL), (5000UL, 9000UL) })
        {
            Assert.That(_nodes.InOrder(new PageKey(first), new PageKey(last)).Select(pair => pair.Key),
                Is.EqualTo(model.Keys.Where(key => key >= first && key <= last).Order()), $"{first} to {last}");
        }
    }

    /// <summary>Ranges about as long as the table has nodes, where it may be searched either way.</summary>
    [Test]
    public void ARangeEndsWhereItShould([Values(1, 2, 63, 64, 65, 1000)] int length)
    {
        Dictionary<ulong, uint> model = [];
        for (ulong i = 0; i < 64; i++) Add(model, [], 10_000 + (i * 2));
        for (ulong first = 9_990; first < 10_140; first += 3)
        {
            ulong last = first + (ulong)length - 1;
            IEnumerable<KeyValuePair<ulong, uint>> within = model.Where(pair => pair.Key >= first && pair.Key <= last);
            Assert.That(_nodes.InOrder(new PageKey(first), new PageKey(last)),
                Is.EqualTo(within.Select(pair => (pair.Key, pair.Value))));
        }

        Assert.That(_nodes.InOrder(new PageKey(ulong.MaxValue - 2), new PageKey(ulong.MaxValue)), Is.Empty);
    }

    /// <summary>Keys as programs number things: neighbours, strides of powers of two, high bits alone.</summary>
    [Test]
    public void NoUsualPatternMakesLongChains()
    {
        Func<ulong, ulong>[] patterns =
        [
            i => i, i => i << 6, i => i << 12, i => i << 20, i => i << 30, i => i << 40, i => (i << 40) | (i * 3),
            i => i * 1_000_003, i => (i << 24) | (i & 0xFF),
        ];
        foreach (Func<ulong, ulong> pattern in patterns)
        {
            Dictionary<ulong, uint> model = [];
            for (ulong i = 0; i < 4096; i++) if (!model.ContainsKey(pattern(i))) Add(model, [], pattern(i));
            // A reader without the lock looks at 64 nodes at most: what it cannot find costs a lock, on every hit.
            int found = model.Keys.Count(key => _nodes.FindShared(new PageKey(key)) == model[key]);
            Assert.That(found, Is.EqualTo(model.Count), $"pattern with {pattern(1)}, {pattern(2)}, ...");
            foreach ((ulong _, uint node) in model) Remove(node);
        }
    }

    /// <summary>What a reader finds for a page that stays is its node or nothing, while all around it come and go; once
    /// the writer rests it is found. A node that was found has had the key.</summary>
    [Test]
    public void ReadersWithoutTheLockFindTheRightNodeOrNothing()
    {
        const int Stayers = 1000;
        Dictionary<ulong, uint> stay = [];
        for (ulong i = 0; i < Stayers; i++) Add(stay, [], i << 13);
        using CancellationTokenSource stop = new();
        long found = 0;
        long wrong = 0;
        Thread[] readers = new Thread[2];
        for (int r = 0; r < readers.Length; r++)
        {
            int seed = r;
            readers[r] = new Thread(() =>
            {
                Random random = TestSeed.Random(seed);
                while (!stop.IsCancellationRequested)
                {
                    ulong key = (ulong)random.Next(Stayers) << 13;
                    uint node = _nodes.FindShared(new PageKey(key));
                    if (node == stay[key]) Interlocked.Increment(ref found);
                    else if (node != 0) Interlocked.Increment(ref wrong);
                }
            });
            readers[r].Start();
        }

        Random writer = TestSeed.Random(99);
        Dictionary<ulong, uint> others = [];
        List<ulong> keys = [];
        for (int step = 0; step < 300_000; step++)
        {
            if (others.Count < 20_000 && writer.Next(5) < 3)
            {
                ulong key = (ulong)writer.NextInt64(1L << 30) | 1;
                if (!others.ContainsKey(key)) Add(others, keys, key);
            }
            else if (keys.Count > 0)
            {
                RemoveAny(others, keys, writer);
            }
        }

        stop.Cancel();
        foreach (Thread reader in readers) Assert.That(reader.Join(TimeSpan.FromSeconds(30)), "a reader ends");
        Assert.That(wrong, Is.Zero);
        Assert.That(found, Is.Positive);
        foreach ((ulong key, uint node) in stay) Assert.That(_nodes.FindShared(new PageKey(key)), Is.EqualTo(node));
        _nodes.Validate();
    }

    /// <summary>A chain that is too long makes a reader without the lock give up, and nobody else. Method: keys of the same
    /// bucket are found by looking whose node comes next; the table has grown before, so it does not grow meanwhile.
    /// </summary>
    [Test]
    public void AReaderWithoutTheLockLooksAt64Nodes()
    {
        Dictionary<ulong, uint> fillers = [];
        for (ulong key = 1000; key < 1300; key++) Add(fillers, [], key);
        foreach (uint node in fillers.Values) Remove(node);
        Assert.That(_nodes.Count, Is.Zero);
        Dictionary<ulong, uint> chain = [];
        List<ulong> keys = [];
        Add(chain, keys, 5);
        for (ulong key = 2000; keys.Count < 66; key++)
        {
            Dictionary<ulong, uint> one = [];
            Add(one, [], key);
            if (Next(one[key]) != chain[keys[^1]])
            {
                Remove(one[key]);
                continue;
            }

            chain.Add(key, one[key]);
            keys.Add(key);
        }

        keys.Reverse();
        for (int place = 0; place < keys.Count; place++)
        {
            PageKey key = new(keys[place]);
            Assert.That(_nodes.Find(key), Is.EqualTo(chain[key.Packed]));
            Assert.That(_nodes.FindShared(key), Is.EqualTo(place < 64 ? chain[key.Packed] : 0), $"place {place}");
        }

        // Any of a chain can go: its first, its last, and one between.
        foreach (int place in new[] { 65, 30, 0 })
        {
            Remove(chain[keys[place]]);
            keys.RemoveAt(place);
            _nodes.Validate();
            foreach (ulong key in keys) Assert.That(_nodes.Find(new PageKey(key)), Is.EqualTo(chain[key]));
        }
    }

    [Test]
    public void AnEmptyTableFindsNothingAndTakesNoMemory()
    {
        Assert.That((_nodes.Find(new PageKey(0)), _nodes.FindShared(new PageKey(0))), Is.EqualTo((0u, 0u)));
        Assert.That(_nodes.InOrder(new PageKey(0), new PageKey(ulong.MaxValue)), Is.Empty);
        Assert.That((_nodes.BucketBytes, _nodes.NodeBlockCount), Is.EqualTo((0L, 0u)));
        _nodes.Validate();
    }

    /// <summary>Eight nodes a block, all used before another block is cut, and used again in any order.</summary>
    [Test]
    public void ABlockHasEightNodes()
    {
        HashSet<uint> nodes = [];
        for (ulong key = 0; key < 800; key++)
        {
            Assert.That(_nodes.NodeBlockCount, Is.EqualTo((key + 7) / 8));
            Dictionary<ulong, uint> one = [];
            Add(one, [], key << 9);
            Assert.That(nodes.Add(one[key << 9]) && one[key << 9] % 8 == 0, Is.True);
            Assert.That(_blocks.Counts(one[key << 9] / 64).Packed, Is.EqualTo(BlockCounts.OfNodes));
        }

        Assert.That((_blocks.Count, _nodes.Count), Is.EqualTo((100u, 800u)));
        Assert.That(_nodes.BucketBytes, Is.GreaterThanOrEqualTo(800 * 4), "about a bucket a node");
        Assert.That(_nodes.BucketBytes + _blocks.NativeBytes, Is.EqualTo(_meter.OutstandingBytes));
        foreach (uint node in nodes) Remove(node);
        for (ulong key = 0; key < 800; key++) Add([], [], key * 7777);
        Assert.That(_nodes.NodeBlockCount, Is.EqualTo(100));
        _nodes.Validate();
    }

    /// <summary>Validate finds each kind of damage, and says where.</summary>
    [Test]
    public void DamageIsFound()
    {
        Dictionary<ulong, uint> model = [];
        for (ulong key = 0; key < 100; key++) Add(model, [], key);
        Remove(model[99]);
        uint free = model[99];
        uint front = model.Values.First(node => node != free && Next(node) != 0);
        uint back = Next(front);
        _nodes.Validate();
        Damage(ref _blocks.Slot(front), 0, $"N1: a frame or a shadow, found {front}");
        Damage(ref Next(front), 0, "N2: 99 nodes in chains, found 9");
        Damage(ref Next(back), front, "N1: 99 nodes in chains, found 100");
        Damage(ref _blocks.Slot(free), 5, $"N2: a free node without entry, found {free}");
        Damage(ref Next(free), 0, "N2: 104 nodes in all, found 100");
        // Of the keys that it could have, most belong to other buckets.
        ulong own = _nodes.Key(front);
        int wrong = 0;
        for (ulong key = 1000; key < 1100; key++)
        {
            _nodes.Key(front) = key;
            if (Damage()?.Contains($"N1: a node in the chain of its bucket, found {front}") == true) wrong++;
        }

        Assert.That(wrong, Is.GreaterThan(90));
        _nodes.Key(front) = own;
        _nodes.Validate();
    }

    private ref uint Next(uint node) => ref _blocks.Slot(node + 1);

    private void Damage(ref uint word, uint damaged, string message)
    {
        uint whole = word;
        word = damaged;
        Assert.That(Damage(), Does.StartWith("SparsePages: expected " + message));
        word = whole;
        _nodes.Validate();
    }

    /// <summary>What Validate complains of, or null.</summary>
    private string? Damage()
    {
        try
        {
            _nodes.Validate();
            return null;
        }
        catch (InvariantException found)
        {
            return found.Message;
        }
    }

    private void Add(Dictionary<ulong, uint> model, List<ulong> keys, ulong key)
    {
        uint node = _nodes.Add(new PageKey(key));
        // As the index does at once: a node in use has an entry.
        _blocks.Slot(node) = SlotEntry.ForFrame(new FrameId(1)).Packed;
        model.Add(key, node);
        keys.Add(key);
    }

    private void RemoveAny(Dictionary<ulong, uint> model, List<ulong> keys, Random random)
    {
        int i = random.Next(keys.Count);
        ulong key = keys[i];
        keys[i] = keys[^1];
        keys.RemoveAt(keys.Count - 1);
        model.Remove(key, out uint node);
        Remove(node);
    }

    private void Remove(uint node)
    {
        _blocks.Slot(node) = 0;
        _nodes.Remove(node);
    }
}
