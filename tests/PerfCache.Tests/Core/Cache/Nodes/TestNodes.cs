// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Cache.Nodes;

/// <summary>Emulated nodes in a row: each is 10 further from the next. The caller is where the test says.</summary>
internal sealed class TestNodes
{
    /// <param name="count">How many.</param>
    internal TestNodes(int count)
    {
        int[][] rows = [.. Enumerable.Range(0, count).Select(
            from => Enumerable.Range(0, count).Select(to => 10 + (10 * Math.Abs(from - to))).ToArray())];
        Topology = NumaTopology.Read().Emulate(NumaDistances.OfMatrix(rows));
    }

    internal NumaTopology Topology { get; }

    /// <summary>The number of the node that callers are said to run on.</summary>
    internal int Caller { get; set; }

    internal NodeOptions Options => new() { Topology = Topology, CallerNode = () => Caller };

    /// <summary>Options of a cache with exactly so many frames, dealt out in equal parts.</summary>
    internal PageCacheOptions CacheOptions(uint frames, Func<NodeOptions, NodeOptions>? change = null) =>
        PageCacheOptions.ForFrames(frames) with
        {
            BackgroundReclaim = false,
            Patience = TimeSpan.FromMilliseconds(200),
            Nodes = change is null ? Options : change(Options),
        };
}
