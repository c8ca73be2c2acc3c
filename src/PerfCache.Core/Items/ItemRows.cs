// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>
/// The rows of one shard in normal native memory: heads, links of the rule's lists, links of the items in one
/// frame, and the cells with long keys. Nothing of it is ever in page memory, which the system may clear at any
/// moment.
/// </summary>
/// <remarks>
/// Rows and cells are handed out again, last freed first; the columns only grow, by steps that the budget allows.
/// <para>R1: a row is free (no marks, on the chain of free rows) or in use; row 0 is neither and stays zero.</para>
/// <para>R2: a key longer than <see cref="ItemHead.KeyStartBytes"/> has exactly the cells it needs, chained, and
/// no cell is in two keys or in a key and on the chain of free cells.</para>
/// </remarks>
internal sealed unsafe class ItemRows : IDisposable
{
    internal const int RowBytes = ItemHead.SizeBytes + 8 + 8;
    private const uint RowsStep = 512;
    private const uint CellsStep = 512;

    private readonly ItemBudget _budget;
    private readonly NativeColumn<ItemHead> _heads;
    private readonly NativeColumn<ItemLink> _links;
    private readonly NativeColumn<ItemLink> _frameLinks;
    private readonly NativeColumn<KeyCell> _cells;
    private uint _freeRow;
    private uint _freeCell;
    private uint _cellEnd = 1;
    private long _rowsUsable = 1;

    internal ItemRows(ItemBudget budget, MemoryMeter meter)
    {
        _budget = budget;
        long rowMax = Math.Min((budget.LimitBytes / RowBytes) + RowsStep, uint.MaxValue / 2);
        long cellMax = Math.Min((budget.LimitBytes / KeyCell.SizeBytes) + CellsStep, uint.MaxValue / 2);
        try
        {
            _heads = new NativeColumn<ItemHead>("heads of items", rowMax, meter);
            _links = new NativeColumn<ItemLink>("links of items", rowMax, meter);
            _frameLinks = new NativeColumn<ItemLink>("links of items in frames", rowMax, meter);
            _cells = new NativeColumn<KeyCell>("keys of items", cellMax, meter);
        }
        catch
        {
            Dispose();
            throw;
        }

        Heads = _heads.View;
        Links = _links.View;
        FrameLinks = _frameLinks.View;
    }

    internal NativeArray<ItemHead> Heads { get; }

    internal NativeArray<ItemLink> Links { get; }

    internal NativeArray<ItemLink> FrameLinks { get; }

    /// <summary>The row behind the last that was ever used.</summary>
    internal uint RowEnd { get; private set; } = 1;

    /// <summary>Rows that can be had without growing.</summary>
    internal uint FreeRows { get; private set; }

    /// <summary>Key cells that can be had without growing.</summary>
    internal uint FreeCells { get; private set; }

    internal long NativeBytes =>
        _heads.CommittedBytes + _links.CommittedBytes + _frameLinks.CommittedBytes + _cells.CommittedBytes;

    /// <summary>What one more step of rows costs.</summary>
    internal static long RowsStepBytes => RowsStep * RowBytes;

    /// <summary>What one more step of key cells costs.</summary>
    internal static long CellsStepBytes => CellsStep * KeyCell.SizeBytes;

    /// <summary>Key cells that a key needs: none for one that fits into the row, for which the sum stays below a cell's bytes.
    /// </summary>
    internal static uint CellsOf(int keyLength) =>
        (uint)((keyLength - ItemHead.KeyStartBytes + KeyCell.KeyBytes - 1) / KeyCell.KeyBytes);

    /// <summary>Makes more rows, if the budget allows it.</summary>
    internal bool TryGrowRows()
    {
        long before = NativeBytes;
        long length = _heads.Length + RowsStep;
        if (length > _heads.LengthMax || !_budget.TrySpend(RowsStepBytes)) return false;
        try
        {
            _heads.EnsureLengthExact(length);
            _links.EnsureLengthExact(length);
            _frameLinks.EnsureLengthExact(length);
        }
        catch (NativeMemoryException)
        {
            _budget.Refund(RowsStepBytes - (NativeBytes - before));
            return false;
        }

        // Rounding to pages of the system may have given more or less than was spent.
        _budget.Refund(RowsStepBytes - (NativeBytes - before));
        long usable = Math.Min(_heads.Length, Math.Min(_links.Length, _frameLinks.Length));
        FreeRows += (uint)(usable - _rowsUsable);
        _rowsUsable = usable;
        return true;
    }

    /// <summary>Makes more key cells, if the budget allows it.</summary>
    internal bool TryGrowCells()
    {
        long before = _cells.CommittedBytes;
        long lengthBefore = Math.Max(1, _cells.Length);
        if (_cells.Length + CellsStep > _cells.LengthMax || !_budget.TrySpend(CellsStepBytes)) return false;
        try
        {
            _cells.EnsureLengthExact(_cells.Length + CellsStep);
        }
        catch (NativeMemoryException)
        {
            _budget.Refund(CellsStepBytes);
            return false;
        }

        _budget.Refund(CellsStepBytes - (_cells.CommittedBytes - before));
        FreeCells += (uint)(_cells.Length - lengthBefore);
        return true;
    }

    /// <summary>A free row: there must be one.</summary>
    internal uint AllocateRow()
    {
        Invariant.Assert(FreeRows > 0, nameof(ItemRows), "R1: a free row", FreeRows);
        FreeRows--;
        uint row = _freeRow;
        if (row == 0) return RowEnd++;
        _freeRow = Heads[row].NextInBucket;
        return row;
    }

    /// <summary>Frees a row whose key and value are gone.</summary>
    internal void FreeRow(uint row)
    {
        Heads[row] = new ItemHead { NextInBucket = _freeRow };
        _freeRow = row;
        FreeRows++;
    }

    /// <summary>Writes the key of a row; there must be cells enough.</summary>
    internal void SetKey(uint row, ReadOnlySpan<byte> key)
    {
        ref ItemHead head = ref Heads[row];
        head.KeyLength = (byte)key.Length;
        int start = Math.Min(key.Length, ItemHead.KeyStartBytes);
        key[..start].CopyTo(StartOf(ref head));
        key = key[start..];
        uint previous = 0;
        while (!key.IsEmpty)
        {
            uint cell = AllocateCell();
            int count = Math.Min(key.Length, KeyCell.KeyBytes);
            key[..count].CopyTo(BytesOf(cell));
            key = key[count..];
            if (previous == 0) head.KeyCell = cell;
            else _cells.View[previous].Next = cell;
            previous = cell;
        }
    }

    /// <summary>Frees the cells of a row's key.</summary>
    internal void ClearKey(uint row)
    {
        ref ItemHead head = ref Heads[row];
        uint cell = head.KeyCell;
        head.KeyCell = 0;
        while (cell != 0)
        {
            uint next = _cells.View[cell].Next;
            _cells.View[cell].Next = _freeCell;
            _freeCell = cell;
            FreeCells++;
            cell = next;
        }
    }

    /// <summary>True when the row's key is this one.</summary>
    internal bool KeyEquals(ref ItemHead head, ReadOnlySpan<byte> key)
    {
        if (head.KeyLength != key.Length) return false;
        int start = Math.Min(key.Length, ItemHead.KeyStartBytes);
        if (!key[..start].SequenceEqual(StartOf(ref head)[..start])) return false;
        key = key[start..];
        for (uint cell = head.KeyCell; !key.IsEmpty; cell = _cells.View[cell].Next)
        {
            int count = Math.Min(key.Length, KeyCell.KeyBytes);
            if (!key[..count].SequenceEqual(BytesOf(cell)[..count])) return false;
            key = key[count..];
        }

        return true;
    }

    /// <summary>Copies the row's key.</summary>
    /// <returns>The key's bytes.</returns>
    internal int CopyKey(uint row, Span<byte> key)
    {
        ref ItemHead head = ref Heads[row];
        int length = head.KeyLength;
        int start = Math.Min(length, ItemHead.KeyStartBytes);
        StartOf(ref head)[..start].CopyTo(key);
        int copied = start;
        for (uint cell = head.KeyCell; copied < length; cell = _cells.View[cell].Next)
        {
            int count = Math.Min(length - copied, KeyCell.KeyBytes);
            BytesOf(cell)[..count].CopyTo(key[copied..]);
            copied += count;
        }

        return length;
    }

    /// <summary>Checks R1 and R2. O(rows): for tests.</summary>
    internal void Validate()
    {
        uint free = 0;
        for (uint row = _freeRow; row != 0; row = Heads[row].NextInBucket)
        {
            Invariant.Check(Heads[row].Marks == RowMarks.None, nameof(ItemRows), $"R1: free row {row} without marks",
                (long)Heads[row].Marks);
            Invariant.Check(++free <= RowEnd, nameof(ItemRows), "R1: a chain of free rows that ends", free);
        }

        uint used = 0;
        HashSet<uint> cells = [];
        for (uint row = 1; row < RowEnd; row++)
        {
            ref ItemHead head = ref Heads[row];
            if (head.Marks == RowMarks.None) continue;
            used++;
            uint cell = head.KeyCell;
            for (uint count = CellsOf(head.KeyLength); count > 0; count--)
            {
                Invariant.Check(cell != 0 && cells.Add(cell), nameof(ItemRows), $"R2: a cell of row {row} alone", cell);
                cell = _cells.View[cell].Next;
            }

            Invariant.Check(cell == 0, nameof(ItemRows), $"R2: the cells of row {row} to end", cell);
        }

        Invariant.Check(
            used + free == RowEnd - 1, nameof(ItemRows), $"R1: {RowEnd - 1} rows used or free", used + free);
        Invariant.Check(
            FreeRows == free + _rowsUsable - RowEnd, nameof(ItemRows),
            $"R1: {free + _rowsUsable - RowEnd} free rows", FreeRows);
        uint freeCells = 0;
        for (uint cell = _freeCell; cell != 0; cell = _cells.View[cell].Next)
        {
            Invariant.Check(cells.Add(cell), nameof(ItemRows), "R2: a free cell in no key", cell);
            freeCells++;
        }

        Invariant.Check(cells.Count == _cellEnd - 1, nameof(ItemRows), $"R2: {_cellEnd - 1} cells", cells.Count);
        Invariant.Check(
            _cells.Length == 0 || FreeCells == freeCells + _cells.Length - _cellEnd, nameof(ItemRows),
            $"R2: {freeCells + _cells.Length - _cellEnd} free cells", FreeCells);
    }

    /// <summary>Gives all memory back.</summary>
    public void Dispose()
    {
        _heads?.Dispose();
        _links?.Dispose();
        _frameLinks?.Dispose();
        _cells?.Dispose();
    }

    private uint AllocateCell()
    {
        Invariant.Assert(FreeCells > 0, nameof(ItemRows), "R2: a free cell", FreeCells);
        FreeCells--;
        uint cell = _freeCell;
        if (cell == 0) return _cellEnd++;
        _freeCell = _cells.View[cell].Next;
        _cells.View[cell].Next = 0;
        return cell;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> BytesOf(uint cell) =>
        new(Unsafe.AsPointer(ref _cells.View[cell].Bytes[0]), KeyCell.KeyBytes);

    // A row lies in native memory and does not move, so its address is good for as long as the row is.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Span<byte> StartOf(ref ItemHead head) =>
        new(Unsafe.AsPointer(ref head.KeyStart[0]), ItemHead.KeyStartBytes);
}
