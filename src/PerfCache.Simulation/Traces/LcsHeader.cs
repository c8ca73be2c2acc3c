// SPDX-License-Identifier: MIT
using System.Buffers.Binary;

namespace PerfCache.Simulation.Traces;

/// <summary>
/// The header of <c>lcs</c>, 1,024 bytes that describe the records behind it: magic, a format string
/// (<c>&lt;</c>, then one letter a field), the 1-based numbers of the fields that are the id, size, time
/// and so on, the number of requests, and once more the number of fields, the record size and the magic.
/// </summary>
internal static class LcsHeader
{
    internal const int Bytes = 1024;
    internal const ulong Magic = 0x123456789abcdef0;

    private const int FormatOffset = 8;
    private const int FormatBytes = 240;
    private const int FieldNumbersOffset = 248;
    private const int RequestsOffset = 488;
    private const int FieldCountOffset = 1000;
    private const int RecordBytesOffset = 1004;
    private const int SecondMagicOffset = 1016;

    // Places in the row of field numbers.
    private const int IdPlace = 0;
    private const int SizePlace = 1;
    private const int TimePlace = 2;
    private const int NextPlace = 4;
    private const int OperationPlace = 5;

    /// <summary>Whether a file that begins so is of this format.</summary>
    internal static bool StartsWithMagic(ReadOnlySpan<byte> head) =>
        head.Length >= sizeof(ulong) && BinaryPrimitives.ReadUInt64LittleEndian(head) == Magic;

    /// <summary>Reads the layout of the records; the header stays unread.</summary>
    internal static RecordLayout Parse(TraceInput input)
    {
        input.Ensure(Bytes);
        if (!StartsWithMagic(input.Unread))
            throw input.ByteError(0,
                $"is not lcs: its first 8 bytes are not the magic 0x{Magic:x}; is it another " +
                "--format?");
        if (input.Unread.Length < Bytes)
            throw input.ByteError(input.Unread.Length, $"the lcs header is cut off; it has {Bytes} bytes");
        ReadOnlySpan<byte> header = input.Unread[..Bytes];
        if (BinaryPrimitives.ReadUInt64LittleEndian(header[SecondMagicOffset..]) != Magic)
            throw input.ByteError(SecondMagicOffset,
                $"the lcs header does not end with the magic 0x{Magic:x}; it is " +
                "damaged or of a newer version than this reader knows");
        List<RecordField> fields = ParseFields(input, header, out int recordBytes);
        uint fieldCount = BinaryPrimitives.ReadUInt32LittleEndian(header[FieldCountOffset..]);
        uint statedBytes = BinaryPrimitives.ReadUInt32LittleEndian(header[RecordBytesOffset..]);
        if (fieldCount != fields.Count || statedBytes != recordBytes)
            throw input.ByteError(FieldCountOffset,
                $"the lcs header states {fieldCount} fields in {statedBytes} bytes " +
                $"and its format string has {fields.Count} in {recordBytes}");
        RecordField id = Field(input, header, fields, IdPlace).AsUnsigned;
        if (!id.IsPresent || id.Kind is FieldKind.F32 or FieldKind.F64)
            throw input.ByteError(FieldNumbersOffset, "the lcs header names no integer field as the id");
        return new RecordLayout(TraceFormats.Lcs, recordBytes, id)
        {
            HeaderBytes = Bytes,
            RequestsPromised = BinaryPrimitives.ReadInt64LittleEndian(header[RequestsOffset..]),
            Size = Field(input, header, fields, SizePlace),
            Time = Field(input, header, fields, TimePlace),
            Next = Field(input, header, fields, NextPlace),
            Operation = Field(input, header, fields, OperationPlace),
            Operations = OperationCode.KeyValue,
        };
    }

    private static List<RecordField> ParseFields(
        TraceInput input, ReadOnlySpan<byte> header, out int recordBytes)
    {
        ReadOnlySpan<byte> format = header.Slice(FormatOffset, FormatBytes);
        int length = format.IndexOf((byte)0);
        format = (length < 0 ? format : format[..length]).TrimEnd((byte)' ');
        if (format.Length < 2 || format[0] != '<')
            throw input.ByteError(FormatOffset,
                $"the lcs format string '{TraceInput.Excerpt(format)}' does not begin " +
                "with '<' and a field; a newer version of the format is not supported");
        var fields = new List<RecordField>();
        recordBytes = 0;
        foreach (byte letter in format[1..])
        {
            FieldKind kind = Kind(letter);
            if (kind == FieldKind.Absent)
                throw input.ByteError(FormatOffset,
                    $"the lcs format string '{TraceInput.Excerpt(format)}' has the " +
                    $"unknown field letter '{TraceInput.Excerpt([letter])}'; the letters are " +
                    "c b B h H i I l L q Q f d");
            var field = new RecordField(recordBytes, kind);
            fields.Add(field);
            recordBytes += field.Bytes;
        }
        return fields;
    }

    private static FieldKind Kind(byte letter) => (char)letter switch
    {
        'b' => FieldKind.I8,
        'c' or 'B' => FieldKind.U8,
        'h' => FieldKind.I16,
        'H' => FieldKind.U16,
        'i' or 'l' => FieldKind.I32,
        'I' or 'L' => FieldKind.U32,
        'q' => FieldKind.I64,
        'Q' => FieldKind.U64,
        'f' => FieldKind.F32,
        'd' => FieldKind.F64,
        _ => FieldKind.Absent,
    };

    private static RecordField Field(
        TraceInput input, ReadOnlySpan<byte> header, List<RecordField> fields, int place)
    {
        int number = header[FieldNumbersOffset + place];
        if (number > fields.Count)
            throw input.ByteError(FieldNumbersOffset + place,
                $"the lcs header names field {number} of {fields.Count}");
        return number == 0 ? default : fields[number - 1];
    }
}
