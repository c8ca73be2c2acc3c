// SPDX-License-Identifier: MIT
using System.Globalization;
using PerfCache.Benchmarks.Hits;
using PerfCache.Simulation.Curves;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Benchmarks.Curves;

/// <summary>
/// What does a sampled LRU curve cost beside the exact one, and how far is it off? Both begin with 64-bit ids in memory,
/// alternate in one process, and are compared by processor time.
/// </summary>
/// <remarks>
/// The exact curve has to number the pages and to find every stack distance; the sampled one rejects nearly every
/// request by its hash and does the same for the rest. Because numbering is half of the exact cost and might be done
/// already, a second row gives the exact side page numbers and leaves the sampled side with the ids.
/// </remarks>
internal static class CurvesCommand
{
    private const int Seeds = 8;
    internal const string Usage = "curves [--rate R] [--pairs N]";

    private static readonly string[] s_generators =
    [
        "zipf:objects=1000000,alpha=1.0,requests=10000000,seed=1",
        "zipf:objects=1000000,alpha=0.8,requests=10000000,seed=2",
    ];

    /// <summary>Runs the command.</summary>
    /// <returns>0, or 2 for wrong arguments.</returns>
    internal static int Run(string[] args, TextWriter output, TextWriter errors)
    {
        double rate = 0.01;
        int pairs = 9;
        for (int i = 0; i < args.Length; i += 2)
        {
            string value = i + 1 < args.Length ? args[i + 1] : "";
            bool isRight = args[i] switch
            {
                "--rate" => double.TryParse(value, CultureInfo.InvariantCulture, out rate) && rate is > 0 and <= 1,
                "--pairs" => int.TryParse(value, CultureInfo.InvariantCulture, out pairs) && pairs > 0,
                _ => false,
            };
            if (isRight) continue;
            errors.WriteLine($"curves: '{args[i]} {value}' is not understood; usage: {Usage}");
            return 2;
        }

        string judges = Environment.GetEnvironmentVariable("PERFCACHE_JUDGES") ?? Path.Combine("..", "shared");
        string path = Path.Combine(judges, "traces", "arc-P12-100klines.lis.gz");
        if (File.Exists(path)) Measure("arc-P12", path, rate, pairs, output);
        else output.WriteLine($"arc-P12 is skipped: {path} is absent; PERFCACHE_JUDGES names the folder that has it");
        foreach (string generator in s_generators) Measure(generator, generator, rate, pairs, output);
        return 0;
    }

    private static void Measure(string name, string text, double rate, int pairs, TextWriter output)
    {
        TraceOptions options = new() { Format = text.EndsWith(".lis.gz", StringComparison.Ordinal) ? "arc" : "auto" };
        HeldTrace trace = new(name, hasFiles: false);
        List<ulong[]> blocks = [];
        using (ITraceReader reader = TraceSource.Parse(text, options).Open())
        {
            TraceBlock block = new();
            while (reader.Read(block))
            {
                blocks.Add(block.Ids[..block.Count]);
                trace.Add(blocks[^1], default);
            }
        }

        uint[][] numbers = Numbered(blocks);
        long requests = trace.HeldRequests;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {requests:N0} requests"));
        Side exact = new("exact", _ => Take(blocks, new StackLru(hasFiles: false)));
        Side numbered = new("exact, numbered", _ => TakeNumbers(numbers));
        Side sampled = new("sampled",
            _ => Take(blocks, new StackLru(hasFiles: false, new SpatialFilter(rate, seed: 1))));
        Print("from ids", PairedCpuTime.Measure(exact, sampled, threads: 1, pairs, warmUps: 1), output);
        Print("exact from page numbers", PairedCpuTime.Measure(numbered, sampled, 1, pairs, warmUps: 1), output);
        PrintErrors(trace, rate, output);
    }

    private static long Take(List<ulong[]> blocks, StackLru taker)
    {
        using (taker)
        {
            foreach (ulong[] block in blocks) taker.Add(block, default);
            _ = taker.Misses([1, 1000, 1_000_000]);
            return taker.Requests;
        }
    }

    private static long TakeNumbers(uint[][] numbers)
    {
        using StackLru taker = new(hasFiles: false);
        uint[] copy = new uint[TraceBlock.DefaultCapacity];
        long requests = 0;
        foreach (uint[] block in numbers)
        {
            // Taking overwrites; the copy counts against the exact side and costs less than its clock.
            block.CopyTo(copy, 0);
            taker.AddNumbers(copy.AsSpan(0, block.Length));
            requests += block.Length;
        }

        _ = taker.Misses([1, 1000, 1_000_000]);
        return requests;
    }

    private static uint[][] Numbered(List<ulong[]> blocks)
    {
        using IdMap map = new(PageNumbering.Dense, hasFiles: false);
        return [.. blocks.Select(block =>
        {
            uint[] numbers = new uint[block.Length];
            map.Map(block, default, numbers);
            return numbers;
        })];
    }

    private static void Print(string what, PairedResult result, TextWriter output) =>
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {what}: {1 / result.Ratio.Median:F1} times as fast ({1 / result.Ratio.Max:F1} to "
            + $"{1 / result.Ratio.Min:F1}); exact {result.RivalNanos.Median:F1} ns a request, "
            + $"sampled {result.CandidateNanos.Median:F2}"));

    private static void PrintErrors(HeldTrace trace, double rate, TextWriter output)
    {
        List<CurveError> errors = [];
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            errors.Add(CurveRun.Run(trace, new CurveOptions
            {
                Policies = PolicySpec.ParseList("lru"),
                SampleRate = rate,
                Seed = seed,
                Check = true,
            }, null, default)[0].Check!);
        }

        output.WriteLine("  mean absolute error in points, seeds 1 to 8: "
            + string.Join(' ', errors.Select(error => Points(error.Mean))));
        output.WriteLine("  over 64 sizes spread by a factor:            "
            + string.Join(' ', errors.Select(error => Points(error.PointsMean))));
    }

    private static string Points(double ratio) => (ratio * 100).ToString("0.00", CultureInfo.InvariantCulture);
}
