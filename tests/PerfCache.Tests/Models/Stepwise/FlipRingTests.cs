// SPDX-License-Identifier: MIT
using System.Reflection;
using static PerfCache.Tests.Models.Stepwise.FlipRingFault;
using static PerfCache.Tests.Models.Stepwise.FlipRingScenario;

namespace PerfCache.Tests.Models.Stepwise;

/// <summary>
/// Goal: the rings' protocol is right, and each of its orderings is needed. Method: every interleaving of each scenario
/// on a weakly ordered machine, whole and with one thing taken out.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.Self)]
internal sealed class FlipRingTests
{
    [OneTimeSetUp]
    public void LeaveToRelease() => TestScale.LeaveToRelease();

    [Test]
    public void TheProtocolHolds(
        [Values(
            OneToOneFrames, OneToOneFullRing, OneToOneEmptyRing, OneToOneCollector, FullRing, EmptyRing,
            TwoProducers, TwoConsumers, ThreeProducers, Collector, LateProducer, LateConsumer, TwoByTwoFrames,
            TwoByTwoHalfFullFrames)]
        FlipRingScenario scenario) => Holds(scenario, MachineKind.Weak);

    [Test]
    public void TwoByTwoHolds([Values(TwoByTwo, TwoByTwoHalfFull)] FlipRingScenario scenario) =>
        Holds(scenario, MachineKind.TotalStoreOrder);

    [Test, Explicit("minutes: dotnet test --filter FullyQualifiedName~LargerOnesHoldOnWeakMachines")]
    [Category("StepwiseLong")]
    public void LargerOnesHoldOnWeakMachines(
        [Values(OneToOne, TwoProducersOneConsumer, OneProducerTwoConsumers)] FlipRingScenario scenario) =>
        Holds(scenario, MachineKind.Weak);

    [TestCase(OneToOneFullRing, S1HeadIsNotAcquired)]
    [TestCase(OneToOneEmptyRing, S2TailIsNotReleased)]
    [TestCase(OneToOneEmptyRing, S3TailIsNotAcquired)]
    [TestCase(OneToOneFullRing, S4HeadIsNotReleased)]
    [TestCase(LateProducer, R1TailIsNotAcquired)]
    [TestCase(FullRing, R2TurnIsNotAcquired)]
    [TestCase(TwoProducers, R3ExchangeIsALoadAndAStore)]
    [TestCase(EmptyRing, R4TurnIsNotReleased)]
    [TestCase(LateConsumer, R5HeadIsNotAcquired)]
    [TestCase(EmptyRing, R6TurnIsNotAcquired)]
    [TestCase(TwoConsumers, R7ExchangeIsALoadAndAStore)]
    [TestCase(FullRing, R8TurnIsNotReleased)]
    [TestCase(Collector, R9ExchangeReleasesNothing)]
    [TestCase(Collector, R9ExchangeIsALoadAndAStore)]
    [TestCase(FullRing, R2TurnIsNotTested)]
    [TestCase(EmptyRing, R6TurnIsNotTested)]
    [TestCase(ThreeProducers, TurnsHaveNoLaps)]
    [TestCase(Collector, CollectedSlotsAreNotCounted)]
    public void WithoutItSomethingBreaks(FlipRingScenario scenario, FlipRingFault fault)
    {
        Exploration exploration = FlipRingScenarios.Explore(scenario, fault);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Broken));
        Assert.That(exploration.Trace, Is.Not.Empty);
    }

    // Where it holds without, x64 needs no instruction for it: it only keeps the compiler in order there.
    [TestCase(OneToOne, S1HeadIsNotAcquired, ExpectedResult = true)]
    [TestCase(OneToOne, S2TailIsNotReleased, ExpectedResult = true)]
    [TestCase(OneToOne, S3TailIsNotAcquired, ExpectedResult = true)]
    [TestCase(OneToOne, S4HeadIsNotReleased, ExpectedResult = true)]
    [TestCase(FullRing, R2TurnIsNotAcquired, ExpectedResult = true)]
    [TestCase(EmptyRing, R4TurnIsNotReleased, ExpectedResult = true)]
    [TestCase(EmptyRing, R6TurnIsNotAcquired, ExpectedResult = true)]
    [TestCase(FullRing, R8TurnIsNotReleased, ExpectedResult = true)]
    [TestCase(Collector, R9ExchangeReleasesNothing, ExpectedResult = true)]
    [TestCase(TwoProducers, R3ExchangeIsALoadAndAStore, ExpectedResult = false)]
    [TestCase(TwoConsumers, R7ExchangeIsALoadAndAStore, ExpectedResult = false)]
    public bool OnX64ItComesFree(FlipRingScenario scenario, FlipRingFault fault) =>
        FlipRingScenarios.Explore(scenario, fault, MachineKind.TotalStoreOrder).Outcome == ExplorationOutcome.Holds;

    [Test]
    public void EveryFaultHasATest()
    {
        IEnumerable<FlipRingFault> tested =
            from testCase in typeof(FlipRingTests).GetMethod(nameof(WithoutItSomethingBreaks))!
                .GetCustomAttributes<TestCaseAttribute>()
            select (FlipRingFault)testCase.Arguments[1]!;
        Assert.That(tested, Is.EquivalentTo(Enum.GetValues<FlipRingFault>().Except([None])));
    }

    private static void Holds(FlipRingScenario scenario, MachineKind kind, int stateMax = 4_000_000)
    {
        Exploration exploration = FlipRingScenarios.Explore(scenario, None, kind, stateMax);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Holds), exploration.ToString());
    }
}
