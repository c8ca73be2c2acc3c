// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using PerfCache.Benchmarks.Hits;
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;

namespace PerfCache.Benchmarks.Numa;

/// <summary>
/// What does it cost to move a page of the cache to another frame, beside copying its bytes? Batches of 1, 32 and 512
/// pages, in the processor's caches (hot) and from all over a large cache (cold), against a bare copy of as many pages.
/// And what does the kernel pay for the same work, isolating, copying and remapping pages (MADV_COLLAPSE)?
/// </summary>
/// <remarks>
/// The nodes are emulated: source and target lie in the same memory. So this is the cost of the mechanism; what the way
/// between two real nodes adds, only a machine with two can tell.
/// </remarks>
internal static class ExchangeRows
{
    private const int PageBytes = 4096;
    private const int PagesOfPass = 16 * 1024;
    private const int ColdPages = 32 * 1024;

    internal static Row[] All { get; } =
    [
        .. from cold in new[] { false, true }
           from batch in new[] { 1, 32, 512 }
           select new Row(
               $"exchange-{(cold ? "cold" : "hot")}-{batch}",
               $"move a page of 4 KiB, batches of {batch}, {(cold ? "from 128 MiB" : "the same to and fro")}, against a copy",
               null, _ => Exchange(batch, cold)),
        new(
            "collapse", "the kernel's isolate, copy and remap of a page (MADV_COLLAPSE of 512), against a copy", null,
            _ => Collapse()),
    ];

    private static RowResult Exchange(int batch, bool cold)
    {
        uint pages = cold ? ColdPages : (uint)batch;
        NumaTopology two = NumaTopology.Read().Emulate(NumaDistances.Uniform(2, 10, 20));
        using PageCache<LinuxRules<Linux6>> cache = new(
            PageCacheOptions.ForFrames((2 * pages) + 4096) with
            {
                BackgroundReclaim = false,
                Nodes = new NodeOptions
                {
                    Topology = two,
                    CallerNode = () => 0,
                    Migration = new MigrationOptions { BatchPages = batch },
                },
            },
            new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, pages);
        for (uint page = 0; page < pages; page++) cache.TryAdd(owner, page, [1]);
        byte[] from = GC.AllocateArray<byte>((int)pages * PageBytes, pinned: true);
        byte[] to = GC.AllocateArray<byte>((int)pages * PageBytes, pinned: true);
        int atNode = 0;
        uint next = 0;
        long left = 0;
        PairedResult paired = PairedCpuTime.Measure(
            new Side("copy", _ => Copy(from, to, batch)),
            new Side("exchange", _ =>
            {
                for (int moved = 0; moved < PagesOfPass; moved += batch)
                {
                    if (next == 0) atNode = 1 - atNode;
                    MigrationReport report = cache.Migrate(MigrationRequest.OfRange(owner, next, (ulong)batch, atNode));
                    left += batch - report.Moved;
                    next = (next + (uint)batch) % pages;
                }

                return PagesOfPass;
            }),
            threads: 1, pairs: 9, warmUps: 2);
        return RowResult.Of(paired, "nodes emulated", left == 0 ? null : $"{left} pages were not moved");
    }

    private static long Copy(byte[] from, byte[] to, int batch)
    {
        int next = 0;
        for (int copied = 0; copied < PagesOfPass; copied += batch)
        {
            for (int i = 0; i < batch; i++)
            {
                from.AsSpan(next, PageBytes).CopyTo(to.AsSpan(next, PageBytes));
                next += PageBytes;
            }

            if (next == from.Length) next = 0;
        }

        return PagesOfPass;
    }

    private static unsafe RowResult Collapse()
    {
        const int Pages = 512;
        const int HugePageBytes = Pages * PageBytes;
        const int Rounds = 16;
        byte[] from = GC.AllocateArray<byte>(Rounds * HugePageBytes, pinned: true);
        byte[] to = GC.AllocateArray<byte>(Rounds * HugePageBytes, pinned: true);
        byte* memory = (byte*)NativeMemory.AlignedAlloc((Rounds + 1) * (nuint)HugePageBytes, HugePageBytes);
        string? failure = null;
        try
        {
            Side collapse = new("collapse", _ => CollapseAll(memory, Rounds, HugePageBytes, ref failure));
            PairedResult paired = PairedCpuTime.Measure(
                new Side("copy", _ => Copy(from, to, Pages)), collapse, threads: 1, pairs: 9, warmUps: 2);
            return failure is null
                ? RowResult.Of(paired, "of the time that the thread spends; preparing the pages is not counted")
                : new RowResult(double.NaN, double.NaN, double.NaN, paired.RivalNanos.Median, double.NaN, 0, failure);
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    /// <summary>Splits the memory into small pages that are there, then has each 2 MiB of them made one.</summary>
    /// <returns>As many pages as would have taken the time of the calls alone.</returns>
    private static unsafe long CollapseAll(byte* memory, int rounds, int bytes, ref string? failure)
    {
        const int DontNeed = 4, NoHugePage = 15, HugePage = 14, CollapseNow = 25;
        long prepared = CpuClock.ThreadNanos();
        long all = prepared;
        nuint length = (nuint)(rounds * (long)bytes);
        _ = madvise(memory, length, DontNeed);
        _ = madvise(memory, length, NoHugePage);
        for (nuint i = 0; i < length; i += PageBytes) memory[i] = 1;
        _ = madvise(memory, length, HugePage);
        prepared = CpuClock.ThreadNanos() - prepared;
        for (int i = 0; i < rounds; i++)
        {
            if (madvise(memory + (i * (long)bytes), (nuint)bytes, CollapseNow) == 0) continue;
            failure = $"MADV_COLLAPSE is not to be had here (error {Marshal.GetLastSystemError()})";
        }

        all = CpuClock.ThreadNanos() - all;
        // The measurement divides all of the time by this: the share of the calls is what is asked for.
        double share = Math.Max(1, all - prepared) / (double)Math.Max(1, all);
        return Math.Max(1, (long)(rounds * (bytes / PageBytes) / share));
    }

    [DllImport("libc", ExactSpelling = true)]
    private static extern unsafe int madvise(void* address, nuint length, int advice);
}
