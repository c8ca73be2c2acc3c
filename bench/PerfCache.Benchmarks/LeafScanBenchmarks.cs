// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Attributes;
using PerfCache.Index;

namespace PerfCache.Benchmarks;

/// <summary>
/// How much faster do vectors find the slots of a leaf that hold a frame than a loop over its 64 slots? The slots are
/// mixed at random, 256 leaves in turn (64 KiB: within a core's second cache).
/// </summary>
[MedianColumn]
[MinColumn]
[MaxColumn]
public class LeafScanBenchmarks
{
    private const int LeafCount = 256;

    private readonly uint[] _slots = new uint[LeafCount * IndexBlocks.SlotCount];

    [GlobalSetup]
    public void FillLeaves()
    {
        Random random = new(1);
        for (int i = 0; i < _slots.Length; i++)
            _slots[i] = random.Next(3) switch { 0 => 0, 1 => ((uint)i << 2) | 1, _ => ((uint)i << 2) | 2 };
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = LeafCount)]
    public ulong OneByOne()
    {
        ulong all = 0;
        for (int leaf = 0; leaf < LeafCount; leaf++) all ^= LeafScan.Scalar<FrameTest>(Leaf(leaf));
        return all;
    }

    [Benchmark(OperationsPerInvoke = LeafCount)]
    public ulong ByVectors()
    {
        ulong all = 0;
        for (int leaf = 0; leaf < LeafCount; leaf++) all ^= LeafScan.Frames(Leaf(leaf));
        return all;
    }

    private ReadOnlySpan<uint> Leaf(int leaf) => _slots.AsSpan(leaf * IndexBlocks.SlotCount, IndexBlocks.SlotCount);
}
