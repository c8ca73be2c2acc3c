// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Memory;

/// <summary>Goal: a column grows in place, is zero where new, obeys its limits, and gives everything back.</summary>
[TestFixture]
public sealed class NativeColumnTests
{
    private MemoryMeter _meter = null!;

    [SetUp]
    public void MakeMeter() => _meter = new MemoryMeter();

    [TearDown]
    public void NothingIsOut() => Assert.That(_meter.OutstandingBytes, Is.Zero);

    [Test]
    public void AnEmptyColumnReservesButCommitsNothing()
    {
        using NativeColumn<uint> column = new("test", 1L << 32, _meter);
        Assert.Multiple(() =>
        {
            Assert.That(column.Length, Is.Zero);
            Assert.That(column.LengthMax, Is.EqualTo(1L << 32));
            Assert.That(_meter.OutstandingBytes, Is.Zero);
        });
    }

    [Test]
    public void GrowingKeepsElementsInPlaceAndNewOnesAreZero()
    {
        using NativeColumn<ulong> column = new("test", 1_000_000, _meter);
        column.EnsureLength(1);
        column.View[0u] = 42;
        ref ulong first = ref column.View[0u];
        for (long length = 1; length <= 1_000_000; length = (length * 3) + 1) column.EnsureLength(length);
        first++;
        Assert.That(column.View[0u], Is.EqualTo(43));
        for (uint i = 1; i < 265_720; i += 97) Assert.That(column.View[i], Is.Zero);
    }

    [Test]
    public void ExactGrowthCommitsWholePagesOnly()
    {
        using NativeColumn<byte> column = new("test", 1 << 20, _meter);
        column.EnsureLengthExact(10_000);
        Assert.That(column.CommittedBytes, Is.EqualTo(
            (10_000 + Environment.SystemPageSize - 1) / Environment.SystemPageSize * Environment.SystemPageSize));
        Assert.That(_meter.OutstandingBytes, Is.EqualTo(column.CommittedBytes));
    }

    /// <summary>A block that was in use while it was committed bit by bit is put together when it is whole, with its
    /// elements; one that comes as a whole has its huge page from the first touch.</summary>
    [Test]
    public unsafe void WholeBlocksGetHugePagesAndKeepTheirElements()
    {
        if (!RangeUsage.GivesHugePages) Assert.Ignore("the system gives no huge pages to who asks");
        const int Block = OsMemory.HugePageBytes;
        using NativeColumn<ulong> column = new("test", 64L * Block / sizeof(ulong), _meter);
        for (uint i = 0; i < 3 * Block / sizeof(ulong); i++)
        {
            column.EnsureLength(i + 1);
            column.View[i] = i;
        }

        fixed (ulong* first = &column.View[0u])
        {
            Assert.That((long)first % Block, Is.Zero);
            RangeUsage? usage = RangeUsage.TryMeasure((nuint)first, (nuint)column.CommittedBytes);
            Assert.That(usage?.HugePageBytes, Is.GreaterThanOrEqualTo(3L * Block));
            Assert.That(usage?.ResidentBytes, Is.LessThanOrEqualTo(_meter.OutstandingBytes));
        }

        for (uint i = 0; i < 3 * Block / sizeof(ulong); i++) Assert.That(column.View[i], Is.EqualTo(i));
    }

    [Test]
    public void SmallColumnsTakeNoMoreThanTheyNeed()
    {
        using NativeColumn<byte> column = new("test", 1L << 30, _meter);
        column.EnsureLength(1_000_000);
        Assert.That(column.CommittedBytes, Is.LessThan(1_100_000));
        column.EnsureLength(5_200_000);
        Assert.That(column.CommittedBytes, Is.EqualTo(RangeUsage.GivesHugePages ? 6 << 20 : 5_201_920));
    }

    [Test]
    public void MoreThanReservedIsRefusedWithItsPurpose()
    {
        using NativeColumn<uint> column = new("the test's column", 100, _meter);
        NativeMemoryException? refusal = Assert.Throws<NativeMemoryException>(() => column.EnsureLength(101));
        Assert.That(refusal!.Message, Does.Contain("the test's column").And.Contain("101").And.Contain("100"));
    }

    [Test]
    public void AMeterAtItsLimitRefusesAndTheColumnStaysAsItWas()
    {
        MemoryMeter small = new(limitBytes: 100_000);
        using (NativeColumn<byte> column = new("small", 1 << 20, small))
        {
            column.EnsureLengthExact(50_000);
            long before = column.Length;
            NativeMemoryException? refusal = Assert.Throws<NativeMemoryException>(() => column.EnsureLengthExact(200_000));
            Assert.Multiple(() =>
            {
                Assert.That(refusal!.Message, Does.Contain("limit of 100000 bytes"));
                Assert.That(column.Length, Is.EqualTo(before));
                Assert.That(small.OutstandingBytes, Is.EqualTo(column.CommittedBytes));
            });
            column.View[(uint)before - 1] = 7;
        }

        Assert.That(small.OutstandingBytes, Is.Zero);
        Assert.That(small.PeakBytes, Is.GreaterThan(0));
    }

    [Test]
    public void DisposeTwiceIsHarmlessAndGrowingAfterwardsIsRefused()
    {
        NativeColumn<uint> column = new("test", 1000, _meter);
        column.EnsureLength(10);
        column.Dispose();
        column.Dispose();
        Assert.Throws<ObjectDisposedException>(() => column.EnsureLength(20));
    }

    [Test]
    public void ImpossibleReservationsAreRefused() =>
        Assert.Throws<NativeMemoryException>(() => _ = new NativeColumn<ulong>("huge", long.MaxValue / 16, _meter));

#if DEBUG
    [Test]
    public void DebugBuildsCheckEveryIndex()
    {
        using NativeColumn<uint> column = new("test", 1000, _meter);
        column.EnsureLength(1000);
        Assert.Throws<InvariantException>(() => column.View[1000u] = 1);
    }
#endif
}
