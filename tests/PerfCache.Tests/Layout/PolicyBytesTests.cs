// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Layout;

/// <summary>
/// Goal: no policy takes more than 48 native bytes for each frame and each ghost that it has, index included, id map
/// apart. Method: a scan over twice the pages that it can remember, so that all frames and ghosts are in use, with dense
/// numbers; then what the cell says of itself.
/// </summary>
internal sealed class PolicyBytesTests
{
    private const int BytesMax = 48;

    [TestCase("clock", 0)]
    [TestCase("sieve", 0)]
    [TestCase("s3fifo", 0.9)]
    [TestCase("s3fifo:ghost=2", 2)]
    [TestCase("lfu", 0)]
    [TestCase("belady", 0)]
    public void AFrameAndAGhostTakeAtMost48Bytes(string policy, double ghostsOfFrame)
    {
        const int Frames = 100_000;
        long rows = Frames + (long)(Frames * ghostsOfFrame);
        using ReplayCell cell = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse(policy), Frames);
        uint[] pages = [.. Enumerable.Range(0, (int)rows * 2).Select(page => (uint)page)];
        // A use that is far away, so that nothing is left out of what a clairvoyant policy keeps.
        uint[] nextUses = Array.ConvertAll(pages, page => (uint)(pages.Length * 2) - page);
        cell.Replay(new(pages, []) { NextUses = nextUses }, []);
        double bytes = (double)cell.NativeBytes / rows;
        TestContext.Out.WriteLine($"{policy}: {bytes:0.00} bytes for each of {rows} frames and ghosts");
        Assert.That(cell.Counts.Misses, Is.EqualTo(pages.Length), "a scan misses every page");
        Assert.That(bytes, Is.LessThanOrEqualTo(BytesMax));
    }
}
