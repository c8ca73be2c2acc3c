// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;

namespace PerfCache.Native;

/// <summary>What a handle names.</summary>
internal enum HandleKind : uint
{
    Cache = 1,
    Object = 2,
    Lease = 3,
    Write = 4,
    Pool = 5,
    Ring = 6,
    View = 7,
}

/// <summary>The numbers that callers hold instead of pointers.</summary>
/// <remarks>
/// <code>
///  63    60 59            48 47                24 23                 0
/// +--------+----------------+--------------------+--------------------+
/// |  kind  |   index (12)   |  generation (24)   |    object (24)     |   cache, object, pool, ring, view
/// +--------+----------------+--------------------+--------------------+
/// |  kind  |          slot (28)             |      generation (32)    |   lease
/// +--------+--------------------------------+-------------------------+
/// |  kind  |                       number (60)                        |   write
/// +--------+----------------------------------------------------------+
/// </code>
/// A slot's generation goes up with each use, so a number comes back after 2^24 (leases: 2^31) uses of one slot. An
/// object's handle is its cache's with another kind and the object's number: one compare checks both.
/// </remarks>
internal static class Handle
{
    internal const int KindShift = 60;
    internal const int IndexShift = 48;
    internal const int IndexMask = 0xFFF;
    internal const int GenerationShift = 24;
    internal const uint GenerationMax = (1u << 24) - 1;
    internal const int SlotShift = 32;
    internal const uint SlotMask = (1u << 28) - 1;
    private const ulong ObjectMask = ObjectId.ValueMax;

    internal static HandleKind KindOf(ulong handle) => (HandleKind)(handle >> KindShift);

    internal static int IndexOf(ulong handle) => (int)(handle >> IndexShift) & IndexMask;

    internal static uint GenerationOf(ulong handle) => (uint)(handle >> GenerationShift) & GenerationMax;

    /// <summary>The handle of the cache that an object's handle belongs to; no handle at all for any other kind.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong CacheOf(ulong handle) =>
        (handle & ~ObjectMask) - ((ulong)(HandleKind.Object - HandleKind.Cache) << KindShift);

    internal static ObjectId ObjectOf(ulong handle) => new((uint)(handle & ObjectMask));

    internal static ulong Make(HandleKind kind, int index, uint generation) =>
        ((ulong)kind << KindShift) | ((ulong)index << IndexShift) | ((ulong)generation << GenerationShift);

    /// <summary>The handle of an object of a cache.</summary>
    internal static ulong ForObject(ulong cache, ObjectId owner) =>
        (cache & ~(0xFUL << KindShift)) | ((ulong)HandleKind.Object << KindShift) | owner.Value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong ForLease(uint slot, uint generation) =>
        ((ulong)HandleKind.Lease << KindShift) | ((ulong)slot << SlotShift) | generation;
}
