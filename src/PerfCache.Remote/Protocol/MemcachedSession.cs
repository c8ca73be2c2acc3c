// SPDX-License-Identifier: MIT
using PerfCache.Items;
using PerfCache.Policies.Items;

namespace PerfCache.Remote.Protocol;

/// <summary>Why a session stopped working on its input.</summary>
internal enum SessionVerdict
{
    /// <summary>All complete commands are done; <see cref="MemcachedSession.WantedBytes"/> must be there for more.</summary>
    NeedsInput,

    /// <summary>Enough replies: send them, then come again with the same input.</summary>
    ReplyFull,

    /// <summary>Send what there is, then close the connection.</summary>
    Close,
}

/// <summary>
/// One client's conversation in memcached's text protocol: bytes in, bytes out. Knows no sockets, never waits, and
/// takes its input in whatever pieces it comes.
/// </summary>
/// <remarks>
/// <code>
/// input   |done| command line \r\n | data \r\n | next command ...
///              ^ consumed            ^ not begun before all of it is there
/// </code>
/// The caller keeps the input that was not consumed and shows it again with more behind it. A command is done at once
/// or not begun; the one exception is a get of many keys, which pauses between two keys when the reply buffer is full
/// and remembers how far it is. What must be skipped (the data of a refused command) is skipped as it comes and never
/// kept. Error texts, limits and odd corners are memcached 1.6's, because clients parse them.
/// <para>No verb on the way of a get or a set allocates.</para>
/// </remarks>
internal sealed partial class MemcachedSession
{
    /// <summary>A line without an end is refused beyond this, unless it is a get of many keys.</summary>
    internal const int LineBytesMax = 2048;

    /// <summary>The longest get of many keys. Memcached has no such bound.</summary>
    internal const int MultiGetBytesMax = 1 << 20;

    private const int KeyBytesMax = ItemStoreOptions.KeyBytesMax;
    private const int SpacesMax = 100;

    // What memcached 1.6 keeps of an item besides key and value, and counts towards its limit.
    private const int ItemOverheadBytes = 48 + 8 + 1 + 2;

    private readonly SessionSettings _settings;
    private readonly byte[] _header = new byte[2 * LineBytesMax];
    private readonly byte[] _decodedKey = new byte[KeyBytesMax];
    private ItemStore<SecondChanceItems> _items;
    private Lending.LendableStore _store;
    private ReplyBuffer _reply = null!;
    private long _now;
    private long _swallow;
    private int _scanned;
    private int _resumeAt;
    private int _headerGuess;
    private int _valueGuess;
    private bool _quiet;
    private bool _close;

    internal MemcachedSession(SessionSettings settings, Lending.LendableStore store)
    {
        _settings = settings;
        _store = store;
        _items = store.Items;
        NeedsLogin = settings.Passwords is not null;
    }

    /// <summary>What the commands came to.</summary>
    internal CommandCounters Counters { get; } = new();

    /// <summary>True until the client has logged in, where it must.</summary>
    internal bool NeedsLogin { get; private set; }

    /// <summary>The user that has logged in.</summary>
    internal string? User { get; private set; }

    /// <summary>Fewer bytes of input than this are of no use.</summary>
    internal int WantedBytes { get; private set; } = 1;

    /// <summary>True between two commands: nothing of one was seen, nothing is owed.</summary>
    internal bool IsIdle { get; private set; } = true;

    /// <summary>
    /// Set by the caller when it has no room for <see cref="WantedBytes"/>: the command is refused as memcached does
    /// when it is out of memory, and its data is skipped as it comes.
    /// </summary>
    internal bool InputRefused { get; set; }

    /// <summary>Does the commands that are there.</summary>
    /// <param name="input">The bytes that were not consumed yet.</param>
    /// <param name="reply">Gets the replies.</param>
    /// <param name="consumed">How many bytes are done with.</param>
    internal SessionVerdict Process(ReadOnlySpan<byte> input, ReplyBuffer reply, out int consumed)
    {
        consumed = 0;
        _reply = reply;
        _now = _settings.Clock.NowTicks;
        while (true)
        {
            ReadOnlySpan<byte> rest = input[consumed..];
            if (_swallow > 0)
            {
                int skipped = (int)Math.Min(_swallow, rest.Length);
                _swallow -= skipped;
                consumed += skipped;
                rest = rest[skipped..];
            }

            IsIdle = rest.IsEmpty && _swallow == 0;
            if (rest.IsEmpty)
            {
                WantedBytes = 1;
                return SessionVerdict.NeedsInput;
            }

            if (reply.IsFull) return SessionVerdict.ReplyFull;
            Step step = NeedsLogin ? Login(rest, out int taken) : Command(rest, out taken);
            consumed += taken;
            if (_close) return SessionVerdict.Close;
            if (step == Step.Incomplete) return SessionVerdict.NeedsInput;
            if (step == Step.Paused) return SessionVerdict.ReplyFull;
        }
    }

    private enum Step
    {
        Done,
        Incomplete,
        Paused,
    }

    private Step Command(ReadOnlySpan<byte> input, out int taken)
    {
        taken = 0;
        if (!TryLine(input, out ReadOnlySpan<byte> line, out int next)) return Step.Incomplete;
        _quiet = false;
        Span<int> bounds = stackalloc int[2 * CommandTokens.CountMax];
        CommandTokens tokens = new(line, bounds);
        Step step = Dispatch(tokens, line, input, ref next);
        InputRefused &= step == Step.Incomplete;
        if (step == Step.Done) taken = next;
        return step;
    }

    /// <summary>Finds the end of a line. Remembers how far it looked, so that bytes that drip in are seen once.</summary>
    private bool TryLine(ReadOnlySpan<byte> input, out ReadOnlySpan<byte> line, out int next)
    {
        line = default;
        next = 0;
        int end = input[_scanned..].IndexOf((byte)'\n');
        if (end < 0)
        {
            _scanned = input.Length;
            WantedBytes = input.Length + 1;
            if (input.Length > LineBytesMax && (!MayBeLong(input) || input.Length > MultiGetBytesMax || InputRefused))
                _close = true;
            return false;
        }

        end += _scanned;
        _scanned = 0;
        next = end + 1;
        // A line of nothing but a carriage return keeps it, as in memcached.
        if (end > 1 && input[end - 1] == '\r') end--;
        line = input[..end];
        int zero = line.IndexOf((byte)0);
        if (zero >= 0) line = line[..zero];
        return true;
    }

    private static bool MayBeLong(ReadOnlySpan<byte> input)
    {
        int spaces = input.IndexOfAnyExcept((byte)' ');
        if (spaces is < 0 or > SpacesMax) return false;
        return input[spaces..].StartsWith("get "u8) || input[spaces..].StartsWith("gets "u8);
    }

    private Step Dispatch(CommandTokens tokens, ReadOnlySpan<byte> line, ReadOnlySpan<byte> input, ref int next)
    {
        ReadOnlySpan<byte> verb = tokens[0];
        if (verb.Length == 2 && verb[0] == 'm')
        {
            switch ((char)verb[1])
            {
                case 'g': return MetaGet(tokens);
                case 's': return MetaSet(tokens, input, ref next);
                case 'd': return MetaDelete(tokens);
                case 'a': return MetaArithmetic(tokens);
                case 'n': return Say("MN"u8);
                case 'e': return MetaDebug(tokens);
                default: return Say("ERROR"u8);
            }
        }

        if (verb.SequenceEqual("get"u8) || verb.SequenceEqual("bget"u8))
            return Get(tokens, line, withCas: false, touches: false);
        if (verb.SequenceEqual("gets"u8)) return Get(tokens, line, withCas: true, touches: false);
        if (verb.SequenceEqual("gat"u8)) return Get(tokens, line, withCas: false, touches: true);
        if (verb.SequenceEqual("gats"u8)) return Get(tokens, line, withCas: true, touches: true);
        if (verb.SequenceEqual("set"u8)) return Set(tokens, ItemMode.Set, hasCas: false, input, ref next);
        if (verb.SequenceEqual("add"u8)) return Set(tokens, ItemMode.Add, hasCas: false, input, ref next);
        if (verb.SequenceEqual("replace"u8)) return Set(tokens, ItemMode.Replace, hasCas: false, input, ref next);
        if (verb.SequenceEqual("append"u8)) return Set(tokens, ItemMode.Append, hasCas: false, input, ref next);
        if (verb.SequenceEqual("prepend"u8)) return Set(tokens, ItemMode.Prepend, hasCas: false, input, ref next);
        if (verb.SequenceEqual("cas"u8)) return Set(tokens, ItemMode.Set, hasCas: true, input, ref next);
        if (verb.SequenceEqual("incr"u8)) return Arithmetic(tokens, increments: true);
        if (verb.SequenceEqual("decr"u8)) return Arithmetic(tokens, increments: false);
        if (verb.SequenceEqual("delete"u8)) return Delete(tokens);
        return verb.SequenceEqual("touch"u8) ? Touch(tokens) : Rare(tokens);
    }

    private Step Rare(CommandTokens tokens)
    {
        ReadOnlySpan<byte> verb = tokens[0];
        if (verb.SequenceEqual("stats"u8)) return Stats(tokens);
        if (verb.SequenceEqual("flush_all"u8)) return FlushAll(tokens);
        if (verb.SequenceEqual("version"u8)) return Say(_settings.VersionLine);
        if (verb.SequenceEqual("verbosity"u8)) return Verbosity(tokens);
        if (verb.SequenceEqual("shutdown"u8)) return Say("ERROR: shutdown not enabled"u8);
        if (verb.SequenceEqual("quit"u8) || IsHttp(tokens))
        {
            _close = true;
            return Step.Done;
        }

        return Say("ERROR"u8);
    }

    // A browser or a request forged through one must not go on to the next line, which may be a command.
    private static bool IsHttp(CommandTokens tokens) =>
        tokens.Count > 1 && tokens[tokens.Count - 1].StartsWith("HTTP/"u8);

    private Step Say(ReadOnlySpan<byte> text)
    {
        if (!_quiet) _reply.AppendLine(text);
        return Step.Done;
    }

    /// <summary>An error that quiet commands report too.</summary>
    private Step SayAlways(ReadOnlySpan<byte> text)
    {
        _reply.AppendLine(text);
        return Step.Done;
    }

    private Step SayBadFormat() => Say("CLIENT_ERROR bad command line format"u8);

    /// <summary>The one command that is answered before the login: "set KEY FLAGS TTL LENGTH", then "name password".
    /// </summary>
    private Step Login(ReadOnlySpan<byte> input, out int taken)
    {
        taken = 0;
        int end = input.IndexOf((byte)'\n');
        if (end < 0)
        {
            WantedBytes = input.Length + 1;
            _close = input.Length > LineBytesMax;
            return Step.Incomplete;
        }

        Span<int> bounds = stackalloc int[2 * CommandTokens.CountMax];
        CommandTokens tokens = new(input[..end].TrimEnd((byte)'\r'), bounds);
        taken = end + 1;
        if (tokens.Count < 5 || !tokens[0].SequenceEqual("set"u8) || !TextNumber.TryParse(tokens[4], out uint length))
            return SayAlways("CLIENT_ERROR unauthenticated"u8);
        if (length > LineBytesMax)
        {
            // Nobody who is not known may have a megabyte kept for him.
            _close = true;
            return SayAlways("CLIENT_ERROR bad authentication token format"u8);
        }

        int total = end + 1 + (int)length + 2;
        if (input.Length < total)
        {
            taken = 0;
            WantedBytes = total;
            return Step.Incomplete;
        }

        taken = total;
        ReadOnlySpan<byte> data = input[(end + 1)..total];
        if (!data.EndsWith("\r\n"u8)) return SayAlways("CLIENT_ERROR bad command line termination"u8);
        CommandTokens words = new(data[..^2], bounds);
        if (words.Count < 2) return SayAlways("CLIENT_ERROR bad authentication token format"u8);
        Counters.Logins++;
        if (!_settings.Passwords!.Check(words[0], words[1]))
        {
            Counters.FailedLogins++;
            return SayAlways("CLIENT_ERROR authentication failure"u8);
        }

        NeedsLogin = false;
        User = System.Text.Encoding.UTF8.GetString(words[0]);
        if (_settings.StoreOfUser?.Invoke(User) is { } own) (_store, _items) = (own, own.Items);
        return SayAlways("STORED"u8);
    }
}
