// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Cache;

/// <summary>Goal: the list of dirty frames is a queue by time. Method: random steps beside a plain list.</summary>
[TestFixture]
public sealed class DirtyListTests
{
    private const uint Frames = 20;

    [Test]
    public void TheListIsAQueueWhateverLeavesItFromTheMiddle()
    {
        Random random = TestSeed.Random(11);
        MemoryMeter meter = new();
        using (FrameTable frames = new(Frames, 0, meter))
        using (DirtyList list = new(Frames, meter))
        {
            List<FrameId> twin = [];
            for (int step = 0; step < 20_000; step++)
            {
                FrameId frame = new((uint)random.Next(1, (int)Frames + 1));
                if (!twin.Remove(frame))
                {
                    twin.Add(frame);
                    list.Add(frame, uint.MaxValue - 5000L + step);
                    frames.SetFlags(frame, FrameState.Live | FrameState.Dirty);
                }
                else
                {
                    bool stays = random.Next(2) == 0;
                    if (stays) twin.Add(frame);
                    if (stays) list.Requeue(frame, uint.MaxValue - 5000L + step);
                    else list.Remove(frame);
                    if (!stays) frames.ClearFlags(frame, FrameState.Dirty);
                }

                list.Validate(frames);
                List<FrameId> order = [];
                for (FrameId next = list.Oldest; !next.IsNone; next = list.Younger(next)) order.Add(next);
                Assert.That(order, Is.EqualTo(twin), $"step {step}");
            }
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void AFrameThatIsDirtyAndNotOnTheListIsFound()
    {
        MemoryMeter meter = new();
        using FrameTable frames = new(Frames, 0, meter);
        using DirtyList list = new(Frames, meter);
        frames.SetFlags(new FrameId(3), FrameState.Live | FrameState.Dirty);
        Assert.That(
            Assert.Throws<InvariantException>(() => list.Validate(frames))!.Message, Does.Contain("D1: 1 dirty frames"));
        list.Add(new FrameId(3), 10);
        list.Add(new FrameId(4), 20);
        Assert.That(
            Assert.Throws<InvariantException>(() => list.Validate(frames))!.Message, Does.Contain("D1: frame 4 live and dirty"));
    }

    [Test]
    public void AgesSurviveTheWrapOfTheClock()
    {
        MemoryMeter meter = new();
        using DirtyList list = new(Frames, meter);
        list.Add(new FrameId(1), uint.MaxValue - 10L);
        Assert.That(list.AgeMilliseconds(new FrameId(1), uint.MaxValue + 90L), Is.EqualTo(100));
    }
}
