// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Diagnostics;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using PerfCache.Cli.Lend;
using PerfCache.Policies.Puma;
using PerfCache.Remote.Borrowing;

namespace PerfCache.Cli.Borrow;

/// <summary><c>perfcache borrow-bench</c>: loads servers with pages and looks at every byte that comes back.</summary>
internal sealed class BorrowBenchCommand : CliCommand
{
    private readonly CliContext _context;

    private readonly Argument<string[]> _servers = new("SERVER")
    {
        Description = "HOST:PORT, tls:HOST:PORT or unix:PATH; USER:PASSWORD@ before the host where it wants a login",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string> _seconds = OptionText.Text("--seconds", "N", "How long pages are put and got; default: 5");
    private readonly Option<string> _pages = OptionText.Text("--pages", "N", "Pages, all servers together; default: 8192");
    private readonly Option<string> _pageSize = OptionText.Text("--page-size", "SIZE", "Bytes of a page; default: 4KiB");
    private readonly Option<string> _batch = OptionText.Text("--batch", "N", "Pages of one call; default: 64");
    private readonly Option<string> _threads = OptionText.Text("--threads", "N", "Threads that put and get; default: 1");
    private readonly Option<string> _gets = OptionText.Text("--gets", "PERCENT",
        "Of a hundred calls, how many get; the others put; default: two halves, puts first and then gets");

    private readonly Option<string> _deadline = OptionText.Text("--deadline-ms", "MS",
        "How long a get may take; default: what the fleet finds right for each server");

    private readonly Option<string> _seed = OptionText.Text("--seed", "N", "Seed of contents and choices; default: 1");
    private readonly Option<string> _auth = OptionText.Text("--auth", "FILE",
        "File whose first line is name:password, for servers that want a login");

    private readonly Option<string> _authority = OptionText.Text("--tls-ca", "FILE",
        "Certificate that has signed those of tls: servers (PEM); default: what the system trusts");

    private readonly Option<string> _certificate = OptionText.Text("--tls-cert", "FILE", "Certificate to show to tls: servers (PEM)");
    private readonly Option<string> _key = OptionText.Text("--tls-key", "FILE", "Its key (PEM)");
    private readonly Option<bool> _leaves = new("--leave-slow")
    {
        Description = "Leave a server alone while it is slow to answer signs of life, as a cache does; default: be patient",
    };

    private readonly Option<bool> _json = new("--json") { Description = "Print the result as one line of JSON" };
    private readonly Option<bool> _top = new("--top") { Description = "Show a live view: rates and servers" };

    /// <summary>Makes the command.</summary>
    public BorrowBenchCommand(CliContext context)
        : base("borrow-bench", "Put pages to servers on loan and verify every byte that comes back")
    {
        _context = context;
        Add(_servers);
        foreach (Option option in (Option[])[
            _seconds, _pages, _pageSize, _batch, _threads, _gets, _deadline, _seed, _auth, _authority, _certificate, _key,
            _leaves, _json, _top])
        {
            Add(option);
        }

        SetAction(RunAsync);
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache borrow-bench unix:/run/lender.sock                      puts, then gets, 5 s in all
        perfcache borrow-bench 127.0.0.1:11211 127.0.0.1:11212 --gets 80  both at once, on two servers
        perfcache borrow-bench tls:cache.example:11211 --tls-ca ca.pem --auth login.txt --top
        """;

    /// <inheritdoc/>
    public override string Notes =>
        "Servers are lenders (perfcache lend) or stock memcached. Exit code 1 when a byte was wrong, or a server is not there.";

    private async Task<int> RunAsync(ParseResult result, CancellationToken cancellation)
    {
        bool json = result.GetValue(_json);
        bool top = result.GetValue(_top);
        if (top && json) throw new UsageException("--top is for people and --json for programs; give one");
        double seconds = Number(result, _seconds, 5, 1, 86_400);
        int? getPercent = result.GetValue(_gets) is { } text ? (int)OptionText.WholeNumber("--gets", text, 0, 100) : null;
        BorrowLoadOptions options = LoadOptionsOf(result);
        FleetOptions fleet = FleetOptionsOf(result, options);
        BorrowLoad load = new(fleet, options);
        await using (load.ConfigureAwait(false))
        {
            try
            {
                if (!await load.AwaitServersAsync(TimeSpan.FromSeconds(5), cancellation).ConfigureAwait(false))
                {
                    ServerStatistics absent = load.Servers.First(server => server.State != ServerState.InService);
                    string why = absent.LastFailure is { Length: > 0 } failure ? failure : absent.State.ToString();
                    return CommandLine.Fail(_context, $"{absent.Address}: {why}", ExitCode.Failure);
                }
            }
            catch (OperationCanceledException)
            {
                return ExitCode.Failure;
            }

            BorrowView view = new(_context.Out, load, options, _context.OutIsTerminal);
            await Task.Run(() => load.Fill(cancellation), CancellationToken.None).ConfigureAwait(false);
            List<BorrowPhase> phases = [];
            (string Name, int Percent)[] plan = getPercent is { } percent
                ? [("both", percent)] : [("puts", 0), ("gets", 100)];
            foreach ((string name, int gets) in plan)
            {
                if (cancellation.IsCancellationRequested) break;
                load.GetPercent = gets;
                phases.Add(await RunPhaseAsync(load, name, seconds / plan.Length, top ? view : null, cancellation)
                    .ConfigureAwait(false));
            }

            if (json) view.WriteJson(phases);
            else view.WriteTable(phases);
            return load.Counts.Wrong == 0 && !cancellation.IsCancellationRequested ? ExitCode.Success : ExitCode.Failure;
        }
    }

    private static async Task<BorrowPhase> RunPhaseAsync(
        BorrowLoad load, string name, double seconds, BorrowView? view, CancellationToken cancellation)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        end.CancelAfter(TimeSpan.FromSeconds(seconds));
        BorrowCounts before = load.Counts.Copy();
        TimeSpan processor = Process.GetCurrentProcess().TotalProcessorTime;
        long begun = Stopwatch.GetTimestamp();
        Task run = Task.Run(() => load.Run(end.Token), CancellationToken.None);
        while (view is not null && !run.IsCompleted)
        {
            await Task.WhenAny(run, Task.Delay(1000, CancellationToken.None)).ConfigureAwait(false);
            view.Draw(name);
        }

        await run.ConfigureAwait(false);
        return new BorrowPhase(
            name, Stopwatch.GetElapsedTime(begun), Process.GetCurrentProcess().TotalProcessorTime - processor,
            load.Counts.Minus(before), load.TakeLatencies());
    }

    private BorrowLoadOptions LoadOptionsOf(ParseResult result)
    {
        int threads = (int)Number(result, _threads, 1, 1, 64);
        long pageBytes = result.GetValue(_pageSize) is { } size
            ? LendArguments.ParseSize("--page-size", size, 64, FleetOptions.ValueBytesLimit) : 4096;
        if (pageBytes % 64 != 0) throw new UsageException($"--page-size: {pageBytes} is not a multiple of 64");
        return new BorrowLoadOptions
        {
            Pages = (int)Number(result, _pages, 8192, threads, 100_000_000),
            PageBytes = (int)pageBytes,
            Batch = (int)Number(result, _batch, 64, 1, 4096),
            Threads = threads,
            Deadline = result.GetValue(_deadline) is { } text
                ? TimeSpan.FromMilliseconds(OptionText.WholeNumber("--deadline-ms", text, 1, 60_000)) : null,
            Seed = (ulong)Number(result, _seed, 1, 0, long.MaxValue),
        };
    }

    private FleetOptions FleetOptionsOf(ParseResult result, BorrowLoadOptions load)
    {
        string[] texts = result.GetValue(_servers) ?? [];
        if (texts.Length > FleetOptions.ServersMax)
            throw new UsageException($"{texts.Length} servers; at most {FleetOptions.ServersMax} are possible");
        IEnumerable<ServerAddress> servers = texts.Select(text => OptionText.Checked("SERVER", () => ServerAddress.Parse(text)));
        if (result.GetValue(_auth) is { } file)
        {
            (string user, string password) = LoginOf(file);
            servers = servers.Select(server => server.User is null
                ? OptionText.Checked("--auth", () => server.WithLogin(user, password)) : server);
        }

        FleetOptions options = new()
        {
            Servers = [.. servers],
            Name = "borrow-bench",
            ValueBytesMax = load.PageBytes,
            SendBuffers = (int)Math.Clamp((16L << 20) / load.PageBytes, 16, 1024),
            GetConnectionsMax = Math.Clamp(load.Threads + 2, 4, 64),
            Tls = TlsOf(result),
        };
        return result.GetValue(_leaves) ? options : Patient(options);
    }

    // What is to be measured is the server, also on a busy machine; a cache has a disk to go to and need not wait.
    private static FleetOptions Patient(FleetOptions options) => options with
    {
        Latency = new LatencyMonitorOptions
        {
            IsOn = true,
            AverageMax = TimeSpan.FromSeconds(1),
            InstantMax = TimeSpan.FromSeconds(2),
            AverageGood = TimeSpan.FromMilliseconds(500),
            InstantGood = TimeSpan.FromMilliseconds(500),
        },
        PutTimeout = TimeSpan.FromSeconds(5),
        ExpiredMax = 1000,
    };

    private static (string User, string Password) LoginOf(string file)
    {
        try
        {
            string line = File.ReadLines(file).FirstOrDefault() ?? "";
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            return colon > 0 ? (line[..colon], line[(colon + 1)..])
                : throw new UsageException($"--auth: the first line of '{file}' is not name:password");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--auth: {failure.Message}");
        }
    }

    private SslClientAuthenticationOptions? TlsOf(ParseResult result)
    {
        string? authority = result.GetValue(_authority);
        string? certificate = result.GetValue(_certificate);
        string? key = result.GetValue(_key);
        if (certificate is null != key is null) throw new UsageException("--tls-cert and --tls-key go together");
        if (authority is null && certificate is null) return null;
        try
        {
            SslClientAuthenticationOptions options = new();
            if (certificate is not null)
                options.ClientCertificates = [X509Certificate2.CreateFromPemFile(certificate, key)];
            if (authority is not null) options.CertificateChainPolicy = CertificateTrust.In(authority);
            return options;
        }
        catch (Exception failure) when (failure is IOException or CryptographicException or UnauthorizedAccessException)
        {
            throw new UsageException($"{(authority is null ? "--tls-cert" : "--tls-ca")}: {failure.Message}");
        }
    }

    private static long Number(ParseResult result, Option<string> option, long otherwise, long min, long max) =>
        result.GetValue(option) is { } text ? OptionText.WholeNumber(option.Name, text, min, max) : otherwise;
}
