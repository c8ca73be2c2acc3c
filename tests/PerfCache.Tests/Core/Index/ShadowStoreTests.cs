// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: the ring of a store is in the order in which its leaves and nodes entered, whichever leave. Method: a list of
/// the same leaves and nodes, at random; then damage to the ring, which validation must find.
/// </summary>
[TestFixture]
public sealed class ShadowStoreTests
{
    private MemoryMeter _meter = null!;
    private IndexBlocks _blocks = null!;
    private SparsePages _nodes = null!;
    private ShadowStore _store = null!;

    [SetUp]
    public void MakeStore()
    {
        _meter = new MemoryMeter();
        _blocks = new IndexBlocks(_meter);
        _nodes = new SparsePages(_blocks, _meter);
        _store = new ShadowStore(_blocks, _nodes);
    }

    [TearDown]
    public void NothingIsOut()
    {
        _nodes.Dispose();
        _blocks.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    [TestCase(81)]
    [TestCase(82)]
    public void TheOldestIsFirst(int seed)
    {
        Random random = TestSeed.Random(seed);
        List<uint> model = [];
        List<uint> away = [.. Enumerable.Range(0, 40).Select(i => i % 2 == 0 ? Leaf() : Node((ulong)i))];
        for (int step = 0; step < 5000; step++)
        {
            if (away.Count > 0 && random.Next(away.Count + model.Count) < away.Count)
            {
                uint item = away[random.Next(away.Count)];
                away.Remove(item);
                model.Add(item);
                if (IsNode(item)) _store.EnterNode(item);
                else _store.Enter(item / 64);
            }
            else
            {
                uint item = random.Next(2) == 0 ? model[0] : model[random.Next(model.Count)];
                model.Remove(item);
                away.Add(item);
                if (IsNode(item)) _store.LeaveNode(item);
                else _store.Leave(item / 64);
            }

            Assert.That(_store.Oldest, Is.EqualTo(model.FirstOrDefault()), $"step {step}");
            Assert.That(_store.LeafCount, Is.EqualTo(model.Count));
            Assert.That(_store.NativeBytes, Is.EqualTo(model.Sum(item => IsNode(item) ? 32 : 276)));
            _store.Validate();
        }
    }

    [Test]
    public void DamageIsFound()
    {
        uint first = Leaf();
        uint second = Leaf();
        uint node = Node(7);
        _store.Enter(first / 64);
        _store.Enter(second / 64);
        _store.EnterNode(node);
        _store.Validate();

        Damage(
            ref _blocks.Link(second / 64).Previous, 0, $"the Previous of the slot at {second} to be {first}, found 0");
        Damage(
            ref _nodes.Link(node).Previous, first, $"the Previous of the slot at {node} to be {second}, found {first}");
        Damage(ref _blocks.Counts(first / 64).Packed, BlockCounts.OneShadow + BlockCounts.OneUsed,
            $"shadows and no frames, found {first}");
        Damage(
            ref _blocks.Slot(node), SlotEntry.ForFrame(new FrameId(1)).Packed, $"shadows and no frames, found {node}");
        Damage(ref _nodes.Link(node).Next, first, $"the Previous of the slot at {first} to be {node}, found 0");
        Damage(ref _blocks.Link(second / 64).Next, 0, "3 leaves and nodes, found 2");
    }

    /// <summary>The ring has as many nodes as the store counts: it reckons their memory by that.</summary>
    [Test]
    public void ALeafThatBecameANodeIsFound()
    {
        uint leaf = Leaf();
        _store.Enter(leaf / 64);
        _blocks.Slot(leaf) = SlotEntry.ShadowTag;
        Damage(ref _blocks.Counts(leaf / 64).Packed, BlockCounts.OfNodes, "0 nodes, found 1");
    }

    private uint Leaf()
    {
        uint block = _blocks.Allocate();
        _blocks.Counts(block).Packed = BlockCounts.OneShadow;
        return block * 64;
    }

    private uint Node(ulong key)
    {
        uint node = _nodes.Add(new PageKey(key));
        _blocks.Slot(node) = SlotEntry.ShadowTag;
        return node;
    }

    private bool IsNode(uint item) => BlockCounts.AreOfNodes(_blocks.Counts(item / 64).Packed);

    private void Damage(ref uint word, uint damaged, string message)
    {
        uint whole = word;
        word = damaged;
        InvariantException found = Assert.Throws<InvariantException>(_store.Validate)!;
        Assert.That(found.Message, Does.StartWith("ShadowStore: expected S1: " + message));
        word = whole;
        _store.Validate();
    }
}
