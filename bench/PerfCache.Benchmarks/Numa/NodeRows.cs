// SPDX-License-Identifier: MIT
using PerfCache.Benchmarks.Hits;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Benchmarks.Numa;

/// <summary>What does it cost that an allocation names a node? The pools of one and of four nodes against the plain pool.
/// </summary>
internal static class NodeRows
{
    private const int Burst = 64;
    private const uint Frames = 100_000;

    internal static Row[] All { get; } =
    [
        new("allocate-one", "allocate and free 64 frames, one node, against the plain pool", 1.1, _ => Allocate(1)),
        new("allocate-four", "the same, four nodes, all asked by turns", 1.1, _ => Allocate(4)),
        new(
            "fallback", "the same, the node that is asked is empty: each allocation falls back", null,
            _ => Allocate(4, empty: true)),
    ];

    private static RowResult Allocate(int nodes, bool empty = false)
    {
        MemoryMeter meter = new();
        using FrameTable plainFrames = new(Frames, 0, meter);
        using FrameTable nodeFrames = new(Frames, 0, meter);
        FramePool plain = new(plainFrames, 0, 1, Frames);
        uint[] counts = [.. Enumerable.Repeat(Frames / (uint)nodes, nodes)];
        NodePools pools = new(nodeFrames, new NodeLayout(counts, (_, _) => 20));
        if (empty) while (!pools[0].Allocate().IsNone) { }
        return RowResult.Of(PairedCpuTime.Measure(
            new Side("plain pool", _ => PassPlain(plain)),
            new Side("node pools", _ => PassNodes(pools, empty ? 1 : nodes)), threads: 1, pairs: 15, warmUps: 3));
    }

    private static long PassPlain(FramePool pool)
    {
        Span<FrameId> taken = stackalloc FrameId[Burst];
        const int Rounds = 50_000;
        for (int round = 0; round < Rounds; round++)
        {
            for (int i = 0; i < Burst; i++) taken[i] = pool.Allocate();
            for (int i = 0; i < Burst; i++) pool.Free(taken[i]);
        }

        return (long)Rounds * Burst;
    }

    private static long PassNodes(NodePools pools, int nodes)
    {
        Span<FrameId> taken = stackalloc FrameId[Burst];
        const int Rounds = 50_000;
        for (int round = 0; round < Rounds; round++)
        {
            int node = round & (nodes - 1);
            for (int i = 0; i < Burst; i++) taken[i] = pools.Allocate(node);
            for (int i = 0; i < Burst; i++) pools.Free(taken[i]);
        }

        return (long)Rounds * Burst;
    }
}
