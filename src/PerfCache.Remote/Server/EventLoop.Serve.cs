// SPDX-License-Identifier: MIT
using System.Net.Sockets;
using PerfCache.Remote.Protocol;

namespace PerfCache.Remote.Server;

/// <summary>How a loop serves a connection: receive, do, send.</summary>
internal sealed partial class EventLoop
{
    private void ReceiveMore(Connection connection)
    {
        for (int round = 0; round < RoundsMax; round++)
        {
            int kept = connection.KeptBytes;
            bool inPlace = kept > CopiedBytesMax;
            if (inPlace && !MakeRoom(connection)) return;
            Span<byte> room = inPlace ? connection.KeptRoom : _input.AsSpan(kept);
            SocketError error = OsSocket.Receive(connection.Descriptor, room, out int received);
            if (error is SocketError.WouldBlock) return;
            if (error != SocketError.Success || received == 0)
            {
                Close(connection);
                return;
            }

            connection.LastMoveMillis = Environment.TickCount64;
            connection.Session.Counters.BytesRead += received;
            bool goesOn;
            if (inPlace)
            {
                connection.Received(received);
                goesOn = connection.KeptBytes < connection.Session.WantedBytes || Serve(connection, connection.Kept);
            }
            else
            {
                connection.Kept.CopyTo(_input);
                goesOn = Serve(connection, _input.AsSpan(0, kept + received));
            }

            // Less than there was room for: there is no more at the moment.
            if (!goesOn || received < room.Length) return;
        }
    }

    /// <summary>Room for the rest of a command that is longer than what is copied about.</summary>
    private bool MakeRoom(Connection connection)
    {
        if (!connection.KeptRoom.IsEmpty) return true;
        if (connection.TryKeep(connection.Kept, Math.Max(connection.Session.WantedBytes, connection.KeptBytes * 2)))
            return true;
        connection.Session.InputRefused = true;
        return Serve(connection, connection.Kept) && (!connection.KeptRoom.IsEmpty || connection.KeptBytes == 0);
    }

    /// <summary>Does the commands of some input and sends their replies.</summary>
    /// <returns>False when no more may be received: the connection is closed, or its client does not read.</returns>
    private bool Serve(Connection connection, ReadOnlySpan<byte> input)
    {
        MemcachedSession session = connection.Session;
        int done = 0;
        // A long batch is answered in pieces, so that the client makes its next requests while the rest is done; not in the
        // middle of a command, of which the session has seen more already.
        int piece = session.WantedBytes <= PieceBytesMin ? Math.Max(PieceBytesMin, input.Length / PiecesMax) : input.Length;
        int end = Math.Min(piece, input.Length);
        _reply.FlushAt = FirstFlushBytes;
        while (true)
        {
            SessionVerdict verdict = session.Process(input[done..end], _reply, out int consumed);
            done += consumed;
            if (verdict == SessionVerdict.NeedsInput && end < input.Length)
            {
                end = Math.Min(end + piece, input.Length);
                if (_reply.Length == 0) continue;
            }
            else if (verdict == SessionVerdict.NeedsInput)
            {
                // Also where the client does not read: what is kept from before is done with, and half a command is not.
                bool isSent = Send(connection);
                return IsOpen(connection) && KeepRest(connection, input[done..], progressed: done > 0) && isSent;
            }

            connection.ClosesWhenSent = verdict == SessionVerdict.Close;
            bool sent = Send(connection);
            if (connection.ClosesWhenSent)
            {
                if (sent) Close(connection);
                return false;
            }

            if (!sent)
            {
                if (IsOpen(connection)) KeepRest(connection, input[done..], progressed: done > 0);
                return false;
            }

            _reply.FlushAt = LaterFlushBytes;
        }
    }

    private bool KeepRest(Connection connection, ReadOnlySpan<byte> rest, bool progressed)
    {
        MemcachedSession session = connection.Session;
        if (rest.IsEmpty && session.IsIdle)
        {
            connection.BusySinceMillis = long.MaxValue;
            connection.KeepNothing();
            return true;
        }

        if (progressed || connection.BusySinceMillis == long.MaxValue)
            connection.BusySinceMillis = connection.LastMoveMillis;
        if (connection.TryKeep(rest, session.WantedBytes)) return true;
        if (connection.HasUnsent)
        {
            // Neither room for what the client says nor anybody who reads why.
            Close(connection);
            return false;
        }

        // There is no room for this command: it is refused, and what comes of it is skipped.
        session.InputRefused = true;
        SessionVerdict verdict = session.Process(rest, _reply, out int consumed);
        rest = rest[consumed..];
        if (verdict != SessionVerdict.Close && Send(connection) && connection.TryKeep(rest, rest.Length)) return true;
        Close(connection);
        return false;
    }

    private bool IsOpen(Connection connection) => _connections.ContainsKey(connection.Id);

    /// <summary>Sends the gathered replies.</summary>
    /// <returns>True when all are out.</returns>
    private bool Send(Connection connection)
    {
        if (_reply.Length == 0) return true;
        int sent = SendNow(connection, _reply.Written);
        if (sent == _reply.Length)
        {
            _reply.Clear();
            return true;
        }

        bool kept = sent >= 0 && connection.TryKeepUnsent(_reply.Written[sent..]);
        _reply.Clear();
        if (kept) _poll.Change(connection.Descriptor, OsPoll.Writable, connection.Id);
        else Close(connection);
        return false;
    }

    private void SendMore(Connection connection)
    {
        int sent = SendNow(connection, connection.Unsent);
        if (sent < 0)
        {
            Close(connection);
            return;
        }

        connection.Sent(sent);
        if (connection.HasUnsent) return;
        if (connection.ClosesWhenSent)
        {
            Close(connection);
            return;
        }

        _poll.Change(connection.Descriptor, OsPoll.Readable, connection.Id);
        // What came before the client stopped reading was not all done.
        if (connection.KeptBytes > 0) Serve(connection, connection.Kept);
    }

    /// <summary>The number of bytes sent; -1 when the connection is broken.</summary>
    private static int SendNow(Connection connection, ReadOnlySpan<byte> bytes)
    {
        SocketError error = OsSocket.Send(connection.Descriptor, bytes, out int sent);
        if (error is not (SocketError.Success or SocketError.WouldBlock)) return -1;
        if (sent > 0) connection.LastMoveMillis = Environment.TickCount64;
        connection.Session.Counters.BytesWritten += sent;
        return sent;
    }
}
