// SPDX-License-Identifier: MIT
using System.Buffers.Text;
using PerfCache.Items;

namespace PerfCache.Remote.Protocol;

/// <summary>The meta commands: mg ms md ma me; mn needs no code.</summary>
internal sealed partial class MemcachedSession
{
    // The command and the end that memcached's own count includes.
    private const int MetaWordsMax = 19;

    private Step MetaGet(CommandTokens tokens)
    {
        if (tokens.Count < 2) return Say("ERROR"u8);
        if (tokens[1].Length > KeyBytesMax) return SayBadFormat();
        if (tokens.Count > MetaWordsMax) return Say("CLIENT_ERROR options flags are too long"u8);
        MetaFlags flags = new(tokens[1], _decodedKey);
        ReadOnlySpan<byte> error = flags.Parse(tokens, 2);
        if (error.IsEmpty) error = MetaFlags.CheckOpaque(tokens, 2);
        if (!error.IsEmpty) return SayAlways(error);
        Counters.MetaCommands++;
        ItemFetch fetch = new()
        {
            NewExpiryTicks = flags.HasTtl ? _settings.Clock.ExpiryTicks(flags.Ttl, _now) : null,
            RenewBelowTicks = RenewBelow(tokens, flags),
            Contends = true,
            Unnoticed = flags.NoUpdate,
            WithoutValue = !flags.WantsValue,
        };
        bool hit;
        bool made = false;
        ItemInfo info;
        bool won;
        // One that somebody else makes between the look and the making is looked at again.
        while (!(hit = TryFetch(flags.Key, fetch, out info, out won)) && flags.Vivifies)
        {
            ItemStatus status = Vivify(tokens, flags, [], out info);
            if (status == ItemStatus.NotStored && !_store.IsSuspended) continue;
            hit = won = made = status == ItemStatus.Done;
            break;
        }

        CountMetaGet(hit, flags.HasTtl);
        return hit ? MetaHit(tokens, flags, info, won, made) : MetaMiss(tokens, flags, flags.Quiet);
    }

    private void CountMetaGet(bool hit, bool touches)
    {
        if (touches && hit)
        {
            Counters.Touches++;
            Counters.TouchHits++;
            return;
        }

        Counters.Gets++;
        if (hit) Counters.GetHits++;
    }

    /// <summary>Makes an item that was asked for and is not there, in the name of whoever asked first.</summary>
    private ItemStatus Vivify(CommandTokens tokens, MetaFlags flags, ReadOnlySpan<byte> value, out ItemInfo info)
    {
        long expiry = long.MaxValue;
        for (int word = 2; word < tokens.Count; word++) NoteExpiry(ref expiry, tokens[word], flags, made: true);
        ItemWrite write = new()
        {
            Mode = ItemMode.Add,
            ExpiryTicks = expiry,
            // Whoever asked for it has read it, too.
            Marks = value.Length > 0 ? ItemMarks.None
                : flags.NoUpdate ? ItemMarks.Won : ItemMarks.Won | ItemMarks.Fetched,
        };
        info = default;
        if (_store.IsSuspended) return ItemStatus.NotStored;
        ItemStatus status = _items.Store(flags.Key, value, write, _now, out ulong cas);
        info = new ItemInfo { Length = value.Length, Cas = cas, ExpiryTicks = long.MaxValue };
        return status;
    }

    /// <summary>Flags act one after another: a remaining time that is asked for before it is changed is the old one.
    /// </summary>
    private void NoteExpiry(ref long expiryTicks, ReadOnlySpan<byte> flag, MetaFlags flags, bool made)
    {
        if (flag[0] == 'T') expiryTicks = _settings.Clock.ExpiryTicks(flags.Ttl, _now);
        else if (flag[0] == 'N' && made) expiryTicks = _settings.Clock.ExpiryTicks(flags.VivifyTtl, _now);
    }

    /// <summary>The tick before which an item must expire to be due for renewal; 0 for none.</summary>
    private long RenewBelow(CommandTokens tokens, MetaFlags flags)
    {
        if (!flags.HasRecache || flags.RecacheTtl == 0) return 0;
        long below = _settings.Clock.ExpiryTicks(flags.RecacheTtl, _now);
        for (int word = 2; word < tokens.Count && tokens[word][0] != 'R'; word++)
        {
            // Its new time counts, which is known here.
            if (tokens[word][0] != 'T') continue;
            long expiry = _settings.Clock.ExpiryTicks(flags.Ttl, _now);
            return expiry != long.MaxValue && expiry < below ? long.MaxValue : 0;
        }

        return below;
    }

    private HeaderWriter BeginHit(MetaFlags flags, int valueBytes)
    {
        HeaderWriter header = new(_header);
        if (flags.WantsValue)
        {
            header.Add("VA "u8);
            header.Add((ulong)valueBytes);
        }
        else
        {
            header.Add("HD"u8);
        }

        return header;
    }

    private Step MetaHit(CommandTokens tokens, MetaFlags flags, ItemInfo info, bool won, bool made)
    {
        long expiry = info.ExpiryTicks;
        HeaderWriter header = BeginHit(flags, info.Length);

        for (int word = 2; word < tokens.Count; word++)
        {
            NoteExpiry(ref expiry, tokens[word], flags, made);
            switch ((char)tokens[word][0])
            {
                case 's': header.AddFlag('s', (ulong)info.Length); break;
                case 't': header.AddFlag('t', ServerClock.SecondsLeft(expiry, _now)); break;
                case 'c': header.AddFlag('c', info.Cas); break;
                case 'f': header.AddFlag('f', (ulong)info.Flags); break;
                case 'l': header.AddFlag('l', (ulong)(info.IdleTicks / TimeSpan.TicksPerSecond)); break;
                case 'h': header.AddFlag('h', (info.Marks & ItemMarks.Fetched) != 0 ? 1UL : 0UL); break;
                default: AddEchoed(ref header, tokens[word], flags); break;
            }
        }

        if ((info.Marks & ItemMarks.Won) != 0) header.Add(" Z"u8);
        if ((info.Marks & ItemMarks.Stale) != 0) header.Add(" X"u8);
        if (won) header.Add(" W"u8);
        if (flags.WantsValue) FinishValue(header, info.Length);
        else _reply.AppendLine(header.Written);
        return Step.Done;
    }

    private Step MetaMiss(CommandTokens tokens, MetaFlags flags, bool quiet)
    {
        if (quiet) return Step.Done;
        HeaderWriter header = new(_header);
        header.Add("EN"u8);
        AddEchoed(ref header, tokens, 2, flags);
        _reply.AppendLine(header.Written);
        return Step.Done;
    }

    private Step MetaSet(CommandTokens tokens, ReadOnlySpan<byte> input, ref int next)
    {
        if (tokens.Count < 2) return Say("ERROR"u8);
        if (tokens[1].Length > KeyBytesMax || tokens.Count == 2) return SayBadFormat();
        if (tokens.Count > MetaWordsMax) return Say("CLIENT_ERROR options flags too long"u8);
        if (!TextNumber.TryParse(tokens[2], out int length) || length is < 0 or > int.MaxValue - 2) return SayBadFormat();
        MetaFlags flags = new(tokens[1], _decodedKey);
        ReadOnlySpan<byte> error = flags.Parse(tokens, 3);
        ItemMode mode = ModeOf(flags.Mode, out bool known);
        if (error.IsEmpty && !known) error = "CLIENT_ERROR invalid mode for ms M token"u8;
        if (error.IsEmpty) error = MetaFlags.CheckOpaque(tokens, 3);
        // The length was understood, so the data can be skipped, and what follows is read as what it is.
        if (!error.IsEmpty) return Refuse(error, flags.Key, removes: false, length);
        if (!TryData(flags.Key, length, flags.ClientFlags != 0, removes: true, input, ref next,
            out ReadOnlySpan<byte> value, out Step step))
        {
            return step;
        }

        if (!IsEndOfData(input, next)) return SayAlways("CLIENT_ERROR bad data chunk"u8);
        Counters.MetaCommands++;
        bool replaces = mode is ItemMode.Set or ItemMode.Replace;
        bool compares = flags.HasCas && replaces;
        ItemWrite write = new()
        {
            Mode = compares ? ItemMode.Set : mode,
            Flags = flags.ClientFlags,
            ExpiryTicks = _settings.Clock.ExpiryTicks(flags.Ttl, _now),
            ExpectedCas = mode == ItemMode.Add ? 0 : flags.Cas,
            StaleIfOlder = flags.Invalidates && compares,
            NewCas = flags.NewCas,
        };
        ItemStatus status = Store(flags.Key, value, write, compares, out ulong cas);
        // Without an item to be put behind, a CAS number says nothing.
        if (status == ItemStatus.NotFound && !replaces) status = ItemStatus.NotStored;
        return MetaStored(tokens, flags, status, cas);
    }

    private static ItemMode ModeOf(byte letter, out bool known)
    {
        known = true;
        switch ((char)letter)
        {
            case '\0' or 'S': return ItemMode.Set;
            case 'E': return ItemMode.Add;
            case 'A': return ItemMode.Append;
            case 'P': return ItemMode.Prepend;
            case 'R': return ItemMode.Replace;
            default:
                known = false;
                return ItemMode.Set;
        }
    }

    private Step MetaStored(CommandTokens tokens, MetaFlags flags, ItemStatus status, ulong cas)
    {
        if (status == ItemStatus.TooLarge) return SayAlways("SERVER_ERROR object too large for cache"u8);
        if (status == ItemStatus.NoRoom) return SayAlways("SERVER_ERROR out of memory storing object"u8);
        if (status == ItemStatus.Done && flags.Quiet) return Step.Done;
        HeaderWriter header = new(_header);
        header.Add(CodeOf(status));
        for (int word = 3; word < tokens.Count; word++)
        {
            if (tokens[word][0] == 'c') header.AddFlag('c', cas);
            else AddEchoed(ref header, tokens[word], flags);
        }

        _reply.AppendLine(header.Written);
        return Step.Done;
    }

    private Step MetaDelete(CommandTokens tokens)
    {
        if (tokens.Count < 2) return Say("ERROR"u8);
        if (tokens[1].Length > KeyBytesMax) return SayBadFormat();
        if (tokens.Count > MetaWordsMax) return Say("CLIENT_ERROR options flags too long"u8);
        MetaFlags flags = new(tokens[1], _decodedKey);
        if (!flags.Parse(tokens, 2).IsEmpty) return SayAlways("CLIENT_ERROR invalid or duplicate flag"u8);
        ReadOnlySpan<byte> error = MetaFlags.CheckOpaque(tokens, 2);
        if (!error.IsEmpty) return SayAlways(error);
        Counters.MetaCommands++;
        ItemStatus status;
        if (flags.HasCas && flags.Cas == 0)
            status = _items.TryPeek(flags.Key, _now, out _) ? ItemStatus.Exists : ItemStatus.NotFound;
        else if (flags.Invalidates)
            status = _items.Invalidate(
                flags.Key, _now, flags.Cas, flags.HasTtl ? _settings.Clock.ExpiryTicks(flags.Ttl, _now) : null);
        else
            status = _items.Delete(flags.Key, _now, flags.Cas);
        if (status != ItemStatus.Done) Counters.DeleteMisses++;
        else if (!flags.Invalidates) Counters.DeleteHits++;
        if (status == ItemStatus.Done && flags.Quiet) return Step.Done;
        HeaderWriter header = new(_header);
        header.Add(CodeOf(status));
        AddEchoed(ref header, tokens, 2, flags);
        _reply.AppendLine(header.Written);
        return Step.Done;
    }

    private Step MetaArithmetic(CommandTokens tokens)
    {
        if (tokens.Count < 2) return Say("ERROR"u8);
        if (tokens[1].Length > KeyBytesMax) return SayBadFormat();
        if (tokens.Count > MetaWordsMax) return Say("CLIENT_ERROR options flags too long"u8);
        MetaFlags flags = new(tokens[1], _decodedKey);
        if (!flags.Parse(tokens, 2).IsEmpty) return SayAlways("CLIENT_ERROR invalid or duplicate flag"u8);
        if (flags.Mode is not (0 or (byte)'I' or (byte)'+' or (byte)'D' or (byte)'-'))
            return SayAlways("CLIENT_ERROR invalid mode for ma M token"u8);
        ReadOnlySpan<byte> error = MetaFlags.CheckOpaque(tokens, 2);
        if (!error.IsEmpty) return SayAlways(error);
        Counters.MetaCommands++;
        bool increments = flags.Mode is not ((byte)'D' or (byte)'-');
        long? expiry = flags.HasTtl ? _settings.Clock.ExpiryTicks(flags.Ttl, _now) : null;
        Span<byte> text = stackalloc byte[TextNumber.DigitsMax];
        while (true)
        {
            Sum sum = Add(flags.Key, increments, flags.Delta, flags.Cas, expiry, text, out int length, out ItemInfo info);
            bool made = false;
            if (sum == Sum.NotFound && flags.Vivifies)
            {
                length = TextNumber.Format(flags.Initial, text);
                ItemStatus status = Vivify(tokens, flags, text[..length], out info);
                if (status == ItemStatus.NotStored && !_store.IsSuspended) continue;
                if (status is not (ItemStatus.Done or ItemStatus.NotStored))
                    return SayAlways("SERVER_ERROR Out of memory allocating new item"u8);
                made = status == ItemStatus.Done;
                if (!made) return MetaCode(tokens, flags, "NS"u8);
            }

            switch (sum)
            {
                case Sum.NotANumber:
                    return SayAlways("CLIENT_ERROR cannot increment or decrement non-numeric value"u8);
                case Sum.NoRoom:
                    return SayAlways("SERVER_ERROR out of memory"u8);
                case Sum.OtherCas:
                    return MetaCode(tokens, flags, "EX"u8);
                case Sum.NotFound when !made:
                    return MetaCode(tokens, flags, "NF"u8);
                default:
                    return flags.Quiet && !made ? Step.Done : MetaSum(tokens, flags, info, text[..length], made);
            }
        }
    }

    private Step MetaSum(
        CommandTokens tokens, MetaFlags flags, ItemInfo info, ReadOnlySpan<byte> text, bool made)
    {
        long expiry = info.ExpiryTicks;
        HeaderWriter header = BeginHit(flags, text.Length);

        for (int word = 2; word < tokens.Count; word++)
        {
            NoteExpiry(ref expiry, tokens[word], flags, made);
            switch ((char)tokens[word][0])
            {
                case 't': header.AddFlag('t', ServerClock.SecondsLeft(expiry, _now)); break;
                case 'c': header.AddFlag('c', info.Cas); break;
                default: AddEchoed(ref header, tokens[word], flags); break;
            }
        }

        _reply.AppendLine(header.Written);
        if (flags.WantsValue) _reply.AppendLine(text);
        return Step.Done;
    }

    private Step MetaCode(CommandTokens tokens, MetaFlags flags, ReadOnlySpan<byte> code)
    {
        HeaderWriter header = new(_header);
        header.Add(code);
        AddEchoed(ref header, tokens, 2, flags);
        _reply.AppendLine(header.Written);
        return Step.Done;
    }

    private Step MetaDebug(CommandTokens tokens)
    {
        if (tokens.Count < 2 || tokens[1].Length > KeyBytesMax) return SayBadFormat();
        MetaFlags flags = new(tokens[1], _decodedKey);
        if (tokens[2].SequenceEqual("b"u8) && !flags.Parse(tokens, 2).IsEmpty) return SayBadFormat();
        Counters.MetaCommands++;
        if (!_items.TryPeek(flags.Key, _now, out ItemInfo info)) return Say("EN"u8);
        HeaderWriter header = new(_header);
        header.Add("ME "u8);
        AddKey(ref header, flags);
        header.Add(" exp="u8);
        if (info.ExpiryTicks == long.MaxValue) header.Add("-1"u8);
        else header.Add((ulong)ServerClock.SecondsLeft(info.ExpiryTicks, _now));
        header.Add(" la="u8);
        header.Add((ulong)(info.IdleTicks / TimeSpan.TicksPerSecond));
        header.Add(" cas="u8);
        header.Add(info.Cas);
        header.Add((info.Marks & ItemMarks.Fetched) != 0 ? " fetch=yes"u8 : " fetch=no"u8);
        header.Add(" cls=1 size="u8);
        header.Add((ulong)(info.Length + flags.Key.Length + ItemOverheadBytes));
        _reply.AppendLine(header.Written);
        return Step.Done;
    }

    private static ReadOnlySpan<byte> CodeOf(ItemStatus status) => status switch
    {
        ItemStatus.Done => "HD"u8,
        ItemStatus.Exists => "EX"u8,
        ItemStatus.NotFound => "NF"u8,
        _ => "NS"u8,
    };

    /// <summary>What a reply repeats of its request: the opaque and the key.</summary>
    private static void AddEchoed(ref HeaderWriter header, CommandTokens tokens, int from, MetaFlags flags)
    {
        for (int word = from; word < tokens.Count; word++) AddEchoed(ref header, tokens[word], flags);
    }

    private static void AddEchoed(ref HeaderWriter header, ReadOnlySpan<byte> flag, MetaFlags flags)
    {
        if (flag[0] == 'O')
        {
            header.Add((byte)' ');
            header.Add(flag);
        }
        else if (flag[0] == 'k')
        {
            header.Add(" k"u8);
            AddKey(ref header, flags);
            if (flags.KeyIsBase64) header.Add(" b"u8);
        }
    }

    private static void AddKey(ref HeaderWriter header, MetaFlags flags)
    {
        if (!flags.KeyIsBase64)
        {
            header.Add(flags.Key);
            return;
        }

        Span<byte> encoded = stackalloc byte[Base64.GetMaxEncodedToUtf8Length(KeyBytesMax)];
        Base64.EncodeToUtf8(flags.Key, encoded, out _, out int length);
        header.Add(encoded[..length]);
    }
}
