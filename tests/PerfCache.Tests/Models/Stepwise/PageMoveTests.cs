// SPDX-License-Identifier: MIT
using System.Reflection;
using static PerfCache.Tests.Models.Stepwise.PageMoveFault;
using static PerfCache.Tests.Models.Stepwise.PageMoveScenario;

namespace PerfCache.Tests.Models.Stepwise;

/// <summary>Who meets the page that moves.</summary>
internal enum PageMoveScenario
{
    Lease,
    CopyOut,
    Epoch,
    Write,
    Evict,
    WriteAndLease,
    EvictAndLease,
}

/// <summary>
/// Goal: while a page moves to another frame nobody sees a torn or a foreign byte, no write is lost, nobody waits, and each
/// step of the protocol is needed or known not to be. Method: every interleaving of each scenario on weakly ordered
/// machines, whole and with one thing taken out.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.Self)]
internal sealed class PageMoveTests
{
    [OneTimeSetUp]
    public void LeaveToRelease() => TestScale.LeaveToRelease();

    [Test]
    public void TheProtocolHolds(
        [Values(Lease, CopyOut, Epoch, Write, Evict)] PageMoveScenario scenario,
        [Values(PageHitMachine.WeakLocked, PageHitMachine.X64)] PageHitMachine machine) =>
        Holds(scenario, machine, None);

    [Test]
    public void TheProtocolHoldsForThree([Values(WriteAndLease, EvictAndLease)] PageMoveScenario scenario) =>
        Holds(scenario, PageHitMachine.X64, None);

    [Test, Explicit("minutes: dotnet test --filter FullyQualifiedName~PageMoveTests.TheProtocolHoldsOnEveryMachine")]
    [Category("StepwiseLong")]
    public void TheProtocolHoldsOnEveryMachine([Values] PageMoveScenario scenario, [Values] PageHitMachine machine) =>
        Holds(scenario, machine, None, isLong: true);

    [TestCase(Lease, X6SlotFollowsTheKill)]
    [TestCase(Lease, X7PinsAreNotTested)]
    [TestCase(Lease, X9SlotStays)]
    [TestCase(Lease, X10FrameStaysLive)]
    [TestCase(CopyOut, X5LiveReleasesNothing)]
    [TestCase(CopyOut, X7VersionStays)]
    [TestCase(Epoch, X8ReuseDoesNotWait)]
    [TestCase(Write, X4VersionIsNotCompared)]
    [TestCase(Write, X4IsOutsideTheLock)]
    [TestCase(Evict, X4VersionIsNotCompared)]
    [TestCase(CopyOut, X8WriteBarrierIsMissing)]
    [TestCase(WriteAndLease, X4HoldersAreNotTested)]
    [TestCase(WriteAndLease, W2TwinIsNotWaitedFor)]
    public void WithoutItSomethingBreaks(PageMoveScenario scenario, PageMoveFault fault)
    {
        PageHitMachine machine = scenario == WriteAndLease ? PageHitMachine.X64 : PageHitMachine.WeakExchange;
        Exploration exploration = Explore(scenario, machine, fault);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Broken));
        Assert.That(exploration.Trace, Is.Not.Empty);
    }

    // What the protocol has and this explorer finds no use for: kept where it costs nothing.
    [TestCase(Write, X1StateIsNotAcquired, Description = "the lock has acquired, and X4 compares the version")]
    [TestCase(Write, X1HoldersAreNotTested, Description = "X4 tests again; X1 spares the copy")]
    [TestCase(Lease, X6SlotIsNotReleased, Description = "readers trust the state, and X7 releases")]
    [TestCase(Lease, X5KeyFollowsLive, Description = "t had no other page's key that would be found")]
    [TestCase(Write, X3ReadBarrierIsMissing, Description = "no write begins under the lock, and X5 waits for the copy")]
    [TestCase(Lease, X5LiveReleasesNothing, Description = "X6 releases, and a lease comes by the slot")]
    [TestCase(CopyOut, X10VersionStays, Description = "a lease is what makes X7 fail, and a copy-out has none")]
    public void WithoutItNothingBreaks(PageMoveScenario scenario, PageMoveFault fault) =>
        Holds(scenario, PageHitMachine.WeakExchange, fault);

    [Test]
    public void EveryFaultHasATest()
    {
        IEnumerable<PageMoveFault> tested =
            from method in new[] { nameof(WithoutItSomethingBreaks), nameof(WithoutItNothingBreaks) }
            from testCase in typeof(PageMoveTests).GetMethod(method)!.GetCustomAttributes<TestCaseAttribute>()
            from argument in testCase.Arguments.OfType<PageMoveFault>()
            select argument;
        Assert.That(tested.Append(None).Distinct(), Is.EquivalentTo(Enum.GetValues<PageMoveFault>()));
    }

    private static void Holds(PageMoveScenario scenario, PageHitMachine machine, PageMoveFault fault, bool isLong = false)
    {
        Exploration exploration = Explore(scenario, machine, fault, isLong);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Holds), exploration.ToString());
    }

    private static Exploration Explore(
        PageMoveScenario scenario, PageHitMachine machine, PageMoveFault fault, bool isLong = false)
    {
        bool isOfThree = scenario is WriteAndLease or EvictAndLease;
        PageMoveModel model = new(
            $"{scenario} ({machine}, {fault})", fault,
            machine is PageHitMachine.Documented ? Ordering.Full : Ordering.AcquireRelease,
            machine is PageHitMachine.WeakLocked ? Ordering.AcquireRelease : Ordering.Full, dataWords: isOfThree ? 1 : 2);
        if (scenario is Lease or WriteAndLease or EvictAndLease)
            model.AddLease(mustFind: scenario == Lease, isCounted: scenario == WriteAndLease);
        if (scenario == CopyOut) model.AddCopyOut();
        if (scenario == Epoch) model.AddEpochLease();
        if (scenario is Write or WriteAndLease) model.AddWriter(meetsLease: scenario == WriteAndLease);
        if (scenario is Evict or EvictAndLease) model.AddEvictor();
        model.AddMover();
        Exploration exploration = StepwiseExplorer.Explore(
            model.Model, machine == PageHitMachine.X64 ? MachineKind.TotalStoreOrder : MachineKind.Weak,
            stateMax: isLong ? 30_000_000 : 2_000_000, secondsMax: isLong ? 900 : 60);
        TestContext.Out.WriteLine(exploration);
        Assert.That(exploration.Outcome, Is.Not.EqualTo(ExplorationOutcome.Bounded), exploration.ToString());
        return exploration;
    }
}
