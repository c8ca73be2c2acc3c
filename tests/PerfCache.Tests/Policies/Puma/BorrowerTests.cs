// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Puma;

namespace PerfCache.Tests.Policies.Puma;

/// <summary>Goal: which evicted pages a borrower sends to whom, and for which misses it asks.</summary>
[TestFixture]
public sealed class BorrowerTests
{
    private const long Second = 1000;

    [TestCase(0, 1024, "PagesPerMessage is 0; possible is 1 to 4096")]
    [TestCase(4097, 5000, "PagesPerMessage is 4097; possible is 1 to 4096")]
    [TestCase(64, 63, "SendPoolPages is 63; possible is 64 (one message) and more")]
    public void OptionsThatMakeNoSenseAreRefused(int pages, int pool, string message) => Assert.That(
        new BorrowerOptions { PagesPerMessage = pages, SendPoolPages = pool }.Check,
        Throws.ArgumentException.With.Message.EqualTo(message));

    [Test]
    public void EvictedPagesLeaveInMessagesOf32AndTheRestAtTheEndOfThePass()
    {
        Borrower borrower = Make(new BorrowerOptions());
        for (ulong page = 0; page < 70; page++) borrower.OnEvicted(Page(page), false, false, 0);
        Assert.That(Puts(borrower).Select(put => put.Pages.Length), Is.EqualTo(new[] { 32, 32 }));
        borrower.EndReclaim();
        Assert.That(Puts(borrower).Select(put => put.Pages.Length), Is.EqualTo(new[] { 6 }));
    }

    [Test]
    public void WhatCannotBeSentIsDroppedForTheCauseThatTheJournalNames()
    {
        Borrower borrower = Make(new BorrowerOptions { SendPoolPages = 32 });
        borrower.OnEvicted(Page(1), true, false, 0);
        borrower.OnEvicted(Page(2), false, true, 0);
        for (ulong page = 100; page < 133; page++) borrower.OnEvicted(Page(page), false, false, 0);
        Assert.That(borrower.PoolFree, Is.Zero);
        borrower.OnMessage(0, new LenderMessage(LenderMessageKind.Suspend, 0, []));
        borrower.OnEvicted(Page(3), false, false, 0);
        foreach (PumaCause cause in (PumaCause[])[PumaCause.Dirty, PumaCause.Role, PumaCause.PoolEmpty, PumaCause.NoLender])
            Assert.That(borrower.Journal.Total(PumaEventKind.PutDropped, cause), Is.EqualTo(1), cause.ToString());
        PutMessage put = Puts(borrower).Single();
        borrower.OnPutReply(put, stored: true, availablePages: 5);
        Assert.That(borrower.PoolFree, Is.EqualTo(32));
    }

    [Test]
    public void AKnownMissCostsNoMessageAndABusyPageIsWaitedFor()
    {
        Borrower borrower = Make(new BorrowerOptions());
        Assert.That(borrower.ChooseSource(Page(1), 0, out _), Is.EqualTo(MissSource.Disk));
        Assert.That(borrower.Journal.Total(PumaEventKind.MissAvoided), Is.EqualTo(1));
        borrower.OnEvicted(Page(1), false, false, 0);
        Assert.That(borrower.ChooseSource(Page(1), 0, out _), Is.EqualTo(MissSource.Wait));
        PutMessage put = Puts(borrower).Single();
        borrower.OnPutReply(put, stored: true, availablePages: 5);
        Assert.That(borrower.ChooseSource(Page(1), 0, out int lender), Is.EqualTo(MissSource.Lender));
        Assert.That(lender, Is.Zero);
    }

    [Test]
    public void ACleanPageThatTheLenderHasIsNotSentAgainUntilItIsWritten()
    {
        Borrower borrower = Make(new BorrowerOptions());
        Store(borrower, Page(1));
        borrower.OnGetReply(0, Page(1), found: true, availablePages: 5);
        borrower.OnEvicted(Page(1), false, false, 0);
        borrower.EndReclaim();
        Assert.That(Puts(borrower), Is.Empty);
        Assert.That(borrower.Journal.Total(PumaEventKind.PutSkipped), Is.EqualTo(1));
        borrower.OnWrite(Page(1), 0);
        Assert.That(borrower.TryTakeInvalidate(out InvalidateMessage old), Is.True);
        Assert.That(old.Page, Is.EqualTo(Page(1)));
        Assert.That(borrower.IsPresent(Page(1)), Is.False);
    }

    [Test]
    public void ExclusivelyAPageThatWasGotMustBeSentAgain()
    {
        Borrower borrower = Make(new BorrowerOptions { Strategy = LendingStrategy.Exclusive });
        Store(borrower, Page(1));
        borrower.OnGetReply(0, Page(1), found: true, availablePages: 5);
        Assert.That(borrower.IsPresent(Page(1)), Is.False);
        borrower.OnEvicted(Page(1), false, false, 0);
        borrower.EndReclaim();
        Assert.That(Puts(borrower), Has.Count.EqualTo(1));
    }

    [Test]
    public void WhatTheLenderLostRefusedOrDidNotAnswerForComesFromTheDisk()
    {
        Borrower borrower = Make(new BorrowerOptions());
        foreach (ulong page in (ulong[])[1, 2, 3]) Store(borrower, Page(page));
        borrower.OnMessage(0, new LenderMessage(LenderMessageKind.Gone, 0, [Page(1)]));
        borrower.OnGetReply(0, Page(2), found: false, availablePages: 5);
        borrower.OnGetExpired(Page(3), 0);
        borrower.OnEvicted(Page(4), false, false, 0);
        borrower.EndReclaim();
        borrower.OnPutReply(Puts(borrower).Single(), stored: false, availablePages: 5);
        foreach (ulong page in (ulong[])[1, 2, 3, 4])
            Assert.That(borrower.ChooseSource(Page(page), 0, out _), Is.EqualTo(MissSource.Disk), $"page {page}");
    }

    [Test]
    public void AmongLendersTheOneWithMostMemoryIsChosen()
    {
        Borrower borrower = new(new BorrowerOptions { PagesPerMessage = 1 }, Second);
        borrower.AddLender(2);
        borrower.AddLender(3);
        List<int> chosen = [];
        for (ulong page = 0; page < 5; page++) borrower.OnEvicted(Page(page), false, false, 0);
        foreach (PutMessage put in Puts(borrower)) chosen.Add(put.Lender);
        Assert.That(chosen, Is.EqualTo(new[] { 1, 0, 1, 0, 1 }));
        borrower.OnMessage(1, new LenderMessage(LenderMessageKind.Suspend, 0, []));
        borrower.OnEvicted(Page(9), false, false, 0);
        Assert.That(Puts(borrower).Single().Lender, Is.Zero);
    }

    [Test]
    public void TheSequentialFilterKeepsLongReadsAtHomeAndLearnsFromEvictions()
    {
        Borrower borrower = Make(new BorrowerOptions { Filter = new SequentialFilterOptions { IsOn = true } });
        borrower.OnRead(Page(1000), 32, 32, cachedBefore: 128);
        borrower.OnRead(Page(2000), 32, 32, cachedBefore: 127);
        borrower.OnEvicted(Page(1005), false, false, 0);
        borrower.OnEvicted(Page(2005), false, false, 0);
        borrower.EndReclaim();
        Assert.That(Puts(borrower).Single().Pages, Is.EqualTo(new[] { Page(2005) }));

        SequentialScore score = default(SequentialScore).Wanted().Wanted().EvictedThere(3);
        Assert.That(score, Is.EqualTo(new SequentialScore(0, 3)));
        Assert.That(score.EvictedThere(3).Penalty, Is.EqualTo(9));
        Assert.That(new SequentialScore(0, 60_000).EvictedThere(3).Penalty, Is.EqualTo(65_535));
        Assert.That(new SequentialScore(2, 9).MissedAlone(), Is.EqualTo(new SequentialScore(0, 7)));
        SequentialFilter filter = new(new SequentialFilterOptions { IsOn = true, EvictionPenalty = 3 });
        Assert.That((filter.Drops(new(2, 3)), filter.Drops(new(4, 3))), Is.EqualTo((true, false)));
    }

    [Test]
    public void TheLatencyMonitorIsATrueMovingAverageWithTheAuthorsThresholds()
    {
        LatencyMonitor monitor = new(new LatencyMonitorOptions { IsOn = true }, ticksPerSecond: 1_000_000);
        Assert.That(monitor.OnPong(1_000), Is.EqualTo(PumaCause.None));
        Assert.That(monitor.OnPong(9_000), Is.EqualTo(PumaCause.None));
        Assert.That(monitor.AverageTicks, Is.EqualTo(2_000), "1000 + (9000 - 1000) / 8");
        Assert.That(monitor.OnPong(9_000), Is.EqualTo(PumaCause.Average));
        Assert.That(monitor.IsSuspended, Is.True);
        Assert.That(monitor.OnPong(3_500), Is.EqualTo(PumaCause.None));
        Assert.That(monitor.OnPong(2_900), Is.EqualTo(PumaCause.Instant));
        Assert.That(monitor.OnPong(41_000), Is.EqualTo(PumaCause.Instant));
        Assert.That(monitor.IsSuspended, Is.True);
    }

    private static void Store(Borrower borrower, PageKey page)
    {
        borrower.OnEvicted(page, false, false, 0);
        borrower.EndReclaim();
        borrower.OnPutReply(Puts(borrower).Single(), stored: true, availablePages: 5);
    }

    private static List<PutMessage> Puts(Borrower borrower)
    {
        List<PutMessage> puts = [];
        while (borrower.TryTakePut(out PutMessage put)) puts.Add(put);
        return puts;
    }

    private static Borrower Make(BorrowerOptions options)
    {
        Borrower borrower = new(options, Second);
        borrower.AddLender(1000);
        return borrower;
    }

    private static PageKey Page(ulong number) => new(new ObjectId(1), number);
}
