// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace PerfCache.Remote.Server;

/// <summary>Where a lender listens: <c>HOST:PORT</c>, <c>tls:HOST:PORT</c> or <c>unix:PATH</c>.</summary>
/// <param name="EndPoint">The address.</param>
/// <param name="IsTls">True when clients must speak TLS.</param>
public sealed record ListenAddress(EndPoint EndPoint, bool IsTls = false)
{
    /// <summary>The port of memcached.</summary>
    public const int DefaultPort = 11211;

    /// <summary>True for an address that only this machine reaches.</summary>
    public bool IsLocal => EndPoint is not IPEndPoint address || IPAddress.IsLoopback(address.Address);

    /// <summary>Reads an address.</summary>
    /// <param name="text">The text; a host without a port listens on <see cref="DefaultPort"/>.</param>
    /// <exception cref="FormatException">It is none; the message says what would be.</exception>
    public static ListenAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.StartsWith("unix:", StringComparison.Ordinal))
        {
            string path = text["unix:".Length..];
            if (path.Length is 0 or > 107)
                throw new FormatException($"'{text}': the path of a Unix socket has 1 to 107 bytes");
            return new ListenAddress(new UnixDomainSocketEndPoint(path));
        }

        bool isTls = text.StartsWith("tls:", StringComparison.Ordinal);
        string host = isTls ? text["tls:".Length..] : text;
        int port = DefaultPort;
        int colon = host.LastIndexOf(':');
        bool bracketed = host.StartsWith('[');
        bool hasPort = colon > 0 && (bracketed ? host[colon - 1] == ']' : host.IndexOf(':', StringComparison.Ordinal) == colon);
        if (hasPort)
        {
            if (!int.TryParse(host[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out port)
                || port > IPEndPoint.MaxPort)
            {
                throw new FormatException($"'{text}': a port is a number from 0 to 65535");
            }

            host = host[..colon];
        }

        host = host.Trim('[', ']');
        if (host == "localhost") host = "127.0.0.1";
        if (host == "*") host = "0.0.0.0";
        return IPAddress.TryParse(host, out IPAddress? address)
            ? new ListenAddress(new IPEndPoint(address, port), isTls)
            : throw new FormatException(
                $"'{text}': write HOST:PORT with the host as a number, tls:HOST:PORT, or unix:PATH");
    }

    /// <inheritdoc/>
    public override string ToString() => EndPoint switch
    {
        UnixDomainSocketEndPoint path => $"unix:{path}",
        _ => (IsTls ? "tls:" : "") + EndPoint,
    };
}
