// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace PerfCache.Benchmarks;

/// <summary>A server in a process of its own.</summary>
internal sealed class LenderPeer : IDisposable
{
    private const string KestrelProject = "PerfCache.KestrelLender";

    private readonly Process? _process;

    private LenderPeer(string program, IEnumerable<string> arguments, EndPoint endPoint)
    {
        EndPoint = endPoint;
        ProcessStartInfo start = new(program) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in arguments) start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        Await();
    }

    private LenderPeer(EndPoint endPoint) => EndPoint = endPoint;

    public EndPoint EndPoint { get; }

    /// <summary>One that somebody else has started.</summary>
    public static LenderPeer Running(EndPoint endPoint) => new(endPoint);

    public static LenderPeer Memcached(string transport, string folder)
    {
        (EndPoint endPoint, string[] address) = Address(transport, Path.Combine(folder, "memcached"));
        string[] user = Environment.UserName == "root" ? ["-u", "root"] : [];
        return new LenderPeer("memcached", ["-m", "1024", "-t", "1", "-U", "0", "-c", "4096", .. user, .. address], endPoint);
    }

    /// <summary>The lender's sessions behind Kestrel's connections, which a project of its own is built from.</summary>
    public static LenderPeer Kestrel(string transport, string folder, bool inline, int mebibytes = 1024)
    {
        (EndPoint endPoint, _) = Address(transport, Path.Combine(folder, "kestrel"));
        string program = Path.Combine(
            AppContext.BaseDirectory.Replace("PerfCache.Benchmarks", KestrelProject, StringComparison.Ordinal),
            KestrelProject + ".dll");
        if (!File.Exists(program)) throw new IOException($"{program} is not there; build bench/{KestrelProject} first");
        string address = endPoint is IPEndPoint tcp
            ? string.Create(CultureInfo.InvariantCulture, $"port:{tcp.Port}") : $"unix:{endPoint}";
        string[] scheduling = inline ? ["inline"] : [];
        return new LenderPeer(
            "dotnet", [program, mebibytes.ToString(CultureInfo.InvariantCulture), address, .. scheduling], endPoint);
    }

    public static LenderPeer Lender(string transport, string folder, int spin, int mebibytes = 1024)
    {
        (EndPoint endPoint, string[] address) = Address(transport, Path.Combine(folder, "lender"));
        string program = Path.Combine(AppContext.BaseDirectory, "perfcache.dll");
        return new LenderPeer(
            "dotnet",
            [program, "lend", "-m", mebibytes.ToString(CultureInfo.InvariantCulture), "-t", "1", "-c", "4096",
                "--ignore-pressure", "--spin-us", spin.ToString(CultureInfo.InvariantCulture), .. address],
            endPoint);
    }

    public void Dispose()
    {
        _process?.Kill();
        _process?.WaitForExit();
        _process?.Dispose();
    }

    private static (EndPoint, string[]) Address(string transport, string path)
    {
        if (transport == "unix") return (new UnixDomainSocketEndPoint(path), ["-s", path]);
        using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)probe.LocalEndPoint!).Port;
        return (new IPEndPoint(IPAddress.Loopback, port),
            ["-l", "127.0.0.1", "-p", port.ToString(CultureInfo.InvariantCulture)]);
    }

    private void Await()
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using Socket socket = LenderLoad.Connect(EndPoint);
                return;
            }
            catch (SocketException) when (waited.Elapsed < TimeSpan.FromSeconds(20) && !_process!.HasExited)
            {
                Thread.Sleep(20);
            }
        }
    }
}
