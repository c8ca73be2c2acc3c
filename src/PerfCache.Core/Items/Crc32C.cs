// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Items;

/// <summary>The checksum CRC-32C (Castagnoli): what guards a value or a page against bytes that changed unseen.</summary>
/// <remarks>
/// <para>
/// The processor has an instruction for it that takes 8 bytes. Each one needs the result of the one before, which takes
/// three cycles, though one could start in every cycle. So long inputs are cut into three lanes, whose chains do not
/// wait for each other, and the three results are combined.
/// </para>
/// <para>
/// Combining. A state is a polynomial over GF(2), and reading n zero bytes multiplies it by x^(8n) modulo the CRC's
/// polynomial G. The CRC is linear, so with lanes of n bytes each
/// </para>
/// <code>
/// state(start, A B C) = state(start, A) * x^(16n)  +  state(0, B) * x^(8n)  +  state(0, C)      (mod G)
/// </code>
/// <para>
/// where + is exclusive or. The products come from one carry-less multiplication each. States are bit-reflected: bit i
/// of 32 stands for x^(31-i). Of two such words a and k the integer product has bit i+j for x^(62-i-j); read as a
/// reflected word of 64 bits, where that bit stands for x^(63-i-j), it is a * k * x. Feeding it to the instruction
/// with state 0 multiplies by x^32 and reduces modulo G. So k = x^(8n-33) mod G gives the factor x^(8n).
/// </para>
/// <para>
/// The loops are written once, over <see cref="ICrc32CSteps"/>; hardware is chosen at run time. Where there is none,
/// <see cref="Crc32CTables"/> reads 8 bytes at a time through tables. Tests hold all ways equal.
/// </para>
/// </remarks>
public static unsafe class Crc32C
{
    // Three of the long ones leave 16 bytes of a 4 KiB page.
    private const int LongLaneBytes = 1360;
    private const int ShortLaneBytes = 64;

    private static readonly uint s_overLongLane = PowerOfX((8 * LongLaneBytes) - 33);
    private static readonly uint s_overTwoLongLanes = PowerOfX((16 * LongLaneBytes) - 33);
    private static readonly uint s_overShortLane = PowerOfX((8 * ShortLaneBytes) - 33);
    private static readonly uint s_overTwoShortLanes = PowerOfX((16 * ShortLaneBytes) - 33);

    /// <summary>The checksum of some bytes.</summary>
    public static uint Compute(ReadOnlySpan<byte> bytes) => Append(0, bytes);

    /// <summary>The checksum of what <paramref name="crc"/> is the checksum of, and these bytes behind it.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        if (X86Crc32CSteps.IsSupported) return AppendBy<X86Crc32CSteps>(crc, bytes);
        if (ArmCrc32CSteps.IsSupported) return AppendBy<ArmCrc32CSteps>(crc, bytes);
        return AppendScalar(crc, bytes);
    }

    /// <summary>As <see cref="Append"/>, without any instruction for it.</summary>
    internal static uint AppendScalar(uint crc, ReadOnlySpan<byte> bytes) => ~Crc32CTables.Update(~crc, bytes);

    /// <summary>As <see cref="Append"/>, by chosen steps.</summary>
    internal static uint AppendBy<TSteps>(uint crc, ReadOnlySpan<byte> bytes) where TSteps : struct, ICrc32CSteps
    {
        fixed (byte* first = bytes) return ~Update<TSteps>(~crc, first, bytes.Length);
    }

    private static uint Update<TSteps>(uint state, byte* at, int count) where TSteps : struct, ICrc32CSteps
    {
        if (TSteps.HasMultiply)
        {
            for (; count >= 3 * LongLaneBytes; at += 3 * LongLaneBytes, count -= 3 * LongLaneBytes)
                state = ThreeLanes<TSteps>(state, at, LongLaneBytes, s_overLongLane, s_overTwoLongLanes);
            for (; count >= 3 * ShortLaneBytes; at += 3 * ShortLaneBytes, count -= 3 * ShortLaneBytes)
                state = ThreeLanes<TSteps>(state, at, ShortLaneBytes, s_overShortLane, s_overTwoShortLanes);
        }

        for (; count >= sizeof(ulong); at += sizeof(ulong), count -= sizeof(ulong))
            state = TSteps.AddWord(state, Unsafe.ReadUnaligned<ulong>(at));
        for (; count > 0; at++, count--) state = TSteps.AddByte(state, *at);
        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint ThreeLanes<TSteps>(uint state, byte* at, int laneBytes, uint overLane, uint overTwoLanes)
        where TSteps : struct, ICrc32CSteps
    {
        uint second = 0;
        uint third = 0;
        for (byte* end = at + laneBytes; at < end; at += sizeof(ulong))
        {
            state = TSteps.AddWord(state, Unsafe.ReadUnaligned<ulong>(at));
            second = TSteps.AddWord(second, Unsafe.ReadUnaligned<ulong>(at + laneBytes));
            third = TSteps.AddWord(third, Unsafe.ReadUnaligned<ulong>(at + laneBytes + laneBytes));
        }

        return Combine<TSteps>(state, second, third, overLane, overTwoLanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Combine<TSteps>(uint first, uint second, uint third, uint overLane, uint overTwoLanes)
        where TSteps : struct, ICrc32CSteps
    {
        // Reduction is linear too, so both products are reduced at once.
        ulong products = TSteps.Multiply(first, overTwoLanes) ^ TSteps.Multiply(second, overLane);
        return TSteps.AddWord(0, products) ^ third;
    }

    /// <summary>x^exponent modulo G, reflected.</summary>
    private static uint PowerOfX(int exponent)
    {
        uint power = 0x8000_0000;
        for (int i = 0; i < exponent; i++) power = Crc32CTables.TimesX(power);
        return power;
    }
}
