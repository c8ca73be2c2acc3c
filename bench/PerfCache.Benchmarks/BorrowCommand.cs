// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Policies.Puma;
using PerfCache.Policies.Replacement;
using PerfCache.Remote.Borrowing;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Benchmarks;

/// <summary>
/// What does a program with too small a cache gain from somebody else's memory? PageCache over a file that is four times its
/// size, read at random, with and without a lender in a process of its own; and over a file in the kernel's memory, where
/// the lender must lose and be left alone.
/// </summary>
/// <remarks>
/// Each cell is a cache of its own: first the file is read once from end to end, so that cache and lender are full, then at
/// random, of which the first part counts for nothing. Every page that is read is compared with what the file has there.
/// </remarks>
internal static class BorrowCommand
{
    private const int PageBytes = 4096;

    internal const string Usage =
        "borrow [--mib N] [--cache-mib N] [--lender-mib N] [--seconds N] [--threads N] [--folder DIR] [--encrypt] [--always]";

    public static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        if (!TryParse(args, out Settings settings))
        {
            errors.WriteLine($"usage: {Usage}");
            return 2;
        }

        string folder = Directory.CreateTempSubdirectory("perfcache-borrow-").FullName;
        string path = Path.Combine(settings.Folder, $"perfcache-borrow-{Environment.ProcessId}");
        try
        {
            MakeFile(path, settings.Mebibytes);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{settings.Mebibytes} MiB, cache {settings.CacheMebibytes} MiB, lender {settings.LenderMebibytes} MiB "
                + $"over a Unix socket, {settings.Threads} threads, {settings.Seconds} s a cell"
                + $"{(settings.Encrypts ? ", encrypted" : "")}{(settings.Always ? ", without the race" : "")}"));
            output.WriteLine(
                "| file | reads | from | thousand reads/s | cache hits | lender hits | source reads "
                + "| p50 us | p99 us | p99.9 us |");
            output.WriteLine("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
            bool right = true;
            foreach (bool direct in (bool[])[true, false])
            {
                foreach (string workload in (string[])["uniform", "zipf 0.99"])
                {
                    right &= Cell(path, folder, workload, direct, borrows: false, settings, output);
                    right &= Cell(path, folder, workload, direct, borrows: true, settings, output);
                }
            }

            return right ? 0 : 1;
        }
        catch (Exception failure) when (failure is SocketException or IOException or System.ComponentModel.Win32Exception)
        {
            errors.WriteLine($"borrow: {failure.Message}");
            return 1;
        }
        finally
        {
            File.Delete(path);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static bool TryParse(string[] args, out Settings settings)
    {
        settings = new Settings(1024, 256, 1152, 3, 2, Path.GetTempPath(), Encrypts: false, Always: false);
        for (int i = 0; i < args.Length; i += args[i] is "--encrypt" or "--always" ? 1 : 2)
        {
            string value = i + 1 < args.Length ? args[i + 1] : "";
            bool isNumber =
                int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0;
            switch (args[i])
            {
                case "--mib" when isNumber: settings = settings with { Mebibytes = number }; break;
                case "--cache-mib" when isNumber: settings = settings with { CacheMebibytes = number }; break;
                case "--lender-mib" when isNumber: settings = settings with { LenderMebibytes = number }; break;
                case "--seconds" when isNumber: settings = settings with { Seconds = number }; break;
                case "--threads" when isNumber: settings = settings with { Threads = number }; break;
                case "--folder" when Directory.Exists(value): settings = settings with { Folder = value }; break;
                case "--encrypt": settings = settings with { Encrypts = true }; break;
                case "--always": settings = settings with { Always = true }; break;
                default: return false;
            }
        }

        return true;
    }

    // Each page is its number in all its words: written, not a hole, since a disk answers for blocks that it has.
    private static void MakeFile(string path, int mebibytes)
    {
        byte[] chunk = new byte[1 << 20];
        using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (int i = 0; i < mebibytes; i++)
        {
            for (int page = 0; page < chunk.Length / PageBytes; page++)
            {
                Span<byte> bytes = chunk.AsSpan(page * PageBytes, PageBytes);
                MemoryMarshal.Cast<byte, ulong>(bytes).Fill(((ulong)i << 8) + (ulong)page);
            }

            file.Write(chunk);
        }

        file.Flush(flushToDisk: true);
    }

    private static bool Cell(
        string path, string folder, string workload, bool direct, bool borrows, Settings settings, TextWriter output)
    {
        using LenderPeer? lender =
            borrows ? LenderPeer.Lender("unix", folder, spin: 0, settings.LenderMebibytes) : null;
        BorrowedMemory? borrowed = borrows
            ? new BorrowedMemory(new BorrowedMemoryOptions
            {
                Servers = [$"unix:{Path.Combine(folder, "lender")}"],
                CapacityBytes = (long)settings.LenderMebibytes << 20,
                Encrypts = settings.Encrypts,
                Race = settings.Always ? null : new TierRaceOptions(),
                Fleet = fleet => fleet with { Latency = LatencyMonitorOptions.Patient },
            })
            : null;
        try
        {
            using FilePageSource source = FilePageSource.Open(path, new FilePageSourceOptions
            {
                ReadOnly = true,
                DirectIo = direct ? DirectIo.IfPossible : DirectIo.Off,
                KernelReadahead = false,
            });
            using PageCache<LinuxRules<Linux6>> cache = new(
                new PageCacheOptions { CapacityBytes = (long)settings.CacheMebibytes << 20, Overflow = borrowed }, new());
            ObjectId file = cache.AddObject(source);
            uint pages = (uint)settings.Mebibytes << 8;
            Fill(cache, file, pages);
            Read(cache, file, pages, workload, settings, new LatencyHistogram(), seed: 1, (settings.Seconds + 1) / 2);
            PageCacheStatistics before = cache.Statistics;
            BorrowedMemoryStatistics borrowedBefore = borrowed?.Statistics ?? default;
            LatencyHistogram latencies = new();
            long wrong = Read(cache, file, pages, workload, settings, latencies, seed: 100, settings.Seconds);
            long misses = cache.Statistics.Misses - before.Misses;
            long hits = (borrowed?.Statistics.Hits ?? 0) - borrowedBefore.Hits;
            string from = borrows ? "cache, lender, source" : "cache, source";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {(source.IsDirect ? "disk (O_DIRECT)" : "kernel's memory")} | {workload} | {from} "
                + $"| {latencies.Count / 1e3 / settings.Seconds:0.0} "
                + $"| {1 - ((double)misses / latencies.Count):P1} | {(double)hits / latencies.Count:P1} "
                + $"| {(double)(misses - hits) / latencies.Count:P1} | {latencies.Percentile(50) / 1e3:0.0} "
                + $"| {latencies.Percentile(99) / 1e3:0} | {latencies.Percentile(99.9) / 1e3:0} |"));
            if (borrowed is not null) Explain(borrowed, output);
            if (wrong > 0) output.WriteLine($"{wrong} pages were wrong");
            return wrong == 0;
        }
        finally
        {
            borrowed?.DisposeAsync().AsTask().Wait();
        }
    }

    private static void Explain(BorrowedMemory borrowed, TextWriter output)
    {
        BorrowedMemoryStatistics counts = borrowed.Statistics;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  [{counts.CataloguePages} pages there, {counts.Stored} stored, {counts.DroppedNoRoom} dropped, "
            + $"{counts.Wrong} wrong, {counts.Missing} missing, {counts.Expired} expired; "
            + $"{counts.ServerTime.TotalMicroseconds:0} us a get, "
            + $"{counts.SourceTime.TotalMicroseconds:0} us from the source]"));
        if (counts.Servers[0].Link is not { } link) return;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  [of {counts.Evicted} evicted: {counts.Kept} there already, {counts.DroppedNoServer} without a server, "
            + $"{counts.DroppedSourceFaster} not worth it, {counts.NotStored} not stored; server {link.State}, "
            + $"{link.Suspensions} times left alone, {link.Refused} stores refused, ping "
            + $"{link.PingAverage.TotalMicroseconds:0} us, deadline {link.Deadline.TotalMicroseconds:0} us {link.LastFailure}]"));
        foreach (BorrowDecision decision in borrowed.Decisions.TakeLast(3)) output.WriteLine($"  [{decision}]");
    }

    /// <summary>Reads the file once, in runs.</summary>
    private static void Fill(PageCache<LinuxRules<Linux6>> cache, ObjectId file, uint pages)
    {
        const int RunPages = 32;
        ulong[] run = new ulong[RunPages];
        PageLease[] leases = new PageLease[RunPages];
        for (uint first = 0; first < pages; first += RunPages)
        {
            for (uint i = 0; i < RunPages; i++) run[i] = first + i;
            cache.GetManyAsync(file, run, leases).AsTask().Wait();
            foreach (PageLease lease in leases) lease.Dispose();
        }
    }

    private static long Read(
        PageCache<LinuxRules<Linux6>> cache, ObjectId file, uint pages, string workload, Settings settings,
        LatencyHistogram all, ulong seed, int seconds)
    {
        long wrong = 0;
        Thread[] threads = new Thread[settings.Threads];
        for (int i = 0; i < threads.Length; i++)
        {
            ulong own = seed + (ulong)i;
            threads[i] = new Thread(() =>
            {
                LatencyHistogram latencies = new();
                long wrongHere = ReadAlone(cache, file, pages, workload, latencies, own, seconds);
                lock (all) all.Add(latencies);
                Interlocked.Add(ref wrong, wrongHere);
            });
            threads[i].Start();
        }

        foreach (Thread thread in threads) thread.Join();
        return wrong;
    }

    private static long ReadAlone(
        PageCache<LinuxRules<Linux6>> cache, ObjectId file, uint pages, string workload, LatencyHistogram latencies,
        ulong seed, int seconds)
    {
        ZipfSampler sampler = new(pages, workload == "uniform" ? 0 : 0.99, scatterSeed: 7);
        SeededRandom random = new(seed);
        ulong[] ids = new ulong[4096];
        long wrong = 0;
        long end = Stopwatch.GetTimestamp() + (seconds * Stopwatch.Frequency);
        while (true)
        {
            sampler.Fill(ref random, ids);
            foreach (ulong page in ids)
            {
                long started = Stopwatch.GetTimestamp();
                if (started > end) return wrong;
                using PageLease lease = cache.Get(file, page);
                latencies.Record((long)((Stopwatch.GetTimestamp() - started) * (1e9 / Stopwatch.Frequency)));
                if (MemoryMarshal.Cast<byte, ulong>(lease.Span).ContainsAnyExcept(page)) wrong++;
            }
        }
    }

    private readonly record struct Settings(
        int Mebibytes, int CacheMebibytes, int LenderMebibytes, int Seconds, int Threads, string Folder, bool Encrypts,
        bool Always);
}
