// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Scenarios.Flipping;

namespace PerfCache.Tests.Simulation.Scenarios.Flipping;

/// <summary>
/// Goal: the slides' story at the default scale (a guest of 16 GB, page by page), on three seeds. Method: whole runs; the
/// bands are those of the slides and of the issue. Remedies run with three seeds under one model of placement and
/// with one seed under the other, because a run moves millions of pages.
/// </summary>
[TestFixture]
[Parallelizable(ParallelScope.Children)]
public sealed class FlipStoryTests
{
    private static readonly object[][] s_everySeedBothModels = TestScale.Few<object[]>(
    [
        [PlacementModel.Heap, 1ul], [PlacementModel.Swap, 1ul], [PlacementModel.Heap, 2ul], [PlacementModel.Heap, 3ul],
        [PlacementModel.Swap, 2ul], [PlacementModel.Swap, 3ul],
    ], 1);

    private static readonly object[][] s_everySeed = TestScale.Few<object[]>(
        [[PlacementModel.Heap, 1ul], [PlacementModel.Heap, 2ul], [PlacementModel.Heap, 3ul], [PlacementModel.Swap, 1ul]], 1);

    [TestCaseSource(nameof(s_everySeedBothModels))]
    public void Naive_flipping_makes_a_fifth_of_the_guest_remote_and_slows_its_work(PlacementModel placement, ulong seed)
    {
        FlipResult result = Run("naive", placement, seed);
        Assert.That(result.GuestFrames * 4096L, Is.EqualTo(16L << 30));
        Assert.That(result.RemoteShare, Is.InRange(0.20, 0.24));
        Assert.That(result.LossAtEnd, Is.InRange(0.15, 0.20));
        Assert.That(result.Stream, Has.All.Matches<StreamResult>(kernel => kernel.LatencyLoss is > 0.15 and < 0.20));
        // Bound by bandwidth, the same pages cost nothing where transfers overlap, and more where they do not.
        Assert.That(result.Stream, Has.All.Matches<StreamResult>(kernel => kernel.OverlappedLoss == 0));
        Assert.That(result.Stream, Has.All.Matches<StreamResult>(kernel => kernel.BlendedLoss is > 0.28 and < 0.38));
        Assert.That(result.Dropped, Is.Zero);
    }

    // The share grows with the flips: it is there at a quarter of the run and smaller than at the end, and the very
    // first samples have hardly any.
    [Test]
    public void The_drift_emerges_flip_by_flip()
    {
        FlipResult result = Run("naive", PlacementModel.Swap, 1);
        double[] shares = [.. result.Samples.Where(sample => sample.Guest == 1).Select(sample => sample.RemoteShare)];
        Assert.That(shares[0], Is.LessThan(0.0002));
        Assert.That(shares[shares.Length / 8], Is.InRange(0.02, 0.12));
        Assert.That(shares[shares.Length / 2], Is.GreaterThan(shares[shares.Length / 4]));
        Assert.That(shares[^1], Is.GreaterThan(shares[shares.Length / 2]));
    }

    [TestCaseSource(nameof(s_everySeed))]
    public void Without_retained_pages_nothing_drifts(PlacementModel placement, ulong seed)
    {
        TestScale.LeaveToRelease();
        Assert.That(Run("lifo-unretained", placement, seed).RemoteShareMax, Is.LessThan(0.01));
    }

    [TestCaseSource(nameof(s_everySeed))]
    public void A_calibrated_pool_keeps_the_memory_at_home(PlacementModel placement, ulong seed)
    {
        FlipResult result = Run("pool-static", placement, seed);
        Assert.That(result.RemoteShareMax, Is.LessThan(0.01));
        Assert.That(Math.Max(result.LossAtEnd, result.LossMean), Is.LessThan(0.03));
        Assert.That(result.PoolFramesMax, Is.LessThan(result.GuestFrames / 300), "memory withheld");
    }

    [TestCaseSource(nameof(s_everySeed))]
    public void A_dynamic_pool_keeps_the_memory_at_home(PlacementModel placement, ulong seed)
    {
        FlipResult result = Run("pool-dynamic", placement, seed);
        Assert.That(result.RemoteShareMax, Is.LessThan(0.01));
        Assert.That(Math.Max(result.LossAtEnd, result.LossMean), Is.LessThan(0.03));
        Assert.That(result.PoolFramesMax, Is.GreaterThan(256), "it has grown");
    }

    [TestCaseSource(nameof(s_everySeed))]
    public void Periodic_migration_keeps_the_share_small(PlacementModel placement, ulong seed)
    {
        TestScale.LeaveToRelease();
        AssertMigrates(Run("periodic", placement, seed));
    }

    [TestCaseSource(nameof(s_everySeed))]
    public void Migration_at_a_threshold_keeps_the_share_small(PlacementModel placement, ulong seed) =>
        AssertMigrates(Run("threshold", placement, seed));

    [TestCaseSource(nameof(s_everySeed))]
    public void A_pool_smaller_than_a_burst_is_no_help(PlacementModel placement, ulong seed)
    {
        TestScale.LeaveToRelease();
        Assert.That(Run("pool-small", placement, seed).RemoteShareMax, Is.GreaterThan(0.05));
    }

    [TestCaseSource(nameof(s_everySeed))]
    public void A_period_of_two_queries_is_too_long(PlacementModel placement, ulong seed)
    {
        TestScale.LeaveToRelease();
        Assert.That(Run("periodic-long", placement, seed).RemoteShareMax, Is.GreaterThan(0.05));
    }

    private static void AssertMigrates(FlipResult result)
    {
        Assert.That(result.RemoteShareMax, Is.LessThan(0.02));
        Assert.That(Math.Max(result.LossAtEnd, result.LossMean), Is.LessThan(0.03));
        Assert.That(result.Migrated, Is.GreaterThan(result.GuestFrames / 5), "what would have drifted");
    }

    private static FlipResult Run(string remedy, PlacementModel placement, ulong seed) =>
        FlipStudy.Run(new FlipScenario { Placement = placement, Seed = seed }, FlipRemedy.Parse(remedy));
}
