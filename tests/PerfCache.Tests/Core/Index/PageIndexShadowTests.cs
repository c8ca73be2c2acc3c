// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: shadows stay as long as they cost nothing, each store bounds its own, and a batch of evictions leaves what
/// single ones leave. Method: a few pages by hand, the stores' counts and the validated index after each step.
/// </summary>
[TestFixture]
public sealed class PageIndexShadowTests
{
    private TestIndex _test = null!;
    private ObjectId _dense;
    private ObjectId _sparse;

    [SetUp]
    public void MakeIndex()
    {
        _test = new TestIndex();
        _dense = _test.Index.AddObject(100_000, dense: true);
        _sparse = _test.Index.AddObject(PageKey.PageMax + 1, dense: false);
    }

    [TearDown]
    public void NothingIsOut() => _test.Dispose();

    private ShadowStore Shadows => _test.Index.Shadows;

    [Test]
    public void APageThatComesBackFindsItsShadowOnce()
    {
        foreach (ObjectId owner in new[] { _dense, _sparse })
        {
            (FrameId frame, ShadowEntry before) = _test.Enter(owner, 7);
            Assert.That(before.IsNone, Is.True);
            ShadowEntry left = _test.Evict(frame, age: 33);
            Assert.That((Shadows.LeafCount, _test.Entry(owner, 7).Shadow), Is.EqualTo((1u, left)));
            _test.Index.Validate();
            (frame, ShadowEntry found) = _test.Enter(owner, 7);
            Assert.That(found, Is.EqualTo(left));
            Assert.That(Shadows.LeafCount, Is.Zero, "it holds a frame again");
            _test.Index.Validate();
            _test.Clear(frame);
            Assert.That(_test.Enter(owner, 7).Shadow.IsNone, Is.True);
            _test.Index.Validate();
        }
    }

    /// <summary>A leaf lives from its first page to its last page or shadow.</summary>
    [Test]
    public void ALeafGoesWithTheLastThatItHolds()
    {
        FrameId stays = _test.Put(_dense, 64);
        _test.PutShadows(_dense, 65, 66);
        uint removed = _test.Index.LeavesRemoved;
        Assert.That(Shadows.LeafCount, Is.Zero, "beside a frame shadows are free");
        _test.Index.ClearShadow(_test.Index.FindSlot(_dense, 65));
        _test.Index.Validate();
        _test.Clear(stays);
        Assert.That((Shadows.LeafCount, Shadows.IndexLeafCount), Is.EqualTo((1u, 1u)), "a shadow is left");
        _test.Index.Validate();
        _test.PutShadows(_dense, 67);
        _test.Index.ClearShadow(_test.Index.FindSlot(_dense, 66));
        Assert.That((Shadows.LeafCount, _test.Entry(_dense, 67).IsShadow), Is.EqualTo((1u, true)));
        Assert.That(_test.Index.LeavesRemoved, Is.EqualTo(removed));
        _test.Index.ClearShadow(_test.Index.FindSlot(_dense, 67));
        Assert.That((Shadows.LeafCount, Shadows.IndexLeafCount), Is.EqualTo((0u, 0u)));
        Assert.That(_test.Index.LeavesRemoved, Is.EqualTo(removed + 1));
        Assert.That(_test.BlockOf(_dense, 67), Is.Zero);
        _test.Index.Validate();
        // Without shadows it goes with its last frame.
        FrameId[] pair = [_test.Put(_dense, 200), _test.Put(_dense, 201)];
        _test.Clear(pair[0]);
        Assert.That(Shadows.IndexLeafCount, Is.EqualTo(1));
        _test.Clear(pair[1]);
        Assert.That(Shadows.IndexLeafCount, Is.Zero);
        _test.Index.Validate();
    }

    [Test]
    public void TheOldestLeafOrNodeIsDroppedWhole()
    {
        Assert.That(_test.Index.DropOldestShadowLeaf(Shadows), Is.Zero, "there is none");
        _test.PutShadows(_dense, 64, 70, 127);
        _test.PutShadows(_sparse, 1UL << 20);
        _test.PutShadows(_dense, 128);
        _test.PutShadows(_sparse, 1UL << 21);
        // The first leaf has lost its last frame again: now it is the youngest.
        _test.PutShadows(_dense, 65);
        List<int> dropped = [];
        while (Shadows.LeafCount > 0)
        {
            dropped.Add(_test.Index.DropOldestShadowLeaf(Shadows));
            _test.Index.Validate();
        }

        Assert.That(dropped, Is.EqualTo(new[] { 1, 1, 1, 4 }));
        Assert.That((Shadows.DroppedCount, Shadows.IndexLeafCount), Is.EqualTo((7L, 0u)));
        foreach (ulong page in new[] { 64UL, 65UL, 70UL, 127UL, 128UL })
            Assert.That(_test.Entry(_dense, page).IsEmpty, Is.True, $"page {page}");
    }

    [Test]
    public void ShadowsAloneCountWithTheWholeLeafOrNode()
    {
        _test.Put(_dense, 0);
        _test.PutShadows(_dense, 1);
        Assert.That(Shadows.NativeBytes, Is.Zero);
        _test.PutShadows(_dense, 64, 65, 128);
        Assert.That(Shadows.NativeBytes, Is.EqualTo(2 * 276));
        _test.PutShadows(_sparse, 1, 2, 3);
        Assert.That(Shadows.NativeBytes, Is.EqualTo((2 * 276) + (3 * 32)));
        Assert.That(Shadows.LeafCount, Is.EqualTo(5));
    }

    /// <summary>What goes from one store leaves the other as it is, however a shadow goes.</summary>
    [Test]
    public void EachStoreBoundsTheShadowsOfItsOwnObjects()
    {
        ShadowStore second = _test.Index.NewShadowStore();
        ObjectId dense2 = _test.Index.AddObject(100_000, dense: true, second);
        ObjectId sparse2 = _test.Index.AddObject(PageKey.PageMax + 1, dense: false, second);
        (ObjectId Dense, ObjectId Sparse)[] turns = [(dense2, sparse2), (_dense, _sparse), (dense2, sparse2)];
        foreach ((ObjectId dense, ObjectId sparse) in turns)
        {
            _test.PutShadows(dense, 640, 641, 1280, 1920);
            _test.PutShadows(sparse, 0, 640, 1280);
            _test.Index.Validate();
        }

        Assert.That((Shadows.LeafCount, second.LeafCount), Is.EqualTo((6u, 6u)));
        // A frame beside shadows, and nothing but the shadows again.
        _test.Clear(_test.Put(dense2, 642));
        Assert.That((Shadows.LeafCount, second.LeafCount), Is.EqualTo((6u, 6u)));
        _test.Index.Validate();
        _test.Put(dense2, 1920);
        _test.Put(sparse2, 1280);
        Assert.That((Shadows.LeafCount, second.LeafCount), Is.EqualTo((6u, 4u)));
        _test.Index.Validate();
        _test.Index.ClearShadow(_test.Index.FindSlot(dense2, 1280));
        _test.Index.ClearShadow(_test.Index.FindSlot(sparse2, 640));
        Assert.That((Shadows.LeafCount, second.LeafCount), Is.EqualTo((6u, 2u)));
        _test.Index.Validate();
        while (_test.Index.DropOldestShadowLeaf(second) > 0) _test.Index.Validate();
        Assert.That((Shadows.LeafCount, second.LeafCount), Is.EqualTo((6u, 0u)));
        Assert.That((Shadows.DroppedCount, second.DroppedCount), Is.EqualTo((0L, 3L)));
        Assert.That((Shadows.IndexLeafCount, second.IndexLeafCount), Is.EqualTo((6u, 2u)));
        Assert.That(_test.Entry(_dense, 640).IsShadow && _test.Entry(_sparse, 640).IsShadow, Is.True);
    }

    /// <summary>A batch of evictions leaves the same slots, states and counts as the same frames one by one.</summary>
    [TestCase(0)]
    [TestCase(5)]
    public void ABatchLeavesWhatSingleEvictionsLeave(int listBits)
    {
        ShadowFormat format = new(listBits, 1000);
        using TestIndex single = new();
        ulong[] pages = [3, 64, 65, 130, 131, 700];
        List<FrameId> batch = [];
        foreach (TestIndex test in new[] { single, _test })
        {
            ObjectId[] owners = test == _test
                ? [_dense, _sparse]
                : [test.Index.AddObject(100_000, true), test.Index.AddObject(PageKey.PageMax + 1, false)];
            foreach (ObjectId owner in owners)
            {
                test.Put(owner, 131);
                foreach (ulong page in pages.Where(page => page != 131))
                {
                    FrameId frame = test.Put(owner, page);
                    if (page % 2 == 0) test.Frames.SetFlags(frame, FrameState.Workingset | FrameState.Active);
                    if (test == _test) batch.Add(frame);
                }
            }
        }

        _test.Index.ReplaceByShadows([.. batch], format, firstAge: 77, list: 3);
        foreach ((int i, FrameId frame) in batch.Index())
        {
            bool workingset = single.Frames.State(frame).Has(FrameState.Workingset);
            single.Index.ReplaceByShadow(single.Frames.Slot(frame), format.Pack(77 + (ulong)i, 3, workingset));
            single.Frames.State(frame) = single.Frames.State(frame).Freed();
        }

        Assert.Multiple(() =>
        {
            foreach (ObjectId owner in new[] { _dense, _sparse })
            {
                foreach (ulong page in pages)
                    Assert.That(_test.Entry(owner, page), Is.EqualTo(single.Entry(owner, page)), $"page {page}");
            }

            foreach (FrameId frame in batch)
                Assert.That(_test.Frames.State(frame), Is.EqualTo(single.Frames.State(frame)), $"{frame}");
            Assert.That(Shadows.LeafCount, Is.EqualTo(single.Index.Shadows.LeafCount).And.EqualTo(8));
        });
        _test.Index.Validate();
        single.Index.Validate();
        // They come back oldest first.
        for (int i = 0; i < 8; i++)
        {
            int expected = single.Index.DropOldestShadowLeaf(single.Index.Shadows);
            Assert.That(_test.Index.DropOldestShadowLeaf(Shadows), Is.EqualTo(expected));
            Assert.That(Shadows.Oldest, Is.EqualTo(single.Index.Shadows.Oldest));
        }
    }

    /// <summary>Method: more evictions than counts could hold, were a node's block to have any.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void ANodeBearsAnyNumberOfEvictions(bool batch)
    {
        ShadowEntry last = ShadowEntry.None;
        for (uint i = 0; i < 70_000; i++)
        {
            (FrameId frame, ShadowEntry found) = _test.Enter(_sparse, 12);
            if (found != last) Assert.Fail($"eviction {i}: {found}, not {last}");
            if (batch) _test.Index.ReplaceByShadows([frame], TestIndex.Format, firstAge: i, list: 0);
            last = batch ? _test.Entry(_sparse, 12).Shadow : _test.Evict(frame, i);
            if (batch) _test.Free(frame);
        }

        _test.Index.Validate();
        Assert.That(_test.Index.DropOldestShadowLeaf(Shadows), Is.EqualTo(1));
        Assert.That((Shadows.LeafCount, Shadows.IndexLeafCount), Is.EqualTo((0u, 0u)));
    }

    /// <summary>Leaves that come and go use the same memory again.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void AChangingSetOfPagesTakesNoMoreMemory(bool dense)
    {
        ObjectId owner = dense ? _dense : _sparse;
        _test.PutShadows(owner, 99_000);
        long bytes = _test.Index.NativeBytes;
        for (ulong i = 0; i < 5000; i++)
        {
            if (i % 2 == 0) _test.Clear(_test.Put(owner, i * 19));
            else _test.PutShadows(owner, i * 19);
            if (i % 2 == 1) _test.Index.DropOldestShadowLeaf(Shadows);
        }

        Assert.That(_test.Index.NativeBytes, Is.EqualTo(bytes));
        _test.Index.Validate();
    }

    /// <summary>Whoever keeps addresses asks which leaves have gone since: the last eight are known.</summary>
    [Test]
    public void TheLeavesThatWentLastAreKnown()
    {
        FrameId[] frames = [.. Enumerable.Range(0, 20).Select(i => _test.Put(_dense, (ulong)i * 64))];
        List<uint> gone = [];
        Random random = TestSeed.Random(51);
        foreach (FrameId frame in frames.OrderBy(_ => random.Next()))
        {
            uint block = _test.Frames.Slot(frame) / 64;
            if (gone.Count % 5 == 3)
            {
                // A node has no leaf.
                _test.Clear(_test.Put(_sparse, 99));
                gone.Add(0);
            }

            if (gone.Count % 2 == 0)
            {
                _test.Clear(frame);
            }
            else
            {
                _test.Evict(frame);
                _test.Index.DropOldestShadowLeaf(Shadows);
            }

            gone.Add(block);
            Assert.That(_test.Index.LeavesRemoved, Is.EqualTo(gone.Count));
            for (int i = Math.Max(0, gone.Count - 8); i < gone.Count; i++)
                Assert.That(_test.Index.RemovedLeaf((uint)i), Is.EqualTo(gone[i]), $"the {i}th of {gone.Count}");
        }
    }

    [Test]
    public void AWalkOfASparseObjectEndsWithTheObject()
    {
        ObjectId next = _test.Index.AddObject(PageKey.PageMax + 1, dense: false);
        _test.Put(_sparse, PageKey.PageMax);
        _test.PutShadows(_sparse, 4);
        _test.Put(next, 0);
        for (int framesOnly = 0; framesOnly < 2; framesOnly++)
        {
            List<ulong> visited = [];
            _test.Index.Walk(_sparse, 0, ulong.MaxValue, (page, _, _) => visited.Add(page), framesOnly == 1);
            Assert.That(visited, Is.EqualTo(framesOnly == 1 ? [PageKey.PageMax] : (ulong[])[4, PageKey.PageMax]));
        }
    }

    /// <summary>The borders of a walk, slot by slot, over leaves that are full.</summary>
    [Test]
    public void AWalkOfADenseObjectStartsAndEndsInTheMiddleOfLeaves()
    {
        for (ulong page = 64; page < 256; page++) _test.Put(_dense, page);
        (ulong First, ulong Last)[] ranges =
        [
            (0, 63), (0, 64), (63, 65), (64, 127), (70, 70), (100, 200), (127, 128), (191, 400), (255, 256), (256, 999),
        ];
        foreach ((ulong first, ulong last) in ranges)
        {
            List<ulong> visited = [];
            _test.Index.Walk(_dense, first, last, (page, address, entry) =>
            {
                Assert.That(address, Is.EqualTo(_test.Index.FindSlot(_dense, page)));
                Assert.That(_test.Frames.Key(entry.Frame), Is.EqualTo(new PageKey(_dense, page)));
                visited.Add(page);
            });
            ulong from = Math.Max(first, 64);
            ulong to = Math.Min(last, 255);
            Assert.That(visited, Is.EqualTo(
                from > to ? [] : Enumerable.Range((int)from, (int)(to - from) + 1).Select(page => (ulong)page)));
        }
    }
}
