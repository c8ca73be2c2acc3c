// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Puma;
using PerfCache.Policies.Replacement;
using PerfCache.Remote.Borrowing;

namespace PerfCache.Cli.PumaReal;

/// <summary>
/// The programs of the real scenarios, each a process in a control group: the owner of lent memory, who allocates or reads,
/// and the borrower. They do what standard input says, a line at a time, and answer in lines.
/// </summary>
internal sealed class RealRole(TextReader commands, TextWriter answers)
{
    /// <summary>Blocks of this size are allocated, as on the slides.</summary>
    public const int BlockBytes = 8 << 20;

    /// <summary>Time between two lines of a program that reads.</summary>
    public const int SampleMilliseconds = 100;

    private const int PageBytes = 4096;
    private const int DontNeed = 4;

    /// <summary>Plays a role until standard input ends.</summary>
    /// <exception cref="UsageException">There is no such role.</exception>
    public int Play(string[] words)
    {
        switch (words)
        {
            case ["allocate", var blocks]:
                Allocate(Number(blocks));
                break;
            case ["read", var file, var hot, var cold]:
                ReadFile(file, Number(hot), Number(cold));
                break;
            case ["borrow", var file, var mebibytes, var cache, var capacity, .. string[] server]:
                Borrow(file, Number(mebibytes), Number(cache), Number(capacity), server);
                break;
            default:
                throw new UsageException($"--role: '{string.Join(' ', words)}' is none of the roles that puma-real starts");
        }

        return ExitCode.Success;
    }

    /// <summary>Makes the kernel forget what it has of a file.</summary>
    public static void Drop(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.ReadWrite);
        file.Flush(flushToDisk: true);
        _ = Advise(file.SafeFileHandle, 0, 0, DontNeed);
    }

    // Blocks of ordinary pages, touched page by page and kept.
    private void Allocate(int blocks)
    {
        MemoryMeter meter = new();
        List<PageMemory> kept = [];
        NewBlock(meter).Dispose();
        Answer("ready");
        while (commands.ReadLine() == "go")
        {
            for (int block = 0; block < blocks; block++)
            {
                long begun = ProcessorNanos();
                kept.Add(NewBlock(meter));
                Answer((ProcessorNanos() - begun) / 1000);
            }

            Answer("end");
        }

        foreach (PageMemory block in kept) block.Dispose();
    }

    // Of this thread: what the kernel does to find memory is in it, and other programs' turns are not.
    private static long ProcessorNanos()
    {
        const int ThreadProcessorTime = 3;
        _ = GetTime(ThreadProcessorTime, out TimeSpec time);
        return (time.Seconds * 1_000_000_000L) + time.Nanoseconds;
    }

    private static PageMemory NewBlock(MemoryMeter meter)
    {
        const uint Frames = BlockBytes / PageBytes;
        PageMemory block = new(Frames, PageBytes, meter, new PageMemoryOptions { Kind = PageMemoryKind.Lendable });
        block.EnsureFrames(Frames);
        for (uint frame = 1; frame <= Frames; frame++) block.Page(new FrameId(frame))[0] = 1;
        return block;
    }

    /// <summary>Reads pages of a file at random through the kernel's cache; two in a hundred go through the cold part from end
    /// to end, if there is one.</summary>
    private void ReadFile(string path, int hot, int cold)
    {
        using SafeFileHandle file = File.OpenHandle(path, options: FileOptions.RandomAccess);
        byte[] page = new byte[PageBytes];
        Random random = new(1);
        long next = 0;
        Answer("ready");
        while (commands.ReadLine() is { } line)
        {
            long reads = 0, wrong = 0, before = Fetched();
            long begun = Stopwatch.GetTimestamp(), sample = SampleMilliseconds;
            int milliseconds = Number(line);
            for (long elapsed = 0; elapsed < milliseconds; reads++)
            {
                bool isCold = cold > 0 && random.Next(100) < 2;
                long number = isCold ? hot + (next++ % cold) : random.Next(hot);
                if (RandomAccess.Read(file, page, number * PageBytes) != PageBytes || !IsRight(page, (ulong)number)) wrong++;
                elapsed = (long)Stopwatch.GetElapsedTime(begun).TotalMilliseconds;
                if (elapsed < sample) continue;
                Answer(elapsed, reads + 1, Fetched() - before, wrong);
                sample = elapsed + SampleMilliseconds;
            }

            Answer("end");
        }
    }

    // What this process had from disks, in pages.
    private static long Fetched()
    {
        foreach (string line in File.ReadLines("/proc/self/io"))
        {
            if (line.StartsWith("read_bytes: ", StringComparison.Ordinal))
                return long.Parse(line.AsSpan(12), CultureInfo.InvariantCulture) / PageBytes;
        }

        return 0;
    }

    private void Borrow(string path, int mebibytes, int cacheMebibytes, int capacityMebibytes, string[] servers)
    {
        BorrowedMemory? borrowed = servers.Length == 0 ? null : new BorrowedMemory(new BorrowedMemoryOptions
        {
            Servers = servers,
            CapacityBytes = (long)capacityMebibytes << 20,
            // The simulated borrower does not race either; a machine with two processors must not decide.
            Race = null,
            Fleet = fleet => fleet with { Latency = LatencyMonitorOptions.Patient },
        });
        try
        {
            using FilePageSource source = FilePageSource.Open(path, new FilePageSourceOptions
            {
                ReadOnly = true,
                DirectIo = DirectIo.IfPossible,
                KernelReadahead = false,
            });
            using PageCache<LinuxRules<Linux6>> cache = new(
                new PageCacheOptions { CapacityBytes = (long)cacheMebibytes << 20, Overflow = borrowed }, new());
            ObjectId file = cache.AddObject(source);
            Answer("ready");
            while (commands.ReadLine() is { } line)
            {
                long misses = cache.Statistics.Misses;
                BorrowedMemoryStatistics before = borrowed?.Statistics ?? default;
                (long reads, long wrong) = line == "fill"
                    ? Fill(cache, file, mebibytes << 8) : ReadCache(cache, file, mebibytes << 8, Number(line));
                BorrowedMemoryStatistics after = borrowed?.Statistics ?? default;
                Answer(
                    reads, cache.Statistics.Misses - misses, after.Hits - before.Hits, after.Missing - before.Missing, after.Wrong,
                    wrong);
                Answer("end");
            }
        }
        finally
        {
            borrowed?.DisposeAsync().AsTask().Wait();
        }
    }

    /// <summary>Reads the file once from end to end, which leaves the most of it with the lender.</summary>
    private static (long Reads, long Wrong) Fill(PageCache<LinuxRules<Linux6>> cache, ObjectId file, int pages)
    {
        const int RunPages = 32;
        ulong[] run = new ulong[RunPages];
        PageLease[] leases = new PageLease[RunPages];
        long wrong = 0;
        for (int first = 0; first < pages; first += RunPages)
        {
            for (int i = 0; i < RunPages; i++) run[i] = (ulong)(first + i);
            cache.GetManyAsync(file, run, leases).AsTask().Wait();
            for (int i = 0; i < RunPages; i++)
            {
                if (!IsRight(leases[i].Span, run[i])) wrong++;
                leases[i].Dispose();
            }
        }

        return (pages, wrong);
    }

    private static (long Reads, long Wrong) ReadCache(
        PageCache<LinuxRules<Linux6>> cache, ObjectId file, int pages, int milliseconds)
    {
        Random random = new(2);
        long reads = 0, wrong = 0;
        long begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun).TotalMilliseconds < milliseconds)
        {
            ulong page = (ulong)random.Next(pages);
            using PageLease lease = cache.Get(file, page);
            if (!IsRight(lease.Span, page)) wrong++;
            reads++;
        }

        return (reads, wrong);
    }

    /// <summary>Each page is its number in all its words.</summary>
    public static bool IsRight(ReadOnlySpan<byte> page, ulong number) =>
        !MemoryMarshal.Cast<byte, ulong>(page).ContainsAnyExcept(number);

    private void Answer(params long[] numbers) =>
        Answer(string.Join(' ', numbers.Select(number => number.ToString(CultureInfo.InvariantCulture))));

    private void Answer(string line)
    {
        answers.WriteLine(line);
        answers.Flush();
    }

    private static int Number(string word) => int.Parse(word, NumberStyles.None, CultureInfo.InvariantCulture);

    [DllImport("libc", EntryPoint = "posix_fadvise")]
    private static extern int Advise(SafeFileHandle file, nint offset, nint length, int advice);

    [DllImport("libc", EntryPoint = "clock_gettime")]
    private static extern int GetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
