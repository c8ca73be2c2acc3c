// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.InteropServices;
using PerfCache.Cli.Borrow;
using PerfCache.Remote.Borrowing;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>
/// Goal: a server's process may be killed, started again, frozen and thawed under load; no byte is wrong, no get late, no
/// buffer lost, and it is in service again within seconds. Method: real processes of both kinds, real signals, on a Unix
/// socket, a second server beside them that nothing happens to.
/// </summary>
internal sealed class FleetProcessTests : FolderFixture
{
    private const int Stop = 19;
    private const int Continue = 18;

    [Test]
    public async Task AServerIsKilledAndStartedAgainUnderLoad([Values("memcached", "lender")] string kind)
    {
        using MemcachedPeer other = MemcachedPeer.Lend();
        string path = PathOf(kind);
        Process process = Start(kind, path);
        BorrowLoad load = Load(path, other);
        await using (load)
        {
            await FleetRig.AllUp(load.Fleet, seconds: 30);
            load.Fill(CancellationToken.None);
            await FleetRig.RunAsync(load, TimeSpan.Zero, async () =>
            {
                for (int round = 1; round <= 2; round++)
                {
                    await Task.Delay(150);
                    process.Kill();
                    await process.WaitForExitAsync();
                    process.Dispose();
                    await FleetRig.Eventually(() => load.Servers[0].Losses == round, "its pages are given up");
                    Stopwatch back = Stopwatch.StartNew();
                    File.Delete(path);
                    process = Start(kind, path);
                    await FleetRig.Eventually(() => File.Exists(path), "it listens", seconds: 30);
                    Stopwatch since = Stopwatch.StartNew();
                    await FleetRig.Eventually(() => load.Servers[0].State == ServerState.InService, "in service again");
                    TestContext.Out.WriteLine($"start {back.ElapsedMilliseconds} ms, of these from its socket on {since.ElapsedMilliseconds} ms");
                    Assert.That(since.Elapsed.TotalSeconds, Is.LessThan(5));
                }
            });
            FleetRig.AssertGood(load);
            Assert.That(load.Servers[1].Losses, Is.Zero);
        }

        process.Kill();
        process.Dispose();
    }

    [Test]
    public async Task AServerIsFrozenAndThawedUnderLoad([Values("memcached", "lender")] string kind)
    {
        using MemcachedPeer other = MemcachedPeer.Lend();
        string path = PathOf(kind);
        using Process process = Start(kind, path);
        BorrowLoad load = Load(path, other);
        await using (load)
        {
            await FleetRig.AllUp(load.Fleet, seconds: 30);
            load.Fill(CancellationToken.None);
            await FleetRig.RunAsync(load, TimeSpan.Zero, async () =>
            {
                await Task.Delay(100);
                Assert.That(Signal(process.Id, Stop), Is.Zero);
                await FleetRig.Eventually(() => load.Servers[0].State != ServerState.InService, "it is left alone");
                long verified = load.Counts.Verified;
                await Task.Delay(300);
                Assert.That(load.Counts.Verified, Is.GreaterThan(verified), "the other server serves");
                Assert.That(Signal(process.Id, Continue), Is.Zero);
                Stopwatch back = Stopwatch.StartNew();
                await FleetRig.Eventually(() => load.Servers[0].State == ServerState.InService, "in service again");
                TestContext.Out.WriteLine($"in service {back.ElapsedMilliseconds} ms after it was thawed");
                Assert.That(back.Elapsed.TotalSeconds, Is.LessThan(5));
            });
            FleetRig.AssertGood(load);
            Assert.That(load.Servers.Select(server => server.Losses), Has.All.Zero, "its pages were there all the time");
        }

        process.Kill();
    }

    private static BorrowLoad Load(string path, MemcachedPeer other)
    {
        FleetOptions options = FleetRig.Options($"unix:{path}", FleetRig.TextOf(other.EndPoint)) with
        {
            ExpiredMax = 8,
            PutTimeout = TimeSpan.FromSeconds(1),
        };
        return new BorrowLoad(options, FleetRig.Load(pages: 300) with { Deadline = TimeSpan.FromMilliseconds(50) });
    }

    /// <summary>Starts a server of its own process; a test of memcached is skipped where there is none.</summary>
    private static Process Start(string kind, string path)
    {
        ProcessStartInfo start = new(kind == "memcached" ? "memcached" : Environment.ProcessPath!)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        string[] arguments = kind == "memcached"
            ? ["-s", path, "-m", "64", "-t", "1", "-u", Environment.UserName]
            : [typeof(BorrowLoad).Assembly.Location, "lend", "-m", "32", "-s", path, "-t", "1", "--ignore-pressure"];
        if (kind == "lender" && Path.GetFileNameWithoutExtension(start.FileName) != "dotnet") start.FileName = "dotnet";
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        try
        {
            Process process = Process.Start(start)!;
            process.BeginErrorReadLine();
            process.BeginOutputReadLine();
            return process;
        }
        catch (System.ComponentModel.Win32Exception) when (kind == "memcached")
        {
            Assert.Ignore("there is no memcached here: apt-get install memcached");
            throw;
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int Signal(int process, int signal);
}
