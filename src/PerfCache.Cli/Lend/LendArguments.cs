// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using PerfCache.Remote;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Server;

namespace PerfCache.Cli.Lend;

/// <summary>The options of <c>perfcache lend</c>: ours with long names, memcached's with their letters.</summary>
internal sealed class LendArguments
{
    private readonly Option<string> _memory = OptionText.Text("--memory", "SIZE",
        "Memory to lend, such as 512MiB or 8GiB; default: 64MiB");

    private readonly Option<string> _megabytes = OptionText.Text("-m", "MIB", "The same in MiB, as memcached takes it");

    private readonly Option<string[]> _listen = new("--listen")
    {
        HelpName = "ADDRESS",
        Description = "HOST:PORT, tls:HOST:PORT or unix:PATH; may be given several times; default: 127.0.0.1:11211",
    };

    private readonly Option<string> _port = OptionText.Text("-p", "PORT", "TCP port, with -l; 0 for none");
    private readonly Option<string> _socket = OptionText.Text("-s", "PATH", "Unix socket instead of TCP");
    private readonly Option<string> _hosts = OptionText.Text("-l", "HOST[,HOST]", "Addresses for -p; default: 127.0.0.1");
    private readonly Option<string> _connections = OptionText.Text("-c", "N", "The most connections; default: 1024");
    private readonly Option<string> _itemSize = OptionText.Text("-I", "SIZE", "The largest item, such as 4m; default: 1m");
    private readonly Option<string> _threads = OptionText.Text("-t", "N", "Threads that serve; default: up to 4");
    private readonly Option<string> _passwords = OptionText.Text("-Y", "FILE",
        "Clients must log in; the file has name:password lines");

    private readonly Option<bool> _allowPublic = new("--allow-public")
    {
        Description = "Allow an address that other machines reach though nobody has to log in",
    };

    private readonly Option<string[]> _quotas = new("--quota")
    {
        HelpName = "WHO=SIZE",
        Description = "A store of his own for uid:N, user:NAME or tls:NAME; may be given several times",
    };

    private readonly Option<string> _idle = OptionText.Text("--idle-timeout", "SECONDS",
        "Close connections that are silent for so long; default: never");

    private readonly Option<string> _spin = OptionText.Text("--spin-us", "N",
        "Poll for so many microseconds before sleeping: faster replies, and a processor kept busy; default: 0");

    private readonly Option<string> _keep = OptionText.Text("--keep-available", "SIZE",
        "Available memory that is never lent; default: 256MiB");

    private readonly Option<bool> _noPressure = new("--ignore-pressure")
    {
        Description = "Do not watch the owner's memory; the system still takes single pages",
    };

    private readonly Option<string> _log = OptionText.Text("--decisions", "FILE",
        "Write samples and decisions to a file");

    private readonly Option<string> _certificate = OptionText.Text("--tls-cert", "FILE", "Certificate for tls: addresses (PEM)");
    private readonly Option<string> _key = OptionText.Text("--tls-key", "FILE", "Its key (PEM)");
    private readonly Option<string> _clientAuthority = OptionText.Text("--tls-client-ca", "FILE",
        "Clients must have a certificate that this one has signed (PEM)");

    /// <summary>The options, in the order in which help lists them.</summary>
    public IReadOnlyList<Option> Options =>
    [
        _memory, _listen, _allowPublic, _quotas, _keep, _noPressure, _log, _idle, _spin, _certificate, _key,
        _clientAuthority, _megabytes, _port, _socket, _hosts, _connections, _itemSize, _threads, _passwords,
    ];

    /// <summary>What the command line asks for.</summary>
    /// <exception cref="UsageException">A value is wrong, or options contradict one another.</exception>
    public LenderOptions OptionsOf(ParseResult result)
    {
        if (result.GetValue(_memory) is not null && result.GetValue(_megabytes) is not null)
            throw new UsageException("--memory and -m say the same; give one");
        long memory = result.GetValue(_megabytes) is { } megabytes
            ? OptionText.WholeNumber("-m", megabytes, 1, 1L << 30) << 20
            : Size(result, _memory, 64L << 20);
        SslServerAuthenticationOptions? tls = TlsOf(result);
        ServerOptions server = new()
        {
            Listen = AddressesOf(result),
            Threads = (int)Number(result, _threads, Math.Min(4, Environment.ProcessorCount), 1, 256),
            ConnectionsMax = (int)Number(result, _connections, 1024, 1, 1_000_000),
            ItemBytesMax = (int)Size(result, _itemSize, 1 << 20, 1024, 128 << 20),
            InFlightBytesMax = Math.Max(64L << 20, 4 * Size(result, _itemSize, 1 << 20)),
            IdleTimeout = TimeSpan.FromSeconds(Number(result, _idle, 0, 0, 86_400)),
            Spin = TimeSpan.FromMicroseconds(Number(result, _spin, 0, 0, 1_000_000)),
            PasswordFile = result.GetValue(_passwords),
            AllowPublic = result.GetValue(_allowPublic),
            Tls = tls,
        };
        return new LenderOptions
        {
            MemoryBytes = memory,
            Server = server,
            Quotas = [.. (result.GetValue(_quotas) ?? []).Select(QuotaOf)],
            Lending = new LendingOptions
            {
                WatchesPressure = !result.GetValue(_noPressure),
                LogPath = result.GetValue(_log),
                Governor = new LendingGovernorOptions { KeepAvailableBytes = Size(result, _keep, 256L << 20, 0) },
            },
        };
    }

    /// <summary>Reads a size: bytes, or a number with k, m, g, KiB, MiB, GiB, TiB behind it; all are powers of 1024.
    /// </summary>
    /// <exception cref="UsageException">It is none, or out of range.</exception>
    public static long ParseSize(string option, string text, long min = 1, long max = 1L << 50)
    {
        string digits = text.TrimEnd('B', 'b', 'i', 'k', 'K', 'm', 'M', 'g', 'G', 't', 'T');
        int shift = text[digits.Length..].ToUpperInvariant() switch
        {
            "" or "B" => 0,
            "K" or "KIB" => 10,
            "M" or "MIB" => 20,
            "G" or "GIB" => 30,
            "T" or "TIB" => 40,
            _ => -1,
        };
        if (shift < 0
            || !decimal.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number)
            || number * (1L << shift) < min || number * (1L << shift) > max)
        {
            throw new UsageException($"{option}: '{text}' is not a size such as 512MiB or 8GiB");
        }

        return (long)(number * (1L << shift));
    }

    private List<ListenAddress> AddressesOf(ParseResult result)
    {
        List<string> texts = [.. result.GetValue(_listen) ?? []];
        string? path = result.GetValue(_socket);
        string? hosts = result.GetValue(_hosts);
        string? port = result.GetValue(_port);
        if (path is not null) texts.Add("unix:" + path);
        if (port != "0" && (port is not null || hosts is not null || texts.Count == 0))
        {
            long number = port is null ? ListenAddress.DefaultPort : OptionText.WholeNumber("-p", port, 1, 65535);
            foreach (string host in (hosts ?? "127.0.0.1").Split(','))
            {
                bool hasPort = host.Contains(':', StringComparison.Ordinal);
                texts.Add(hasPort ? host : string.Create(CultureInfo.InvariantCulture, $"{host}:{number}"));
            }
        }

        return [.. texts.Select(text => OptionText.Checked("--listen", () => ListenAddress.Parse(text)))];
    }

    private static TenantQuota QuotaOf(string text)
    {
        int equals = text.LastIndexOf('=');
        string who = equals > 0 ? text[..equals] : "";
        if (!who.StartsWith("uid:", StringComparison.Ordinal) && !who.StartsWith("user:", StringComparison.Ordinal)
            && !who.StartsWith("tls:", StringComparison.Ordinal))
        {
            throw new UsageException($"--quota: '{text}' is not uid:N=SIZE, user:NAME=SIZE or tls:NAME=SIZE");
        }

        return new TenantQuota(who, ParseSize("--quota", text[(equals + 1)..]));
    }

    private SslServerAuthenticationOptions? TlsOf(ParseResult result)
    {
        string? certificate = result.GetValue(_certificate);
        string? key = result.GetValue(_key);
        string? authority = result.GetValue(_clientAuthority);
        if (certificate is null && key is null && authority is null) return null;
        if (certificate is null || key is null) throw new UsageException("--tls-cert and --tls-key go together");
        try
        {
            SslServerAuthenticationOptions options = new()
            {
                ServerCertificate = X509Certificate2.CreateFromPemFile(certificate, key),
                ClientCertificateRequired = authority is not null,
            };
            if (authority is not null) options.CertificateChainPolicy = CertificateTrust.In(authority);
            return options;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException
            or System.Security.Cryptography.CryptographicException)
        {
            throw new UsageException($"--tls-cert: {failure.Message}");
        }
    }

    private static long Number(ParseResult result, Option<string> option, long otherwise, long min, long max) =>
        result.GetValue(option) is { } text ? OptionText.WholeNumber(option.Name, text, min, max) : otherwise;

    private static long Size(
        ParseResult result, Option<string> option, long otherwise, long min = 1, long max = 1L << 50) =>
        result.GetValue(option) is { } text ? ParseSize(option.Name, text, min, max) : otherwise;
}
