// SPDX-License-Identifier: MIT
using System.Buffers.Text;
using System.Security.Cryptography;

namespace PerfCache.Remote.Borrowing;

/// <summary>A page's name on the wire: always the same length, letters that every memcached takes as a key.</summary>
/// <remarks>
/// <code>
/// 22 letters        4        11          11        6
/// incarnation       epoch    object      page      generation        6 bits a letter, base64url
/// </code>
/// The incarnation is drawn anew by each borrower, so that one that was restarted never finds its predecessor's pages, and two
/// borrowers on one server never meet. The epoch counts how often this server's pages were given up: what was stored
/// before can never be found again, even where it survived.
/// </remarks>
internal sealed class WireKey
{
    /// <summary>Letters of a key. Memcached allows 250.</summary>
    internal const int Length = IncarnationLetters + EpochLetters + (2 * LongLetters) + GenerationLetters;

    /// <summary>An epoch is counted up to here, and then from 0 again.</summary>
    internal const int EpochMask = (1 << (6 * EpochLetters)) - 1;

    private const int IncarnationLetters = 22;
    private const int EpochLetters = 4;
    private const int LongLetters = 11;
    private const int GenerationLetters = 6;

    private readonly byte[] _incarnation;

    private WireKey(byte[] incarnation) => _incarnation = incarnation;

    private static ReadOnlySpan<byte> Letters => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"u8;

    /// <summary>A new incarnation, from the system's source of randomness.</summary>
    internal static WireKey New()
    {
        Span<byte> random = stackalloc byte[16];
        RandomNumberGenerator.Fill(random);
        byte[] letters = new byte[IncarnationLetters];
        Base64Url.EncodeToUtf8(random, letters);
        return new WireKey(letters);
    }

    /// <summary>Writes a key.</summary>
    /// <param name="destination">Room for <see cref="Length"/> letters.</param>
    /// <param name="epoch">How often this server was lost.</param>
    /// <param name="key">The page.</param>
    internal void Write(Span<byte> destination, int epoch, in RemotePageKey key)
    {
        _incarnation.CopyTo(destination);
        destination = destination.Slice(IncarnationLetters, Length - IncarnationLetters);
        WriteNumber(destination[..EpochLetters], (uint)epoch);
        WriteNumber(destination.Slice(EpochLetters, LongLetters), key.ObjectId);
        WriteNumber(destination.Slice(EpochLetters + LongLetters, LongLetters), key.Page);
        WriteNumber(destination[^GenerationLetters..], key.Generation);
    }

    private static void WriteNumber(Span<byte> destination, ulong value)
    {
        for (int i = destination.Length - 1; i >= 0; i--)
        {
            destination[i] = Letters[(int)(value & 63)];
            value >>= 6;
        }
    }
}
