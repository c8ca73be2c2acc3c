// SPDX-License-Identifier: MIT
using System.Net.Security;

namespace PerfCache.Remote.Server;

/// <summary>How a lender serves: addresses, threads, limits.</summary>
public sealed record ServerOptions
{
    /// <summary>Where to listen.</summary>
    public IReadOnlyList<ListenAddress> Listen { get; init; } = [ListenAddress.Parse("127.0.0.1:11211")];

    /// <summary>Threads that serve, memcached's -t.</summary>
    public int Threads { get; init; } = Math.Min(4, Environment.ProcessorCount);

    /// <summary>The most connections, memcached's -c. One more is told so and closed.</summary>
    public int ConnectionsMax { get; init; } = 1024;

    /// <summary>The largest item with its key and 59 bytes of headers, memcached's -I.</summary>
    public int ItemBytesMax { get; init; } = 1 << 20;

    /// <summary>
    /// The most bytes that all connections together may have half received or not yet sent. A store beyond it is
    /// answered "out of memory", a client that does not read its replies is closed.
    /// </summary>
    public long InFlightBytesMax { get; init; } = 64 << 20;

    /// <summary>How long a connection may do nothing; zero for any time, as in memcached.</summary>
    public TimeSpan IdleTimeout { get; init; }

    /// <summary>How long a client may take over the rest of a command, or over reading its replies.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a client may take over its login and the handshake of TLS.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a stop waits for commands that are under way.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a thread polls for work before it sleeps; zero, the default, never burns a processor.</summary>
    public TimeSpan Spin { get; init; }

    /// <summary>A file of <c>name:password</c> lines, memcached's -Y; null where nobody has to log in.</summary>
    public string? PasswordFile { get; init; }

    /// <summary>Allows an address that other machines reach though nobody has to prove who he is.</summary>
    public bool AllowPublic { get; init; }

    /// <summary>The permissions of Unix sockets, memcached's -a.</summary>
    public UnixFileMode SocketMode { get; init; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The certificate and the demands on clients, where an address asks for TLS.</summary>
    public SslServerAuthenticationOptions? Tls { get; init; }

    /// <summary>Says what is wrong.</summary>
    /// <exception cref="ArgumentException">An option is out of its range, or options contradict one another.</exception>
    internal void Validate()
    {
        if (Listen.Count == 0) throw new ArgumentException("lender: nowhere to listen; give at least one address");
        if (Threads is < 1 or > 256) throw new ArgumentException($"lender: {Threads} threads; give 1 to 256");
        if (ConnectionsMax is < 1 or > 1_000_000)
            throw new ArgumentException($"lender: {ConnectionsMax} connections; give 1 to 1000000");
        if (ItemBytesMax is < 1024 or > 128 << 20)
            throw new ArgumentException($"lender: items of {ItemBytesMax} bytes; give 1 KiB to 128 MiB");
        if (InFlightBytesMax < 2L * ItemBytesMax)
        {
            throw new ArgumentException(
                $"lender: {InFlightBytesMax} bytes in flight do not hold two of the largest items; give at least "
                + $"{2L * ItemBytesMax}");
        }

        foreach (ListenAddress address in Listen)
        {
            if (address.IsTls && Tls is null)
                throw new ArgumentException($"lender: {address} needs a certificate and its key");
            bool known = PasswordFile is not null || (address.IsTls && Tls!.ClientCertificateRequired);
            if (!address.IsLocal && !known && !AllowPublic)
            {
                throw new ArgumentException(
                    $"lender: {address} can be reached by other machines and nobody has to log in; give a password "
                    + "file, demand certificates, or allow it expressly");
            }
        }
    }
}
