// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Items;

/// <summary>What is remembered of an item besides its contents.</summary>
[Flags]
public enum ItemMarks
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>It was read since it was stored.</summary>
    Fetched = 1 << 4,

    /// <summary>It is out of date and served meanwhile, until somebody stores it anew.</summary>
    Stale = 1 << 5,

    /// <summary>Somebody was told to store it anew; others need not.</summary>
    Won = 1 << 6,
}

/// <summary>What a row is and how its item stands; the upper half is <see cref="ItemMarks"/>.</summary>
[Flags]
internal enum RowMarks : byte
{
    None = 0,
    Live = 1 << 0,
    Continuation = 1 << 1,
    Split = 1 << 2,
    Referenced = 1 << 3,
    Public = ItemMarks.Fetched | ItemMarks.Stale | ItemMarks.Won,
}

/// <summary>
/// One row of a shard: an item, or the continuation of one whose value lies in two slots. One cache line, and all
/// that a read needs but the rest of a long key.
/// </summary>
/// <remarks>
/// <code>
/// value = whole frames (chained by their rows), then the slot at Place, then the continuation's slot
///
/// plain item                      split item                      its continuation
///   Place: slot or 0                Place: first slot               Place: second slot
///   Rest:  first whole frame or 0   Rest:  the continuation's row   Rest:  first whole frame or 0
///                                                                   NextInBucket: the item's row
/// </code>
/// A row that is free has no marks, and NextInBucket is the next free row.
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = SizeBytes)]
internal unsafe struct ItemHead
{
    internal const int SizeBytes = 64;

    /// <summary>Bytes of the key that lie in the row; the rest is in key cells.</summary>
    internal const int KeyStartBytes = 9;

    [FieldOffset(0)] public ulong Cas;
    [FieldOffset(8)] public long ExpiryTicks;
    [FieldOffset(16)] public uint Hash;
    [FieldOffset(20)] public uint NextInBucket;
    [FieldOffset(24)] public int Length;
    [FieldOffset(28)] public uint Flags;
    [FieldOffset(32)] public uint Checksum;
    [FieldOffset(36)] public uint Place;
    [FieldOffset(40)] public uint Rest;
    [FieldOffset(44)] public uint KeyCell;
    [FieldOffset(48)] public uint AccessTime;
    [FieldOffset(52)] public RowMarks Marks;
    [FieldOffset(53)] public byte Generation;
    [FieldOffset(54)] public byte KeyLength;
    [FieldOffset(55)] public fixed byte KeyStart[KeyStartBytes];

    internal readonly bool Has(RowMarks mark) => (Marks & mark) != 0;
}

/// <summary>Neighbours in a list of items.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ItemLink
{
    public uint Previous;
    public uint Next;
}

/// <summary>28 bytes of a key and the cell with the next ones.</summary>
[StructLayout(LayoutKind.Explicit, Size = SizeBytes)]
internal unsafe struct KeyCell
{
    internal const int SizeBytes = 32;
    internal const int KeyBytes = 28;

    [FieldOffset(0)] public uint Next;
    [FieldOffset(4)] public fixed byte Bytes[KeyBytes];
}

/// <summary>What the store knows of a frame: who has bytes in it, and whether there is room.</summary>
/// <remarks>
/// The class says what the frame is used for (<see cref="SizeClasses"/>, <see cref="ItemFrames"/>); the links are
/// those of the free frames, of the frames of a class with room, or of a chain of whole frames.
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = SizeBytes)]
internal struct ItemFrame
{
    internal const int SizeBytes = 16;

    [FieldOffset(0)] public uint Row;
    [FieldOffset(4)] public uint Next;
    [FieldOffset(8)] public uint Previous;
    [FieldOffset(12)] public ushort UsedSlots;
    [FieldOffset(14)] public byte Class;
    [FieldOffset(15)] public byte Shard;
}
