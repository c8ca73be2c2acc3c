// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace PerfCache.Items;

/// <summary>
/// A keyed hash of a short key: whoever does not know the seed cannot make keys that collide on purpose.
/// </summary>
/// <remarks>
/// The family of wyhash (public algorithm by Wang Yi): sixteen bytes at a time are mixed by one multiplication of
/// 64 by 64 bits whose halves are folded together. Both factors are blinded by words that come from the seed,
/// because the weakness of such a mixer is a factor of zero, and without the seed nobody can aim at one. It is no
/// cryptographic function: it withstands floods of chosen keys from peers who see no hash.
/// </remarks>
internal readonly struct KeyHash
{
    private readonly ulong _start;
    private readonly ulong _left;
    private readonly ulong _right;
    private readonly ulong _last;

    internal KeyHash(ulong seed)
    {
        _start = Next(ref seed);
        _left = Next(ref seed);
        _right = Next(ref seed);
        _last = Next(ref seed);
    }

    /// <summary>64 well mixed bits of the key.</summary>
    internal ulong Of(ReadOnlySpan<byte> key)
    {
        ulong state = _start;
        int length = key.Length;
        while (key.Length > 16)
        {
            state = Fold(Read(key) ^ _left, Read(key[8..]) ^ state);
            key = key[16..];
        }

        ulong low;
        ulong high;
        if (key.Length >= 8)
        {
            // The two words overlap when there are fewer than sixteen bytes; the length tells such keys apart.
            low = Read(key);
            high = Read(key[^8..]);
        }
        else if (key.Length >= 4)
        {
            low = BinaryPrimitives.ReadUInt32LittleEndian(key);
            high = BinaryPrimitives.ReadUInt32LittleEndian(key[^4..]);
        }
        else
        {
            low = key.IsEmpty ? 0 : ((ulong)key[0] << 16) | ((ulong)key[key.Length / 2] << 8) | key[^1];
            high = 0;
        }

        state = Fold(low ^ _right, high ^ state);
        return Fold(state ^ _last, (ulong)length ^ _left);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Read(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt64LittleEndian(bytes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Fold(ulong left, ulong right)
    {
        ulong high = Math.BigMul(left, right, out ulong low);
        return high ^ low;
    }

    // The splitmix64 generator: neighbouring seeds give unrelated words.
    private static ulong Next(ref ulong seed)
    {
        seed += 0x9E3779B97F4A7C15;
        ulong word = seed;
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9;
        word = (word ^ (word >> 27)) * 0x94D049BB133111EB;
        return word ^ (word >> 31);
    }
}
