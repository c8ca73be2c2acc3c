// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Cli.Bench;

namespace PerfCache.Benchmarks.Hits;

/// <summary>One side of a comparison.</summary>
/// <param name="Name">The name to print.</param>
/// <param name="Pass">What each thread does in a pass, given its number; returns how many operations it did.</param>
/// <param name="CountsProcess">True to count the processor time of the whole process: for a side that has others work
/// for it (a garbage collector, a background thread).</param>
internal sealed record Side(string Name, Func<int, long> Pass, bool CountsProcess = false);

/// <summary>What a comparison found.</summary>
/// <param name="Ratio">The candidate's processor time an operation as a part of the rival's; below 1 it is faster.</param>
/// <param name="RivalNanos">Nanoseconds of processor time an operation.</param>
/// <param name="CandidateNanos">Nanoseconds of processor time an operation.</param>
/// <param name="Cores">The cores that the candidate's threads had at a time, on average: below their number, others had
/// the machine too, and threads met each other less than they would.</param>
/// <param name="AllocatedBytes">Managed bytes that the candidate's threads allocated in a pass, the median of those that
/// count: in one pass or another the runtime makes an object of 32 bytes on each thread, on either side.</param>
/// <param name="Collections">Garbage collections during these passes.</param>
internal sealed record PairedResult(
    Spread Ratio, Spread RivalNanos, Spread CandidateNanos, double Cores, long AllocatedBytes, int Collections);

/// <summary>
/// Compares the processor time of two sides in one process, alternating, as <see cref="InterleavedRatio"/> does with the
/// time of day: a ratio is taken within a pair, and the median of the pairs is what to report.
/// </summary>
internal static class PairedCpuTime
{
    private static readonly TimeSpan s_warmUpTime = TimeSpan.FromSeconds(1.5);

    /// <summary>Runs the comparison.</summary>
    internal static PairedResult Measure(
        Side rival, Side candidate, int threads, int pairs, int warmUps, bool warmsUpByTime = true)
    {
        List<double> ratios = [];
        List<double> rivals = [];
        List<double> candidates = [];
        List<double> cores = [];
        List<double> allocated = [];
        int collections = 0;
        if (warmsUpByTime)
        {
            WarmUp(() =>
            {
                Run(rival, threads);
                Run(candidate, threads);
            });
        }

        for (int pair = -warmUps; pair < pairs; pair++)
        {
            (Side one, Side other) = pair % 2 == 0 ? (rival, candidate) : (candidate, rival);
            PassResult first = Run(one, threads);
            PassResult second = Run(other, threads);
            if (pair < 0) continue;
            (PassResult ofRival, PassResult ofCandidate) = pair % 2 == 0 ? (first, second) : (second, first);
            rivals.Add(ofRival.Nanos);
            candidates.Add(ofCandidate.Nanos);
            ratios.Add(ofCandidate.Nanos / ofRival.Nanos);
            cores.Add(ofCandidate.Cores);
            allocated.Add(ofCandidate.AllocatedBytes);
            collections += ofCandidate.Collections;
        }

        return new PairedResult(
            Spread.Of(ratios), Spread.Of(rivals), Spread.Of(candidates), Spread.Of(cores).Median,
            (long)Spread.Of(allocated).Median, collections);
    }

    /// <summary>
    /// Runs passes for so long that tiered compilation is through: it waits until no new method has come up for a tenth
    /// of a second, then compiles beside the passes, twice (with counters for the profile, and with the profile).
    /// </summary>
    internal static void WarmUp(Action pass)
    {
        long begin = Stopwatch.GetTimestamp();
        do pass();
        while (Stopwatch.GetElapsedTime(begin) < s_warmUpTime);
    }

    /// <summary>Runs one pass of one side.</summary>
    internal static PassResult Run(Side side, int threads)
    {
        using Barrier start = new(threads + 1);
        Worker[] workers = new Worker[threads];
        for (int i = 0; i < threads; i++) workers[i] = new Worker(side, i, start);
        int collections = GC.CollectionCount(0);
        long process = CpuClock.ProcessNanos();
        long begin = Stopwatch.GetTimestamp();
        start.SignalAndWait();
        foreach (Worker worker in workers) worker.Join();
        double wall = Stopwatch.GetElapsedTime(begin).TotalNanoseconds;
        process = CpuClock.ProcessNanos() - process;
        collections = GC.CollectionCount(0) - collections;
        double operations = workers.Sum(worker => worker.Operations);
        double nanos = workers.Sum(worker => worker.Nanos);
        return new PassResult(
            (side.CountsProcess ? process : nanos) / operations, nanos / wall, wall / operations,
            workers.Sum(worker => worker.AllocatedBytes), collections);
    }

    /// <summary>One pass of one side.</summary>
    /// <param name="Nanos">Processor time an operation.</param>
    /// <param name="Cores">Processor time of the threads a unit of time.</param>
    /// <param name="WallNanos">Time an operation, all threads together.</param>
    /// <param name="AllocatedBytes">Managed bytes that its threads allocated.</param>
    /// <param name="Collections">Garbage collections during it.</param>
    internal sealed record PassResult(
        double Nanos, double Cores, double WallNanos, long AllocatedBytes, int Collections);

    private sealed class Worker
    {
        private readonly Thread _thread;
        private Exception? _failure;

        internal Worker(Side side, int number, Barrier start)
        {
            _thread = new Thread(() =>
            {
                start.SignalAndWait();
                try
                {
                    long allocated = GC.GetAllocatedBytesForCurrentThread();
                    long nanos = CpuClock.ThreadNanos();
                    Operations = side.Pass(number);
                    Nanos = CpuClock.ThreadNanos() - nanos;
                    AllocatedBytes = GC.GetAllocatedBytesForCurrentThread() - allocated;
                }
                // Whatever a pass throws belongs to whoever waits for it.
                catch (Exception failure)
                {
                    _failure = failure;
                }
            });
            _thread.Start();
        }

        internal long Operations { get; private set; }

        internal long Nanos { get; private set; }

        internal long AllocatedBytes { get; private set; }

        internal void Join()
        {
            _thread.Join();
            if (_failure is not null) throw new InvalidOperationException(_failure.Message, _failure);
        }
    }
}
