// SPDX-License-Identifier: MIT
using System.Globalization;
using Microsoft.Extensions.Caching.Memory;
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;
using LinuxCache = PerfCache.Cache.PageCache<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>>;

namespace PerfCache.Benchmarks.Hits;

/// <summary>
/// Get, or make and add: Zipf 0.99 over ten times the pages that fit, two threads, against MemoryCache with arrays.
/// Processor time of the whole process: collections and background work belong to whoever causes them.
/// </summary>
internal static class MixRow
{
    private const int Threads = 2;
    private const int PageBytes = 4096;
    private const double RatioTolerance = 0.003;

    internal static Row Row { get; } = new(
        "mix", "get or add 4 KiB, Zipf 0.99 over 10 x the frames, 2 threads, against MemoryCache", 0.3, Measure);

    private static RowResult Measure(HitScale scale)
    {
        int warm = scale.WarmRequests / Threads;
        int perPass = scale.Operations / 4;
        int passes = scale.Pairs + scale.WarmUps;
        uint[][] requests = HitRows.Requests(
            10 * scale.MixFrames, warm + (perPass * passes), 0.99, Threads);
        using MemoryCache rival = new(new MemoryCacheOptions { SizeLimit = scale.MixFrames });
        using LinuxCache cache = new(PageCacheOptions.ForFrames((uint)scale.MixFrames), new LinuxRules<Linux6>());
        MixSide ofRival = new MemoryCacheSide(rival, requests, warm, perPass);
        MixSide ofCache = new PageCacheSide(cache, requests, warm, perPass);
        // The warm-up is the first pass of each; the passes that let the compiler finish come after it.
        PairedCpuTime.Run(new Side("warm", ofRival.Run), Threads);
        PairedCpuTime.Run(new Side("warm", ofCache.Run), Threads);
        PairedResult result = PairedCpuTime.Measure(
            new Side("MemoryCache", ofRival.Run, CountsProcess: true),
            new Side("PageCache", ofCache.Run, CountsProcess: true), Threads, scale.Pairs, scale.WarmUps, warmsUpByTime: false);
        double exact = ExactHitRatio(scale.MixFrames, requests, warm);
        string? failure = Math.Abs(exact - ofCache.HitRatio) > RatioTolerance ? "the hit ratio is not the replay's" : null;
        return RowResult.Of(result, string.Create(CultureInfo.InvariantCulture,
            $"hit ratio {ofCache.HitRatio:F4}, exact replay {exact:F4}, MemoryCache {ofRival.HitRatio:F4}"), failure);
    }

    /// <summary>The hit ratio of the metadata-only cache, the threads' requests in turn.</summary>
    private static double ExactHitRatio(int frames, uint[][] requests, int warm)
    {
        using MetadataCache<LinuxRules<Linux6>, ReplayMode> cache = new((uint)frames, new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject((ulong)(10 * frames), dense: true);
        long hits = 0;
        for (int i = 0; i < requests[0].Length; i++)
        {
            foreach (uint[] ofThread in requests)
            {
                // A new reader each time: every request counts.
                PageReader reader = default;
                if (cache.Access(owner, ofThread[i], ref reader) == AccessOutcome.Hit && i >= warm) hits++;
            }
        }

        return hits / (double)((long)Threads * (requests[0].Length - warm));
    }

    private abstract class MixSide(uint[][] requests, int warm, int perPass)
    {
        private readonly int[] _next = new int[Threads];
        private readonly long[] _hits = new long[Threads];

        /// <summary>Without the warm-up.</summary>
        internal double HitRatio => _hits.Sum() / (double)_next.Sum(next => (long)next - warm);

        internal long Run(int thread)
        {
            uint[] own = requests[thread];
            int first = _next[thread];
            int end = first == 0 ? warm : first + perPass;
            long hits = 0;
            const int BlockLength = 1024;
            for (int at = first; at < end; at += BlockLength)
                hits += Block(own.AsSpan(at, Math.Min(BlockLength, end - at)));
            _next[thread] = end;
            if (first > 0) _hits[thread] += hits;
            return end - first;
        }

        protected abstract int Block(ReadOnlySpan<uint> pages);
    }

    private sealed class MemoryCacheSide(MemoryCache cache, uint[][] requests, int warm, int perPass)
        : MixSide(requests, warm, perPass)
    {
        private readonly byte[] _template = new byte[PageBytes];

        protected override int Block(ReadOnlySpan<uint> pages)
        {
            int hits = 0;
            foreach (uint page in pages)
            {
                if (cache.TryGetValue((long)page, out byte[]? found) && found is not null)
                {
                    hits++;
                    continue;
                }

                byte[] made = GC.AllocateUninitializedArray<byte>(PageBytes);
                _template.CopyTo(made, 0);
                using ICacheEntry entry = cache.CreateEntry((long)page);
                entry.Size = 1;
                entry.Value = made;
            }

            return hits;
        }
    }

    private sealed class PageCacheSide : MixSide
    {
        private readonly LinuxCache _cache;
        private readonly ObjectId _owner;
        private readonly Template _template = new();

        internal PageCacheSide(LinuxCache cache, uint[][] requests, int warm, int perPass) : base(requests, warm, perPass)
        {
            _cache = cache;
            _owner = cache.AddObject(_template, 1UL << 24);
        }

        protected override int Block(ReadOnlySpan<uint> pages)
        {
            int hits = 0;
            foreach (uint page in pages)
            {
                if (_cache.TryGet(_owner, page, out PageLease lease)) hits++;
                else lease = _cache.Get(_owner, page);
                lease.Dispose();
            }

            return hits;
        }
    }

    /// <summary>A source whose pages are all alike.</summary>
    private sealed class Template : IPageSource
    {
        private readonly byte[] _bytes = new byte[PageBytes];

        public ulong PageCount => 1UL << 24;

        public bool IsAsync => false;

        public bool CanWrite => false;

        public int Read(ulong page, Span<byte> destination)
        {
            _bytes.CopyTo(destination);
            return PageBytes;
        }

        public ValueTask<long> ReadAsync(
            ulong firstPage, IReadOnlyList<Memory<byte>> destinations, CancellationToken cancellation) =>
            throw new NotSupportedException("the template reads one page at a time");

        public ValueTask WriteAsync(
            ulong firstPage, IReadOnlyList<ReadOnlyMemory<byte>> pages, CancellationToken cancellation) =>
            throw new NotSupportedException("the template cannot be written");

        public ValueTask FlushAsync(CancellationToken cancellation) => ValueTask.CompletedTask;
    }
}
