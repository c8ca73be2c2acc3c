// SPDX-License-Identifier: MIT
using System.Diagnostics;

namespace PerfCache.Remote.Borrowing;

/// <summary>
/// Servers that keep pages, over memcached's meta protocol: stock memcached or our lender. What it promises is said at
/// <see cref="IPageFleet"/>, how one server is spoken with at <see cref="ServerLink"/>.
/// </summary>
/// <remarks>
/// A get asks all its servers before it waits for any, on the caller's thread or on one of the fleet's, and returns at its
/// deadline with what has come. A put copies into a send buffer of its server. Neither allocates, but for what a first call
/// of a larger size makes room for.
/// </remarks>
internal sealed class PageFleet : IPageFleet
{
    private const int CallsKept = 64;

    private readonly FleetOptions _options;
    private readonly ServerLink[] _links;
    private readonly RendezvousHash _hash;
    private readonly FleetCall?[] _calls = new FleetCall?[CallsKept];
    private readonly CallPoller _poller;
    private bool _isDisposed;

    /// <summary>Begins to connect to all servers; none needs to be there.</summary>
    /// <param name="options">Which, and how.</param>
    /// <param name="listener">Hears what came of stores.</param>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    internal PageFleet(FleetOptions options, IFleetListener listener)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(listener);
        options.Validate();
        _options = options;
        WireKey keys = WireKey.New();
        _poller = new CallPoller();
        _links = [.. options.Servers.Select((_, number) => new ServerLink(number, options, keys, listener))];
        _hash = new RendezvousHash(options.Servers.Select(server => server.ToString()));
        foreach (ServerLink link in _links) link.Start();
        FleetMetrics.Add(this);
    }

    /// <summary>Its name in metrics.</summary>
    internal string Name => _options.Name;

    /// <inheritdoc/>
    public int ServerCount => _links.Length;

    /// <summary>What each server did so far.</summary>
    internal IReadOnlyList<ServerStatistics> Statistics => [.. _links.Select(link => link.Statistics)];

    /// <summary>What one server did so far.</summary>
    internal ServerStatistics StatisticsOf(int server) => _links[server].Statistics;

    /// <inheritdoc/>
    public int ServerOf(ulong objectId, ulong page)
    {
        ulong hash = RendezvousHash.HashOf(objectId, page);
        int best = -1;
        ulong highest = 0;
        for (int server = 0; server < _links.Length; server++)
        {
            if (!_links[server].IsInService) continue;
            ulong draw = _hash.Draw(server, hash);
            if (best >= 0 && draw <= highest) continue;
            best = server;
            highest = draw;
        }

        return best;
    }

    /// <inheritdoc/>
    public bool CanGet(int server) => (uint)server < (uint)_links.Length && _links[server].CanGet;

    /// <inheritdoc/>
    public bool TryPut(in RemotePageKey key, int server, ReadOnlySpan<byte> value) =>
        (uint)server < (uint)_links.Length && _links[server].TryPut(key, value);

    /// <inheritdoc/>
    public void Forget(in RemotePageKey key, int server)
    {
        if ((uint)server < (uint)_links.Length) _links[server].Forget(key);
    }

    /// <inheritdoc/>
    public ValueTask GetAsync(Memory<FleetGet> gets, TimeSpan deadline)
    {
        FleetCall call = Begin(gets, deadline);
        if (call.IsDone)
        {
            Return(call);
            return default;
        }

        // Before it is handed over: the thread that gets it may end it at once.
        ValueTask task = call.Task;
        _poller.Add(call);
        return task;
    }

    /// <inheritdoc/>
    public void Get(Memory<FleetGet> gets, TimeSpan deadline)
    {
        FleetCall call = Begin(gets, deadline);
        call.Run();
        Return(call);
    }

    /// <inheritdoc/>
    public TimeSpan DeadlineOf(int server) => _links[server].Health.Gets.Deadline;

    /// <summary>Throws where counts contradict one another. Nothing may be under way.</summary>
    internal void Validate()
    {
        foreach (ServerLink link in _links) link.Validate();
    }

    /// <summary>Connections for gets of one server that are open.</summary>
    internal int OpenGetConnections(int server) => _links[server].OpenGetConnections;

    /// <summary>Takes a call back that has ended.</summary>
    internal void Return(FleetCall call)
    {
        call.Clear();
        for (int place = 0; place < CallsKept; place++)
        {
            if (Interlocked.CompareExchange(ref _calls[place], call, null) is null) return;
        }
    }

    /// <summary>Ends all: gets that are under way are given up, stores end as not stored, connections are closed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, true)) return;
        FleetMetrics.Remove(this);
        await Task.Run(() =>
        {
            _poller.Dispose();
            foreach (ServerLink link in _links) link.Dispose();
        }).ConfigureAwait(false);
    }

    private FleetCall Begin(Memory<FleetGet> gets, TimeSpan deadline)
    {
        foreach (ref FleetGet get in gets.Span)
        {
            if (get.ValueBytes > _options.ValueBytesMax)
                throw new ArgumentException($"fleet: a value of {get.ValueBytes} bytes; at most {_options.ValueBytesMax}");
        }

        FleetCall call = Rent();
        double ticks = Math.Min(deadline.TotalSeconds * Stopwatch.Frequency, long.MaxValue / 4);
        call.Begin(gets, Stopwatch.GetTimestamp() + (long)Math.Max(0, ticks));
        return call;
    }

    private FleetCall Rent()
    {
        for (int place = 0; place < CallsKept; place++)
        {
            if (Volatile.Read(ref _calls[place]) is null) continue;
            if (Interlocked.Exchange(ref _calls[place], null) is { } kept) return kept;
        }

        return new FleetCall(this, _links);
    }
}
