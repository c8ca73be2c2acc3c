// SPDX-License-Identifier: MIT
using System.CommandLine;
using System.Net.Sockets;
using PerfCache.Remote;
using PerfCache.Remote.Server;

namespace PerfCache.Cli.Lend;

/// <summary><c>perfcache lend</c>: serve memory on loan until somebody says stop.</summary>
internal sealed class LendCommand : CliCommand
{
    private readonly CliContext _context;
    private readonly LendArguments _arguments = new();

    private readonly Option<bool> _json = new("--json") { Description = "Print statistics as JSON lines" };

    private readonly Option<bool> _top = new("--top")
    {
        Description = "Show a live view: lent, taken back, hits, suspended since when and why",
    };

    private readonly Option<string> _interval = OptionText.Text("--interval", "SECONDS",
        "Time between two lines or pictures; default: 10, or 1 with --top");

    /// <summary>Makes the command.</summary>
    public LendCommand(CliContext context)
        : base("lend", "Lend memory to others: a memcached server whose pages the owner gets back at once")
    {
        _context = context;
        foreach (Option option in _arguments.Options) Add(option);
        Add(_json);
        Add(_top);
        Add(_interval);
        SetAction(RunAsync);
    }

    /// <inheritdoc/>
    public override string Examples => """
        perfcache lend --memory 8GiB --listen 127.0.0.1:11211 --listen unix:/run/lender.sock
        perfcache lend -m 1024 -p 11211 -t 2                       the same in memcached's letters
        perfcache lend --memory 1GiB --top                         with a live view
        perfcache lend --memory 4GiB --quota uid:1000=1GiB -s /run/lender.sock
        """;

    /// <inheritdoc/>
    public override string Notes =>
        "Serves until Ctrl-C or SIGTERM; commands that are under way are finished first.";

    private async Task<int> RunAsync(ParseResult result, CancellationToken cancellation)
    {
        LenderOptions options = _arguments.OptionsOf(result);
        bool top = result.GetValue(_top);
        bool json = result.GetValue(_json);
        if (top && json) throw new UsageException("--top is for people and --json for programs; give one");
        string interval = result.GetValue(_interval) ?? (top ? "1" : "10");
        TimeSpan wait = TimeSpan.FromSeconds(OptionText.WholeNumber("--interval", interval, 1, 86_400));
        Lender lender;
        try
        {
            lender = new Lender(options);
        }
        catch (Exception wrong) when (wrong is ArgumentException or FormatException or IOException)
        {
            throw new UsageException(wrong.Message);
        }

        await using (lender.ConfigureAwait(false))
        {
            try
            {
                await lender.StartAsync(cancellation).ConfigureAwait(false);
            }
            catch (SocketException failure)
            {
                return CommandLine.Fail(
                    _context, $"cannot listen on {string.Join(", ", options.Server.Listen)}: {failure.Message}",
                    ExitCode.Failure);
            }

            Announce(lender);
            LenderView view = new(_context.Out, options, lender, isTerminal: _context.OutIsTerminal);
            while (!cancellation.IsCancellationRequested)
            {
                try
                {
                    await Task.Delay(wait, cancellation).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    break;
                }

                if (json) view.WriteJson();
                else if (top) view.Draw();
            }

            if (json) view.WriteJson();
            await lender.StopAsync(CancellationToken.None).ConfigureAwait(false);
        }

        return ExitCode.Success;
    }

    private void Announce(Lender lender)
    {
        foreach (ListenAddress address in lender.Addresses) _context.Error.WriteLine($"perfcache: lending on {address}");
        if (lender.PressureSources.Count > 0)
            _context.Error.WriteLine($"perfcache: watching {string.Join(' ', lender.PressureSources)}");
        foreach (string fallBack in lender.FallBacks) _context.Error.WriteLine($"perfcache: note: {fallBack}");
    }
}
