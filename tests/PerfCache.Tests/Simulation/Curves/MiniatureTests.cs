// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Curves;

/// <summary>Goal: miniature caches stand for the caches that they are made from.</summary>
[TestFixture, Parallelizable(ParallelScope.Self)]
public sealed class MiniatureTests
{
    private const string Zipf = "zipf:objects=100000,alpha=0.9,requests=1000000,seed=1";

    // 5,000 pages in the sample; docs/curves.md has the errors of more traces and seeds.
    [Test]
    public void A_policy_in_miniature_is_within_a_point_and_a_half_of_its_sweep(
        [Values("linux-6", "linux-3.15", "fifo")] string policy, [Values(1UL, 2UL)] ulong seed)
    {
        if (seed > 1 || policy != "linux-6") TestScale.LeaveToRelease();
        MissRatioCurve curve = CurveRun.Run(TraceSource.Parse(Zipf), new CurveOptions
        {
            Policies = PolicySpec.ParseList(policy),
            SampleRate = 0.05,
            Seed = seed,
            Check = true,
            Points = 10,
        }, null, default)[0];
        Assert.That(curve.Policy, Is.EqualTo(policy));
        Assert.That(curve.Points[0].Frames, Is.EqualTo(32 / 0.05).Within(1));
        Assert.That(curve.Check!.Mean, Is.LessThan(0.015));
    }

    [TestCase("linux-6", 0.1, "linux-6:reclaim=3,batch=3")]
    [TestCase("linux-6:batch=100", 0.1, "linux-6:reclaim=3,batch=10")]
    [TestCase("linux-3.15", 0.01, "linux-3.15:reclaim=1,batch=1")]
    [TestCase("fifo", 0.01, "fifo")]
    public void What_counts_pages_shrinks_with_the_cache(string policy, double rate, string expected) =>
        Assert.That(MiniaturePolicy.Of(PolicySpec.Parse(policy), rate).Text, Is.EqualTo(expected));

    [TestCase(1000, 0.01, ExpectedResult = 10)]
    [TestCase(1060, 0.01, ExpectedResult = 11)]
    [TestCase(3, 0.01, ExpectedResult = 1)]
    public long Frames_shrink_to_one_at_least(long frames, double rate) => MiniaturePolicy.Frames(frames, rate);
}
