// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Globalization;
using PerfCache.Cli.Bench;
using PerfCache.Frames;
using LinuxCache = PerfCache.Cache.PageCache<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>>;
using LinuxReader = PerfCache.Cache.CacheReader<PerfCache.Policies.Replacement.LinuxRules<
    PerfCache.Policies.Replacement.Linux6>, PerfCache.Cache.NoProbe>;

namespace PerfCache.Benchmarks.Hits;

/// <summary>How do hits a second grow with threads? For machines with as many cores.</summary>
internal static class ThreadCurve
{
    /// <summary>Prints a line for each number of threads, kind of hit and size.</summary>
    internal static void Run(int[] threads, HitScale scale, TextWriter output)
    {
        output.WriteLine($"{Environment.ProcessorCount} processors; M hits/s of all threads, and ns of each a hit");
        foreach ((int pages, double alpha) in new[] { (HitRows.FewPages, 0.0), (scale.Pages, 0.99) })
        {
            using LinuxCache cache = HitRows.Filled(pages, out ObjectId owner);
            ConcurrentDictionary<long, long> table = HitRows.Table(pages);
            int most = threads.Max();
            LinuxReader[] readers = [.. Enumerable.Range(0, most).Select(_ => cache.OpenReader())];
            int count = Math.Min(scale.Operations, pages == HitRows.FewPages ? 1 << 15 : 1 << 20);
            uint[][] requests = HitRows.Requests(pages, count, alpha, most);
            int rounds = Math.Max(1, scale.Operations / count);
            foreach (int number in threads)
            {
                Print(number, "dictionary", new DictionaryPass(table, requests, rounds));
                foreach (HitKind kind in Enum.GetValues<HitKind>())
                {
                    Print(number, kind.ToString(), HitRows.PassOf(kind, cache, owner, readers, requests, rounds));
                }
            }

            foreach (LinuxReader reader in readers) reader.Dispose();

            void Print(int number, string name, HitPass pass)
            {
                Side side = new(name, pass.Run);
                List<double> nanos = [];
                List<double> millions = [];
                PairedCpuTime.WarmUp(() => PairedCpuTime.Run(side, number));
                for (int i = -scale.WarmUps; i < scale.Pairs; i++)
                {
                    PairedCpuTime.PassResult result = PairedCpuTime.Run(side, number);
                    if (i < 0) continue;
                    nanos.Add(result.Nanos);
                    millions.Add(1000 / result.WallNanos);
                }

                Spread speed = Spread.Of(millions);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{pages,8} pages  {number,2} threads  {name,-10} {speed.Median,8:F1} M/s "
                    + $"({speed.Min:F1} to {speed.Max:F1})  {Spread.Of(nanos).Median,7:F1} ns"));
            }
        }
    }
}
