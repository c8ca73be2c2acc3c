// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using PerfCache.Items;
using PerfCache.Memory;
using PerfCache.Remote.Lending;

namespace PerfCache.Benchmarks;

/// <summary>
/// Question: what does the owner of lent memory pay for an allocation? The malloc test of PUMA's authors: blocks of 8 MiB
/// are allocated and touched, in a memory control group whose rest is lent, and in the same group with nothing lent.
/// </summary>
/// <remarks>
/// Each measurement is a process of its own inside the group, so that a kill ends that one alone. With
/// <c>--huge</c> the arena wrongly allows huge pages: then a page that is partly written cannot be taken.
/// </remarks>
internal static class LenderMalloc
{
    private const int BlockBytes = 8 << 20;
    private const int LimitMebibytes = 768;
    private const int LentMebibytes = 480;
    private const int Blocks = 40;

    internal const string Usage = "lender-malloc [--huge]";

    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        if (args is ["child", var kind]) return Child(kind, output);
        if (args is not ([] or ["--huge"]))
        {
            error.WriteLine($"lender-malloc: '{string.Join(' ', args)}' is not understood; usage: {Usage}");
            return 2;
        }

        string? parent = MemoryGroup();
        if (parent is null)
        {
            error.WriteLine("lender-malloc: skipped: this process has no memory control group that it can divide");
            return 1;
        }

        string group = Path.Combine(parent, $"perfcache-malloc-{Environment.ProcessId}");
        Directory.CreateDirectory(group);
        try
        {
            bool isOne = File.Exists(Path.Combine(group, "memory.limit_in_bytes"));
            File.WriteAllText(
                Path.Combine(group, isOne ? "memory.limit_in_bytes" : "memory.max"),
                ((long)LimitMebibytes << 20).ToString(CultureInfo.InvariantCulture));
            output.WriteLine(
                $"{Blocks} blocks of 8 MiB in a group of {LimitMebibytes} MiB, {LentMebibytes} MiB lent");
            List<double> ratios = [];
            for (int pair = 0; pair < 5; pair++)
            {
                double plain = Measure(group, "plain", output);
                double lent = Measure(group, "lent", output);
                if (plain > 0 && lent > 0) ratios.Add(lent / plain);
            }

            ratios.Sort();
            if (ratios.Count > 0)
            {
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"lent / plain: median {ratios[ratios.Count / 2]:F2} of {ratios.Count}"));
            }

            if (args.Contains("--huge")) Measure(group, "huge", output);
            return 0;
        }
        finally
        {
            Directory.Delete(group);
        }
    }

    /// <summary>The median time of a block in a process of its own, in microseconds; 0 when it was killed.</summary>
    private static double Measure(string group, string kind, TextWriter output)
    {
        ProcessStartInfo start = new("/bin/sh") { RedirectStandardOutput = true };
        string program = Path.Combine(AppContext.BaseDirectory, "PerfCache.Benchmarks.dll");
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(
            $"echo $$ > {group}/cgroup.procs && exec dotnet '{program}' lender-malloc child {kind}");
        using Process process = Process.Start(start)!;
        string said = process.StandardOutput.ReadToEnd().Trim();
        process.WaitForExit();
        output.WriteLine($"  {kind,-6} exit {process.ExitCode,3}  {said}");
        string[] words = said.Split(' ');
        return process.ExitCode == 0 ? double.Parse(words[1], CultureInfo.InvariantCulture) : 0;
    }

    private static int Child(string kind, TextWriter output)
    {
        MemoryMeter meter = new();
        ItemStoreOptions options = new() { CapacityBytes = (long)LentMebibytes << 20, ShardCount = 1, HashSeed = 1 };
        using LendableStore? store = kind == "lent" ? new LendableStore(options, new LendingOptions(), meter) : null;
        if (kind == "huge") Huge();
        int items = LentMebibytes * 240;
        if (store is not null) Fill(store, items);
        double[] micros = new double[Blocks];
        List<nint> blocks = [];
        for (int block = 0; block < Blocks; block++)
        {
            long began = Stopwatch.GetTimestamp();
            blocks.Add(Touch());
            micros[block] = Stopwatch.GetElapsedTime(began).TotalMicroseconds;
        }

        Array.Sort(micros);
        long left = store is null ? 0 : Count(store, items);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"median {micros[Blocks / 2]:F0} us a block, p90 {micros[Blocks * 9 / 10]:F0}; "
            + $"{left} of {(store is null ? 0 : items)} lent items left"));
        return 0;
    }

    // What the arena forbids: huge pages, marked, and one byte of each written again. None of them can be taken.
    private static unsafe void Huge()
    {
        const int HugeBytes = 2 << 20;
        nuint bytes = (nuint)LentMebibytes << 20;
        byte* memory = (byte*)NativeMemory.AlignedAlloc(bytes, HugeBytes);
        _ = MemoryAdvise(memory, bytes, 14);
        new Span<byte>(memory, (int)bytes).Fill(1);
        _ = MemoryAdvise(memory, bytes, 8);
        for (nuint at = 0; at < bytes; at += HugeBytes) memory[at] = 1;
    }

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern unsafe int MemoryAdvise(byte* address, nuint bytes, int advice);

    private static unsafe nint Touch()
    {
        byte* block = (byte*)NativeMemory.Alloc(BlockBytes);
        for (int at = 0; at < BlockBytes; at += 4096) block[at] = 1;
        return (nint)block;
    }

    private static void Fill(LendableStore store, int items)
    {
        byte[] value = new byte[4096];
        value.AsSpan().Fill(7);
        for (int i = 0; i < items; i++)
        {
            store.Items.Store(BitConverter.GetBytes(i), value, new ItemWrite(), 1, out _);
            if (i % 1024 == 0) store.MarkWritten();
        }

        store.MarkWritten();
    }

    private static long Count(LendableStore store, int items)
    {
        byte[] value = new byte[4096];
        long hits = 0;
        for (int i = 0; i < items; i++)
        {
            if (store.Items.Get(BitConverter.GetBytes(i), 1, value, out _) == ItemRead.Hit) hits++;
        }

        return hits;
    }

    private static string? MemoryGroup()
    {
        foreach (string line in File.ReadLines("/proc/self/cgroup"))
        {
            string[] parts = line.Split(':', 3);
            string root = parts[0] == "0" ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
            string folder = root + parts[2];
            bool isMemory = parts[1].Split(',').Contains("memory")
                || (parts[0] == "0" && File.Exists(Path.Combine(folder, "memory.max")));
            if (!isMemory) continue;
            try
            {
                string probe = Path.Combine(folder, $"perfcache-probe-{Environment.ProcessId}");
                Directory.CreateDirectory(probe);
                Directory.Delete(probe);
                return folder;
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }

        return null;
    }
}
