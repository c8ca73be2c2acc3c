// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Lists;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Tests.Core.Pools;

/// <summary>Goal: every frame is handed out once at a time, those freed before those never used, and stale use of a free one is seen.</summary>
[TestFixture]
public sealed class FramePoolTests
{
    private readonly MemoryMeter _meter = new();

    [OneTimeTearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void HandsOutEveryFrameOnceThenNone()
    {
        using FrameTable frames = new(100, 0, _meter);
        FramePool pool = new(frames, node: 3, first: 1, count: 100);
        HashSet<uint> seen = [];
        for (int i = 0; i < 100; i++) Assert.That(seen.Add(pool.Allocate().Value), Is.True);
        Assert.Multiple(() =>
        {
            Assert.That(seen, Is.EquivalentTo(Enumerable.Range(1, 100)));
            Assert.That(pool.Allocate().IsNone, Is.True);
            Assert.That(pool.FreeCount, Is.Zero);
            Assert.That(frames.Owner(new FrameId(50)).Node, Is.EqualTo(3));
        });
    }

    [Test]
    public void FreedFramesGoBeforeThoseNeverUsed()
    {
        using FrameTable frames = new(10, 0, _meter);
        FramePool pool = new(frames, 0, 1, 10);
        FrameId first = pool.Allocate();
        FrameId second = pool.Allocate();
        pool.Free(first);
        pool.Free(second);
        Assert.That(new[] { pool.Allocate(), pool.Allocate() }, Is.EquivalentTo(new[] { second, first }));
        pool.Free(second);
        Assert.That(pool.Allocate(), Is.EqualTo(second), "given and taken again at once");
    }

    [TestCase(1)]
    [TestCase(3)]
    [TestCase(5)]
    public void APieceOfAListIsFreeAtOnceAndItsYoungestGoesFirst(int count)
    {
        using FrameTable frames = new(5, 0, _meter);
        FramePool pool = new(frames, 0, 1, 5);
        FrameList list = new(frames, "test");
        for (int i = 0; i < 5; i++) list.PushHead(pool.Allocate());
        FrameList.TailCut cut = list.BeginTailCut();
        for (int i = 0; i < count; i++) cut.Take();
        pool.Free(cut.End());
        pool.Validate();
        list.Validate();
        Assert.That((pool.FreeCount, list.Count), Is.EqualTo(((uint)count, (uint)(5 - count))));
        for (uint id = (uint)count; id >= 1; id--)
        {
            FrameId frame = pool.Allocate();
            Assert.That(frame.Value, Is.EqualTo(id));
            Assert.That(frames.IsOnList(frame), Is.False);
            Assert.That(frames.Link(frame.Value), Is.EqualTo(default(FrameLink)), "no trace of the list");
        }

        Assert.That(pool.Allocate().IsNone, Is.True);
    }

    [Test]
    public void BehavesLikeASet()
    {
        Random random = TestSeed.Random(7);
        using FrameTable frames = new(64, 0, _meter);
        FramePool pool = new(frames, 0, 1, 64);
        List<FrameId> taken = [];
        for (int step = 0; step < 100_000; step++)
        {
            if (random.Next(2) == 0)
            {
                FrameId frame = pool.Allocate();
                Assert.That(frame.IsNone, Is.EqualTo(taken.Count == 64));
                if (!frame.IsNone)
                {
                    Assert.That(taken, Does.Not.Contain(frame));
                    taken.Add(frame);
                }
            }
            else if (taken.Count > 0)
            {
                int i = random.Next(taken.Count);
                pool.Free(taken[i]);
                taken.RemoveAt(i);
            }

            Assert.That(pool.FreeCount, Is.EqualTo(64 - taken.Count));
            if (step % 64 == 0) pool.Validate();
        }
    }

#if DEBUG
    [Test]
    public void WritingToAFreedFrameIsSeenAtTheNextAllocation()
    {
        using FrameTable frames = new(4, 0, _meter);
        FramePool pool = new(frames, 0, 1, 4);
        FrameId frame = pool.Allocate();
        pool.Free(frame);
        frames.Head(frame).Key = new PageKey(new ObjectId(1), 2);
        InvariantException? failure = Assert.Throws<InvariantException>(() => pool.Allocate());
        Assert.That(failure!.Message, Does.Contain("poison"));
    }
#endif
}
