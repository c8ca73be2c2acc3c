// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Index;

/// <summary>
/// Goal: objects come and go without touching each other, and every byte they take is counted and comes back. Method:
/// the index's own count of its memory beside the meter that all memory is charged to, and the addresses of
/// directories, after each step.
/// </summary>
[TestFixture]
public sealed class PageIndexObjectTests
{
    [Test]
    public void ObjectsKeepTheirPagesWhileMoreAreAdded()
    {
        using TestIndex test = new();
        List<FrameId> frames = [];
        for (uint i = 0; i < 70; i++)
        {
            ObjectId owner = test.Index.AddObject(1000, dense: i % 3 != 0);
            Assert.That(owner.Value, Is.EqualTo(i), "numbers are given in turn");
            frames.Add(test.Put(owner, i));
            for (uint j = 0; j <= i; j++)
            {
                Assert.That(test.Entry(new ObjectId(j), j).Frame, Is.EqualTo(frames[(int)j]));
                Assert.That(test.Index.FindEntryShared(new ObjectId(j), j).Frame, Is.EqualTo(frames[(int)j]));
            }
        }

        test.Index.Validate();
    }

    [TestCase(1UL, 64UL)]
    [TestCase(63UL, 64UL)]
    [TestCase(64UL, 64UL)]
    [TestCase(65UL, 128UL)]
    [TestCase(1000UL, 1024UL)]
    public void AnObjectHasWholeLeaves(ulong pages, ulong whole)
    {
        using TestIndex test = new();
        foreach (bool dense in new[] { true, false })
        {
            ObjectId owner = test.Index.AddObject(pages, dense);
            Assert.That(test.Index.IsPage(owner, whole - 1), Is.True);
            Assert.That(test.Index.IsPage(owner, whole), Is.False);
            // All of them can be had: the directory is as long as the object.
            test.Put(owner, whole - 1);
        }

        test.Index.Validate();
    }

    [TestCase(true)]
    [TestCase(false)]
    public void AllMemoryIsCounted(bool keepsDirectories)
    {
        using TestIndex test = new(3000, keepsDirectories);
        void Check(string step) => Assert.That(
            test.Index.NativeBytes, Is.EqualTo(test.Meter.OutstandingBytes - test.Frames.NativeBytes), step);
        Check("empty");
        ObjectId[] owners =
        [
            test.Index.AddObject(1UL << 22, dense: true), test.Index.AddObject(PageKey.PageMax + 1, dense: false),
            test.Index.AddObject(1UL << 22, dense: true),
        ];
        long before = test.Index.NativeBytes;
        for (ulong i = 0; i < 900; i++)
        {
            foreach (ObjectId owner in owners) test.Put(owner, i * 4000);
            if (i % 100 == 0) Check($"{i} pages each");
        }

        Assert.That(test.Index.NativeBytes, Is.GreaterThan(before + (900 * 256)), "leaves and nodes take memory");
        long full = test.Index.NativeBytes;
        foreach (ObjectId owner in owners)
        {
            test.Remove(owner);
            Check("one object less");
        }

        Assert.That(test.Index.NativeBytes, Is.LessThan(full), "the directories' memory is back");
        test.Put(test.Index.AddObject(1UL << 22, dense: true), 99);
        Check("one object more");
        test.Index.Validate();
    }

    [TestCase(true)]
    [TestCase(false)]
    public void ARemovedObjectHasNoPagesAndItsNumberIsNotUsedAgain(bool keepsDirectories)
    {
        using TestIndex test = new(keepsDirectories: keepsDirectories);
        ObjectId first = test.Index.AddObject(5000, dense: true);
        ObjectId sparse = test.Index.AddObject(5000, dense: false);
        ObjectId last = test.Index.AddObject(5000, dense: true);
        foreach (ObjectId owner in new[] { first, sparse, last }) test.Put(owner, 70);
        test.Remove(first);
        test.Remove(sparse);
        Assert.Multiple(() =>
        {
            foreach (ObjectId gone in new[] { first, sparse })
            {
                Assert.That(test.Index.IsPage(gone, 70), Is.False);
                Assert.That(test.Index.FindEntryShared(gone, 70).IsEmpty, Is.True);
                Assert.That(test.Index.Entry(test.Index.FindSlotShared(gone, 70)).IsEmpty, Is.True);
                Assert.That(test.Index.ViewShared(gone).Spans(70), Is.False);
                Assert.That(test.Entry(gone, 70).IsEmpty, Is.True);
                test.Index.Walk(gone, 0, 4999, (page, _, _) => Assert.Fail($"page {page} of an object that is gone"));
            }

            Assert.That(test.Entry(last, 70).IsFrame, Is.True);
        });
        test.Index.Validate();
        // Its directory may be the old one: whoever asks for the old object must not find the new one's page by it.
        ObjectId next = test.Index.AddObject(5000, dense: true);
        Assert.That(next.Value, Is.EqualTo(3));
        test.Put(next, 70);
        Assert.That(test.Index.FindEntryShared(first, 70).IsEmpty, Is.True);
        Assert.That(test.Index.FindEntryShared(next, 70).IsFrame, Is.True);
        test.Index.Validate();
    }

    /// <summary>Address space of removed objects is used again, the smallest that is long enough, each once.</summary>
    [Test]
    public unsafe void ANewObjectGetsTheShortestDirectoryThatIsLongEnough()
    {
        using TestIndex test = new(keepsDirectories: true);
        uint* Directory(ulong leaves, out ObjectId owner)
        {
            owner = test.Index.AddObject(leaves * 64, dense: true);
            return test.Index.LeavesOf(owner, out _).Address;
        }

        // The best is neither the first nor the last to be retired.
        uint* longest = Directory(10_000, out ObjectId a);
        uint* middle = Directory(5000, out ObjectId b);
        uint* longer = Directory(7000, out ObjectId c);
        uint* shortest = Directory(100, out ObjectId d);
        foreach (ObjectId owner in new[] { a, b, c, d })
        {
            test.Put(owner, 63);
            test.Remove(owner);
        }

        Assert.Multiple(() =>
        {
            Assert.That(Directory(101, out ObjectId owner) == middle, Is.True, "too many for the shortest");
            Assert.That(test.Entry(owner, 63).IsEmpty, Is.True, "nothing is left of the page that was there");
            Assert.That(Directory(100, out _) == shortest, Is.True, "exactly long enough");
            Assert.That(Directory(100, out _) == longer, Is.True, "the others are taken");
            Assert.That(Directory(10_001, out owner) == longest, Is.False, "too many for the longest");
            test.Put(owner, 10_000 * 64);
            Assert.That(Directory(10_000, out owner) == longest, Is.True);
            test.Put(owner, 63);
        });
        test.Index.Validate();
    }

    [Test]
    public void DirectoriesThatWaitForAnObjectGoWithTheIndex()
    {
        using MemoryFaults reservations = new();
        using (TestIndex test = new(keepsDirectories: true))
        {
            foreach (ulong pages in (ulong[])[900, 70_000])
            {
                ObjectId owner = test.Index.AddObject(pages, dense: true);
                test.Put(owner, 5);
                test.Remove(owner);
            }

            test.Put(test.Index.AddObject(100_000, true), 9);
        }

        Assert.That(reservations.Reservations, Is.Zero);
    }

    /// <summary>Whichever request for memory the system refuses, making an index and its first object fails with
    /// nothing kept, and says what the memory was for.</summary>
    [Test]
    public void AnIndexThatCannotBeMadeKeepsNothing()
    {
        HashSet<string> purposes = [];
        bool wasRefused = true;
        for (long refused = 1; wasRefused; refused++)
        {
            MemoryMeter meter = new();
            using FrameTable frames = new(4, 0, meter);
            long before = meter.OutstandingBytes;
            using MemoryFaults faults = new(refused);
            try
            {
                using PageIndex index = new(frames, meter);
                index.AddLeaf(index.AddObject(10, dense: true), 0);
                index.AddLeaf(index.AddObject(10, dense: false), 0);
            }
            catch (NativeMemoryException refusal)
            {
                purposes.Add(refusal.Message.Split(':')[0]);
            }

            Assert.That(meter.OutstandingBytes, Is.EqualTo(before), $"request {refused}");
            Assert.That(faults.Reservations, Is.Zero, $"request {refused}");
            wasRefused = faults.Requests >= refused;
        }

        Assert.That(purposes, Is.EquivalentTo(new[]
        {
            "index slots", "index counts", "index keys", "index links", "sparse page buckets",
            "object directory",
        }));
    }
}
