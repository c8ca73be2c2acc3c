// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using PerfCache.Benchmarks.Hits;
using PerfCache.Cache;
using PerfCache.Frames;
using LinuxCache = PerfCache.Cache.PageCache<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>>;

namespace PerfCache.Benchmarks.Native;

/// <summary>
/// What does a hit cost a program in C, beside the same hit in C#? The C program (native/bench/hit_loop.c) is a child that
/// waits for its turn, so both loops alternate on one machine, and both count their thread's processor time.
/// </summary>
/// <remarks>
/// Both have a cache of the same size with the same pages, in an object without a source, and ask for the same pages in
/// the same order. <i>lease</i>: get and release, no byte read. <i>view</i>: the same, by the path that the header has
/// inline. <i>batch</i>: 32 leases a call, beside C# leases one by
/// one; <i>batches</i>: beside C#'s own batches. <i>copy</i>: 64 bytes copied out.
/// </remarks>
internal static class NativeHitsCommand
{
    private const int RequestCount = 1 << 16;
    private const int BatchLength = 32;
    private const int PartLength = 64;
    internal const string Usage = "abi-hits [--pages N,N] [--pairs N] [--program FILE]";

    // What the C program does, and what it is compared with.
    private static readonly (string Name, string Theirs, string Ours)[] s_rows =
    [
        ("lease", "lease", "lease"), ("view", "view", "lease"), ("batch", "batch", "lease"), ("batches", "batch", "batch"), ("copy", "copy", "copy"),
    ];

    /// <summary>Runs the command.</summary>
    /// <returns>0, 1 when the C program failed, 2 for wrong arguments.</returns>
    internal static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        string pages = "500,200000";
        string program = Path.Combine("artifacts", "native", "hit_loop");
        int pairs = 9;
        for (int i = 0; i < args.Length; i += 2)
        {
            string value = i + 1 < args.Length ? args[i + 1] : "";
            bool isRight = value.Length > 0 && args[i] switch
            {
                "--pages" => (pages = value).Split(',').All(part => int.TryParse(part, out int count) && count > 0),
                "--pairs" => int.TryParse(value, CultureInfo.InvariantCulture, out pairs) && pairs > 0,
                "--program" => (program = value).Length > 0,
                _ => false,
            };
            if (isRight) continue;
            errors.WriteLine($"abi-hits: '{args[i]} {value}' is not understood; usage: {Usage}");
            return 2;
        }

        if (!File.Exists(program))
        {
            errors.WriteLine($"abi-hits: {program} does not exist; build it with native/build.sh");
            return 2;
        }

        output.WriteLine($"load average before: {LoadAverage()}");
        output.WriteLine("pages     hit     ratio, median (min to max)   C ns   C# ns");
        foreach (string count in pages.Split(','))
        {
            using Process child = Start(program, count);
            using Side mine = new(int.Parse(count, CultureInfo.InvariantCulture));
            foreach ((string name, string theirs, string ours) in s_rows)
            {
                if (Measure(child, theirs, mine, ours, pairs) is { } row)
                {
                    output.WriteLine($"{count,-9} {name,-7} {row}");
                    continue;
                }

                errors.WriteLine($"abi-hits: {program} has ended; its message is above");
                return 1;
            }

            child.StandardInput.Close();
            child.WaitForExit();
        }

        output.WriteLine($"load average after: {LoadAverage()}");
        return 0;
    }

    /// <returns>The row's figures, or null when the child has ended.</returns>
    private static string? Measure(Process child, string theirMode, Side mine, string ourMode, int pairs)
    {
        // Some milliseconds a turn, so that what else runs on the machine meets both alike.
        const int Rounds = 8;
        // Long enough for tiered compilation to be through.
        long warmUntil = Environment.TickCount64 + 1500;
        while (Environment.TickCount64 < warmUntil)
            if (Ask(child, theirMode, Rounds) is null || mine.Run(ourMode, Rounds) <= 0) return null;
        List<double> ratios = [];
        List<double> theirs = [];
        List<double> ours = [];
        for (int pair = 0; pair < pairs; pair++)
        {
            double c = 0, managed = 0;
            for (int turn = 0; turn < 10; turn++)
            {
                if (Ask(child, theirMode, Rounds) is not { } nanos) return null;
                c += nanos;
                managed += mine.Run(ourMode, Rounds);
            }

            ratios.Add(c / managed);
            theirs.Add(c / 10);
            ours.Add(managed / 10);
        }

        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Median(ratios):0.00} ({ratios.Min():0.00} to {ratios.Max():0.00})"
            + $"{"",12}{Median(theirs):0.0}    {Median(ours):0.0}");
    }

    private static double? Ask(Process child, string mode, int rounds)
    {
        child.StandardInput.WriteLine($"{mode} {rounds}");
        child.StandardInput.Flush();
        return double.TryParse(child.StandardOutput.ReadLine(), CultureInfo.InvariantCulture, out double nanos)
            ? nanos : null;
    }

    private static Process Start(string program, string pages) => Process.Start(new ProcessStartInfo(program, [pages])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    })!;

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static string LoadAverage() =>
        File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";

    /// <summary>The C# side: the twin of hit_loop.c.</summary>
    private sealed class Side : IDisposable
    {
        private readonly LinuxCache _cache;
        private readonly ObjectId _owner;
        private readonly ulong[] _requests = new ulong[RequestCount];
        private readonly PageLease[] _leases = new PageLease[BatchLength];
        private readonly byte[] _part = new byte[PartLength];

        internal Side(int pages)
        {
            _cache = new LinuxCache(
                new PageCacheOptions { CapacityBytes = (pages * 4096L) + (pages * 512L) + (8 << 20) }, new());
            _owner = _cache.AddObject(source: null, (ulong)pages);
            for (ulong page = 0; page < (ulong)pages; page++) _cache.TryAdd(_owner, page, BitConverter.GetBytes(page));
            ulong x = 88172645463325252;
            for (int i = 0; i < RequestCount; i++)
            {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                _requests[i] = (x >> 32) * (ulong)pages >> 32;
            }
        }

        public void Dispose() => _cache.Dispose();

        /// <summary>Goes through the requests.</summary>
        /// <returns>Nanoseconds of processor time a hit.</returns>
        internal double Run(string mode, int rounds)
        {
            long start = CpuClock.ThreadNanos();
            long hits = 0;
            for (int round = 0; round < rounds; round++)
                hits += mode == "lease" ? ByLease() : mode == "batch" ? ByBatch() : ByCopy();
            long nanos = CpuClock.ThreadNanos() - start;
            if (hits != (long)rounds * RequestCount) throw new InvalidOperationException($"{mode}: {hits} hits");
            return (double)nanos / hits;
        }

        private int ByLease()
        {
            LinuxCache cache = _cache;
            ObjectId owner = _owner;
            int hits = 0;
            foreach (ulong page in _requests)
            {
                using PageLease lease = cache.Get(owner, page);
                hits++;
            }

            return hits;
        }

        private int ByBatch()
        {
            int hits = 0;
            for (int start = 0; start < RequestCount; start += BatchLength)
            {
                hits += _cache.TryGetMany(_owner, _requests.AsSpan(start, BatchLength), _leases);
                foreach (PageLease lease in _leases) lease.Dispose();
            }

            return hits;
        }

        private int ByCopy()
        {
            int hits = 0;
            foreach (ulong page in _requests)
                if (_cache.TryCopy(_owner, page, 0, _part)) hits++;
            return hits;
        }
    }
}
