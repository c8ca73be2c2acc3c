// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Puma;

namespace PerfCache.Tests.Policies.Puma;

/// <summary>Goal: what a lender stores, refuses and tells, over a store that is a set.</summary>
[TestFixture]
public sealed class PumaLenderTests
{
    private const long Second = 1000;

    [Test]
    public void APageThatWasPutCanBeGotAgainAndAgain()
    {
        PumaLender lender = Make(new PumaLenderOptions(), out _);
        Assert.That(lender.Put(0, [Page(1)], 0), Is.True);
        Assert.That(lender.Get(0, Page(1), 1), Is.True);
        Assert.That(lender.Get(0, Page(1), 2), Is.True);
        Assert.That(lender.Get(0, Page(2), 3), Is.False);
        Assert.That(lender.HeldPages(0), Is.EqualTo(1));
    }

    [Test]
    public void ExclusivelyAPageIsAtOnePlace()
    {
        PumaLender lender = Make(new PumaLenderOptions { Strategy = LendingStrategy.Exclusive }, out FakeStore store);
        lender.Put(0, [Page(1)], 0);
        Assert.That(lender.Get(0, Page(1), 1), Is.True);
        Assert.That(store.Pages, Is.Empty);
        Assert.That(lender.HeldTotal, Is.Zero);
    }

    [Test]
    public void ARefusedPutRemovesTheOlderCopyAndGetsGoOn()
    {
        PumaLender lender = Make(new PumaLenderOptions(), out FakeStore store);
        lender.Put(0, [Page(1), Page(2)], 0);
        lender.Observe(new ActivitySignals(1, 1, 1, 0, 0, 0), 10);
        Assert.That(lender.Put(0, [Page(1), Page(3)], 20), Is.False);
        Assert.That(store.Pages, Is.EquivalentTo(new[] { (0, Page(2)) }));
        Assert.That(lender.Get(0, Page(2), 30), Is.True);
        Assert.That(Messages(lender), Is.EqualTo(new[] { LenderMessageKind.Suspend, LenderMessageKind.Suspend }));
        Assert.That(lender.NextDeadlineTicks, Is.EqualTo(3010));
        lender.Advance(3010);
        Assert.That(Messages(lender), Is.EqualTo(new[] { LenderMessageKind.Resume, LenderMessageKind.Resume }));
        Assert.That(lender.Put(0, [Page(3)], 3011), Is.True);
    }

    [Test]
    public void AQuotaIsEnforcedByTheBorrowersOwnOldestPages()
    {
        FakeStore store = new();
        PumaLender lender = new(new PumaLenderOptions(), store, Second);
        lender.AddBorrower(quotaPages: 10);
        lender.AddBorrower();
        lender.Put(1, [Page(1000)], 0);
        for (ulong page = 0; page < 500; page++)
        {
            lender.Put(0, [Page(page)], 0);
            // Reclaim takes some meanwhile, and some are put twice.
            if (page % 7 == 3 && store.Pages.Remove((0, Page(page)))) lender.OnReclaimed(0, Page(page), 0);
            if (page % 5 == 0) lender.Put(0, [Page(page)], 0);
            Assert.That(lender.HeldPages(0), Is.LessThanOrEqualTo(10));
            Assert.That(lender.HeldPages(0), Is.EqualTo(store.Pages.Count(one => one.Borrower == 0)));
        }

        Assert.That(lender.HeldPages(0), Is.EqualTo(10));
        Assert.That(store.Pages, Does.Contain((1, Page(1000))).And.Contains((0, Page(499))));
    }

    [Test]
    public void ReclaimTellsTheBorrowerLaterInFewMessages()
    {
        PumaLender lender = Make(new PumaLenderOptions(), out _);
        lender.Put(1, [.. Enumerable.Range(0, 300).Select(page => Page((ulong)page))], 0);
        for (ulong page = 0; page < 300; page++) lender.OnReclaimed(1, Page(page), 5);
        Assert.That(lender.TryTakeMessage(out LenderMessage first), Is.True);
        Assert.That((first.Borrower, first.Pages.Length), Is.EqualTo((1, PumaLender.PagesPerNotice)));
        Assert.That(lender.TryTakeMessage(out _), Is.False, "the rest waits for the end of the pass");
        lender.EndReclaim();
        Assert.That(lender.TryTakeMessage(out LenderMessage rest), Is.True);
        Assert.That(rest.Pages, Has.Length.EqualTo(300 - PumaLender.PagesPerNotice));
        Assert.That(lender.HeldTotal, Is.Zero);
    }

    [Test]
    public void WhatCanBeGivenFollowsTheKernelsRule()
    {
        Assert.That(new MemoryState(1000, 100, 5000, 50).Available, Is.EqualTo(1000 - 100 + 5000 - 100 + 50 - 25));
        Assert.That(new MemoryState(0, 100, 60, 0).Available, Is.Zero);
    }

    private static LenderMessageKind[] Messages(PumaLender lender)
    {
        List<LenderMessageKind> kinds = [];
        while (lender.TryTakeMessage(out LenderMessage message)) kinds.Add(message.Kind);
        return [.. kinds];
    }

    private static PumaLender Make(PumaLenderOptions options, out FakeStore store)
    {
        store = new FakeStore();
        PumaLender lender = new(options, store, Second);
        lender.AddBorrower();
        lender.AddBorrower();
        return lender;
    }

    private static PageKey Page(ulong number) => new(new ObjectId(1), number);

    private sealed class FakeStore : ILentStore
    {
        public HashSet<(int Borrower, PageKey Page)> Pages { get; } = [];

        public LentInsertion Insert(int borrower, PageKey page) =>
            Pages.Add((borrower, page)) ? LentInsertion.Added : LentInsertion.Replaced;

        public bool Touch(int borrower, PageKey page) => Pages.Contains((borrower, page));

        public bool Contains(int borrower, PageKey page) => Pages.Contains((borrower, page));

        public bool Remove(int borrower, PageKey page) => Pages.Remove((borrower, page));
    }
}
