// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using PerfCache.Items;

namespace PerfCache.Extensions.Snapshots;

/// <summary>The file of a snapshot: a header, a record an entry, an end. All numbers little-endian.</summary>
/// <remarks>
/// <code>
/// header   0  8  "PCITEMS" and a zero
///          8  4  version, 1
///         12  4  zero
///         16  8  when it was begun, ticks of UTC
///         24  4  zero
///         28  4  CRC-32C of the 28 bytes before
///
/// record   0  4  CRC-32C of all that follows of this record
///          4  4  bytes of the key, 1 to 250; 0 in the end
///          8  4  bytes of the value
///         12  4  sliding length, see EntryLifetime; 0 for none
///         16  8  expiry, ticks of UTC; 2^63-1 for never. In the end: the number of records
///         24  8  absolute end, ticks of UTC; 2^63-1 for none. In the end: CRC-32C of the checksums of all records
///         32     key, then value
/// </code>
/// The end's checksum over the checksums notices a record that is missing, doubled or in another file's place. There is
/// no file of this name before it is complete: <see cref="SnapshotWriter"/> writes another one and renames it.
/// </remarks>
internal static class SnapshotFormat
{
    internal const int HeadBytes = 32;
    internal const uint Version = 1;

    internal static ReadOnlySpan<byte> Magic => "PCITEMS\0"u8;

    /// <summary>Writes a header.</summary>
    internal static void WriteHeader(Span<byte> head, long utcTicks)
    {
        head.Clear();
        Magic.CopyTo(head);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], Version);
        BinaryPrimitives.WriteInt64LittleEndian(head[16..], utcTicks);
        BinaryPrimitives.WriteUInt32LittleEndian(head[28..], Crc32C.Compute(head[..28]));
    }

    /// <summary>Reads a header.</summary>
    /// <returns>What is wrong with it, or null.</returns>
    internal static string? HeaderComplaint(ReadOnlySpan<byte> head)
    {
        if (!head.StartsWith(Magic)) return "it is no snapshot of a cache (it does not begin with PCITEMS)";
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(head[8..]);
        if (version != Version) return $"it has version {version}; this program reads {Version}";
        return BinaryPrimitives.ReadUInt32LittleEndian(head[28..]) == Crc32C.Compute(head[..28])
            ? null
            : "its header is damaged (wrong checksum)";
    }
}

/// <summary>The first 32 bytes of a record, or of the end.</summary>
/// <param name="Checksum">Of all that follows of the record.</param>
/// <param name="KeyBytes">Bytes of the key; 0 in the end.</param>
/// <param name="ValueBytes">Bytes of the value.</param>
/// <param name="Sliding">The sliding length, encoded.</param>
/// <param name="ExpiryTicks">UTC; in the end the number of records.</param>
/// <param name="LimitTicks">UTC; in the end the checksum of checksums.</param>
internal readonly record struct SnapshotRecord(
    uint Checksum, int KeyBytes, int ValueBytes, uint Sliding, long ExpiryTicks, long LimitTicks)
{
    private const int ChecksumBytes = sizeof(uint);

    internal static SnapshotRecord Read(ReadOnlySpan<byte> head) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(head),
        BinaryPrimitives.ReadInt32LittleEndian(head[4..]),
        BinaryPrimitives.ReadInt32LittleEndian(head[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(head[12..]),
        BinaryPrimitives.ReadInt64LittleEndian(head[16..]),
        BinaryPrimitives.ReadInt64LittleEndian(head[24..]));

    /// <summary>Writes the record's head, with the checksum of it, key and value.</summary>
    /// <returns>The checksum.</returns>
    internal uint Write(Span<byte> head, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], KeyBytes);
        BinaryPrimitives.WriteInt32LittleEndian(head[8..], ValueBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(head[12..], Sliding);
        BinaryPrimitives.WriteInt64LittleEndian(head[16..], ExpiryTicks);
        BinaryPrimitives.WriteInt64LittleEndian(head[24..], LimitTicks);
        uint checksum = Crc32C.Append(Crc32C.Append(ChecksumOfHead(head), key), value);
        BinaryPrimitives.WriteUInt32LittleEndian(head, checksum);
        return checksum;
    }

    /// <summary>What the checksum begins with.</summary>
    internal static uint ChecksumOfHead(ReadOnlySpan<byte> head) =>
        Crc32C.Compute(head[ChecksumBytes..SnapshotFormat.HeadBytes]);

    /// <summary>The checksum of checksums with one more.</summary>
    internal static uint Chain(uint chain, uint checksum)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, checksum);
        return Crc32C.Append(chain, bytes);
    }
}
