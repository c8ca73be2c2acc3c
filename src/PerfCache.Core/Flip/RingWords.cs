// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Flip;

/// <summary>
/// Where a ring is filled next, and how many of the free slots behind that place hold no returned frame any more,
/// because it was collected: one word, so that one compare-exchange moves or proves both.
/// </summary>
/// <remarks>
/// <code>
/// 63                                   16 15          0
/// +--------------------------------------+-------------+
/// |             position (48)            | collected 16|
/// +--------------------------------------+-------------+
/// </code>
/// The position runs free and is masked on use; it wraps after 2^48 elements, and all arithmetic is modulo that.
/// These functions are the ring's transitions: production code and the step-wise twin in the tests both call them.
/// </remarks>
/// <param name="Packed">The word.</param>
internal readonly record struct RingTail(ulong Packed)
{
    internal const int CollectedBits = 16;

    /// <summary>So that a whole ring of collected slots fits into its field.</summary>
    internal const uint SlotMax = 1u << (CollectedBits - 1);

    /// <summary>The next position to fill.</summary>
    internal ulong Position
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Packed >> CollectedBits;
    }

    /// <summary>Free slots from <see cref="Position"/> on that hold no returned frame.</summary>
    internal uint Collected
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (ushort)Packed;
    }

    internal static RingTail At(ulong position, uint collected) => new((position << CollectedBits) | collected);

    /// <summary>The word after <paramref name="count"/> slots were taken to be filled: slots without a frame go first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal RingTail Reserve(uint count) =>
        new(Packed + ((ulong)count << CollectedBits) - Math.Min(Collected, count));

    /// <summary>The word after <paramref name="count"/> returned frames were taken out of free slots.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal RingTail Collect(uint count) => new(Packed + count);

    /// <summary>Slots between what is emptied next and what is filled next.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint DistanceFrom(RingHead head) => (uint)((Packed - head.Packed) >> CollectedBits);

    /// <inheritdoc/>
    public override string ToString() => $"position {Position}, {Collected} collected";
}

/// <summary>Where a ring is emptied next: a position in the same bits as that of a <see cref="RingTail"/>.</summary>
/// <param name="Packed">The word.</param>
internal readonly record struct RingHead(ulong Packed)
{
    /// <summary>The next position to empty.</summary>
    internal ulong Position
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Packed >> RingTail.CollectedBits;
    }

    internal static RingHead At(ulong position) => new(position << RingTail.CollectedBits);

    /// <summary>The word after <paramref name="count"/> slots were taken to be emptied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal RingHead Claim(uint count) => new(Packed + ((ulong)count << RingTail.CollectedBits));

    /// <inheritdoc/>
    public override string ToString() => $"position {Position}";
}

/// <summary>
/// Whose turn a slot is: a byte that each change of hands increments. Lap n of the ring has turn 2n while the slot is
/// free and 2n + 1 while it is full.
/// </summary>
/// <remarks>
/// A slot that is reserved but not yet published still has the free turn of its lap, which differs from the free turn
/// of the next one: so nobody takes a slot twice. A byte wraps after 128 laps; two would do, because a turn is believed
/// only together with the position that it was read after (R1, R5).
/// </remarks>
internal static class RingTurn
{
    /// <summary>The slot may be filled for <paramref name="position"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static byte Free(ulong position, int slotBits) => (byte)((position >> slotBits) << 1);

    /// <summary>The slot was filled for <paramref name="position"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static byte Full(ulong position, int slotBits) => (byte)(Free(position, slotBits) + 1);

    /// <summary>The slot was emptied for <paramref name="position"/>: free for the next lap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static byte FreeAgain(ulong position, int slotBits) => (byte)(Free(position, slotBits) + 2);
}
