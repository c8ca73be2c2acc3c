// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Frames;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;

namespace PerfCache.GuestTests;

/// <summary>Pages of the cache lie on the nodes where it says, before and after it exchanged their frames.</summary>
internal static class ExchangeChecks
{
    private const uint Pages = 300;

    internal static IReadOnlyList<GuestCheck> All { get; } =
    [
        new("exchanged-pages-are-on-their-node-with-their-contents", GuestKind.Any, _ => Exchanged()),
    ];

    private static void Exchanged()
    {
        NumaTopology topology = NumaTopology.Read();
        int[] nodes = [.. topology.MemoryNodes.Numbers];
        int caller = nodes[0];
        using PageCache<LinuxRules<Linux6>> cache = new(
            PageCacheOptions.ForFrames((uint)(2048 * nodes.Length)) with
            {
                BackgroundReclaim = false,
                Nodes = new NodeOptions { Topology = topology, CallerNode = () => caller },
            },
            new LinuxRules<Linux6>());
        ObjectId owner = cache.AddObject(source: null, Pages);
        byte[] bytes = new byte[GuestMemory.PageBytes];
        for (uint page = 0; page < Pages; page++)
        {
            bytes.AsSpan().Fill((byte)(page * 7));
            Expect.That(cache.TryAdd(owner, page, bytes), $"page {page} is added");
        }

        ExpectPages(cache, owner, nodes[0], "when added");
        foreach (int node in nodes.Reverse())
        {
            MigrationReport report = cache.Migrate(MigrationRequest.OfRange(owner, 0, Pages, node));
            Expect.Equal(report.Moved, Pages - report.AlreadyThere, $"pages moved to {node}: {report}");
            ExpectPages(cache, owner, node, $"after the exchange to node {node}");
        }
    }

    private static unsafe void ExpectPages(PageCache<LinuxRules<Linux6>> cache, ObjectId owner, int node, string when)
    {
        int[] found = new int[Pages];
        for (uint page = 0; page < Pages; page++)
        {
            using PageLease lease = cache.Get(owner, page);
            Expect.That(!lease.Span.ContainsAnyExcept((byte)(page * 7)), $"bytes of page {page} {when}");
            fixed (byte* first = lease.Span)
            {
                Expect.Equal(
                    NumaSystem.OfThisMachine.Query(0, [(nint)first], found.AsSpan((int)page, 1)), 0, "error of the query");
            }

            Expect.Equal(cache.FindNode(owner, page), node, $"what the cache says of page {page} {when}");
        }

        Expect.Each<int>(found, _ => node, when);
    }
}
