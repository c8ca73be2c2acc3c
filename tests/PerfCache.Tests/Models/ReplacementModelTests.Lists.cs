// SPDX-License-Identifier: MIT
using PerfCache.Cache;
using PerfCache.Frames;
using PerfCache.Policies.Replacement;

namespace PerfCache.Tests.Models;

/// <summary>The rules that move pages between several lists, with ghosts or with counts.</summary>
public sealed partial class ReplacementModelTests
{
    [TestCase(1, 0.25, 0.5)]
    [TestCase(2, 0.25, 0.5)]
    [TestCase(9, 0.25, 0.5)]
    [TestCase(40, 0.25, 0.5)]
    [TestCase(40, 0, 0)]
    [TestCase(40, 1, 2)]
    [TestCase(40, 0.6, 3)]
    public void TwoQ(int frames, double inShare, double outShare) => Compare(
        frames, seed: frames, pageCount: 120, new TwoQ(inShare, outShare),
        new NaiveTwoQ(frames, Math.Max(1, (int)(inShare * frames)), Math.Max(1, (int)(outShare * frames))),
        cache => $"A1in {Pages(cache.Frames, cache.Rules.In)} | A1out {Pages(cache.Frames, cache.Rules.Out)} | Am "
            + Pages(cache.Frames, cache.Rules.Main));

    [Test]
    public void Arc([Values(1, 2, 3, 9, 40)] int frames, [Values(1, 2, 3)] int seed) => Compare(
        frames, seed, pageCount: 120, new Arc(), new NaiveArc(frames),
        cache => $"T1 {Pages(cache.Frames, cache.Rules.Once)} | T2 {Pages(cache.Frames, cache.Rules.Twice)} | B1 "
            + $"{Pages(cache.Frames, cache.Rules.OnceGhosts)} | B2 {Pages(cache.Frames, cache.Rules.TwiceGhosts)} | p "
            + $"{cache.Rules.Target}");

    [TestCase(1, 0.01, 2)]
    [TestCase(2, 0.01, 2)]
    [TestCase(3, 0.01, 1)]
    [TestCase(9, 0.01, 2)]
    [TestCase(40, 0.01, 2)]
    [TestCase(40, 0.2, 1)]
    [TestCase(40, 0.2, 1.5)]
    [TestCase(40, 0.5, 10)]
    [TestCase(40, 1, 2)]
    [TestCase(100, 0.1, 2)]
    public void Lirs(int frames, double hirShare, double stackShare) =>
        CompareLirs(frames, hirShare, stackShare, new Lirs(hirShare, stackShare));

    /// <summary>The numbers of uses run out every few requests.</summary>
    [TestCase(2, 0.01, 2)]
    [TestCase(9, 0.01, 2)]
    [TestCase(40, 0.2, 1.5)]
    [TestCase(40, 1, 2)]
    [TestCase(100, 0.1, 2)]
    public void LirsWhoseNumbersStartOver(int frames, double hirShare, double stackShare) => CompareLirs(
        frames, hirShare, stackShare,
        new Lirs(hirShare, stackShare) { UseMax = 10 + (uint)(4 * stackShare * frames) });

    private void CompareLirs(int frames, double hirShare, double stackShare, Lirs rules) => Compare(
        frames, seed: frames, pageCount: 300, rules,
        new NaiveLirs(frames, frames - Math.Max(1, (int)(hirShare * frames)), (int)(stackShare * frames)),
        LirsDump);

    [Test]
    public void WTinyLfu([Values(1, 2, 9, 40)] int frames, [Values] bool doorkeeper, [Values] bool adaptive) =>
        CompareWTinyLfu(frames, new WTinyLfuOptions { Doorkeeper = doorkeeper, Adaptive = adaptive });

    [TestCase(0, 0.8, 10, false, 0.1)]
    [TestCase(0.3, 0, 10, false, 0.1)]
    [TestCase(0.3, 1, 1, false, 0.1)]
    [TestCase(1, 0.8, 10, false, 0.1)]
    [TestCase(0.5, 0.5, 2.5, true, 0.3)]
    [TestCase(0.1, 0.8, 2, true, 0)]
    [TestCase(0.1, 1, 1, true, 1)]
    public void WTinyLfuParameters(double window, double protectedShare, double sample, bool adaptive, double step) =>
        CompareWTinyLfu(40, new WTinyLfuOptions
        {
            WindowShare = window,
            ProtectedShare = protectedShare,
            Sample = sample,
            Adaptive = adaptive,
            Step = step,
            Doorkeeper = adaptive,
        });

    private void CompareWTinyLfu(int frames, WTinyLfuOptions options) => Compare(
        frames, seed: frames, pageCount: 120, new WTinyLfu(options), new NaiveWTinyLfu(frames, options),
        cache => $"window {Pages(cache.Frames, cache.Rules.Window)} | probation "
            + $"{Pages(cache.Frames, cache.Rules.Probation)} | protected {Pages(cache.Frames, cache.Rules.Protected)} | "
            + $"{cache.Rules.WindowMax}");

    private static string LirsDump(MetadataCache<Lirs, ReplayMode> cache)
    {
        FrameTable frames = cache.Frames;
        Lirs rules = cache.Rules;
        IEnumerable<string> stack = rules.LirPages.FromHead().Select(row => (Row: row, Status: 'L'))
            .Concat(rules.Queue.FromHead().Where(row => rules.IsOnStack(row)).Select(row => (Row: row, Status: 'h')))
            .Concat(rules.Gone.FromHead().Select(row => (Row: row, Status: 'n')))
            .OrderByDescending(entry => rules.LastUse(entry.Row))
            .Select(entry => $"{frames.Key(entry.Row).Page}{entry.Status}");
        return $"S {string.Join(' ', stack)} | Q "
            + string.Join(' ', rules.Queue.FromHead().Reverse().Select(frame => frames.Key(frame).Page));
    }
}
