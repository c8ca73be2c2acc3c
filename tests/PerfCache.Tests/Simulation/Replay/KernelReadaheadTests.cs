// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>Windows as the rules of the kernel give them, for a maximum of 32 pages; nothing is cached unless said.</summary>
internal sealed class KernelReadaheadTests
{
    private const long Max = 32;

    [TestCase(1, 4)]
    [TestCase(2, 4)]
    [TestCase(3, 8)]
    [TestCase(4, 8)]
    [TestCase(8, 16)]
    [TestCase(9, 32)]
    [TestCase(40, 32)]
    public void TheFirstWindowFollowsTheRequest(int asked, int size) =>
        Assert.That(KernelReadahead.InitialSize(asked, Max), Is.EqualTo(size));

    [TestCase(1, 4)]
    [TestCase(2, 4)]
    [TestCase(4, 8)]
    [TestCase(16, 32)]
    [TestCase(17, 32)]
    [TestCase(32, 32)]
    public void TheNextWindowGrows(int size, int next) =>
        Assert.That(KernelReadahead.NextSize(size, Max), Is.EqualTo(next));

    /// <summary>4 KiB reads from the start: 4 pages with a marker behind the first, then 8, 16, 32, 32 from their own
    /// markers.</summary>
    [Test]
    public void ASequentialReaderRampsUp()
    {
        KernelReadahead readahead = new();
        Assert.That(readahead.Miss(0, 1, Max, _ => false), Is.EqualTo(new ReadaheadRun(0, 4, 1)));
        readahead.Expected = 1;
        Assert.That(readahead.Marked(1, 1, Max, _ => true), Is.EqualTo(new ReadaheadRun(4, 8, 4)));
        Assert.That(readahead.Marked(4, 1, Max, _ => true), Is.EqualTo(new ReadaheadRun(12, 16, 12)));
        Assert.That(readahead.Marked(12, 1, Max, _ => true), Is.EqualTo(new ReadaheadRun(28, 32, 28)));
        Assert.That(readahead.Marked(28, 1, Max, _ => true), Is.EqualTo(new ReadaheadRun(60, 32, 60)));
    }

    [Test]
    public void ARandomReadReadsWhatItAsksFor()
    {
        KernelReadahead readahead = new();
        Assert.That(readahead.Miss(100, 3, Max, _ => false), Is.EqualTo(new ReadaheadRun(100, 3, -1)));
        readahead.Expected = 103;
        Assert.That(readahead.Miss(50, 1, Max, _ => false), Is.EqualTo(new ReadaheadRun(50, 1, -1)));
        readahead.IsRandom = true;
        readahead.Expected = 51;
        Assert.That(readahead.Miss(51, 1, Max, _ => false), Is.EqualTo(new ReadaheadRun(51, 1, -1)), "it said so");
    }

    [Test]
    public void TheSecondOfTwoNeighboursBeginsAWindow()
    {
        KernelReadahead readahead = new();
        readahead.Miss(100, 1, Max, _ => false);
        readahead.Expected = 101;
        Assert.That(readahead.Miss(101, 1, Max, _ => false), Is.EqualTo(new ReadaheadRun(101, 4, 102)));
    }

    [Test]
    public void CachedPagesBeforeAMissAreAStreamThatWasLost()
    {
        KernelReadahead readahead = new() { Expected = 5000 };
        Assert.That(readahead.Miss(100, 1, Max, page => page is >= 94 and < 100), Is.EqualTo(new ReadaheadRun(100, 7, 106)));
        Assert.That(readahead.Miss(10, 1, Max, page => page < 10), Is.EqualTo(new ReadaheadRun(10, 21, 30)), "from the start");
    }

    [Test]
    public void AnotherReadersMarkerTellsWhereItsWindowEnds()
    {
        KernelReadahead readahead = new();
        Assert.That(readahead.Marked(10, 1, Max, page => page < 14), Is.EqualTo(new ReadaheadRun(14, 10, 14)));
        Assert.That(readahead.Marked(10, 1, Max, _ => true).Count, Is.Zero, "more is cached than a window holds");
    }

    [Test]
    public void AReaderThatSaidItReadsInOrderGetsTwiceAsMuch()
    {
        KernelReadahead readahead = new() { IsSequential = true };
        Assert.That(readahead.Miss(0, 32, Max, _ => false).Count, Is.EqualTo(64));
    }
}
