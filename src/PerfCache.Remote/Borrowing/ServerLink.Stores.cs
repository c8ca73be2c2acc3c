// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net.Sockets;

namespace PerfCache.Remote.Borrowing;

/// <summary>Stores: many threads fill send buffers, the link's thread sends them and hears what came of them.</summary>
internal sealed partial class ServerLink
{
    // A few stores wait so long for others to go with them: a call to the system costs as much as copying several pages.
    private const int LingerBelow = 32;
    private const int SendBytesMax = 256 * 1024;
    private const int ShortReplyBytes = 4 + MetaRequest.OpaqueLetters + 2;
    private const int ReplyLineMax = 1024;

    private static readonly long s_lingerTicks = Stopwatch.Frequency / 10_000;

    private readonly SendRing _ring;
    private readonly byte[] _storeReplies = GC.AllocateArray<byte>(16 * 1024, pinned: true);
    private int _storeRepliesEnd;
    private bool _isBlocked;
    private long _lingerUntil;
    private long _storeProgress;

    /// <summary>Takes a store, if it can.</summary>
    internal bool TryPut(in RemotePageKey key, ReadOnlySpan<byte> value)
    {
        if (!IsInService) return false;
        if (!_ring.TryAdd(_keys, Volatile.Read(ref _epoch), key, value))
        {
            Interlocked.Increment(ref _putsDropped);
            return false;
        }

        Interlocked.Increment(ref _puts);
        _wake.Ring();
        return true;
    }

    /// <summary>A new connection: nothing of what was under way on the last one will be answered.</summary>
    private void RestartStores()
    {
        _ring.Restart();
        _storeRepliesEnd = 0;
        _isBlocked = false;
        _lingerUntil = 0;
        _storeProgress = Stopwatch.GetTimestamp();
    }

    private void SendStores()
    {
        // What was filled before the server was lost, and not sent since.
        while (_ring.HasReady && _ring.NextEpoch != _epoch && !_ring.HasUnanswered) EndOldest(isStored: false, isAnswered: false);
        if (_isBlocked || !_ring.HasReady || Lingers()) return;
        if (!_ring.HasUnanswered) _storeProgress = Stopwatch.GetTimestamp();
        while (true)
        {
            ReadOnlySpan<byte> bytes = _ring.NextBytes(_epoch, SendBytesMax);
            if (bytes.IsEmpty) return;
            int sent = _stores!.Send(bytes, SocketFlags.None, out SocketError error);
            if (error != SocketError.Success && error != SocketError.WouldBlock)
                throw new IOException($"cannot send: {error}");
            if (error == SocketError.Success) _ring.Advance(sent);
            _isBlocked = error == SocketError.WouldBlock || sent < bytes.Length;
            if (_isBlocked) return;
        }
    }

    private bool Lingers()
    {
        if (_ring.CountReady(LingerBelow) == LingerBelow)
        {
            _lingerUntil = 0;
            return false;
        }

        long now = Stopwatch.GetTimestamp();
        if (_lingerUntil == 0)
        {
            _lingerUntil = now + s_lingerTicks;
            return true;
        }

        if (now < _lingerUntil) return true;
        _lingerUntil = 0;
        return false;
    }

    private void ReceiveStored()
    {
        while (true)
        {
            int received = _stores!.Receive(_storeReplies.AsSpan(_storeRepliesEnd), SocketFlags.None, out SocketError error);
            if (error == SocketError.WouldBlock) return;
            if (error != SocketError.Success || received == 0) throw new IOException("the server closed the connection");
            int end = _storeRepliesEnd + received;
            int done = ReadStored(_storeReplies.AsSpan(0, end));
            _storeReplies.AsSpan(done, end - done).CopyTo(_storeReplies);
            _storeRepliesEnd = end - done;
            if (_storeRepliesEnd > ReplyLineMax) throw OutOfStep("an answer without an end");
            if (received < _storeReplies.Length / 2) return;
        }
    }

    /// <summary>Reads whole answers.</summary>
    /// <returns>How many bytes they had.</returns>
    private int ReadStored(ReadOnlySpan<byte> replies)
    {
        int at = 0;
        while (at < replies.Length)
        {
            ReadOnlySpan<byte> rest = replies[at..];
            int length = rest.IndexOf((byte)'\n') + 1;
            if (length == 0) break;
            if (!_ring.HasUnanswered) throw OutOfStep("an answer to nothing");
            ReadOnlySpan<byte> line = rest[..length];
            bool isShort = length == ShortReplyBytes && line[2] == ' ' && line[3] == 'O'
                && MetaRequest.IsHex(line.Slice(4, MetaRequest.OpaqueLetters), (uint)_ring.Freed);
            if (isShort && line.StartsWith("HD"u8)) EndOldest(isStored: true, isAnswered: true);
            else if ((isShort && line.StartsWith("NS"u8)) || line.StartsWith("SERVER_ERROR "u8))
                EndOldest(isStored: false, isAnswered: true);
            else throw OutOfStep("an answer that does not fit its store");
            at += length;
        }

        if (at > 0) _storeProgress = Stopwatch.GetTimestamp();
        return at;
    }

    private void EndOldest(bool isStored, bool isAnswered)
    {
        RemotePageKey key = _ring.FreeOldest();
        if (isStored) Interlocked.Increment(ref _stored);
        else if (isAnswered) Interlocked.Increment(ref _refused);
        else Interlocked.Increment(ref _putsFailed);
        if (isAnswered) Health.Stored(isStored);
        _listener.PutEnded(key, Number, isStored);
    }

    /// <summary>The connection is gone, and with it the answers.</summary>
    private void EndAll()
    {
        while (_ring.Used > 0 && _ring.IsOldestReady) EndOldest(isStored: false, isAnswered: false);
    }

    private IOException OutOfStep(string what)
    {
        Interlocked.Increment(ref _outOfStep);
        return new IOException($"out of step: {what}");
    }
}
