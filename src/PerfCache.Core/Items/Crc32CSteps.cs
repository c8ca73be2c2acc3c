// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ArmAes = System.Runtime.Intrinsics.Arm.Aes;
using ArmCrc32 = System.Runtime.Intrinsics.Arm.Crc32;

namespace PerfCache.Items;

/// <summary>The steps that CRC-32C is made of, by one kind of processor. A state is not inverted.</summary>
internal interface ICrc32CSteps
{
    /// <summary>True when <see cref="Multiply"/> is there, and as cheap as an instruction.</summary>
    static abstract bool HasMultiply { get; }

    /// <summary>The state after 8 more bytes, the lowest first.</summary>
    static abstract uint AddWord(uint state, ulong word);

    /// <summary>The state after one more byte.</summary>
    static abstract uint AddByte(uint state, byte value);

    /// <summary>The product without carries.</summary>
    static abstract ulong Multiply(uint left, uint right);
}

/// <summary>By SSE4.2 and PCLMULQDQ.</summary>
internal readonly struct X86Crc32CSteps : ICrc32CSteps
{
    internal static bool IsSupported => Sse42.X64.IsSupported;

    public static bool HasMultiply => Pclmulqdq.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint AddWord(uint state, ulong word) => (uint)Sse42.X64.Crc32(state, word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint AddByte(uint state, byte value) => Sse42.Crc32(state, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Multiply(uint left, uint right) => Pclmulqdq.CarrylessMultiply(
        Vector128.CreateScalar((ulong)left), Vector128.CreateScalar((ulong)right), 0).ToScalar();
}

/// <summary>By the CRC32 and the polynomial multiplication of Arm.</summary>
internal readonly struct ArmCrc32CSteps : ICrc32CSteps
{
    internal static bool IsSupported => ArmCrc32.Arm64.IsSupported;

    public static bool HasMultiply => ArmAes.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint AddWord(uint state, ulong word) => ArmCrc32.Arm64.ComputeCrc32C(state, word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint AddByte(uint state, byte value) => ArmCrc32.ComputeCrc32C(state, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Multiply(uint left, uint right) => ArmAes.PolynomialMultiplyWideningLower(
        Vector64.Create((ulong)left), Vector64.Create((ulong)right)).ToScalar();
}

/// <summary>The same steps in plain arithmetic: the twin that proves the loops over lanes on any processor.</summary>
internal readonly struct PlainCrc32CSteps : ICrc32CSteps
{
    public static bool HasMultiply => true;

    public static uint AddWord(uint state, ulong word)
    {
        for (int i = 0; i < sizeof(ulong); i++) state = AddByte(state, (byte)(word >> (8 * i)));
        return state;
    }

    public static uint AddByte(uint state, byte value)
    {
        state ^= value;
        for (int bit = 0; bit < 8; bit++) state = Crc32CTables.TimesX(state);
        return state;
    }

    public static ulong Multiply(uint left, uint right)
    {
        ulong product = 0;
        for (int bit = 0; bit < 32; bit++) product ^= (ulong)left * (right & (1UL << bit));
        return product;
    }
}

/// <summary>CRC-32C by tables, 8 bytes at a time ("slicing by 8"): for processors without an instruction for it.</summary>
/// <remarks>
/// Table t holds, for each byte, its state after t more zero bytes. The eight bytes of a word have 7 to 0 bytes behind
/// them, so one look-up in each of eight tables, combined by exclusive or, advances the state over the word.
/// </remarks>
internal static class Crc32CTables
{
    private const int Slices = 8;

    // G without its x^32, reflected.
    private const uint Polynomial = 0x82F6_3B78;

    private static readonly uint[] s_table = MakeTable();

    /// <summary>A state times x modulo G: one bit of zero is read.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint TimesX(uint state) => (state >> 1) ^ (Polynomial & (0u - (state & 1)));

    /// <summary>The state after these bytes.</summary>
    internal static uint Update(uint state, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<uint> table = s_table;
        while (bytes.Length >= Slices)
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ state;
            state = table[(7 << 8) + (byte)word]
                ^ table[(6 << 8) + (byte)(word >> 8)]
                ^ table[(5 << 8) + (byte)(word >> 16)]
                ^ table[(4 << 8) + (byte)(word >> 24)]
                ^ table[(3 << 8) + (byte)(word >> 32)]
                ^ table[(2 << 8) + (byte)(word >> 40)]
                ^ table[(1 << 8) + (byte)(word >> 48)]
                ^ table[(byte)(word >> 56)];
            bytes = bytes[Slices..];
        }

        foreach (byte value in bytes) state = (state >> 8) ^ table[(byte)(state ^ value)];
        return state;
    }

    private static uint[] MakeTable()
    {
        uint[] table = new uint[Slices * 256];
        for (int i = 0; i < table.Length; i++)
        {
            // The first 256 from the byte itself, the others from the table before by one zero byte.
            uint state = i < 256 ? (uint)i : table[i - 256];
            for (int bit = 0; bit < 8; bit++) state = TimesX(state);
            table[i] = state;
        }

        return table;
    }
}
