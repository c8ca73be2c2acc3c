// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Simulation.Curves;

namespace PerfCache.Tests.Simulation.Curves;

/// <summary>
/// Goal: every single distance is right, across words, groups, sections, regions and renumberings of the axis. Method: a
/// naive twin, request by request; where it is too slow, workloads whose distances are known beforehand.
/// </summary>
[TestFixture]
public sealed class StackDistancesTests
{
    private static uint[] Distances(StackDistances stack, uint[] pages, int pieceLength)
    {
        uint[] distances = new uint[pages.Length];
        for (int start = 0; start < pages.Length; start += pieceLength)
        {
            int count = Math.Min(pieceLength, pages.Length - start);
            stack.Measure(pages.AsSpan(start, count), distances.AsSpan(start, count));
        }

        return distances;
    }

    private static uint[] Pages(string workload, int count, Random random) => workload switch
    {
        "uniform" => [.. Enumerable.Range(0, count).Select(_ => (uint)random.Next(300))],
        "hot set" => [.. Enumerable.Range(0, count).Select(i =>
            random.Next(10) < 8 ? (uint)random.Next(20) : (uint)(20 + random.Next(1000)))],
        "loop" => [.. Enumerable.Range(0, count).Select(i => (uint)(i % 257))],
        "repeats" => [.. Enumerable.Range(0, count).Select(i => (uint)(i / 3 % 50))],
        "scan" => [.. Enumerable.Range(0, count).Select(i => (uint)i)],
        "back and forth" => [.. Enumerable.Range(0, count).Select(i => (uint)Math.Abs((i % 400) - 200))],
        _ => throw new ArgumentException(workload),
    };

    // 150,000 requests renumber the smallest axis, of 65,536 slots, twice; the scan makes it grow.
    [Test]
    public void Every_distance_is_that_of_the_naive_stack(
        [Values("uniform", "hot set", "loop", "repeats", "back and forth")] string workload,
        [Values(1, 61, 64, 5000)] int pieceLength)
    {
        uint[] pages = Pages(workload, 150_000, TestSeed.Random(71));
        using StackDistances stack = new();
        uint[] distances = Distances(stack, pages, pieceLength);
        NaiveStack naive = new();
        for (int i = 0; i < pages.Length; i++)
        {
            uint expected = naive.Measure(pages[i]);
            if (distances[i] != expected)
                Assert.Fail($"request {i}, page {pages[i]}: {distances[i]} instead of {expected}");
        }

        Assert.That(stack.Pages, Is.EqualTo(naive.Count));
    }

    // Goal: the levels above a group. Method: a loop over n pages has the distance n from its second turn on, and its
    // turn backwards the distances 1, 2, 3, ...; 700,000 pages span ten sections, and the turns span regions.
    [Test]
    public void A_loop_over_many_pages_has_one_distance_and_its_reverse_all_of_them()
    {
        const int Count = 700_000;
        uint[] pages = [.. Enumerable.Range(0, Count).Select(i => (uint)i)];
        using StackDistances stack = new();
        Assert.That(Distances(stack, pages, 4096), Is.All.Zero);
        for (int turn = 0; turn < 4; turn++) Assert.That(Distances(stack, pages, 1000), Is.All.EqualTo(Count));
        Array.Reverse(pages);
        Assert.That(Distances(stack, pages, 4096), Is.EqualTo(Enumerable.Range(1, Count)));
    }

    // Goal: sums over many regions, with marks removed from each. Method: every other page of a long scan is requested
    // again in order; page 2k then has seen the later part of the scan and the k pages that came back before it.
    [Test]
    public void Marks_that_vanish_are_taken_from_all_counts_behind_them()
    {
        const int Count = 5_000_000;
        using StackDistances stack = new(96L << 16);
        uint[] pages = new uint[Count];
        for (int i = 0; i < Count; i++) pages[i] = (uint)i;
        _ = Distances(stack, pages, 1 << 16);
        uint[] even = [.. pages.Where(page => page % 2 == 0).Take(1_000_000)];
        uint[] distances = Distances(stack, even, 1 << 16);
        for (int k = 0; k < even.Length; k++)
        {
            if (distances[k] != (uint)(Count - (2 * k) + k)) Assert.Fail($"page {2 * k}: {distances[k]}");
        }
    }

    [Test]
    public void A_forgotten_page_comes_back_as_new_and_the_others_close_up()
    {
        Random random = TestSeed.Random(72);
        using StackDistances stack = new();
        NaiveStack naive = new();
        HashSet<uint> present = [];
        uint[] one = new uint[1];
        for (int i = 0; i < 200_000; i++)
        {
            uint page = (uint)random.Next(200);
            if (present.Contains(page) && random.Next(3) == 0)
            {
                stack.Forget(page);
                naive.Forget(page);
                present.Remove(page);
                continue;
            }

            stack.Measure([page], one);
            present.Add(page);
            if (one[0] != naive.Measure(page)) Assert.Fail($"step {i}, page {page}");
        }

        Assert.That(stack.Pages, Is.EqualTo(present.Count));
        Assert.That(() => stack.Forget(1_000_000), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Memory_follows_the_pages_and_not_the_length_of_the_trace()
    {
        uint[] pages = Pages("uniform", 100_000, TestSeed.Random(73));
        using StackDistances stack = new();
        _ = Distances(stack, pages, 4096);
        long bytes = stack.Bytes;
        for (int i = 0; i < 30; i++) _ = Distances(stack, pages, 4096);
        Assert.That(stack.Bytes, Is.EqualTo(bytes));
        Assert.That(bytes, Is.LessThan(64 * 1024), "the smallest axis and one step of the column");
    }

    [Test]
    public void All_memory_is_given_back()
    {
        long before = MemoryMeter.Process.OutstandingBytes;
        using (StackDistances stack = new()) _ = Distances(stack, [1, 2, 3], 3);
        Assert.That(MemoryMeter.Process.OutstandingBytes, Is.EqualTo(before));
    }
}
