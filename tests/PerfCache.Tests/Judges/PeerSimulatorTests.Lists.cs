// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Judges;

/// <summary>2q, arc, lirs and wtinylfu against the other simulator's.</summary>
public sealed partial class PeerSimulatorTests
{
    /// <summary>Below this size the peer's 2Q has no room for a page in its first queue and misses
    /// everything.</summary>
    private const long TwoQFramesMin = 4;

    /// <summary>Below this size the peer's W-TinyLFU has an empty window and misses everything.</summary>
    private const long WTinyLfuFramesMin = 100;

    /// <summary>
    /// Rows where wtinylfu and the peer's disagree about LRU, each with its reason and a setting that agrees
    /// again. The peer ages by hits in its main part, of which a loop has hardly any; ours, as the paper says,
    /// by uses.
    /// </summary>
    private static readonly (string Trace, long Frames, string Reason, string Agreeing)[] s_wTinyLfuExceptions =
    [
        ("lirs-cs", 140, "a loop ten times the cache: counters are halved once a round, so none exceeds one",
            "wtinylfu:sample=100,doorkeeper=true"),
        ("lirs-scan", 200, "a loop ten times the cache, as lirs-cs", "wtinylfu:sample=100"),
    ];

    [TestCaseSource(nameof(Traces))]
    public void TwoQAndArcCountTheSameMisses(string file, string format)
    {
        foreach ((string policy, string algorithm, long framesMin) in
            (ReadOnlySpan<(string, string, long)>)[("2q", "2Q", TwoQFramesMin), ("arc", "ARC", 1)])
        {
            Dictionary<long, long> expected = PeerMisses(file, algorithm, framesMin);
            Assert.That(
                ReplayAt(file, format, policy, expected.Keys).Select(result => (result.Frames, result.Misses)),
                Is.EquivalentTo(expected.Select(row => (row.Key, row.Value))), policy);
        }
    }

    [TestCaseSource(nameof(Traces))]
    public void LirsMissesWithinHalfAPointOfThePeer(string file, string format)
    {
        Dictionary<long, long> expected = PeerMisses(file, "LIRS", framesMin: 1);
        foreach (ReplayResult result in ReplayAt(file, format, "lirs", expected.Keys))
        {
            double ratio = (double)expected[result.Frames] / result.Requests;
            Assert.That(result.MissRatio, Is.EqualTo(ratio).Within(0.005), $"{result.Frames} frames");
        }
    }

    /// <remarks>Two variants of one idea: their numbers differ, but where one is much better or worse than LRU,
    /// so must the other be.</remarks>
    [TestCaseSource(nameof(Traces))]
    public void WTinyLfuDiffersFromLruAsThePeersDoes(string file, string format)
    {
        const double Much = 0.03;
        Dictionary<long, long> peers = PeerMisses(file, "W-TinyLFU", WTinyLfuFramesMin);
        if (peers.Count == 0) return;
        Dictionary<long, long> lru = PeerMisses(file, "LRU", WTinyLfuFramesMin);
        foreach (ReplayResult result in ReplayAt(file, format, "wtinylfu", peers.Keys))
        {
            double peerGain = (double)(lru[result.Frames] - peers[result.Frames]) / result.Requests;
            if (Math.Abs(peerGain) < Much) continue;
            ReplayResult compared = result;
            int exception = Array.FindIndex(s_wTinyLfuExceptions,
                known => known.Trace == NameOf(file) && known.Frames == result.Frames);
            if (exception >= 0)
            {
                Assert.That(Gain(result) * peerGain, Is.AtMost(0), "this row needs no exception any more");
                compared = ReplayAt(file, format, s_wTinyLfuExceptions[exception].Agreeing, [result.Frames])[0];
            }

            string row = $"{compared.Policy}, {result.Frames} frames";
            Assert.That(Math.Sign(Gain(compared)), Is.EqualTo(Math.Sign(peerGain)), row);
            Assert.That(Math.Abs(Gain(compared)), Is.AtLeast(Math.Abs(peerGain) / 4), row);
        }

        double Gain(ReplayResult result) => ((double)lru[result.Frames] / result.Requests) - result.MissRatio;
    }

    private static Dictionary<long, long> PeerMisses(string file, string algorithm, long framesMin)
    {
        JudgeFiles.Require(s_counts);
        return JudgeFiles.Rows(s_counts)
            .Where(row => row["trace"] == NameOf(file) && row["algorithm"] == algorithm
                && Number(row, "cache_objects") >= framesMin)
            .ToDictionary(row => Number(row, "cache_objects"), row => Number(row, "misses"));
    }

    private static IReadOnlyList<ReplayResult> ReplayAt(
        string file, string format, string policy, IEnumerable<long> frames) =>
        Replay(TraceSource.Parse(JudgeFiles.Require("traces", file), new TraceOptions { Format = format }), policy,
            CacheSize.ParseFrames(string.Join(',', frames)));
}
