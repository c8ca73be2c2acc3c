// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Unicode;
using PerfCache.Items;

namespace PerfCache.Extensions;

/// <summary>From a key of the caller's to the 1 to 250 bytes that the store knows it by.</summary>
/// <remarks>
/// A key is its UTF-8. One that is too long for that, or empty, or has half a surrogate pair, becomes
/// <code>
/// the first characters, to 217 bytes  |  0xFF  |  SHA-256 of all its UTF-16 (32 bytes)
/// </code>
/// The byte 0xFF is in no UTF-8, so such a key is never another one's; and what two long keys have in common at their
/// beginning they keep, so <see cref="OffHeapDistributedCache.RemoveByPrefix"/> finds them. Refusing long keys would
/// not do: HybridCache allows 1024 characters, and frameworks make keys that nobody sees.
/// </remarks>
internal static class CacheKey
{
    /// <summary>Room for any key.</summary>
    internal const int BytesMax = ItemStoreOptions.KeyBytesMax;

    /// <summary>The longest prefix that any key is known to have kept: the last character may not have fitted.</summary>
    internal const int PrefixBytesMax = HeadBytesMax - 3;

    private const byte Mark = 0xFF;
    private const int HeadBytesMax = BytesMax - 1 - SHA256.HashSizeInBytes;

    /// <summary>Writes the bytes of a key.</summary>
    /// <param name="key">The caller's.</param>
    /// <param name="destination"><see cref="BytesMax"/> bytes.</param>
    /// <returns>The bytes written.</returns>
    internal static int Write(string key, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(key);
        OperationStatus status =
            Utf8.FromUtf16(key, destination, out _, out int written, replaceInvalidSequences: false);
        return status == OperationStatus.Done && written > 0 ? written : WriteHashed(key, destination);
    }

    /// <summary>Writes the bytes that keys with this prefix begin with.</summary>
    /// <exception cref="ArgumentException">It is too long, or has half a surrogate pair.</exception>
    internal static int WritePrefix(string prefix, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        OperationStatus status = Utf8.FromUtf16(
            prefix, destination[..PrefixBytesMax], out _, out int written, replaceInvalidSequences: false);
        return status switch
        {
            OperationStatus.Done => written,
            OperationStatus.DestinationTooSmall => throw new ArgumentException(
                $"a prefix has at most {PrefixBytesMax} bytes of UTF-8: of longer keys the end is hashed; shorten it",
                nameof(prefix)),
            _ => throw new ArgumentException("a prefix is well-formed UTF-16; this one has half a pair", nameof(prefix)),
        };
    }

    private static int WriteHashed(string key, Span<byte> destination)
    {
        // Whole characters only, as many as fit or as are well-formed.
        Utf8.FromUtf16(key, destination[..HeadBytesMax], out _, out int head, replaceInvalidSequences: false);
        destination[head] = Mark;
        SHA256.HashData(MemoryMarshal.AsBytes(key.AsSpan()), destination.Slice(head + 1, SHA256.HashSizeInBytes));
        return head + 1 + SHA256.HashSizeInBytes;
    }
}
