// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>The slots of pages that lie far apart: a hash table of nodes, one a page, for all sparse objects together.
/// </summary>
/// <remarks>
/// A leaf has 64 slots for 64 neighbours. Where pages have no neighbours (hashed ids), a leaf each would cost 276 bytes
/// and a tree above it several times that, and a miss would touch all of it. A node costs 32 bytes and its buckets 8:
/// <code>
///  node: 8 slots of a node block     bucket ──► node ──► node ──► 0
///  +-------+------+-----------+----------+-------+------+
///  | entry | next |    key    | previous | next  |  0 0 |
///  +-------+------+-----------+----------+-------+------+
///    slot   bucket   page's       ring of shadows
/// </code>
/// The entry is a slot like any other, at an address like any other (node blocks are blocks of the same columns), so
/// whoever reads or writes a slot by its address need not know where it lies. Only who counts must: a node block is
/// marked in its counts (<see cref="BlockCounts.OfNodes"/>).
/// <para>
/// The table grows by linear hashing: when there are not twice as many buckets as nodes, one or two are split. No insertion
/// ever waits for a whole table to be copied, and the buckets never move, so readers without the lock are safe: they may
/// follow a node into another chain while it is moved or re-used, and find nothing, or another page's frame, whose key
/// tells; their walk is bounded.
/// </para>
/// <para>N1: a node in use is in the chain of its key's bucket, once, and its entry is a frame or a shadow.</para>
/// <para>N2: <see cref="Count"/> nodes are in use; the others of the node blocks are chained as free, without entry.
/// </para>
/// Not synchronised, but for <see cref="FindShared"/>.
/// </remarks>
internal sealed class SparsePages : IDisposable
{
    /// <summary>Slots that a node takes.</summary>
    internal const uint NodeSlots = 8;

    /// <summary>Native bytes of a node, without its bucket and its share of the block's counts.</summary>
    internal const int BytesPerNode = (int)NodeSlots * sizeof(uint);

    private const uint NextOffset = 1;
    private const uint KeyOffset = 2;
    private const uint LinkOffset = 4;
    private const uint BucketMax = 1u << 30;
    private const uint FirstBuckets = 64;

    /// <summary>Who looks for a page that is not there, as each miss does, looks at so many nodes the fewer on average: at
    /// half a one, each a line of its own from far away.</summary>
    private const uint BucketsPerNode = 2;

    /// <summary>Nodes that a reader without the lock looks at before it gives up; chains are one or two long.</summary>
    private const int StepsMax = 64;

    private readonly IndexBlocks _blocks;
    private readonly NativeArray<uint> _slots;
    private readonly NativeColumn<uint> _bucketColumn;
    private readonly NativeArray<uint> _buckets;
    private uint _bucketCount;
    private uint _free;

    internal SparsePages(IndexBlocks blocks, MemoryMeter meter)
    {
        _blocks = blocks;
        _slots = blocks.SlotView;
        _bucketColumn = new NativeColumn<uint>("sparse page buckets", BucketMax, meter);
        _buckets = _bucketColumn.View;
    }

    /// <summary>Nodes in use.</summary>
    internal uint Count { get; private set; }

    /// <summary>Blocks that are cut into nodes.</summary>
    internal uint NodeBlockCount { get; private set; }

    /// <summary>Native bytes in use besides the blocks.</summary>
    internal long BucketBytes => _bucketColumn.CommittedBytes;

    /// <summary>The address of the page's slot, or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint Find(PageKey key)
    {
        uint count = _bucketCount;
        if (count == 0) return 0;
        uint node = _buckets[BucketOf(key, count)];
        while (node != 0 && Key(node) != key.Packed) node = _slots[node + NextOffset];
        return node;
    }

    /// <summary>As <see cref="Find"/>, without the lock: 0 proves nothing, and the slot may be another page's by now.
    /// </summary>
    internal uint FindShared(PageKey key)
    {
        // Written after the bucket's memory is committed. A count that is outdated leads to a chain that lacks the page.
        uint count = Volatile.Read(ref _bucketCount);
        if (count == 0) return 0;
        uint node = Volatile.Read(ref _buckets[BucketOf(key, count)]);
        for (int steps = 0; node != 0 && steps < StepsMax; steps++)
        {
            if (Volatile.Read(ref Key(node)) == key.Packed) return node;
            node = Volatile.Read(ref _slots[node + NextOffset]);
        }

        return 0;
    }

    /// <summary>Makes the node of a page that has none; the caller fills the slot at once.</summary>
    /// <returns>The address of its slot.</returns>
    /// <exception cref="NativeMemoryException">The memory cannot be had; nothing has changed.</exception>
    internal uint Add(PageKey key)
    {
        if (_free == 0) CutBlock();
        while (_bucketCount < BucketMax && _bucketCount < BucketsPerNode * (Count + 1)) AddBucket();
        uint node = _free;
        _free = _slots[node + NextOffset];
        ref uint bucket = ref _buckets[BucketOf(key, _bucketCount)];
        Volatile.Write(ref Key(node), key.Packed);
        _slots[node + NextOffset] = bucket;
        Volatile.Write(ref bucket, node);
        Count++;
        return node;
    }

    /// <summary>Frees the node of a slot that is empty.</summary>
    internal void Remove(uint node)
    {
        ref uint link = ref _buckets[BucketOf(new PageKey(Key(node)), _bucketCount)];
        while (link != node) link = ref _slots[link + NextOffset];
        Volatile.Write(ref link, _slots[node + NextOffset]);
        _slots[node + NextOffset] = _free;
        _free = node;
        Count--;
    }

    /// <summary>The packed key of a node's page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref ulong Key(uint node) => ref Unsafe.As<uint, ulong>(ref _slots[node + KeyOffset]);

    /// <summary>A node's place on the ring of shadows.</summary>
    internal ref BlockLink Link(uint node) => ref Unsafe.As<uint, BlockLink>(ref _slots[node + LinkOffset]);

    /// <summary>The pages from one key to another that have a node, in ascending order, with the addresses of their
    /// slots.</summary>
    /// <remarks>O(range) or O(table), whichever is less: a hash table has no order.</remarks>
    internal List<(ulong Key, uint Address)> InOrder(PageKey first, PageKey last)
    {
        List<(ulong Key, uint Address)> found = [];
        if (last.Packed - first.Packed < Count)
        {
            for (ulong key = first.Packed; ; key++)
            {
                uint node = Find(new PageKey(key));
                if (node != 0) found.Add((key, node));
                if (key == last.Packed) return found;
            }
        }

        for (uint bucket = 0; bucket < _bucketCount; bucket++)
        {
            for (uint node = _buckets[bucket]; node != 0; node = _slots[node + NextOffset])
            {
                ulong key = Key(node);
                if (key >= first.Packed && key <= last.Packed) found.Add((key, node));
            }
        }

        found.Sort();
        return found;
    }

    /// <summary>Checks N1 and N2. O(nodes): for tests.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    internal void Validate()
    {
        uint used = 0;
        for (uint bucket = 0; bucket < _bucketCount; bucket++)
        {
            for (uint node = _buckets[bucket]; node != 0; node = _slots[node + NextOffset])
            {
                Invariant.Check(++used <= Count, nameof(SparsePages), $"N1: {Count} nodes in chains", used);
                Invariant.Check(BucketOf(new PageKey(Key(node)), _bucketCount) == bucket, nameof(SparsePages),
                    "N1: a node in the chain of its bucket", node);
                SlotEntry entry = new(_slots[node]);
                Invariant.Check(entry.HasTag, nameof(SparsePages), "N1: a frame or a shadow", node);
            }
        }

        Invariant.Check(used == Count, nameof(SparsePages), $"N2: {Count} nodes in chains", used);
        uint free = 0;
        for (uint node = _free; node != 0; node = _slots[node + NextOffset])
        {
            Invariant.Check(_slots[node] == 0, nameof(SparsePages), "N2: a free node without entry", node);
            free++;
        }

        uint all = NodeBlockCount * ((uint)IndexBlocks.SlotCount / NodeSlots);
        Invariant.Check(used + free == all, nameof(SparsePages), $"N2: {all} nodes in all", used + free);
    }

    /// <summary>Gives the buckets' memory back.</summary>
    public void Dispose() => _bucketColumn.Dispose();

    /// <summary>Makes a block into free nodes. It never was a leaf, and never becomes one.</summary>
    private void CutBlock()
    {
        uint block = _blocks.AllocateNew();
        _blocks.Counts(block).Packed = BlockCounts.OfNodes;
        NodeBlockCount++;
        uint first = block << IndexBlocks.SlotBits;
        for (uint node = first + IndexBlocks.SlotCount - NodeSlots; ; node -= NodeSlots)
        {
            _slots[node + NextOffset] = _free;
            _free = node;
            if (node == first) return;
        }
    }

    /// <summary>Splits the next bucket in two.</summary>
    private void AddBucket()
    {
        uint count = _bucketCount;
        if (count == BucketMax) return;
        if (count == 0)
        {
            _bucketColumn.EnsureLength(FirstBuckets);
            Volatile.Write(ref _bucketCount, FirstBuckets);
            return;
        }

        _bucketColumn.EnsureLength(count + 1L);
        // 2^L <= count < 2^(L+1): the bucket to split has the new one's number without the bit L, which tells them apart.
        uint bit = 1u << BitOperations.Log2(count);
        uint stays = 0;
        uint moves = 0;
        ref uint old = ref _buckets[count - bit];
        uint node = old;
        while (node != 0)
        {
            uint next = _slots[node + NextOffset];
            ref uint chain = ref (Hash(new PageKey(Key(node))) & bit) == 0 ? ref stays : ref moves;
            Volatile.Write(ref _slots[node + NextOffset], chain);
            chain = node;
            node = next;
        }

        Volatile.Write(ref _buckets[count], moves);
        Volatile.Write(ref _bucketCount, count + 1);
        Volatile.Write(ref old, stays);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint BucketOf(PageKey key, uint count)
    {
        uint mask = uint.MaxValue >> BitOperations.LeadingZeroCount(count);
        uint bucket = Hash(key) & mask;
        return bucket < count ? bucket : bucket & (mask >> 1);
    }

    /// <summary>The high half of a multiplicative hash (Knuth, The Art of Computer Programming 3, 6.4): the halves are
    /// joined first, because a product's high half does not see the number's own highest bits well.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Hash(PageKey key)
    {
        ulong joined = key.Packed ^ (key.Packed >> 32);
        return (uint)((joined * 0x9E37_79B9_7F4A_7C15) >> 32);
    }
}
