// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.GuestTests;

/// <summary>What happens when a node has no memory left.</summary>
internal static class FullNode
{
    internal static IReadOnlyList<GuestCheck> All { get; } =
    [
        new("a-full-node-falls-back-by-distance-and-is-counted", GuestKind.Any, FallBack),
        new("a-full-node-fails-when-that-is-asked-and-gives-all-back", GuestKind.Any, Fail),
    ];

    /// <summary>Takes all memory of a node that an ordinary process can get, and some of its neighbours'.</summary>
    internal static PageMemory Fill(int node, GuestKind kind)
    {
        NumaTopology topology = NumaTopology.Read();
        uint frames = (uint)((topology.Node(node).FreeBytes ?? 0) / GuestMemory.PageBytes) + 2048;
        PageMemory hog = new(frames, GuestMemory.PageBytes, new MemoryMeter(), new PageMemoryOptions
        {
            HugePages = HugePageUse.Never,
        });
        hog.EnsureFrames(frames);
        PlacementReport report = hog.Place(new FrameId(1), frames, NumaPlacement.Bind(node));
        Console.Out.WriteLine($"note: filled node {node} of {kind}: {report}");
        Expect.That(report.FallbackPages > 0, $"node {node} is full: {report}");
        Expect.Equal(report.IsSampled, false, "sampled");
        return hog;
    }

    private static void FallBack(GuestKind kind)
    {
        NumaTopology topology = NumaTopology.Read();
        int small = topology.MemoryNodes.Numbers[^1];
        using PageMemory hog = Fill(small, kind);
        PlacementReport report = hog.Residency(new FrameId(1), hog.FrameCount, NumaPlacement.Bind(small), int.MaxValue);
        int nearest = topology.NodesByDistance(small)[1].Number;
        Expect.Equal(report.PagesOnNode.GetValueOrDefault(small) + report.FallbackPages, hog.FrameCount, $"pages: {report}");
        Expect.Sequence(report.PagesOnNode.Keys.Order(), new[] { small, nearest }.Order(), "the node and its nearest");

        // Each page for itself: what the report counts is what a query of ours finds.
        int[] statuses = new int[hog.FrameCount];
        nint[] addresses = [.. Enumerable.Range(1, statuses.Length).Select(frame => AddressOf(hog, frame))];
        Expect.Equal(NumaSystem.OfThisMachine.Query(0, addresses, statuses), 0, "error of the query");
        Expect.Equal(statuses.LongCount(status => status == nearest), report.FallbackPages, "pages on the nearest node");
    }

    private static void Fail(GuestKind kind)
    {
        NumaTopology topology = NumaTopology.Read();
        int small = topology.MemoryNodes.Numbers[^1];
        using PageMemory hog = Fill(small, kind);
        using PageMemory wanted = new(4096, GuestMemory.PageBytes, new MemoryMeter());
        wanted.EnsureFrames(4096);
        string complaint = Expect.Throws<NativeMemoryException>(
            () => wanted.Place(new FrameId(1), 4096, NumaPlacement.Bind(small), NodeFullPolicy.Fail));
        Expect.That(
            complaint.Contains($"not all of it fits on bind:{small}", StringComparison.Ordinal), complaint);
        Expect.Equal(wanted.DiscardedFrames, 4096u, "frames given back");
        Expect.Equal(wanted.CommittedBytes, 0, "bytes charged");
    }

    private static unsafe nint AddressOf(PageMemory memory, int frame) => (nint)memory.Address(new FrameId((uint)frame));
}
