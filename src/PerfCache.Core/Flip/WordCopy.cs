// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Flip;

/// <summary>Copies values into slots and out of them by loads and stores of a word each: see <see cref="FlipPage"/>.</summary>
internal static class WordCopy
{
    /// <summary>Copies <paramref name="count"/> values that lie side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Copy<TValue>(ref readonly TValue from, ref TValue to, uint count) where TValue : unmanaged
    {
        ref TValue source = ref Unsafe.AsRef(in from);
        if (Unsafe.SizeOf<TValue>() % sizeof(ulong) != 0)
        {
            for (uint i = 0; i < count; i++) Unsafe.Add(ref to, i) = Unsafe.Add(ref source, i);
            return;
        }

        ref ulong sourceWord = ref Unsafe.As<TValue, ulong>(ref source);
        ref ulong word = ref Unsafe.As<TValue, ulong>(ref to);
        uint words = count * (uint)(Unsafe.SizeOf<TValue>() / sizeof(ulong));
        for (uint i = 0; i < words; i++) Unsafe.Add(ref word, i) = Unsafe.Add(ref sourceWord, i);
    }
}
