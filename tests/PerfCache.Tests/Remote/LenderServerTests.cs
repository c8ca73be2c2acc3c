// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using PerfCache.Remote;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Server;

namespace PerfCache.Tests.Remote;

/// <summary>
/// Goal: whatever a client does, the others are served, and what it may cost is bounded. Method: a lender in this process
/// and clients that misbehave on purpose; each of them has a deadline.
/// </summary>
internal sealed class LenderServerTests : FolderFixture
{
    [Test]
    public void OneConnectionTooManyIsToldAndClosed()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(change: options => options with { ConnectionsMax = 5 });
        List<TextPeer> peers = [];
        for (int i = 0; i < 5; i++)
        {
            peers.Add(server.Connect());
            Assert.That(peers[i].Ask("version\r\n"), Has.Count.EqualTo(1));
        }

        for (int i = 0; i < 50; i++)
        {
            using TextPeer refused = server.Connect();
            Assert.That(refused.Line(), Is.EqualTo("ERROR Too many open connections"));
            Assert.That(refused.Line(), Is.Null);
        }

        Assert.That(peers[0].Ask("version\r\n"), Has.Count.EqualTo(1), "those inside are served");
        peers[0].Dispose();
        Assert.That(() => Eventually(server), Throws.Nothing, "one place is free again");
        peers.ForEach(peer => peer.Dispose());
    }

    private static void Eventually(MemcachedPeer server)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (waited.Elapsed < TimeSpan.FromSeconds(5))
        {
            using TextPeer peer = server.Connect();
            try
            {
                if (peer.Ask("version\r\n") is [{ } line] && line.StartsWith("VERSION", StringComparison.Ordinal)) return;
            }
            catch (SocketException)
            {
                // Refused before it could ask.
            }
        }

        throw new TimeoutException();
    }

    [TestCase(false)]
    [TestCase(true)]
    public void AGetOfManyKeysIsAnsweredWhateverPiecesItComesIn(bool inPieces)
    {
        // Found by memcached's own suite: a line of 190 KB, of which the beginning had been looked at before.
        const int Keys = 18_725;
        using MemcachedPeer server = MemcachedPeer.Lend();
        using TextPeer peer = server.Connect();
        Assert.That(peer.Ask("set foobarbaz 0 0 2\r\nhi\r\n"), Is.EqualTo(["STORED"]));
        string request = $"get {string.Concat(Enumerable.Repeat("foobarbaz ", Keys))}\r\n";
        for (int at = 0; at < request.Length;)
        {
            int length = inPieces ? Math.Min(30_000, request.Length - at) : request.Length;
            long before = server.Lender.Statistics.BytesRead;
            peer.Send(request.Substring(at, length));
            at += length;
            if (at < request.Length)
                Assert.That(() => server.Lender.Statistics.BytesRead - before, Is.EqualTo(length).After(5000, 1));
        }

        for (int i = 0; i < Keys; i++) Assert.That((peer.Line(), peer.Line()), Is.EqualTo(("VALUE foobarbaz 0 2", "hi")));
        Assert.That(peer.Line(), Is.EqualTo("END"));
        Assert.That(peer.Ask("stats\r\n"), Has.Member("STAT lender_failures 0"));
    }

    /// <summary>Goal: what waits behind replies that were not read is done once, and half a command is not forgotten.
    /// Method: more replies than a socket takes are asked for in one piece that ends in the middle of a command.</summary>
    [Test]
    public void CommandsBehindUnreadRepliesAreDoneOnce([Values] bool unix, [Values(130, 400)] int gets)
    {
        using MemcachedPeer server = MemcachedPeer.Lend(unix);
        using TextPeer client = server.Connect();
        string value = new('v', 4096);
        Assert.That(client.Ask($"set page 0 0 4096\r\n{value}\r\nset n 0 0 1\r\n0\r\n"), Is.EqualTo(["STORED", "STORED"]));
        string asked = string.Concat(Enumerable.Range(0, gets).Select(i => $"mg page v O{i}\r\nincr n 1\r\n"));
        client.Send(asked + "incr n 1");
        for (int i = 0; i < gets; i++)
        {
            Assert.That(client.Line(), Is.EqualTo($"VA 4096 O{i}"));
            Assert.That(client.Line(), Is.EqualTo(value));
            Assert.That(client.Line(), Is.EqualTo($"{i + 1}"));
        }

        Assert.That(client.Ask("00\r\nget n\r\n"), Is.EqualTo([$"{gets + 100}", "VALUE n 0 3", $"{gets + 100}", "END"]));
    }

    [Test]
    public void AClientThatNeverReadsCostsNoMoreThanItsShare()
    {
        const long InFlight = 8 << 20;
        using MemcachedPeer server = MemcachedPeer.Lend(
            change: options => options with { InFlightBytesMax = InFlight, RequestTimeout = TimeSpan.FromSeconds(1) });
        using TextPeer good = server.Connect();
        Assert.That(good.Ask($"set big 0 0 500000\r\n{new string('b', 500_000)}\r\n"), Is.EqualTo(["STORED"]));
        List<TextPeer> bad = [];
        for (int i = 0; i < 10; i++)
        {
            TextPeer peer = server.Connect();
            peer.Socket.Blocking = false;
            byte[] request = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("get big big big\r\n", 200)));
            peer.Socket.Send(request, SocketFlags.None, out _);
            bad.Add(peer);
        }

        long most = 0;
        for (int i = 0; i < 20; i++)
        {
            Dictionary<string, string> stats = good.Ask("stats\r\n").Select(line => line.Split(' ', 3))
                .Where(words => words.Length == 3).ToDictionary(words => words[1], words => words[2]);
            most = Math.Max(most, long.Parse(stats["lender_in_flight_bytes"], CultureInfo.InvariantCulture));
        }

        Assert.That(most, Is.InRange(1, InFlight));
        Assert.That(() => server.Lender.Statistics.Connections, Is.EqualTo(1).After(10_000, 50), "they are closed");
        Assert.That(good.Ask("mg big s\r\n"), Is.EqualTo(["HD s500000"]));
        bad.ForEach(peer => peer.Dispose());
    }

    [Test]
    public void WhoDripsACommandIsClosedAndOthersAreServed()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(
            change: options => options with { RequestTimeout = TimeSpan.FromMilliseconds(600) });
        using TextPeer slow = server.Connect();
        using TextPeer good = server.Connect();
        slow.Send("set a 0 0 1000\r\n");
        Stopwatch waited = Stopwatch.StartNew();
        bool closed = false;
        while (!closed && waited.Elapsed < TimeSpan.FromSeconds(8))
        {
            Assert.That(good.Ask("version\r\n"), Has.Count.EqualTo(1));
            try
            {
                slow.Send("x");
                closed = slow.Socket.Poll(20_000, SelectMode.SelectRead) && slow.Socket.Available == 0;
            }
            catch (SocketException)
            {
                closed = true;
            }
        }

        Assert.That(closed, Is.True, "dripping is not progress");
    }

    [Test]
    public void SilentConnectionsAreClosedWhereAsked()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(
            change: options => options with { IdleTimeout = TimeSpan.FromMilliseconds(400) });
        using TextPeer silent = server.Connect();
        Assert.That(silent.Line(), Is.Null);
    }

    [Test]
    public void ALoginIsDemandedAndBoundedInTime()
    {
        string file = PathOf("users");
        File.WriteAllText(file, "ann:secret\nbob:other\n");
        using MemcachedPeer server = MemcachedPeer.Lend(
            change: options => options with { PasswordFile = file, HandshakeTimeout = TimeSpan.FromMilliseconds(700) });
        using TextPeer peer = server.Connect();
        peer.Send("get a\r\n");
        Assert.That(peer.Line(), Is.EqualTo("CLIENT_ERROR unauthenticated"));
        peer.Send("set auth 0 0 9\r\nann wrong\r\n");
        Assert.That(peer.Line(), Is.EqualTo("CLIENT_ERROR authentication failure"));
        peer.Send("set auth 0 0 10\r\nann secret\r\nset a 0 0 1\r\nx\r\n");
        Assert.That(peer.Line(), Is.EqualTo("STORED"));
        Assert.That(peer.Line(), Is.EqualTo("STORED"));
        using TextPeer stranger = server.Connect();
        Assert.That(stranger.Line(), Is.Null, "who does not log in is closed");
        Assert.That(peer.Ask("get a\r\n"), Has.Count.EqualTo(3), "who has logged in stays");
    }

    [Test]
    public void BorrowersWithAQuotaShareNeitherKeysNorRoom()
    {
        string file = PathOf("users");
        File.WriteAllText(file, "ann:1\nbob:2\n");
        using MemcachedPeer server = MemcachedPeer.Lend(
            change: options => options with { PasswordFile = file }, quotas: [new TenantQuota("user:ann", 8 << 20)]);
        using TextPeer ann = server.Connect();
        using TextPeer bob = server.Connect();
        ann.Send("set auth 0 0 5\r\nann 1\r\n");
        bob.Send("set auth 0 0 5\r\nbob 2\r\n");
        Assert.That((ann.Line(), bob.Line()), Is.EqualTo(("STORED", "STORED")));
        Assert.That(bob.Ask("set a 0 0 3\r\nbob\r\n"), Is.EqualTo(["STORED"]));
        Assert.That(ann.Ask("get a\r\n"), Is.EqualTo(["END"]));
        string value = new('x', 100_000);
        for (int i = 0; i < 300; i++) Assert.That(ann.Ask($"set k{i} 0 0 100000\r\n{value}\r\n"), Is.EqualTo(["STORED"]));
        Assert.That(bob.Ask("get a\r\n"), Is.EqualTo(["VALUE a 0 3", "bob", "END"]), "ann evicts nobody but herself");
        long annBytes = server.Lender.Statistics.LentBytes;
        Assert.That(annBytes, Is.LessThan(8 << 20));
    }

    [Test]
    public void AUnixSocketKnowsItsPeer()
    {
        if (!OperatingSystem.IsLinux()) Assert.Ignore("peer credentials are of Linux");
        string me = $"uid:{OwnUser()}";
        using MemcachedPeer server = MemcachedPeer.Lend(unix: true, quotas: [new TenantQuota(me, 8 << 20)]);
        using TextPeer peer = server.Connect();
        Assert.That(peer.Ask("stats\r\n"), Has.Member($"STAT limit_maxbytes {8 << 20}"));
    }

    [Test]
    public void APublicAddressNeedsALoginOrPermission()
    {
        ServerOptions open = new() { Listen = [ListenAddress.Parse("0.0.0.0:0")], Threads = 1 };
        Assert.That(
            () => new Lender(new LenderOptions { MemoryBytes = 32 << 20, Server = open }),
            Throws.ArgumentException.With.Message.Contains("nobody has to log in"));
        using Lender allowed = new(new LenderOptions { MemoryBytes = 32 << 20, Server = open with { AllowPublic = true } });
        Assert.That(allowed.Addresses, Is.Empty, "nothing is served before the start");
    }

    [Test]
    public async Task TlsCarriesTheSameConversation()
    {
        using X509Certificate2 certificate = SelfSigned();
        using MemcachedPeer server = MemcachedPeer.Lend(change: options => options with
        {
            Listen = [ListenAddress.Parse("tls:127.0.0.1:0")],
            Tls = new SslServerAuthenticationOptions { ServerCertificate = certificate },
        });
        using TcpClient client = new();
        await client.ConnectAsync((System.Net.IPEndPoint)server.EndPoint);
        using SslStream stream = new(client.GetStream(), false, (_, shown, _, _) => shown is not null && shown.GetCertHashString() == certificate.GetCertHashString());
        await stream.AuthenticateAsClientAsync("lender");
        string value = new('v', 200_000);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"set a 0 0 {value.Length}\r\n{value}\r\nget a\r\n"));
        string expected = $"STORED\r\nVALUE a 0 {value.Length}\r\n{value}\r\nEND\r\n";
        byte[] answer = new byte[expected.Length];
        using CancellationTokenSource late = new(TimeSpan.FromSeconds(20));
        await stream.ReadExactlyAsync(answer, late.Token);
        Assert.That(Encoding.ASCII.GetString(answer), Is.EqualTo(expected));
        using TextPeer plain = server.Connect();
        plain.Send("get a\r\n");
        plain.Socket.Shutdown(SocketShutdown.Send);
        Assert.That(plain.Line(), Does.Not.StartWith("END"), "who speaks no TLS is not served");
    }

    [Test]
    public async Task AStopFinishesWhatIsUnderWay()
    {
        using MemcachedPeer server = MemcachedPeer.Lend();
        using TextPeer peer = server.Connect();
        using TextPeer idle = server.Connect();
        Assert.That(idle.Ask("version\r\n"), Has.Count.EqualTo(1));
        peer.Send("set a 0 0 5\r\nab");
        Assert.That(() => server.Lender.Statistics.BytesRead, Is.GreaterThanOrEqualTo(14 + 13).After(2000, 10));
        Task stop = server.Lender.StopAsync();
        Assert.That(idle.Line(), Is.Null, "who is idle is closed at once");
        peer.Send("cde\r\n");
        Assert.That(peer.Line(), Is.EqualTo("STORED"));
        await stop.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.That(peer.Line(), Is.Null);
    }

    [Test]
    public void ManyThreadsAndConnectionsAgree()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(change: options => options with { Threads = 3 });
        using (TextPeer first = server.Connect()) first.Ask("set n 0 0 1\r\n0\r\n");
        Thread[] threads = [.. Enumerable.Range(0, 8).Select(number => new Thread(() =>
        {
            using TextPeer peer = server.Connect();
            for (int i = 0; i < 50; i++) peer.Ask(string.Concat(Enumerable.Repeat("incr n 1\r\n", 10)));
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        using TextPeer last = server.Connect();
        Assert.That(last.Ask("get n\r\n")[1], Is.EqualTo("4000"));
    }

    [TestCase("unix:/run/x", ExpectedResult = "unix:/run/x")]
    [TestCase("127.0.0.1:5", ExpectedResult = "127.0.0.1:5")]
    [TestCase("127.0.0.1", ExpectedResult = "127.0.0.1:11211")]
    [TestCase("localhost:7", ExpectedResult = "127.0.0.1:7")]
    [TestCase("[::1]:7", ExpectedResult = "[::1]:7")]
    [TestCase("::1", ExpectedResult = "[::1]:11211")]
    [TestCase("tls:0.0.0.0:7", ExpectedResult = "tls:0.0.0.0:7")]
    public string AnAddressIsReadAndWritten(string text) => ListenAddress.Parse(text).ToString();

    [TestCase("unix:")]
    [TestCase("example.org:5")]
    [TestCase("127.0.0.1:70000")]
    [TestCase("127.0.0.1:x")]
    public void AWrongAddressIsRefused(string text) =>
        Assert.That(() => ListenAddress.Parse(text), Throws.TypeOf<FormatException>().With.Message.Contains(text));

    private static uint OwnUser()
    {
        string line = File.ReadLines("/proc/self/status").First(each => each.StartsWith("Uid:", StringComparison.Ordinal));
        return uint.Parse(line.Split('\t')[2], CultureInfo.InvariantCulture);
    }

    private static X509Certificate2 SelfSigned()
    {
        using RSA key = RSA.Create(2048);
        CertificateRequest request = new("CN=lender", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using X509Certificate2 made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
    }
}
