// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>
/// What is in a block's slots: both counts in one word, so that an eviction (one used slot less, one shadow more) is a
/// single addition. Used in the low 16 bits, shadows above.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 4)]
internal struct BlockCounts
{
    /// <summary>The word.</summary>
    [FieldOffset(0)] public uint Packed;

    /// <summary>One used slot.</summary>
    public const uint OneUsed = 1;

    /// <summary>One shadow.</summary>
    public const uint OneShadow = 1 << 16;

    /// <summary>What stands in place of counts for a block that is cut into nodes (<see cref="SparsePages"/>): as a signed
    /// number it is negative, and no leaf's counts are.</summary>
    public const uint OfNodes = 1u << 31;

    /// <summary>True for the counts of a leaf with shadows and without frames.</summary>
    public static bool IsShadowOnly(uint packed) => packed >= OneShadow && packed % OneShadow == 0;

    /// <summary>True for <see cref="OfNodes"/>.</summary>
    public static bool AreOfNodes(uint packed) => (int)packed < 0;

    /// <summary>Slots that hold a frame.</summary>
    public readonly uint Used => Packed & (OneShadow - 1);

    /// <summary>Slots that hold a shadow.</summary>
    public readonly uint Shadows => Packed / OneShadow;
}

/// <summary>Neighbours on the list of shadow-only leaves; Next alone also chains free blocks.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
internal struct BlockLink
{
    /// <summary>The next older block.</summary>
    [FieldOffset(0)] public uint Previous;

    /// <summary>The next younger block.</summary>
    [FieldOffset(4)] public uint Next;
}

/// <summary>
/// The blocks of the index: leaves, and blocks that are cut into nodes, 64 slots of 4 bytes each, in columns of native
/// memory.
/// </summary>
/// <remarks>
/// <code>
/// column  bytes
/// slots     256  four cache lines; the slot of a page is the one line that a hit reads
/// counts      4  touched by every insert and evict, so they lie close together: 16 blocks a cache line
/// key         8  leaf: packed key of its first page, shifted right by 6; read when a leaf goes
/// link        8  the list of shadow-only leaves
///           276  a block: 4.3 bytes a page when all 64 pages are resident
/// </code>
/// Blocks are type-stable: a block that was freed stays a block, so a stale block id may be read (and found empty or
/// re-used) but never faults; and a leaf's block never becomes one of nodes, so what is read is a slot. Block 0 is
/// reserved and always empty: a walk that finds no block reads an empty slot from it instead of branching. A slot's address is <c>block * 64 + slot</c> in 32 bits.
/// <para>B1: a freed block has all slots empty.</para>
/// </remarks>
internal sealed class IndexBlocks : IDisposable
{
    /// <summary>Slots of a block.</summary>
    internal const int SlotCount = 1 << SlotBits;

    /// <summary>Bits of a slot number.</summary>
    internal const int SlotBits = 6;

    /// <summary>Native bytes of a block.</summary>
    internal const int BytesPerBlock = (SlotCount * sizeof(uint)) + 4 + 8 + 8;

    /// <summary>The most blocks: a slot address has 32 bits.</summary>
    internal const uint BlockMax = 1u << (32 - SlotBits);

    private readonly NativeColumn<uint> _slots;
    private readonly NativeColumn<BlockCounts> _counts;
    private readonly NativeColumn<ulong> _keys;
    private readonly NativeColumn<BlockLink> _links;
    private readonly NativeArray<uint> _slot;
    private readonly NativeArray<BlockCounts> _count;
    private readonly NativeArray<ulong> _key;
    private readonly NativeArray<BlockLink> _link;
    private uint _highWater = 1;
    private uint _chain;
    private uint _chained;

    internal IndexBlocks(MemoryMeter meter)
    {
        try
        {
            _slots = new NativeColumn<uint>("index slots", (long)BlockMax * SlotCount, meter);
            _counts = new NativeColumn<BlockCounts>("index counts", BlockMax, meter);
            _keys = new NativeColumn<ulong>("index keys", BlockMax, meter);
            _links = new NativeColumn<BlockLink>("index links", BlockMax, meter);
            EnsureBlocks(1);
        }
        catch (NativeMemoryException)
        {
            Dispose();
            throw;
        }

        _slot = _slots.View;
        _count = _counts.View;
        _key = _keys.View;
        _link = _links.View;
    }

    /// <summary>Blocks in use.</summary>
    internal uint Count => _highWater - 1 - _chained;

    /// <summary>Native bytes in use.</summary>
    internal long NativeBytes =>
        _slots.CommittedBytes + _counts.CommittedBytes + _keys.CommittedBytes + _links.CommittedBytes;

    /// <summary>All slots, by address.</summary>
    internal NativeArray<uint> SlotView => _slot;

    /// <summary>All counts, by block.</summary>
    internal NativeArray<BlockCounts> CountView => _count;

    /// <summary>The slot at an address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref uint Slot(uint address) => ref _slot[address];

    /// <summary>The counts of a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref BlockCounts Counts(uint block) => ref _count[block];

    /// <summary>The key of a leaf: that of its first page, shifted right by 6. Node blocks do not use it.</summary>
    internal ref ulong LeafKey(uint block) => ref _key[block];

    /// <summary>The links of a block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref BlockLink Link(uint block) => ref _link[block];

    /// <summary>The slots of a block.</summary>
    internal Span<uint> Slots(uint block) => _slot.AsSpan((long)block * SlotCount, SlotCount);

    /// <summary>Takes an empty block.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    internal uint Allocate()
    {
        uint block = _chain;
        if (block != 0)
        {
            _chain = _link[block].Next;
            _chained--;
            _link[block] = default;
            return block;
        }

        return AllocateNew();
    }

    /// <summary>Takes a block that was never used: for nodes, whose words are no slots but for the first. A reader without
    /// the lock that has come by a leaf's block, and reads its slot when the leaf is long gone, must still find a slot there:
    /// half a key looks like a frame beyond all frames.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    internal uint AllocateNew()
    {
        EnsureBlocks(_highWater + 1L);
        return _highWater++;
    }

    /// <summary>Gives a block back whose slots are all empty.</summary>
    internal void Free(uint block)
    {
        Invariant.Assert(!Slots(block).ContainsAnyExcept(0u), nameof(IndexBlocks), "B1: an empty block", block);
        _count[block] = default;
        _key[block] = 0;
        _link[block] = new BlockLink { Next = _chain };
        _chain = block;
        _chained++;
    }

    /// <summary>Checks B1. O(blocks): for tests.</summary>
    internal void Validate()
    {
        uint count = 0;
        for (uint block = _chain; block != 0; block = _link[block].Next)
        {
            Invariant.Check(++count <= _chained, nameof(IndexBlocks), $"a chain of {_chained} free blocks", count);
            Invariant.Check(!Slots(block).ContainsAnyExcept(0u), nameof(IndexBlocks), "B1: an empty block", block);
        }

        Invariant.Check(count == _chained, nameof(IndexBlocks), $"a chain of {_chained} free blocks", count);
        Invariant.Check(!Slots(0).ContainsAnyExcept(0u), nameof(IndexBlocks), "block 0 to be empty", 0);
    }

    public void Dispose()
    {
        _slots?.Dispose();
        _counts?.Dispose();
        _keys?.Dispose();
        _links?.Dispose();
    }

    private void EnsureBlocks(long count)
    {
        _slots.EnsureLength(count * SlotCount);
        _counts.EnsureLength(count);
        _keys.EnsureLength(count);
        _links.EnsureLength(count);
    }
}
