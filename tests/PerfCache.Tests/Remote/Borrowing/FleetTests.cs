// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using PerfCache.Cli.Borrow;
using PerfCache.Remote.Borrowing;
using PerfCache.Remote.Server;

namespace PerfCache.Tests.Remote.Borrowing;

/// <summary>
/// Goal: pages that were stored come back whole, from stock memcached and from a lender, over each transport, and a get
/// never outlasts its deadline. Method: real servers, contents that say what they are, every byte looked at.
/// </summary>
internal sealed class FleetTests : FolderFixture
{
    [Test]
    public async Task PagesComeBackFromAnyNumberOfServers(
        [Values("memcached", "lender")] string kind, [Values(1, 2, 5)] int count, [Values] bool throughProxy)
    {
        MemcachedPeer[] servers = [.. Enumerable.Range(0, count).Select(
            number => kind == "memcached" ? MemcachedPeer.Memcached() : MemcachedPeer.Lend(unix: number % 2 == 0))];
        FaultyProxy[] proxies = throughProxy
            ? [.. servers.Select((server, seed) => new FaultyProxy(server.EndPoint, seed))] : [];
        string[] addresses = throughProxy
            ? [.. proxies.Select(proxy => proxy.Address)] : [.. servers.Select(server => FleetRig.TextOf(server.EndPoint))];
        BorrowLoad load = new(FleetRig.Options(addresses), FleetRig.Load() with { Deadline = TimeSpan.FromSeconds(3) });
        await using (load)
        {
            await FleetRig.AllUp(load.Fleet);
            load.Fill(CancellationToken.None);
            Assert.That(load.Counts.Stored, Is.EqualTo(400));
            await FleetRig.RunAsync(load, TimeSpan.FromMilliseconds(120));
            Assert.That(load.Counts.Wrong, Is.Zero);
            Assert.That(load.Counts.Missing + load.Counts.NoAnswer, Is.Zero, "nothing was lost");
            Assert.That(load.Counts.Verified, Is.GreaterThan(100));
            Assert.That(load.Servers.Select(server => server.Stored), Has.All.GreaterThan(400 / count / 2), "all share");
            Assert.That(load.Servers.Select(server => server.OutOfStep), Has.All.Zero);
            Assert.That(load.Fleet.Validate, Throws.Nothing);
        }

        foreach (FaultyProxy proxy in proxies) await proxy.DisposeAsync();
        foreach (MemcachedPeer server in servers) server.Dispose();
    }

    [Test]
    public async Task AnAwaitedCallGetsTheSameAsAWaitingOne()
    {
        using MemcachedPeer first = MemcachedPeer.Lend(unix: true);
        using MemcachedPeer second = MemcachedPeer.Lend();
        CountingListener listener = new();
        await using PageFleet fleet = new(
            FleetRig.Options(FleetRig.TextOf(first.EndPoint), FleetRig.TextOf(second.EndPoint)), listener);
        await FleetRig.AllUp(fleet);
        SeededPage contents = new(3, 4096);
        byte[] page = new byte[4096];
        for (ulong i = 0; i < 300; i++)
        {
            contents.Fill(page, i, 1);
            await FleetRig.Put(fleet, new RemotePageKey(1, i, 1), fleet.ServerOf(1, i), page);
        }

        await FleetRig.Eventually(() => listener.Stored == 300, "all are stored");
        // Many calls at once, each longer than a connection's window.
        Task<FleetGet[]>[] calls = [.. Enumerable.Range(0, 12).Select(async _ =>
        {
            FleetGet[] gets = [.. Enumerable.Range(0, 300).Select(i => new FleetGet
            {
                Key = new RemotePageKey(1, (ulong)i, 1),
                Server = fleet.ServerOf(1, (ulong)i),
                Destination = new byte[4096],
            })];
            await fleet.GetAsync(gets, TimeSpan.FromSeconds(8));
            return gets;
        })];
        foreach (FleetGet[] gets in await Task.WhenAll(calls))
        {
            Assert.That(gets.Select(get => get.Outcome), Has.All.EqualTo(FleetOutcome.Found), FleetRig.Describe(fleet));
            for (int i = 0; i < gets.Length; i++) Assert.That(contents.IsRight(gets[i].Destination.Span, (ulong)i, 1), Is.True);
        }

        Assert.That(fleet.Validate, Throws.Nothing);
    }

    [Test]
    public async Task AVersionIsFoundUnderItsOwnNameOnly()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(unix: true);
        CountingListener listener = new();
        await using PageFleet fleet = new(FleetRig.Options(FleetRig.TextOf(server.EndPoint)), listener);
        await FleetRig.AllUp(fleet);
        byte[] page = [.. Enumerable.Repeat((byte)9, 4096)];
        await FleetRig.Put(fleet, new RemotePageKey(1, 2, 3), 0, page);
        await FleetRig.Put(fleet, new RemotePageKey(1, 3, 3), 0, page[..100]);
        await FleetRig.Eventually(() => listener.Stored == 2, "stored");
        Assert.That(FleetRig.Get(fleet, new RemotePageKey(1, 2, 3), 0), Is.EqualTo((FleetOutcome.Found, page)));
        Assert.That(FleetRig.Get(fleet, new RemotePageKey(1, 3, 3), 0, 100), Is.EqualTo((FleetOutcome.Found, page[..100])));
        Assert.That(FleetRig.Get(fleet, new RemotePageKey(1, 2, 4), 0).Outcome, Is.EqualTo(FleetOutcome.Missing));
        Assert.That(FleetRig.Get(fleet, new RemotePageKey(2, 2, 3), 0).Outcome, Is.EqualTo(FleetOutcome.Missing));
        Assert.That(FleetRig.Get(fleet, new RemotePageKey(1, 3, 3), 0, 101).Outcome, Is.EqualTo(FleetOutcome.Missing), "length");
        Assert.That(FleetRig.Get(fleet, new RemotePageKey(1, 2, 3), -1).Outcome, Is.EqualTo(FleetOutcome.NoAnswer));
        await using (PageFleet other = new(FleetRig.Options(FleetRig.TextOf(server.EndPoint)), listener))
        {
            await FleetRig.AllUp(other);
            Assert.That(
                FleetRig.Get(other, new RemotePageKey(1, 2, 3), 0).Outcome, Is.EqualTo(FleetOutcome.Missing),
                "another borrower's pages are not there");
        }

        fleet.Forget(new RemotePageKey(1, 2, 3), 0);
        await FleetRig.Eventually(
            () => FleetRig.Get(fleet, new RemotePageKey(1, 2, 3), 0).Outcome == FleetOutcome.Missing, "it is forgotten");
        Assert.That(() => fleet.TryPut(default, 0, new byte[4097]), Throws.InstanceOf<ArgumentException>());
    }

    [Test]
    public async Task ServersWithALoginAndWithTlsAreServersToo()
    {
        string users = PathOf("users");
        await File.WriteAllTextAsync(users, "ann:secret\n");
        using RSA rsa = RSA.Create(2048);
        CertificateRequest request = new("CN=lender", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using X509Certificate2 made = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
        using MemcachedPeer server = MemcachedPeer.Lend(change: options => options with
        {
            Listen = [ListenAddress.Parse("tls:127.0.0.1:0")],
            Tls = new SslServerAuthenticationOptions { ServerCertificate = certificate },
            PasswordFile = users,
        });
        FleetOptions options = FleetRig.Options($"tls:ann:secret@{server.EndPoint}") with
        {
            Tls = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback =
                    (_, shown, _, _) => shown?.GetCertHashString() == certificate.GetCertHashString(),
            },
        };
        BorrowLoad load = new(options, FleetRig.Load(pages: 100) with { Deadline = TimeSpan.FromSeconds(3) });
        await using (load)
        {
            await FleetRig.AllUp(load.Fleet);
            load.Fill(CancellationToken.None);
            await FleetRig.RunAsync(load, TimeSpan.FromMilliseconds(200));
            Assert.That((load.Counts.Wrong, load.Counts.Missing), Is.EqualTo((0, 0)));
            Assert.That(load.Counts.Verified, Is.GreaterThan(30));
        }

        CountingListener listener = new();
        await using PageFleet wrong = new(
            options with { Servers = [ServerAddress.Parse($"tls:ann:guess@{server.EndPoint}")] }, listener);
        await FleetRig.Eventually(() => wrong.StatisticsOf(0).LastFailure.Contains("login of 'ann' refused"), "refused");
        await using PageFleet untrusted = new(options with { Tls = null }, listener);
        await FleetRig.Eventually(() => untrusted.StatisticsOf(0).LastFailure.Contains("TLS"), "not trusted");
        Assert.That(untrusted.ServerOf(1, 1), Is.EqualTo(-1));
    }

    [Test]
    public async Task NothingIsAllocatedForAPage()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(unix: true);
        CountingListener listener = new();
        await using PageFleet fleet = new(FleetRig.Options(FleetRig.TextOf(server.EndPoint)), listener);
        await FleetRig.AllUp(fleet);
        byte[] page = new byte[4096];
        FleetGet[] gets = [.. Enumerable.Range(0, 32).Select(i => new FleetGet
        {
            Key = new RemotePageKey(1, (ulong)i, 1), Destination = new byte[4096],
        })];

        long Round(out int found)
        {
            found = 0;
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 32; i++) fleet.TryPut(gets[i].Key, fleet.ServerOf(1, (ulong)i), page);
            fleet.Get(gets, TimeSpan.FromSeconds(5));
            foreach (ref FleetGet get in gets.AsSpan())
            {
                if (get.Outcome == FleetOutcome.Found) found++;
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        // The first rounds make room, and are compiled.
        for (int i = 0; i < 50; i++) Round(out _);
        await FleetRig.Eventually(() => fleet.StatisticsOf(0).SendBuffersUsed == 0, "all is stored");
        long allocated = 0;
        int all = 0;
        for (int i = 0; i < 20; i++)
        {
            allocated += Round(out int found);
            all += found;
        }

        Assert.That(all, Is.EqualTo(20 * 32));
        Assert.That(allocated, Is.Zero);
    }

    [Test]
    public async Task MetricsAreReportedForEachServer()
    {
        using MemcachedPeer server = MemcachedPeer.Lend(unix: true);
        CountingListener listener = new();
        FleetOptions options = FleetRig.Options(FleetRig.TextOf(server.EndPoint)) with { Name = "metrics test" };
        await using PageFleet fleet = new(options, listener);
        await FleetRig.AllUp(fleet);
        await FleetRig.Put(fleet, new RemotePageKey(1, 1, 1), 0, new byte[4096]);
        await FleetRig.Eventually(() => listener.Stored == 1, "stored");
        FleetRig.Get(fleet, new RemotePageKey(1, 1, 1), 0);
        Dictionary<string, double> values = [];
        using MeterListener meter = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == FleetMetrics.MeterName) self.EnableMeasurementEvents(instrument);
            },
        };
        void Note<TValue>(Instrument instrument, TValue value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
            where TValue : struct
        {
            if (tags[0].Value as string != "metrics test") return;
            Assert.That(tags[1].Value, Is.EqualTo(options.Servers[0].ToString()));
            values[instrument.Name + (tags.Length > 2 ? "/" + tags[2].Value : "")] = Convert.ToDouble(value, null);
        }

        meter.SetMeasurementEventCallback<long>(Note);
        meter.SetMeasurementEventCallback<double>(Note);
        meter.Start();
        meter.RecordObservableInstruments();
        Assert.That(values["fleet.gets/found"], Is.EqualTo(1));
        Assert.That(values["fleet.puts/stored"], Is.EqualTo(1));
        Assert.That(values["fleet.in_service"], Is.EqualTo(1));
        Assert.That(values["fleet.connects"], Is.EqualTo(1));
        Assert.That(values, Has.Count.EqualTo(18));
    }

    [Test]
    public void OptionsThatMakeNoSenseAreRefused()
    {
        CountingListener listener = new();
        FleetOptions good = FleetRig.Options("127.0.0.1:1");
        Assert.That(() => new PageFleet(good with { Servers = [] }, listener), Throws.ArgumentException);
        Assert.That(() => new PageFleet(good with { SendBuffers = 0 }, listener), Throws.ArgumentException);
        Assert.That(
            () => new PageFleet(good with { DeadlineMax = TimeSpan.FromMicroseconds(1) }, listener),
            Throws.ArgumentException.With.Message.Contains("DeadlineMax is 00:00:00.0000010"));
    }

    [Test]
    public async Task NobodyThereMeansNoServiceAndNoWaiting()
    {
        CountingListener listener = new();
        await using PageFleet fleet = new(FleetRig.Options($"unix:{PathOf("nobody")}"), listener);
        await FleetRig.Eventually(() => fleet.StatisticsOf(0).ConnectFailures >= 2, "it is tried again");
        Stopwatch took = Stopwatch.StartNew();
        Assert.That(fleet.ServerOf(1, 1), Is.EqualTo(-1));
        Assert.That(fleet.TryPut(default, 0, new byte[10]), Is.False);
        Assert.That(FleetRig.Get(fleet, default, 0).Outcome, Is.EqualTo(FleetOutcome.NoAnswer));
        Assert.That(took.ElapsedMilliseconds, Is.LessThan(2000), "although the deadline was five seconds");
        Assert.That(listener.Lost, Is.Zero, "there was nothing to lose");
    }
}
