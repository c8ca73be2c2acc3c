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
