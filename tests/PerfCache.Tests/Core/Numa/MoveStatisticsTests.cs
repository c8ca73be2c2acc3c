// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Numa;

namespace PerfCache.Tests.Core.Numa;

/// <summary>Goal: counts of moves add up, and say in words what became of the pages.</summary>
[TestFixture]
internal sealed class MoveStatisticsTests
{
    private static readonly MoveStatistics s_one = new()
    {
        MovedPages = 1000,
        MovedBytes = 4096,
        UntouchedPages = 1,
        FailedPages = new Dictionary<int, long> { [NumaStatus.Busy] = 2, [NumaStatus.NoMemory] = 1 },
        RemainingPages = 3,
        Retries = 4,
        CorrectedStatuses = 5,
        BrokenPromises = 6,
        Batches = 7,
        WaitedForRate = TimeSpan.FromSeconds(8),
        BackedOff = TimeSpan.FromSeconds(9),
    };

    [Test]
    public void SumsHaveEachCountAndEachStatus()
    {
        MoveStatistics other = new() { MovedPages = 5, FailedPages = new Dictionary<int, long> { [NumaStatus.Busy] = 1 } };
        MoveStatistics sum = MoveStatistics.Add(s_one + s_one, other);
        Assert.That(
            (sum.MovedPages, sum.MovedBytes, sum.UntouchedPages, sum.RemainingPages, sum.Retries, sum.CorrectedStatuses),
            Is.EqualTo((2005, 8192, 2, 6, 8, 10)));
        Assert.That((sum.BrokenPromises, sum.Batches), Is.EqualTo((12, 14)));
        Assert.That((sum.WaitedForRate.TotalSeconds, sum.BackedOff.TotalSeconds), Is.EqualTo((16, 18)));
        Assert.That(sum.FailedPages, Is.EquivalentTo(new Dictionary<int, long>
        {
            [NumaStatus.Busy] = 5,
            [NumaStatus.NoMemory] = 2,
        }));
    }

    [Test]
    public void TheCountsAreALine()
    {
        Assert.That(s_one.ToString(), Is.EqualTo(
            "1,000 pages moved, 1 untouched, 1 failed (the target is full), 2 failed (busy), 3 remaining; 7 batches, "
            + "4 retries, 5 statuses corrected, 6 promises broken"));
        Assert.That(new MoveStatistics().ToString(), Does.Contain(" 0 failed,"));
    }

    [TestCase(3, "on node 3")]
    [TestCase(NumaStatus.NotTouched, "not touched yet")]
    [TestCase(NumaStatus.MappedBySeveral, "mapped by several processes")]
    [TestCase(NumaStatus.NotMapped, "not mapped")]
    [TestCase(NumaStatus.NoSuchNode, "no such node")]
    [TestCase(NumaStatus.NotTold, "no reason told, as when the target is full")]
    [TestCase(-22, "error 22")]
    public void EachStatusHasItsWords(int status, string words)
    {
        Assert.That(NumaStatus.Describe(status), Is.EqualTo(words));
        Assert.That(NumaStatus.IsNode(status), Is.EqualTo(status == 3));
    }
}
