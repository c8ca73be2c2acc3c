// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Protocol;
using PerfCache.Remote.Server;

namespace PerfCache.Remote;

/// <summary>
/// A memcached server whose memory is on loan: any memcached client may use it, and the machine's owner gets the memory
/// back the moment he needs it.
/// </summary>
/// <remarks>
/// Started and stopped as a hosted service is: <see cref="StartAsync"/> returns when it serves, <see cref="StopAsync"/>
/// when nothing is under way any more. One start and one stop.
/// </remarks>
public sealed class Lender : IAsyncDisposable, IDisposable
{
    private readonly TenantStores _stores;
    private readonly MemcachedServer _server;
    private readonly LendingKeeper _keeper;
    private bool _started;
    private bool _stopped;

    /// <summary>Reserves the memory; nothing is served yet.</summary>
    /// <param name="options">Memory, addresses, limits.</param>
    /// <param name="meter">The meter to charge, or null for <see cref="MemoryMeter.Process"/>.</param>
    /// <exception cref="ArgumentException">The options are wrong; the message says which and what would do.</exception>
    /// <exception cref="FormatException">The password file is wrong.</exception>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public Lender(LenderOptions options, MemoryMeter? meter = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        ServerClock clock = new(TimeProvider.System);
        _stores = new TenantStores(options.ItemOptions, options.Quotas, options.Lending, meter ?? MemoryMeter.Process);
        try
        {
            _keeper = new LendingKeeper(_stores, clock, options.Lending);
            _server = new MemcachedServer(options.Server, _stores, _keeper, clock);
        }
        catch
        {
            _keeper?.Dispose();
            _stores.Dispose();
            throw;
        }
    }

    /// <summary>What is read to find out whether the owner needs his memory.</summary>
    public IReadOnlyList<string> PressureSources => _keeper.Sources;

    /// <summary>What the system does not tell, so that lending stops by the other signals only.</summary>
    public IReadOnlyList<string> FallBacks => _keeper.FallBacks;

    /// <summary>Counts and sizes at this moment, all borrowers together.</summary>
    public LenderStatistics Statistics
    {
        get
        {
            CommandCounters counters = _server.Counters;
            LenderStatistics statistics = new()
            {
                Connections = _server.ConnectionCount,
                Gets = counters.Gets,
                GetHits = counters.GetHits,
                Sets = counters.Sets,
                Refused = counters.Refused,
                Suspensions = _keeper.Suspensions,
                SuspendedFor = _keeper.SuspendedFor,
                Reason = _keeper.Reason,
                BytesRead = counters.BytesRead,
                BytesWritten = counters.BytesWritten,
            };
            foreach (LendableStore store in _stores.All) statistics = statistics.Plus(store);
            return statistics;
        }
    }

    /// <summary>Where it listens, with the ports that were chosen; empty before the start.</summary>
    public IReadOnlyList<ListenAddress> Addresses => _server.Addresses;

    /// <summary>Begins to serve.</summary>
    /// <exception cref="InvalidOperationException">It was started before.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">An address cannot be had.</exception>
    public Task StartAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_started) throw new InvalidOperationException("lender: it was started before; make another one");
        _started = true;
        _server.Start();
        _keeper.Start();
        return Task.CompletedTask;
    }

    /// <summary>Takes no more clients, lets commands that are under way end, and gives the memory back.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default)
    {
        _ = cancellationToken;
        return Task.Run(Dispose, CancellationToken.None);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_stopped) return;
        _stopped = true;
        _server.Dispose();
        _keeper.Dispose();
        _stores.Dispose();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await StopAsync().ConfigureAwait(false);
}
