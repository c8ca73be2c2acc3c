// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace PerfCache.Cli.PumaReal;

/// <summary><c>perfcache lend</c> in a control group with its owner's programs, and what it tells of itself.</summary>
internal sealed class RealLender : IDisposable
{
    private const double PatienceSeconds = 30;

    private readonly RealProcess _process;
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
    {
        ReceiveTimeout = 10_000,
        SendTimeout = 10_000,
    };

    private readonly byte[] _answer = new byte[64 * 1024];

    private RealLender(RealProcess process, string address) => (_process, Address) = (process, address);

    /// <summary>Where borrowers find it.</summary>
    public string Address { get; }

    /// <summary>Starts it and waits until it listens.</summary>
    /// <param name="group">The lender's memory.</param>
    /// <param name="folder">For its socket.</param>
    /// <param name="mebibytes">What it lends at most.</param>
    /// <param name="detects">Whether it watches its owner's memory.</param>
    public static RealLender Start(ControlGroup group, string folder, int mebibytes, bool detects)
    {
        string path = Path.Combine(folder, "lender");
        File.Delete(path);
        RealProcess process = RealProcess.Start(
            group, ["lend", "-m", mebibytes.ToString(CultureInfo.InvariantCulture), "-t", "1", "-s", path, .. Watching(detects)]);
        RealLender lender = new(process, "unix:" + path);
        long begun = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                lender._socket.Connect(new UnixDomainSocketEndPoint(path));
                return lender;
            }
            catch (SocketException failure)
            {
                bool goesOn = !process.HasExited
                    && Stopwatch.GetElapsedTime(begun).TotalSeconds < PatienceSeconds;
                if (!goesOn)
                {
                    lender.Dispose();
                    throw new IOException($"puma-real: the lender does not listen: {failure.Message} {process.Error}");
                }

                Thread.Sleep(20);
            }
        }
    }

    /// <summary>A number of <c>stats</c>.</summary>
    public long Stat(string name)
    {
        _socket.Send("stats\r\nmn\r\n"u8);
        int received = 0;
        while (!_answer.AsSpan(0, received).EndsWith("MN\r\n"u8))
        {
            int more = received < _answer.Length ? _socket.Receive(_answer.AsSpan(received)) : 0;
            if (more == 0) throw new IOException("puma-real: the lender has closed the connection");
            received += more;
        }

        string start = $"STAT {name} ";
        foreach (string line in Encoding.ASCII.GetString(_answer, 0, received).Split("\r\n"))
            if (line.StartsWith(start, StringComparison.Ordinal)) return long.Parse(line.AsSpan(start.Length), CultureInfo.InvariantCulture);
        throw new IOException($"puma-real: the lender tells nothing of {name}");
    }

    /// <summary>Waits until the system knows of all pages that it may take, and lending is not suspended.</summary>
    public async Task SettleAsync(CancellationToken cancellation)
    {
        long begun = Stopwatch.GetTimestamp();
        long marked;
        do
        {
            marked = Stat("lender_frames_marked");
            await Task.Delay(150, cancellation).ConfigureAwait(false);
        }
        while ((Stat("lender_frames_marked") != marked || Stat("lender_suspended") != 0)
            && Stopwatch.GetElapsedTime(begun).TotalSeconds < PatienceSeconds);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        _process.Dispose();
    }

    private static string[] Watching(bool detects) => detects ? ["--keep-available", "0"] : ["--ignore-pressure"];
}
