// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Policies.Flipping;

namespace PerfCache.Tests.Policies.Flipping;

/// <summary>The flipping policies one by one: they read no clock, so tests hand them the time.</summary>
[TestFixture]
public sealed class FlipPolicyTests
{
    /// <summary>A domain with frames 1 to n on its node; larger numbers are remote.</summary>
    private sealed class ListedFrames(uint count) : IDomainFrames
    {
        public List<FrameId> Free { get; } = [.. Enumerable.Range(1, (int)count).Select(i => new FrameId((uint)i))];

        public bool TryAllocate(out FrameId frame) => Take(0, out frame);

        public bool TryAllocateLastFreed(out FrameId frame) => Take(Free.Count - 1, out frame);

        void IDomainFrames.Free(FrameId frame) => Free.Add(frame);

        public bool IsLocal(FrameId frame) => frame.Value <= count;

        private bool Take(int index, out FrameId frame)
        {
            frame = index >= 0 && index < Free.Count ? Free[index] : FrameId.None;
            if (!frame.IsNone) Free.RemoveAt(index);
            return !frame.IsNone;
        }
    }

    // The table of the slides' algorithm: above 90 % used it grows by a tenth, below 20 % it shrinks by one, and the
    // limits themselves change nothing.
    [TestCase(1000, 0, ExpectedResult = 1100)]
    [TestCase(1000, 99, ExpectedResult = 1100)]
    [TestCase(1000, 100, ExpectedResult = 1000)]
    [TestCase(1000, 800, ExpectedResult = 1000)]
    [TestCase(1000, 801, ExpectedResult = 900)]
    [TestCase(5, 0, ExpectedResult = 6, Description = "a tenth of five is no frame, and would never grow")]
    [TestCase(5, 5, ExpectedResult = 5, Description = "not below the floor")]
    [TestCase(1150, 0, ExpectedResult = 1200, Description = "not above the ceiling")]
    public int A_dynamic_pool_follows_its_use(int size, int fewestFree) =>
        PoolSizing.NextSize(new PoolSizingOptions
        {
            Frames = 5,
            IsDynamic = true,
            FloorFrames = 5,
            CeilingFrames = 1200,
        }, size, fewestFree);

    [Test]
    public void The_size_changes_only_when_the_period_is_over()
    {
        PoolSizing sizing = new(new PoolSizingOptions { Frames = 300, IsDynamic = true, PeriodTicks = 100 }, nowTicks: 1000);
        Assert.That(sizing.Evaluate(1099, 0), Is.False);
        Assert.That(sizing.Evaluate(1100, 0), Is.True);
        Assert.That((sizing.SizeFrames, sizing.DeadlineTicks), Is.EqualTo((330, 1200L)));
        Assert.That(new PoolSizing(new PoolSizingOptions { Frames = 300 }, 0).DeadlineTicks, Is.EqualTo(long.MaxValue));
    }

    [Test]
    public void A_pool_gives_what_came_with_flips_and_allocates_when_it_is_empty()
    {
        ListedFrames frames = new(10);
        FrameExchange exchange = new(
            new FrameExchangeOptions { GiveBack = GiveBack.Pool, Pool = new PoolSizingOptions { Frames = 2 } }, frames, 0);
        Assert.That((frames.Free.Count, exchange.Pool!.FreeFrames), Is.EqualTo((8, 2)), "withheld from the domain");
        FrameId[] given = [.. Enumerable.Range(0, 3).Select(_ => Give(exchange))];
        Assert.That(given.Distinct().Count(), Is.EqualTo(3));
        Assert.That((exchange.Given, exchange.Allocated, frames.Free.Count), Is.EqualTo((3L, 1L, 7)));

        for (uint remote = 101; remote <= 103; remote++) exchange.FreeReceived(new FrameId(remote));
        Assert.That(frames.Free[^1].Value, Is.EqualTo(101), "more was out than the pool's size: this is drift");
        Assert.That(Give(exchange).Value, Is.EqualTo(103));
        exchange.Close();
        Assert.That(frames.Free.Select(frame => frame.Value), Has.Member(101));
        Assert.That(frames.Free, Has.Count.EqualTo(9));
    }

    [Test]
    public void A_shrinking_pool_frees_local_frames_first()
    {
        ListedFrames frames = new(10);
        FrameExchange exchange = new(new FrameExchangeOptions
        {
            GiveBack = GiveBack.Pool,
            Pool = new PoolSizingOptions
            {
                Frames = 4,
                IsDynamic = true,
                FloorFrames = 1,
                PeriodTicks = 10,
                StepShare = 0.5,
            },
        }, frames, 0);
        _ = Give(exchange);
        exchange.FreeReceived(new FrameId(200)); // on top of three local ones
        exchange.Pool!.StartPeriod();
        Assert.That(exchange.Advance(10), Is.EqualTo(20));
        Assert.That((exchange.Pool!.SizeFrames, exchange.Pool!.FreeFrames), Is.EqualTo((2, 2)));
        Assert.That(frames.Free.Select(frame => frame.Value), Has.No.Member(200));
    }

    [Test]
    public void The_frame_freed_last_goes_back_first()
    {
        ListedFrames frames = new(4);
        FrameExchange exchange = new(new FrameExchangeOptions { GiveBack = GiveBack.LastFreed }, frames, 0);
        exchange.FreeReceived(new FrameId(77));
        Assert.That(Give(exchange).Value, Is.EqualTo(77));
        Assert.That(Enumerable.Range(0, 4).Select(_ => Give(exchange).Value), Is.EqualTo(new uint[] { 4, 3, 2, 1 }));
        Assert.That(exchange.TryTakeFrameToGive(out _), Is.False);
    }

    [Test]
    public void Calibration_finds_the_peak_of_frames_out_at_once()
    {
        PoolCalibration calibration = new();
        FrameExchange exchange = new(new FrameExchangeOptions { Calibration = calibration }, new ListedFrames(100), 0);
        for (int i = 0; i < 30; i++) Give(exchange);
        for (uint i = 0; i < 25; i++) exchange.FreeReceived(new FrameId(1000 + i));
        for (int i = 0; i < 7; i++) Give(exchange);
        Assert.That((calibration.PeakFrames, calibration.RecommendedFrames(1.5)), Is.EqualTo((30, 45)));
    }

    [Test]
    public void A_round_moves_what_was_remote_in_batches_at_a_bounded_rate()
    {
        MigrationRule rule = new(new MigrationOptions { PeriodTicks = 1000, BatchPages = 100, BatchTicks = 50 }, 0);
        Assert.That(rule.Plan(999, 250, 10_000), Is.EqualTo(new MigrationPlan(0, 1000)));
        Assert.That(rule.Plan(1000, 250, 10_000).Pages, Is.EqualTo(100));
        Assert.That(rule.Report(1000, 100, 100), Is.EqualTo(1050));
        Assert.That(rule.Plan(1049, 300, 10_000), Is.EqualTo(new MigrationPlan(0, 1050)), "the rate");
        Assert.That(rule.Plan(1050, 300, 10_000).Pages, Is.EqualTo(100));
        rule.Report(1050, 100, 100);
        Assert.That(rule.Plan(1100, 300, 10_000).Pages, Is.EqualTo(50), "what came later waits for the next period");
        Assert.That(rule.Report(1100, 50, 50), Is.EqualTo(2000));
        Assert.That((rule.Migrated, rule.Rounds, rule.Failed), Is.EqualTo((250L, 1L, 0L)));
    }

    [Test]
    public void A_threshold_starts_a_round_and_a_stuck_page_ends_it()
    {
        MigrationRule rule = new(new MigrationOptions { ThresholdShare = 0.01, BatchPages = 512 }, 0);
        Assert.That(rule.Plan(5, 100, 10_000), Is.EqualTo(new MigrationPlan(0, long.MaxValue)));
        Assert.That(rule.Plan(6, 101, 10_000).Pages, Is.EqualTo(101));
        Assert.That(rule.Report(6, 101, 40), Is.EqualTo(long.MaxValue));
        Assert.That(rule.Plan(7, 61, 10_000).Pages, Is.Zero);
        Assert.That((rule.Migrated, rule.Failed), Is.EqualTo((40L, 61L)));
    }

    [Test]
    public void Copy_break_is_the_last_size_up_to_which_copying_was_never_slower()
    {
        Assert.That(DeliveryRule.CopyBreakOf([64, 256, 1024, 4096], [5, 20, 60, 200], [40, 40, 40, 40]), Is.EqualTo(256));
        Assert.That(DeliveryRule.CopyBreakOf([64, 256, 1024], [50, 20, 30], [40, 40, 40]), Is.Zero);
        Assert.That(() => DeliveryRule.CopyBreakOf([64, 64], [1, 1], [1, 1]), Throws.ArgumentException);
        DeliveryRule adaptive = new(DeliveryKind.Adaptive, 256);
        Assert.That((adaptive.Copies(256), adaptive.Copies(257)), Is.EqualTo((true, false)));
    }

    [Test]
    public void Residency_counts_and_refuses_what_cannot_be()
    {
        DomainResidency residency = new(3, [1, 2]);
        residency.Add(0, 1, 90);
        residency.Add(0, 0, 10);
        Assert.That((residency.Pages(0), residency.RemotePages(0), residency.RemoteShare(0)), Is.EqualTo((100L, 10L, 0.1)));
        Assert.That(residency.RemoteShare(1), Is.Zero);
        Assert.That(() => residency.Remove(1, 2), Throws.InvalidOperationException.With.Message.StartsWith("I1: domain 1"));
        Assert.That(() => new DomainResidency(2, [2]), Throws.ArgumentException);
    }

    [Test]
    public void Options_that_contradict_one_another_are_refused()
    {
        ListedFrames frames = new(4);
        Assert.That(() => new FrameExchange(new FrameExchangeOptions { GiveBack = GiveBack.Pool }, frames, 0), Throws.ArgumentException);
        Assert.That(() => new PoolSizingOptions { Frames = 0 }.Check(), Throws.ArgumentException);
        Assert.That(() => new PoolSizingOptions { Frames = 1, IsDynamic = true, CeilingFrames = 10 }.Check(), Throws.ArgumentException);
        Assert.That(() => new PoolSizingOptions { Frames = 1, IsDynamic = true, GrowAbove = 0.1 }.Check(), Throws.ArgumentException);
        Assert.That(() => new MigrationOptions().Check(), Throws.ArgumentException);
        Assert.That(() => new MigrationOptions { ThresholdShare = 1.5 }.Check(), Throws.ArgumentException);
        Assert.That(() => new MigrationOptions { PeriodTicks = 1, BatchPages = 0 }.Check(), Throws.ArgumentException);
    }

    private static FrameId Give(FrameExchange exchange)
    {
        Assert.That(exchange.TryTakeFrameToGive(out FrameId frame), Is.True);
        return frame;
    }
}
