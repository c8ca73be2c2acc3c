// SPDX-License-Identifier: MIT
using System.Buffers;
using System.Net.Sockets;
using PerfCache.Remote.Protocol;

namespace PerfCache.Remote.Server;

/// <summary>
/// One client of an event loop. Has buffers only while something is unfinished: half a command, or replies that the
/// client does not read.
/// </summary>
internal sealed class Connection(Socket socket, MemcachedSession session, long id, InFlightBytes inFlight)
{
    private byte[] _kept = [];
    private byte[] _unsent = [];
    private int _unsentFrom;
    private int _unsentEnd;

    internal Socket Socket { get; } = socket;

    internal MemcachedSession Session { get; } = session;

    /// <summary>Its name in the loop.</summary>
    internal long Id { get; } = id;

    /// <summary>Descriptor of the socket; -1 once it is closed, since the system may give the number to another client.
    /// </summary>
    internal nint Descriptor { get; private set; } = socket.Handle;

    /// <summary>When bytes last moved, in milliseconds of the loop.</summary>
    internal long LastMoveMillis { get; set; }

    /// <summary>When the command that is under way began; never, when there is none.</summary>
    internal long BusySinceMillis { get; set; } = long.MaxValue;

    /// <summary>When it was accepted.</summary>
    internal long SinceMillis { get; init; }

    /// <summary>Bytes of input that were not consumed.</summary>
    internal int KeptBytes { get; private set; }

    /// <summary>What was not consumed.</summary>
    internal ReadOnlySpan<byte> Kept => _kept.AsSpan(0, KeptBytes);

    /// <summary>Room to receive the rest of a long command into.</summary>
    internal Span<byte> KeptRoom => _kept.AsSpan(KeptBytes);

    /// <summary>True while replies wait for the client to read.</summary>
    internal bool HasUnsent => _unsentEnd > _unsentFrom;

    /// <summary>Replies that wait.</summary>
    internal ReadOnlySpan<byte> Unsent => _unsent.AsSpan(_unsentFrom, _unsentEnd - _unsentFrom);

    /// <summary>Close it as soon as everything is sent.</summary>
    internal bool ClosesWhenSent { get; set; }

    /// <summary>Counts bytes that were received into <see cref="KeptRoom"/>.</summary>
    internal void Received(int bytes) => KeptBytes += bytes;

    /// <summary>Keeps input for later, with room for so many bytes in all.</summary>
    /// <returns>False when there is no room; nothing is kept then.</returns>
    internal bool TryKeep(ReadOnlySpan<byte> rest, int wantedBytes)
    {
        int wanted = Math.Max(rest.Length, wantedBytes);
        if (wanted > _kept.Length)
        {
            int added = wanted - _kept.Length;
            if (!inFlight.TryTake(added)) return false;
            byte[] larger = ArrayPool<byte>.Shared.Rent(wanted);
            inFlight.Give(added);
            if (!inFlight.TryTake(larger.Length - _kept.Length))
            {
                ArrayPool<byte>.Shared.Return(larger);
                return false;
            }

            rest.CopyTo(larger);
            if (_kept.Length > 0) ArrayPool<byte>.Shared.Return(_kept);
            _kept = larger;
        }
        else
        {
            // The rest may be a part of the very buffer.
            rest.CopyTo(_kept);
        }

        KeptBytes = rest.Length;
        return true;
    }

    /// <summary>Keeps nothing.</summary>
    internal void KeepNothing()
    {
        KeptBytes = 0;
        if (_kept.Length == 0) return;
        inFlight.Give(_kept.Length);
        ArrayPool<byte>.Shared.Return(_kept);
        _kept = [];
    }

    /// <summary>Keeps replies until the client reads.</summary>
    internal bool TryKeepUnsent(ReadOnlySpan<byte> replies)
    {
        byte[] unsent = ArrayPool<byte>.Shared.Rent(replies.Length);
        if (!inFlight.TryTake(unsent.Length))
        {
            ArrayPool<byte>.Shared.Return(unsent);
            return false;
        }

        _unsent = unsent;
        _unsentFrom = 0;
        _unsentEnd = replies.Length;
        replies.CopyTo(_unsent);
        return true;
    }

    /// <summary>Counts replies that were sent after all.</summary>
    internal void Sent(int bytes)
    {
        _unsentFrom += bytes;
        if (!HasUnsent) DropUnsent();
    }

    /// <summary>Closes the socket and gives the buffers back.</summary>
    internal void Close()
    {
        KeepNothing();
        DropUnsent();
        Descriptor = -1;
        Socket.Dispose();
    }

    private void DropUnsent()
    {
        _unsentFrom = _unsentEnd = 0;
        if (_unsent.Length == 0) return;
        inFlight.Give(_unsent.Length);
        ArrayPool<byte>.Shared.Return(_unsent);
        _unsent = [];
    }
}

/// <summary>Bytes that connections hold for what is unfinished, all together, and their limit.</summary>
internal sealed class InFlightBytes(long bytesMax)
{
    private long _bytes;

    internal long Bytes => Volatile.Read(ref _bytes);

    internal bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _bytes, bytes) <= bytesMax) return true;
        Interlocked.Add(ref _bytes, -bytes);
        return false;
    }

    internal void Give(long bytes) => Interlocked.Add(ref _bytes, -bytes);
}
