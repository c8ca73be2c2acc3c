// SPDX-License-Identifier: MIT
using PerfCache.Items;
using PerfCache.Policies.Items;
using static PerfCache.Tests.Core.Items.ItemTestStore;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: a fetch does what its request asks for and nothing else, and a stale or due item has one winner. Method: each part
/// of a request alone, at its borders, with the counts, the marks and the age of the item looked at before and after.
/// </summary>
[TestFixture]
public sealed class ItemFetchTests
{
    private ItemTestStore _store = null!;

    [SetUp]
    public void Make()
    {
        _store = new ItemTestStore();
        _store.Set("k", Value(1, 100), new ItemWrite { Flags = 7, ExpiryTicks = 100 * Second, NewCas = 9 });
    }

    [TearDown]
    public void ValidateAndFree()
    {
        _store.Store.Validate();
        _store.Dispose();
    }

    [Test]
    public void AFetchReadsCountsAndMarks()
    {
        byte[] buffer = new byte[200];
        Assert.That(Fetch(new ItemFetch(), out ItemInfo info, out bool won, buffer, 5 * Second), Is.EqualTo(ItemRead.Hit));
        Assert.That(buffer.AsSpan(0, 100).SequenceEqual(Value(1, 100)), Is.True);
        Assert.That(
            (info.Length, info.Flags, info.Cas, info.ExpiryTicks, info.Marks, won),
            Is.EqualTo((100, 7u, 9ul, 100 * Second, ItemMarks.None, false)));
        Assert.That(info.IdleTicks, Is.EqualTo(5 * Second).Within(Second / 5));
        ItemInfo after = Peek(5 * Second);
        Assert.That((after.Marks, after.IdleTicks, after.ExpiryTicks), Is.EqualTo((ItemMarks.Fetched, 0L, 100 * Second)));
        Assert.That((_store.Counts.Hits, _store.Counts.Misses, IsReferenced()), Is.EqualTo((1L, 0L, true)));
    }

    [Test]
    public void ABufferOfItsLengthIsEnoughAndOneByteLessIsNot()
    {
        Assert.That(Fetch(new ItemFetch(), out _, out _, new byte[100]), Is.EqualTo(ItemRead.Hit));
        byte[] buffer = new byte[99];
        Assert.That(
            Fetch(new ItemFetch { NewExpiryTicks = 5 }, out ItemInfo info, out _, buffer), Is.EqualTo(ItemRead.TooSmall));
        Assert.That((info.Length, buffer.Any(b => b != 0), _store.Counts.Hits), Is.EqualTo((100, false, 1L)));
        Assert.That(Peek(0).ExpiryTicks, Is.EqualTo(100 * Second), "what was not read is not touched");
        Assert.That(_store.Get(Key("k"), 0, out _), Is.Not.Null);
    }

    [TestCase(false, 1L)]
    [TestCase(true, 0L)]
    public void AMissIsCountedUnlessUnnoticed(bool unnoticed, long misses)
    {
        ItemFetch fetch = new() { Unnoticed = unnoticed };
        ItemRead read = _store.Store.Fetch(Key("none"), 0, fetch, new byte[9], out ItemInfo info, out bool won);
        Assert.That((read, info, won), Is.EqualTo((ItemRead.Miss, default(ItemInfo), false)));
        Assert.That(_store.Counts.Misses, Is.EqualTo(misses));
    }

    [TestCase(false, 1L)]
    [TestCase(true, 0L)]
    public void AVanishedValueIsAMissThatIsCountedUnlessUnnoticed(bool unnoticed, long misses)
    {
        _store.Vanish(_store.FramesOf("k")[0]);
        ItemFetch fetch = new() { Unnoticed = unnoticed };
        Assert.That(Fetch(fetch, out ItemInfo info, out _, new byte[100]), Is.EqualTo(ItemRead.Miss));
        Assert.That((info, _store.Counts.Misses, _store.Counts.Lost), Is.EqualTo((default(ItemInfo), misses, 1L)));
    }

    [Test]
    public void AnUnnoticedFetchLeavesNoTrace()
    {
        byte[] buffer = new byte[100];
        ItemRead read = Fetch(new ItemFetch { Unnoticed = true }, out _, out _, buffer, 9 * Second);
        Assert.That((read, buffer), Is.EqualTo((ItemRead.Hit, Value(1, 100))));
        ItemInfo after = Peek(9 * Second);
        Assert.That((after.Marks, _store.Counts.Hits, IsReferenced()), Is.EqualTo((ItemMarks.None, 0L, false)));
        Assert.That(after.IdleTicks, Is.EqualTo(9 * Second).Within(Second / 5), "as old as before");
    }

    [Test]
    public void WithoutItsValueNothingIsCopiedOrChecked()
    {
        _store.Vanish(_store.FramesOf("k")[0]);
        Assert.That(Fetch(new ItemFetch { WithoutValue = true }, out ItemInfo info, out _, []), Is.EqualTo(ItemRead.Hit));
        Assert.That((info.Length, _store.Counts.Hits, _store.Counts.Lost), Is.EqualTo((100, 1L, 0L)));
    }

    [Test]
    public void AFetchMayGiveANewExpiryAndTellsTheOld()
    {
        Fetch(new ItemFetch { NewExpiryTicks = 50 * Second }, out ItemInfo info, out _, new byte[100]);
        Assert.That((info.ExpiryTicks, Peek(0).ExpiryTicks), Is.EqualTo((100 * Second, 50 * Second)));
        Assert.That(_store.Get("k", 50 * Second), Is.Null);
    }

    [Test]
    public void OneReaderOfAStaleItemWins()
    {
        Assert.That(_store.Store.Invalidate(Key("k"), 0), Is.EqualTo(ItemStatus.Done));
        Assert.That(Wins(new ItemFetch()), Is.False, "who does not contend does not win");
        Assert.That(Wins(new ItemFetch { Contends = true }), Is.True);
        Assert.That(Peek(0).Marks, Is.EqualTo(ItemMarks.Stale | ItemMarks.Won | ItemMarks.Fetched));
        Assert.That(Wins(new ItemFetch { Contends = true }), Is.False, "one has won already");
        _store.Store.Invalidate(Key("k"), 0);
        Assert.That(Wins(new ItemFetch { Contends = true }), Is.True, "stale once more, so one wins once more");
    }

    [TestCase(100, false, Description = "it expires at that tick, not before it")]
    [TestCase(101, true)]
    [TestCase(0, false)]
    public void OneReaderOfADueItemWins(long renewBelowSeconds, bool wins)
    {
        ItemFetch fetch = new() { Contends = true, RenewBelowTicks = renewBelowSeconds * Second };
        Assert.That(Wins(fetch with { Contends = false }), Is.False);
        Assert.That((Wins(fetch), Wins(fetch)), Is.EqualTo((wins, false)));
    }

    [Test]
    public void WhatNeverExpiresIsNeverDue()
    {
        _store.Set("k", Value(1, 100));
        Assert.That(Wins(new ItemFetch { Contends = true, RenewBelowTicks = long.MaxValue }), Is.False);
    }

    [Test]
    public void AnItemIsInvalidatedByItsNumberOnly()
    {
        Assert.That(_store.Store.Invalidate(Key("none"), 0), Is.EqualTo(ItemStatus.NotFound));
        Assert.That(_store.Store.Invalidate(Key("k"), 0, expectedCas: 8, 1), Is.EqualTo(ItemStatus.Exists));
        Assert.That((Peek(0).Marks, Peek(0).Cas, Peek(0).ExpiryTicks), Is.EqualTo((ItemMarks.None, 9ul, 100 * Second)));
        _store.Store.Mark(Key("k"), 0, ItemMarks.Won, ItemMarks.None, out _);
        Assert.That(_store.Store.Invalidate(Key("k"), 0, expectedCas: 9, 40 * Second), Is.EqualTo(ItemStatus.Done));
        ItemInfo after = Peek(0);
        Assert.That((after.Marks, after.ExpiryTicks), Is.EqualTo((ItemMarks.Stale, 40 * Second)));
        Assert.That(after.Cas, Is.Not.EqualTo(9ul).And.Not.Zero);
        Assert.That(_store.Store.Invalidate(Key("k"), 0), Is.EqualTo(ItemStatus.Done));
        Assert.That((Peek(0).ExpiryTicks, Peek(0).Cas == after.Cas), Is.EqualTo((40 * Second, false)));
        Assert.That(_store.Get("k"), Is.EqualTo(Value(1, 100)), "served on");
    }

    [Test]
    public void MarksAreSetAndClearedAndNothingElse()
    {
        Assert.That(_store.Store.Mark(Key("none"), 0, ItemMarks.Won, ItemMarks.None, out ItemInfo before), Is.False);
        Assert.That(before, Is.EqualTo(default(ItemInfo)));
        const ItemMarks All = ItemMarks.Fetched | ItemMarks.Stale | ItemMarks.Won;
        _store.Store.Mark(Key("k"), 0, (ItemMarks)0xFF, ItemMarks.None, out before);
        Assert.That((before.Cas, Peek(0).Marks), Is.EqualTo((9ul, All)));
        _store.Store.Mark(Key("k"), 0, ItemMarks.None, ItemMarks.Stale, out before);
        Assert.That((before.Marks, Peek(0).Marks), Is.EqualTo((All, ItemMarks.Fetched | ItemMarks.Won)));
        _store.Store.Mark(Key("k"), 0, ItemMarks.None, (ItemMarks)0xFF, out _);
        Assert.That(Peek(0).Marks, Is.EqualTo(ItemMarks.None));
        Assert.That(_store.Get("k"), Is.EqualTo(Value(1, 100)), "the marks that are the store's own have stayed");
    }

    [Test]
    public void AStaleWriteKeepsTheExpiryAndTheWinner()
    {
        _store.Store.Mark(Key("k"), 0, ItemMarks.Won | ItemMarks.Fetched, ItemMarks.None, out _);
        ItemWrite write = new() { ExpectedCas = 8, StaleIfOlder = true, ExpiryTicks = 5, Flags = 1 };
        Assert.That(_store.Set("k", Value(2, 300), write), Is.EqualTo(ItemStatus.Done));
        ItemInfo after = Peek(0);
        Assert.That(
            (after.Marks, after.ExpiryTicks, after.Flags), Is.EqualTo((ItemMarks.Stale | ItemMarks.Won, 100 * Second, 1u)));
        Assert.That(_store.Get("k"), Is.EqualTo(Value(2, 300)));
        Assert.That(
            _store.Set("k", [], write with { ExpectedCas = after.Cas, ExpiryTicks = 60 * Second }), Is.EqualTo(ItemStatus.Done));
        Assert.That((Peek(0).Marks, Peek(0).ExpiryTicks), Is.EqualTo((ItemMarks.None, 60 * Second)), "the right number");
    }

    [Test]
    public void AWriteMayBearMarks()
    {
        _store.Set("k", Value(3, 100), new ItemWrite { Marks = ItemMarks.Won });
        Assert.That(Peek(0).Marks, Is.EqualTo(ItemMarks.Won));
        _store.Set("new", Value(3, 100), new ItemWrite { Marks = (ItemMarks)0xFF });
        Assert.That(_store.Get("new"), Is.EqualTo(Value(3, 100)), "bits that are no marks mean nothing");
    }

    [Test]
    public void AnAddThatComesTooLateSaysThatTheItemIsWanted()
    {
        Assert.That(IsReferenced(), Is.False);
        Assert.That(
            _store.Set("k", [], new ItemWrite { Mode = ItemMode.Add }, now: 7 * Second), Is.EqualTo(ItemStatus.NotStored));
        Assert.That((IsReferenced(), Peek(7 * Second).IdleTicks, Peek(0).Marks), Is.EqualTo((true, 0L, ItemMarks.None)));
    }

    private ItemRead Fetch(in ItemFetch fetch, out ItemInfo info, out bool won, byte[] buffer, long now = 0) =>
        _store.Store.Fetch(Key("k"), now, fetch, buffer, out info, out won);

    private bool Wins(in ItemFetch fetch)
    {
        Assert.That(Fetch(fetch, out _, out bool won, new byte[100]), Is.EqualTo(ItemRead.Hit));
        return won;
    }

    private ItemInfo Peek(long now)
    {
        Assert.That(_store.Store.TryPeek(Key("k"), now, out ItemInfo info), Is.True);
        return info;
    }

    /// <summary>Whether the rule was told of a hit.</summary>
    private bool IsReferenced()
    {
        ItemShard<SecondChanceItems> shard = _store.Store.Shards[0];
        return shard.Space.Rows.Heads[1].Has(RowMarks.Referenced);
    }
}
