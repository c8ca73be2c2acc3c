// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Benchmarks.Hits;
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Placement;
using PerfCache.Policies.Replacement;
using PerfCache.Pools;

namespace PerfCache.Benchmarks.Numa;

/// <summary>What does it cost that an allocation names a node? The pools of one and of four nodes against the plain pool,
/// and what is left of it in a miss: insertions into a cache on nodes against one that knows none.</summary>
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
            _ => Allocate(4, empty: true, freesAny: true)),
        new(
            "free-any", "four nodes, frames freed by somebody who does not know their node, as readers' limbo does", null,
            _ => Allocate(4, freesAny: true)),
        new("insert-one", "insert a page and evict another, a cache on one node, against one without nodes", 1.1, _ => Insert(1)),
        new("insert-four", "the same, four nodes, placed by their numbers", 1.1, _ => Insert(4)),
    ];

    private static RowResult Allocate(int nodes, bool empty = false, bool freesAny = false)
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
            new Side("node pools", _ => PassNodes(pools, empty ? 1 : nodes, freesAny)), threads: 1, pairs: 15, warmUps: 3));
    }

    private static RowResult Insert(int nodes)
    {
        const uint InCache = 25_000;
        PageCacheOptions options = PageCacheOptions.ForFrames(InCache) with { BackgroundReclaim = false };
        NumaTopology topology = NumaTopology.Read().Emulate(NumaDistances.Uniform(nodes, 10, 20));
        using PageCache<LinuxRules<Linux6>> plain = new(options, new LinuxRules<Linux6>());
        using PageCache<LinuxRules<Linux6>> onNodes = new(
            options with { Nodes = new NodeOptions { Topology = topology, Placement = new InterleavePlacement(whenFull: NodeFull.Reclaim) } },
            new LinuxRules<Linux6>());
        return RowResult.Of(PairedCpuTime.Measure(
            new Side("without nodes", Inserter(plain)), new Side("on nodes", Inserter(onNodes)), threads: 1, pairs: 15,
            warmUps: 3));
    }

    /// <summary>Pages in order, over and over, of which a quarter is resident: each is missed.</summary>
    private static Func<int, long> Inserter(PageCache<LinuxRules<Linux6>> cache)
    {
        const ulong Pages = 100_000;
        ObjectId owner = cache.AddObject(source: null, Pages);
        return _ =>
        {
            for (ulong page = 0; page < Pages; page++) cache.TryAdd(owner, page, default(NoBytes));
            return (long)Pages;
        };
    }

    /// <summary>Leaves the page as it is: filling it would cost more than all else.</summary>
    private readonly struct NoBytes : IPageFiller
    {
        public void Fill(Span<byte> page)
        {
        }
    }

    private static long PassPlain(FramePool pool)
    {
        Span<FrameId> taken = stackalloc FrameId[Burst];
        const int Rounds = 50_000;
        for (int round = 0; round < Rounds; round++)
        {
            Take(pool, taken);
            Give(pool, taken);
        }

        return (long)Rounds * Burst;
    }

    private static long PassNodes(NodePools pools, int nodes, bool freesAny)
    {
        Span<FrameId> taken = stackalloc FrameId[Burst];
        const int Rounds = 50_000;
        for (int round = 0; round < Rounds; round++)
        {
            int node = round & (nodes - 1);
            Take(pools, node, taken);
            // Reclaim frees frames of one node, whose pool it has in hand.
            if (freesAny) Give(pools, taken);
            else Give(pools.PoolFor(node, ulong.MaxValue)!, taken);
        }

        return (long)Rounds * Burst;
    }

    // Out of line on both sides: with the outer loops around them, whichever side had one variable more kept its
    // counters in memory, and that was measured.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Take(FramePool pool, Span<FrameId> taken)
    {
        foreach (ref FrameId frame in taken) frame = pool.Allocate();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Give(FramePool pool, ReadOnlySpan<FrameId> taken)
    {
        foreach (FrameId frame in taken) pool.Free(frame);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Take(NodePools pools, int node, Span<FrameId> taken)
    {
        foreach (ref FrameId frame in taken) frame = pools.PoolFor(node, ulong.MaxValue)!.Allocate();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Give(NodePools pools, ReadOnlySpan<FrameId> taken)
    {
        foreach (FrameId frame in taken) pools.Free(frame);
    }
}
