// SPDX-License-Identifier: MIT
using System.IO.Compression;
using PerfCache.Memory;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>
/// Goal: a trace of any length replays in the same memory. Method: few pages and many requests; what a replay
/// allocates in all, managed or native, stays far below the smallest form in which the requests could be kept.
/// </summary>
[TestFixture, NonParallelizable]
public sealed class StreamingTests
{
    // The ring of blocks in two numberings is 4 MiB, the block of ids half a MiB; the rest is for cells and maps.
    private const long AllocatedBytesMax = 10L << 20;

    private static readonly string[] s_policies = ["fifo,lru,linux-3.15,linux-6"];

    [Test]
    public void ALongReplayAllocatesNoMoreThanAShortOne([ValueSource(nameof(s_policies))] string policies) =>
        AssertBounded(TraceSource.Parse("uniform:objects=5000,requests=4000000,seed=1"), policies, 4_000_000);

    [Test, Explicit("seconds of work")]
    public void AVeryLongReplayAllocatesNoMore([ValueSource(nameof(s_policies))] string policies) =>
        AssertBounded(TraceSource.Parse("zipf:objects=5000,requests=50000000,seed=1"), policies, 50_000_000);

    [Test]
    public void ACompressedFileIsNeverHeldAsAWhole()
    {
        const int Requests = 3_000_000;
        string path = Path.GetTempFileName();
        try
        {
            using (GZipStream gzip = new(File.Create(path), CompressionLevel.Fastest))
            using (StreamWriter writer = new(gzip))
                for (int i = 0; i < Requests; i++) writer.WriteLine(1_000_000_000_000L + (i * 7919L % 5000));
            AssertBounded(TraceSource.Parse(path), "lru", Requests);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void AssertBounded(ITraceSource source, string policies, long requests)
    {
        long nativeBefore = MemoryMeter.Process.OutstandingBytes;
        long managedBefore = GC.GetTotalAllocatedBytes(precise: true);
        long nativeMost = 0;
        IReadOnlyList<ReplayResult> results = TraceReplay.Run(source, new ReplayOptions
        {
            Policies = PolicySpec.ParseList(policies),
            Sizes = CacheSize.ParseFrames("500"),
        }, _ => nativeMost = Math.Max(nativeMost, MemoryMeter.Process.OutstandingBytes), CancellationToken.None);
        long managed = GC.GetTotalAllocatedBytes(precise: true) - managedBefore;

        TestContext.Out.WriteLine($"{managed} managed and {nativeMost - nativeBefore} native bytes");
        Assert.That(results, Has.All.Property(nameof(ReplayResult.Requests)).EqualTo(requests));
        Assert.That(requests * 4, Is.GreaterThan(AllocatedBytesMax), "kept requests would not fit");
        Assert.That(managed + nativeMost - nativeBefore, Is.LessThan(AllocatedBytesMax));
        Assert.That(MemoryMeter.Process.OutstandingBytes, Is.EqualTo(nativeBefore), "all native memory is given back");
    }
}
