// SPDX-License-Identifier: MIT
using PerfCache.Cache;

namespace PerfCache.Benchmarks.Hits;

/// <summary>What the lock of a page cache costs: enter, count, leave, against the same with the runtime's lock.</summary>
internal static class LockRows
{
    internal static IEnumerable<Row> All { get; } =
    [
        new("lock", "the cache's lock entered and left, 1 thread, against the runtime's", null, scale => Measure(scale, 1)),
        new("lock-2", "the same by 2 threads that compete", null, scale => Measure(scale, 2)),
    ];

    private static RowResult Measure(HitScale scale, int threads)
    {
        RuntimePass rival = new(scale.Operations);
        CachePass candidate = new(scale.Operations);
        PairedResult result = PairedCpuTime.Measure(
            new Side("Lock", rival.Run), new Side("CacheLock", candidate.Run), threads, scale.Pairs, scale.WarmUps);
        // Threads that wait make the runtime allocate what they sleep on.
        return RowResult.Of(result, "", threads == 1 ? HitRows.Allocations(result) : null);
    }

    private sealed class RuntimePass(int count)
    {
        private readonly Lock _entered = new();
        private long _sum;

        internal long Run(int thread)
        {
            for (int done = 0; done < count; done++)
            {
                _entered.Enter();
                _sum += thread;
                _entered.Exit();
            }

            return count;
        }
    }

    private sealed class CachePass(int count)
    {
        private readonly CacheLock _entered = new();
        private long _sum;

        internal long Run(int thread)
        {
            for (int done = 0; done < count; done++)
            {
                _entered.Enter();
                _sum += thread;
                _entered.Exit();
            }

            return count;
        }
    }
}
