// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Tests.Simulation.Replay;

/// <summary>
/// The runner over fake cells: whatever the threads, blocks and passes, each cell counts what a plain loop
/// counts.
/// </summary>
public sealed class TraceReplayTests
{
    private static (ulong[] Ids, int[] Files) Requests(int count, int seed)
    {
        Random random = new(seed);
        ulong[] ids = new ulong[count];
        int[] files = new int[count];
        for (int i = 0; i < count; i++)
        {
            double skewed = random.NextDouble() * random.NextDouble();
            ids[i] = (ulong)(skewed * 5000) * 0x1_0000_0001;
            files[i] = random.Next(3);
        }

        return (ids, files);
    }

    private static ReplayOptions Options(string policies, string sizes) => new()
    {
        Policies = PolicySpec.ParseList(policies),
        Sizes = sizes.Contains('%') ? CacheSize.ParsePercentages(sizes) : CacheSize.ParseFrames(sizes),
    };

    private static IReadOnlyList<ReplayResult> Run(ITraceSource source, ReplayOptions options,
        Action<ReplayProgress>? progress = null, CancellationToken cancellation = default) =>
        TraceReplay.Run(source, options, NaiveLruCell.Factory, progress, cancellation);

    [Test]
    public void Every_cell_counts_what_a_plain_loop_counts(
        [Values(1, 2, 5)] int jobs, [Values(1, 77, 65_536)] int blockLength, [Values] bool hasFiles)
    {
        (ulong[] ids, int[] files) = Requests(8_000, seed: 1);
        if (blockLength == 1) (ids, files) = (ids[..2000], files[..2000]);
        MemoryTrace trace = new(ids, hasFiles ? files : null, blockLength: blockLength);
        IReadOnlyList<ReplayResult> results =
            Run(trace, Options("lru,linux-6,fifo", "10,300") with { Jobs = jobs });

        (int, ulong)[] pages = [.. ids.Select((id, i) => (hasFiles ? files[i] : 0, id))];
        Assert.That(trace.Opened, Is.EqualTo(1), "sizes in frames need one pass");
        Assert.That(results.Select(r => (r.Policy, r.Frames)), Is.EqualTo(new[]
        {
            ("lru", 10L), ("lru", 300L), ("linux-6", 10L), ("linux-6", 300L), ("fifo", 10L), ("fifo", 300L),
        }));
        foreach (ReplayResult result in results)
        {
            long misses = NaiveMisses(pages, result.Frames);
            long distinct = pages.Distinct().Count();
            Assert.That((result.Requests, result.Misses, result.CompulsoryMisses, result.ColdMisses, result.Refaults),
                Is.EqualTo((ids.LongLength, misses, distinct, distinct, misses - distinct)), $"{result}");
            Assert.That(result.Evictions, Is.EqualTo(misses - result.Frames));
            Assert.That(result.Complete && result.Trace == "memory" && result.MapBytes > 0, Is.True);
            Assert.That(result.NativeBytes, Is.EqualTo(40 * result.Frames));
        }
    }

    private static long NaiveMisses((int, ulong)[] pages, long frames)
    {
        List<(int, ulong)> order = [];
        long misses = 0;
        foreach ((int, ulong) page in pages)
        {
            if (!order.Remove(page))
            {
                misses++;
                if (order.Count == frames) order.RemoveAt(0);
            }

            order.Add(page);
        }

        return misses;
    }

    [Test]
    public void Percentages_count_the_distinct_pages_first([Values] bool canReopen, [Values("lru", "linux-6")] string policy)
    {
        (ulong[] ids, int[] files) = Requests(10_000, seed: 2);
        MemoryTrace trace = new(ids, files, canReopen);
        long distinct = ids.Zip(files).Distinct().Count();
        IReadOnlyList<ReplayResult> results = Run(trace, Options(policy, "0.001%,10%,33.3%"));
        IReadOnlyList<ReplayResult> inFrames =
            Run(new MemoryTrace(ids, files), Options(policy, $"1,{distinct / 10},{distinct * 333 / 1000}"));

        Assert.That(trace.Opened, Is.EqualTo(canReopen ? 2 : 1));
        Assert.That(results.Select(Counts), Is.EqualTo(inFrames.Select(Counts)));
    }

    private static (long, long, long, long, long) Counts(ReplayResult result) =>
        (result.Frames, result.Requests, result.Misses, result.CompulsoryMisses, result.MapBytes);

    [Test]
    public void The_limit_cuts_both_passes([Values("64", "10%")] string sizes)
    {
        (ulong[] ids, int[] files) = Requests(10_000, seed: 3);
        ReplayResult limited = Run(new MemoryTrace(ids, files), Options("lru", sizes) with { Limit = 2500 })[0];
        ReplayResult cut = Run(new MemoryTrace(ids[..2500], files[..2500]), Options("lru", sizes))[0];
        Assert.That(Counts(limited), Is.EqualTo(Counts(cut)));
    }

    [Test]
    public void Outcomes_and_resident_pages_are_written_in_the_traces_own_form([Values] bool hasFiles)
    {
        string folder = Directory.CreateTempSubdirectory("perfcache-").FullName;
        try
        {
            ulong[] ids = [5, 6, 5, 1UL << 50, 6, 5];
            int[] files = [0, 0, 0, 1, 1, 0];
            string outcomes = Path.Combine(folder, "outcomes");
            string resident = Path.Combine(folder, "resident");
            using (OutputFile outcomesFile = OutputFile.Create(outcomes))
            using (OutputFile residentFile = OutputFile.Create(resident))
            {
                Run(new MemoryTrace(ids, hasFiles ? files : null), Options("lru", "3") with
                {
                    Outcomes = outcomesFile,
                    Resident = residentFile,
                });
            }

            Assert.That(File.ReadAllText(outcomes), Is.EqualTo(hasFiles ? "mmhmmh" : "mmhmhh"));
            Assert.That(File.ReadAllText(resident), Is.EqualTo(hasFiles
                ? "0 5\n1 1125899906842624\n1 6\n" : "5\n6\n1125899906842624\n"));
            Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(2));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void Cancelling_returns_what_was_replayed_and_all_cells_agree_on_how_much(
        [Values(1, 3)] int jobs, [Values("40,400", "1%,5%")] string sizes, [Values("lru,fifo", "linux-6")] string policies)
    {
        (ulong[] ids, int[] files) = Requests(50_000, seed: 4);
        using CancellationTokenSource stop = new();
        MemoryTrace trace = new(ids, files);
        IReadOnlyList<ReplayResult> results = Run(trace, Options(policies, sizes) with { Jobs = jobs },
            progress => StopAt(progress, 20_000, stop), stop.Token);

        int requests = (int)results[0].Requests;
        Assert.That(requests, Is.InRange(20_000, 30_000));
        long distinct = ids.Zip(files).Take(requests).Distinct().Count();
        foreach (ReplayResult result in results)
        {
            Assert.That(result.Complete, Is.False);
            Assert.That((result.Requests, result.CompulsoryMisses), Is.EqualTo((requests, distinct)));
            Assert.That(result.ColdMisses, Is.EqualTo(distinct));
        }
    }

    private static void StopAt(ReplayProgress progress, long requests, CancellationTokenSource stop)
    {
        if (!progress.Counting && progress.Requests >= requests) stop.Cancel();
    }

    [Test]
    public void Cancelling_while_counting_returns_nothing_and_leaves_no_file()
    {
        string path = Path.Combine(Path.GetTempPath(), $"perfcache-outcomes-{Environment.ProcessId}");
        using CancellationTokenSource stop = new();
        MemoryTrace trace = new(Requests(5000, seed: 5).Ids) { OnRead = read => { if (read > 2000) stop.Cancel(); } };
        using (OutputFile outcomes = OutputFile.Create(path))
        {
            Assert.That(Run(trace, Options("lru", "10%") with { Outcomes = outcomes }, null, stop.Token), Is.Empty);
        }

        Assert.That(Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(path) + "*"), Is.Empty);
    }

    [Test]
    public void A_failing_trace_or_cell_reaches_the_caller_and_frees_all_cells([Values(1, 4)] int jobs)
    {
        List<NaiveLruCell> cells = [];
        CellFactory factory = new(_ => PageNumbering.Dense, (spec, frames) =>
        {
            cells.Add(new NaiveLruCell(spec.Text, frames, PageNumbering.Dense));
            return cells[^1];
        });
        MemoryTrace trace = new(Requests(50_000, seed: 6).Ids)
        {
            OnRead = read => { if (read > 30_000) throw new TraceFormatException("memory: line 30001: bad"); },
        };
        Assert.That(() => TraceReplay.Run(trace, Options("a,b,c", "10,20") with { Jobs = jobs }, factory, null, default),
            Throws.TypeOf<TraceFormatException>().With.Message.EqualTo("memory: line 30001: bad"));
        Assert.That(cells, Has.Count.EqualTo(6));
        Assert.That(cells.All(cell => cell.IsDisposed), Is.True);
    }

    [Test]
    public void Progress_runs_to_one_in_each_pass()
    {
        List<ReplayProgress> reports = [];
        Run(new MemoryTrace(Requests(5000, seed: 7).Ids), Options("lru", "10%"), reports.Add);
        Assert.That(reports.Where(r => r.Counting).Select(r => r.Fraction), Is.Ordered);
        Assert.That(reports.Where(r => !r.Counting).Select(r => r.Fraction), Is.Ordered);
        Assert.That(reports.Count(r => r.Fraction == 1 && r.Requests == 5000), Is.GreaterThanOrEqualTo(2));
    }
}
