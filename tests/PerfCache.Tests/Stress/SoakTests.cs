// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using PerfCache.Flip;
using PerfCache.Memory;
using PerfCache.Policies.Replacement;
using PerfCache.Tests.Remote;

namespace PerfCache.Tests.Stress;

/// <summary>
/// Goal: everything at once, for as long as one likes, with no wrong byte and flat memory. Method: parts that each check
/// every byte they get run in rounds beside each other: a cache on three nodes with partitions, migrations, resizes and
/// sources that fail; rings that flip frames; a lender whose pages are taken under its hands, with a client and a
/// borrowing cache that compare what they get; and caches that are opened and refused memory. Every quarter of a minute
/// the process's memory is noted.
/// </summary>
/// <remarks>
/// Run by name, for PERFCACHE_SOAK_SECONDS (300 by default):
/// <c>PERFCACHE_SOAK_SECONDS=3600 dotnet test tests/PerfCache.Tests -c Release --filter FullyQualifiedName~SoakTests.TheWhole</c>.
/// A further part is a method here and a line in <see cref="Parts"/>.
/// </remarks>
internal sealed class SoakTests
{
    private static readonly TimeSpan s_sample = TimeSpan.FromSeconds(15);
    private readonly ConcurrentQueue<string> _wrong = [];
    private readonly ConcurrentDictionary<string, long> _rounds = [];
    private readonly SoakLoanCounts _loans = new();

    private (string Name, Action<int> Round)[] Parts =>
    [
        ("cache on nodes", seed => UseCache(seed, hasNodes: true)),
        ("cache with partitions", seed => UseCache(seed, hasNodes: false)),
        ("rings", UseRings),
        ("loan", UseLoan),
        ("refused memory", UseRefused),
    ];

    [Test]
    [Explicit("minutes: the length is PERFCACHE_SOAK_SECONDS, 300 by default")]
    [Category("Stress")]
    public void TheWholeRunsWithFlatMemoryAndNoWrongByte()
    {
        int seconds = int.Parse(
            Environment.GetEnvironmentVariable("PERFCACHE_SOAK_SECONDS") ?? "300", CultureInfo.InvariantCulture);
        Run(TimeSpan.FromSeconds(seconds));
    }

    private void Run(TimeSpan duration)
    {
        Stopwatch watch = Stopwatch.StartNew();
        List<Thread> threads = [.. Parts.Select(part => Start(part.Name, part.Round, () => watch.Elapsed < duration))];
        List<(double Seconds, long Bytes)> samples = [];
        // The first thread ends with the time.
        while (!threads[0].Join(s_sample))
        {
            samples.Add((watch.Elapsed.TotalSeconds, ResidentBytes()));
            string rounds = string.Join(", ", _rounds.Select(each => $"{each.Value} rounds of {each.Key}"));
            TestContext.Progress.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{watch.Elapsed.TotalSeconds:0} s: {samples[^1].Bytes >> 20} MiB resident, {rounds}; {Loans}"));
        }

        foreach (Thread thread in threads)
            Assert.That(thread.Join(TimeSpan.FromMinutes(16)), Is.True, $"{thread.Name} has not ended");
        TestContext.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Loans}; {GrowthPerHour(samples) / (1 << 20):0.0} MiB an hour, "
            + $"{string.Join(' ', samples.Select(each => each.Bytes >> 20))} MiB resident"));
        Assert.That(_wrong, Is.Empty);
        Assert.Multiple(() =>
        {
            Assert.That(_loans.Borrowed, Is.GreaterThan(0), "pages were borrowed");
            Assert.That(_loans.CaughtWrong, Is.GreaterThan(0), "servers lied");
            foreach ((string name, _) in Parts) Assert.That(_rounds.GetValueOrDefault(name), Is.GreaterThan(0), name);
            Assert.That(GrowthPerHour(samples), Is.LessThan(GrowthBytesMax(duration)), "bytes an hour");
        });
    }

    private string Loans =>
        $"{_loans.Borrowed} pages borrowed, {_loans.CaughtWrong} wrong ones caught, {_loans.Taken} taken from the lender";

    private Thread Start(string name, Action<int> round, Func<bool> goesOn)
    {
        Thread thread = new(() =>
        {
            for (int seed = 1; goesOn() && _wrong.IsEmpty; seed++)
            {
                try
                {
                    round(seed);
                    _rounds.AddOrUpdate(name, 1, (_, count) => count + 1);
                }
                catch (Exception failure)
                {
                    _wrong.Enqueue($"{name}, seed {seed}: {failure}");
                }
            }
        })
        {
            IsBackground = true,
            Name = name,
        };
        thread.Start();
        return thread;
    }

    private static void UseCache(int seed, bool hasNodes)
    {
        using PageCacheStress<LinuxRules<Linux6>, StallProbe> stress = new(
            new LinuxRules<Linux6>(), seed, newRules: () => new LinuxRules<Linux6>(), hasNodes: hasNodes);
        string? hanging = stress.Run(TimeSpan.FromSeconds(4), pagesMin: 1000, TimeSpan.FromSeconds(60));
        Must(hanging is null, $"{hanging} did not end");
        Must(stress.Violation is null, stress.Violation);
        Must(stress.Failure is null, stress.Failure?.ToString());
        stress.Validate();
    }

    private static void UseRings(int seed)
    {
        // Beside all the others on a busy machine a round may take minutes; one that is cut off looks like lost pages.
        using CancellationTokenSource deadline = new(TimeSpan.FromMinutes(15));
        string? failure = FlipRingStress<ManyToMany>.Run(new(2, 2, 64, 32, 200_000), seed, deadline.Token);
        Must(failure is null, failure);
        failure = FlipRingStress<OneToOne>.Run(new(1, 1, 256, 64, 200_000), seed, deadline.Token);
        Must(failure is null, failure);
    }

    private void UseLoan(int seed)
    {
        using SoakLoan loan = new(seed);
        loan.Run(() => UseLender(loan.EndPoint, seed), _loans);
    }

    /// <summary>Values tell their key and their version, and a value that a client reads is one that was stored.</summary>
    private static void UseLender(EndPoint lender, int seed)
    {
        using TextPeer client = new(lender);
        Random random = new(seed);
        Dictionary<int, int> versions = [];
        for (int i = 0; i < 20_000; i++)
        {
            int key = random.Next(5000);
            if (random.Next(3) == 0)
            {
                int version = versions[key] = versions.GetValueOrDefault(key) + 1;
                string value = ValueOf(key, version);
                List<string> stored = client.Ask($"set k{key} 0 0 {value.Length}\r\n{value}\r\n");
                // While the owner wants his memory, or has not yet given it back, values are refused, and older ones of
                // the same key go.
                Must(
                    stored is ["STORED"] or ["NOT_STORED"] or ["SERVER_ERROR out of memory storing object"],
                    string.Join('|', stored));
                continue;
            }

            List<string> answer = client.Ask($"get k{key}\r\n");
            if (answer is ["END"]) continue;
            Must(answer.Count == 3 && answer[1] == ValueOf(key, versions.GetValueOrDefault(key)),
                $"k{key}: {string.Join('|', answer.Select(line => line[..Math.Min(60, line.Length)]))}");
        }
    }

    private static void UseRefused(int seed)
    {
        MemoryMeter meter = new();
        using MemoryFaults faults = new(1 + (seed % 40));
        try
        {
            using FlipRing<ManyToMany> ring = new(new FlipRingOptions { Producer = 1, Consumer = 2 }, meter);
            using PerfCache.Cache.PageCache<Sieve> cache = new(
                new PerfCache.Cache.PageCacheOptions { CapacityBytes = 1 << 20, BackgroundReclaim = false }, new());
            PerfCache.Frames.ObjectId owner = cache.AddObject(null, 100_000);
            for (ulong page = 0; page < 400; page++) cache.TryAdd(owner, page * 70, [1]);
        }
        catch (NativeMemoryException)
        {
            // As was asked for.
        }

        Must(faults.Reservations == 0 && meter.OutstandingBytes == 0, $"{faults.Reservations} ranges were not released");
    }

    private static string ValueOf(int key, int version) =>
        string.Concat(Enumerable.Repeat($"{key}.{version};", 1 + (((key * 31) + version) % 400)));

    private static void Must(bool holds, string? otherwise)
    {
        if (!holds) throw new InvalidOperationException(otherwise);
    }

    private static long ResidentBytes()
    {
        // What is garbage is not a leak.
        GC.Collect();
        using Process self = Process.GetCurrentProcess();
        return self.WorkingSet64;
    }

    /// <summary>The slope of the second half of the samples, in bytes an hour, by least squares.</summary>
    private static double GrowthPerHour(List<(double Seconds, long Bytes)> samples)
    {
        (double Seconds, long Bytes)[] late = [.. samples.Skip(samples.Count / 2)];
        if (late.Length < 3) return 0;
        double meanTime = late.Average(sample => sample.Seconds), meanBytes = late.Average(sample => (double)sample.Bytes);
        double above = late.Sum(sample => (sample.Seconds - meanTime) * (sample.Bytes - meanBytes));
        double below = late.Sum(sample => (sample.Seconds - meanTime) * (sample.Seconds - meanTime));
        return above / below * 3600;
    }

    // Memory goes up and down by some tens of MiB with what the parts do; over a short run that is a steep slope.
    private static double GrowthBytesMax(TimeSpan duration) => (48 << 20) / Math.Min(1, duration.TotalHours / 2);
}
