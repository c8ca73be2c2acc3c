// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace PerfCache.Benchmarks;

/// <summary>
/// Question: is a lender as fast as stock memcached, one connection at a time? Both serve in processes of their own with
/// one thread, are filled with the same values, and are asked in turns, so that what else the machine does hits both.
/// </summary>
internal static class LenderBench
{
    private const int Keys = 16_384;
    private const int WarmMillis = 1500;
    private static readonly int[] s_depths = [1, 16, 64];
    private static readonly string[] s_options =
    [
        "--transport", "--verb", "--depth", "--pairs", "--millis", "--value", "--spin-us", "--idle", "--against",
    ];

    internal const string Usage =
        "lender [--transport tcp|unix] [--verb get|set] [--depth N] [--pairs N] [--millis N] [--value BYTES] "
        + "[--spin-us N] [--idle N] [--against memcached|kestrel|kestrel-inline|HOST:PORT]: memcached must be in the path, "
        + "bench/PerfCache.KestrelLender be built, or the server run already";

    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        bool isKnown = args.Length % 2 == 0 && args.Where((_, i) => i % 2 == 0).All(s_options.Contains);
        int pairs = Option(args, "--pairs", 5);
        int millis = Option(args, "--millis", 400);
        int valueBytes = Option(args, "--value", 4096);
        int spin = Option(args, "--spin-us", 0);
        int idle = Option(args, "--idle", 0);
        int at = Array.IndexOf(args, "--against");
        string against = at < 0 ? "memcached" : at + 1 < args.Length ? args[at + 1] : "";
        bool isRival = against is "memcached" or "kestrel" or "kestrel-inline" || IPEndPoint.TryParse(against, out _);
        string[] transports = Choice(args, "--transport", ["tcp", "unix"]);
        string[] verbs = Choice(args, "--verb", ["get", "set"]);
        int only = Option(args, "--depth", 0);
        int[] depths = only == 0 ? s_depths : [only];
        bool inRange = only is >= 0 and <= 1024 && pairs >= 1 && millis >= 1 && valueBytes >= 1 && spin >= 0 && idle >= 0;
        if (!isKnown || !isRival || !inRange || transports.Length == 0 || verbs.Length == 0)
        {
            error.WriteLine($"usage: {Usage}");
            return 2;
        }

        string folder = Directory.CreateTempSubdirectory("perfcache-lender-").FullName;
        try
        {
            List<double> deep = [];
            output.WriteLine(
                $"{valueBytes} bytes, {Keys} keys, 1 connection{(idle > 0 ? $", {idle} mostly idle ones" : "")}, "
                + $"median of {pairs} pairs of {millis} ms, lender spins {spin} us");
            output.WriteLine($"against {against}");
            output.WriteLine("transport  verb  depth      rival/s  lender/s  ratio   p99 us  p99 us  ratio");
            foreach (string transport in transports)
            {
                using LenderPeer rival = Rival(against, transport, folder);
                using LenderPeer lender = LenderPeer.Lender(transport, folder, spin);
                using IdleConnections idlers = new(idle, rival.EndPoint, lender.EndPoint);
                Warm(rival, valueBytes);
                Warm(lender, valueBytes);
                foreach (string verb in verbs)
                {
                    foreach (int depth in depths)
                    {
                        double ratio = Cell(output, rival, lender, transport, verb, depth, pairs, millis, valueBytes);
                        if (depth > 1) deep.Add(ratio);
                    }
                }
            }

            if (deep.Count == 0) return 0;
            double mean = Math.Exp(deep.Average(Math.Log));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"geometric mean of depths 16 and 64: {mean:F2}"));
            return 0;
        }
        catch (Exception failure) when (failure is SocketException or IOException or System.ComponentModel.Win32Exception)
        {
            error.WriteLine($"lender: {failure.Message}");
            return 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static LenderPeer Rival(string against, string transport, string folder) => against switch
    {
        "memcached" => LenderPeer.Memcached(transport, folder),
        "kestrel" or "kestrel-inline" => LenderPeer.Kestrel(transport, folder, inline: against != "kestrel"),
        _ => LenderPeer.Running(IPEndPoint.Parse(against)),
    };

    // The lender's code is compiled while it runs; what it does in the first second is not what it does in the tenth.
    private static void Warm(LenderPeer peer, int valueBytes)
    {
        foreach (bool reads in new[] { true, false })
        {
            using LenderLoad load = new(peer.EndPoint, Keys, valueBytes, 16, reads);
            load.Measure(WarmMillis);
        }
    }

    private static double Cell(
        TextWriter output, LenderPeer rival, LenderPeer lender, string transport, string verb, int depth, int pairs,
        int millis, int valueBytes)
    {
        using LenderLoad theirs = new(rival.EndPoint, Keys, valueBytes, depth, verb == "get");
        using LenderLoad ours = new(lender.EndPoint, Keys, valueBytes, depth, verb == "get");
        theirs.Measure(millis / 2);
        ours.Measure(millis / 2);
        List<double> ratios = [];
        List<double> slowRatios = [];
        List<(double Rate, double P99)> theirRuns = [];
        List<(double Rate, double P99)> ourRuns = [];
        for (int pair = 0; pair < pairs; pair++)
        {
            // Who goes first changes, so that a machine that becomes slower is fair to both.
            (double Rate, double P99) first = (pair % 2 == 0 ? theirs : ours).Measure(millis);
            (double Rate, double P99) second = (pair % 2 == 0 ? ours : theirs).Measure(millis);
            (double Rate, double P99) their = pair % 2 == 0 ? first : second;
            (double Rate, double P99) our = pair % 2 == 0 ? second : first;
            theirRuns.Add(their);
            ourRuns.Add(our);
            ratios.Add(our.Rate / their.Rate);
            slowRatios.Add(our.P99 / their.P99);
        }

        double ratio = Median(ratios);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{transport,-9}  {verb,-4}  {depth,5}  {Median(theirRuns.Select(run => run.Rate)),11:F0}  "
            + $"{Median(ourRuns.Select(run => run.Rate)),8:F0}  {ratio,5:F2}  {Median(theirRuns.Select(run => run.P99)),7:F0}  "
            + $"{Median(ourRuns.Select(run => run.P99)),6:F0}  {Median(slowRatios),5:F2}"));
        return ratio;
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }

    // All of them, the one that was asked for, or nothing where it is none of them.
    private static string[] Choice(string[] args, string name, string[] all)
    {
        int at = Array.IndexOf(args, name);
        return at < 0 ? all : [.. all.Where(one => at + 1 < args.Length && args[at + 1] == one)];
    }

    private static int Option(string[] args, string name, int otherwise)
    {
        int at = Array.IndexOf(args, name);
        if (at < 0) return otherwise;
        return at + 1 < args.Length && int.TryParse(args[at + 1], CultureInfo.InvariantCulture, out int value) ? value : -1;
    }

    /// <summary>
    /// Connections to each server that say something once a second, one after another: idle for nearly all of the time,
    /// and yet each of them is one that a server must not forget or walk through.
    /// </summary>
    private sealed class IdleConnections : IDisposable
    {
        private readonly List<Socket> _sockets = [];
        private readonly Thread _thread;
        private volatile bool _stops;

        public IdleConnections(int count, params EndPoint[] peers)
        {
            // In turns, so that both servers are spoken to at any time.
            for (int i = 0; i < count; i++)
            {
                foreach (EndPoint peer in peers) _sockets.Add(LenderLoad.Connect(peer));
            }

            _thread = new Thread(Speak) { IsBackground = true };
            if (count > 0) _thread.Start();
        }

        public void Dispose()
        {
            _stops = true;
            if (_sockets.Count > 0) _thread.Join();
            foreach (Socket socket in _sockets) socket.Dispose();
        }

        private void Speak()
        {
            const int RoundsASecond = 50;
            byte[] answer = new byte[64];
            int each = (_sockets.Count + RoundsASecond - 1) / RoundsASecond;
            for (int next = 0; !_stops; next += each)
            {
                for (int i = 0; i < each; i++)
                {
                    Socket socket = _sockets[(next + i) % _sockets.Count];
                    socket.Send("mn\r\n"u8);
                    _ = socket.Receive(answer);
                }

                Thread.Sleep(1000 / RoundsASecond);
            }
        }
    }
}
