// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net.Sockets;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;

namespace PerfCache.Remote.Server;

/// <summary>Listens, gives each connection to a loop or to TLS, and knows what all of them came to.</summary>
internal sealed partial class MemcachedServer : IDisposable
{
    private const int Backlog = 1024;

    // SOL_SOCKET and SO_PEERCRED of Linux; the answer is process, user and group, four bytes each.
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;

    private readonly Lock _lock = new();
    private readonly List<EventLoop> _loops = [];
    private readonly List<Socket> _listeners = [];
    private readonly HashSet<MemcachedSession> _sessions = [];
    private readonly HashSet<string> _paths = [];
    private readonly CommandCounters _ended = new();
    private readonly SessionSettings _settings;
    private readonly TenantStores _stores;
    private readonly LendingKeeper _keeper;
    private int _nextLoop;
    private long _accepted;
    private long _rejected;
    private long _failures;
    private bool _stopping;

    internal MemcachedServer(ServerOptions options, TenantStores stores, LendingKeeper keeper, ServerClock clock)
    {
        options.Validate();
        Options = options;
        InFlight = new InFlightBytes(options.InFlightBytesMax);
        _stores = stores;
        _keeper = keeper;
        _settings = new SessionSettings
        {
            Clock = clock,
            ItemBytesMax = options.ItemBytesMax,
            Passwords = options.PasswordFile is { } path ? PasswordFile.Load(path) : null,
            StoreOfUser = user => stores.Find("user:" + user),
            Facts = this,
        };
    }

    internal ServerOptions Options { get; }

    internal InFlightBytes InFlight { get; }

    /// <summary>The addresses it listens on, with the ports that were chosen.</summary>
    internal IReadOnlyList<ListenAddress> Addresses { get; private set; } = [];

    /// <summary>Connections that are there now, those of TLS included.</summary>
    internal int ConnectionCount => _loops.Sum(loop => loop.ConnectionCount) + Volatile.Read(ref _tlsCount);

    /// <summary>Begins to listen and to serve.</summary>
    /// <exception cref="SocketException">An address cannot be had.</exception>
    internal void Start()
    {
        for (int number = 0; number < Options.Threads; number++) _loops.Add(new EventLoop(this, number));
        List<ListenAddress> bound = [];
        foreach (ListenAddress address in Options.Listen)
        {
            Socket listener = Open(address);
            _listeners.Add(listener);
            bound.Add(address.EndPoint is UnixDomainSocketEndPoint
                ? address
                : address with { EndPoint = listener.LocalEndPoint! });
            if (address.IsTls) _ = AcceptTlsAsync(listener);
            else _loops[0].Listen(listener);
        }

        Addresses = bound;
        foreach (EventLoop loop in _loops) loop.Start();
    }

    /// <summary>Takes no more connections, lets commands that are under way end, then closes.</summary>
    internal void Stop()
    {
        lock (_lock)
        {
            if (_stopping) return;
            _stopping = true;
        }

        foreach (EventLoop loop in _loops) loop.Drain(Options.DrainTimeout);
        StopTls(Options.DrainTimeout);
        foreach (EventLoop loop in _loops) loop.Join();
        foreach (Socket listener in _listeners) listener.Dispose();
        foreach (string path in _paths) File.Delete(path);
        foreach (EventLoop loop in _loops) loop.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose() => Stop();

    /// <summary>Takes the next connection of a listener, if there still is one.</summary>
    internal void Accept(Socket listener, EventLoop self)
    {
        Socket socket;
        try
        {
            socket = listener.Accept();
        }
        catch (SocketException)
        {
            // It went away again, or there are no descriptors; the next wait tells.
            Interlocked.Increment(ref _failures);
            return;
        }

        Interlocked.Increment(ref _accepted);
        if (ConnectionCount >= Options.ConnectionsMax)
        {
            Interlocked.Increment(ref _rejected);
            RefuseAndClose(socket);
            return;
        }

        bool isUnix = listener.AddressFamily == AddressFamily.Unix;
        if (!isUnix) socket.NoDelay = true;
        socket.Blocking = false;
        EventLoop loop = _loops[(int)((uint)Interlocked.Increment(ref _nextLoop) % (uint)_loops.Count)];
        if (loop == self) loop.AddOwn(socket, isUnix);
        else loop.Add(socket, isUnix);
    }

    internal MemcachedSession NewSession(Socket socket, bool isUnix)
    {
        LendableStore store = _stores.Default;
        if (isUnix && _stores.HasTenants && TryPeerUser(socket, out uint user))
            store = _stores.Find(string.Create(CultureInfo.InvariantCulture, $"uid:{user}")) ?? store;
        return Register(new MemcachedSession(_settings, store));
    }

    /// <summary>Adds what a connection came to, to what all the ended ones did.</summary>
    internal void Closed(MemcachedSession session)
    {
        lock (_lock)
        {
            if (_sessions.Remove(session)) _ended.Add(session.Counters);
        }
    }

    internal void NoteFailure(Exception failure)
    {
        _ = failure;
        Interlocked.Increment(ref _failures);
    }

    private MemcachedSession Register(MemcachedSession session)
    {
        lock (_lock) _sessions.Add(session);
        return session;
    }

    private static void RefuseAndClose(Socket socket)
    {
        socket.Blocking = false;
        socket.Send("ERROR Too many open connections\r\n"u8, SocketFlags.None, out _);
        socket.Dispose();
    }

    private static bool TryPeerUser(Socket socket, out uint user)
    {
        Span<byte> credentials = stackalloc byte[12];
        user = 0;
        try
        {
            if (socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials) != credentials.Length) return false;
        }
        catch (SocketException)
        {
            return false;
        }

        user = BitConverter.ToUInt32(credentials[4..]);
        return true;
    }

    private Socket Open(ListenAddress address)
    {
        bool isUnix = address.EndPoint is UnixDomainSocketEndPoint;
        Socket listener = new(
            address.EndPoint.AddressFamily, SocketType.Stream, isUnix ? ProtocolType.Unspecified : ProtocolType.Tcp);
        try
        {
            if (isUnix) RemoveStale(address.EndPoint.ToString()!);
            listener.Bind(address.EndPoint);
            if (isUnix)
            {
                string path = address.EndPoint.ToString()!;
                _paths.Add(path);
                if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, Options.SocketMode);
            }

            listener.Listen(Backlog);
            if (!address.IsTls) listener.Blocking = false;
            return listener;
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    // A socket that nobody listens on is what a killed server left behind; anything else is somebody's.
    private static void RemoveStale(string path)
    {
        if (!File.Exists(path)) return;
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException failure) when (failure.SocketErrorCode == SocketError.ConnectionRefused)
        {
            if (new FileInfo(path).Length == 0) File.Delete(path);
        }
        catch (SocketException)
        {
            // Binding will say what is wrong.
        }
    }
}
