// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Attributes;
using PerfCache.Cli.Bench;
using PerfCache.Simulation.Replay;

namespace PerfCache.Benchmarks;

/// <summary>
/// How far is each policy's replay from the floor? The floor is the baseline, so the ratio column is the
/// answer. The two sizes are those of <c>perfcache bench</c>: beyond a core's own caches, and within them. A
/// pass changes the cache, so every iteration starts with an empty one and is one invocation.
/// </summary>
[MemoryDiagnoser]
public class ReplayFloorBenchmarks
{
    private const int RequestCount = 10_000_000;

    private uint[] _requests = [];
    private LruFloor? _floor;
    private ReplayCell? _cell;

    /// <summary>Pages requested.</summary>
    [Params(1_000_000, 100_000)]
    public int Pages { get; set; }

    /// <summary>The policy of the candidate.</summary>
    [Params("lru", "linux-6", "fifo", "linux-3.15")]
    public string Policy { get; set; } = "lru";

    private int Frames => Pages / 10;

    [GlobalSetup]
    public void MakeRequests()
    {
        _requests = FloorWorkload.Zipf(Pages, RequestCount, alpha: 1.0, seed: 1);
        _floor = new LruFloor(Pages, Frames);
    }

    [IterationSetup(Target = nameof(Floor))]
    public void EmptyFloor() => _floor!.Reset();

    [IterationSetup(Target = nameof(Replay))]
    public void EmptyCell()
    {
        _cell?.Dispose();
        _cell = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse(Policy), Frames);
    }

    [GlobalCleanup]
    public void FreeCell() => _cell?.Dispose();

    [Benchmark(Baseline = true, OperationsPerInvoke = RequestCount)]
    public long Floor() => _floor!.RunUnchecked(_requests);

    [Benchmark(OperationsPerInvoke = RequestCount)]
    public long Replay() => FloorRatios.ReplayAll(_cell!, _requests);
}
