// SPDX-License-Identifier: MIT
using System.Net.Sockets;

namespace PerfCache.Remote.Borrowing;

/// <summary>What came of looking for the next answer.</summary>
internal enum ReplyStatus
{
    /// <summary>It has not come, or not whole.</summary>
    Incomplete,

    /// <summary>A value.</summary>
    Found,

    /// <summary>The server does not have it.</summary>
    Missing,

    /// <summary>A value of another length than was asked for. The connection is of no more use.</summary>
    WrongLength,

    /// <summary>Something that does not belong there. The connection is of no more use.</summary>
    OutOfStep,
}

/// <summary>
/// A connection for gets: what was asked, in order, and a buffer of its own for what comes. One owner at a time.
/// </summary>
/// <remarks>
/// Answers come in the order of the questions. Each repeats its question's number, and the next one must be the next number;
/// anything else closes the connection, because nobody could say any more what belongs to what. Whoever asked may be gone
/// when an answer comes: it lies in this buffer and nowhere else until somebody who waits takes it.
/// </remarks>
internal sealed class GetConnection : IDisposable
{
    /// <summary>The most questions that are open: so few that any socket takes them without waiting.</summary>
    internal const int WindowMax = 128;

    private const int BufferBytes = 128 * 1024;
    private const int MoveBelowBytes = 16 * 1024;
    private const int ValueLineBytes = 3 + 10 + 2 + MetaRequest.OpaqueLetters + 2;
    private const int MissBytes = 4 + MetaRequest.OpaqueLetters + 2;

    private readonly byte[] _requests = GC.AllocateArray<byte>(WindowMax * MetaRequest.GetBytes, pinned: true);
    private readonly byte[] _buffer;
    private readonly int[] _lengths = new int[WindowMax];
    private readonly Socket _socket;
    private readonly int _replyBytesMax;
    private int _from;
    private int _end;
    private int _unsent;
    private int _sentBytes;
    private uint _asked;
    private uint _answered;

    internal GetConnection(Socket socket, int valueBytesMax, int session)
    {
        _socket = socket;
        Descriptor = socket.Handle;
        Session = session;
        _replyBytesMax = ValueLineBytes + valueBytesMax + 2;
        _buffer = GC.AllocateArray<byte>(Math.Max(BufferBytes, 2 * _replyBytesMax), pinned: true);
    }

    /// <summary>What to wait for.</summary>
    internal nint Descriptor { get; }

    /// <summary>During which of the server's times in service it was made.</summary>
    internal int Session { get; }

    /// <summary>Questions that have no answer yet.</summary>
    internal int Owed => (int)(_asked - _answered);

    /// <summary>Since when it waits for answers that nobody wants any more.</summary>
    internal long OwingSince { get; set; }

    /// <summary>True when a request waits for room to be sent.</summary>
    internal bool HasUnsent => _unsent > 0;

    /// <summary>Puts a question with those that go out next. There must be room: <see cref="Owed"/> below the most.</summary>
    internal void Ask(WireKey keys, int epoch, in RemotePageKey key, int valueBytes)
    {
        MetaRequest.WriteGet(_requests.AsSpan(_unsent, MetaRequest.GetBytes), keys, epoch, key, _asked);
        _unsent += MetaRequest.GetBytes;
        _lengths[_asked % WindowMax] = valueBytes;
        _asked++;
    }

    /// <summary>Sends what waits.</summary>
    /// <returns>False when the connection is broken.</returns>
    internal bool TrySend()
    {
        if (_unsent == 0) return true;
        int sent = _socket.Send(_requests.AsSpan(_sentBytes, _unsent - _sentBytes), SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock) return true;
        if (error != SocketError.Success) return false;
        _sentBytes += sent;
        if (_sentBytes == _unsent) _sentBytes = _unsent = 0;
        return true;
    }

    /// <summary>True when a question may be added: there is room for it, and nothing half sent is in the way.</summary>
    internal bool CanAsk => Owed < WindowMax && _sentBytes == 0;

    /// <summary>Takes what has come.</summary>
    /// <param name="closed">True when the connection has ended.</param>
    /// <returns>True when something came, and the buffer was filled by it, so that there may be more.</returns>
    internal bool Receive(out bool closed)
    {
        if (_from == _end) _from = _end = 0;
        else if (_buffer.Length - _end < Math.Max(MoveBelowBytes, _replyBytesMax - (_end - _from))) MoveToFront();
        int received = _socket.Receive(_buffer.AsSpan(_end), SocketFlags.None, out SocketError error);
        closed = error is not (SocketError.Success or SocketError.WouldBlock) || (error == SocketError.Success && received == 0);
        if (error != SocketError.Success || received == 0) return false;
        _end += received;
        return true;
    }

    /// <summary>Takes the answer that is next.</summary>
    /// <param name="value">The value when there is one; good until the next call of anything.</param>
    internal ReplyStatus Next(out ReadOnlySpan<byte> value)
    {
        value = default;
        ReadOnlySpan<byte> bytes = _buffer.AsSpan(_from, _end - _from);
        if (Owed == 0) return bytes.IsEmpty ? ReplyStatus.Incomplete : ReplyStatus.OutOfStep;
        if (bytes.Length < 3) return ReplyStatus.Incomplete;
        return bytes.StartsWith("VA "u8) ? NextValue(bytes, out value) : NextMiss(bytes);
    }

    /// <summary>Throws away answers that nobody waits for any more.</summary>
    /// <param name="thrown">How many.</param>
    /// <returns>False when the connection is broken or out of step.</returns>
    internal bool Drain(out int thrown)
    {
        thrown = 0;
        if (!TrySend()) return false;
        while (Receive(out bool closed) || !closed)
        {
            ReplyStatus status = Next(out _);
            if (status == ReplyStatus.Incomplete) return true;
            for (; status != ReplyStatus.Incomplete; status = Next(out _))
            {
                if (status is ReplyStatus.OutOfStep or ReplyStatus.WrongLength) return false;
                thrown++;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private ReplyStatus NextValue(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> value)
    {
        value = default;
        int length = 0;
        int at = 3;
        for (; at < bytes.Length && at < 13 && (uint)(bytes[at] - '0') <= 9; at++)
            length = Math.Min((length * 10) + (bytes[at] - '0'), FleetOptions.ValueBytesLimit + 1);
        int lineBytes = at + 2 + MetaRequest.OpaqueLetters + 2;
        if (bytes.Length < lineBytes)
            return at < bytes.Length && bytes[at] != ' ' ? ReplyStatus.OutOfStep : ReplyStatus.Incomplete;
        bool fits = at > 3 && bytes[at] == ' ' && bytes[at + 1] == 'O'
            && MetaRequest.IsHex(bytes.Slice(at + 2, MetaRequest.OpaqueLetters), _answered)
            && bytes[lineBytes - 2] == '\r' && bytes[lineBytes - 1] == '\n';
        if (!fits) return ReplyStatus.OutOfStep;
        if (length != _lengths[_answered % WindowMax]) return ReplyStatus.WrongLength;
        if (bytes.Length < lineBytes + length + 2) return ReplyStatus.Incomplete;
        if (bytes[lineBytes + length] != '\r' || bytes[lineBytes + length + 1] != '\n') return ReplyStatus.OutOfStep;
        value = bytes.Slice(lineBytes, length);
        _from += lineBytes + length + 2;
        _answered++;
        return ReplyStatus.Found;
    }

    private ReplyStatus NextMiss(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.StartsWith("EN "u8)) return ReplyStatus.OutOfStep;
        if (bytes.Length < MissBytes) return ReplyStatus.Incomplete;
        bool fits = bytes[3] == 'O' && MetaRequest.IsHex(bytes.Slice(4, MetaRequest.OpaqueLetters), _answered)
            && bytes[MissBytes - 2] == '\r' && bytes[MissBytes - 1] == '\n';
        if (!fits) return ReplyStatus.OutOfStep;
        _from += MissBytes;
        _answered++;
        return ReplyStatus.Missing;
    }

    private void MoveToFront()
    {
        _buffer.AsSpan(_from, _end - _from).CopyTo(_buffer);
        _end -= _from;
        _from = 0;
    }
}
