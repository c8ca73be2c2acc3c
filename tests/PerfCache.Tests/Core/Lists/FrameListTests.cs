// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Lists;

/// <summary>Goal: the intrusive list is a list. Method: dumped order as a whole, and a model test against List.</summary>
[TestFixture]
public sealed class FrameListTests
{
    private readonly MemoryMeter _meter = new();

    [OneTimeTearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void YoungestAtTheHeadOldestAtTheTail()
    {
        using FrameTable frames = new(10, 0, _meter);
        FrameList list = new(frames, "test");
        for (uint id = 1; id <= 4; id++) list.PushHead(new FrameId(id));
        Assert.That(Dump(list), Is.EqualTo(new uint[] { 4, 3, 2, 1 }));
        list.MoveToHead(new FrameId(2));
        Assert.That(Dump(list), Is.EqualTo(new uint[] { 2, 4, 3, 1 }));
        list.Remove(new FrameId(4));
        Assert.That(Dump(list), Is.EqualTo(new uint[] { 2, 3, 1 }));
        Assert.That(list.PopTail().Value, Is.EqualTo(1));
        Assert.That((list.Head.Value, list.Tail.Value, list.Count), Is.EqualTo((2u, 3u, 2u)));
        Assert.That(frames.IsOnList(new FrameId(1)), Is.False);
    }

    [Test]
    public void AnEmptyListGivesNothing()
    {
        using FrameTable frames = new(3, 0, _meter);
        FrameList list = new(frames, "test");
        Assert.That(list.PopTail().IsNone && list.Head.IsNone && list.Tail.IsNone, Is.True);
        Assert.That(list.TakeTail(new FrameId[4]), Is.Zero);
        list.Validate();
    }

    [Test]
    public void TakingABatchCutsOnceAndKeepsTheOrder()
    {
        using FrameTable frames = new(10, 0, _meter);
        FrameList list = new(frames, "test");
        for (uint id = 1; id <= 6; id++) list.PushHead(new FrameId(id));
        FrameId[] taken = new FrameId[4];
        Assert.That(list.TakeTail(taken), Is.EqualTo(4));
        Assert.That(Array.ConvertAll(taken, frame => frame.Value), Is.EqualTo(new uint[] { 1, 2, 3, 4 }));
        Assert.That(Dump(list), Is.EqualTo(new uint[] { 6, 5 }));
        Assert.That(list.TakeTail(taken), Is.EqualTo(2));
        Assert.That(list.Count, Is.Zero);
        list.Validate();
    }

    [TestCase(0, "6 5 4 3 2 1", "8 7")]
    [TestCase(1, "6 5 4 3 2", "1 8 7")]
    [TestCase(4, "6 5", "4 3 2 1 8 7")]
    [TestCase(6, "", "6 5 4 3 2 1 8 7")]
    public void APieceOfTheTailKeepsItsOrderOnTheHeadOfAnotherList(int count, string left, string joined)
    {
        using FrameTable frames = new(10, 0, _meter);
        FrameList from = new(frames, "from");
        FrameList to = new(frames, "to");
        for (uint id = 1; id <= 6; id++) from.PushHead(new FrameId(id));
        for (uint id = 7; id <= 8; id++) to.PushHead(new FrameId(id));
        FrameList.TailCut cut = from.BeginTailCut();
        for (uint id = 1; id <= count; id++) Assert.That(cut.Take().Value, Is.EqualTo(id), "oldest first");
        to.PushHead(cut.End());
        from.Validate();
        to.Validate();
        Assert.Multiple(() =>
        {
            Assert.That(string.Join(' ', Dump(from)), Is.EqualTo(left));
            Assert.That(string.Join(' ', Dump(to)), Is.EqualTo(joined));
        });
    }

    [Test]
    public void APieceIntoAnEmptyListIsAllOfIt()
    {
        using FrameTable frames = new(10, 0, _meter);
        FrameList from = new(frames, "from");
        FrameList to = new(frames, "to");
        for (uint id = 1; id <= 3; id++) from.PushHead(new FrameId(id));
        FrameList.TailCut cut = from.BeginTailCut();
        cut.Take();
        cut.Take();
        to.PushHead(cut.End());
        to.Validate();
        Assert.That(Dump(to), Is.EqualTo(new uint[] { 2, 1 }));
        Assert.That(Dump(from), Is.EqualTo(new uint[] { 3 }));
    }

    [Test]
    public void AScoutGoesAheadOfTheHandAndFromTheHeadOnToTheTail()
    {
        using FrameTable frames = new(40, 0, _meter);
        FrameList list = new(frames, "test");
        for (uint id = 1; id <= 30; id++) list.PushHead(new FrameId(id));
        // The first call finds no scout yet and sends it eight frames ahead: the one asked for last is the eighth.
        Assert.That(list.PrefetchVictim(new FrameId(20)).Value, Is.EqualTo(28));
        Assert.That(list.PrefetchVictim(new FrameId(21)).Value, Is.EqualTo(29));
        Assert.That(list.PrefetchVictim(new FrameId(22)).Value, Is.EqualTo(30));
        Assert.That(list.PrefetchVictim(new FrameId(23)).Value, Is.GreaterThan(40), "the row of the list itself");
        Assert.That(list.PrefetchVictim(new FrameId(24)).Value, Is.EqualTo(1));
        list.Validate();
    }

    [Test]
    public void ABatchEndsWithItsLastFrameAsTheYoungest()
    {
        using FrameTable frames = new(10, 0, _meter);
        FrameList list = new(frames, "test");
        list.PushHead([]);
        Assert.That(list.Count, Is.Zero);
        list.PushHead([new FrameId(1), new FrameId(2)]);
        list.PushHead([new FrameId(5), new FrameId(4), new FrameId(3)]);
        Assert.That(Dump(list), Is.EqualTo(new uint[] { 3, 4, 5, 2, 1 }));
        Assert.That((list.Head.Value, list.Tail.Value, list.Count), Is.EqualTo((3u, 1u, 5u)));
        list.Validate();
    }

    [Test]
    public void NeighboursAreNamedAndTheEndsHaveNone()
    {
        using FrameTable frames = new(10, 0, _meter);
        FrameList list = new(frames, "test");
        for (uint id = 1; id <= 3; id++) list.PushHead(new FrameId(id));
        Assert.That((list.Older(new FrameId(2)).Value, list.Younger(new FrameId(2)).Value), Is.EqualTo((1u, 3u)));
        Assert.That(list.Older(new FrameId(1)).IsNone && list.Younger(new FrameId(3)).IsNone);
        list.MoveToHead(new FrameId(3));
        list.MoveYounger(new FrameId(1), new FrameId(1));
        Assert.That(Dump(list), Is.EqualTo(new uint[] { 3, 2, 1 }), "it was where it was to go");
    }

    [Test]
    public void AReleasedListLeavesItsFramesOnNoneAndItsRowToTheNext()
    {
        using FrameTable frames = new(10, 0, _meter);
        FrameList list = new(frames, "first");
        uint anchor = AnchorOf(frames, list);
        for (uint id = 1; id <= 4; id++) list.PushHead(new FrameId(id));
        list.Release();
        for (uint id = 1; id <= 4; id++) Assert.That(frames.IsOnList(new FrameId(id)), Is.False, $"frame {id}");
        Assert.That(AnchorOf(frames, new FrameList(frames, "second")), Is.EqualTo(anchor));
    }

    [Test]
    public void AScoutGoesFromWhereTheLastBatchEndedTowardsTheYounger()
    {
        using FrameTable frames = new(40, 0, _meter);
        FrameList list = new(frames, "test");
        for (uint id = 1; id <= 20; id++) list.PushHead(new FrameId(id));
        list.TakeTail(new FrameId[5]);
        Assert.That(
            Enumerable.Range(0, 4).Select(_ => list.PrefetchTail().Value), Is.EqualTo(new uint[] { 6, 7, 8, 9 }));
        list.TakeTail(new FrameId[2]);
        Assert.That(list.PrefetchTail().Value, Is.EqualTo(8));
    }

    /// <summary>The scout is eight frames ahead of the tail, and is sent there again each 65th time.</summary>
    [Test]
    public void AScoutThatWentAstrayStartsOverFromTheTail()
    {
        using FrameTable frames = new(200, 0, _meter);
        FrameList list = new(frames, "test");
        for (uint id = 1; id <= 200; id++) list.PushHead(new FrameId(id));
        uint[] asked = [.. Enumerable.Range(0, 70).Select(_ => list.PrefetchVictim().Value)];
        Assert.That(asked[..65], Is.EqualTo(Enumerable.Range(9, 65)));
        Assert.That(asked[65..], Is.EqualTo(Enumerable.Range(9, 5)));
        uint[] byHand = [.. Enumerable.Range(0, 62).Select(_ => list.PrefetchVictim(new FrameId(100)).Value)];
        Assert.That(byHand[..60], Is.EqualTo(Enumerable.Range(14, 60)), "the steps go on");
        Assert.That(byHand[60..], Is.EqualTo(new[] { 108, 109 }));
    }

    [Test]
    public void AScoutWithoutAHandStartsAtTheTail()
    {
        using FrameTable frames = new(40, 0, _meter);
        FrameList list = new(frames, "test");
        for (uint id = 1; id <= 30; id++) list.PushHead(new FrameId(id));
        Assert.That(list.PrefetchVictim(FrameId.None).Value, Is.EqualTo(9));
        Assert.That(list.PrefetchVictim(FrameId.None).Value, Is.EqualTo(10));
    }

    [TestCase(0, "L1: the tail to be 3, found 2")]
    [TestCase(1, "L2: a ring of 3 frames, found 4")]
    [TestCase(2, "L2: a ring of 3 frames, found 2")]
    [TestCase(3, "L1: a row of the table, found 4000000000")]
    [TestCase(4, "L1: a row of the table, found 0")]
    public void EachBrokenRingIsNamed(int damage, string message)
    {
        using FrameTable frames = new(5, 0, _meter);
        FrameList list = new(frames, "victims");
        uint anchor = AnchorOf(frames, list);
        for (uint id = 3; id >= 1; id--) list.PushHead(new FrameId(id));
        switch (damage)
        {
            case 0: frames.Link(anchor).Previous = 2; break;
            case 1:
                (frames.Link(3).Next, frames.Link(4).Previous) = (4, 3);
                (frames.Link(4).Next, frames.Link(anchor).Previous) = (anchor, 4);
                break;
            case 2: (frames.Link(2).Next, frames.Link(anchor).Previous) = (anchor, 2); break;
            case 3: frames.Link(2).Next = 4_000_000_000; break;
            case 4: frames.Link(2).Next = 0; break;
        }

        Assert.That(list.Validate, Throws.TypeOf<InvariantException>().With.Message.EqualTo($"victims: expected {message}"));
    }

    [Test]
    public void DeactivationKeepsTheOrderAndTheFlagsInStep()
    {
        using FrameTable frames = new(10, 0, _meter);
        ActiveInactiveLists lists = new(frames, new FrameList(frames, "active list"), new FrameList(frames, "inactive list"));
        for (uint id = 1; id <= 6; id++)
        {
            lists.Add(new FrameId(id));
            if (id <= 4) lists.Activate(new FrameId(id));
        }

        Assert.That(lists.DeactivateTail(new FrameId[2], FrameState.Workingset), Is.EqualTo(2));
        Assert.Multiple(() =>
        {
            Assert.That(Dump(lists.Active), Is.EqualTo(new uint[] { 4, 3 }));
            Assert.That(Dump(lists.Inactive), Is.EqualTo(new uint[] { 2, 1, 6, 5 }));
            Assert.That(frames.State(new FrameId(2)).Has(FrameState.Workingset), Is.True);
        });
        lists.Validate();
    }

    [TestCase(1)]
    [TestCase(2)]
    public void BehavesLikeAPlainList(int seed)
    {
        const int FrameCount = 24;
        Random random = TestSeed.Random(seed);
        using FrameTable frames = new(FrameCount, 0, _meter);
        FrameList[] lists = [new(frames, "first"), new(frames, "second")];
        List<uint>[] models = [[], []];
        for (int step = 0; step < 100_000; step++)
        {
            int which = random.Next(2);
            uint id = (uint)random.Next(1, FrameCount + 1);
            bool listed = models[which].Contains(id);
            bool free = !listed && !models[1 - which].Contains(id);
            switch (random.Next(8))
            {
                case 0 or 1 when free:
                    lists[which].PushHead(new FrameId(id));
                    models[which].Insert(0, id);
                    break;
                case 2 when listed:
                    lists[which].Remove(new FrameId(id));
                    models[which].Remove(id);
                    break;
                case 3 when listed:
                    lists[which].MoveToHead(new FrameId(id));
                    models[which].Remove(id);
                    models[which].Insert(0, id);
                    break;
                case 4 when free:
                    lists[which].PushTail(new FrameId(id));
                    models[which].Add(id);
                    break;
                case 5 when free && models[which].Count > 0:
                    InsertBoth(lists[which].InsertYounger, models[which], id, random);
                    break;
                case 6 when listed:
                    InsertBoth(lists[which].MoveYounger, models[which], id, random);
                    break;
                case 7:
                    TakeBoth(lists[which], models[which], random.Next(4));
                    break;
            }

            lists[which].Validate();
            Assert.That(Dump(lists[which]), Is.EqualTo(models[which]), $"after step {step}");
        }
    }

    [Test]
    public void ABrokenLinkIsNamed()
    {
        using FrameTable frames = new(5, 0, _meter);
        FrameList list = new(frames, "victims");
        for (uint id = 1; id <= 3; id++) list.PushHead(new FrameId(id));
        frames.Link(2).Previous = 1;
        InvariantException? failure = Assert.Throws<InvariantException>(list.Validate);
        Assert.That(failure!.Message, Does.Contain("victims: expected L1: frame 2's Previous to be 3, found 1"));
    }

    /// <summary>The row that is no frame: both ends of an empty list, and the oldest frame's next.</summary>
    private static uint AnchorOf(FrameTable frames, FrameList list)
    {
        list.PushHead(new FrameId(1));
        uint anchor = frames.Link(1).Next;
        list.Remove(new FrameId(1));
        return anchor;
    }

    /// <summary>Puts a frame next to one of the list, perhaps itself, as the next younger.</summary>
    private static void InsertBoth(Action<FrameId, FrameId> insert, List<uint> model, uint id, Random random)
    {
        uint than = model[random.Next(model.Count)];
        insert(new FrameId(id), new FrameId(than));
        if (than == id) return;
        model.Remove(id);
        model.Insert(model.IndexOf(than), id);
    }

    private static void TakeBoth(FrameList list, List<uint> model, int count)
    {
        FrameId[] taken = new FrameId[count];
        int got = list.TakeTail(taken);
        List<uint> expected = [.. model.AsEnumerable().Reverse().Take(count)];
        model.RemoveRange(model.Count - expected.Count, expected.Count);
        Assert.That(taken.Take(got).Select(frame => frame.Value), Is.EqualTo(expected));
    }

    private static List<uint> Dump(FrameList list) => [.. list.FromHead().Select(frame => frame.Value)];
}
