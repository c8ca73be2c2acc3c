// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using PerfCache.Cli.Bench;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Benchmarks;

/// <summary>
/// What does a program that reads random 4 KiB pages of a file gain from a cache of its own? PageCache with a quarter of
/// the file, against reading each page with RandomAccess and against a memory-mapped file.
/// </summary>
/// <remarks>
/// The rivals stand on the kernel's page cache, which may keep the whole file: they are measured as they come (all of
/// the file in the kernel's memory), and RandomAccess once more past it, where each read goes to the disk. So the table
/// shows both ends; a machine whose memory is a quarter of its file lies between them. Rounds of all contenders
/// alternate in one process and each reads the same pages; caches stay as the round before left them.
/// </remarks>
internal static class FileReads
{
    private const int Rounds = 5;
    private const int RequestsPerRound = 50_000;

    internal const string Usage = "file-reads [--mib N] [--folder DIR]";

    /// <summary>Runs both workloads and prints a table of each.</summary>
    /// <returns>The exit code: 2 for wrong usage, 1 when contenders read different bytes.</returns>
    public static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        if (!TryParse(args, errors, out int mebibytes, out string folder)) return 2;
        string path = Path.Combine(folder, $"perfcache-file-reads-{Environment.ProcessId}");
        try
        {
            if (!TryMakeFile(path, mebibytes, errors)) return 2;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{mebibytes} MiB in {folder}, cache of {mebibytes / 4} MiB, {Rounds} rounds of {RequestsPerRound} reads"));
            bool alike = true;
            foreach (string workload in new[] { "uniform", "zipf 0.99" })
                alike &= Compare(path, mebibytes, workload, output);
            return alike ? 0 : 1;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static bool TryParse(string[] args, TextWriter errors, out int mebibytes, out string folder)
    {
        mebibytes = 1024;
        folder = Path.GetTempPath();
        for (int i = 0; i < args.Length; i++)
        {
            string value = i + 1 < args.Length ? args[i + 1] : "";
            switch (args[i])
            {
                case "--mib" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out mebibytes)
                    && mebibytes is >= 4 and <= 1 << 20:
                case "--folder" when Directory.Exists(folder = value):
                    i++;
                    break;
                default:
                    errors.WriteLine(
                        $"file-reads: '{args[i]} {value}' is not understood; usage: {Usage}; N is 4 to {1 << 20} (1024), "
                        + "DIR a folder (the system's for temporary files)");
                    return false;
            }
        }

        return true;
    }

    private static bool TryMakeFile(string path, int mebibytes, TextWriter errors)
    {
        long bytes = (long)mebibytes << 20;
        DriveInfo drive = new(Path.GetDirectoryName(Path.GetFullPath(path))!);
        // Twice, so that a benchmark never is what fills somebody's disk.
        if (drive.AvailableFreeSpace < 2 * bytes)
        {
            errors.WriteLine($"file-reads: {drive.Name} has {drive.AvailableFreeSpace >> 20} MiB free and the file takes "
                + $"{mebibytes}; at least twice as much is asked for: give a smaller --mib or another --folder");
            return false;
        }

        byte[] chunk = new byte[1 << 20];
        using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (int i = 0; i < mebibytes; i++)
        {
            // Written, not a hole: a disk answers for blocks that it has.
            new Random(i).NextBytes(chunk);
            file.Write(chunk);
        }

        file.Flush(flushToDisk: true);
        return true;
    }

    private static bool Compare(string path, int mebibytes, string workload, TextWriter output)
    {
        uint pages = (uint)mebibytes << 8;
        using CachedFile cached = new(path, pages / 4, direct: false);
        using CachedFile cachedDirect = new(path, pages / 4, direct: true);
        using ReadFile read = new(path, direct: false);
        using ReadFile readDirect = new(path, direct: true);
        using MappedFile mapped = new(path);
        FileReader[] readers = [read, mapped, cached, readDirect, cachedDirect];
        List<Sample>[] samples = [.. readers.Select(_ => new List<Sample>())];
        bool alike = true;

        // Rounds below 0 compile the code and fill the caches; they count for nothing.
        const int WarmUps = 4;
        for (int round = -WarmUps; round < Rounds; round++)
        {
            uint[] requests = Requests(workload, pages, round + WarmUps);
            ulong? expected = null;
            for (int i = 0; i < readers.Length; i++)
            {
                FileReader reader = readers[(i + round + WarmUps) % readers.Length];
                Sample sample = Measure(reader, requests);
                expected ??= sample.Sum;
                alike &= sample.Sum == expected;
                if (round >= 0) samples[Array.IndexOf(readers, reader)].Add(sample);
            }
        }

        output.WriteLine();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{workload}: PageCache's hit ratio {cached.HitRatio:P1}; "
            + $"direct I/O {(cachedDirect.IsDirect ? "granted" : "refused")}"));
        output.WriteLine(
            "| reader | thousand reads/s, median (min to max) | CPU us a read | p50 us | p99 us | p99.9 us |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: |");
        for (int i = 0; i < readers.Length; i++) output.WriteLine(Row(readers[i].Name, samples[i]));
        if (!alike) output.WriteLine("the readers read different bytes");
        return alike;
    }

    private static Sample Measure(FileReader reader, uint[] requests)
    {
        LatencyHistogram latencies = new();
        ulong sum = 0;
        TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        long last = start;
        foreach (uint page in requests)
        {
            sum += reader.Read(page);
            long now = Stopwatch.GetTimestamp();
            latencies.Record((long)((now - last) * (1e9 / Stopwatch.Frequency)));
            last = now;
        }

        double seconds = Stopwatch.GetElapsedTime(start, last).TotalSeconds;
        cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
        return new Sample(requests.Length / seconds / 1e3, cpu.TotalMicroseconds / requests.Length, latencies, sum);
    }

    private static string Row(string name, List<Sample> samples)
    {
        Spread speed = Spread.Of(samples.Select(sample => sample.ThousandsPerSecond));
        LatencyHistogram all = new();
        foreach (Sample sample in samples) all.Add(sample.Latencies);
        return string.Create(CultureInfo.InvariantCulture,
            $"| {name} | {speed.Median:N0} ({speed.Min:N0} to {speed.Max:N0}) "
            + $"| {Spread.Of(samples.Select(sample => sample.CpuMicroseconds)).Median:0.00} "
            + $"| {all.Percentile(50) / 1e3:0.00} | {all.Percentile(99) / 1e3:0.0} | {all.Percentile(99.9) / 1e3:0.0} |");
    }

    private static uint[] Requests(string workload, uint pages, int round)
    {
        ZipfSampler sampler = new(pages, workload == "uniform" ? 0 : 0.99, scatterSeed: 7);
        SeededRandom random = new((ulong)round + 1);
        ulong[] ids = new ulong[RequestsPerRound];
        sampler.Fill(ref random, ids);
        return Array.ConvertAll(ids, id => (uint)id);
    }

    private readonly record struct Sample(
        double ThousandsPerSecond, double CpuMicroseconds, LatencyHistogram Latencies, ulong Sum);
}
