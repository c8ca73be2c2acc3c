// SPDX-License-Identifier: MIT
using System.Runtime.Intrinsics;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: a leaf's masks say what its slots hold, by vectors of any width as one by one, and walks by masks visit
/// exactly the pages in their range.
/// </summary>
[TestFixture]
public sealed class LeafScanTests
{
    // Words that a test by the wrong bits would take for something else.
    private static readonly uint[] s_words =
    [
        0, SlotEntry.ForFrame(new FrameId(1)).Packed, SlotEntry.ForFrame(new FrameId(FrameId.CountMax)).Packed,
        SlotEntry.ShadowTag, SlotEntry.ShadowTag | 4, uint.MaxValue - 1, 7, uint.MaxValue,
    ];

    [Test]
    public void EverySlotCountsAlone()
    {
        uint[] slots = new uint[IndexBlocks.SlotCount];
        for (int i = 0; i < slots.Length; i++)
        {
            slots[i] = SlotEntry.ForFrame(new FrameId((uint)i + 1)).Packed;
            Assert.That(LeafScan.Frames(slots), Is.EqualTo(1UL << i));
            Assert.That((LeafScan.NonEmpty(slots), LeafScan.Shadows(slots)), Is.EqualTo((1UL << i, 0UL)));
            slots[i] = SlotEntry.ShadowTag;
            Assert.That(LeafScan.Shadows(slots), Is.EqualTo(1UL << i));
            Assert.That((LeafScan.NonEmpty(slots), LeafScan.Frames(slots)), Is.EqualTo((1UL << i, 0UL)));
            slots[i] = 0;
        }
    }

    [Test]
    public void AllWidthsAgreeWithTheEntries()
    {
        Random random = TestSeed.Random(41);
        uint[] slots = new uint[IndexBlocks.SlotCount];
        for (int round = 0; round < 2000; round++)
        {
            ulong frames = 0;
            ulong shadows = 0;
            ulong nonEmpty = 0;
            for (int i = 0; i < slots.Length; i++)
            {
                slots[i] = random.Next(3) == 0 ? (uint)random.NextInt64(1L << 32) : s_words[random.Next(s_words.Length)];
                SlotEntry entry = new(slots[i]);
                if (entry.IsFrame) frames |= 1UL << i;
                if (entry.IsShadow) shadows |= 1UL << i;
                if (!entry.IsEmpty) nonEmpty |= 1UL << i;
            }

            Assert.That(LeafScan.Frames(slots), Is.EqualTo(frames), $"round {round}");
            Assert.That(LeafScan.Shadows(slots), Is.EqualTo(shadows), $"round {round}");
            Assert.That(LeafScan.NonEmpty(slots), Is.EqualTo(nonEmpty), $"round {round}");
            CheckWidths<FrameTest>(slots, frames);
            CheckWidths<ShadowTest>(slots, shadows);
            CheckWidths<EmptyTest>(slots, ~nonEmpty);
        }
    }

    [Test]
    public void MasksAreTakenApartInOrder()
    {
        ulong mask = (1UL << 63) | (1UL << 5) | 1;
        List<uint> slots = [];
        while (mask != 0) slots.Add(LeafScan.TakeLowest(ref mask));
        Assert.That(slots, Is.EqualTo(new[] { 0u, 5u, 63u }));
        Assert.That(LeafScan.Range(0, 63), Is.EqualTo(ulong.MaxValue));
        Assert.That(LeafScan.Range(63, 63), Is.EqualTo(1UL << 63));
        Assert.That(LeafScan.Range(3, 4), Is.EqualTo(0b11000));
    }

    [Test]
    public void ALeafHas64Slots() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => LeafScan.By128<FrameTest>(new uint[63]));

    [TestCase(true, 42)]
    [TestCase(false, 43)]
    public void AWalkVisitsExactlyItsRange(bool dense, int seed)
    {
        Random random = TestSeed.Random(seed);
        MemoryMeter meter = new();
        using (FrameTable frames = new(300, 0, meter))
        using (PageIndex index = new(frames, meter))
        {
            ulong pageMax = dense ? 5000UL : PageKey.PageMax;
            ObjectId owner = index.AddObject(pageMax + 1, dense);
            ShadowFormat format = new(0, 300);
            SortedDictionary<ulong, bool> isFrame = [];
            for (uint frame = 1; frame <= 300; frame++)
            {
                // Sparse ones cluster at the ends of blocks of several levels.
                ulong page = dense ? (ulong)random.Next(5000)
                    : ((1UL << random.Next(41)) - (ulong)random.Next(3)) & PageKey.PageMax;
                if (isFrame.ContainsKey(page)) continue;
                Put(index, frames, owner, page, new FrameId(frame));
                isFrame[page] = random.Next(3) != 0;
                if (isFrame[page]) continue;
                frames.State(new FrameId(frame)) = frames.State(new FrameId(frame)).Freed();
                index.ReplaceByShadow(index.FindSlot(owner, page), format.Pack(frame, 0, false));
            }

            index.Validate();
            ulong[] pages = [.. isFrame.Keys];
            for (int round = 0; round < 200; round++)
            {
                ulong first = Near(random, pages, pageMax);
                ulong last = Near(random, pages, pageMax);
                if (first > last) (first, last) = (last, first);
                bool framesOnly = round % 2 == 0;
                List<ulong> visited = [];
                index.Walk(owner, first, last, (page, address, entry) =>
                {
                    Assert.That(entry.IsFrame, Is.EqualTo(isFrame[page]));
                    Assert.That(address, Is.EqualTo(index.FindSlot(owner, page)));
                    visited.Add(page);
                }, framesOnly);
                Assert.That(
                    visited,
                    Is.EqualTo(pages.Where(page => page >= first && page <= last && (isFrame[page] || !framesOnly))),
                    $"pages {first} to {last}");
            }
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    private static ulong Near(Random random, ulong[] pages, ulong pageMax) =>
        random.Next(8) == 0 ? (random.Next(2) == 0 ? 0 : pageMax)
            : Math.Min(pageMax, pages[random.Next(pages.Length)] + (ulong)random.Next(2));

    private static void Put(PageIndex index, FrameTable frames, ObjectId owner, ulong page, FrameId frame)
    {
        uint address = index.FindSlot(owner, page);
        if (address < IndexBlocks.SlotCount) address = index.AddLeaf(owner, page);
        index.Install(address, frame);
        ref FrameHead head = ref frames.Head(frame);
        head.Key = new PageKey(owner, page);
        head.State = head.State.With(FrameState.Live);
    }

    private static void CheckWidths<TTest>(uint[] slots, ulong expected) where TTest : struct, ISlotTest
    {
        // The vectors of .NET are whole in software too, so every width runs on every processor.
        Assert.That(LeafScan.Scalar<TTest>(slots), Is.EqualTo(expected));
        Assert.That(LeafScan.By128<TTest>(slots), Is.EqualTo(expected), $"{Vector128.IsHardwareAccelerated}");
        Assert.That(LeafScan.By256<TTest>(slots), Is.EqualTo(expected), $"{Vector256.IsHardwareAccelerated}");
        Assert.That(LeafScan.By512<TTest>(slots), Is.EqualTo(expected), $"{Vector512.IsHardwareAccelerated}");
    }
}
