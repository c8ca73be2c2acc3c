// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: the validation that all other tests of the index lean on sees every kind of damage. Method: an index that is
/// whole; one word of it is changed so that one invariant is broken, which the message must name with the numbers.
/// </summary>
[TestFixture]
public sealed class IndexDamageTests
{
    private TestIndex _test = null!;
    private ObjectId _dense;
    private ObjectId _sparse;
    private FrameId _frame;
    private FrameId _node;

    [SetUp]
    public void MakeIndex()
    {
        _test = new TestIndex();
        _dense = _test.Index.AddObject(100_000, dense: true);
        _sparse = _test.Index.AddObject(PageKey.PageMax + 1, dense: false);
        _frame = _test.Put(_dense, 64);
        _node = _test.Put(_sparse, 1UL << 33);
        _test.PutShadows(_dense, 65, 640);
        _test.PutShadows(_sparse, 1UL << 34);
        _test.Index.Validate();
    }

    [TearDown]
    public void NothingIsOut() => _test.Dispose();

    [Test]
    public void AFrameThatIsNotLive([Values] bool dense)
    {
        FrameId frame = dense ? _frame : _node;
        _test.Frames.State(frame) = default;
        Expect($"PageIndex: expected I1: a live frame, found {frame.Value}");
    }

    [Test]
    public void AFrameThatSaysAnotherSlot([Values] bool dense)
    {
        FrameId frame = dense ? _frame : _node;
        uint address = _test.Frames.Slot(frame)++;
        Expect($"PageIndex: expected I1: frame {frame.Value}'s slot to be {address}, found {address + 1}");
    }

    [Test]
    public void AFrameWithAnotherPage([Values] bool dense)
    {
        (FrameId frame, ulong page) = dense ? (_frame, 64) : (_node, 1UL << 33);
        _test.Frames.Head(frame).Key = new PageKey(dense ? _dense : _sparse, 3);
        Expect($"PageIndex: expected I1: frame {frame.Value} to hold page {page}, found 3");
    }

    [Test]
    public void ASlotThatIsNeitherFrameNorShadow()
    {
        Slot(_dense, 70) = 7;
        Expect("PageIndex: expected I2: a frame or a shadow, found 7");
    }

    [Test]
    public void CountsThatAreNotTheSlots()
    {
        uint leaf = _test.BlockOf(_dense, 64);
        uint frame = Slot(_dense, 64);
        Slot(_dense, 64) = 0;
        Expect($"PageIndex: expected I2: 0 frames in leaf {leaf}, found 1");
        Slot(_dense, 64) = frame;
        Slot(_dense, 66) = SlotEntry.ShadowTag;
        Expect($"PageIndex: expected I2: 2 shadows in leaf {leaf}, found 1");
        Slot(_dense, 66) = 0;
        Slot(_dense, 65) = 0;
        Expect($"PageIndex: expected I2: 0 shadows in leaf {leaf}, found 1");
    }

    [Test]
    public void AShadowOnlyLeafThatIsNotOnTheRing()
    {
        _test.Index.Shadows.Leave(_test.BlockOf(_dense, 640));
        Expect("PageIndex: expected I4: 2 leaves and nodes with shadows alone, found 1");
    }

    [Test]
    public void ANodeWithAShadowThatIsNotOnTheRing()
    {
        _test.Index.Shadows.LeaveNode(_test.Index.FindSlot(_sparse, 1UL << 34));
        Expect("PageIndex: expected I4: 2 leaves and nodes with shadows alone, found 1");
    }

    [Test]
    public void LeavesThatAreNotCounted()
    {
        _test.Index.Shadows.IndexLeafCount++;
        Expect("PageIndex: expected S2: 4 leaves and nodes, found 5");
    }

    /// <summary>What lies below is validated too, and the message says whose damage it is.</summary>
    [Test]
    public void DamageBelow()
    {
        Slot(_dense, 5000) = 7; // Page 5000 has no leaf: its slot is one of block 0.
        Expect("IndexBlocks: expected block 0 to be empty");
        Slot(_dense, 5000) = 0;
        uint node = _test.Index.FindSlot(_sparse, 1UL << 33);
        uint entry = _test.Index.Slots[node];
        _test.Index.Slots[node] = 0;
        Expect($"SparsePages: expected N1: a frame or a shadow, found {node}");
        _test.Index.Slots[node] = entry;
        _test.Index.Validate();
        // A frame in a leaf on the ring, of which nobody knows.
        ShadowStore second = _test.Index.NewShadowStore();
        _test.Index.AddObject(10, dense: true, second);
        second.Enter(_test.BlockOf(_dense, 64));
        Expect("ShadowStore: expected S1: shadows and no frames");
    }

    [Test]
    public void AStoreWithoutObjectsMustBeEmpty()
    {
        ShadowStore second = _test.Index.NewShadowStore();
        _test.Index.AddObject(10, dense: true, second);
        second.IndexLeafCount = 1;
        Expect("PageIndex: expected S2: 0 leaves and nodes, found 1");
    }

    private ref uint Slot(ObjectId owner, ulong page) => ref _test.Index.Slots[_test.Index.FindSlot(owner, page)];

    private void Expect(string message) =>
        Assert.That(Assert.Throws<InvariantException>(_test.Index.Validate)!.Message, Does.StartWith(message));
}
