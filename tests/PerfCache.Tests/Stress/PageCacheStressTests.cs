// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Cache.Nodes;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Stress;

/// <summary>
/// Goal: whatever many threads do to a cache, nobody sees a torn page or another page's bytes, nothing hangs, and every
/// invariant holds afterwards. Method: <see cref="PageCacheStress{TRules, TProbe}"/> with stalls at every step; the same
/// run with one check of the protocol left out must see a violation, else it would prove nothing.
/// </summary>
[TestFixture]
public sealed class PageCacheStressTests
{
    private const long PagesMin = 4000;

    private static readonly TimeSpan s_short = TimeSpan.FromSeconds(1.5);

    /// <summary>For a machine that has much else to do; nothing waits for it elsewhere.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWithLinux6([Values(1, 2)] int seed) => RunWell(new LinuxRules<Linux6>(), seed, s_short);

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWithPartitions([Values(4, 5)] int seed) =>
        RunWell(new LinuxRules<Linux6>(), seed, s_short, () => new LinuxRules<Linux6>());

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWithFifo() => RunWell(new Fifo(), seed: 3, s_short);

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWithClock() => RunWell(new Clock(), seed: 4, s_short);

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWithSieve() => RunWell(new Sieve(), seed: 5, s_short);

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWithS3Fifo() => RunWell(new S3Fifo(), seed: 6, s_short);

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWhilePagesMoveBetweenNodes() =>
        RunWell(new LinuxRules<Linux6>(), seed: 7, s_short, hasNodes: true);

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWhilePagesOfPartitionsMoveBetweenNodes() =>
        RunWell(new Clock(), seed: 8, s_short, () => new Clock(), hasNodes: true);

    [Test, CancelAfter(120_000)]
    public void NobodySeesAWrongByteWhilePagesWithGhostsMoveBetweenNodes() =>
        RunWell(new S3Fifo(), seed: 9, s_short, hasNodes: true);

    [Test, Explicit("minutes: dotnet test --filter FullyQualifiedName~PageCacheStressTests.NodesForMinutes")]
    [Category("Stress"), CancelAfter(1_200_000)]
    public void NodesForMinutes([Range(30, 33)] int seed)
    {
        RunWell(new LinuxRules<Linux6>(), seed, TimeSpan.FromSeconds(30), hasNodes: true);
        RunWell(new Sieve(), seed, TimeSpan.FromSeconds(15), hasNodes: true);
        RunWell(new Clock(), seed, TimeSpan.FromSeconds(15), () => new Clock(), hasNodes: true);
        RunWell(new S3Fifo(), seed, TimeSpan.FromSeconds(30), hasNodes: true);
    }

    [Test, Explicit("minutes: dotnet test --filter FullyQualifiedName~PageCacheStressTests.ForMinutes"), Category("Stress")]
    [CancelAfter(1_200_000)]
    public void ForMinutes([Range(10, 15)] int seed)
    {
        RunWell(new LinuxRules<Linux6>(), seed, TimeSpan.FromSeconds(30));
        RunWell(new Fifo(), seed, TimeSpan.FromSeconds(15));
        RunWell(new LinuxRules<Linux6>(), seed, TimeSpan.FromSeconds(30), () => new LinuxRules<Linux6>());
        RunWell(new Fifo(), seed, TimeSpan.FromSeconds(15), () => new Fifo());
        RunWell(new Clock(), seed, TimeSpan.FromSeconds(15));
        RunWell(new Sieve(), seed, TimeSpan.FromSeconds(15));
        RunWell(new S3Fifo(), seed, TimeSpan.FromSeconds(15));
    }

    [Test, CancelAfter(120_000)]
    public void ALeaseWithoutACheckAfterThePinIsCaught() => RunUntilViolation<NoCheckAfterPin>();

    [Test, CancelAfter(120_000)]
    public void ACopyWithoutALookAtTheVersionIsCaught() => RunUntilViolation<NoVersionAfterCopy>();

    [Test, CancelAfter(120_000)]
    public void AReclaimThatDoesNotWaitForReadersIsCaught() => RunUntilViolation<NoWaitBeforeReuse>();

    [Test, CancelAfter(120_000)]
    public void AMigrationThatDoesNotCompareTheVersionIsCaught() => RunUntilViolation<NoVersionAfterMove>(hasNodes: true);

    [Test, CancelAfter(120_000)]
    public void AMigrationThatOverlooksLeasesIsCaught() => RunUntilViolation<NoPinsBeforeMove>(hasNodes: true);

    [Test, CancelAfter(120_000)]
    public void AWaiterThatGivesUpAndKeepsItsPinIsCaught()
    {
        TestScale.LeaveToRelease();
        // A frame that stays pinned is never reused, so nobody reads a wrong byte. The other runs end with a Dispose that
        // waits for pins; here it must wait in vain.
        PageCacheStress<LinuxRules<Linux6>, NoPinGivenBack> stress = new(
            new LinuxRules<Linux6>(), seed: 1, goesOnAfterFailures: true, patience: TimeSpan.FromSeconds(1));
        // More frames than there are threads to hold them.
        string? hanging = stress.Run(
            s_patience, pagesMin: 0, s_patience, until: () => stress.Statistics.HeldFrames > 10);
        Assert.That(hanging, Is.Null, "this thread did not end");
        Assert.That(
            stress.Dispose, Throws.TypeOf<TimeoutException>().With.Message.Contains("leases are out"),
            $"the bug was not seen; {stress.GivenUp} gave up");
    }

    private static void RunWell<TRules>(
        TRules rules, int seed, TimeSpan duration, Func<TRules>? newRules = null, bool hasNodes = false)
        where TRules : struct, IFlagRules
    {
        using PageCacheStress<TRules, StallProbe> stress = new(rules, seed, newRules: newRules, hasNodes: hasNodes);
        string? hanging = stress.Run(duration, PagesMin, duration + s_patience);
        Assert.That(hanging, Is.Null, "this thread did not end");
        Assert.That(stress.Violation, Is.Null, $"seed {seed}");
        Assert.That(stress.Failure, Is.Null, $"seed {seed}");
        stress.Validate();
        Assert.That(stress.GivenUp, Is.GreaterThan(0));
        CacheMeasurement measured = stress.Measurement;
        PageCacheStatistics statistics = measured.Statistics;
        TestContext.Out.WriteLine($"{stress.PagesSeen} pages seen; {statistics}");
        Assert.That(stress.PagesSeen, Is.GreaterThanOrEqualTo(PagesMin));
        Assert.That(statistics.Evictions, Is.GreaterThan(20));
        Assert.That(statistics.LoadFailures, Is.GreaterThan(0));
        if (hasNodes) CheckNodes(stress.Nodes, stress.Migrations);
        if (newRules is null) return;
        PartitionStatistics[] each = measured.Partitions;
        TestContext.Out.WriteLine($"{stress.PartitionsRemoved} partitions removed; {string.Join("\n", each)}");
        Assert.That(stress.PartitionsRemoved, Is.GreaterThan(0));
        Assert.That(each.Sum(partition => partition.LimitEvictions), Is.GreaterThan(0));
        Assert.That(each.Sum(partition => partition.DirtyPages), Is.EqualTo(statistics.DirtyPages));
        Assert.That(each.Sum(partition => partition.HeldFrames), Is.EqualTo(statistics.HeldFrames));
    }

    /// <summary>Nothing is under way any more: the frames of each node are free or have a page, to the last one.</summary>
    private static void CheckNodes(NodeStatistics[] nodes, MigrationStatistics migrations)
    {
        TestContext.Out.WriteLine($"{migrations}; {string.Join("\n", nodes)}");
        foreach (NodeStatistics node in nodes)
        {
            Assert.That(node.InFlight, Is.Zero);
            Assert.That(node.FreeFrames + node.Pages, Is.EqualTo(node.Frames), $"node {node.Node}");
        }

        Assert.That(nodes.Sum(node => node.MigratedIn), Is.EqualTo(nodes.Sum(node => node.MigratedOut)));
        Assert.That(migrations.Moved, Is.EqualTo(nodes.Sum(node => node.MigratedIn)).And.GreaterThan(50));
        Assert.That(migrations.InUse, Is.GreaterThan(0));
    }

    private static void RunUntilViolation<TProbe>(bool hasNodes = false) where TProbe : struct, ICacheProbe
    {
        TestScale.LeaveToRelease();
        PageCacheStress<LinuxRules<Linux6>, TProbe> stress = new(
            new LinuxRules<Linux6>(), seed: 1, goesOnAfterFailures: true, hasNodes: hasNodes);
        string? hanging = stress.Run(s_patience, pagesMin: 0, s_patience);
        TestContext.Out.WriteLine($"{stress.PagesSeen} pages seen until: {stress.Violation}");
        Assert.That(hanging, Is.Null, "this thread did not end");
        Assert.That(stress.Violation, Is.Not.Null, "the bug was not seen");
        stress.Dispose();
    }
}
