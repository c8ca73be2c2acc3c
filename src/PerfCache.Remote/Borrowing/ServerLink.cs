// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net.Sockets;
using PerfCache.Memory;

namespace PerfCache.Remote.Borrowing;

/// <summary>
/// One server of a fleet: its connections, its send buffers, whether it is worth using. A thread of its own sends stores,
/// asks for signs of life, throws late answers away and connects again; gets run on the threads of those who ask.
/// </summary>
/// <remarks>
/// <code>
///            connection for stores     one ring of send buffers, many stores under way, answered in order
/// thread  -- connection for control    signs of life, and requests to forget
///            late connections          gets whose caller has gone; drained, then idle again
/// callers -- connections for gets      one a call, leased from the idle ones
/// </code>
/// The sign of life is a get of a marker that was stored when the first connection was made. A server that is connected
/// again and still has the marker has kept its memory; one without has lost all pages, and the epoch in their keys goes up,
/// so that none can come back. A server that refuses connections has lost them at once; one that cannot be reached, after
/// <see cref="FleetOptions.LostAfter"/>.
/// <para>L1: every store that was taken ends once, with PutEnded, also when the server is gone.</para>
/// <para>L2: a connection has one owner: a caller, the list of idle ones, or this thread.</para>
/// <para>L3: nothing waits longer than its deadline: connecting, stores, signs of life, late answers.</para>
/// </remarks>
internal sealed partial class ServerLink : IDisposable
{
    private static readonly long s_stepTicks = Stopwatch.Frequency / 10;
    private static readonly RemotePageKey s_marker = new(ulong.MaxValue, ulong.MaxValue, uint.MaxValue);

    private readonly FleetOptions _options;
    private readonly WireKey _keys;
    private readonly IFleetListener _listener;
    private readonly ServerConnector _connector;
    private readonly CancellationTokenSource _stop = new();
    private readonly WakeSignal _wake = new();
    private readonly SocketWait _wait = new();
    private readonly Thread _thread;
    private Socket? _stores;
    private Socket? _control;
    private bool _isUp;
    private bool _mayHavePages;
    private int _session;
    private int _epoch;
    private int _attempts;
    private long _downSince;
    private string _lastFailure = "";

    internal ServerLink(int number, FleetOptions options, WireKey keys, IFleetListener listener)
    {
        Number = number;
        _options = options;
        _keys = keys;
        _listener = listener;
        Address = options.Servers[number];
        _connector = new ServerConnector(Address, options, _stop.Token);
        Health = new ServerHealth(options);
        _ring = new SendRing(options.SendBuffers, options.ValueBytesMax);
        _idle = new GetConnection?[options.GetConnectionsMax];
        _thread = new Thread(Run) { IsBackground = true, Name = $"fleet {number}" };
    }

    /// <summary>Its number in the fleet.</summary>
    internal int Number { get; }

    /// <summary>Where it is.</summary>
    internal ServerAddress Address { get; }

    /// <summary>Whether it is worth using.</summary>
    internal ServerHealth Health { get; }

    /// <summary>True when pages may be sent there.</summary>
    internal bool IsInService => Volatile.Read(ref _isUp) && !Health.IsSuspended && !Health.IsRefusing;

    /// <summary>True when it may be asked: also while it refuses to store.</summary>
    internal bool CanGet => Volatile.Read(ref _isUp) && !Health.IsSuspended;

    internal void Start() => _thread.Start();

    /// <summary>Ends the thread; every store that is under way ends as not stored.</summary>
    public void Dispose()
    {
        if (_stop.IsCancellationRequested) return;
        _stop.Cancel();
        _wake.Ring();
        if ((_thread.ThreadState & System.Threading.ThreadState.Unstarted) == 0) _thread.Join();
        _wake.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        _downSince = Stopwatch.GetTimestamp();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (_isUp) ServeOnce();
                else if (!TryConnect()) WaitToRetry();
            }
            catch (Exception failure) when (failure is IOException or SocketException or ObjectDisposedException
                or OperationCanceledException)
            {
                TakeDown(failure.Message);
            }
        }

        TakeDown("closed");
        // Somebody may be filling a buffer that he got just before.
        SpinWait patience = default;
        for (long until = Stopwatch.GetTimestamp() + Stopwatch.Frequency; _ring.Used > 0 && Stopwatch.GetTimestamp() < until;)
        {
            EndAll();
            patience.SpinOnce();
        }
    }

    private void ServeOnce()
    {
        long now = Stopwatch.GetTimestamp();
        _wait.Clear();
        _wait.Add(_wake.Descriptor);
        int control = _wait.Add(_control!.Handle);
        int stores = _wait.Add(_stores!.Handle, writes: _isBlocked);
        AddLate();
        long until = NextLook(now);
        // While it waits for more stores to go out together, nobody needs to ring.
        bool sleeps = _lingerUntil == 0;
        if (sleeps)
        {
            _wake.FallAsleep();
            if (HasWork) until = now;
        }

        _wait.WaitUntil(until);
        if (sleeps) _wake.WakeUp();
        if (_wait.IsReady(control)) ReceiveControl();
        if (_wait.IsReady(stores))
        {
            _isBlocked = false;
            ReceiveStored();
        }

        DrainLate();
        SendStores();
        LookAtTimes();
        SendControl();
        OpenWanted();
    }

    /// <summary>Something that the thread can do at once.</summary>
    private bool HasWork => _stop.IsCancellationRequested || (_ring.HasReady && !_isBlocked) || HasNewLate
        || (HasForgets && !_controlIsOpen) || Volatile.Read(ref _isWanted) != 0;

    private long NextLook(long now)
    {
        if (_lingerUntil != 0) return _lingerUntil;
        long next = now + s_stepTicks;
        return _controlIsOpen ? Math.Min(next, _controlNextLook) : Math.Min(next, _nextPing);
    }

    private bool TryConnect()
    {
        try
        {
            _control = _connector.Connect();
            _stores = _connector.Connect();
            bool isSame = HasMarker(out long pingTicks);
            if (!isSame)
            {
                DeclareLost();
                StoreMarker();
            }

            AddIdle(Open());
            _attempts = 0;
            _mayHavePages = true;
            Interlocked.Increment(ref _connects);
            RestartStores();
            RestartControl();
            Health.Reconnected(pingTicks);
            Volatile.Write(ref _isUp, true);
            return true;
        }
        catch (Exception failure) when (failure is not (OutOfMemoryException or InvariantException))
        {
            // Also what TLS and name look-ups throw: a server that cannot be spoken with is down, whatever the reason.
            Interlocked.Increment(ref _connectFailures);
            _lastFailure = failure.Message;
            CloseConnections();
            // Nobody listens there: the process that had the pages is gone.
            bool isGone = failure is SocketException { SocketErrorCode: SocketError.ConnectionRefused }
                || (failure is SocketException && Address.EndPoint.AddressFamily == AddressFamily.Unix);
            if (isGone || Stopwatch.GetElapsedTime(_downSince) > _options.LostAfter) DeclareLost();
            return false;
        }
    }

    /// <summary>Asks for the marker.</summary>
    private bool HasMarker(out long pingTicks)
    {
        byte[] request = new byte[MetaRequest.PingBytes];
        MetaRequest.WritePing(request, _keys, _epoch, s_marker, 0);
        long begun = Stopwatch.GetTimestamp();
        string answer = _connector.Exchange(_control!, request, ExchangeUntil());
        pingTicks = Stopwatch.GetTimestamp() - begun;
        return answer switch
        {
            "HD O00000000" => true,
            "EN O00000000" => false,
            _ => throw new IOException($"it does not speak memcached's meta protocol: {Shorten(answer)}"),
        };
    }

    private void StoreMarker()
    {
        string answer = _connector.Exchange(_control!, MarkerStore(0), ExchangeUntil());
        // A lender that refuses at the moment is still one; without its marker, only a reconnection costs more.
        if (answer is not ("HD O00000000" or "NS O00000000") && !answer.StartsWith("SERVER_ERROR", StringComparison.Ordinal))
            throw new IOException($"it does not store: {Shorten(answer)}");
    }

    private byte[] MarkerStore(uint opaque)
    {
        byte[] request = new byte[MetaRequest.SetBytes + 3];
        MetaRequest.WriteSet(request, _keys, _epoch, s_marker, 1, opaque);
        "x\r\n"u8.CopyTo(request.AsSpan(MetaRequest.SetBytes));
        return request;
    }

    private long ExchangeUntil() =>
        Stopwatch.GetTimestamp() + (long)(_options.ConnectTimeout.TotalSeconds * Stopwatch.Frequency);

    private static string Shorten(string answer) => answer.Length <= 60 ? answer : answer[..60] + "...";

    private void DeclareLost()
    {
        if (!_mayHavePages) return;
        _mayHavePages = false;
        Volatile.Write(ref _epoch, (_epoch + 1) & WireKey.EpochMask);
        Interlocked.Increment(ref _losses);
        _listener.ServerLost(Number);
    }

    private void WaitToRetry()
    {
        double share = 0.5 + (0.5 * Random.Shared.NextDouble());
        double wait = Math.Min(
            _options.BackOffMax.TotalSeconds, _options.BackOffMin.TotalSeconds * Math.Pow(2, Math.Min(_attempts, 30)));
        _attempts++;
        long until = Stopwatch.GetTimestamp() + (long)(wait * share * Stopwatch.Frequency);
        while (!_stop.IsCancellationRequested && Stopwatch.GetTimestamp() < until)
        {
            EndAll();
            _wait.Clear();
            _wait.Add(_wake.Descriptor);
            _wake.FallAsleep();
            if (_stop.IsCancellationRequested) return;
            _wait.WaitUntil(Math.Min(until, Stopwatch.GetTimestamp() + s_stepTicks));
            _wake.WakeUp();
        }
    }

    private void TakeDown(string reason)
    {
        if (_isUp)
        {
            _downSince = Stopwatch.GetTimestamp();
            _lastFailure = reason;
        }

        Volatile.Write(ref _isUp, false);
        CloseConnections();
        EndAll();
    }

    private void CloseConnections()
    {
        Interlocked.Increment(ref _session);
        _stores?.Dispose();
        _control?.Dispose();
        _stores = _control = null;
        CloseGets();
    }
}
