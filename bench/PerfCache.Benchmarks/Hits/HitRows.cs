// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using PerfCache.Cache;
using PerfCache.Cli.Bench;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;
using LinuxCache = PerfCache.Cache.PageCache<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>>;
using LinuxReader = PerfCache.Cache.CacheReader<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>, PerfCache.Cache.NoProbe>;

namespace PerfCache.Benchmarks.Hits;

/// <summary>What a hit of a row does.</summary>
internal enum HitKind
{
    /// <summary>Checked by version.</summary>
    Touch,

    /// <summary>Under an epoch.</summary>
    Epoch,

    /// <summary>Pinned.</summary>
    Lease,
}

/// <summary>The rows of hits: look-ups of pages that are all resident.</summary>
internal static class HitRows
{
    /// <summary>Pages whose metadata a core's own cache holds.</summary>
    internal const int FewPages = 500;

    private const int FewRequests = 1 << 15;

    internal static IEnumerable<Row> All { get; } =
    [
        Few("500-touch", HitKind.Touch, 1, 1.2),
        Few("500-epoch", HitKind.Epoch, 1, 1.3),
        Few("500-lease", HitKind.Lease, 1, 2.2),
        Few("500-touch-2", HitKind.Touch, 2, null),
        Few("500-epoch-2", HitKind.Epoch, 2, null),
        Few("500-lease-2", HitKind.Lease, 2, null),
        Scaling("scaling-touch", HitKind.Touch, 1.7),
        Scaling("scaling-epoch", HitKind.Epoch, 1.7),
        Scaling("scaling-lease", HitKind.Lease, null),
        Many("1m-touch", HitKind.Touch, 0.9),
        Many("1m-epoch", HitKind.Epoch, null),
        Many("1m-lease", HitKind.Lease, 1.0),
        Batched("batch-16", 16, 0.5),
        Batched("batch-32", 32, 0.35),
        new("bytes-64", "64 bytes in place of a cold page of 4 KiB, epoch, against a dictionary of arrays", 0.6,
            scale => Read(scale, PageReads.Part)),
        new("bytes-64-batch", "the same in batches of 32 leases", 0.3, scale => Read(scale, PageReads.Part, batch: 32)),
        new("copy-4096", "copy a cold page of 4 KiB out, against a dictionary of arrays", 0.7,
            scale => Read(scale, 4096)),
    ];

    /// <summary>A pass of hits.</summary>
    internal static HitPass PassOf(
        HitKind kind, LinuxCache cache, ObjectId owner, LinuxReader[] readers, uint[][] requests, int rounds) => kind switch
        {
            HitKind.Touch => new TouchPass(cache, owner, requests, rounds),
            HitKind.Epoch => new EpochPass(readers, owner, requests, rounds),
            _ => new LeasePass(cache, owner, requests, rounds),
        };

    /// <summary>A cache that holds the first pages of one object.</summary>
    internal static LinuxCache Filled(int pages, out ObjectId owner)
    {
        LinuxCache cache = new(
            PageCacheOptions.ForFrames((uint)pages + 64) with { BackgroundReclaim = false }, new LinuxRules<Linux6>());
        owner = cache.AddObject(null, (ulong)pages);
        byte[] bytes = new byte[cache.PageBytes];
        Random.Shared.NextBytes(bytes);
        for (uint page = 0; page < pages; page++) cache.TryAdd(owner, page, bytes);
        return cache;
    }

    /// <summary>The table of the same keys.</summary>
    internal static ConcurrentDictionary<long, long> Table(int pages)
    {
        ConcurrentDictionary<long, long> table = new();
        for (long page = 0; page < pages; page++) table[page] = page;
        return table;
    }

    /// <summary>Each thread's own requests.</summary>
    internal static uint[][] Requests(int pages, int count, double alpha, int threads) =>
        [.. Enumerable.Range(1, threads).Select(seed => FloorWorkload.Zipf(pages, count, alpha, (ulong)seed))];

    private static Row Few(string name, HitKind kind, int threads, double? target) => new(
        name, $"{kind} of {FewPages} pages, uniform, {threads} thread{(threads > 1 ? "s" : "")}", target,
        scale => Hit(scale, kind, FewPages, FewRequests, alpha: 0, threads));

    private static Row Many(string name, HitKind kind, double? target) => new(
        name, $"{kind}, Zipf 0.99, 2 threads", target,
        scale => Hit(scale, kind, scale.Pages, scale.Operations, alpha: 0.99, threads: 2));

    private static Row Batched(string name, int batch, double? target) => new(
        name, $"touch, uniform, in batches of {batch}, 1 thread", target, scale =>
        {
            using LinuxCache cache = Filled(scale.Pages, out ObjectId owner);
            uint[][] requests = Requests(scale.Pages, scale.Operations, alpha: 0, threads: 1);
            DictionaryPass rival = new(Table(scale.Pages), requests, 1);
            BatchPass candidate = new(cache, owner, batch, requests, 1);
            PairedResult result = PairedCpuTime.Measure(
                new Side("dictionary", rival.Run), new Side("batch", candidate.Run), 1, scale.Pairs, scale.WarmUps);
            return RowResult.Of(result, failure: Allocations(result));
        });

    private static Row Scaling(string name, HitKind kind, double? target) => new(
        name, $"hits of 2 threads by those of 1, {kind} of {FewPages} pages", target, scale => Scale(scale, kind));

    private static RowResult Hit(HitScale scale, HitKind kind, int pages, int count, double alpha, int threads)
    {
        using LinuxCache cache = Filled(pages, out ObjectId owner);
        LinuxReader[] readers = [.. Enumerable.Range(0, threads).Select(_ => cache.OpenReader())];
        uint[][] requests = Requests(pages, count, alpha, threads);
        int rounds = Math.Max(1, scale.Operations * 2 / count / threads);
        HitPass candidate = PassOf(kind, cache, owner, readers, requests, rounds);
        DictionaryPass rival = new(Table(pages), requests, rounds);
        PairedResult result = PairedCpuTime.Measure(
            new Side("dictionary", rival.Run), new Side(kind.ToString(), candidate.Run), threads, scale.Pairs,
            scale.WarmUps);
        foreach (LinuxReader reader in readers) reader.Dispose();
        return RowResult.Of(result, failure: Allocations(result));
    }

    private static RowResult Scale(HitScale scale, HitKind kind)
    {
        using LinuxCache cache = Filled(FewPages, out ObjectId owner);
        LinuxReader[] readers = [cache.OpenReader(), cache.OpenReader()];
        HitPass pass = PassOf(
            kind, cache, owner, readers, Requests(FewPages, FewRequests, 0, 2), scale.Operations / FewRequests);
        Side side = new(kind.ToString(), pass.Run);
        List<double> ratios = [];
        List<double> ones = [];
        List<double> twos = [];
        List<double> cores = [];
        PairedCpuTime.WarmUp(() => PairedCpuTime.Run(side, 2));
        for (int pair = -scale.WarmUps; pair < scale.Pairs; pair++)
        {
            PairedCpuTime.PassResult one = PairedCpuTime.Run(side, 1);
            PairedCpuTime.PassResult two = PairedCpuTime.Run(side, 2);
            if (pair < 0) continue;
            ones.Add(one.Nanos);
            twos.Add(two.Nanos);
            cores.Add(two.Cores);
            // Two threads that have a core each do twice the hits in the time that each of them takes.
            ratios.Add(2 * one.Nanos / two.Nanos);
        }

        foreach (LinuxReader reader in readers) reader.Dispose();
        Spread ratio = Spread.Of(ratios);
        return new RowResult(
            ratio.Median, ratio.Min, ratio.Max, Spread.Of(ones).Median, Spread.Of(twos).Median,
            Spread.Of(cores).Median, MoreIsBetter: true);
    }

    private static RowResult Read(HitScale scale, int bytes, int batch = 1)
    {
        int pages = scale.ColdPages;
        ConcurrentDictionary<long, byte[]> table = new();
        byte[] page = new byte[4096];
        for (long i = 0; i < pages; i++) table[i] = (byte[])page.Clone();
        using LinuxCache cache = Filled(pages, out ObjectId owner);
        LinuxReader[] readers = [cache.OpenReader()];
        uint[][] requests = Requests(pages, scale.Operations / 2, 0, 1);
        HitPass candidate = bytes != PageReads.Part ? new CopyPass(cache, owner, requests, 1)
            : batch > 1 ? new BatchReadPass(cache, owner, batch, requests, 1)
            : new EpochReadPass(readers, owner, requests, 1);
        ArrayPass rival = new(table, bytes, requests, 1);
        PairedResult result = PairedCpuTime.Measure(
            new Side("arrays", rival.Run), new Side("cache", candidate.Run), 1, scale.Pairs, scale.WarmUps);
        readers[0].Dispose();
        return RowResult.Of(result, failure: Allocations(result));
    }

    /// <summary>A complaint if the candidate allocated.</summary>
    internal static string? Allocations(PairedResult result) =>
        result.AllocatedBytes > 0 ? $"{result.AllocatedBytes} bytes allocated a pass" : null;
}
