// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Benchmarks.Curves;

internal static class Scratch
{
    internal static int Run(string[] a)
    {
        string policy = a[0];
        double rate = double.Parse(a[1], null);
        int size = int.Parse(a[2], null);
        foreach (string text in a[3..])
        {
            ITraceSource source = TraceSource.Parse(text, new TraceOptions { Format = text.Contains("lis") ? "arc" : "auto" });
            List<string> s = [];
            for (ulong seed = 1; seed <= (policy == "lru" ? 12u : 3u); seed++)
            {
                MissRatioCurve c = CurveRun.Run(source, new CurveOptions { Policies = PolicySpec.ParseList(policy), SampleRate = rate, SampleSize = size == 0 ? null : size, Check = true, Seed = seed, Points = policy == "lru" ? 64 : 24, Sizes = Environment.GetEnvironmentVariable("LIN") is null ? null : CacheSize.ParsePercentages(string.Join(",", Enumerable.Range(1, 64).Select(i => FormattableString.Invariant($"{i * 100.0 / 64}%")))) }, null, default)[0];
                s.Add($"{c.Check!.Mean * 100:F2}/{c.Check.PointsMean * 100:F2}/{c.Check.Largest * 100:F1}@{c.Check.LargestFrames}");
                if (seed == 1) Console.WriteLine($"{c.Seconds:F3} s {c.ReadSeconds:F2} rate {c.SampleRate} distinct {c.DistinctPages} sampled {c.SampledRequests} bytes {c.Bytes}");
            }
            Console.WriteLine($"{text} {policy} {rate} {size}: {string.Join(' ', s)}");
        }
        return 0;
    }
}
