// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace PerfCache.Memory;

/// <summary>
/// A view of native memory as an array: the one type that does pointer arithmetic. It owns nothing and never frees.
/// </summary>
/// <remarks>
/// Debug builds check every index; release builds check none, so whoever indexes by a number that came from outside
/// checks it first. Columns indexed by a typed id wrap this type and are the only users of an index.
/// </remarks>
/// <typeparam name="T">An unmanaged element.</typeparam>
public readonly unsafe struct NativeArray<T> where T : unmanaged
{
    private readonly T* _first;
#if DEBUG || PERFCACHE_VALIDATE
    private readonly long _length;
#endif

    internal NativeArray(void* first, long length)
    {
        _first = (T*)first;
#if DEBUG || PERFCACHE_VALIDATE
        _length = length;
#else
        _ = length;
#endif
    }

    /// <summary>True for the default value, which views nothing.</summary>
    public bool IsNull => _first is null;

    /// <summary>The first element's address.</summary>
    internal T* Address => _first;

    /// <summary>The element at <paramref name="index"/>.</summary>
    public ref T this[uint index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
#if DEBUG || PERFCACHE_VALIDATE
            CheckIndex(index);
#endif
            return ref _first[index];
        }
    }

    /// <summary>The element at <paramref name="index"/>.</summary>
    public ref T this[ulong index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
#if DEBUG || PERFCACHE_VALIDATE
            CheckIndex(index);
#endif
            return ref _first[index];
        }
    }

    /// <summary>The element whose first byte is at <paramref name="offset"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref T AtByte(ulong offset)
    {
#if DEBUG || PERFCACHE_VALIDATE
        CheckIndex(offset / (ulong)sizeof(T));
        Invariant.Assert(offset % (ulong)sizeof(T) == 0, "native array", "the first byte of an element", (long)offset);
#endif
        return ref *(T*)((byte*)_first + offset);
    }

    /// <summary>
    /// Asks the processor to bring the element's cache line near. Any index inside the reservation is allowed; the
    /// hint never faults. It does nothing on Arm: the base instruction set there has such a hint (PRFM), but .NET offers
    /// only that of SVE, as a preview.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Prefetch(uint index)
    {
        if (Sse.IsSupported) Sse.Prefetch0(_first + index);
    }

    /// <summary>A span over <paramref name="length"/> elements from <paramref name="start"/>.</summary>
    public Span<T> AsSpan(long start, int length)
    {
#if DEBUG || PERFCACHE_VALIDATE
        if (length > 0)
        {
            CheckIndex((ulong)start);
            CheckIndex((ulong)(start + length - 1));
        }
#endif
        return new Span<T>(_first + start, length);
    }

#if DEBUG || PERFCACHE_VALIDATE
    private void CheckIndex(ulong index)
    {
        // The text is built only on failure: debug builds come by here at every access.
        if (index >= (ulong)_length)
            Invariant.Assert(false, nameof(NativeArray<T>), $"index < {_length}", (long)index);
    }
#endif
}
