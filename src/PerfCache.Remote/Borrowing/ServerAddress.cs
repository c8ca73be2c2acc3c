// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace PerfCache.Remote.Borrowing;

/// <summary>
/// Where a server is that keeps pages: <c>HOST:PORT</c>, <c>tls:HOST:PORT</c> or <c>unix:PATH</c>, each with
/// <c>USER:PASSWORD@</c> before the host or path where the server wants a login.
/// </summary>
public sealed record ServerAddress
{
    /// <summary>The port of memcached.</summary>
    public const int DefaultPort = 11211;

    private const int PathBytesMax = 107;
    private const int LoginBytesMax = 1024;

    private ServerAddress(EndPoint endPoint) => EndPoint = endPoint;

    /// <summary>The address: a number and port, a name and port, or a path.</summary>
    public EndPoint EndPoint { get; private init; }

    /// <summary>True when the server is spoken with in TLS.</summary>
    public bool IsTls { get; private init; }

    /// <summary>The user of memcached's text login; null where none is wanted.</summary>
    public string? User { get; private init; }

    /// <summary>His password; never printed.</summary>
    internal string? Password { get; private init; }

    /// <summary>The host as it was written: what a certificate must be for.</summary>
    internal string Host => EndPoint switch
    {
        IPEndPoint number => number.Address.ToString(),
        DnsEndPoint name => name.Host,
        _ => "localhost",
    };

    /// <summary>Reads an address.</summary>
    /// <param name="text">The text; a host without a port means <see cref="DefaultPort"/>.</param>
    /// <exception cref="FormatException">It is none; the message says what would be, and holds no password.</exception>
    public static ServerAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (TryCut(text, "unix:", out string rest)) return WithLogin(text, rest, ParsePath);
        bool isTls = TryCut(text, "tls:", out rest);
        if (!isTls && !TryCut(text, "tcp:", out rest)) rest = text;
        return WithLogin(text, rest, ParseHost) with { IsTls = isTls };
    }

    /// <summary>The same server with a login.</summary>
    /// <exception cref="FormatException">Memcached could not read it: white space, or nothing.</exception>
    public ServerAddress WithLogin(string user, string password)
    {
        ArgumentNullException.ThrowIfNull(user);
        ArgumentNullException.ThrowIfNull(password);
        bool isPlain = user.Length > 0 && password.Length > 0 && !user.Any(IsUnsafe) && !password.Any(IsUnsafe);
        if (!isPlain || Encoding.UTF8.GetByteCount(user) + Encoding.UTF8.GetByteCount(password) > LoginBytesMax)
            throw new FormatException("a login is USER:PASSWORD, neither empty, without white space, up to 1024 bytes");
        return this with { User = user, Password = password };
    }

    /// <summary>The address as it was written, without the password.</summary>
    public override string ToString()
    {
        string login = User is null ? "" : User + "@";
        return EndPoint switch
        {
            UnixDomainSocketEndPoint path => $"unix:{login}{path}",
            DnsEndPoint name => string.Create(
                CultureInfo.InvariantCulture, $"{(IsTls ? "tls:" : "")}{login}{name.Host}:{name.Port}"),
            _ => (IsTls ? "tls:" : "") + login + EndPoint,
        };
    }

    /// <summary>Reads what stands before the last @, and the rest by its own rule.</summary>
    private static ServerAddress WithLogin(string whole, string rest, Func<string, string, ServerAddress> parse)
    {
        // A path may hold an @ of its own; one that begins like a path has no login before it.
        int at = rest.StartsWith('/') || rest.StartsWith('.') ? -1 : rest.LastIndexOf('@');
        if (at < 0) return parse(whole, rest);
        string shown = "'..." + rest[at..] + "'";
        int colon = rest.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0 || colon > at)
            throw new FormatException($"{shown}: write USER:PASSWORD before the @");
        return parse(shown.Trim('\''), rest[(at + 1)..]).WithLogin(rest[..colon], rest[(colon + 1)..at]);
    }

    private static ServerAddress ParsePath(string whole, string path)
    {
        if (path.Length == 0 || Encoding.UTF8.GetByteCount(path) > PathBytesMax || path.Contains('\0'))
            throw new FormatException($"'{whole}': the path of a Unix socket has 1 to {PathBytesMax} bytes");
        return new ServerAddress(new UnixDomainSocketEndPoint(path));
    }

    private static ServerAddress ParseHost(string whole, string host)
    {
        int port = DefaultPort;
        int colon = host.LastIndexOf(':');
        bool bracketed = host.StartsWith('[');
        // More than one colon and no brackets: a number of IPv6 without a port.
        bool hasPort = colon >= 0
            && (bracketed ? host[colon - 1] == ']' : host.IndexOf(':', StringComparison.Ordinal) == colon);
        if (hasPort)
        {
            if (!int.TryParse(host[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out port)
                || port is 0 or > IPEndPoint.MaxPort)
            {
                throw new FormatException($"'{whole}': a port is a number from 1 to 65535");
            }

            host = host[..colon];
        }

        if (bracketed && host.EndsWith(']')) host = host[1..^1];
        if (IPAddress.TryParse(host, out IPAddress? address)) return new ServerAddress(new IPEndPoint(address, port));
        bool isName = host.Length is > 0 and < 254 && host.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_')
            && !host.StartsWith('-') && !host.All(c => char.IsAsciiDigit(c) || c == '.');
        return isName
            ? new ServerAddress(new DnsEndPoint(host, port))
            : throw new FormatException($"'{whole}': write HOST:PORT, tls:HOST:PORT or unix:PATH");
    }

    private static bool TryCut(string text, string prefix, out string rest)
    {
        bool has = text.StartsWith(prefix, StringComparison.Ordinal);
        rest = has ? text[prefix.Length..] : text;
        return has;
    }

    private static bool IsUnsafe(char c) => char.IsWhiteSpace(c) || char.IsControl(c);
}
