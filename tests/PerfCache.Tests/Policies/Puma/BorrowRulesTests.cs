// SPDX-License-Identifier: MIT
using PerfCache.Policies.Puma;

namespace PerfCache.Tests.Policies.Puma;

/// <summary>Goal: the decisions that the simulated and the real borrower share, for all that they can be asked.</summary>
[TestFixture]
public sealed class BorrowRulesTests
{
    [Test]
    public void ADroppedPageHasTheFirstCauseThatAppliesAndOnlyCleanOnesAreKept(
        [Values] bool dirty, [Values] bool present, [Values] bool lends, [Values] bool filtered, [Values] bool lender,
        [Values] bool room, [Values] LendingStrategy strategy)
    {
        PutChoice choice = BorrowRules.ForEvicted(
            new LeavingPage(dirty, present, lends, filtered, lender, room), strategy, out PumaCause cause);
        (PutChoice, PumaCause) expected =
            dirty ? (PutChoice.Drop, PumaCause.Dirty)
            : present && strategy == LendingStrategy.Keep ? (PutChoice.Skip, PumaCause.None)
            : lends ? (PutChoice.Drop, PumaCause.Role)
            : filtered ? (PutChoice.Drop, PumaCause.Sequential)
            : !lender ? (PutChoice.Drop, PumaCause.NoLender)
            : !room ? (PutChoice.Drop, PumaCause.PoolEmpty)
            : (PutChoice.Send, PumaCause.None);
        Assert.That((choice, cause), Is.EqualTo(expected));
    }

    [TestCase(false, false, false, MissSource.Disk)]
    [TestCase(false, true, true, MissSource.Disk)]
    [TestCase(true, false, true, MissSource.Disk)]
    [TestCase(true, true, true, MissSource.Disk)]
    [TestCase(true, true, false, MissSource.Wait)]
    [TestCase(true, false, false, MissSource.Lender)]
    public void AMissAsksALenderOnlyForWhatItHas(bool present, bool busy, bool suspended, MissSource expected) =>
        Assert.That(BorrowRules.ForMiss(present, busy, suspended), Is.EqualTo(expected));
}
