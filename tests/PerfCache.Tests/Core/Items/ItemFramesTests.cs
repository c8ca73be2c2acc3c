// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Items;
using PerfCache.Memory;
using static PerfCache.Tests.Core.Items.ItemTestStore;

namespace PerfCache.Tests.Core.Items;

/// <summary>
/// Goal: frames are handed out once, every slot of a frame is its own, what was written is told once, and a frame that its
/// owner takes comes back as what it was. Method: the parts alone, against naive twins where there is much to go wrong.
/// </summary>
[TestFixture]
internal sealed class ItemFramesTests
{
    [Test]
    public void RunsOfFramesAreGivenToOneShardEach()
    {
        MemoryMeter meter = new();
        using (ItemFrames frames = new(new PageMemory(70, 4096, meter), ownsPages: true, meter))
        {
            Assert.That((frames.TakeRun(3, 32, out uint first), first), Is.EqualTo((32u, 1u)));
            Assert.That((frames.TakeRun(5, 32, out first), first), Is.EqualTo((32u, 33u)));
            Assert.That((frames.IsUsedUp, frames.Count), Is.EqualTo((false, 64u)));
            Assert.That((frames.TakeRun(7, 32, out first), first), Is.EqualTo((6u, 65u)), "the last run is short");
            Assert.That((frames.IsUsedUp, frames.TakeRun(7, 1, out _)), Is.EqualTo((true, 0u)));
            Assert.That(
                Enumerable.Range(1, 70).Select(frame => frames.ShardOf(new FrameId((uint)frame))),
                Is.EqualTo(Enumerable.Range(1, 70).Select(frame => frame <= 32 ? 3 : frame <= 64 ? 5 : 7)));
            Assert.That((frames.ShardOf(FrameId.None), frames.ShardOf(new FrameId(71))), Is.EqualTo((-1, -1)));
            Assert.That(frames.Pages.FrameCount, Is.EqualTo(70));
            Assert.That(
                frames.NativeBytes + frames.Pages.CommittedBytes + frames.Pages.BookkeepingBytes,
                Is.EqualTo(meter.OutstandingBytes));
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }

    [Test]
    public void AFrameCostsWhatItIsSaidToCost()
    {
        // Committed and never touched. The columns are rounded to pages of the system; the rest of the byte that stands for
        // two bits is the slack.
        MemoryMeter meter = new();
        using ItemFrames frames = new(new PageMemory(20_000, 4096, meter), ownsPages: true, meter);
        Assert.That(frames.TakeRun(0, 20_000, out _), Is.EqualTo(20_000u));
        long said = frames.BytesPerFrame * 20_000;
        Assert.That(meter.OutstandingBytes, Is.InRange(said - 20_000, said + (5 * 4096)));
    }

    [Test]
    public void ARefusedRunTakesNothing([Values(1, 2, 3, 4)] int refused)
    {
        MemoryMeter meter = new();
        using ItemFrames frames = new(new PageMemory(100, 4096, meter), ownsPages: true, meter);
        using (MemoryFaults faults = new(refused))
        {
            Assert.That((frames.TakeRun(1, 32, out _), frames.Count), Is.EqualTo((0u, 0u)));
            Assert.That(faults.Requests, Is.EqualTo(refused));
        }

        Assert.That((frames.TakeRun(1, 32, out uint first), first, frames.Count), Is.EqualTo((32u, 1u, 32u)));
    }

    [Test]
    public void WhatWasWrittenIsTakenOnceInRuns([Values(1, 2, 3)] int seed)
    {
        // Against an array of flags; runs end inside, at and far beyond the 64 frames of a word.
        const int Count = 300;
        MemoryMeter meter = new();
        using ItemFrames frames = new(new PageMemory(Count, 4096, meter), ownsPages: true, meter);
        frames.TakeRun(0, Count, out _);
        bool[] written = new bool[Count + 2];
        Random random = TestSeed.Random(seed);
        for (int round = 0; round < 3000; round++)
        {
            int length = random.Next(3) == 0 ? random.Next(200) : random.Next(4);
            int start = random.Next(1, Count + 1);
            for (int frame = start; frame <= Math.Min(start + length, Count); frame++)
            {
                frames.MarkWritten((uint)frame);
                written[frame] = true;
            }

            for (int take = random.Next(3); take > 0; take--)
            {
                int from = random.Next(3) == 0 ? 0 : random.Next(Count + 3);
                int first = Math.Max(1, from);
                while (first <= Count && !written[first]) first++;
                int end = first;
                while (end <= Count && written[end]) written[end++] = false;
                bool taken = frames.TryTakeWritten(new FrameId((uint)from), out FrameId found, out uint count);
                Assert.That((taken, count), Is.EqualTo((end > first, (uint)(end - first))), $"from {from}, round {round}");
                if (taken) Assert.That(found.Value, Is.EqualTo(first), $"from {from}, round {round}");
            }
        }
    }

    [Test]
    public void AWriteMarksTheFramesItTouchesAndNoOthers()
    {
        using ItemTestStore store = new();
        store.Set("large", Value(1, 20_000));
        store.Set("small", Value(1, 100));
        Assert.That(Taken(), Is.EquivalentTo(store.FramesOf("large").Concat(store.FramesOf("small"))));
        store.Get("large");
        store.Store.Touch(Key("small"), 0, 1000);
        Assert.That(Taken(), Is.Empty, "reads write nothing");
        store.Set("small", Value(2, 100));
        Assert.That(Taken(), Is.EqualTo(store.FramesOf("small")));

        List<FrameId> Taken()
        {
            List<FrameId> taken = [];
            FrameId from = FrameId.None;
            while (store.Store.TryTakeWritten(from, out FrameId first, out uint count))
            {
                for (uint i = 0; i < count; i++) taken.Add(new FrameId(first.Value + i));
                from = new FrameId(first.Value + count);
            }

            return taken;
        }
    }

    [Test]
    public void EverySlotOfEveryClassIsItsOwn([Values(4096, 65_536)] int pageBytes)
    {
        MemoryMeter meter = new();
        using ItemFrames frames = new(new PageMemory(64, pageBytes, meter), ownsPages: true, meter);
        ItemBudget budget = new(32L << 20);
        using ItemRows rows = new(budget, meter);
        ShardFrames shard = new(frames, rows, budget, 0);
        for (byte sizeClass = SizeClasses.Whole + 1; sizeClass < frames.Classes.Count; sizeClass++)
        {
            // One frame and a slot of the next.
            int slots = frames.Classes.Slots(sizeClass);
            uint[] places = new uint[slots + 1];
            for (int slot = 0; slot <= slots; slot++)
            {
                Assert.That(shard.TryAllocateSlot(sizeClass, out places[slot]), Is.True);
                Assert.That(shard.Slot(places[slot]).Length, Is.EqualTo(frames.Classes.Bytes(sizeClass)));
                shard.Slot(places[slot]).Fill((byte)(slot % 251));
            }

            Assert.That(shard.UsedCount, Is.EqualTo(2));
            for (int slot = 0; slot <= slots; slot++)
            {
                Assert.That(shard.Slot(places[slot]).IndexOfAnyExcept((byte)(slot % 251)), Is.EqualTo(-1), $"slot {slot}");
                Assert.That(shard.ClassOf(places[slot]), Is.EqualTo(sizeClass));
                Assert.That(shard.FrameOf(places[slot]) == shard.FrameOf(places[0]), Is.EqualTo(slot < slots));
            }

            // What is freed is found again, in any place.
            foreach (int slot in (int[])[slots / 2, 0, slots - 1])
            {
                shard.FreeSlot(places[slot]);
                Assert.That(shard.UsedCount, Is.EqualTo(2));
                Assert.That(shard.TryAllocateSlot(sizeClass, out uint again) && again == places[slot], Is.True);
            }

            shard.FreeSlot(places[slots]);
            Assert.That(shard.UsedCount, Is.EqualTo(1), "the last slot frees its frame");
            for (int slot = 0; slot < slots; slot++) shard.FreeSlot(places[slot]);
            Assert.That(shard.UsedCount, Is.Zero);
            shard.Validate(0);
        }
    }

    [Test]
    public void ARefusedRunIsNotAskedForAgainAtOnce()
    {
        MemoryMeter meter = new();
        using ItemFrames frames = new(new PageMemory(64, 4096, meter), ownsPages: true, meter);
        ItemBudget budget = new(32L << 20);
        using ItemRows rows = new(budget, meter);
        ShardFrames shard = new(frames, rows, budget, 0);
        using MemoryFaults faults = new(1);
        Assert.That(shard.TryAllocateFrame(1, 0, out _), Is.False);
        long requests = faults.Requests;
        for (int rest = 0; rest < 64; rest++) Assert.That(shard.TryAllocateFrame(1, 0, out _), Is.False, $"rest {rest}");
        Assert.That(faults.Requests, Is.EqualTo(requests), "nobody asked");
        Assert.That(shard.TryAllocateFrame(1, 0, out uint frame), Is.True);
        Assert.That((frame, shard.FreeCount, shard.UsedCount), Is.EqualTo((1u, 31u, 1u)));
        Assert.That(budget.UsedBytes, Is.EqualTo(32 * frames.BytesPerFrame));
    }

    [Test]
    public void AShardTakesNoMoreFramesThanItMaySpend()
    {
        MemoryMeter meter = new();
        using ItemFrames frames = new(new PageMemory(64, 4096, meter), ownsPages: true, meter);
        ItemBudget budget = new((3 * frames.BytesPerFrame) - 1);
        using ItemRows rows = new(budget, meter);
        ShardFrames shard = new(frames, rows, budget, 0);
        uint last = 0;
        for (uint frame = 1; frame <= 2; frame++)
        {
            Assert.That(shard.TryAllocateFrame(9, last, out uint taken), Is.True);
            Assert.That(taken, Is.EqualTo(frame));
            last = taken;
        }

        Assert.That(shard.TryAllocateFrame(9, 0, out _), Is.False);
        budget.Move(1);
        Assert.That(shard.TryAllocateFrame(9, last, out uint third), Is.True);
        shard.Validate(0);
        shard.FreeChain(1);
        Assert.That((third, shard.FreeCount, shard.UsedCount), Is.EqualTo((3u, 3u, 0u)), "the whole chain");
    }

    [Test]
    public void FramesRetireForBytesThatAreWantingAndComeBack()
    {
        MemoryMeter meter = new();
        using ItemFrames frames = new(new PageMemory(8, 4096, meter), ownsPages: true, meter);
        long each = frames.BytesPerFrame;
        ItemBudget budget = new(8 * each);
        using ItemRows rows = new(budget, meter);
        ShardFrames shard = new(frames, rows, budget, 0);
        Assert.That(shard.TryRetireFor(8 * each), Is.False, "the bytes are there: no frame need go");
        Assert.That(shard.TryAllocateFrame(1, 0, out uint used), Is.True);
        Assert.That((shard.FreeCount, budget.FreeBytes), Is.EqualTo((7u, 0L)));
        Assert.That(shard.TryRetireFor((7 * each) + 1), Is.False, "more than there is");
        Assert.That(shard.RetiredCount, Is.Zero);
        Assert.That(shard.TryRetireFor((2 * each) + 1), Is.True);
        Assert.That((shard.RetiredCount, shard.FreeCount, budget.FreeBytes), Is.EqualTo((3u, 4u, 3 * each)));
        Assert.That(shard.TryRetireFor(7 * each), Is.True, "all that there is");
        Assert.That((shard.RetiredCount, shard.FreeCount, frames.Pages.DiscardedFrames), Is.EqualTo((7u, 0u, 7u)));
        shard.Validate(0);

        Assert.That(budget.TrySpend((6 * each) + 1), Is.True);
        Assert.That(shard.TryAllocateFrame(1, 0, out _), Is.False, "the bytes are metadata now");
        budget.Refund(1);
        meter.SetLimit(meter.OutstandingBytes);
        Assert.That(shard.TryAllocateFrame(1, 0, out _), Is.False, "the memory is refused");
        shard.Validate(6 * each);
        meter.SetLimit(long.MaxValue);
        Assert.That(shard.TryAllocateFrame(1, 0, out uint revived), Is.True);
        Assert.That((shard.RetiredCount, frames.Pages.DiscardedFrames, budget.FreeBytes), Is.EqualTo((6u, 6u, 0L)));
        Assert.That(revived, Is.Not.EqualTo(used));
        frames.Pages.Page(new FrameId(revived)).Fill(1);
        shard.Validate(6 * each);
    }

    [Test]
    public void ARetiredFrameThatIsWithdrawnComesBackRetired()
    {
        MemoryMeter meter = new();
        using ItemFrames frames = new(new PageMemory(8, 4096, meter), ownsPages: true, meter);
        long each = frames.BytesPerFrame;
        ItemBudget budget = new(8 * each);
        using ItemRows rows = new(budget, meter);
        ShardFrames shard = new(frames, rows, budget, 0);
        shard.TryAllocateFrame(1, 0, out _);
        shard.TryRetireFor(2 * each);
        uint retired = Enumerable.Range(1, 8).Select(frame => (uint)frame)
            .First(frame => frames.Rows[frame].Class == ItemFrames.Retired);
        uint free = shard.FirstFree;

        shard.Withdraw(retired);
        Assert.That((shard.RetiredCount, shard.WithdrawnCount), Is.EqualTo((1u, 1u)));
        Assert.That((budget.LimitBytes, budget.FreeBytes), Is.EqualTo((8 * each, 2 * each)), "its bytes stay metadata's");
        shard.Withdraw(free);
        Assert.That((shard.FreeCount, shard.WithdrawnCount), Is.EqualTo((4u, 2u)));
        Assert.That((budget.LimitBytes, budget.FreeBytes), Is.EqualTo((7 * each, 2 * each)), "its bytes go with it");
        shard.Validate(0);

        Assert.That(shard.TryReturn(retired), Is.True);
        Assert.That((shard.RetiredCount, shard.FreeCount, shard.WithdrawnCount), Is.EqualTo((2u, 4u, 1u)));
        Assert.That(shard.TryReturn(free), Is.True);
        Assert.That(shard.TryReturn(retired) || shard.TryReturn(free), Is.False, "they are back already");
        Assert.That(
            (shard.RetiredCount, shard.FreeCount, shard.WithdrawnCount, budget.LimitBytes, budget.FreeBytes),
            Is.EqualTo((2u, 5u, 0u, 8 * each, 2 * each)));
        shard.Validate(0);
    }

    [Test]
    public void AFrameWhoseMemoryIsGoneIsForgottenAndOneThatIsThereIsKept()
    {
        using ItemTestStore store = new();
        using FramePresence presence = new(store.Store.Pages);
        if (!presence.IsKnown) Assert.Ignore("this system does not tell which pages are there");
        store.Set("kept", Value(1, 4096));
        store.Set("taken", Value(2, 4096));
        FrameId kept = store.FramesOf("kept")[0];
        FrameId taken = store.FramesOf("taken")[0];
        store.Store.Pages.Discard([taken]);
        Assert.That(store.Store.ForgetTaken(kept, presence), Is.Zero);
        Assert.That(store.Store.ForgetTaken(taken, presence), Is.EqualTo(1));
        Assert.That(store.Store.ForgetTaken(taken, presence), Is.Zero, "nothing is in it any more");
        Assert.That(store.Store.ForgetTaken(new FrameId(5000), presence), Is.EqualTo(-1));
        Assert.That(() => store.Store.ForgetTaken(kept, null!), Throws.ArgumentNullException);
        Assert.That((store.Counts.Lost, store.Counts.WithdrawnFrames), Is.EqualTo((1L, 0L)));
        Assert.That((store.Get("kept"), store.Get("taken")), Is.EqualTo((Value(1, 4096), (byte[]?)null)));
        store.Store.Validate();
    }

    [Test]
    public void ATrimTakesAnEvenShareOfEachShard()
    {
        using ItemTestStore store = new(16 << 20, shards: 4);
        for (int i = 0; i < 400; i++) store.Set($"k{i}", Value(i, 4096));
        FrameId[] frames = new FrameId[10];
        Assert.That(store.Store.Trim(frames), Is.EqualTo(10));
        Assert.That(Shares(), Is.EqualTo(new uint[] { 3, 3, 2, 2 }));
        Assert.That(frames.Distinct().Count(), Is.EqualTo(10));

        // The last shard has nothing any more; the first makes up for it.
        ItemSpace last = store.Store.Shards[3].Space;
        uint all = last.Frames.FreeCount + last.Frames.UsedCount;
        Assert.That(store.Store.Shards[3].Trim(new FrameId[all + 5]), Is.EqualTo(all));
        Assert.That(store.Store.Trim(new FrameId[40]), Is.EqualTo(40));
        Assert.That(Shares(), Is.EqualTo(new uint[] { 23, 13, 12, all + 2 }));
        store.Store.Validate();

        IEnumerable<uint> Shares() => store.Store.Shards.ToArray().Select(shard => shard.Space.Frames.WithdrawnCount);
    }

    [Test]
    public void ARuleSeesWhereItemsLie()
    {
        using ItemTestStore store = new();
        ItemSpace space = store.Store.Shards[0].Space;
        store.Set("none", []);
        store.Set("slot", Value(1, 1000));
        store.Set("split", Value(1, 3000));
        store.Set("whole", Value(1, 4096));
        store.Set("mixed", Value(1, 6000));
        ItemId[] items = [.. Enumerable.Range(1, (int)space.Rows.RowEnd - 1).Select(row => new ItemId((uint)row))
            .Where(item => space.Rows.Heads[item.Value].Has(RowMarks.Live))];
        Assert.That(items.Select(space.ClassOf), Is.EqualTo(new[] { 0, 4, 2, 1, 1 }));
        Assert.That(space.FrameOf(items[0]), Is.EqualTo(FrameId.None));
        string[] keys = ["none", "slot", "split", "whole", "mixed"];
        for (int i = 1; i < items.Length; i++)
        {
            Assert.That(store.FramesOf(keys[i]), Does.Contain(space.FrameOf(items[i])), keys[i]);
            Assert.That(space.AllFrames.Rows[space.FrameOf(items[i]).Value].Class, Is.EqualTo(space.ClassOf(items[i])), keys[i]);
        }

        Assert.That(space.FirstItemIn(FrameId.None), Is.EqualTo(ItemId.None));
        Assert.That(space.FirstItemIn(new FrameId(32)), Is.EqualTo(ItemId.None), "a free frame");
        Assert.That(space.FirstItemIn(space.FrameOf(items[3])), Is.EqualTo(items[3]));
        FrameId rest = store.FramesOf("split")[1];
        Assert.That(store.KeysIn(rest), Does.Contain("split"));
        store.Store.Delete(Key("slot"), 0);
        Assert.That(space.FirstItemIn(rest), Is.EqualTo(items[2]), "the item of a continuation");

        Assert.That(space.TakeReferenced(items[2]), Is.False);
        space.MarkReferenced(items[2]);
        space.MarkReferenced(items[2]);
        Assert.That((space.TakeReferenced(items[2]), space.TakeReferenced(items[2])), Is.EqualTo((true, false)));
        Assert.That(space.ItemCount, Is.EqualTo(4));
    }
}
