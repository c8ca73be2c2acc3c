// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace PerfCache.Tests.Remote;

/// <summary><c>perfcache lend</c> as a process in a memory control group, and a borrower with values of a page.</summary>
internal sealed class LentProcess : IDisposable
{
    private const int Batch = 64;
    private const int ValueBytes = 4096;
    private const int HitBytes = 9 + ValueBytes + 2;

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
    {
        ReceiveTimeout = 30_000,
        SendTimeout = 30_000,
    };

    private readonly byte[] _incoming = new byte[Batch * HitBytes + 16];
    private readonly TextPeer _asker;

    internal LentProcess(MemoryGroup group, string folder, int mebibytes, params string[] options)
    {
        UnixDomainSocketEndPoint path = new(Path.Combine(folder, "lender"));
        string program = Path.Combine(AppContext.BaseDirectory, "perfcache.dll");
        string memory = mebibytes.ToString(CultureInfo.InvariantCulture);
        Process process = group.Start(
            Environment.ProcessPath is { } host && Path.GetFileName(host) == "dotnet" ? host : "dotnet",
            [program, "lend", "-m", memory, "-t", "1", "-s", path.ToString(), .. options]);
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                _socket.Connect(path);
                break;
            }
            catch (SocketException) when (waited.Elapsed < TimeSpan.FromSeconds(30) && !process.HasExited)
            {
                Task.Delay(20).Wait();
            }
        }

        _asker = new TextPeer(path);
    }

    /// <summary>A number of <c>stats</c>.</summary>
    internal long Stat(string name)
    {
        string start = $"STAT {name} ";
        string line = _asker.Ask("stats\r\n").First(each => each.StartsWith(start, StringComparison.Ordinal));
        return long.Parse(line[start.Length..], CultureInfo.InvariantCulture);
    }

    /// <summary>Stores values, and waits until the system has been told that it may have their pages.</summary>
    internal void Fill(int items)
    {
        string value = new('x', ValueBytes);
        long marked = Stat("lender_frames_marked");
        for (int from = 0; from < items; from += Batch)
        {
            Send(string.Concat(Enumerable.Range(from, Batch).Select(key => $"ms k{key} {ValueBytes} q\r\n{value}\r\n")));
            Assert.That(Receive(), Is.EqualTo(4), "no store is refused");
        }

        Assert.That(() => Stat("lender_frames_marked") - marked, Is.GreaterThanOrEqualTo(items).After(10_000, 20));
    }

    /// <summary>Reads all values.</summary>
    /// <returns>How many are still there.</returns>
    internal int Hits(int items)
    {
        int hits = 0;
        for (int from = 0; from < items; from += Batch)
        {
            Send(string.Concat(Enumerable.Range(from, Batch).Select(key => $"mg k{key} v q\r\n")));
            hits += (Receive() - 4) / HitBytes;
        }

        return hits;
    }

    public void Dispose()
    {
        _asker.Dispose();
        _socket.Dispose();
    }

    // Quiet commands answer only what is worth it; this one always answers, so it ends the batch.
    private void Send(string commands) => _socket.Send(Encoding.ASCII.GetBytes(commands + "mn\r\n"));

    private int Receive()
    {
        int received = 0;
        while (received < 4 || !_incoming.AsSpan(0, received).EndsWith("MN\r\n"u8))
        {
            int more = _socket.Receive(_incoming.AsSpan(received));
            if (more == 0) throw new IOException("the lender has closed the connection");
            received += more;
        }

        return received;
    }
}
