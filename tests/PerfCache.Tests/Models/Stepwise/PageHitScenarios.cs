// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>Who meets on the frame.</summary>
internal enum PageHitScenario
{
    /// <summary>A lease; the frame turns to page B and back to A.</summary>
    Lease,

    /// <summary>Two leases; the frame turns to page B.</summary>
    TwoLeases,

    /// <summary>A copy-out; the frame turns to page B and back to A.</summary>
    CopyOut,

    /// <summary>A lease and a copy-out; the frame turns to page B.</summary>
    LeaseAndCopyOut,

    /// <summary>A copy-out; one thread evicts, another fills the frame, both under the lock.</summary>
    CopyOutAndTwoWriters,

    /// <summary>An epoch lease; the frame is reclaimed for page B and for A again.</summary>
    Epoch,

    /// <summary>
    /// Two epoch leases one after the other; the frame is reclaimed for page B and for A again.
    /// </summary>
    EpochTwice,

    /// <summary>Two threads with epoch leases; the frame is reclaimed for page B.</summary>
    TwoEpochs,

    /// <summary>A write lease meets a lease.</summary>
    WriteAndLease,

    /// <summary>A write lease meets a copy-out.</summary>
    WriteAndCopyOut,

    /// <summary>A write lease that waits for epochs before it writes meets an epoch lease.</summary>
    WriteAndEpoch,

    /// <summary>A write lease that does not wait meets an epoch lease.</summary>
    WriteAndEpochWithoutWait,
}

/// <summary>The orders that locked operations have, and the machine they run on.</summary>
internal enum PageHitMachine
{
    /// <summary>Any machine, by what .NET promises: locked operations are full fences.</summary>
    Documented,

    /// <summary>Compare-exchange only acquires and releases.</summary>
    WeakExchange,

    /// <summary>
    /// No locked operation is a fence: each acquires and releases, as arm64's bare instructions do.
    /// </summary>
    WeakLocked,

    /// <summary>Total store order.</summary>
    X64,
}

internal static class PageHitScenarios
{
    /// <summary>Visits all states of a scenario.</summary>
    /// <param name="scenario">Who meets.</param>
    /// <param name="machine">On what.</param>
    /// <param name="byHint">True where readers find the frame by an untrusted hint, false by the page's
    /// slot.</param>
    /// <param name="faults">What is taken out of the protocol.</param>
    internal static Exploration Explore(
        PageHitScenario scenario, PageHitMachine machine, bool byHint, params PageHitFault[] faults)
    {
        PageHitModel model = new(
            $"{scenario} ({machine}, by {(byHint ? "hint" : "slot")}, {string.Join('+', faults)})", faults,
            machine is PageHitMachine.Documented ? Ordering.Full : Ordering.AcquireRelease,
            machine is PageHitMachine.WeakLocked ? Ordering.AcquireRelease : Ordering.Full);
        Build(model, scenario, byHint);
        Exploration exploration = StepwiseExplorer.Explore(
            model.Model, machine == PageHitMachine.X64 ? MachineKind.TotalStoreOrder : MachineKind.Weak);
        TestContext.Out.WriteLine(exploration);
        Assert.That(exploration.Outcome, Is.Not.EqualTo(ExplorationOutcome.Bounded), exploration.ToString());
        return exploration;
    }

    private static void Build(PageHitModel model, PageHitScenario scenario, bool byHint)
    {
        switch (scenario)
        {
            case PageHitScenario.Lease:
                model.AddLease("reader", byHint);
                model.AddReplacer("writer");
                break;
            case PageHitScenario.TwoLeases:
                model.AddLease("first reader", byHint);
                model.AddLease("second reader", byHint);
                model.AddReplacer("writer", times: 1);
                break;
            case PageHitScenario.CopyOut:
                model.AddCopyOut("reader", byHint);
                model.AddReplacer("writer");
                break;
            case PageHitScenario.LeaseAndCopyOut:
                model.AddLease("lease", byHint);
                model.AddCopyOut("copy-out", byHint);
                model.AddReplacer("writer", times: 1);
                break;
            case PageHitScenario.CopyOutAndTwoWriters:
                model.AddCopyOut("reader", byHint);
                model.AddEvictorAndFiller();
                break;
            case PageHitScenario.Epoch or PageHitScenario.EpochTwice:
                model.AddEpochLease("reader", scenario == PageHitScenario.EpochTwice ? 2 : 1, byHint);
                model.AddReclaimer("writer", times: 2);
                break;
            case PageHitScenario.TwoEpochs:
                model.AddEpochLease("first reader", byHint: byHint);
                model.AddEpochLease("second reader", byHint: byHint);
                model.AddReclaimer("writer");
                break;
            default:
                model.WithWriteLeases();
                if (scenario == PageHitScenario.WriteAndLease) model.AddLease("reader", byHint);
                else if (scenario == PageHitScenario.WriteAndCopyOut) model.AddCopyOut("reader", byHint);
                else model.AddEpochLease("reader", byHint: byHint);
                model.AddWriteLease("writer", waitsForEpochs: scenario == PageHitScenario.WriteAndEpoch);
                break;
        }
    }
}
