// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// Decodes one column out of records: fields at a fixed distance into an array. The kind of field is chosen
/// once a column and compiled in, so the loop is a load, a possible byte swap, and a store.
/// </summary>
internal static class ColumnDecoder
{
    private const int ScratchLength = 256;

    /// <summary>Fills <paramref name="values"/> with the field of the first so many records.</summary>
    internal static void Decode(
        ReadOnlySpan<byte> records, int recordBytes, RecordField field, Span<ulong> values)
    {
        switch (field.Kind)
        {
            case FieldKind.U8: Column<U8>(records, recordBytes, field, values); break;
            case FieldKind.U16: Column<U16>(records, recordBytes, field, values); break;
            case FieldKind.U32: Column<U32>(records, recordBytes, field, values); break;
            case FieldKind.U64: Column<U64>(records, recordBytes, field, values); break;
            case FieldKind.I8: Column<I8>(records, recordBytes, field, values); break;
            case FieldKind.I16: Column<I16>(records, recordBytes, field, values); break;
            case FieldKind.I32: Column<I32>(records, recordBytes, field, values); break;
            case FieldKind.I64: Column<U64>(records, recordBytes, field, values); break;
            case FieldKind.F32: Column<F32>(records, recordBytes, field, values); break;
            case FieldKind.F64: Column<F64>(records, recordBytes, field, values); break;
            case FieldKind.BigU32: Column<BigU32>(records, recordBytes, field, values); break;
            case FieldKind.BigU64: Column<BigU64>(records, recordBytes, field, values); break;
            default: throw new ArgumentOutOfRangeException(nameof(field));
        }
    }

    /// <summary>The same into signed numbers.</summary>
    internal static void Decode(
        ReadOnlySpan<byte> records, int recordBytes, RecordField field, Span<long> values) =>
        Decode(records, recordBytes, field, MemoryMarshal.Cast<long, ulong>(values));

    /// <summary>Fills in sizes; a negative one counts as 0, one too large as the largest.</summary>
    internal static void DecodeSizes(
        ReadOnlySpan<byte> records, int recordBytes, RecordField field, Span<uint> sizes)
    {
        Span<long> scratch = stackalloc long[ScratchLength];
        for (int done = 0; done < sizes.Length; done += ScratchLength)
        {
            Span<long> part = scratch[..Math.Min(ScratchLength, sizes.Length - done)];
            Decode(records[(done * recordBytes)..], recordBytes, field, part);
            bool isUnsigned = field.Kind == FieldKind.U64;
            for (int i = 0; i < part.Length; i++)
                sizes[done + i] = part[i] < 0 && isUnsigned
                    ? uint.MaxValue
                    : (uint)Math.Clamp(part[i], 0, uint.MaxValue);
        }
    }

    /// <summary>Fills in whether each request writes.</summary>
    internal static void DecodeWrites(
        ReadOnlySpan<byte> records, int recordBytes, RecordField field, OperationCode code, Span<bool> writes)
    {
        Span<ulong> scratch = stackalloc ulong[ScratchLength];
        for (int done = 0; done < writes.Length; done += ScratchLength)
        {
            Span<ulong> part = scratch[..Math.Min(ScratchLength, writes.Length - done)];
            Decode(records[(done * recordBytes)..], recordBytes, field, part);
            for (int i = 0; i < part.Length; i++)
                writes[done + i] = OperationCodes.IsWrite(code, part[i]);
        }
    }

    private static void Column<TField>(
        ReadOnlySpan<byte> records, int recordBytes, RecordField field, Span<ulong> values)
        where TField : struct, IField
    {
        int at = field.Offset;
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = TField.Read(records[at..]);
            at += recordBytes;
        }
    }

    private interface IField
    {
        static abstract ulong Read(ReadOnlySpan<byte> bytes);
    }

    private readonly struct U8 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) => bytes[0];
    }

    private readonly struct I8 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) => (ulong)(sbyte)bytes[0];
    }

    private readonly struct U16 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16LittleEndian(bytes);
    }

    private readonly struct I16 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) =>
            (ulong)BinaryPrimitives.ReadInt16LittleEndian(bytes);
    }

    private readonly struct U32 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    private readonly struct I32 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) =>
            (ulong)BinaryPrimitives.ReadInt32LittleEndian(bytes);
    }

    private readonly struct U64 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    private readonly struct F32 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) =>
            (ulong)(long)BinaryPrimitives.ReadSingleLittleEndian(bytes);
    }

    private readonly struct F64 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) =>
            (ulong)(long)BinaryPrimitives.ReadDoubleLittleEndian(bytes);
    }

    private readonly struct BigU32 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    private readonly struct BigU64 : IField
    {
        public static ulong Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt64BigEndian(bytes);
    }
}
