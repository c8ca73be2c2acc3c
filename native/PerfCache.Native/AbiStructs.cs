// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace PerfCache.Native;

// The structs of perfcache.h, field for field; what they mean is said there. Their offsets are asserted by the
// header, by AbiLayout at run time, and by the tests, which compile this file too.

/// <summary>How a cache is made.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AbiCacheOptions
{
    public uint Size;
    public uint PageBytes;
    public ulong CapacityBytes;
    public uint Policy;
    public uint Flags;
    public uint ReadaheadPages;
    public uint PatienceMillis;
    public uint FlushIntervalMillis;
    public uint DirtyAgeMillis;
    public byte* Name;
}

/// <summary>Counts.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AbiStatistics
{
    public uint Size;
    public uint PageBytes;
    public ulong CapacityBytes;
    public ulong UsedBytes;
    public ulong FrameCount;
    public ulong ResidentPages;
    public ulong Hits;
    public ulong Misses;
    public ulong LoadFailures;
    public ulong Insertions;
    public ulong Refaults;
    public ulong Activations;
    public ulong Deactivations;
    public ulong Evictions;
    public ulong Removals;
    public ulong LockWaits;
    public ulong DirtyPages;
    public ulong PagesWritten;
    public ulong WriteRequests;
    public ulong WriteFailures;
    public ulong ReadaheadPages;
    public ulong ReadaheadHits;
    public ulong LeasesOut;
}

/// <summary>How a file is opened.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AbiFileOptions
{
    public uint Size;
    public uint Flags;
    public ulong PageCountMax;
}

/// <summary>What an object is.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AbiObjectInfo
{
    public uint Size;
    public uint CanWrite;
    public ulong PageCount;
    public ulong LengthBytes;
    public uint IsDirect;
    public uint Reserved;
}

/// <summary>A page held for reading, or for writing: both have this layout.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AbiLease
{
    public uint Size;
    public uint Length;
    public ulong Handle;
    public byte* Data;
}

/// <summary>What a caller needs to find pages of one object by itself. The first two fields come from the caller.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AbiView
{
    public uint Size;
    public uint Layout;
    public ulong Handle;
    public ulong Owner;
    public ulong LeafCount;
    public uint* Leaves;
    public uint* Slots;
    public byte* Heads;
    public byte* Pages;
    public ulong Key;
    public ulong Mask;
    public ulong Usual;
    public uint PageShift;
    public uint PageBytes;
}

/// <summary>What the code in the header believes of the cache's memory, beside where its tables are. A change of any of
/// these is a new <see cref="Version"/>: programs compiled with another one make calls.</summary>
internal static class AbiViewLayout
{
    internal const uint Version = 1;

    /// <summary>Pages of a leaf, as a power of two.</summary>
    internal const int SlotBits = 6;

    /// <summary>Where the frame's number is in a slot.</summary>
    internal const int FrameShift = 2;

    /// <summary>The bits below it, of a slot that holds a frame.</summary>
    internal const uint FrameTag = 1;

    /// <summary>Where the pins are in a state word.</summary>
    internal const int PinsShift = 48;

    /// <summary>Where the object's number is in a page's key.</summary>
    internal const int ObjectShift = 40;

    /// <summary>Bytes of a frame's head: the key, then the state word.</summary>
    internal const int HeadBytes = 16;
}

/// <summary>How a pool is made.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AbiPoolOptions
{
    public uint Size;
    public uint FrameCount;
    public uint PageBytes;
    public uint Reserved;
}

/// <summary>What a pool is.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct AbiPoolInfo
{
    public uint Size;
    public uint PageBytes;
    public uint FrameCount;
    public uint FreeCount;
    public byte* FirstPage;
}

/// <summary>How a ring is made.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AbiRingOptions
{
    public uint Size;
    public uint Producer;
    public uint Consumer;
    public uint SlotCount;
    public uint Threads;
    public uint Wait;
}

/// <summary>A full page on its way.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AbiFlipPage
{
    public uint Size;
    public uint Frame;
    public uint Length;
    public uint UserBits;
}

/// <summary>Status codes: answers are positive, failures negative.</summary>
internal enum AbiStatus
{
    Ok = 0,
    NotResident = 1,
    Exists = 2,
    Full = 3,
    Empty = 4,
    BadArgument = -1,
    BadHandle = -2,
    Closed = -3,
    Io = -4,
    NoMemory = -5,
    Refused = -6,
    Timeout = -7,
    Internal = -8,
}
