// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using PerfCache.Memory;
using PerfCache.Remote;
using PerfCache.Remote.Lending;
using PerfCache.Remote.Server;

namespace PerfCache.Tests.Remote;

/// <summary>A server to speak with: the system's memcached, or a lender, by TCP or by a Unix socket.</summary>
internal sealed class MemcachedPeer : IDisposable
{
    private readonly Process? _process;
    private readonly Lender? _lender;
    private readonly string? _folder;
    private readonly MemoryMeter? _meter;

    private MemcachedPeer(Process process, EndPoint endPoint) => (_process, EndPoint) = (process, endPoint);

    private MemcachedPeer(Lender lender, string? folder, MemoryMeter meter)
    {
        _lender = lender;
        _folder = folder;
        _meter = meter;
        EndPoint = lender.Addresses[0].EndPoint;
    }

    internal EndPoint EndPoint { get; }

    internal Lender Lender => _lender!;

    /// <summary>The system's memcached; the test is skipped where there is none.</summary>
    internal static MemcachedPeer Memcached()
    {
        using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var endPoint = (IPEndPoint)probe.LocalEndPoint!;
        probe.Dispose();
        ProcessStartInfo start = new("memcached") { RedirectStandardError = true };
        string port = endPoint.Port.ToString(CultureInfo.InvariantCulture);
        foreach (string argument in new[] { "-m", "64", "-t", "1", "-U", "0", "-l", "127.0.0.1", "-p", port })
            start.ArgumentList.Add(argument);
        if (Environment.UserName == "root")
        {
            start.ArgumentList.Add("-u");
            start.ArgumentList.Add("root");
        }

        try
        {
            MemcachedPeer peer = new(Process.Start(start)!, endPoint);
            peer.Await();
            return peer;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore("there is no memcached here: apt-get install memcached");
            throw;
        }
    }

    /// <summary>A lender in this process.</summary>
    internal static MemcachedPeer Lend(
        bool unix = false, Func<ServerOptions, ServerOptions>? change = null, LendingOptions? lending = null,
        long memoryBytes = 32 << 20, IReadOnlyList<TenantQuota>? quotas = null)
    {
        string? folder = unix ? Directory.CreateTempSubdirectory("perfcache-").FullName : null;
        ServerOptions server = new()
        {
            Listen = [ListenAddress.Parse(folder is null ? "127.0.0.1:0" : $"unix:{folder}/lender")],
            Threads = 1,
        };
        MemoryMeter meter = new();
        LenderOptions options = new()
        {
            MemoryBytes = memoryBytes,
            Server = change?.Invoke(server) ?? server,
            Lending = lending ?? new LendingOptions { WatchesPressure = false },
            Quotas = quotas ?? [],
        };
        Lender lender = new(options, meter);
        lender.StartAsync().GetAwaiter().GetResult();
        return new MemcachedPeer(lender, folder, meter);
    }

    internal TextPeer Connect() => new(EndPoint);

    public void Dispose()
    {
        if (_process is not null)
        {
            _process.Kill();
            _process.WaitForExit();
            _process.Dispose();
        }

        _lender?.Dispose();
        if (_folder is not null) Directory.Delete(_folder, recursive: true);
        if (_meter is not null) Assert.That(_meter.OutstandingBytes, Is.Zero, "the lender gives all memory back");
    }

    private void Await()
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using TextPeer peer = Connect();
                return;
            }
            catch (SocketException) when (waited.Elapsed < TimeSpan.FromSeconds(10))
            {
                Task.Delay(10).Wait();
            }
        }
    }
}
