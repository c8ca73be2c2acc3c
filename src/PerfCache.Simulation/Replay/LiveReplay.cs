// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Cache;
using PerfCache.Cache.Sources;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// Replays one trace against the cache with page data, at every size with every policy: what a program that embeds the
/// cache would see, in requests a second and latencies.
/// </summary>
/// <remarks>
/// Cells run one after another, each alone, and the trace is read again for each; one that cannot be opened again is
/// held in memory as <see cref="TraceReplay"/> holds it. Reading and serving alternate in rounds
/// (<see cref="LiveRounds"/>), and only serving is timed.
/// <para>
/// With one thread that reclaims for itself (<see cref="LiveOptions.BackgroundReclaim"/> false) every request finds what
/// it finds in <see cref="TraceReplay"/>. Otherwise the threads decide who comes first, and the counts vary with them.
/// </para>
/// </remarks>
public static class LiveReplay
{
    /// <summary>One hit in so many is timed.</summary>
    public const int HitsPerSample = LiveThread.HitsPerSample;

    /// <summary>Replays a trace.</summary>
    /// <param name="source">The trace.</param>
    /// <param name="options">Policies, sizes and limits; without files for outcomes or resident pages.</param>
    /// <param name="live">Threads, reclaim and where pages come from.</param>
    /// <param name="progress">Called now and then, by one thread at a time but not always the same.</param>
    /// <param name="cancellation">Stops between blocks of requests.</param>
    /// <returns>A result for each policy and size. After a cancellation only those that were begun; the last is marked
    /// as not complete.</returns>
    /// <exception cref="TraceFormatException">The trace is not what its format promises, or a size is too small for
    /// it.</exception>
    /// <exception cref="FormatException">A policy cannot run live.</exception>
    /// <exception cref="IOException">The backing file cannot be read.</exception>
    /// <exception cref="InvalidDataException">A page had wrong bytes (<see cref="LiveOptions.Verify"/>).</exception>
    public static IReadOnlyList<ReplayResult> Run(ITraceSource source, ReplayOptions options, LiveOptions live,
        Action<ReplayProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(live);
        live.Check();
        if ((options.Outcomes ?? options.Resident) is not null)
            throw new ArgumentException("a live replay writes neither outcomes nor resident pages", nameof(options));
        foreach (PolicySpec policy in options.Policies) options.Catalog.CheckLive(policy);
        using FilePageSource? file = live.BackingPath is null ? null : Open(live);
        using Session session = new(source, options, live, file, progress, cancellation);
        return session.Run();
    }

    /// <summary>Opens the backing file as a live replay does.</summary>
    /// <exception cref="IOException">It cannot be opened as asked, or has no pages.</exception>
    public static FilePageSource Open(LiveOptions live)
    {
        ArgumentNullException.ThrowIfNull(live);
        FilePageSource file = FilePageSource.Open(live.BackingPath!, new FilePageSourceOptions
        {
            PageBytes = live.PageBytes,
            ReadOnly = true,
            DirectIo = live.DirectIo ? DirectIo.Required : DirectIo.Off,
            KernelReadahead = false,
        });
        if (file.PageCount > 0) return file;
        file.Dispose();
        throw new IOException($"'{live.BackingPath}' is empty; name a file that has pages to read");
    }

    /// <summary>The state of one run.</summary>
    private sealed class Session(ITraceSource source, ReplayOptions options, LiveOptions live, FilePageSource? file,
        Action<ReplayProgress>? progress, CancellationToken cancellation) : IDisposable
    {
        private readonly List<ReplayResult> _results = [];
        private readonly int _cellCount = options.Policies.Count * options.Sizes.Count;
        private ReplayMaps? _maps;
        private List<ReplayBlock>? _held;
        private long _readTicks;

        public List<ReplayResult> Run()
        {
            bool hasPercentages = options.Sizes.Any(size => size.IsPercentage);
            if (!source.CanReopen && (hasPercentages || _cellCount > 1)) _held = [];
            if ((hasPercentages || _held is not null) && !CountPages()) return [];
            foreach (CacheSize size in options.Sizes) FramesOf(size);
            foreach (PolicySpec policy in options.Policies)
            {
                foreach (CacheSize size in options.Sizes)
                    if (!RunCell(policy, FramesOf(size))) return _results;
            }

            return _results;
        }

        /// <summary>The first pass: fills the maps, and holds the blocks if they must be.</summary>
        private bool CountPages()
        {
            using ITraceReader reader = source.Open();
            ReaderFeed feed = new(
                reader, MapsFor(reader), options.Limit, counting: true, progress, LiveRounds.BlockLength);
            ReplayBlock? block = null;
            while (!cancellation.IsCancellationRequested)
            {
                block = feed.Next(_held is null ? block : null);
                if (block is null) break;
                _held?.Add(block);
            }

            _readTicks += feed.Ticks;
            return !cancellation.IsCancellationRequested;
        }

        /// <returns>False when cancelled.</returns>
        private bool RunCell(PolicySpec policy, uint frames)
        {
            using LiveCell cell = LiveCell.Create(options.Catalog.CheckLive(policy), policy, frames, live, file);
            using LiveRounds rounds = new(cell, live.Threads, cancellation);
            bool complete;
            if (_held is not null)
            {
                ReplayProgress read = default;
                complete = ServeAll(rounds, new HeldFeed(source.Name, _held, made => read = made), () => read);
            }
            else
            {
                using ITraceReader reader = source.Open();
                ReplayProgress read = default;
                ReplayMaps maps = MapsFor(reader);
                maps.RestartCounting();
                ReaderFeed feed = new(
                    reader, maps, options.Limit, counting: false, made => read = made, LiveRounds.BlockLength);
                complete = ServeAll(rounds, feed, () => read);
                _readTicks += feed.Ticks;
            }

            if (complete || rounds.Parts.Any(part => part.Requests > 0))
                _results.Add(ResultOf(policy, frames, cell, rounds, complete));
            return complete;
        }

        private bool ServeAll(LiveRounds rounds, IReplayFeed feed, Func<ReplayProgress> readSoFar)
        {
            List<ReplayBlock> round = [];
            Stack<ReplayBlock> recycled = [];
            ReplayProgress before = new(source.Name, false, 0, 0);
            while (true)
            {
                if (_held is null) round.ForEach(recycled.Push);
                round.Clear();
                while (round.Count < LiveRounds.BlockCountMax)
                {
                    ReplayBlock? block = feed.Next(recycled.TryPop(out ReplayBlock? used) ? used : null);
                    if (block is null) break;
                    round.Add(block);
                }

                if (round.Count == 0) return true;
                ReplayProgress after = readSoFar();
                if (!rounds.Serve(round, part => Report(before, after, part))) return false;
                Report(before, after, 1);
                before = after;
            }
        }

        /// <summary>Tells how far all cells are: of this one, between two readings.</summary>
        private void Report(ReplayProgress before, ReplayProgress after, double part)
        {
            if (progress is null) return;
            double fraction = after.Fraction < 0 ? -1
                : (_results.Count + before.Fraction + ((after.Fraction - before.Fraction) * part)) / _cellCount;
            long requests = before.Requests + (long)((after.Requests - before.Requests) * part);
            progress(new(source.Name, false, fraction, requests + _results.Sum(result => result.Requests)));
        }

        private uint FramesOf(CacheSize size)
        {
            long frames = size.FramesFor(size.IsPercentage ? _maps!.DistinctPages : 0);
            if (frames < PageCacheOptions.PagesMin)
            {
                throw new TraceFormatException(
                    $"{source.Name}: a size of {size} is {frames} frames, and the cache with page data has at least "
                    + $"{PageCacheOptions.PagesMin}: give a larger --size, or --frames");
            }

            long bytes = frames * live.PageBytes;
            long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            if (bytes <= available) return (uint)frames;
            throw new InsufficientMemoryException(
                $"{frames} frames of {live.PageBytes} bytes are {bytes >> 20} MiB, and the machine has "
                + $"{available >> 20}; give a smaller size");
        }

        private ReplayMaps MapsFor(ITraceReader reader)
        {
            if (_maps is not null) return _maps;
            HashSet<PageNumbering> numberings = [.. options.Policies.Select(options.Catalog.Numbering)];
            return _maps = new ReplayMaps(reader.Columns.HasFlag(TraceColumns.File),
                numberings.Contains(PageNumbering.Dense), numberings.Contains(PageNumbering.PerLeaf));
        }

        private ReplayResult ResultOf(PolicySpec policy, uint frames, LiveCell cell, LiveRounds rounds, bool complete)
        {
            LatencyHistogram hits = new();
            LatencyHistogram misses = new();
            ulong checksum = 0;
            foreach (LiveThread part in rounds.Parts)
            {
                hits.Add(part.Hits);
                misses.Add(part.Misses);
                checksum += part.Checksum;
            }

            PageCacheStatistics counts = cell.Statistics;
            long refaults = cell.Numbering == PageNumbering.PerLeaf
                ? counts.Refaults : misses.Count - rounds.DistinctPages;
            return new ReplayResult
            {
                Trace = source.Name,
                Policy = policy.Text,
                Frames = frames,
                Requests = rounds.Parts.Sum(part => part.Requests),
                Misses = misses.Count,
                DistinctPages = rounds.DistinctPages,
                CompulsoryMisses = rounds.DistinctPages,
                ColdMisses = misses.Count - refaults,
                Refaults = refaults,
                Activations = counts.Activations,
                Deactivations = counts.Deactivations,
                Evictions = counts.Evictions,
                Seconds = (double)rounds.Ticks / Stopwatch.Frequency,
                ReadSeconds = (double)_readTicks / Stopwatch.Frequency,
                NativeBytes = cell.UsedBytes,
                MapBytes = _maps![cell.Numbering].Bytes,
                Complete = complete,
                Live = new LiveMeasures
                {
                    Threads = live.Threads,
                    BackgroundReclaim = live.BackgroundReclaim,
                    PageBytes = live.PageBytes,
                    Hits = hits,
                    Misses = misses,
                    LockWaits = counts.LockWaits,
                    Checksum = checksum,
                },
            };
        }

        public void Dispose() => _maps?.Dispose();
    }
}
