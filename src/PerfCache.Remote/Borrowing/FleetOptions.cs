// SPDX-License-Identifier: MIT
using System.Net.Security;
using PerfCache.Policies.Puma;

namespace PerfCache.Remote.Borrowing;

/// <summary>Which servers keep pages, and how they are spoken with.</summary>
public sealed record FleetOptions
{
    /// <summary>The most servers of a fleet.</summary>
    public const int ServersMax = BorrowerOptions.LendersMax;

    /// <summary>The longest value that can be sent.</summary>
    public const int ValueBytesLimit = 1 << 20;

    /// <summary>The servers; each gets its number from its place.</summary>
    public required IReadOnlyList<ServerAddress> Servers { get; init; }

    /// <summary>The name of the fleet in its metrics.</summary>
    public string Name { get; init; } = "fleet";

    /// <summary>The longest value, in bytes: a page and what is added to it. Each send buffer has room for one.</summary>
    public int ValueBytesMax { get; init; } = 4096;

    /// <summary>Send buffers of each server: as many values may be on their way to it, and no more.</summary>
    public int SendBuffers { get; init; } = 1024;

    /// <summary>Connections of each server for gets; each call uses one. Opened as they are needed.</summary>
    public int GetConnectionsMax { get; init; } = 16;

    /// <summary>The shortest time that a get is worth waiting for.</summary>
    public TimeSpan DeadlineMin { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest time that a get is worth waiting for.</summary>
    public TimeSpan DeadlineMax { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>After how long without any answer to its stores a server counts as gone.</summary>
    public TimeSpan PutTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a connection may take, login and all.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The first wait after a connection failed; doubles up to <see cref="BackOffMax"/>, less a random part.
    /// </summary>
    public TimeSpan BackOffMin { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>The longest wait between two attempts.</summary>
    public TimeSpan BackOffMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A server that cannot be reached for so long is taken to have lost everything.</summary>
    public TimeSpan LostAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>When a slow server is left alone. Unlike the simulated borrower's it is on by default.</summary>
    public LatencyMonitorOptions Latency { get; init; } = new() { IsOn = true };

    /// <summary>So many gets in a row without an answer in time, and a server is left alone until it answers a sign of
    /// life.</summary>
    public int ExpiredMax { get; init; } = 8;

    /// <summary>How TLS is spoken with servers that want it; null for the system's own rules.</summary>
    public SslClientAuthenticationOptions? Tls { get; init; }

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line: what, its value, what is possible.</exception>
    internal void Validate()
    {
        ArgumentNullException.ThrowIfNull(Servers);
        if (Servers.Count is < 1 or > ServersMax)
            throw new ArgumentException($"fleet: {Servers.Count} servers; possible are 1 to {ServersMax}");
        Check(ValueBytesMax is >= 1 and <= ValueBytesLimit, nameof(ValueBytesMax), ValueBytesMax, $"1 to {ValueBytesLimit}");
        Check(SendBuffers is >= 1 and <= 1 << 20, nameof(SendBuffers), SendBuffers, "1 to 1048576");
        if (SendBuffers * (ValueBytesMax + 256L) > Array.MaxLength)
            throw new ArgumentException("fleet: SendBuffers of ValueBytesMax are more than 2 GiB; give fewer");
        Check(GetConnectionsMax is >= 1 and <= 64, nameof(GetConnectionsMax), GetConnectionsMax, "1 to 64");
        Check(DeadlineMin > TimeSpan.Zero, nameof(DeadlineMin), DeadlineMin, "above 0");
        Check(DeadlineMax >= DeadlineMin, nameof(DeadlineMax), DeadlineMax, "at least DeadlineMin");
        Check(PutTimeout > TimeSpan.Zero, nameof(PutTimeout), PutTimeout, "above 0");
        Check(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), ConnectTimeout, "above 0");
        Check(BackOffMin > TimeSpan.Zero, nameof(BackOffMin), BackOffMin, "above 0");
        Check(BackOffMax >= BackOffMin, nameof(BackOffMax), BackOffMax, "at least BackOffMin");
        Check(LostAfter > TimeSpan.Zero, nameof(LostAfter), LostAfter, "above 0");
        Check(ExpiredMax >= 1, nameof(ExpiredMax), ExpiredMax, "at least 1");
    }

    private static void Check(bool isRight, string name, object value, string possible)
    {
        if (!isRight) throw new ArgumentException($"fleet: {name} is {value}; possible is {possible}");
    }
}
