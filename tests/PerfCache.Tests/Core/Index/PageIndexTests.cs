// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: the index is a map from pages to frames or shadows, whose empty parts vanish. Method: a model test against a
/// dictionary for dense and sparse objects at once, with every invariant checked after each step.
/// </summary>
[TestFixture]
public sealed class PageIndexTests
{
    private MemoryMeter _meter = null!;

    [SetUp]
    public void MakeMeter() => _meter = new MemoryMeter();

    [TearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void APageThatWasNeverSeenHasAnEmptySlotInBlockZero()
    {
        using FrameTable frames = new(4, 0, _meter);
        using PageIndex index = new(frames, _meter);
        ObjectId dense = index.AddObject(1000, dense: true);
        ObjectId sparse = index.AddObject(PageKey.PageMax + 1, dense: false);
        foreach ((ObjectId owner, ulong page) in new[] { (dense, 999UL), (sparse, 0UL), (sparse, PageKey.PageMax) })
        {
            uint address = index.FindSlot(owner, page);
            Assert.That(address, Is.LessThan(IndexBlocks.SlotCount));
            Assert.That(index.Entry(address).IsEmpty, Is.True);
        }
    }

    [Test]
    public void PagesBeyondTheObjectAreNoPages()
    {
        using FrameTable frames = new(4, 0, _meter);
        using PageIndex index = new(frames, _meter);
        ObjectId owner = index.AddObject(1000, dense: true);
        Assert.That(index.IsPage(owner, 1023), Is.True, "1000 pages are rounded up to whole leaves");
        Assert.That(index.IsPage(owner, 1024) || index.IsPage(new ObjectId(1), 0), Is.False);
    }

    [TestCase(11)]
    [TestCase(12)]
    public void BehavesLikeADictionary(int seed)
    {
        const uint FrameCount = 48;
        Random random = TestSeed.Random(seed);
        using FrameTable frames = new(FrameCount, 0, _meter);
        using PageIndex index = new(frames, _meter);
        ShadowFormat format = new(0, FrameCount);
        ObjectId[] owners = [index.AddObject(500, dense: true), index.AddObject(PageKey.PageMax + 1, dense: false)];
        ulong[] sparsePages = [0, 63, 64, 4095, 4096, 1UL << 24, (1UL << 30) + 1, (1UL << 36) - 1, PageKey.PageMax];
        Stack<uint> free = new(Enumerable.Range(1, (int)FrameCount).Select(id => (uint)id));
        Dictionary<(ObjectId, ulong), uint> model = [];
        ulong age = 0;
        for (int step = 0; step < 20_000; step++)
        {
            ObjectId owner = owners[random.Next(2)];
            ulong page = owner == owners[0]
                ? (ulong)random.Next(500) : sparsePages[random.Next(sparsePages.Length)] ^ (ulong)random.Next(3);
            SlotEntry entry = index.Entry(index.FindSlot(owner, page));
            Assert.That(entry.Packed, Is.EqualTo(model.GetValueOrDefault((owner, page))), $"step {step}");
            if (entry.IsFrame) Leave(index, frames, format, model, free, owner, page, entry.Frame, random, age++);
            else if (random.Next(4) == 0 && entry.IsShadow)
            {
                index.ClearShadow(index.FindSlot(owner, page));
                model.Remove((owner, page));
            }
            else if (free.Count > 0) Enter(index, frames, model, free, owner, page);
            else if (random.Next(2) == 0) DropShadows(index, model);
            if (step % 16 == 0) index.Validate();
        }

        Assert.That(index.LeafCount, Is.LessThan(80), "empty leaves and nodes must be freed");
    }

    [Test]
    public void ShadowOnlyLeavesAreDroppedOldestFirstAndLeaveTheListOnAnyInsertion()
    {
        using FrameTable frames = new(8, 0, _meter);
        using PageIndex index = new(frames, _meter);
        ObjectId owner = index.AddObject(1000, dense: true);
        ShadowFormat format = new(0, 8);
        foreach (ulong page in new[] { 0UL, 64UL, 128UL })
        {
            Put(index, frames, owner, page, new FrameId((uint)(page / 64) + 1));
            index.ReplaceByShadow(index.FindSlot(owner, page), format.Pack(page, 0, false));
        }

        Assert.That(index.Shadows.LeafCount, Is.EqualTo(3));
        // Page 1 was never seen: an insertion into an empty slot of the first leaf takes that leaf off the list too.
        Put(index, frames, owner, 1, new FrameId(4));
        Assert.That(index.Shadows.LeafCount, Is.EqualTo(2));
        Assert.That(index.DropOldestShadowLeaf(), Is.EqualTo(1));
        Assert.Multiple(() =>
        {
            Assert.That(index.Entry(index.FindSlot(owner, 0)).IsShadow, Is.True, "kept for free beside a frame");
            Assert.That(index.Entry(index.FindSlot(owner, 64)).IsEmpty, Is.True, "dropped");
            Assert.That(index.Entry(index.FindSlot(owner, 128)).IsShadow, Is.True, "younger");
            Assert.That(index.Shadows.DroppedCount, Is.EqualTo(1));
        });
        index.Validate();
    }

    [Test]
    public void AFailureToGrowLeavesTheIndexAsItWas()
    {
        MemoryMeter small = new(limitBytes: 340_000);
        using (FrameTable frames = new(5000, 0, small))
        using (PageIndex index = new(frames, small))
        {
            ObjectId owner = index.AddObject(PageKey.PageMax + 1, dense: false);
            uint added = 0;
            NativeMemoryException? refusal = null;
            while (refusal is null && added < 5000)
            {
                try
                {
                    Put(index, frames, owner, (ulong)(added + 1) << 26, new FrameId(added + 1));
                    added++;
                }
                catch (NativeMemoryException caught)
                {
                    refusal = caught;
                }
            }

            Assert.That(refusal, Is.Not.Null, "the limit must be hit within 5000 sparse pages");
            index.Validate();
            for (uint i = 0; i < added; i++)
                Assert.That(index.Entry(index.FindSlot(owner, (ulong)(i + 1) << 26)).IsFrame, Is.True);
        }

        Assert.That(small.OutstandingBytes, Is.Zero);
    }

    private static void Enter(
        PageIndex index, FrameTable frames, Dictionary<(ObjectId, ulong), uint> model, Stack<uint> free, ObjectId owner,
        ulong page)
    {
        FrameId frame = new(free.Pop());
        Put(index, frames, owner, page, frame);
        model[(owner, page)] = SlotEntry.ForFrame(frame).Packed;
    }

    private static void Leave(
        PageIndex index, FrameTable frames, ShadowFormat format, Dictionary<(ObjectId, ulong), uint> model,
        Stack<uint> free, ObjectId owner, ulong page, FrameId frame, Random random, ulong age)
    {
        if (random.Next(3) == 0)
        {
            index.ClearFrame(frames.Slot(frame));
            model.Remove((owner, page));
        }
        else
        {
            ShadowEntry shadow = format.Pack(age, 0, random.Next(2) == 0);
            index.ReplaceByShadow(frames.Slot(frame), shadow);
            model[(owner, page)] = shadow.Packed;
        }

        frames.State(frame) = default;
        free.Push(frame.Value);
    }

    private static void DropShadows(PageIndex index, Dictionary<(ObjectId, ulong), uint> model)
    {
        index.DropOldestShadowLeaf();
        foreach ((ObjectId owner, ulong page) in model.Keys.ToArray())
        {
            if (!index.Entry(index.FindSlot(owner, page)).IsEmpty) continue;
            Assert.That(new SlotEntry(model[(owner, page)]).IsShadow, Is.True, "only shadows may be dropped");
            model.Remove((owner, page));
        }
    }

    private static void Put(PageIndex index, FrameTable frames, ObjectId owner, ulong page, FrameId frame)
    {
        uint address = index.FindSlot(owner, page);
        index.Install(address < IndexBlocks.SlotCount ? index.AddLeaf(owner, page) : address, frame);
        frames.Head(frame).Key = new PageKey(owner, page);
        frames.State(frame) = new FrameState(FrameState.Live);
    }
}
