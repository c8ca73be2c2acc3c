// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using PerfCache.Remote.Protocol;

namespace PerfCache.Remote.Server;

/// <summary>
/// One thread that serves its connections: it waits for all of them at once, and for one that has something to say it
/// receives, does all complete commands, and sends all replies in one call.
/// </summary>
/// <remarks>
/// The buffers belong to the loop, so a thousand connections that say nothing cost their sockets and no more. A short
/// batch's replies go out together. Those of a long one go out early, after <see cref="FirstFlushBytes"/> of replies and
/// after each of up to <see cref="PiecesMax"/> pieces of the input, or client and server would take turns in working. A
/// client that does not read is not read from either.
/// </remarks>
internal sealed partial class EventLoop : IDisposable
{
    private const int InputBytes = 256 * 1024;
    private const int FirstFlushBytes = 32 * 1024;

    // Measured with sets of 4 KiB, sixteen under way: done as one piece they have 0.5 to 0.6 of memcached's speed, as two
    // 0.7 to 0.9, as four 1.0 to 1.25 (docs/benchmarks.md, Lender).
    private const int PieceBytesMin = 16 * 1024;
    private const int PiecesMax = 4;
    private const int LaterFlushBytes = 256 * 1024;

    // A rest of a command up to this is copied in front of what comes next; a longer one stays in its own buffer.
    private const int CopiedBytesMax = 8 * 1024;
    private const int RoundsMax = 4;
    private const int TickMillis = 250;

    private readonly MemcachedServer _server;
    private readonly OsPoll _poll = new();
    private readonly ConcurrentQueue<(Socket Socket, bool IsUnix)> _arrivals = new();
    private readonly Dictionary<long, Connection> _connections = [];
    private readonly Dictionary<long, Socket> _listeners = [];
    private readonly byte[] _input = new byte[InputBytes];
    private readonly ReplyBuffer _reply = new(LaterFlushBytes + (64 * 1024));
    private readonly Thread _thread;
    private readonly long _spinTicks;
    private long _nextId;
    private long _nextTick;
    private long _drainUntilMillis = long.MaxValue;

    internal EventLoop(MemcachedServer server, int number)
    {
        _server = server;
        _spinTicks = (long)(server.Options.Spin.TotalSeconds * Stopwatch.Frequency);
        _thread = new Thread(Run) { IsBackground = true, Name = $"lender {number}" };
    }

    /// <summary>How many connections it has.</summary>
    internal int ConnectionCount { get; private set; }

    internal void Start() => _thread.Start();

    /// <summary>Makes the loop accept from a socket; before the start.</summary>
    internal void Listen(Socket listener)
    {
        long id = _nextId++;
        _listeners.Add(id, listener);
        _poll.Watch(listener.Handle, OsPoll.Readable, id);
    }

    /// <summary>Hands the loop a connection; from any thread.</summary>
    internal void Add(Socket socket, bool isUnix)
    {
        _arrivals.Enqueue((socket, isUnix));
        _poll.Wake();
    }

    /// <summary>As <see cref="Add"/>, from the loop's own thread.</summary>
    internal void AddOwn(Socket socket, bool isUnix) => Adopt(socket, isUnix);

    /// <summary>Ends the thread as soon as nothing is under way, and at the latest then.</summary>
    internal void Drain(TimeSpan timeout)
    {
        Volatile.Write(ref _drainUntilMillis, Environment.TickCount64 + (long)timeout.TotalMilliseconds);
        _poll.Wake();
    }

    /// <summary>Waits for the thread to end.</summary>
    internal void Join()
    {
        if ((_thread.ThreadState & System.Threading.ThreadState.Unstarted) == 0) _thread.Join();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _poll.Dispose();
        _reply.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            int ready = WaitForWork();
            for (int i = 0; i < ready; i++) Handle(_poll.Id(i), _poll.Interest(i));
            long now = Environment.TickCount64;
            if (now < _nextTick && !IsDraining) continue;
            _nextTick = now + TickMillis;
            CloseLate(now);
            if (IsDraining && DrainIsOver(now)) return;
        }
    }

    private bool IsDraining => Volatile.Read(ref _drainUntilMillis) != long.MaxValue;

    private int WaitForWork()
    {
        if (_spinTicks > 0)
        {
            long until = Stopwatch.GetTimestamp() + _spinTicks;
            do
            {
                int ready = _poll.Wait(0);
                if (ready > 0) return ready;
            }
            while (Stopwatch.GetTimestamp() < until);
        }

        return _poll.Wait(IsDraining ? 10 : TickMillis);
    }

    private void Handle(long id, uint interest)
    {
        if (id < 0)
        {
            _poll.Woken();
            while (_arrivals.TryDequeue(out (Socket Socket, bool IsUnix) arrival)) Adopt(arrival.Socket, arrival.IsUnix);
            return;
        }

        if (_listeners.TryGetValue(id, out Socket? listener))
        {
            // A listener that is ready and not served would end every wait at once.
            if (IsDraining) _poll.Forget(listener.Handle);
            else _server.Accept(listener, this);
            return;
        }

        // It may have been closed for what another one did in the same round.
        if (!_connections.TryGetValue(id, out Connection? connection)) return;
        try
        {
            if ((interest & OsPoll.Writable) != 0) SendMore(connection);
            else ReceiveMore(connection);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            // One client's trouble must not be everybody's.
            _server.NoteFailure(failure);
            // What it would have been told must not go to the next one.
            _reply.Clear();
            Close(connection);
        }
    }

    private void Adopt(Socket socket, bool isUnix)
    {
        long id = _nextId++;
        long now = Environment.TickCount64;
        Connection connection = new(socket, _server.NewSession(socket, isUnix), id, _server.InFlight)
        {
            LastMoveMillis = now,
            SinceMillis = now,
        };
        _connections.Add(id, connection);
        ConnectionCount = _connections.Count;
        _poll.Watch(connection.Descriptor, OsPoll.Readable, id);
    }

    private void Close(Connection connection)
    {
        if (!_connections.Remove(connection.Id)) return;
        ConnectionCount = _connections.Count;
        _poll.Forget(connection.Descriptor);
        connection.Close();
        _server.Closed(connection.Session);
    }

    /// <summary>Closes who is too slow or has been silent for too long.</summary>
    private void CloseLate(long now)
    {
        ServerOptions options = _server.Options;
        List<Connection>? late = null;
        foreach (Connection connection in _connections.Values)
        {
            long still = now - connection.LastMoveMillis;
            bool unfinished = connection.HasUnsent || !connection.Session.IsIdle;
            // Who drips a byte now and then moves and gets nowhere: what counts is when the command began.
            long since = connection.HasUnsent ? connection.LastMoveMillis : connection.BusySinceMillis;
            bool isLate = unfinished && now - since > options.RequestTimeout.TotalMilliseconds;
            isLate |= connection.Session.NeedsLogin
                && now - connection.SinceMillis > options.HandshakeTimeout.TotalMilliseconds;
            isLate |= options.IdleTimeout > TimeSpan.Zero && still > options.IdleTimeout.TotalMilliseconds;
            if (isLate || (IsDraining && !unfinished)) (late ??= []).Add(connection);
        }

        if (late is null) return;
        foreach (Connection connection in late) Close(connection);
    }

    private bool DrainIsOver(long now)
    {
        if (_connections.Count > 0 && now < Volatile.Read(ref _drainUntilMillis)) return false;
        foreach (Connection connection in _connections.Values.ToList()) Close(connection);
        while (_arrivals.TryDequeue(out (Socket Socket, bool IsUnix) arrival)) arrival.Socket.Dispose();
        return true;
    }
}
