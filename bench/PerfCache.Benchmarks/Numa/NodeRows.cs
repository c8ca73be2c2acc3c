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
    private const int Pools = 15;
    private const int GapBytes = 200;

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
        new("insert-one", "insert a page and evict another, a cache on one node, against one without nodes", null, _ => Insert(1)),
        new("insert-four", "the same, four nodes, placed by their numbers", null, _ => Insert(4)),
    ];

    private static RowResult Allocate(int nodes, bool empty = false, bool freesAny = false)
    {
        MemoryMeter meter = new();
        List<FrameTable> tables = [];
        List<FramePool> plain = [];
        List<NodePools> pools = [];
        // A pool's fields, its links and the caller's stack are a few lines that are written and read again at once, and
        // which of them lie at the same place of their memory pages decides up to a fifth: so each pass has pools of its own.
        List<byte[]> gaps = [];
        for (int i = 0; i < Pools; i++)
        {
            tables.Add(new FrameTable(Frames, 0, meter));
            plain.Add(new FramePool(tables[^1], 0, 1, Frames));
            gaps.Add(new byte[GapBytes * i]);
            uint[] counts = [.. Enumerable.Repeat(Frames / (uint)nodes, nodes)];
            tables.Add(new FrameTable(Frames, 0, meter));
            pools.Add(new NodePools(tables[^1], new NodeLayout(counts, (_, _) => 20)));
            if (empty) while (!pools[i][0].Allocate().IsNone) { }
        }

        int plainPass = 0;
        int nodePass = 0;
        RowResult result = RowResult.Of(PairedCpuTime.Measure(
            new Side("plain pool", _ => PassPlain(plain[plainPass++ % Pools])),
            new Side("node pools", _ => PassNodes(pools[nodePass++ % Pools], empty ? 1 : nodes, freesAny)),
            threads: 1, pairs: Pools, warmUps: 3));
        GC.KeepAlive(gaps);
        foreach (FrameTable table in tables) table.Dispose();
        return result;
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

    // Out of line and by index on both sides: with the outer loops around them, or with a reference to the element,
    // whichever side had one variable more kept one in memory, and that was measured.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Take(FramePool pool, Span<FrameId> taken)
    {
        for (int i = 0; i < taken.Length; i++) taken[i] = pool.Allocate();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Give(FramePool pool, ReadOnlySpan<FrameId> taken)
    {
        foreach (FrameId frame in taken) pool.Free(frame);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Take(NodePools pools, int node, Span<FrameId> taken)
    {
        for (int i = 0; i < taken.Length; i++) taken[i] = pools.PoolFor(node, ulong.MaxValue)!.Allocate();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Give(NodePools pools, ReadOnlySpan<FrameId> taken)
    {
        foreach (FrameId frame in taken) pools.Free(frame);
    }
}
