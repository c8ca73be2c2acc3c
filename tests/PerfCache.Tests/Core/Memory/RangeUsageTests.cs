// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Memory;

/// <summary>Goal: the system's figures are added up for a range, however many entries it is split into.</summary>
[TestFixture]
public sealed class RangeUsageTests
{
    private const string Map = """
        10000-20000 rw-p 00000000 00:00 0
        Size:                 64 kB
        Rss:                  64 kB
        AnonHugePages:         0 kB
        LazyFree:              0 kB
        VmFlags: rd wr mr mw me ac
        20000-28000 rw-p 00000000 00:00 0                          [anon: it's a name: 12 kB]
        Rss:                  20 kB
        AnonHugePages:         8 kB
        LazyFree:              4 kB
        28000-30000 rw-p 00000000 00:00 0
        Rss:                  12 kB
        ShmemPmdMapped:        4 kB
        LazyFree:              8 kB
        30000-50000 ---p 00000000 00:00 0
        Rss:                   0 kB
        ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
        Rss:                   4 kB
        """;

    [TestCase(0x20000u, 0x30000u, 32, 12, 12)]
    [TestCase(0x10000u, 0x30000u, 96, 12, 12)]
    [TestCase(0x20000u, 0x38000u, 32, 12, 12, Description = "the rest of the last entry holds nothing")]
    [TestCase(0x60000u, 0x70000u, 0, 0, 0)]
    public void EntriesWithinTheRangeAreAddedUp(uint first, uint end, int resident, int huge, int lazy) =>
        Assert.That(
            RangeUsage.Parse(new StringReader(Map), first, end),
            Is.EqualTo(new RangeUsage(resident * 1024, huge * 1024, lazy * 1024)));

    [Test]
    public void AnEntryThatReachesOutsideCannotBeDivided() =>
        Assert.That(RangeUsage.Parse(new StringReader(Map), 0x18000, 0x30000), Is.Null);

    [Test]
    public unsafe void ARangeIsMeasuredApartFromItsNeighboursAndKnowsWhatWasRefused()
    {
        if (!OsMemory.IsReal) Assert.Ignore("this system does not tell what is resident");
        MemoryMeter meter = new();
        using (NativeRange first = new("first", 1 << 20, OsMemory.PageBytes, shared: false, meter))
        using (NativeRange second = new("second", 1 << 20, OsMemory.PageBytes, shared: true, meter))
        {
            // Fully committed and next to each other: only the guards keep the system from merging the two.
            first.Commit(1 << 20);
            second.Commit(1 << 20);
            new Span<byte>(first.Address, 1 << 20).Fill(1);
            new Span<byte>(second.Address, 1 << 19).Fill(1);
            Assert.That(RangeUsage.TryMeasure((nuint)first.Address, 1 << 20)?.ResidentBytes, Is.EqualTo(1 << 20));
            Assert.That(RangeUsage.TryMeasure((nuint)second.Address, 1 << 20)?.ResidentBytes, Is.EqualTo(1 << 19));

            // Shared memory cannot be freed lazily: mere advice, so nothing is thrown, once noted however often asked.
            Assert.That(second.Advise(0, 4096, MemoryAdvice.Free), Is.EqualTo(OsMemory.InvalidArgument));
            Assert.That(second.Advise(0, 4096, MemoryAdvice.Free), Is.EqualTo(OsMemory.InvalidArgument));
            Assert.That(second.Refused, Is.EqualTo(new[] { new RefusedAdvice("MADV_FREE", OsMemory.InvalidArgument) }));
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
    }
}
