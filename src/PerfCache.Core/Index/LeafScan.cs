// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PerfCache.Index;

/// <summary>
/// Which of a leaf's 64 slots hold what, as 64 bits: bit i for slot i. Walks take the next bit instead of the next
/// slot, so a leaf with three pages costs three steps.
/// </summary>
/// <remarks>
/// A leaf is four vectors of 512 bits, eight of 256 or sixteen of 128; the widest that the processor is good at is
/// taken, and <see cref="Scalar"/> where there is none. A mask is what the slots held while it was made: the caller
/// holds the lock under which they change, or looks at each slot again.
/// </remarks>
internal static class LeafScan
{
    /// <summary>Slots that hold a frame.</summary>
    internal static ulong Frames(ReadOnlySpan<uint> slots) => Match<FrameTest>(slots);

    /// <summary>Slots that hold a shadow.</summary>
    internal static ulong Shadows(ReadOnlySpan<uint> slots) => Match<ShadowTest>(slots);

    /// <summary>Slots that hold anything.</summary>
    internal static ulong NonEmpty(ReadOnlySpan<uint> slots) => ~Match<EmptyTest>(slots);

    /// <summary>The bits of the slots from <paramref name="first"/> to <paramref name="last"/>.</summary>
    internal static ulong Range(int first, int last) =>
        (ulong.MaxValue << first) & (ulong.MaxValue >> (IndexBlocks.SlotCount - 1 - last));

    /// <summary>Takes the lowest bit out of a mask that is not 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint TakeLowest(ref ulong mask)
    {
        var slot = (uint)BitOperations.TrailingZeroCount(mask);
        mask &= mask - 1;
        return slot;
    }

    /// <summary>The slots that pass a test, by the widest vectors there are.</summary>
    internal static ulong Match<TTest>(ReadOnlySpan<uint> slots) where TTest : struct, ISlotTest
    {
        if (Vector512.IsHardwareAccelerated) return By512<TTest>(slots);
        if (Vector256.IsHardwareAccelerated) return By256<TTest>(slots);
        return Vector128.IsHardwareAccelerated ? By128<TTest>(slots) : Scalar<TTest>(slots);
    }

    /// <summary>The slots that pass a test, one by one.</summary>
    internal static ulong Scalar<TTest>(ReadOnlySpan<uint> slots) where TTest : struct, ISlotTest
    {
        ulong mask = 0;
        for (int i = 0; i < IndexBlocks.SlotCount; i++)
        {
            if ((slots[i] & TTest.Mask) == TTest.Value) mask |= 1UL << i;
        }

        return mask;
    }

    /// <summary>The slots that pass a test, 16 at a time.</summary>
    internal static ulong By512<TTest>(ReadOnlySpan<uint> slots) where TTest : struct, ISlotTest
    {
        ref uint first = ref First(slots);
        Vector512<uint> mask = Vector512.Create(TTest.Mask);
        Vector512<uint> value = Vector512.Create(TTest.Value);
        ulong bits = 0;
        for (int i = 0; i < IndexBlocks.SlotCount; i += Vector512<uint>.Count)
        {
            Vector512<uint> some = Vector512.LoadUnsafe(ref first, (nuint)i);
            bits |= Vector512.Equals(some & mask, value).ExtractMostSignificantBits() << i;
        }

        return bits;
    }

    /// <summary>The slots that pass a test, 8 at a time.</summary>
    internal static ulong By256<TTest>(ReadOnlySpan<uint> slots) where TTest : struct, ISlotTest
    {
        ref uint first = ref First(slots);
        Vector256<uint> mask = Vector256.Create(TTest.Mask);
        Vector256<uint> value = Vector256.Create(TTest.Value);
        ulong bits = 0;
        for (int i = 0; i < IndexBlocks.SlotCount; i += Vector256<uint>.Count)
        {
            Vector256<uint> some = Vector256.LoadUnsafe(ref first, (nuint)i);
            bits |= (ulong)Vector256.Equals(some & mask, value).ExtractMostSignificantBits() << i;
        }

        return bits;
    }

    /// <summary>The slots that pass a test, 4 at a time.</summary>
    internal static ulong By128<TTest>(ReadOnlySpan<uint> slots) where TTest : struct, ISlotTest
    {
        ref uint first = ref First(slots);
        Vector128<uint> mask = Vector128.Create(TTest.Mask);
        Vector128<uint> value = Vector128.Create(TTest.Value);
        ulong bits = 0;
        for (int i = 0; i < IndexBlocks.SlotCount; i += Vector128<uint>.Count)
        {
            Vector128<uint> some = Vector128.LoadUnsafe(ref first, (nuint)i);
            bits |= (ulong)Vector128.Equals(some & mask, value).ExtractMostSignificantBits() << i;
        }

        return bits;
    }

    private static ref uint First(ReadOnlySpan<uint> slots)
    {
        // The vectors check nothing.
        ArgumentOutOfRangeException.ThrowIfNotEqual(slots.Length, IndexBlocks.SlotCount);
        return ref MemoryMarshal.GetReference(slots);
    }
}

/// <summary>A slot passes when its bits under <see cref="Mask"/> are <see cref="Value"/>.</summary>
internal interface ISlotTest
{
    /// <summary>The bits that are looked at.</summary>
    static abstract uint Mask { get; }

    /// <summary>What they must be.</summary>
    static abstract uint Value { get; }
}

/// <summary>The slot of a leaf holds a frame.</summary>
internal readonly struct FrameTest : ISlotTest
{
    public static uint Mask => SlotEntry.FrameTag;

    public static uint Value => SlotEntry.FrameTag;
}

/// <summary>The slot of a leaf holds a shadow.</summary>
internal readonly struct ShadowTest : ISlotTest
{
    public static uint Mask => SlotEntry.TagMask;

    public static uint Value => SlotEntry.ShadowTag;
}

/// <summary>The slot holds nothing.</summary>
internal readonly struct EmptyTest : ISlotTest
{
    public static uint Mask => uint.MaxValue;

    public static uint Value => 0;
}
