// SPDX-License-Identifier: MIT
using PerfCache.Items;

namespace PerfCache.Remote.Protocol;

/// <summary>The classic text commands.</summary>
internal sealed partial class MemcachedSession
{
    private Step Get(CommandTokens tokens, ReadOnlySpan<byte> line, bool withCas, bool touches)
    {
        if (tokens.Count < 2) return Say("ERROR"u8);
        ItemFetch fetch = default;
        int firstKey = 1;
        if (touches)
        {
            if (!TextNumber.TryParse(tokens[1], out long ttl)) return Say("CLIENT_ERROR invalid exptime argument"u8);
            fetch = new ItemFetch { NewExpiryTicks = _settings.Clock.ExpiryTicks(ttl, _now) };
            firstKey = 2;
        }

        int at = _resumeAt;
        if (at == 0)
        {
            at = firstKey < tokens.Count ? tokens.StartOf(firstKey) : line.Length;
            // Memcached takes back what it has said so far when it meets a key that is too long.
            if (HasLongKey(line, at)) return SayBadFormat();
        }

        while (CommandTokens.TryNext(line, ref at, out int start))
        {
            GetOne(line[start..at], fetch, withCas, touches);
            if (!_reply.IsFull) continue;
            _resumeAt = at;
            return Step.Paused;
        }

        _resumeAt = 0;
        return SayAlways("END"u8);
    }

    private static bool HasLongKey(ReadOnlySpan<byte> line, int at)
    {
        while (CommandTokens.TryNext(line, ref at, out int start))
        {
            if (at - start > KeyBytesMax) return true;
        }

        return false;
    }

    private void GetOne(ReadOnlySpan<byte> key, in ItemFetch fetch, bool withCas, bool touches)
    {
        bool hit = TryFetch(key, fetch, out ItemInfo info, out _);
        if (touches)
        {
            Counters.Touches++;
            if (hit) Counters.TouchHits++;
        }
        else
        {
            Counters.Gets++;
            if (hit) Counters.GetHits++;
        }

        if (!hit) return;
        HeaderWriter header = new(_header);
        header.Add("VALUE "u8);
        header.Add(key);
        header.Add((byte)' ');
        header.Add(info.Flags);
        header.Add((byte)' ');
        header.Add((ulong)info.Length);
        if (withCas)
        {
            header.Add((byte)' ');
            header.Add(info.Cas);
        }

        FinishValue(header, info.Length);
    }

    /// <summary>
    /// Reads an item; its value is in the reply's room, behind a gap that the next header is expected to fill.
    /// </summary>
    private bool TryFetch(ReadOnlySpan<byte> key, in ItemFetch fetch, out ItemInfo info, out bool won)
    {
        int wanted = fetch.WithoutValue ? 0 : _valueGuess;
        while (true)
        {
            // Room for the end of the line behind the value is kept too.
            Span<byte> room = _reply.Room(_header.Length + wanted + 2);
            ItemRead read = _items.Fetch(key, _now, fetch, room[_headerGuess..^2], out info, out won);
            if (read != ItemRead.TooSmall) return read == ItemRead.Hit;
            wanted = info.Length;
        }
    }

    /// <summary>Puts a header before the value that was just read, and the end of a line behind it.</summary>
    private void FinishValue(HeaderWriter header, int valueBytes)
    {
        header.Add("\r\n"u8);
        int length = header.Length;
        Span<byte> room = _reply.Room(length + valueBytes + 2);
        if (length != _headerGuess)
        {
            // Replies of one client mostly have headers of one length, so this is seldom.
            room.Slice(_headerGuess, valueBytes).CopyTo(room[length..]);
            _headerGuess = length;
        }

        header.Written.CopyTo(room);
        room[length + valueBytes] = (byte)'\r';
        room[length + valueBytes + 1] = (byte)'\n';
        _reply.Advance(length + valueBytes + 2);
        // So that the first room asked for is large enough for the next one, but one large value does not stay.
        _valueGuess = Math.Min(valueBytes, 64 * 1024);
    }

    private Step Set(CommandTokens tokens, ItemMode mode, bool hasCas, ReadOnlySpan<byte> input, ref int next)
    {
        int words = hasCas ? 6 : 5;
        if (tokens.Count != words && tokens.Count != words + 1) return Say("ERROR"u8);
        _quiet = tokens.EndsWithNoReply;
        ReadOnlySpan<byte> key = tokens[1];
        ulong cas = 0;
        if (key.Length > KeyBytesMax
            || !TextNumber.TryParse(tokens[2], out uint flags)
            || !TextNumber.TryParse(tokens[3], out long ttl)
            || !TextNumber.TryParse(tokens[4], out int length)
            || (hasCas && !TextNumber.TryParse(tokens[5], out cas))
            || length is < 0 or > int.MaxValue - 2)
        {
            return SayBadFormat();
        }

        if (!TryData(key, length, flags != 0, removes: mode == ItemMode.Set && !hasCas, input, ref next,
            out ReadOnlySpan<byte> value, out Step step))
        {
            return step;
        }

        if (!IsEndOfData(input, next)) return Say("CLIENT_ERROR bad data chunk"u8);
        ItemWrite write = new()
        {
            Mode = mode,
            Flags = flags,
            ExpiryTicks = _settings.Clock.ExpiryTicks(ttl, _now),
            ExpectedCas = cas,
        };
        return Store(key, value, write, hasCas, out _) switch
        {
            ItemStatus.Done => Say("STORED"u8),
            ItemStatus.Exists => Say("EXISTS"u8),
            ItemStatus.NotFound => Say("NOT_FOUND"u8),
            ItemStatus.TooLarge => Say("SERVER_ERROR object too large for cache"u8),
            ItemStatus.NoRoom => Say("SERVER_ERROR out of memory storing object"u8),
            _ => Say("NOT_STORED"u8),
        };
    }

    private Step Touch(CommandTokens tokens)
    {
        if (tokens.Count is not (3 or 4)) return Say("ERROR"u8);
        _quiet = tokens.EndsWithNoReply;
        if (tokens[1].Length > KeyBytesMax) return SayBadFormat();
        if (!TextNumber.TryParse(tokens[2], out long ttl)) return Say("CLIENT_ERROR invalid exptime argument"u8);
        Counters.Touches++;
        ItemFetch touch = new() { NewExpiryTicks = _settings.Clock.ExpiryTicks(ttl, _now), WithoutValue = true };
        if (_items.Fetch(tokens[1], _now, touch, default, out _, out _) != ItemRead.Hit) return Say("NOT_FOUND"u8);
        Counters.TouchHits++;
        return Say("TOUCHED"u8);
    }

    private Step Delete(CommandTokens tokens)
    {
        if (tokens.Count is < 2 or > 4) return Say("ERROR"u8);
        if (tokens.Count > 2)
        {
            bool holdIsZero = tokens[2].SequenceEqual("0"u8);
            _quiet = tokens.EndsWithNoReply;
            bool valid = tokens.Count == 3 ? holdIsZero || _quiet : holdIsZero && _quiet;
            if (!valid)
                return Say("CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]"u8);
        }

        if (tokens[1].Length > KeyBytesMax) return SayBadFormat();
        if (_items.Delete(tokens[1], _now) != ItemStatus.Done)
        {
            Counters.DeleteMisses++;
            return Say("NOT_FOUND"u8);
        }

        Counters.DeleteHits++;
        return Say("DELETED"u8);
    }

    private Step Arithmetic(CommandTokens tokens, bool increments)
    {
        if (tokens.Count is not (3 or 4)) return Say("ERROR"u8);
        _quiet = tokens.EndsWithNoReply;
        if (tokens[1].Length > KeyBytesMax) return SayBadFormat();
        if (!TextNumber.TryParse(tokens[2], out ulong delta))
            return Say("CLIENT_ERROR invalid numeric delta argument"u8);
        Span<byte> text = stackalloc byte[TextNumber.DigitsMax];
        switch (Add(tokens[1], increments, delta, 0, null, text, out int length, out _))
        {
            case Sum.Done: return Say(text[..length]);
            case Sum.NotANumber:
                return Say("CLIENT_ERROR cannot increment or decrement non-numeric value"u8);
            case Sum.NotFound: return Say("NOT_FOUND"u8);
            default: return Say("SERVER_ERROR out of memory"u8);
        }
    }

    private Step FlushAll(CommandTokens tokens)
    {
        if (tokens.Count > 3) return Say("ERROR"u8);
        _quiet = tokens.EndsWithNoReply;
        Counters.Flushes++;
        long delay = 0;
        if (tokens.Count != (_quiet ? 2 : 1) && !TextNumber.TryParse(tokens[1], out delay))
            return Say("CLIENT_ERROR invalid exptime argument"u8);
        _items.FlushAll(_now, delay > 0 ? _settings.Clock.ExpiryTicks(delay, _now) : _now);
        return Say("OK"u8);
    }

    private Step Verbosity(CommandTokens tokens)
    {
        if (tokens.Count is not (2 or 3)) return Say("ERROR"u8);
        _quiet = tokens.EndsWithNoReply;
        // There is nothing to be more talkative about; clients expect the number to be looked at.
        return TextNumber.TryParse(tokens[1], out uint _) ? Say("OK"u8) : SayBadFormat();
    }

    private Step Stats(CommandTokens tokens)
    {
        string topic = tokens.Count > 1 ? System.Text.Encoding.ASCII.GetString(tokens[1]) : "";
        switch (topic)
        {
            case "reset":
                _settings.Facts?.Reset();
                return Say("RESET"u8);
            case "detail":
                if (tokens[2].SequenceEqual("on"u8) || tokens[2].SequenceEqual("off"u8)) return Say("OK"u8);
                return tokens[2].SequenceEqual("dump"u8)
                    ? Say("END"u8)
                    : Say("CLIENT_ERROR usage: stats detail on|off|dump"u8);
            case "items" or "slabs":
                WriteClassStats(topic == "items");
                return Say("END"u8);
            case "sizes":
                return Say("END"u8);
        }

        if (_settings.Facts is { } facts && !facts.TryWrite(topic, _store, AddFact)) return Say("ERROR"u8);
        return Say("END"u8);
    }

    /// <summary>There are no slabs here: tools that ask get everything as one class.</summary>
    private void WriteClassStats(bool items)
    {
        ItemStatistics now = _items.Statistics;
        string[] facts = items
            ? [$"items:1:number {now.Items}", "items:1:age 0", $"items:1:mem_requested {now.ValueBytes + now.KeyBytes}",
                $"items:1:evicted {now.Evicted}", "items:1:outofmemory 0", $"items:1:reclaimed {now.Expired}"]
            : [$"1:chunk_size {_store.Pages.PageBytes}", "1:chunks_per_page 1",
                $"1:total_pages {now.UsedFrames + now.FreeFrames}", $"1:total_chunks {now.UsedFrames + now.FreeFrames}",
                $"1:used_chunks {now.UsedFrames}", $"1:free_chunks {now.FreeFrames}", "active_slabs 1",
                $"total_malloced {(now.UsedFrames + now.FreeFrames) * _store.Pages.PageBytes}"];
        foreach (string fact in facts) _reply.AppendLine(System.Text.Encoding.ASCII.GetBytes("STAT " + fact));
    }

    private void AddFact(string name, string value) =>
        _reply.AppendLine(System.Text.Encoding.UTF8.GetBytes($"STAT {name} {value}"));
}
