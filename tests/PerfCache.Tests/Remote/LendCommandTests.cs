// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using PerfCache.Cli;
using PerfCache.Cli.Lend;
using PerfCache.Tests.Cli;

namespace PerfCache.Tests.Remote;

/// <summary><c>perfcache lend</c> as typed.</summary>
internal sealed class LendCommandTests : FolderFixture
{
    [TestCase("--memory", "lend", "--memory", "much")]
    [TestCase("--memory and -m", "lend", "--memory", "1GiB", "-m", "64")]
    [TestCase("--listen", "lend", "--listen", "example.org:1")]
    [TestCase("-p", "lend", "-p", "70000")]
    [TestCase("-t", "lend", "-t", "0")]
    [TestCase("--quota", "lend", "--quota", "ann=5")]
    [TestCase("nobody has to log in", "lend", "-l", "0.0.0.0")]
    [TestCase("give more memory", "lend", "-m", "1")]
    [TestCase("--tls-cert and --tls-key", "lend", "--tls-cert", "x")]
    [TestCase("needs a certificate", "lend", "--listen", "tls:127.0.0.1:5")]
    [TestCase("--top is for people", "lend", "--top", "--json")]
    [TestCase("users", "lend", "-Y", "/nowhere/users")]
    public void WrongUsageIsOneLineAndTwo(string expected, params string[] args) =>
        CliRun.IsWrongUsage(expected, args);

    [TestCase("64", ExpectedResult = 64L)]
    [TestCase("4k", ExpectedResult = 4096L)]
    [TestCase("1.5MiB", ExpectedResult = 1_572_864L)]
    [TestCase("8GiB", ExpectedResult = 8L << 30)]
    public long ASizeIsRead(string text) => LendArguments.ParseSize("--memory", text);

    [TestCase("json")]
    [TestCase("top")]
    public async Task ALenderServesUntilItIsStopped(string view)
    {
        string path = PathOf("lender");
        using CancellationTokenSource stop = new();
        using StringWriter output = new();
        using StringWriter error = new();
        Task<int> run = Task.Run(() => CommandLine.Run(
            ["lend", "--memory", "32MiB", "-s", path, "-t", "1", "--" + view, "--interval", "1", "--keep-available", "0"],
            new CliContext { Out = output, Error = error, Cancellation = stop.Token }));
        Stopwatch waited = Stopwatch.StartNew();
        TextPeer? connected = null;
        while (connected is null)
        {
            try
            {
                connected = new TextPeer(new UnixDomainSocketEndPoint(path));
            }
            catch (SocketException) when (waited.Elapsed < TimeSpan.FromSeconds(60))
            {
                // The socket is not there yet, or nobody listens on it yet.
                await Task.Delay(10);
            }
        }

        using (TextPeer peer = connected)
        {
            Assert.That(peer.Ask("set a 0 0 1\r\nx\r\n"), Is.EqualTo(["STORED"]));
            Assert.That(peer.Ask("get a\r\n"), Is.EqualTo(["VALUE a 0 1", "x", "END"]));
        }

        await Task.Delay(1200);
        await stop.CancelAsync();
        Assert.That(await run.WaitAsync(TimeSpan.FromSeconds(20)), Is.Zero);
        Assert.That(File.Exists(path), Is.False, "the socket is gone");
        Assert.That(error.ToString(), Does.Contain("lending on unix:"));
        if (view == "json")
        {
            using JsonDocument line = JsonDocument.Parse(output.ToString().Trim().Split('\n')[^1]);
            Assert.That(line.RootElement.GetProperty("getHits").GetInt64(), Is.EqualTo(1));
        }
        else
        {
            Assert.That(output.ToString(), Does.Contain("items      1 with").And.Contains("lent "));
        }
    }
}
