// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Memory;

namespace PerfCache.Index;

/// <summary>
/// The part of the index that a loop over pages of one dense object reads, as values that stay in registers.
/// </summary>
internal readonly struct IndexView(NativeArray<uint> directory, ulong directoryLength, NativeArray<uint> slots)
{
    private readonly NativeArray<uint> _directory = directory;
    private readonly ulong _directoryLength = directoryLength;
    private readonly NativeArray<uint> _slots = slots;

    /// <summary>
    /// The address of the page's slot; where the directory knows no leaf (any more), and in sparse objects, a slot of
    /// block 0, which is empty.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint FindSlot(uint page)
    {
        uint leaf = page >> IndexBlocks.SlotBits;
        uint block = leaf < _directoryLength ? _directory[leaf] : 0;
        return (block << IndexBlocks.SlotBits) | (page & (IndexBlocks.SlotCount - 1));
    }

    /// <summary>True when the view knows a leaf, if there is one, for this page; otherwise the page is to be looked up
    /// in the index itself.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool Spans(ulong page) => page >> IndexBlocks.SlotBits < _directoryLength;

    /// <summary>As <see cref="FindSlot"/>, for a page that the view spans.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint FindSlotSpanned(ulong page) =>
        (_directory[page >> IndexBlocks.SlotBits] << IndexBlocks.SlotBits) | ((uint)page & (IndexBlocks.SlotCount - 1));

    /// <summary>What the slot at an address holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal SlotEntry Entry(uint address) => new(_slots[address]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchSlot(uint address) => _slots.Prefetch(address);
}
