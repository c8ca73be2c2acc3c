// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Memory;

namespace PerfCache.Items;

/// <summary>Key to row: chains of rows that hang on an array of buckets, grown one bucket at a time.</summary>
/// <remarks>
/// Linear hashing (Litwin 1980). There are as many buckets as items; whenever there is an item more, the next
/// bucket in line is split in two, by one more bit of the hash:
/// <code>
/// buckets   0 .. split-1 | split .. half-1 | half .. half+split-1
///           split already  still whole       their upper halves
/// </code>
/// No insertion ever moves more than the items of one bucket, so there is no pause to grow and no second table; the
/// array is a column that never moves, so growing it copies nothing. When the budget refuses, chains become longer
/// and that is all.
/// <para>X1: every live item is in the chain of its bucket, exactly once, and nothing else is.</para>
/// <para>X2: <see cref="Count"/> is the number of items in all chains.</para>
/// </remarks>
internal sealed class ItemIndex : IDisposable
{
    private const uint BucketsMin = 64;
    private const uint BucketsStep = 1024;

    private readonly ItemRows _rows;
    private readonly ItemBudget _budget;
    private readonly NativeColumn<uint> _column;
    private readonly NativeArray<uint> _buckets;
    private uint _bucketCount;
    private uint _mask;

    internal ItemIndex(ItemRows rows, ItemBudget budget, MemoryMeter meter)
    {
        _rows = rows;
        _budget = budget;
        long bucketMax = Math.Min((budget.LimitBytes / ItemRows.RowBytes) + BucketsStep, 1L << 31);
        _column = new NativeColumn<uint>("index of items", bucketMax, meter);
        try
        {
            _column.EnsureLengthExact(BucketsMin);
        }
        catch
        {
            _column.Dispose();
            throw;
        }

        _budget.TrySpend(_column.CommittedBytes);
        _buckets = _column.View;
        SetBucketCount(BucketsMin);
    }

    /// <summary>The number of items.</summary>
    internal uint Count { get; private set; }

    internal long NativeBytes => _column.CommittedBytes;

    /// <summary>The row with this key, or 0.</summary>
    internal uint Find(uint hash, ReadOnlySpan<byte> key)
    {
        NativeArray<ItemHead> heads = _rows.Heads;
        for (uint row = _buckets[BucketOf(hash)]; row != 0;)
        {
            ref ItemHead head = ref heads[row];
            if (head.Hash == hash && _rows.KeyEquals(ref head, key)) return row;
            row = head.NextInBucket;
        }

        return 0;
    }

    /// <summary>Adds a row whose hash is set.</summary>
    internal void Add(uint row)
    {
        ref ItemHead head = ref _rows.Heads[row];
        ref uint bucket = ref _buckets[BucketOf(head.Hash)];
        head.NextInBucket = bucket;
        bucket = row;
        if (++Count > _bucketCount) Grow();
    }

    /// <summary>Takes a row out.</summary>
    internal void Remove(uint row)
    {
        NativeArray<ItemHead> heads = _rows.Heads;
        ref uint link = ref _buckets[BucketOf(heads[row].Hash)];
        while (link != row)
        {
            Invariant.Assert(link != 0, nameof(ItemIndex), "X1: the row in the chain of its bucket", row);
            link = ref heads[link].NextInBucket;
        }

        link = heads[row].NextInBucket;
        heads[row].NextInBucket = 0;
        Count--;
    }

    /// <summary>Checks X1 and X2. O(items): for tests.</summary>
    internal void Validate()
    {
        uint count = 0;
        for (uint bucket = 0; bucket < _bucketCount; bucket++)
        {
            for (uint row = _buckets[bucket]; row != 0; row = _rows.Heads[row].NextInBucket)
            {
                ref ItemHead head = ref _rows.Heads[row];
                Invariant.Check(head.Has(RowMarks.Live), nameof(ItemIndex), $"X1: row {row} to be a live item", row);
                Invariant.Check(
                    BucketOf(head.Hash) == bucket, nameof(ItemIndex), $"X1: row {row} in bucket {BucketOf(head.Hash)}",
                    bucket);
                Invariant.Check(++count <= Count, nameof(ItemIndex), $"X2: {Count} items in the chains", count);
            }
        }

        Invariant.Check(count == Count, nameof(ItemIndex), $"X2: {Count} items in the chains", count);
    }

    /// <summary>Gives all memory back.</summary>
    public void Dispose() => _column.Dispose();

    private uint BucketOf(uint hash)
    {
        uint bucket = hash & _mask;
        return bucket < _bucketCount ? bucket : hash & (_mask >> 1);
    }

    private void Grow()
    {
        if (_bucketCount == _column.Length && !TryGrowColumn()) return;
        uint upper = _bucketCount;
        SetBucketCount(upper + 1);
        // The highest set bit of the new bucket's number is the bit that tells the halves apart.
        uint lower = upper & (_mask >> 1);
        NativeArray<ItemHead> heads = _rows.Heads;
        uint row = _buckets[lower];
        _buckets[lower] = 0;
        while (row != 0)
        {
            uint next = heads[row].NextInBucket;
            ref uint bucket = ref _buckets[BucketOf(heads[row].Hash)];
            heads[row].NextInBucket = bucket;
            bucket = row;
            row = next;
        }
    }

    private bool TryGrowColumn()
    {
        long before = _column.CommittedBytes;
        long length = _column.Length + BucketsStep;
        if (length > _column.LengthMax || !_budget.TrySpend(BucketsStep * sizeof(uint))) return false;
        try
        {
            _column.EnsureLengthExact(length);
        }
        catch (NativeMemoryException)
        {
            _budget.Refund(BucketsStep * sizeof(uint));
            return false;
        }

        _budget.Refund((BucketsStep * sizeof(uint)) - (_column.CommittedBytes - before));
        return true;
    }

    private void SetBucketCount(uint count)
    {
        _bucketCount = count;
        _mask = BitOperations.RoundUpToPowerOf2(count) - 1;
    }
}
