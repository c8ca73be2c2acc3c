// SPDX-License-Identifier: MIT
using PerfCache.Cli.Bench;

namespace PerfCache.Tests.Bench;

/// <summary>
/// Goal: the harness must alternate, keep preparation out of the time, and notice a side that miscounts.
/// Method: sides which write down when they are called. No test here looks at a speed.
/// </summary>
internal sealed class InterleavedRatioTests
{
    private static readonly uint[] s_requests = new uint[1_000];

    [Test]
    public void SidesAlternateAndSoDoesTheOneThatGoesFirst()
    {
        List<string> calls = [];
        InterleavedRatio.Measure(Recorder("a", calls), Recorder("b", calls), s_requests, pairs: 3, warmUps: 1);

        Assert.That(string.Concat(calls), Is.EqualTo("pBb pAa pAa pBb pBb pAa pAa pBb ".Replace(" ", "")));
    }

    [Test]
    public void MissesOfBothSidesAreReported()
    {
        RatioResult result = InterleavedRatio.Measure(
            new Contender("rival", () => { }, _ => 11), new Contender("candidate", () => { }, _ => 12), s_requests);

        Assert.That((result.RivalMisses, result.CandidateMisses), Is.EqualTo((11L, 12L)));
        Assert.That((result.Rival, result.Candidate), Is.EqualTo(("rival", "candidate")));
        Assert.That(result.Ratio.Min, Is.LessThanOrEqualTo(result.Ratio.Median));
        Assert.That(result.Ratio.Median, Is.LessThanOrEqualTo(result.Ratio.Max));
    }

    [Test]
    public void ASideWhoseMissesChangeFromPassToPassIsAnError()
    {
        long misses = 5;
        Contender forgetful = new("forgetful", () => { }, _ => misses++);

        Assert.That(
            () => InterleavedRatio.Measure(forgetful, Recorder("b", []), s_requests),
            Throws.InvalidOperationException.With.Message.Contains("forgetful: 6 misses in this pass, 5"));
    }

    [Test]
    public void CancellingStopsBetweenPasses()
    {
        using CancellationTokenSource source = new();
        int passes = 0;
        Contender cancelling = new("a", () => { }, _ =>
        {
            passes++;
            source.Cancel();
            return 0;
        });

        Assert.That(
            () => InterleavedRatio.Measure(cancelling, cancelling, s_requests, cancellation: source.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(passes, Is.EqualTo(1));
    }

    [TestCase(new[] { 3.0, 1.0, 2.0 }, 2.0, 1.0, 3.0)]
    [TestCase(new[] { 4.0, 1.0, 2.0, 3.0 }, 2.5, 1.0, 4.0)]
    [TestCase(new[] { 7.0 }, 7.0, 7.0, 7.0)]
    public void TheSpreadIsTheMedianAndTheEnds(double[] values, double median, double min, double max) =>
        Assert.That(Spread.Of(values), Is.EqualTo(new Spread(median, min, max)));

    private static Contender Recorder(string name, List<string> calls) => new(
        name,
        () => calls.Add("p" + name.ToUpperInvariant()),
        _ =>
        {
            calls.Add(name);
            return 1;
        });
}
