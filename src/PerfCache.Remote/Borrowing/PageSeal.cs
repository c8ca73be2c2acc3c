// SPDX-License-Identifier: MIT
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace PerfCache.Remote.Borrowing;

/// <summary>Pages that a lender cannot read: AES-256-GCM with a key that never leaves the process.</summary>
/// <remarks>
/// <code>
/// value = ciphertext (a page) | tag (16) | count (8)        nonce = count | 0 (4)      bound to it: object, page, generation
/// </code>
/// The count goes up with each page that is sealed, and the key is drawn anew by each borrower, so no nonce is used twice.
/// The borrower keeps the first half of the tag as the page's checksum: an older version of the page has another. Who has
/// one of these uses it from one thread at a time.
/// </remarks>
internal sealed class PageSeal(byte[] key) : IDisposable
{
    /// <summary>Bytes that a value is longer than its page.</summary>
    internal const int ExtraBytes = TagBytes + CountBytes;

    /// <summary>Bytes of a key.</summary>
    internal const int KeyBytes = 32;

    private const int TagBytes = 16;
    private const int CountBytes = sizeof(ulong);
    private const int NonceBytes = 12;
    private const int BoundBytes = (2 * sizeof(ulong)) + sizeof(uint);

    private readonly AesGcm _cipher = new(key, TagBytes);

    /// <summary>Encrypts a page in place.</summary>
    /// <param name="value">The page, and <see cref="ExtraBytes"/> behind it.</param>
    /// <param name="name">What it is stored as.</param>
    /// <param name="count">Never the same again with this key.</param>
    /// <returns>What to know it by.</returns>
    internal ulong Seal(Span<byte> value, in RemotePageKey name, ulong count)
    {
        int length = value.Length - ExtraBytes;
        Span<byte> nonce = stackalloc byte[NonceBytes];
        Span<byte> bound = stackalloc byte[BoundBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(value[(length + TagBytes)..], count);
        Prepare(nonce, bound, name, count);
        Span<byte> tag = value.Slice(length, TagBytes);
        _cipher.Encrypt(nonce, value[..length], value[..length], tag, bound);
        return BinaryPrimitives.ReadUInt64LittleEndian(tag);
    }

    /// <summary>Decrypts a page that is what was sealed under this name.</summary>
    /// <param name="value">What came.</param>
    /// <param name="name">What was asked for.</param>
    /// <param name="known">What <see cref="Seal"/> returned.</param>
    /// <param name="page">Receives the page.</param>
    /// <returns>False when it is anything else.</returns>
    internal bool TryOpen(ReadOnlySpan<byte> value, in RemotePageKey name, ulong known, Span<byte> page)
    {
        int length = page.Length;
        ReadOnlySpan<byte> tag = value.Slice(length, TagBytes);
        if (BinaryPrimitives.ReadUInt64LittleEndian(tag) != known) return false;
        Span<byte> nonce = stackalloc byte[NonceBytes];
        Span<byte> bound = stackalloc byte[BoundBytes];
        Prepare(nonce, bound, name, BinaryPrimitives.ReadUInt64LittleEndian(value[(length + TagBytes)..]));
        try
        {
            _cipher.Decrypt(nonce, value[..length], tag, page, bound);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _cipher.Dispose();

    private static void Prepare(Span<byte> nonce, Span<byte> bound, in RemotePageKey name, ulong count)
    {
        nonce.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(nonce, count);
        BinaryPrimitives.WriteUInt64LittleEndian(bound, name.ObjectId);
        BinaryPrimitives.WriteUInt64LittleEndian(bound[sizeof(ulong)..], name.Page);
        BinaryPrimitives.WriteUInt32LittleEndian(bound[(2 * sizeof(ulong))..], name.Generation);
    }
}
