// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Memory;

/// <summary>The barriers that the lock-free paths name: one place, because .NET 9 has not got them all.</summary>
internal static class MemoryOrder
{
    /// <summary>No load above it is done after a load or store below it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void ReadBarrier()
    {
#if NET10_0_OR_GREATER
        Volatile.ReadBarrier();
#else
        Interlocked.MemoryBarrier();
#endif
    }

    /// <summary>No store below it is seen before a load or store above it is done.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void WriteBarrier()
    {
#if NET10_0_OR_GREATER
        Volatile.WriteBarrier();
#else
        Interlocked.MemoryBarrier();
#endif
    }
}
