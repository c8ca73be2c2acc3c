// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Layout;

/// <summary>Goal: sizes and offsets are what docs/memory-layout.md says, and a frame costs what it says.</summary>
[TestFixture]
public sealed class LayoutTests
{
    private static object[] Structs() =>
    [
        new object[] { typeof(FrameHead), 16, new[] { "Key:0", "State:8", "Referenced:8" } },
        new object[] { typeof(FrameLink), 8, new[] { "Previous:0", "Next:4" } },
        new object[] { typeof(FrameOwner), 4, new[] { "Domain:0", "Node:2" } },
        new object[] { typeof(BlockCounts), 4, new[] { "Packed:0" } },
        new object[] { typeof(DirtyLink), 12, new[] { "Younger:0", "Older:4", "Since:8" } },
        new object[] { typeof(BlockLink), 8, new[] { "Previous:0", "Next:4" } },
        new object[]
        {
            typeof(ItemHead), 64,
            new[]
            {
                "Cas:0", "ExpiryTicks:8", "Hash:16", "NextInBucket:20", "Length:24", "Flags:28", "Checksum:32", "Place:36",
                "Rest:40", "KeyCell:44", "AccessTime:48", "Marks:52", "Generation:53", "KeyLength:54", "KeyStart:55",
            },
        },
        new object[] { typeof(ItemLink), 8, new[] { "Previous:0", "Next:4" } },
        new object[] { typeof(KeyCell), 32, new[] { "Next:0", "Bytes:4" } },
        new object[]
        {
            typeof(ItemFrame), 16, new[] { "Row:0", "Next:4", "Previous:8", "UsedSlots:12", "Class:14", "Shard:15" },
        },
        new object[]
        {
            typeof(RingControl), 3 * RingControl.PaddingBytes,
            new[]
            {
                "Tail:0", "HeadSeen:8", "Head:128", "TailSeen:136", "ParkedProducers:256", "ParkedConsumers:260",
            },
        },
    ];

    [TestCaseSource(nameof(Structs))]
    public void StructsHaveTheirDocumentedLayout(Type type, int size, string[] offsets)
    {
        Assert.That(Marshal.SizeOf(type), Is.EqualTo(size));
        foreach (string pair in offsets)
        {
            string[] parts = pair.Split(':');
            Assert.That(
                Marshal.OffsetOf(type, parts[0]).ToInt32().ToString(System.Globalization.CultureInfo.InvariantCulture),
                Is.EqualTo(parts[1]), $"{type.Name}.{parts[0]}");
        }
    }

    [Test]
    public void ASlotOfTheFlipRingBeginsWithItsFrame()
    {
        FlipPage slot = new(new FrameId(0x01020304), 0x05060708, 0x090A0B0C, 0x0D0E);
        Assert.That(
            MemoryMarshal.AsBytes(new ReadOnlySpan<FlipPage>(in slot))[..14].ToArray(),
            Is.EqualTo(new byte[] { 4, 3, 2, 1, 8, 7, 6, 5, 0xC, 0xB, 0xA, 9, 0xE, 0xD }));
        FlipPage.Leave(ref slot, new FrameId(7));
        Assert.That(slot.Frame, Is.EqualTo(new FrameId(7)), "on the way back");
        Assert.That(Unsafe.SizeOf<FlipPage>(), Is.EqualTo(16));
    }

    [Test]
    public void PackedWordsAreOneWord() => Assert.Multiple(() =>
    {
        Assert.That(Unsafe.SizeOf<FrameState>(), Is.EqualTo(8));
        Assert.That(Unsafe.SizeOf<PageKey>(), Is.EqualTo(8));
        Assert.That(Unsafe.SizeOf<FrameId>(), Is.EqualTo(4));
        Assert.That(Unsafe.SizeOf<RingTail>(), Is.EqualTo(8));
        Assert.That(Unsafe.SizeOf<RingHead>(), Is.EqualTo(8));
        Assert.That(Unsafe.SizeOf<SlotEntry>(), Is.EqualTo(4));
        Assert.That(Unsafe.SizeOf<ShadowEntry>(), Is.EqualTo(4));
        Assert.That(Unsafe.SizeOf<ReadaheadMark>(), Is.EqualTo(ReadaheadMark.Bytes));
        Assert.That(
            Unsafe.SizeOf<FrameHead>() + Unsafe.SizeOf<FrameLink>() + sizeof(uint) + Unsafe.SizeOf<FrameOwner>(),
            Is.EqualTo(FrameTable.BytesPerFrame));
        Assert.That(
            (IndexBlocks.SlotCount * sizeof(uint)) + Unsafe.SizeOf<BlockCounts>() + sizeof(ulong)
            + Unsafe.SizeOf<BlockLink>(),
            Is.EqualTo(IndexBlocks.BytesPerBlock));
    });

    [TestCase(100_000u)]
    [TestCase(1_000_000u)]
    public void ADenseObjectThatIsAllResidentCostsAtMost40BytesAFrame(uint frames)
    {
        MemoryMeter meter = new();
        using (MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new(frames, new LinuxRules<Linux6>(), meter))
        {
            ObjectId file = cache.AddObject(frames, dense: true);
            PageReader reader = default;
            for (ulong page = 0; page < frames; page++) cache.Access(file, page, ref reader);
            double bytes = (double)cache.Memory.TotalBytes / frames;
            TestContext.Out.WriteLine($"{bytes:0.00} bytes a frame at {frames} frames");
            Assert.That(cache.Memory.TotalBytes, Is.EqualTo(meter.OutstandingBytes), "what is reported is what is out");
            Assert.That(bytes, Is.LessThanOrEqualTo(40));
            Assert.That(bytes, Is.GreaterThanOrEqualTo(FrameTable.BytesPerFrame + (IndexBlocks.BytesPerBlock / 64.0)));
        }
    }
}
