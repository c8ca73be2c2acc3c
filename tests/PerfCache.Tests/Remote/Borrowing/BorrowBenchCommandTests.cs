// SPDX-License-Identifier: MIT
using System.Text.Json;
using PerfCache.Cli;
using PerfCache.Cli.Borrow;
using PerfCache.Tests.Cli;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary><c>perfcache borrow-bench</c> as typed.</summary>
internal sealed class BorrowBenchCommandTests : FolderFixture
{
    [TestCase("required argument", "borrow-bench")]
    [TestCase("SERVER", "borrow-bench", "nowhere:x")]
    [TestCase("--seconds", "borrow-bench", "127.0.0.1:1", "--seconds", "0")]
    [TestCase("--gets", "borrow-bench", "127.0.0.1:1", "--gets", "101")]
    [TestCase("--page-size", "borrow-bench", "127.0.0.1:1", "--page-size", "100")]
    [TestCase("--batch", "borrow-bench", "127.0.0.1:1", "--batch", "x")]
    [TestCase("--auth", "borrow-bench", "127.0.0.1:1", "--auth", "/nowhere/login")]
    [TestCase("--tls-ca", "borrow-bench", "127.0.0.1:1", "--tls-ca", "/nowhere/ca")]
    [TestCase("--tls-cert and --tls-key", "borrow-bench", "127.0.0.1:1", "--tls-cert", "x")]
    [TestCase("--top is for people", "borrow-bench", "127.0.0.1:1", "--top", "--json")]
    public void WrongUsageIsOneLineAndTwo(string expected, params string[] args) =>
        CliRun.IsWrongUsage(expected, args);

    [Test]
    public void AServerThatIsNotThereIsNamed()
    {
        CliRun run = CliRun.Of("borrow-bench", $"unix:{PathOf("nobody")}");
        Assert.That(run.ExitCode, Is.EqualTo(ExitCode.Failure));
        Assert.That(run.Error, Does.Contain("nobody").And.Not.Contain("InService"));
    }

    [Test]
    public void ARunVerifiesWhatItPutAndReportsIt()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(unix: true);
        string address = FleetRig.TextOf(server.EndPoint);
        CliRun run = CliRun.Of("borrow-bench", address, "--seconds", "1", "--pages", "500", "--json", "--deadline-ms", "2000");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using JsonDocument json = JsonDocument.Parse(run.Out);
        JsonElement gets = json.RootElement.GetProperty("phases")[1];
        Assert.That(gets.GetProperty("verified").GetInt64(), Is.GreaterThan(100));
        Assert.That(gets.GetProperty("missing").GetInt64() + json.RootElement.GetProperty("wrong").GetInt64(), Is.Zero);
        Assert.That(json.RootElement.GetProperty("phases")[0].GetProperty("storedPerSecond").GetDouble(), Is.GreaterThan(100));
        Assert.That(json.RootElement.GetProperty("servers")[0].GetProperty("address").GetString(), Is.EqualTo(address));
    }

    [Test]
    public void TheLiveViewShowsRatesAndServersAndStopEndsIt()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(unix: true);
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(2));
        CliRun run = CliRun.Of(
            context => context with { Cancellation = stop.Token }, "borrow-bench", FleetRig.TextOf(server.EndPoint),
            "--seconds", "600", "--pages", "500", "--gets", "70", "--top", "--threads", "2");
        Assert.That(run.ExitCode, Is.EqualTo(ExitCode.Failure), "stopped before its end");
        Assert.That(run.Out, Does.Contain("/s verified").And.Contains("InService").And.Contains("every byte that came was right"));
    }

    [Test]
    public void ContentsTellEachPageVersionAndBit()
    {
        SeededPage contents = new(5, 4096);
        byte[] page = new byte[4096];
        contents.Fill(page, 3, 4);
        Assert.That(contents.IsRight(page, 3, 4), Is.True);
        Assert.That(contents.IsRight(page, 4, 4) || contents.IsRight(page, 3, 5), Is.False);
        Assert.That(new SeededPage(6, 4096).IsRight(page, 3, 4), Is.False);
        for (int bit = 0; bit < 4096 * 8; bit += 61)
        {
            page[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.That(contents.IsRight(page, 3, 4), Is.False);
            page[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }
}
