// SPDX-License-Identifier: MIT
using PerfCache.Items;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: rows and cells are handed out once, cost what they take from the budget, and are not counted where memory was
/// refused; a list of items is a list. Method: rows alone, to the last one; lists against a naive twin.
/// </summary>
[TestFixture]
internal sealed class ItemRowsTests
{
    // 512 rows of a head and two links, 512 cells of 32 bytes.
    private const long RowsBytes = 512 * 80;
    private const long CellsBytes = 512 * 32;

    private readonly MemoryMeter _meter = new();

    [Test]
    public void AStepOfRowsWantsItsBytesToTheLast()
    {
        ItemBudget budget = new(RowsBytes - 1);
        using ItemRows rows = new(budget, _meter);
        Assert.That((rows.TryGrowRows(), rows.FreeRows, budget.UsedBytes), Is.EqualTo((false, 0u, 0L)));
        budget.Move(1);
        Assert.That((rows.TryGrowRows(), rows.FreeRows, budget.UsedBytes), Is.EqualTo((true, 511u, RowsBytes)));
        Assert.That(rows.TryGrowRows() || rows.TryGrowCells(), Is.False, "nothing is left");
        budget.Move(CellsBytes);
        Assert.That((rows.TryGrowCells(), rows.FreeCells), Is.EqualTo((true, 511u)));
        Assert.That((budget.UsedBytes, rows.NativeBytes), Is.EqualTo((RowsBytes + CellsBytes, RowsBytes + CellsBytes)));
    }

    [Test]
    public void EachRowAndCellIsHandedOutOnce()
    {
        ItemBudget budget = new(4L << 20);
        using ItemRows rows = new(budget, _meter);
        HashSet<uint> handedOut = [];
        for (int step = 0; step < 3; step++)
        {
            Assert.That(rows.TryGrowRows(), Is.True);
            while (rows.FreeRows > 0)
            {
                uint row = rows.AllocateRow();
                Assert.That(row != 0 && handedOut.Add(row), Is.True);
                // The last one of a step too has its links.
                rows.Links[row] = new ItemLink { Next = row };
                rows.FrameLinks[row] = new ItemLink { Next = row };
                rows.Heads[row].Marks = RowMarks.Live;
            }

            Assert.That(handedOut, Has.Count.EqualTo((512 * (step + 1)) - 1));
        }

        byte[] key = [.. Enumerable.Range(0, 250).Select(i => (byte)i)];
        uint keys = 0;
        for (; keys < 100; keys++)
        {
            while (rows.FreeCells < ItemRows.CellsOf(250)) Assert.That(rows.TryGrowCells(), Is.True);
            key[0] = key[249] = (byte)keys;
            rows.SetKey(keys + 1, key);
        }

        rows.Validate();
        Span<byte> copy = stackalloc byte[250];
        for (uint row = 1; row <= keys; row++)
        {
            key[0] = key[249] = (byte)(row - 1);
            Assert.That(rows.CopyKey(row, copy) == 250 && copy.SequenceEqual(key), Is.True);
            Assert.That(rows.KeyEquals(ref rows.Heads[row], key), Is.True);
            key[249]++;
            Assert.That(rows.KeyEquals(ref rows.Heads[row], key), Is.False, "another last byte");
        }

        uint cells = rows.FreeCells;
        for (uint row = 1; row <= keys; row++) rows.ClearKey(row);
        Assert.That(rows.FreeCells, Is.EqualTo(cells + (100 * 9)), "241 bytes are nine cells of 28");
        Assert.That(budget.UsedBytes, Is.EqualTo(rows.NativeBytes));
    }

    [TestCase(1, 0u)]
    [TestCase(9, 0u)]
    [TestCase(10, 1u)]
    [TestCase(37, 1u)]
    [TestCase(38, 2u)]
    [TestCase(250, 9u)]
    public void AKeyHasTheCellsItNeeds(int length, uint cells) => Assert.That(ItemRows.CellsOf(length), Is.EqualTo(cells));

    [Test]
    public void WhereMemoryIsRefusedNothingIsCounted([Values(1, 2, 3)] int refused)
    {
        ItemBudget budget = new(4L << 20);
        using ItemRows rows = new(budget, _meter);
        using (new MemoryFaults(refused)) Assert.That(rows.TryGrowRows(), Is.False);
        Assert.That((rows.FreeRows, budget.UsedBytes), Is.EqualTo((0u, rows.NativeBytes)));
        using (new MemoryFaults(1)) Assert.That(rows.TryGrowCells(), Is.False);
        Assert.That((rows.FreeCells, budget.UsedBytes), Is.EqualTo((0u, rows.NativeBytes)));
        Assert.That(rows.TryGrowRows() && rows.TryGrowCells(), Is.True);
        Assert.That(budget.UsedBytes, Is.EqualTo(rows.NativeBytes));
        rows.Validate();
        while (rows.FreeRows > 0)
        {
            uint row = rows.AllocateRow();
            rows.FrameLinks[row] = rows.Links[row] = new ItemLink { Next = row };
        }
    }

    [Test]
    public void AListOfItemsIsAList()
    {
        using ItemRows rows = new(new ItemBudget(4L << 20), _meter);
        rows.TryGrowRows();
        ItemList list = new(rows);
        List<uint> twin = [];
        Random random = TestSeed.Random(3);
        for (int step = 0; step < 5000; step++)
        {
            uint item = (uint)random.Next(1, 30);
            bool isOn = twin.Remove(item);
            if (!isOn) list.PushHead(new ItemId(item));
            else if (random.Next(2) == 0) list.MoveToHead(new ItemId(item));
            else list.Remove(new ItemId(item));
            if (!isOn || list.Count > twin.Count) twin.Insert(0, item);
            List<uint> found = [];
            for (ItemId at = list.Head; !at.IsNone; at = list.Older(at)) found.Add(at.Value);
            if (!found.SequenceEqual(twin)) Assert.Fail($"step {step}: {string.Join(' ', found)}");
            Assert.That((list.Count, list.Tail.Value), Is.EqualTo(((uint)twin.Count, twin.LastOrDefault())));
            list.Validate();
        }
    }
}
