// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Borrowing;

/// <summary>The servers behind borrowed memory.</summary>
public sealed partial class BorrowedMemory
{
    private static ServerAddress[] Parse(IReadOnlyList<string> servers)
    {
        try
        {
            return [.. servers.Select(ServerAddress.Parse)];
        }
        catch (FormatException wrong)
        {
            throw new ArgumentException(
                $"borrowed memory: {wrong.Message}; possible is unix:PATH, tcp:HOST:PORT or tls:HOST:PORT",
                nameof(servers), wrong);
        }
    }

    private PageFleet MakeFleet()
    {
        FleetOptions options = new() { Servers = Parse(_options.Servers), Name = Name, SendBuffers = _options.PutPoolPages };
        // Who is slower than the source is found out by the race, on real gets.
        if (_options.Race is not null) options = options with { Latency = LatencyMonitorOptions.Patient };
        if (_options.Fleet is not null) options = _options.Fleet(options);
        return new PageFleet(options with { ValueBytesMax = _pool!.ValueBytes }, this);
    }

    private BorrowedServerStatistics Describe(int server)
    {
        ServerCounts counts = _servers[server];
        return new BorrowedServerStatistics
        {
            Address = _options.Servers[server],
            Gets = Volatile.Read(ref counts.Gets),
            Hits = Volatile.Read(ref counts.Hits),
            Wrong = Volatile.Read(ref counts.Wrong),
            Puts = Volatile.Read(ref counts.Puts),
            Deadline = _fleet is null || _isDisposed ? TimeSpan.Zero : _fleet.DeadlineOf(server),
            Link = _isDisposed ? null : (_fleet as PageFleet)?.StatisticsOf(server),
        };
    }

    /// <summary>What is counted of each server.</summary>
    private sealed class ServerCounts
    {
        public long Gets;
        public long Hits;
        public long Wrong;
        public long Puts;
    }
}
