// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Benchmarks.Curves;

internal static class Scratch
{
    internal static int Run()
    {
        foreach (string text in new[] { "zipf:objects=1000000,alpha=1.0,requests=10000000,seed=1", "zipf:objects=1000000,alpha=0.7,requests=10000000,seed=1", "uniform:objects=1000000,requests=10000000", "loop:objects=1000000,requests=10000000", "uniform:objects=10000,requests=10000000" })
        {
            RequestGenerator g = Workload.TryParse(text)!.Start();
            ulong[] ids = new ulong[g.Length];
            g.Fill(ids);
            uint[] numbers = new uint[ids.Length];
            for (int round = 0; round < 4; round++)
            {
                long t0 = Stopwatch.GetTimestamp();
                using IdMap map = new(PageNumbering.Dense, false);
                for (int i = 0; i < ids.Length; i += 65536) map.Map(ids.AsSpan(i, Math.Min(65536, ids.Length - i)), default, numbers.AsSpan(i));
                long t1 = Stopwatch.GetTimestamp();
                using StackDistances s = new();
                using DistanceHistogram h = new();
                uint[] d = new uint[4096];
                long t1b = Stopwatch.GetTimestamp();
                for (int i = 0; i < ids.Length; i += 4096)
                {
                    int n = Math.Min(4096, ids.Length - i);
                    s.Measure(numbers.AsSpan(i, n), d);
                    h.Add(d.AsSpan(0, n));
                }
                long t2 = Stopwatch.GetTimestamp();
                SpatialFilter f = new(0.01, (ulong)1);
                ulong[] picked = new ulong[65536];
                long total = 0;
                for (int i = 0; i < ids.Length; i += 65536) total += f.Pick(ids.AsSpan(i, Math.Min(65536, ids.Length - i)), picked);
                long t3 = Stopwatch.GetTimestamp();
                using IdMap map2 = new(PageNumbering.Dense, false);
                using StackDistances s2 = new();
                using DistanceHistogram h2 = new();
                uint[] d2 = new uint[65536];
                uint[] n2 = new uint[65536];
                for (int i = 0; i < ids.Length; i += 65536)
                {
                    int c = f.Pick(ids.AsSpan(i, Math.Min(65536, ids.Length - i)), picked);
                    map2.Map(picked.AsSpan(0, c), default, n2);
                    s2.Measure(n2.AsSpan(0, c), d2);
                    h2.Add(d2.AsSpan(0, c));
                }
                long t4 = Stopwatch.GetTimestamp();
                double ns = 1e9 / Stopwatch.Frequency / ids.Length;
                Console.WriteLine($"{text}: map {(t1 - t0) * ns:F1} dist {(t2 - t1) * ns:F1} ns; filter {(t3 - t2) * ns:F2} sampled {(t4 - t3) * ns:F2} ns ({total} picked, {s2.Pages} pages); bytes {s.Bytes}; ratio {(t2 - t0) / (double)(t4 - t3):F1} dense {(t2 - t1) / (double)(t4 - t3):F1}");
            }
        }
        return 0;
    }
}
