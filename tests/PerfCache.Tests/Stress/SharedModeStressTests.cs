// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Stress;

/// <summary>
/// Goal: a cache whose mode locks may be used from many threads. Method: threads access, remove and look at random
/// pages at once; afterwards every invariant holds and the counts add up. Small by default; the explicit one is long.
/// </summary>
[TestFixture]
public sealed class SharedModeStressTests
{
    [Test]
    [CancelAfter(60_000)]
    public void ManyThreadsShareACache(CancellationToken deadline) => Run(20_000, deadline);

    [Test, Explicit("a minute: dotnet test --filter FullyQualifiedName~SharedModeStressTests.ForLong"), Category("Stress")]
    [CancelAfter(300_000)]
    public void ForLong(CancellationToken deadline) => Run(5_000_000, deadline);

    private static void Run(int accessesPerThread, CancellationToken deadline)
    {
        const int ThreadCount = 4;
        MemoryMeter meter = new();
        using (MetadataCache<LinuxRules<Linux6>, SharedMode> cache = new(300, new LinuxRules<Linux6>(), meter))
        {
            ObjectId file = cache.AddObject(2000, dense: true);
            long removed = 0;
            Parallel.For(0, ThreadCount, new ParallelOptions { MaxDegreeOfParallelism = ThreadCount }, thread =>
            {
                Random random = new(thread);
                PageReader reader = default;
                for (int i = 0; i < accessesPerThread && !deadline.IsCancellationRequested; i++)
                {
                    ulong page = (ulong)random.Next(random.Next(2) == 0 ? 200 : 2000);
                    cache.Access(file, page, ref reader);
                    if (i % 100 == 0 && cache.Remove(file, (ulong)random.Next(2000))) Interlocked.Increment(ref removed);
                    if (i % 1000 == 0) cache.Contains(file, page);
                }
            });
            deadline.ThrowIfCancellationRequested();
            cache.Validate();
            CacheStatistics statistics = cache.Statistics;
            Assert.That(statistics.Requests, Is.EqualTo(ThreadCount * (long)accessesPerThread));
            Assert.That(statistics.Removals, Is.EqualTo(removed));
            Assert.That(statistics.Misses, Is.EqualTo(statistics.Evictions + removed + cache.ResidentCount));
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }
}
