// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: blocks are handed out empty, each once, and what is freed is used again before memory grows. Method: a list of
/// the blocks in use, each marked by its own number.
/// </summary>
[TestFixture]
public sealed class IndexBlocksTests
{
    private MemoryMeter _meter = null!;
    private IndexBlocks _blocks = null!;

    [SetUp]
    public void MakeBlocks()
    {
        _meter = new MemoryMeter();
        _blocks = new IndexBlocks(_meter);
    }

    [TearDown]
    public void NothingIsOut()
    {
        _blocks.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }

    /// <summary>More blocks than a growth step of a column, each with counts and a key of its own.</summary>
    [Test]
    public void EveryBlockIsHandedOutOnceAndEmpty()
    {
        Random random = TestSeed.Random(61);
        List<uint> inUse = [];
        for (int step = 0; step < 60_000; step++)
        {
            if (inUse.Count == 0 || random.Next(4) > 0)
            {
                uint block = _blocks.Allocate();
                bool isEmpty = !_blocks.Slots(block).ContainsAnyExcept(0u) && _blocks.Counts(block).Packed == 0;
                if (block == 0 || !isEmpty)
                    Assert.Fail($"step {step}: block {block} is not free or not empty");
                _blocks.Slots(block)[63] = block;
                _blocks.Counts(block).Packed = block;
                _blocks.LeafKey(block) = block;
                inUse.Add(block);
            }
            else
            {
                int i = random.Next(inUse.Count);
                uint block = inUse[i];
                inUse[i] = inUse[^1];
                inUse.RemoveAt(inUse.Count - 1);
                bool isAsLeft = _blocks.Slot((block * 64) + 63) == block
                    && _blocks.Counts(block).Packed == block && _blocks.LeafKey(block) == block;
                if (!isAsLeft)
                    Assert.Fail($"step {step}: block {block} was changed from elsewhere");
                _blocks.Slots(block)[63] = 0;
                _blocks.Free(block);
            }

            if (_blocks.Count != inUse.Count) Assert.Fail($"step {step}: {_blocks.Count} blocks, not {inUse.Count}");
        }

        Assert.That(inUse, Is.Unique);
        Assert.That(inUse, Has.Count.GreaterThan(1 << 14));
        Assert.That(_blocks.NativeBytes, Is.EqualTo(_meter.OutstandingBytes));
        _blocks.Validate();
    }

    [Test]
    public void FreedBlocksAreUsedAgainBeforeMemoryGrows()
    {
        uint[] first = [.. Enumerable.Range(0, 1000).Select(_ => _blocks.Allocate())];
        long bytes = _meter.OutstandingBytes;
        foreach (uint block in first) _blocks.Free(block);
        Assert.That(_blocks.Count, Is.Zero);
        _blocks.Validate();
        Assert.That(Enumerable.Range(0, 1000).Select(_ => _blocks.Allocate()), Is.EquivalentTo(first));
        Assert.That(_meter.OutstandingBytes, Is.EqualTo(bytes));
        Assert.That(_blocks.Allocate(), Is.EqualTo(first.Max() + 1));
    }

    [Test]
    public void CountsShareAWord()
    {
        BlockCounts counts = new() { Packed = (5 * BlockCounts.OneShadow) + (7 * BlockCounts.OneUsed) };
        Assert.That((counts.Used, counts.Shadows), Is.EqualTo((7u, 5u)));
        Assert.Multiple(() =>
        {
            Assert.That(BlockCounts.IsShadowOnly(0), Is.False, "an empty leaf");
            Assert.That(BlockCounts.IsShadowOnly(BlockCounts.OneUsed), Is.False);
            Assert.That(BlockCounts.IsShadowOnly(BlockCounts.OneShadow), Is.True, "one shadow is enough");
            Assert.That(BlockCounts.IsShadowOnly(64 * BlockCounts.OneShadow), Is.True);
            Assert.That(BlockCounts.IsShadowOnly(BlockCounts.OneShadow + BlockCounts.OneUsed), Is.False);
            Assert.That(BlockCounts.AreOfNodes(BlockCounts.OfNodes), Is.True);
            Assert.That(BlockCounts.AreOfNodes(0) || BlockCounts.AreOfNodes(64 * BlockCounts.OneShadow), Is.False);
        });
    }

    [Test]
    public void ASlotEntryIsAFrameOrAShadowOrNothing()
    {
        SlotEntry frame = SlotEntry.ForFrame(new FrameId(9));
        SlotEntry shadow = new(ShadowEntry.ForGhost(new FrameId(9)).Packed);
        Assert.Multiple(() =>
        {
            Assert.That((frame.IsFrame, frame.IsShadow, frame.IsEmpty), Is.EqualTo((true, false, false)));
            Assert.That((shadow.IsFrame, shadow.IsShadow, shadow.IsEmpty), Is.EqualTo((false, true, false)));
            Assert.That((default(SlotEntry).IsFrame, default(SlotEntry).IsShadow), Is.EqualTo((false, false)));
            Assert.That(default(SlotEntry).IsEmpty, Is.True);
            Assert.That((frame.Frame.Value, frame.FrameOrNone, frame.Row), Is.EqualTo((9u, 9u, 9u)));
            Assert.That((shadow.FrameOrNone, shadow.Row, default(SlotEntry).FrameOrNone), Is.EqualTo((0u, 9u, 0u)));
            Assert.That(shadow.Shadow.Ghost.Value, Is.EqualTo(9));
            Assert.That(default(SlotEntry).Shadow.IsNone, Is.True);
        });
    }

    /// <summary>Validate finds each kind of damage, and says which block it is in.</summary>
    [Test]
    public void DamageIsFound()
    {
        uint[] blocks = [_blocks.Allocate(), _blocks.Allocate(), _blocks.Allocate()];
        _blocks.Free(blocks[0]);
        _blocks.Free(blocks[1]);
        _blocks.Validate();
        _blocks.Slots(blocks[0])[5] = 1;
        Expect($"B1: an empty block, found {blocks[0]}");
        _blocks.Slots(blocks[0])[5] = 0;
        _blocks.Slots(0)[63] = 1;
        Expect("block 0 to be empty, found 0");
        _blocks.Slots(0)[63] = 0;
        _blocks.Link(blocks[0]).Next = blocks[1];
        Expect("a chain of 2 free blocks, found 3");
        _blocks.Link(blocks[0]).Next = 0;
        _blocks.Link(blocks[1]).Next = 0;
        Expect("a chain of 2 free blocks, found 1");
        _blocks.Link(blocks[1]).Next = blocks[0];
        _blocks.Validate();
    }

    private void Expect(string message)
    {
        InvariantException found = Assert.Throws<InvariantException>(_blocks.Validate)!;
        Assert.That(found.Message, Does.StartWith("IndexBlocks: expected " + message));
    }
}
