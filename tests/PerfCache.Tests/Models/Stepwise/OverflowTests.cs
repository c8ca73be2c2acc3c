// SPDX-License-Identifier: MIT
using static PerfCache.Tests.Models.Stepwise.OverflowFault;

namespace PerfCache.Tests.Models.Stepwise;

/// <summary>
/// Goal: a page that overflows into a tier never comes back older than what was written or invalidated last, and each line
/// of defence is needed or known to be a second one. Method: every interleaving of reader, reclaim, sender, late deliveries
/// and a writer or an invalidation, for one page; whole and with one thing taken out.
/// </summary>
[TestFixture]
internal sealed class OverflowTests
{
    [Test]
    public void TheProtocolHolds([Values] bool writes, [Values(None, ServersLie)] OverflowFault fault) =>
        Holds(writes, fault);

    [TestCase(true, WriteForgetsNothing)]
    [TestCase(false, InvalidationForgetsNothing)]
    [TestCase(false, InvalidationForgetsLate)]
    [TestCase(false, StaleLoadsArePublished)]
    [TestCase(true, NoChecksum | ServersLie)]
    [TestCase(true, NoChecksum | NoGeneration)]
    [TestCase(false, EntryIsMadeLate)]
    public void WithoutItSomethingBreaks(bool writes, OverflowFault fault)
    {
        Exploration exploration = StepwiseExplorer.Explore(OverflowModel.Make(writes, fault), MachineKind.TotalStoreOrder);
        TestContext.Out.WriteLine(exploration);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Broken));
        Assert.That(exploration.Failure, Does.Contain("V1"));
    }

    // Two lines against a server that is honest and late: each alone is enough.
    [TestCase(true, NoChecksum)]
    [TestCase(true, NoGeneration)]
    [TestCase(false, NoChecksum)]
    [TestCase(false, NoGeneration)]
    public void WithoutItNothingBreaks(bool writes, OverflowFault fault) => Holds(writes, fault);

    private static void Holds(bool writes, OverflowFault fault)
    {
        Exploration exploration = StepwiseExplorer.Explore(OverflowModel.Make(writes, fault), MachineKind.TotalStoreOrder);
        TestContext.Out.WriteLine(exploration);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Holds), exploration.ToString());
    }
}
