// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using static PerfCache.Tests.Core.Items.ItemTestStore;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: <c>Validate</c> finds each broken invariant and names it. Method: a shard with items of all shapes and frames of
/// all uses, one of whose words is overwritten; then it is put right, and all is well again.
/// </summary>
[TestFixture]
internal sealed class ItemValidateTests
{
    private ItemTestStore _store = null!;
    private ItemSpace _space = null!;

    private NativeArray<ItemHead> Heads => _space.Rows.Heads;

    private NativeArray<ItemFrame> Frames => _space.AllFrames.Rows;

    [SetUp]
    public void Make()
    {
        _store = new ItemTestStore();
        _space = _store.Store.Shards[0].Space;
        // Two frames of the smallest class: the first full, the second with a free slot.
        for (int i = 0; i < 63; i++) _store.Set($"s{i}", Value(i, 120));
        _store.Set(new string('a', 60), Value(1, 1000));
        _store.Set(new string('b', 60), Value(1, 1000));
        _store.Set("split", Value(2, 3000));
        _store.Set("whole", Value(3, 8192));
        _store.Set("gone", Value(4, 500));
        _store.Store.Delete(Key("gone"), 0);
        Assert.That(_store.Store.Withdraw(new FrameId(32)), Is.Zero);
        _store.Store.Validate();
    }

    [TearDown]
    public void Free() => _store.Dispose();

    [Test]
    public void AFreeRowWithMarksIsNamed()
    {
        uint free = _space.Rows.RowEnd - 1;
        Assert.That(Heads[free].Marks, Is.EqualTo(RowMarks.None));
        Breaks(ref Heads[free].Marks, RowMarks.Referenced, $"R1: free row {free} without marks, found 8");
    }

    [Test]
    public void FreeRowsInACircleAreNamed()
    {
        uint free = _space.Rows.RowEnd - 1;
        Breaks(
            ref Heads[free].NextInBucket, free,
            $"R1: a chain of free rows that ends, found {_space.Rows.RowEnd + 1}");
    }

    [Test]
    public void AKeyWithAnothersCellsIsNamed()
    {
        uint first = RowOf(new string('a', 60));
        uint second = RowOf(new string('b', 60));
        Assert.That(first, Is.LessThan(second));
        uint cell = Heads[first].KeyCell;
        Breaks(ref Heads[second].KeyCell, cell, $"R2: a cell of row {second} alone, found {cell}");
        Breaks(ref Heads[second].KeyCell, 0u, $"R2: a cell of row {second} alone, found 0");
    }

    [Test]
    public void AKeyWithTooFewOrTooManyCellsIsNamed()
    {
        uint row = RowOf(new string('a', 60));
        uint last = Heads[row].KeyCell + 1;
        // 9 bytes in the row and 28 in each of two cells; a third for one byte more.
        Breaks(ref Heads[row].KeyLength, (byte)66, $"R2: a cell of row {row} alone, found 0");
        Breaks(ref Heads[row].KeyLength, (byte)37, $"R2: the cells of row {row} to end, found {last}");
    }

    [Test]
    public void ACellThatIsFreeAndInAKeyIsNamed()
    {
        uint row = RowOf(new string('a', 60));
        uint cell = Heads[row].KeyCell;
        _space.Rows.ClearKey(row);
        Heads[row].KeyCell = cell;
        Fails("R2: a cell of row ");
    }

    [Test]
    public void AFreeCellInAKeyOfTheSameLengthIsNamed()
    {
        // A key of one cell: its chain looks right, but the cell is on the chain of free ones too.
        string key = new('c', 30);
        _store.Set(key, Value(1, 10));
        uint row = RowOf(key);
        uint cell = Heads[row].KeyCell;
        _space.Rows.ClearKey(row);
        Heads[row].KeyCell = cell;
        Fails($"R2: a free cell in no key, found {cell}");
    }

    [Test]
    public void CellsOfNobodyAreNamed()
    {
        uint row = RowOf(new string('b', 60));
        uint cell = Heads[row].KeyCell;
        Heads[row].KeyCell = 0;
        Breaks(ref Heads[row].KeyLength, (byte)9, "R2: 4 cells, found 2", restores: false);
        Heads[row].KeyLength = 60;
        Heads[row].KeyCell = cell;
        _store.Store.Validate();
    }

    [Test]
    public void ARowOfNobodyIsNamed()
    {
        uint row = RowOf("s7");
        uint rows = _space.Rows.RowEnd - 1;
        Breaks(ref Heads[row].Marks, RowMarks.None, $"R1: {rows} rows used or free, found {rows - 1}");
        uint taken = _space.Rows.AllocateRow();
        Fails($"R1: {rows} rows used or free, found {rows - 1}");
        _space.Rows.FreeRow(taken);
        _store.Store.Validate();
        _space.Rows.FreeRow(taken);
        Fails("R1: a chain of free rows that ends");
    }

    [Test]
    public void ARowThatIsFreeAndNotCountedIsNamed()
    {
        _store.Store.Delete(Key("s3"), 0);
        _store.Store.Delete(Key("s4"), 0);
        uint last = _space.Rows.RowEnd - 1;
        Assert.That((Heads[last].Marks, Heads[last].NextInBucket), Is.EqualTo((RowMarks.None, 0u)), "the first that was freed");
        uint free = _space.Rows.FreeRows;
        uint taken = _space.Rows.AllocateRow();
        Heads[taken].NextInBucket = 0;
        Heads[last].NextInBucket = taken;
        Fails($"R1: {free} free rows, found {free - 1}");
        Heads[last].NextInBucket = 0;
        _space.Rows.FreeRow(taken);
        _store.Store.Validate();
    }

    [Test]
    public void ARowInAForeignBucketIsNamed()
    {
        uint row = RowOf("whole");
        uint hash = Heads[row].Hash;
        Breaks(ref Heads[row].Hash, hash ^ 1, $"X1: row {row} in bucket");
        Breaks(ref Heads[row].Marks, RowMarks.Continuation, $"X1: row {row} to be a live item");
    }

    [Test]
    public void AChainThatIsCutOrClosedIsNamed()
    {
        uint row = 1;
        while (!Heads[row].Has(RowMarks.Live) || Heads[row].NextInBucket == 0) row++;
        uint items = _space.ItemCount;
        Breaks(ref Heads[row].NextInBucket, 0u, $"X2: {items} items in the chains, found");
        Breaks(ref Heads[row].NextInBucket, row, $"X2: {items} items in the chains, found {items + 1}");
    }

    [TestCase((byte)200, "F1: a use of frame 31, found 200")]
    [TestCase((byte)128, "F1: a use of frame 31, found 128")]
    [TestCase((byte)0, "F1: a use of frame 31, found 0")]
    [TestCase(ItemFrames.Retired, "F1: FREE free frames, found")]
    [TestCase(ItemFrames.Withdrawn, "F1: FREE free frames, found")]
    [TestCase((byte)127, "F1: FREE free frames, found")]
    [TestCase(SizeClasses.Whole, "F1: FREE free frames, found")]
    public void AFrameOfAnotherUseIsNamed(byte use, string message)
    {
        Assert.That(Frames[31].Class, Is.EqualTo(ItemFrames.Free));
        string free = $"{_space.Frames.FreeCount}";
        Breaks(ref Frames[31].Class, use, message.Replace("FREE", free, StringComparison.Ordinal));
    }

    [Test]
    public void UsesThatDoNotAddUpAreNamed()
    {
        Breaks(ref Frames[32].Class, ItemFrames.Retired, "F1: 0 retired frames, found 1");
        Breaks(ref Frames[32].Class, SizeClasses.Whole, "F1: 1 withdrawn frames, found 0");
        uint whole = _store.FramesOf("whole")[0].Value;
        uint used = _space.Frames.UsedCount;
        uint row = Frames[whole].Row;
        Frames[whole].Row = 0;
        Breaks(ref Frames[whole].Class, (byte)100, $"F1: {used} frames in use, found {used - 1}", restores: false);
        Frames[whole].Class = SizeClasses.Whole;
        Frames[whole].Row = row;
        _store.Store.Validate();
    }

    [Test]
    public void SlotsThatDoNotAddUpAreNamed()
    {
        uint frame = _store.FramesOf("s0")[0].Value;
        uint words = _space.AllFrames.BitmapWords;
        Breaks(
            ref _space.AllFrames.UsedSlots[frame * words], uint.MaxValue >> 1,
            $"F3: 31 used slots of frame {frame}, found 32");
        Breaks(ref Frames[frame].UsedSlots, (ushort)31, $"F3: 32 used slots of frame {frame}, found 31");
        Breaks(ref Frames[frame].Row, 0u, $"F3: 32 rows linked to frame {frame}, found 0");
        uint newest = Frames[frame].Row;
        Breaks(ref _space.Rows.FrameLinks[newest].Next, 0u, $"F3: 32 rows linked to frame {frame}, found 1");
    }

    [Test]
    public void AListOfFramesThatIsBrokenIsNamed()
    {
        uint free = _space.Frames.FirstFree;
        Breaks(ref Frames[free].Previous, 77u, $"F2: frame {free}'s Previous to be 0, found 77");
        uint count = _space.Frames.FreeCount;
        Breaks(ref Frames[free].Next, 0u, $"F2: {count} frames on list 255, found 1");
        uint full = _store.FramesOf("s0")[0].Value;
        uint open = _store.FramesOf("s62")[0].Value;
        Assert.That(Frames[full].Class, Is.EqualTo(Frames[open].Class));
        Frames[full].Previous = open;
        Breaks(ref Frames[open].Next, full, $"F2: frame {full} with used and free slots, found 32", restores: false);
        Frames[full].Previous = 0;
        Frames[open].Next = 0;
        _store.Store.Validate();
    }

    [Test]
    public void AFrameOnAForeignListIsNamed()
    {
        uint free = _space.Frames.FirstFree;
        uint whole = _store.FramesOf("whole")[0].Value;
        // The uses add up; the frame on the list of free ones says that it is whole.
        Frames[whole].Class = ItemFrames.Free;
        Frames[free].Class = SizeClasses.Whole;
        Fails($"F2: frame {free} of list 255, found 1");
        Frames[whole].Class = SizeClasses.Whole;
        Frames[free].Class = ItemFrames.Free;
        _store.Store.Validate();
    }

    [Test]
    public void AFrameThatIsMissingOnItsClassesListIsNamed()
    {
        // Two frames of one class with a free slot each, of which the list knows one.
        _store.Store.Delete(Key("s0"), 0);
        uint first = _store.FramesOf("s1")[0].Value;
        uint second = _store.FramesOf("s62")[0].Value;
        _store.Store.Validate();
        Breaks(ref Frames[first].Next, 0u, $"F2: 2 frames on list {Frames[first].Class}, found 1");
        Assert.That((Frames[first].Next, Frames[second].Previous), Is.EqualTo((second, first)));
    }

    [Test]
    public void BytesThatNobodySpentAreNamed()
    {
        long used = _space.Budget.UsedBytes;
        _space.Budget.Refund(1);
        Fails($"F4: {used} bytes spent, found {used - 1}");
        _space.Budget.Refund(-1);
        long above = used - _space.Budget.LimitBytes;
        _space.Budget.Move(above - 1);
        Fails($"S4: at most {used - 1} bytes, found {used}");
        _space.Budget.Move(1);
        _store.Store.Validate();
    }

    [Test]
    public void TwoItemsWithOneKeyAreNamed()
    {
        // Two of the short keys whose items hang in one bucket: one gets the other's hash and key.
        uint first = 1;
        while (!IsShort(first) || !IsShort(Heads[first].NextInBucket)) first++;
        uint second = Heads[first].NextInBucket;
        ItemHead kept = Heads[second];
        Heads[second].Hash = Heads[first].Hash;
        Span<byte> key = stackalloc byte[ItemStoreOptions.KeyBytesMax];
        int length = _space.Rows.CopyKey(first, key);
        _space.Rows.SetKey(second, key[..length]);
        Fails($"S1: row {second} under its key, found {first}");
        Heads[second] = kept;
        _store.Store.Validate();

        bool IsShort(uint row) => Heads[row].Has(RowMarks.Live) && Heads[row].KeyLength <= 3;
    }

    [Test]
    public void CountsOfBytesThatAreWrongAreNamed()
    {
        uint row = RowOf("s10");
        Breaks(ref Heads[row].KeyLength, (byte)2, $"S3: {_store.Counts.KeyBytes - 1} bytes of keys");
        Breaks(ref Heads[row].Length, 121, $"S3: {_store.Counts.ValueBytes + 1} bytes of values");
    }

    [Test]
    public void PiecesThatDoNotFitTheLengthAreNamed()
    {
        uint row = RowOf("s10");
        Breaks(ref Heads[row].Length, 2000, "S1: class 2 of row");
        uint whole = RowOf("whole");
        Breaks(ref Heads[whole].Length, 4096, $"S1: 1 frames of row {whole}, found 2");
        Breaks(ref Heads[whole].Length, 8192 + 2000, $"S1: class 2 of row {whole}, found 0");
        uint frame = Heads[whole].Rest;
        Breaks(ref Frames[frame].Row, row, $"S1: frame {frame} of row {whole}, found {row}");
        uint split = RowOf("split");
        ValueShape shape = _space.AllFrames.Classes.ShapeOf(3000);
        Breaks(ref Heads[split].Length, 2000, $"S1: second class 0 of row {split}, found {shape.Second}");
    }

    [Test]
    public void AContinuationOfNobodyIsNamed()
    {
        uint split = RowOf("split");
        uint continuation = Heads[split].Rest;
        Breaks(ref Heads[continuation].NextInBucket, 1u, $"S2: row {continuation} of row {split}, found 1");
        Breaks(ref Heads[continuation].Marks, RowMarks.Referenced, $"S2: row {continuation} of row {split}");
        uint row = _space.Rows.AllocateRow();
        Heads[row].Marks = RowMarks.Continuation;
        Fails("S2: 1 continuations, found 2");
        _space.Rows.FreeRow(row);
        _store.Store.Validate();
    }

    [Test]
    public void TheRuleValidatesItsListsToo()
    {
        uint row = RowOf("whole");
        Breaks(ref _space.Rows.Links[row].Previous, 77u, $"L1: item {row}'s Previous to be 0, found 77");
    }

    [Test]
    public void AListOfItemsThatIsBrokenIsNamed()
    {
        ItemList list = _space.NewList();
        ItemList other = _space.NewList();
        // Rows above all that the store's own lists know.
        ItemId[] items = [new(300), new(301), new(302)];
        foreach (ItemId item in items) list.PushHead(item);
        list.Validate();
        NativeArray<ItemLink> links = _space.Rows.Links;
        Damage(ref links[301].Previous, 300u, "L1: item 301's Previous to be 302, found 300");
        Damage(ref links[301].Next, 0u, "L2: the tail to be 301, found 300");
        other.PushHead(new ItemId(310));
        links[310].Next = 311;
        links[311].Previous = 310;
        Assert.That(
            other.Validate, Throws.TypeOf<InvariantException>().With.Message.Contains("L2: "));
        other.Remove(new ItemId(310));
        // Taken out by hand: the links are right and the count is not.
        links[302].Next = 300;
        links[300].Previous = 302;
        Assert.That(
            list.Validate,
            Throws.TypeOf<InvariantException>().With.Message.Contains("ItemList: expected L2: a list of 3 items, found 2"));

        void Damage(ref uint word, uint value, string message)
        {
            uint before = word;
            word = value;
            Assert.That(list.Validate, Throws.TypeOf<InvariantException>().With.Message.Contains($"ItemList: expected {message}"));
            word = before;
            list.Validate();
        }
    }

    private void Breaks<T>(ref T word, T value, string message, bool restores = true)
    {
        T before = word;
        word = value;
        Fails(message);
        if (!restores) return;
        word = before;
        _store.Store.Validate();
    }

    private void Fails(string message)
    {
        string part = message[0] switch
        {
            'R' => nameof(ItemRows),
            'X' => nameof(ItemIndex),
            'F' => nameof(ShardFrames),
            'L' => nameof(ItemList),
            _ => "ItemShard",
        };
        Assert.That(
            _store.Store.Validate,
            Throws.TypeOf<InvariantException>().With.Message.Contains($"{part}: expected {message}"));
    }

    private uint RowOf(string key)
    {
        byte[] wanted = Key(key);
        for (uint row = 1; row < _space.Rows.RowEnd; row++)
        {
            if (Heads[row].Has(RowMarks.Live) && _space.Rows.KeyEquals(ref Heads[row], wanted)) return row;
        }

        throw new InvalidOperationException($"no item {key}");
    }
}
