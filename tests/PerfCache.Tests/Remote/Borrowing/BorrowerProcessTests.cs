// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using PerfCache.Cli.Borrow;
using PerfCache.Remote.Borrowing;
using PerfCache.Remote.Lending;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>
/// Goal: borrowers cannot hurt one another through a server that they share. One that is killed in the middle of its work
/// leaves nothing that its successor reads and nothing that grows; one that floods the server takes the others' time, and
/// neither their pages nor their bytes. Method: the real command as a process of its own, SIGKILL, stock memcached and a
/// lender; beside it a borrower in this process that looks at every byte.
/// </summary>
internal sealed class BorrowerProcessTests : FolderFixture
{
    private const int Pages = 6000;
    private const int AlivePages = 300;
    private const int Rounds = 2;
    private static readonly TimeSpan s_deadline = TimeSpan.FromMilliseconds(500);

    [Test]
    [CancelAfter(90_000)]
    public async Task ABorrowerIsKilledAndStartedAgainBesideOneThatLives(
        [Values("memcached", "lender")] string kind, CancellationToken deadline)
    {
        using MemcachedPeer server = Serve(kind);
        using TextPeer asker = server.Connect();
        string address = FleetRig.TextOf(server.EndPoint);
        BorrowLoad alive = new(FleetRig.Options(address), FleetRig.Load(AlivePages));
        await using (alive)
        {
            await FleetRig.AllUp(alive.Fleet);
            alive.Fill(deadline);
            await FleetRig.RunAsync(alive, TimeSpan.Zero, async () =>
            {
                for (int round = 1; round <= Rounds; round++)
                {
                    // Of its connections, those for gets come and go, and the server may not have counted the latest yet.
                    long others = Stat(asker, "curr_connections") - alive.Fleet.OpenGetConnections(0);
                    long verified = alive.Counts.Verified;
                    Stopwatch started = Stopwatch.StartNew();
                    // Contents of its own, so that a page of another borrower is a wrong one. Once it only gets, so that all
                    // its pages keep the names that they were first put by; then it is killed in the middle of its puts.
                    using BenchProcess child = new(
                        address, "--pages", $"{Pages}", "--seed", $"{round}", "--gets", round == 1 ? "100" : "20",
                        "--seconds", "600", "--top", "--threads", "2", "--deadline-ms", "2000");
                    await FleetRig.Eventually(() => child.Pictures > 0 || child.HasExited, "it puts and gets", seconds: 30);
                    TestContext.Out.WriteLine($"{kind} {round}: at work {started.ElapsedMilliseconds} ms after its start");
                    await child.KillAsync();
                    await FleetRig.Eventually(
                        () => Stat(asker, "curr_connections") - alive.Fleet.OpenGetConnections(0) <= others + 1,
                        "its connections are closed");
                    Assert.That(Stat(asker, "curr_items"), Is.GreaterThan(Pages / 2), "its pages are there");
                    await NothingOfItsPredecessorIsRead(address);
                    Assert.That(alive.Counts.Verified, Is.GreaterThan(verified), "the other one went on");
                }
            });
            using BenchProcess last = new(
                address, "--pages", $"{Pages}", "--seed", "99", "--seconds", "1", "--json", "--deadline-ms", "2000");
            (int exitCode, System.Text.Json.JsonElement result) = await last.ResultAsync(deadline);
            Assert.That(exitCode, Is.Zero);
            Assert.That(result.GetProperty("wrong").GetInt64(), Is.Zero);
            Assert.That(result.GetProperty("phases")[1].GetProperty("verified").GetInt64(), Is.Positive, "it is served at once");
            FleetRig.AssertGood(alive);
            Assert.That(alive.Servers[0].Losses, Is.Zero, "the server was there all the time");
        }

        AssertBounded(server, asker);
    }

    [Test]
    [CancelAfter(90_000)]
    public async Task ABorrowerThatFloodsTheServerTakesNeitherPagesNorBytesFromAnother(
        [Values("memcached", "lender")] string kind, CancellationToken deadline)
    {
        const int ConnectionsMax = 24;
        const long QuotaBytes = 12 << 20;
        bool isLender = kind == "lender";
        string users = PathOf("users"), login = PathOf("login");
        File.WriteAllText(users, "calm:1\nflood:2\n");
        File.WriteAllText(login, "flood:2\n");
        using MemcachedPeer server = isLender
            ? MemcachedPeer.Lend(
                change: options => options with { PasswordFile = users, ConnectionsMax = ConnectionsMax },
                quotas: [new TenantQuota("user:flood", QuotaBytes)])
            : MemcachedPeer.Memcached();
        await using BorrowedServerTests.Borrower calm = new(
            1, encrypts: false, s_deadline, (isLender ? "tcp:calm:1@" : "tcp:") + server.EndPoint);
        calm.ReadUntilHits(1_000, deadline);
        long missing = calm.Memory.Statistics.Missing;

        using (BenchProcess flood = new(
            [$"{server.EndPoint}", "--pages", "20000", "--threads", "3", "--batch", "256", "--gets", "50", "--top",
                "--seconds", "600", .. isLender ? (string[])["--auth", login] : []]))
        {
            await FleetRig.Eventually(() => flood.Pictures > 0 || flood.HasExited, "it floods", seconds: 30);
            if (isLender) OpenMoreConnectionsThanThereMayBe(server, ConnectionsMax);
            calm.ForgetLongest();
            calm.ReadUntilHits(1_500, deadline);
            TestContext.Out.WriteLine(
                $"{kind}: the longest of {calm.Memory.Statistics.Gets} look-ups took {calm.Longest.TotalMilliseconds:0} ms");
            Assert.That(flood.HasExited, Is.False, "it floods still");
        }

        BorrowedMemoryStatistics counts = calm.Memory.Statistics;
        Assert.That(counts.Wrong, Is.Zero);
        // The source is memory: what a look-up takes is the deadline of its get, and whatever a busy machine adds.
        Assert.That(calm.Longest.TotalMicroseconds, Is.LessThan(s_deadline.TotalMicroseconds + FleetRig.SlackMicros));
        if (isLender)
        {
            Assert.That(counts.Missing, Is.EqualTo(missing), "nobody evicts its pages");
            using TextPeer asker = server.Connect();
            asker.Send("set auth 0 0 7\r\nflood 2\r\n");
            Assert.That(asker.Line(), Is.EqualTo("STORED"));
            Assert.That(Stat(asker, "limit_maxbytes"), Is.EqualTo(QuotaBytes));
            Assert.That(Stat(asker, "bytes"), Is.LessThanOrEqualTo(QuotaBytes));
            Assert.That(Stat(asker, "lender_frames_used") * 4096, Is.LessThanOrEqualTo(QuotaBytes));
            Assert.That(Stat(asker, "evictions"), Is.Positive, "the flood was larger than its quota");
            Assert.That(server.Lender.Statistics.Connections, Is.LessThanOrEqualTo(ConnectionsMax));
        }

        Stopwatch recovery = Stopwatch.StartNew();
        calm.ReadUntilHits(500, deadline);
        Assert.That(recovery.Elapsed.TotalSeconds, Is.LessThan(5), "all is well once the flood is over");
    }

    /// <summary>Asks, as a borrower that has just begun, for each name by which the one before put its pages.</summary>
    private static async Task NothingOfItsPredecessorIsRead(string address)
    {
        const ulong ObjectOfTheBench = 1;
        const int Batch = 200;
        Stopwatch started = Stopwatch.StartNew();
        await using PageFleet successor = new(FleetRig.Options(address), new CountingListener());
        await FleetRig.AllUp(successor);
        Assert.That(started.Elapsed.TotalSeconds, Is.LessThan(5), "the next one is in service at once");
        FleetGet[] gets = new FleetGet[Batch];
        int missing = 0;
        for (int first = 0; first < Pages; first += Batch)
        {
            for (int i = 0; i < Batch; i++)
            {
                gets[i] = new FleetGet
                {
                    Key = new RemotePageKey(ObjectOfTheBench, (ulong)(first + i), 1),
                    Server = 0,
                    Destination = new byte[4096],
                };
            }

            successor.Get(gets, TimeSpan.FromSeconds(5));
            Assert.That(gets.Select(get => get.Outcome), Has.None.EqualTo(FleetOutcome.Found), "a page of its predecessor");
            missing += gets.Count(get => get.Outcome == FleetOutcome.Missing);
        }

        Assert.That(missing, Is.GreaterThan(Pages * 9 / 10), "it asked, and was answered");
    }

    /// <summary>The server's memory did not grow by what the killed ones left, though it was offered more than it has.</summary>
    private static void AssertBounded(MemcachedPeer server, TextPeer asker)
    {
        Assert.That(Stat(asker, "bytes"), Is.LessThanOrEqualTo(Stat(asker, "limit_maxbytes")));
        Assert.That(Stat(asker, "evictions"), Is.Positive, "the dead ones' pages made room");
        if (!asker.Ask("stats\r\n").Any(line => line.StartsWith("STAT lender_", StringComparison.Ordinal))) return;
        Assert.That(() => Stat(asker, "lender_in_flight_bytes"), Is.Zero.After(5_000, 20), "no half received store is kept");
        Assert.That(server.Lender.Statistics.LentBytes, Is.LessThanOrEqualTo(32 << 20));
        Assert.That(Stat(asker, "lender_failures"), Is.Zero);
    }

    private static void OpenMoreConnectionsThanThereMayBe(MemcachedPeer server, int most)
    {
        List<Socket> sockets = [];
        try
        {
            for (int i = 0; i <= most; i++)
            {
                Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                sockets.Add(socket);
                socket.Connect(server.EndPoint);
            }

            // The one that was one too many is told so and closed; nobody else is.
            Assert.That(
                () => sockets.Any(socket => socket.Available > 0), Is.True.After(5_000, 20), "one too many is refused");
            Assert.That(server.Lender.Statistics.Connections, Is.LessThanOrEqualTo(most));
        }
        finally
        {
            foreach (Socket socket in sockets) socket.Dispose();
        }
    }

    private static MemcachedPeer Serve(string kind) =>
        kind == "memcached" ? MemcachedPeer.Memcached() : MemcachedPeer.Lend();

    private static long Stat(TextPeer asker, string name)
    {
        string start = $"STAT {name} ";
        string line = asker.Ask("stats\r\n").First(each => each.StartsWith(start, StringComparison.Ordinal));
        return long.Parse(line[start.Length..], CultureInfo.InvariantCulture);
    }
}
