// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>How a field of a binary record is written.</summary>
internal enum FieldKind
{
    Absent,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
    BigU32,
    BigU64,
}

/// <summary>Where a field lies in its record.</summary>
internal readonly record struct RecordField(int Offset, FieldKind Kind)
{
    internal bool IsPresent => Kind != FieldKind.Absent;

    /// <summary>The bytes that the field takes.</summary>
    internal int Bytes => Kind switch
    {
        FieldKind.U8 or FieldKind.I8 => 1,
        FieldKind.U16 or FieldKind.I16 => 2,
        FieldKind.U32 or FieldKind.I32 or FieldKind.F32 or FieldKind.BigU32 => 4,
        FieldKind.Absent => 0,
        _ => 8,
    };

    /// <summary>The same bits without a sign: how ids are read, whatever the record calls them.</summary>
    internal RecordField AsUnsigned => this with
    {
        Kind = Kind switch
        {
            FieldKind.I8 => FieldKind.U8,
            FieldKind.I16 => FieldKind.U16,
            FieldKind.I32 => FieldKind.U32,
            FieldKind.I64 => FieldKind.U64,
            _ => Kind,
        },
    };
}

/// <summary>
/// A format of fixed records, as data: one decoder serves them all, because a column of fields at a fixed
/// distance is decoded the same way wherever it comes from.
/// </summary>
internal sealed record RecordLayout(string Format, int RecordBytes, RecordField Id)
{
    /// <summary>oracleGeneral: 0 u32 time, 4 u64 id, 12 u32 size, 16 i64 next.</summary>
    internal static readonly RecordLayout Oracle = new(TraceFormats.Oracle, 24, new(4, FieldKind.U64))
    {
        Time = new(0, FieldKind.U32),
        Size = new(12, FieldKind.U32),
        Next = new(16, FieldKind.I64),
    };

    /// <summary>vscsi 1: 4 u32 length, 12 u16 command, 14 u16 version, 16 u64 block, 24 u64 time.</summary>
    internal static readonly RecordLayout Vscsi1 = new(TraceFormats.Vscsi, 32, new(16, FieldKind.U64))
    {
        Size = new(4, FieldKind.U32),
        Operation = new(12, FieldKind.U16),
        Operations = OperationCode.Scsi,
        Time = new(24, FieldKind.U64),
    };

    /// <summary>vscsi 2: 0 u16 command, 2 u16 version, 8 u32 length, 16 u64 block, 24 u64 time.</summary>
    internal static readonly RecordLayout Vscsi2 = new(TraceFormats.Vscsi, 40, new(16, FieldKind.U64))
    {
        Size = new(8, FieldKind.U32),
        Operation = new(0, FieldKind.U16),
        Operations = OperationCode.Scsi,
        Time = new(24, FieldKind.U64),
    };

    internal RecordField Size { get; init; }

    internal RecordField Time { get; init; }

    internal RecordField Next { get; init; }

    internal RecordField Operation { get; init; }

    internal OperationCode Operations { get; init; }

    /// <summary>Bytes before the first record.</summary>
    internal int HeaderBytes { get; init; }

    /// <summary>The number of requests that the header promises, 0 where there is none.</summary>
    internal long RequestsPromised { get; init; }

    /// <summary>The optional columns that the records have.</summary>
    internal TraceColumns Columns =>
        (Size.IsPresent ? TraceColumns.Size : 0) | (Time.IsPresent ? TraceColumns.Time : 0) |
        (Next.IsPresent ? TraceColumns.Next : 0) | (Operation.IsPresent ? TraceColumns.Write : 0);

    /// <summary>The layout of a stream of bare ids.</summary>
    internal static RecordLayout Ids(string format) => format switch
    {
        "be32" => new(format, 4, new(0, FieldKind.BigU32)),
        "be64" => new(format, 8, new(0, FieldKind.BigU64)),
        "le32" => new(format, 4, new(0, FieldKind.U32)),
        _ => new(format, 8, new(0, FieldKind.U64)),
    };
}

/// <summary>Which numbers of an operation field write.</summary>
internal enum OperationCode
{
    /// <summary>SCSI command bytes: WRITE of 6, 10, 12 and 16 bytes.</summary>
    Scsi,

    /// <summary>Key-value verbs: 1 get, 2 gets, 3 set and so on; all from set on change the value.</summary>
    KeyValue,
}

/// <summary>Tells writes from reads.</summary>
internal static class OperationCodes
{
    private const ulong FirstKeyValueWrite = 3;

    internal static bool IsWrite(OperationCode code, ulong operation) => code switch
    {
        OperationCode.Scsi => (operation & 0xff) is 0x0a or 0x2a or 0xaa or 0x8a,
        _ => operation >= FirstKeyValueWrite,
    };
}
