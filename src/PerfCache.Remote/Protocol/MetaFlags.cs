// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Buffers.Text;

namespace PerfCache.Remote.Protocol;

/// <summary>The flags of a meta command, each at most once, and its key.</summary>
/// <remarks>
/// What a flag asks for is gathered here; what it asks to have in the reply is read again from the words, because a
/// reply has its flags in the order of the request. One flag more than memcached 1.6.18 has is known: E, the CAS number
/// that a stored item gets, which newer ones have.
/// </remarks>
internal ref struct MetaFlags
{
    /// <summary>The longest opaque, its letter included.</summary>
    internal const int OpaqueLengthMax = 32;

    private readonly Span<byte> _decodedKey;
    private UInt128 _seen;

    /// <summary>Makes an empty set.</summary>
    /// <param name="key">The key as it came.</param>
    /// <param name="decodedKey">Room for a key that comes in base64.</param>
    internal MetaFlags(ReadOnlySpan<byte> key, Span<byte> decodedKey)
    {
        Key = key;
        _decodedKey = decodedKey;
    }

    /// <summary>The key, decoded.</summary>
    internal ReadOnlySpan<byte> Key { get; private set; }

    internal bool KeyIsBase64 { get; private set; }

    internal bool WantsValue { get; private set; }

    internal bool NoUpdate { get; private set; }

    internal bool Quiet { get; private set; }

    internal bool Invalidates { get; private set; }

    internal bool Vivifies { get; private set; }

    internal bool HasTtl { get; private set; }

    internal bool HasRecache { get; private set; }

    internal bool HasCas { get; private set; }

    /// <summary>The mode letter, or 0.</summary>
    internal byte Mode { get; private set; }

    internal long Ttl { get; private set; }

    internal long VivifyTtl { get; private set; }

    internal long RecacheTtl { get; private set; }

    internal uint ClientFlags { get; private set; }

    internal ulong Cas { get; private set; }

    internal ulong NewCas { get; private set; }

    internal ulong Delta { get; private set; } = 1;

    internal ulong Initial { get; private set; }

    /// <summary>Reads the flags from a word on.</summary>
    /// <returns>Nothing, or what is wrong with them.</returns>
    internal ReadOnlySpan<byte> Parse(CommandTokens tokens, int from)
    {
        ReadOnlySpan<byte> error = default;
        for (int word = from; word < tokens.Count; word++)
        {
            ReadOnlySpan<byte> flag = tokens[word];
            byte letter = flag[0];
            if (letter >= 127 || (_seen & (UInt128.One << letter)) != 0) return "CLIENT_ERROR duplicate flag"u8;
            _seen |= UInt128.One << letter;
            ReadOnlySpan<byte> wrong = Take(letter, flag[1..], out bool known);
            if (!known) return "CLIENT_ERROR invalid flag"u8;
            // A wrong client flag has no text of its own, so it does not take the place of another's.
            if (!wrong.IsEmpty && (letter != 'F' || error.IsEmpty)) error = wrong;
        }

        return error;
    }

    /// <summary>What is wrong with the opaque, if there is one.</summary>
    internal static ReadOnlySpan<byte> CheckOpaque(CommandTokens tokens, int from)
    {
        for (int word = from; word < tokens.Count; word++)
        {
            if (tokens[word][0] == 'O' && tokens[word].Length > OpaqueLengthMax)
                return "CLIENT_ERROR opaque token too long"u8;
        }

        return default;
    }

    private ReadOnlySpan<byte> Take(byte letter, ReadOnlySpan<byte> argument, out bool known)
    {
        known = true;
        switch ((char)letter)
        {
            case 'O' or 'P' or 'L' or 'k' or 's' or 't' or 'c' or 'f' or 'h' or 'l':
                return default;
            case 'v':
                WantsValue = true;
                return default;
            case 'u':
                NoUpdate = true;
                return default;
            case 'q':
                Quiet = true;
                return default;
            case 'I':
                Invalidates = true;
                return default;
            case 'b':
                return DecodeKey();
            case 'M':
                if (argument.Length != 1) return "CLIENT_ERROR incorrect length for M token"u8;
                Mode = argument[0];
                return default;
            default:
                return TakeNumber(letter, argument, out known);
        }
    }

    private ReadOnlySpan<byte> TakeNumber(byte letter, ReadOnlySpan<byte> argument, out bool known)
    {
        known = true;
        bool parsed;
        ulong number = 0;
        long signed = 0;
        switch ((char)letter)
        {
            case 'N':
                parsed = TextNumber.TryParse(argument, out signed);
                (Vivifies, VivifyTtl) = (true, signed);
                break;
            case 'T':
                parsed = TextNumber.TryParse(argument, out signed);
                (HasTtl, Ttl) = (parsed, signed);
                break;
            case 'R':
                parsed = TextNumber.TryParse(argument, out signed);
                (HasRecache, RecacheTtl) = (parsed, signed);
                break;
            case 'C':
                parsed = TextNumber.TryParse(argument, out number);
                (HasCas, Cas) = (parsed, number);
                break;
            case 'E':
                parsed = TextNumber.TryParse(argument, out number);
                NewCas = number;
                break;
            case 'F':
                if (!TextNumber.TryParse(argument, out uint clientFlags)) return "CLIENT_ERROR bad command line format"u8;
                ClientFlags = clientFlags;
                return default;
            case 'J':
                if (!TextNumber.TryParse(argument, out number)) return "CLIENT_ERROR invalid numeric initial value"u8;
                Initial = number;
                return default;
            case 'D':
                if (!TextNumber.TryParse(argument, out number)) return "CLIENT_ERROR invalid numeric delta value"u8;
                Delta = number;
                return default;
            default:
                known = false;
                return default;
        }

        return parsed ? default : "CLIENT_ERROR bad token in command line format"u8;
    }

    private ReadOnlySpan<byte> DecodeKey()
    {
        OperationStatus status = Base64.DecodeFromUtf8(Key, _decodedKey, out int read, out int written);
        if (status != OperationStatus.Done || read != Key.Length || written == 0)
            return "CLIENT_ERROR error decoding key"u8;
        Key = _decodedKey[..written];
        KeyIsBase64 = true;
        return default;
    }
}
