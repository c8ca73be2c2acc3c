// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Frames;

/// <summary>Goal: packed words give back what was put in, at the extremes of every field.</summary>
[TestFixture]
public sealed class PackedWordTests
{
    [TestCase(0u, 0UL)]
    [TestCase(ObjectId.ValueMax, 0UL)]
    [TestCase(0u, PageKey.PageMax)]
    [TestCase(ObjectId.ValueMax, PageKey.PageMax)]
    [TestCase(12345u, 987654321UL)]
    public void PageKeysRoundTrip(uint owner, ulong page)
    {
        PageKey key = new(new ObjectId(owner), page);
        Assert.Multiple(() =>
        {
            Assert.That(key.ObjectId.Value, Is.EqualTo(owner));
            Assert.That(key.Page, Is.EqualTo(page));
        });
    }

    [Test]
    public void StateFlagsAreSixteenDistinctBitsBelowTheVersion()
    {
        ulong[] flags =
        [
            FrameState.Active, FrameState.Workingset, FrameState.Dirty, FrameState.Uptodate, FrameState.Writeback,
            FrameState.Lent, FrameState.Locked, FrameState.Live,
        ];
        ulong all = FrameState.ReferencedMask;
        foreach (ulong flag in flags)
        {
            Assert.That(all & flag, Is.Zero, "flags must not overlap");
            all |= flag;
        }

        Assert.That(all, Is.EqualTo(FrameState.FlagsMask));
        Assert.That(FrameState.FlagsMask, Is.EqualTo(0xFFFFUL));
        Assert.That(FrameState.FlagsMask & FrameState.VersionMask, Is.Zero);
    }

    [TestCase(0x0000_0000_0000_FFFFUL, 1u, (ushort)0)]
    [TestCase(0x0007_0000_0005_8101UL, 6u, (ushort)7)]
    [TestCase(0xFFFF_FFFF_FFFF_FFFFUL, 0u, ushort.MaxValue)]
    public void FreeingClearsFlagsAdvancesTheVersionAndKeepsPins(ulong packed, uint version, ushort pins)
    {
        FrameState freed = new FrameState(packed).Freed();
        Assert.Multiple(() =>
        {
            Assert.That(freed.Packed & FrameState.FlagsMask, Is.Zero);
            Assert.That(freed.Version, Is.EqualTo(version), "the version wraps and never carries into the pins");
            Assert.That(freed.Pins, Is.EqualTo(pins));
        });
    }

    [Test]
    public void TheReferencedByteIsTheLowByteOfTheState()
    {
        FrameHead head = new() { State = new FrameState(FrameState.Live | FrameState.Active) };
        head.Referenced = 255;
        Assert.Multiple(() =>
        {
            Assert.That(head.State.Referenced, Is.EqualTo(255));
            Assert.That(head.State.Has(FrameState.Live | FrameState.Active), Is.True);
        });
    }

    [Test]
    public void SlotEntriesTellFramesAndShadowsApart()
    {
        SlotEntry frame = SlotEntry.ForFrame(new FrameId(FrameId.CountMax));
        SlotEntry shadow = new(new ShadowFormat(0, 100).Pack(77, 0, true).Packed);
        Assert.Multiple(() =>
        {
            Assert.That((frame.IsFrame, frame.IsShadow, frame.IsEmpty), Is.EqualTo((true, false, false)));
            Assert.That((shadow.IsFrame, shadow.IsShadow, shadow.IsEmpty), Is.EqualTo((false, true, false)));
            Assert.That(frame.Frame.Value, Is.EqualTo(FrameId.CountMax));
            Assert.That(frame.FrameOrNone, Is.EqualTo(FrameId.CountMax));
            Assert.That(shadow.FrameOrNone, Is.Zero);
            Assert.That(default(SlotEntry).FrameOrNone, Is.Zero);
        });
    }

    [Test]
    public unsafe void ASlotEntryIsThePlaceOfItsFramesHead()
    {
        FrameHead[] heads = new FrameHead[100];
        fixed (FrameHead* first = heads)
        {
            NativeArray<FrameHead> view = new(first, heads.Length);
            for (uint row = 1; row < heads.Length; row++)
            {
                ref FrameHead head = ref SlotEntry.ForFrame(new FrameId(row)).HeadIn(view);
                Assert.That(Unsafe.AreSame(ref head, ref view[row]), Is.True, $"row {row}");
            }
        }

        // The last row there may be; only its address is computed, as a distance from 0.
        NativeArray<FrameHead> all = new(null, FrameId.CountMax + 1L);
        void* last = Unsafe.AsPointer(ref SlotEntry.ForFrame(new FrameId(FrameId.CountMax)).HeadIn(all));
        Assert.That((ulong)last, Is.EqualTo((ulong)FrameId.CountMax * (ulong)sizeof(FrameHead)));
    }
}
