// SPDX-License-Identifier: MIT
using System.Reflection;
using static PerfCache.Tests.Models.Stepwise.PageHitFault;
using static PerfCache.Tests.Models.Stepwise.PageHitMachine;
using static PerfCache.Tests.Models.Stepwise.PageHitScenario;

namespace PerfCache.Tests.Models.Stepwise;

/// <summary>
/// Goal: the protocol of lock-free hits is right, each of its orderings is needed, and we know which are not.
/// Method: every interleaving of each scenario, whole and with one thing taken out.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.Self)]
internal sealed class PageHitTests
{
    [OneTimeSetUp]
    public void LeaveToRelease() => TestScale.LeaveToRelease();

    [Test]
    public void TheProtocolHolds(
        [Values(
            Lease, TwoLeases, CopyOut, CopyOutAndTwoWriters, Epoch, WriteAndLease, WriteAndCopyOut, WriteAndEpoch)]
        PageHitScenario scenario,
        [Values(WeakLocked, X64)] PageHitMachine machine, [Values] bool byHint
    ) => Holds(scenario, machine, byHint);

    [TestCase(LeaseAndCopyOut)]
    [TestCase(EpochTwice)]
    public void TheProtocolHoldsForMoreReaders(PageHitScenario scenario) =>
        Holds(scenario, WeakExchange, byHint: true);

    [Test, Explicit("half a minute; the ordinary run has the weakest machine, which can do what the others can")]
    [Category("StepwiseLong")]
    public void TheProtocolHoldsOnEveryMachine(
        [Values(
            Lease, TwoLeases, CopyOut, LeaseAndCopyOut, CopyOutAndTwoWriters, Epoch, EpochTwice, TwoEpochs,
            WriteAndLease, WriteAndCopyOut, WriteAndEpoch)]
        PageHitScenario scenario,
        [Values] PageHitMachine machine, [Values] bool byHint) => Holds(scenario, machine, byHint);

    [TestCase(Lease, L2PinIsALoadAndAStore)]
    [TestCase(Lease, L2PinAcquiresNothing)]
    [TestCase(Lease, L3LiveIsNotTested)]
    [TestCase(Lease, L4KeyIsNotCompared)]
    [TestCase(Lease, L6UnpinReleasesNothing)]
    [TestCase(Lease, V1ExchangeIsALoadAndAStore)]
    [TestCase(Lease, V1PinsAreNotTested)]
    [TestCase(Lease, B1DataFollowsLive)]
    [TestCase(Lease, B2KeyFollowsLive)]
    [TestCase(Lease, B3LiveReleasesNothing)]
    [TestCase(Lease, B3LiveIsAPlainStore)]
    [TestCase(TwoLeases, L2PinIsALoadAndAStore)]
    [TestCase(CopyOut, C2StateIsNotAcquired)]
    [TestCase(CopyOut, C2LiveIsNotTested)]
    [TestCase(CopyOut, C3KeyIsNotCompared)]
    [TestCase(CopyOut, C5ReadBarrierIsMissing)]
    [TestCase(CopyOut, C6VersionIsNotCompared)]
    [TestCase(CopyOut, V1VersionStays)]
    [TestCase(CopyOut, V2WriteBarrierIsMissing)]
    [TestCase(CopyOut, B1DataFollowsLive)]
    [TestCase(CopyOut, B2KeyFollowsLive)]
    [TestCase(CopyOut, B3LiveReleasesNothing)]
    [TestCase(Epoch, E0EpochIsNotAcquired)]
    [TestCase(Epoch, E1EpochIsPublishedLate)]
    [TestCase(Epoch, E1StateIsNotAcquired)]
    [TestCase(Epoch, E1LiveIsNotTested)]
    [TestCase(Epoch, E1KeyIsNotCompared)]
    [TestCase(Epoch, E3EndIsNotReleased)]
    [TestCase(Epoch, R3ProcessBarrierIsMissing)]
    [TestCase(Epoch, R4WaitIsMissing)]
    [TestCase(Epoch, B1DataFollowsLive)]
    [TestCase(Epoch, B2KeyFollowsLive)]
    [TestCase(Epoch, B3LiveReleasesNothing)]
    [TestCase(WriteAndLease, W0PinsAreNotTested)]
    [TestCase(WriteAndLease, W1VersionStays)]
    [TestCase(WriteAndLease, W3EndIsNotReleased)]
    [TestCase(WriteAndLease, L3OddVersionIsNotTested)]
    [TestCase(WriteAndCopyOut, W1VersionStays)]
    [TestCase(WriteAndCopyOut, W2WriteBarrierIsMissing)]
    [TestCase(WriteAndCopyOut, W3EndIsNotReleased)]
    [TestCase(WriteAndCopyOut, C2OddVersionIsNotTested)]
    [TestCase(WriteAndEpoch, E0EpochIsNotAcquired)]
    [TestCase(WriteAndEpoch, R3ProcessBarrierIsMissing)]
    [TestCase(WriteAndEpoch, R4WaitIsMissing)]
    [TestCase(WriteAndEpochWithoutWait, None)]
    public void WithoutItSomethingBreaks(PageHitScenario scenario, PageHitFault fault)
    {
        Exploration exploration = PageHitScenarios.Explore(scenario, WeakExchange, byHint: true, fault);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Broken));
        Assert.That(exploration.Trace, Is.Not.Empty);
    }

    // What the protocol has and this explorer finds no use for: kept where it costs nothing or another
    // machine may differ.
    [TestCase(WeakExchange, CopyOut, C6LiveIsNotCompared, Description = "an eviction changes the version")]
    [TestCase(WeakLocked, Lease, B4SlotIsNotReleased, Description = "readers trust the state, not the slot")]
    [TestCase(WeakExchange, CopyOut, B4SlotIsNotReleased)]
    [TestCase(WeakLocked, Epoch, B4SlotIsNotReleased)]
    [TestCase(WeakLocked, Lease, V2WriteBarrierIsMissing, Description = "a lease pins the word that V1 exchanges")]
    [TestCase(WeakLocked, Epoch, V2WriteBarrierIsMissing, Description = "R3 fences")]
    [TestCase(WeakLocked, CopyOutAndTwoWriters, V2WriteBarrierIsMissing, Description = "leaving the lock releases")]
    [TestCase(WeakLocked, CopyOut, V2WriteBarrierFollowsTheSlot, Description = "it has to come before B1 only")]
    [TestCase(Documented, CopyOut, V2WriteBarrierIsMissing, Description = "V1 is a full fence by .NET's promise")]
    [TestCase(Documented, WriteAndCopyOut, W2WriteBarrierIsMissing, Description = "W0 is a full fence")]
    [TestCase(WeakLocked, Lease, V1VersionStays, Description = "the version is for copies alone")]
    [TestCase(WeakLocked, Epoch, V1VersionStays)]
    [TestCase(WeakLocked, Epoch, R2BumpIsPlain, Description = "R3 fences")]
    [TestCase(WeakLocked, Epoch, R4WaitIsNotAcquired, Description = "stores wait for the branch they depend on")]
    [TestCase(WeakExchange, Epoch, R3ProcessBarrierComesBeforeTheBump, Description = "then V1 comes first")]
    public void WithoutItNothingBreaks(PageHitMachine machine, PageHitScenario scenario, PageHitFault fault)
    {
        foreach (bool byHint in new[] { true, false })
            Assert.That(
                PageHitScenarios.Explore(scenario, machine, byHint, fault).Outcome, Is.EqualTo(ExplorationOutcome.Holds));
    }

    [Test]
    public void ABarrierBeforeTheBumpSparesTheReadersAnAcquire()
    {
        Exploration exploration = PageHitScenarios.Explore(
            Epoch, WeakExchange, byHint: true, R3ProcessBarrierComesBeforeTheBump, E0EpochIsNotAcquired);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Holds), exploration.ToString());
    }

    // Where it breaks everywhere, also x64 needs it as an instruction; the rest only keeps the compiler in
    // order there.
    [TestCase(Lease, L2PinAcquiresNothing, ExpectedResult = true)]
    [TestCase(Lease, L6UnpinReleasesNothing, ExpectedResult = true)]
    [TestCase(Lease, B3LiveReleasesNothing, ExpectedResult = true)]
    [TestCase(CopyOut, C2StateIsNotAcquired, ExpectedResult = true)]
    [TestCase(CopyOut, C5ReadBarrierIsMissing, ExpectedResult = true)]
    [TestCase(CopyOut, V2WriteBarrierIsMissing, ExpectedResult = true)]
    [TestCase(Epoch, E0EpochIsNotAcquired, ExpectedResult = true)]
    [TestCase(Epoch, E1StateIsNotAcquired, ExpectedResult = true)]
    [TestCase(Epoch, E3EndIsNotReleased, ExpectedResult = true)]
    [TestCase(Epoch, R3ProcessBarrierIsMissing, ExpectedResult = false)]
    [TestCase(Epoch, R4WaitIsMissing, ExpectedResult = false)]
    [TestCase(CopyOut, C6VersionIsNotCompared, ExpectedResult = false)]
    [TestCase(Lease, L2PinIsALoadAndAStore, ExpectedResult = false)]
    [TestCase(Lease, L4KeyIsNotCompared, ExpectedResult = false)]
    public bool OnX64ItComesFree(PageHitScenario scenario, PageHitFault fault) =>
        PageHitScenarios.Explore(scenario, X64, byHint: true, fault).Outcome == ExplorationOutcome.Holds;

    [Test]
    public void EveryFaultHasATest()
    {
        IEnumerable<PageHitFault> tested =
            from method in new[] { nameof(WithoutItSomethingBreaks), nameof(WithoutItNothingBreaks) }
            from testCase in typeof(PageHitTests).GetMethod(method)!.GetCustomAttributes<TestCaseAttribute>()
            from argument in testCase.Arguments.OfType<PageHitFault>()
            select argument;
        Assert.That(tested.Distinct(), Is.EquivalentTo(Enum.GetValues<PageHitFault>()));
    }

    private static void Holds(PageHitScenario scenario, PageHitMachine machine, bool byHint)
    {
        Exploration exploration = PageHitScenarios.Explore(scenario, machine, byHint, None);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Holds), exploration.ToString());
    }
}
