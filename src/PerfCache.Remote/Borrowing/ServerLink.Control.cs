// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net.Sockets;

namespace PerfCache.Remote.Borrowing;

/// <summary>Signs of life and requests to forget, on a connection where nothing long is ever in the way.</summary>
internal sealed partial class ServerLink
{
    private const int ForgetsMax = 1024;
    private const int ForgetsPerBatch = 64;

    // While a server is left alone it is asked more often, so that it comes back soon.
    private static readonly long s_suspendedPingTicks = Stopwatch.Frequency / 20;

    private readonly object _forgetLock = new();
    private readonly RemotePageKey[] _forgets = new RemotePageKey[ForgetsMax];
    private readonly byte[] _controlRequests = new byte[(ForgetsPerBatch + 1) * MetaRequest.DeleteBytes];
    private readonly byte[] _controlReplies = new byte[16 * 1024];
    private int _firstForget;
    private int _forgetCount;
    private int _controlRepliesEnd;
    private bool _controlIsOpen;
    private bool _markerIsWanted;
    private bool _isPing;
    private uint _controlOpaque;
    private long _controlSent;
    private long _controlNextLook;
    private long _nextPing;

    /// <summary>Asks to forget a version, where there is room and nobody else is just asking.</summary>
    internal void Forget(in RemotePageKey key)
    {
        if (!Volatile.Read(ref _isUp) || !Monitor.TryEnter(_forgetLock)) return;
        try
        {
            if (_forgetCount == ForgetsMax) return;
            _forgets[(_firstForget + _forgetCount) % ForgetsMax] = key;
            _forgetCount++;
        }
        finally
        {
            Monitor.Exit(_forgetLock);
        }

        _wake.Ring();
    }

    // Not before the stores that were taken earlier are on their way: the version may be among them.
    private bool HasForgets => Volatile.Read(ref _forgetCount) > 0 && !_ring.HasReady;

    private void RestartControl()
    {
        lock (_forgetLock) _forgetCount = 0;
        _controlRepliesEnd = 0;
        _controlIsOpen = false;
        _markerIsWanted = false;
        _nextPing = Stopwatch.GetTimestamp() + IntervalTicks;
    }

    private long IntervalTicks => Health.IsSuspended
        ? s_suspendedPingTicks : (long)(_options.Latency.Interval.TotalSeconds * Stopwatch.Frequency);

    private void SendControl()
    {
        if (_controlIsOpen) return;
        long now = Stopwatch.GetTimestamp();
        _isPing = now >= _nextPing;
        if (!_isPing && !HasForgets) return;
        int length = 0;
        if (!_isPing) length = WriteForgets();
        else if (_markerIsWanted)
        {
            // Evicted, or flushed by somebody: the connection is the same, so the server is.
            _markerIsWanted = false;
            byte[] store = MarkerStore(++_controlOpaque);
            store.CopyTo(_controlRequests, 0);
            length = store.Length;
        }

        MetaRequest.WritePing(_controlRequests.AsSpan(length), _keys, _epoch, s_marker, ++_controlOpaque);
        length += MetaRequest.PingBytes;
        int sent = _control!.Send(_controlRequests.AsSpan(0, length), SocketFlags.None, out SocketError error);
        // A socket that does not take a few kilobytes has a server behind it that has read nothing for long.
        if (error != SocketError.Success || sent != length) throw new IOException("the server does not read");
        _controlIsOpen = true;
        _controlSent = now;
        _controlNextLook = now + SlowTicks;
        _nextPing = now + IntervalTicks;
    }

    private long SlowTicks => (long)(_options.Latency.InstantMax.TotalSeconds * Stopwatch.Frequency);

    private int WriteForgets()
    {
        int length = 0;
        lock (_forgetLock)
        {
            for (int i = 0; i < ForgetsPerBatch && _forgetCount > 0; i++)
            {
                MetaRequest.WriteDelete(
                    _controlRequests.AsSpan(length), _keys, _epoch, _forgets[_firstForget], ++_controlOpaque);
                length += MetaRequest.DeleteBytes;
                _firstForget = (_firstForget + 1) % ForgetsMax;
                _forgetCount--;
                Interlocked.Increment(ref _forgotten);
            }
        }

        return length;
    }

    private void ReceiveControl()
    {
        int received = _control!.Receive(_controlReplies.AsSpan(_controlRepliesEnd), SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock) return;
        if (error != SocketError.Success || received == 0) throw new IOException("the server closed the connection");
        _controlRepliesEnd += received;
        int at = 0;
        while (true)
        {
            int length = _controlReplies.AsSpan(at, _controlRepliesEnd - at).IndexOf((byte)'\n') + 1;
            if (length == 0) break;
            ReadControl(_controlReplies.AsSpan(at, length));
            at += length;
        }

        _controlReplies.AsSpan(at, _controlRepliesEnd - at).CopyTo(_controlReplies);
        _controlRepliesEnd -= at;
        if (_controlRepliesEnd > ReplyLineMax) throw OutOfStep("an answer without an end");
    }

    private void ReadControl(ReadOnlySpan<byte> line)
    {
        if (!_controlIsOpen) throw OutOfStep("an answer to nothing");
        // What cannot be forgotten because it is not there, and a marker that is refused.
        if (line.StartsWith("NF "u8) || line.StartsWith("NS "u8) || line.StartsWith("SERVER_ERROR "u8)) return;
        bool isShort = line.Length == ShortReplyBytes && line[2] == ' ' && line[3] == 'O';
        bool isLast = isShort && MetaRequest.IsHex(line.Slice(4, MetaRequest.OpaqueLetters), _controlOpaque);
        // The marker's store is right before the sign of life.
        bool isMarker = isShort && MetaRequest.IsHex(line.Slice(4, MetaRequest.OpaqueLetters), _controlOpaque - 1);
        if (isMarker && line.StartsWith("HD"u8)) return;
        bool isMissing = line.StartsWith("EN"u8);
        if (!isLast || !(isMissing || line.StartsWith("HD"u8))) throw OutOfStep("a sign of life that does not fit");
        _controlIsOpen = false;
        _markerIsWanted = isMissing;
        if (_isPing) Health.Ping(Stopwatch.GetTimestamp() - _controlSent, answered: true);
    }

    /// <summary>Looks what has been waited for too long.</summary>
    private void LookAtTimes()
    {
        long now = Stopwatch.GetTimestamp();
        if (Health.LookForSilence()) _nextPing = now;
        long limit = (long)(_options.PutTimeout.TotalSeconds * Stopwatch.Frequency);
        if (_ring.HasUnanswered && now - _storeProgress > limit) throw new IOException("no answer to stores in time");
        if (!_controlIsOpen || now < _controlNextLook) return;
        if (now - _controlSent > limit) throw new IOException("no sign of life in time");
        Health.Ping(now - _controlSent, answered: false);
        _controlNextLook = now + SlowTicks;
    }
}
