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
/// Bytes that are copied and checked anyway are read once for both (<see cref="Copy"/>): the checksum is then of the very
/// words that were stored, whatever happens to the source meanwhile.
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

    /// <summary>Copies bytes.</summary>
    /// <param name="crc">The checksum of what came before them.</param>
    /// <param name="source">The bytes; somebody else may change them meanwhile.</param>
    /// <param name="destination">At least as long; must not overlap.</param>
    /// <returns>The checksum with that of the copy behind it.</returns>
    internal static uint Copy(uint crc, ReadOnlySpan<byte> source, Span<byte> destination)
    {
        destination = destination[..source.Length];
        if (X86Crc32CSteps.IsSupported) return CopyBy<X86Crc32CSteps>(crc, source, destination);
        if (ArmCrc32CSteps.IsSupported) return CopyBy<ArmCrc32CSteps>(crc, source, destination);
        source.CopyTo(destination);
        return AppendScalar(crc, destination);
    }

    /// <summary>As <see cref="Copy"/>, by chosen steps; the destination has the length of the source.</summary>
    internal static uint CopyBy<TSteps>(uint crc, ReadOnlySpan<byte> source, Span<byte> destination)
        where TSteps : struct, ICrc32CSteps
    {
        fixed (byte* from = source, to = destination)
            return ~Update<TSteps, StoredWord>(~crc, from, source.Length, (nint)(to - from));
    }

    /// <summary>As <see cref="Append"/>, without any instruction for it.</summary>
    internal static uint AppendScalar(uint crc, ReadOnlySpan<byte> bytes) => ~Crc32CTables.Update(~crc, bytes);

    /// <summary>As <see cref="Append"/>, by chosen steps.</summary>
    internal static uint AppendBy<TSteps>(uint crc, ReadOnlySpan<byte> bytes) where TSteps : struct, ICrc32CSteps
    {
        fixed (byte* first = bytes) return ~Update<TSteps, PassingWord>(~crc, first, bytes.Length, 0);
    }

    // The copy, if there is one, lies so many bytes behind the source.
    private static uint Update<TSteps, TWord>(uint state, byte* at, int count, nint distance)
        where TSteps : struct, ICrc32CSteps
        where TWord : struct, IWord
    {
        if (TSteps.HasMultiply)
        {
            for (; count >= 3 * LongLaneBytes; at += 3 * LongLaneBytes, count -= 3 * LongLaneBytes)
            {
                state = ThreeLanes<TSteps, TWord>(
                    state, at, distance, LongLaneBytes, s_overLongLane, s_overTwoLongLanes);
            }

            for (; count >= 3 * ShortLaneBytes; at += 3 * ShortLaneBytes, count -= 3 * ShortLaneBytes)
            {
                state = ThreeLanes<TSteps, TWord>(
                    state, at, distance, ShortLaneBytes, s_overShortLane, s_overTwoShortLanes);
            }
        }

        for (; count >= sizeof(ulong); at += sizeof(ulong), count -= sizeof(ulong))
            state = TSteps.AddWord(state, TWord.Read(at, distance));
        for (; count > 0; at++, count--) state = TSteps.AddByte(state, TWord.ReadByte(at, distance));
        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint ThreeLanes<TSteps, TWord>(
        uint state, byte* at, nint distance, int laneBytes, uint overLane, uint overTwoLanes)
        where TSteps : struct, ICrc32CSteps
        where TWord : struct, IWord
    {
        uint second = 0;
        uint third = 0;
        for (byte* end = at + laneBytes; at < end; at += sizeof(ulong))
        {
            state = TSteps.AddWord(state, TWord.Read(at, distance));
            second = TSteps.AddWord(second, TWord.Read(at + laneBytes, distance));
            third = TSteps.AddWord(third, TWord.Read(at + laneBytes + laneBytes, distance));
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

    /// <summary>How the loops read.</summary>
    private interface IWord
    {
        static abstract ulong Read(byte* at, nint distance);

        static abstract byte ReadByte(byte* at, nint distance);
    }

    /// <summary>A word is looked at and no more.</summary>
    private readonly struct PassingWord : IWord
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Read(byte* at, nint distance) => Unsafe.ReadUnaligned<ulong>(at);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static byte ReadByte(byte* at, nint distance) => *at;
    }

    /// <summary>
    /// A word is stored as it was read. It must be read once, or the check would be of another one; the memory model of
    /// the runtime forbids to make two reads of one.
    /// </summary>
    private readonly struct StoredWord : IWord
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Read(byte* at, nint distance)
        {
            ulong word = Unsafe.ReadUnaligned<ulong>(at);
            Unsafe.WriteUnaligned(at + distance, word);
            return word;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static byte ReadByte(byte* at, nint distance)
        {
            byte value = *at;
            at[distance] = value;
            return value;
        }
    }
}
