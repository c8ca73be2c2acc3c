// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>
/// Goal: how a trace is cut into blocks, whether outcomes are wanted and whether a cell looks ahead changes nothing.
/// Method: requests with many repeats, so that cuts fall between them, in blocks of several lengths against one block.
/// </summary>
[TestFixture]
public sealed class CacheReplayCellTests
{
    private const int RequestCount = 6000;

    [Test]
    public void BlocksOutcomesAndLookAheadDoNotChangeTheCounts(
        [Values("fifo", "lru", "linux-3.15", "linux-6", "clock", "sieve", "s3fifo", "lfu", "belady",
            "2q", "arc", "lirs", "wtinylfu", "wtinylfu:doorkeeper=true,adaptive=true")]
        string policy, [Values] bool hasFiles,
        [Values(1, 2, 33, 1000)] int blockLength, [Values] bool wantsOutcomes, [Values] bool looksAhead)
    {
        (uint[] pages, int[] files) = Requests();
        if (!hasFiles) files = [];
        uint[] nextUses = NextUsesOf(pages);
        byte[] expectedOutcomes = new byte[pages.Length];
        using ReplayCell whole = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse(policy), 50);
        whole.Replay(new(pages, files) { NextUses = nextUses }, expectedOutcomes);

        byte[] outcomes = new byte[wantsOutcomes ? pages.Length : 0];
        using ReplayCell cell = PolicyCatalog.BuiltIn.Create(PolicySpec.Parse(policy), 50);
        cell.LookAhead = looksAhead;
        for (int start = 0; start < pages.Length; start += blockLength)
        {
            int length = Math.Min(blockLength, pages.Length - start);
            ReplayRequests requests = new(pages.AsSpan(start, length), hasFiles ? files.AsSpan(start, length) : [])
            {
                NextUses = nextUses.AsSpan(start, length),
            };
            cell.Replay(requests, wantsOutcomes ? outcomes.AsSpan(start, length) : []);
        }

        Assert.That(cell.Counts, Is.EqualTo(whole.Counts));
        Assert.That(Resident(cell), Is.EqualTo(Resident(whole)));
        if (wantsOutcomes) Assert.That(outcomes.AsSpan().SequenceEqual(expectedOutcomes), "every outcome");
    }

    private static List<uint> Resident(ReplayCell cell)
    {
        List<uint> pages = [];
        cell.VisitResident(pages.Add);
        return pages;
    }

    private static uint[] NextUsesOf(uint[] pages) =>
        [.. pages.Select((page, i) => (uint)Array.IndexOf(pages, page, i + 1))];

    private static (uint[] Pages, int[] Files) Requests()
    {
        Random random = TestSeed.Random(77);
        uint[] pages = new uint[RequestCount];
        int[] files = new int[RequestCount];
        for (int i = 0; i < RequestCount; i++)
        {
            bool repeats = i > 0 && random.Next(3) == 0;
            pages[i] = repeats ? pages[i - 1] : (uint)(random.NextDouble() * random.NextDouble() * 200);
            files[i] = repeats && random.Next(4) > 0 ? files[i - 1] : random.Next(5);
        }

        return (pages, files);
    }
}
