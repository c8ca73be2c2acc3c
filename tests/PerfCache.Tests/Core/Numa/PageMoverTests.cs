// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Numa;

namespace PerfCache.Tests.Core.Numa;

/// <summary>
/// Goal: whatever a system says and does, the mover ends, counts every page once, and tells what is true. Method: a
/// scripted system that lies, refuses and forgets as real ones were seen to.
/// </summary>
internal sealed class PageMoverTests
{
    private const int Page = ScriptedSystem.Page;
    private const nint Start = 64 * ScriptedSystem.HugePage;

    private ScriptedSystem _system = null!;

    [SetUp]
    public void MakeSystem() => _system = new ScriptedSystem();

    [Test]
    public void Ordinary_pages_go_in_large_batches_and_one_more_address_for_each_block()
    {
        _system.With(Start, 4096, node: 0);
        MoveStatistics statistics = RunAll(Start, 4096, new MoveLimits { BatchPages = 2048 });
        Assert.That((statistics.MovedPages, statistics.MovedBytes), Is.EqualTo((4096, 4096L * Page)));
        Assert.That(_system.Calls.Select(call => call.Length), Is.EqualTo(new[] { 8, 2048, 2040 }));
        Assert.That((statistics.Batches, statistics.Retries, statistics.CorrectedStatuses), Is.EqualTo((3, 0, 0)));
    }

    [Test]
    public void Huge_pages_go_by_one_address_each()
    {
        _system.With(Start, 2048, node: 0, hugePages: true);
        MoveStatistics statistics = RunAll(Start, 2048);
        Assert.That(statistics.MovedPages, Is.EqualTo(2048));
        Assert.That(_system.Calls.Single(), Is.EqualTo(Enumerable.Range(0, 4).Select(block => Start + block * 512 * Page)));
    }

    [Test]
    public void A_page_said_to_be_busy_that_is_on_its_target_counts_as_moved()
    {
        // What Linux says of a further address of a huge page. The run begins within one, so it has no whole block.
        _system.With(Start, 512, node: 0, hugePages: true);
        int asked = 0;
        _system.OnMove = (_, target) => (asked++ == 1 ? NumaStatus.Busy : target, true);
        MoveStatistics statistics = RunAll(Start + Page, 100);
        Assert.That((statistics.MovedPages, statistics.CorrectedStatuses), Is.EqualTo((100, 1)));
        Assert.That(statistics.FailedPages, Is.Empty);
    }

    [Test]
    public void Success_without_a_move_is_a_broken_promise_and_fails_after_the_retries()
    {
        _system.With(Start, 600, node: 0);
        _system.OnMove = (_, target) => (target, false);
        MoveStatistics statistics = RunAll(Start, 600, new MoveLimits { RetriesMax = 2 });
        Assert.That(statistics.MovedPages, Is.Zero);
        Assert.That(statistics.FailedPages, Is.EqualTo(new Dictionary<int, long> { [NumaStatus.Busy] = 600 }));
        Assert.That(statistics.BrokenPromises, Is.EqualTo(3 * 89), "the block's first address and the rest's 88, each pass");
        Assert.That(statistics.Retries, Is.EqualTo(1200));
    }

    [Test]
    public void A_status_that_was_left_out_says_nothing()
    {
        _system.With(Start, 10, node: 0);
        _system.OnMove = (address, _) => (NumaStatus.NotTold, address != Start);
        MoveStatistics statistics = RunAll(Start, 10, new MoveLimits { RetriesMax = 1 });
        Assert.That((statistics.MovedPages, statistics.CorrectedStatuses, statistics.Retries), Is.EqualTo((9, 9, 1)));
        Assert.That(statistics.FailedPages, Is.EqualTo(new Dictionary<int, long> { [NumaStatus.NotTold] = 1 }));
    }

    [Test]
    public void A_page_that_is_busy_once_is_moved_by_the_next_pass()
    {
        _system.With(Start, 1024, node: 0);
        HashSet<nint> seen = [];
        _system.OnMove = (address, target) =>
            address / Page % 7 == 0 && seen.Add(address) ? (NumaStatus.Busy, false) : (target, true);
        MoveStatistics statistics = RunAll(Start, 1024);
        Assert.That(statistics.MovedPages, Is.EqualTo(1024));
        Assert.That(statistics.FailedPages, Is.Empty);
        Assert.That(_system.NodeOfPage.Values, Is.All.EqualTo(1));
    }

    [Test]
    public void What_was_never_touched_is_no_failure_and_what_cannot_be_is_not_tried_again()
    {
        _system.With(Start, 4, node: 0).With(Start + 4 * Page, 2, NumaStatus.NotMapped);
        _system.OnMove = (address, target) =>
            address == Start ? (NumaStatus.MappedBySeveral, false) : (target, true);
        MoveStatistics statistics = RunAll(Start, 10);
        Assert.That((statistics.MovedPages, statistics.UntouchedPages), Is.EqualTo((3, 4)));
        Assert.That(statistics.FailedPages, Is.EquivalentTo(
            new Dictionary<int, long> { [NumaStatus.MappedBySeveral] = 1, [NumaStatus.NotMapped] = 2 }));
        Assert.That((statistics.Batches, statistics.Retries), Is.EqualTo((1, 0)));
    }

    [Test]
    public void A_refused_call_ends_the_run_and_the_rest_remains()
    {
        _system.With(Start, 5000, node: 0);
        _system.Error = 1;
        PageMover mover = new(_system, PlanOf(Start + Page, 4000), new MoveLimits { BatchPages = 512 });
        mover.Prepare();
        Assert.That(mover.Run(), Is.EqualTo((0L, true)));
        Assert.That((mover.IsDone, mover.Error), Is.EqualTo((true, 1)));
        MoveStatistics statistics = mover.Statistics;
        Assert.That(statistics.FailedPages.Keys, Is.EqualTo(new[] { -1 }));
        Assert.That(statistics.FailedPages[-1] + statistics.RemainingPages, Is.EqualTo(4000));
    }

    [Test]
    public void A_kernel_short_of_memory_is_tried_again()
    {
        _system.With(Start, 8, node: 0);
        _system.Error = 12;
        PageMover mover = new(_system, PlanOf(Start, 8), new MoveLimits());
        mover.Prepare();
        Assert.That(mover.Run(), Is.EqualTo((0L, true)));
        _system.Error = 0;
        mover.Prepare();
        mover.Run();
        Assert.That((mover.IsDone, mover.Statistics.MovedPages), Is.EqualTo((true, 8)));
    }

    [Test]
    public void Every_page_counts_once_whatever_happens()
    {
        // Random plans over huge, ordinary, untouched and unmapped pages, and a system that lies, refuses and forgets:
        // after each batch V1 holds, and at the end what is said to be on the target is exactly what is there.
        Random random = TestSeed.Random(17);
        for (int round = 0; round < 60; round++)
        {
            _system = new ScriptedSystem();
            for (int block = 0; block < 6; block++)
            {
                nint address = Start + block * 512 * (nint)Page;
                if (random.Next(3) == 0) _system.With(address, 512, node: 0, hugePages: true);
                else
                    for (int page = 0; page < 512; page++) FillPage(random, address + page * (nint)Page);
            }

            int[] said = [NumaStatus.Busy, NumaStatus.NoMemory, NumaStatus.NotTold, NumaStatus.MappedBySeveral, 1, 0];
            _system.OnMove = (_, target) => random.Next(4) == 0
                ? (said[random.Next(said.Length)], random.Next(2) == 0) : (target, true);
            int first = random.Next(700);
            int pages = random.Next(1, 3072 - first);
            PageMover mover = new(_system, PlanOf(Start + first * (nint)Page, pages), new MoveLimits
            {
                BatchPages = random.Next(512, 2000),
                BatchBytes = random.Next(1, 5) * (2L << 20),
                RetriesMax = random.Next(4),
            });
            while (!mover.IsDone)
            {
                mover.Prepare();
                mover.Run();
                Assert.That(Sum(mover.Statistics), Is.EqualTo(pages), $"round {round}: {mover.Statistics}");
            }

            int there = Enumerable.Range(first, pages)
                .Count(page => _system.NodeOfPage.GetValueOrDefault(Start + page * (nint)Page, -2) == 1);
            Assert.That(there, Is.GreaterThanOrEqualTo(mover.Statistics.MovedPages), $"round {round}");
            Assert.That(mover.Statistics.RemainingPages, Is.Zero);
            Assert.That(_system.Calls, Has.Count.LessThan(100), "it ends");
        }
    }

    private static long Sum(MoveStatistics statistics) => statistics.MovedPages + statistics.UntouchedPages
        + statistics.FailedPages.Values.Sum() + statistics.RemainingPages;

    private static MovePlan PlanOf(nint address, int pages) => new([new PageRun(address, pages * (long)Page, 1)]);

    private void FillPage(Random random, nint address)
    {
        int kind = random.Next(10);
        if (kind == 0) return;
        _system.NodeOfPage[address] = kind == 1 ? NumaStatus.NotMapped : kind == 2 ? 1 : 0;
    }

    private MoveStatistics RunAll(nint address, int pages, MoveLimits? limits = null)
    {
        PageMover mover = new(_system, PlanOf(address, pages), limits ?? new MoveLimits());
        while (!mover.IsDone)
        {
            Assert.That(mover.Prepare(), Is.Positive);
            mover.Run();
        }

        Assert.That(Sum(mover.Statistics), Is.EqualTo(pages));
        return mover.Statistics;
    }
}
