// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Text;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// Replays one trace through every policy at every size.
/// <para>
/// Sizes in frames need one pass over the trace. Sizes in percent need two: the first counts the distinct
/// pages and keeps the id maps, the second replays. A trace that cannot be opened twice (standard input) is
/// held in memory between the two, as page numbers: 4 bytes a request and numbering, 4 more where the trace
/// has files. So is one that is replayed with a policy that knows the future, with 4 more for that.
/// </para>
/// </summary>
public static class TraceReplay
{
    /// <summary>Replays a trace.</summary>
    /// <param name="source">The trace.</param>
    /// <param name="options">Policies, sizes and limits.</param>
    /// <param name="progress">Called after every block, by one thread at a time but not always the
    /// same.</param>
    /// <param name="cancellation">Stops between blocks.</param>
    /// <returns>A result for each policy and size, in this order. After a cancellation they are marked as not
    /// complete and cover the requests until then; there are none if no request was replayed.</returns>
    /// <exception cref="TraceFormatException">The trace is not what its format promises.</exception>
    /// <exception cref="FormatException">A policy or one of its parameters is not known.</exception>
    public static IReadOnlyList<ReplayResult> Run(ITraceSource source, ReplayOptions options,
        Action<ReplayProgress>? progress, CancellationToken cancellation) =>
        Run(source, options, CellFactory.Of(options?.Catalog ?? PolicyCatalog.BuiltIn), progress, cancellation);

    /// <summary>As the other, with cells from somewhere else.</summary>
    internal static IReadOnlyList<ReplayResult> Run(ITraceSource source, ReplayOptions options,
        CellFactory factory, Action<ReplayProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        int cellCount = options.Policies.Count * options.Sizes.Count;
        if (cellCount == 0) throw new ArgumentException("no policy or no size", nameof(options));
        if (cellCount > 1 && (options.Outcomes ?? options.Resident) is not null)
            throw new ArgumentException("outcomes and resident pages need one policy and one size", nameof(options));

        Session session = new(source, options, factory, progress, cancellation);
        try
        {
            return session.Run();
        }
        finally
        {
            session.Dispose();
        }
    }

    /// <summary>The state of one run.</summary>
    private sealed class Session(ITraceSource source, ReplayOptions options, CellFactory factory,
        Action<ReplayProgress>? progress, CancellationToken cancellation) : IDisposable
    {
        private readonly List<ReplayLane> _lanes = [];
        private ReplayMaps? _maps;
        private long _readTicks;
        private long _warmupRequests;

        public List<ReplayResult> Run()
        {
            List<ReplayBlock>? held = null;
            bool needsNextUses = options.Policies.Any(factory.NeedsNextUses);
            _warmupRequests = options.Warmup.Requests;
            if (needsNextUses || options.Warmup.Fraction > 0 || options.Sizes.Any(size => size.IsPercentage))
            {
                if (needsNextUses || !source.CanReopen) held = [];
                if (!CountPages(held)) return [];
            }

            if (needsNextUses) FillNextUses(held!);

            bool complete;
            if (held is not null)
            {
                MakeCells();
                WarmupCounter warmup = new(_warmupRequests);
                foreach (ReplayBlock block in held) warmup.Mark(block);
                complete = new ReplayPipeline(new HeldFeed(source.Name, held, progress), _lanes)
                    .Run(options.Jobs, cancellation);
            }
            else
            {
                complete = ReadAndReplay();
            }

            if (_lanes[0].Requests == 0)
            {
                if (!complete) return [];
                if (_lanes[0].WarmupRequests > 0) throw AllWarmup(_lanes[0].WarmupRequests);
            }

            if (complete) WriteFiles();
            return _lanes.ConvertAll(lane => ResultOf(lane, complete));
        }

        /// <summary>
        /// The first pass: fills the maps, and holds the blocks if there is a list for them.
        /// </summary>
        private bool CountPages(List<ReplayBlock>? held)
        {
            using ITraceReader reader = source.Open();
            ReaderFeed feed = new(reader, MapsFor(reader), options.Limit, counting: true, progress);
            ReplayBlock? block = null;
            while (!cancellation.IsCancellationRequested)
            {
                block = feed.Next(held is null ? block : null);
                if (block is null) break;
                held?.Add(block);
            }

            _readTicks += feed.Ticks;
            _warmupRequests = options.Warmup.Of(feed.Requests);
            return !cancellation.IsCancellationRequested;
        }

        private void FillNextUses(List<ReplayBlock> held)
        {
            long start = Stopwatch.GetTimestamp();
            try
            {
                ReplayBlock.FillNextUses(held, _maps!.DistinctPages);
            }
            catch (OverflowException e)
            {
                throw new TraceFormatException($"{source.Name}: {e.Message}", e);
            }

            _readTicks += Stopwatch.GetTimestamp() - start;
        }

        private bool ReadAndReplay()
        {
            using ITraceReader reader = source.Open();
            ReaderFeed feed = new(
                reader, MapsFor(reader), options.Limit, counting: false, progress, warmup: _warmupRequests);
            MakeCells();
            _maps!.RestartCounting();
            bool complete = new ReplayPipeline(feed, _lanes).Run(options.Jobs, cancellation);
            _readTicks += feed.Ticks;
            return complete;
        }

        private ReplayMaps MapsFor(ITraceReader reader)
        {
            if (_maps is not null) return _maps;
            HashSet<PageNumbering> numberings = [.. options.Policies.Select(factory.Numbering)];
            return _maps = new ReplayMaps(reader.Columns.HasFlag(TraceColumns.File),
                numberings.Contains(PageNumbering.Dense), numberings.Contains(PageNumbering.PerLeaf),
                reader.Columns.HasFlag(TraceColumns.Size));
        }

        private void MakeCells()
        {
            foreach (PolicySpec policy in options.Policies)
            {
                foreach (CacheSize size in options.Sizes)
                {
                    ReplayCell cell = factory.Create(policy, size.FramesFor(_maps!.DistinctPages));
                    MissTimeline? timeline = options.KeepTimeline ? new() : null;
                    _lanes.Add(new ReplayLane(cell, options.Outcomes?.Stream, timeline));
                }
            }
        }

        private ReplayResult ResultOf(ReplayLane lane, bool complete)
        {
            ReplayCounts counts = lane.Counts;
            long distinct = lane.NewPages;
            bool hasSizes = _maps!.HasSizes;
            long refaults = lane.Cell.CountsRefaults ? counts.Refaults : counts.Misses - distinct;
            return new ReplayResult
            {
                Trace = source.Name,
                Policy = lane.Cell.Policy,
                Frames = lane.Cell.Frames,
                Requests = lane.Requests,
                WarmupRequests = lane.WarmupRequests,
                Misses = counts.Misses,
                DistinctPages = lane.DistinctPages,
                CompulsoryMisses = distinct,
                ColdMisses = counts.Misses - refaults,
                Refaults = refaults,
                Activations = counts.Activations,
                Deactivations = counts.Deactivations,
                Evictions = counts.Evictions,
                RequestedBytes = hasSizes ? lane.RequestedBytes : null,
                MissedBytes = hasSizes ? lane.MissedBytes : null,
                Timeline = lane.Timeline,
                Seconds = (double)lane.Ticks / Stopwatch.Frequency,
                ReadSeconds = (double)_readTicks / Stopwatch.Frequency,
                NativeBytes = lane.Cell.NativeBytes,
                MapBytes = _maps![lane.Cell.Numbering].Bytes,
                ShadowBytes = lane.Cell.ShadowBytes,
                Complete = complete,
            };
        }

        private TraceFormatException AllWarmup(long requests) => new(
            $"{source.Name}: the warm-up takes all {requests} requests and nothing is left to count; make it shorter");

        private void WriteFiles()
        {
            options.Outcomes?.Commit();
            if (options.Resident is null) return;
            ReplayCell cell = _lanes[0].Cell;
            IdMap map = _maps![cell.Numbering];
            UTF8Encoding encoding = new(encoderShouldEmitUTF8Identifier: false);
            using (StreamWriter writer = new(options.Resident.Stream, encoding, 64 * 1024, leaveOpen: true))
            {
                writer.NewLine = "\n";
                cell.VisitResident(page =>
                {
                    (int file, ulong id) = map.PageOf(page);
                    writer.WriteLine(source.FormatPage(file, id));
                });
            }

            options.Resident.Commit();
        }

        public void Dispose()
        {
            foreach (ReplayLane lane in _lanes) lane.Cell.Dispose();
            _maps?.Dispose();
        }
    }
}
