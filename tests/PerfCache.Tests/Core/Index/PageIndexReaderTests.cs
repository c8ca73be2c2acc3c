// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: all ways from a page to its slot lead to the same slot, with the lock, without it, and by a view that a loop
/// keeps. Method: pages at the borders of leaves and of what a directory has memory for, asked for in each way and
/// compared with what was put there.
/// </summary>
[TestFixture]
public sealed class PageIndexReaderTests
{
    private const ulong DensePages = 1UL << 20;

    private TestIndex _test = null!;
    private readonly Dictionary<(ObjectId, ulong), uint> _model = [];

    [SetUp]
    public void MakeIndex()
    {
        _test = new TestIndex();
        _model.Clear();
    }

    [TearDown]
    public void NothingIsOut() => _test.Dispose();

    /// <summary>Goal: a reader that has found a page's block, and reads the slot when the leaf is long gone, never takes half
    /// a key for a frame. Method: a leaf's block, freed, while sparse pages come whose nodes would fill it.</summary>
    [Test]
    public void ALeafsBlockNeverHoldsNodes()
    {
        ObjectId dense = _test.Index.AddObject(1 << 20, dense: true);
        ObjectId sparse = _test.Index.AddObject(1UL << 36, dense: false);
        FrameId frame = _test.Put(dense, 7);
        uint stale = _test.Index.FindSlotShared(dense, 7);
        _test.Clear(frame);
        Assert.That(_test.Index.Entry(stale).IsEmpty, Is.True);
        for (ulong i = 0; i < 64; i++)
        {
            // A page whose number would look like a frame.
            _test.Put(sparse, (i << 20) | 0x7FFFD);
            Assert.That(_test.BlockOf(sparse, (i << 20) | 0x7FFFD), Is.Not.EqualTo(stale >> IndexBlocks.SlotBits));
            for (uint slot = 0; slot < IndexBlocks.SlotCount; slot++)
                Assert.That(_test.Index.Entry((stale & ~(uint)(IndexBlocks.SlotCount - 1)) | slot).IsEmpty, Is.True);
        }

        _test.Put(dense, 70);
        Assert.That(_test.BlockOf(dense, 70), Is.EqualTo(stale >> IndexBlocks.SlotBits), "another leaf may have it");
        _test.Index.Validate();
    }

    [Test]
    public void AllWaysToADensePageMeet()
    {
        ObjectId owner = _test.Index.AddObject(DensePages, dense: true);
        ObjectId neverUsed = _test.Index.AddObject(DensePages, dense: true);
        foreach (ulong page in (ulong[])[0, 1, 63, 64, 130, 4095, 4096]) Put(owner, page);
        _test.Index.LeavesOf(owner, out ulong length);
        Assert.That(length, Is.InRange(65UL, (DensePages / 64) - 1), "the test wants a border inside the object");
        // The last leaf that the directory has memory for, and the next, which gets its memory now.
        Put(owner, (length * 64) - 1);
        CheckDense(owner, length);
        Put(owner, length * 64);
        _test.Index.LeavesOf(owner, out ulong longer);
        Assert.That(longer, Is.GreaterThan(length));
        CheckDense(owner, longer);
        CheckDense(neverUsed, 0);
    }

    [Test]
    public void AllWaysToASparsePageMeet()
    {
        _test.Index.AddObject(DensePages, dense: true);
        ObjectId owner = _test.Index.AddObject(PageKey.PageMax + 1, dense: false);
        ulong[] pages = [0, 5, 64, 1UL << 30, PageKey.PageMax];
        foreach (ulong page in pages) Put(owner, page);
        foreach (ulong page in (ulong[])[.. pages, 1, 63, 65, (1UL << 30) + 1])
        {
            uint expected = _model.GetValueOrDefault((owner, page));
            uint address = _test.Index.FindSlot(owner, page);
            Assert.Multiple(() =>
            {
                Assert.That(_test.Index.Entry(address).Packed, Is.EqualTo(expected), $"page {page}");
                Assert.That(_test.Index.FindSlotShared(owner, page), Is.EqualTo(address));
                Assert.That(_test.Index.FindEntryShared(owner, page).Packed, Is.EqualTo(expected));
                Assert.That(_test.Index.FindEntrySparse(owner, page).Packed, Is.EqualTo(expected));
                Assert.That(_test.Index.TryFindEntryDense(owner, page, out _), Is.False);
                // Views know no sparse pages: whoever has one looks in the index itself.
                IndexView view = _test.Index.View(owner);
                Assert.That(view.Spans(page), Is.False);
                Assert.That(view.Entry(view.FindSlot((uint)page)).IsEmpty, Is.True);
            });
        }
    }

    /// <summary>Numbers in hand may be outdated or wrong: a reader without the lock gets an empty answer for them. The
    /// rows of objects grow by steps, so numbers just behind a full step matter.</summary>
    [TestCase(0)]
    [TestCase(1)]
    [TestCase(3)]
    [TestCase(4)]
    [TestCase(8)]
    public void ObjectsThatThereAreNotHaveNoPages(int objects)
    {
        for (int i = 0; i < objects; i++) Put(_test.Index.AddObject(DensePages, dense: i % 2 == 0), 7);
        for (uint number = (uint)objects; number < 20; number++)
        {
            ObjectId owner = new(number);
            Assert.Multiple(() =>
            {
                Assert.That(_test.Index.FindEntryShared(owner, 7).IsEmpty, Is.True);
                Assert.That(_test.Index.TryFindEntryDense(owner, 7, out _), Is.False);
                Assert.That(_test.Index.FindEntrySparse(owner, 7).IsEmpty, Is.True);
                Assert.That(_test.Index.Entry(_test.Index.FindSlotShared(owner, 7)).IsEmpty, Is.True);
                Assert.That(_test.Index.ViewShared(owner).Spans(0), Is.False);
                Assert.That(_test.Index.LeavesOf(owner, out ulong length).IsNull, Is.True);
                Assert.That(length, Is.Zero);
                Assert.That(_test.Index.IsPage(owner, 0), Is.False);
            });
        }

        for (uint number = 0; number < objects; number++)
        {
            Assert.That(_test.Index.FindEntryShared(new ObjectId(number), 7).Packed,
                Is.EqualTo(_model[(new ObjectId(number), 7)]));
        }
    }

    [Test]
    public void ADisposedIndexSaysThatThereIsNothing()
    {
        ObjectId dense = _test.Index.AddObject(DensePages, dense: true);
        ObjectId sparse = _test.Index.AddObject(DensePages, dense: false);
        Put(dense, 7);
        Put(sparse, 7);
        _test.Index.Dispose();
        Assert.Multiple(() =>
        {
            foreach (ObjectId owner in new[] { dense, sparse })
            {
                Assert.That(_test.Index.FindEntryShared(owner, 7).IsEmpty, Is.True);
                Assert.That(_test.Index.ViewShared(owner).Spans(7), Is.False);
                Assert.That(_test.Index.IsPage(owner, 7), Is.False);
            }

            Assert.That(_test.Index.NativeBytes, Is.Zero);
        });
    }

    /// <summary>A page that moves to another frame keeps its slot, which then says the new frame.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void AMovedPageIsFoundInItsNewFrame(bool dense)
    {
        ObjectId owner = _test.Index.AddObject(DensePages, dense);
        FrameId other = _test.Put(owner, 500);
        FrameId from = _test.Put(owner, 501);
        uint address = _test.Frames.Slot(from);
        FrameId to = new(200);
        _test.Frames.Head(to).Key = new PageKey(owner, 501);
        _test.Frames.State(to) = _test.Frames.State(from);
        _test.Index.Redirect(address, to);
        _test.Frames.State(from) = _test.Frames.State(from).Freed();
        Assert.Multiple(() =>
        {
            Assert.That(_test.Index.FindSlot(owner, 501), Is.EqualTo(address));
            Assert.That(_test.Index.FindEntryShared(owner, 501).Frame, Is.EqualTo(to));
            Assert.That(_test.Index.FindEntryShared(owner, 500).Frame, Is.EqualTo(other));
            Assert.That(_test.Frames.Slot(to), Is.EqualTo(address));
        });
        _test.Index.Validate();
    }

    private void Put(ObjectId owner, ulong page) =>
        _model[(owner, page)] = SlotEntry.ForFrame(_test.Put(owner, page)).Packed;

    private void CheckDense(ObjectId owner, ulong length)
    {
        ulong[] near = [0, 64, 128, 4096, length * 64];
        IEnumerable<ulong> pages = near.SelectMany(page => new[] { page, page + 1, page + 63, page - 1 });
        foreach (ulong page in pages.Where(page => page < DensePages))
        {
            uint expected = _model.GetValueOrDefault((owner, page));
            uint address = _test.Index.FindSlot(owner, page);
            Assert.Multiple(() =>
            {
                Assert.That(_test.Index.Entry(address).Packed, Is.EqualTo(expected), $"page {page}");
                Assert.That(address % 64, Is.EqualTo(page % 64));
                Assert.That(_test.Index.FindSlotShared(owner, page), Is.EqualTo(address));
                Assert.That(_test.Index.FindEntryShared(owner, page).Packed, Is.EqualTo(expected));
                bool found = _test.Index.TryFindEntryDense(owner, page, out SlotEntry entry);
                Assert.That(entry.Packed, Is.EqualTo(expected));
                Assert.That(found || expected == 0, Is.True);
                Assert.That(_test.Index.FindEntrySparse(owner, page).IsEmpty, Is.True);
            });
            CheckView(_test.Index.View(owner), page, length, address, expected);
            CheckView(_test.Index.ViewShared(owner), page, length, address, expected);
        }
    }

    private static void CheckView(IndexView view, ulong page, ulong length, uint address, uint expected)
    {
        Assert.That(view.FindSlot((uint)page), Is.EqualTo(address), $"page {page}");
        Assert.That(view.Entry(address).Packed, Is.EqualTo(expected));
        Assert.That(view.Spans(page), Is.EqualTo(page < length * 64), $"page {page} of {length} leaves");
        if (view.Spans(page)) Assert.That(view.FindSlotSpanned(page), Is.EqualTo(address));
    }
}
