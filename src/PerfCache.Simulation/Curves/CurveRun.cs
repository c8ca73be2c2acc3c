// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Curves;

/// <summary>
/// Makes the miss ratio curves of a trace.
/// <para>
/// One pass makes the LRU curves, exact and sampled, picks the samples for other policies, and counts the distinct
/// pages, from which the sizes follow. Other policies are then swept: replayed at every size, over the trace, or in
/// miniature over the sample. A trace that can be read once only is held in memory for a sweep.
/// </para>
/// <para>
/// The LRU curve is the textbook's: every request is a use. A replay of lru counts the same misses for traces without
/// files; where a trace has several, it does not take a repeated read through one file for a second use.
/// </para>
/// </summary>
public static class CurveRun
{
    /// <summary>Makes the curves.</summary>
    /// <param name="source">The trace.</param>
    /// <param name="options">Policies, sizes and sampling.</param>
    /// <param name="progress">Called after every block.</param>
    /// <param name="cancellation">Stops between blocks.</param>
    /// <returns>A curve for each policy, in this order. After a cancellation those that have begun, marked as not
    /// complete; none if no request was read.</returns>
    /// <exception cref="TraceFormatException">The trace is not what its format promises.</exception>
    /// <exception cref="FormatException">A policy, or one of its parameters, is not known, or cannot be sampled as
    /// asked.</exception>
    public static IReadOnlyList<MissRatioCurve> Run(ITraceSource source, CurveOptions options,
        Action<ReplayProgress>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Policies.Count == 0) throw new ArgumentException("no policy", nameof(options));
        Check(options);
        using CurveSession session = new(source, options, progress, cancellation);
        return session.Run();
    }

    /// <summary>Finds policies that cannot be had as asked, before any work.</summary>
    /// <exception cref="FormatException">There is one.</exception>
    public static void Check(CurveOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        foreach (PolicySpec policy in options.Policies)
        {
            options.Catalog.Check(policy);
            if (options.SampleSize is not null && policy.Name != CurveSession.Lru)
            {
                throw new FormatException($"policy '{policy.Text}': only lru can be sampled with a fixed number of pages; "
                    + "give a rate alone");
            }
        }
    }
}

/// <summary>The state of one run.</summary>
internal sealed class CurveSession(ITraceSource source, CurveOptions options, Action<ReplayProgress>? progress,
    CancellationToken cancellation) : IDisposable
{
    /// <summary>The policy that needs no sweep.</summary>
    public const string Lru = "lru";

    private readonly List<RequestTaker> _takers = [];
    private LruTaker? _exact;
    private LruTaker? _sampled;
    private HeldTrace? _sample;
    private HeldTrace? _held;
    private long _requests;
    private long _readTicks;

    public List<MissRatioCurve> Run()
    {
        ReadOnce();
        if (_requests == 0) return [];
        LruTaker counter = _sampled ?? _exact!;
        IReadOnlyList<long> sizes = CurveSizes.Of(options, counter.DistinctPages, counter.Rate);
        MissRatioCurve?[] curves = new MissRatioCurve?[options.Policies.Count];
        for (int i = 0; i < curves.Length; i++)
        {
            if (options.Policies[i].Name != Lru) continue;
            curves[i] = LruCurve(counter, options.Policies[i], sizes);
            if (options is { IsSampled: true, Check: true })
                curves[i] = Checked(LruCurve(_exact!, options.Policies[i], sizes), curves[i]!);
        }

        PolicySpec[] swept = [.. options.Policies.Where(policy => policy.Name != Lru)];
        if (swept.Length > 0 && !cancellation.IsCancellationRequested)
        {
            List<MissRatioCurve> found = options.IsSampled ? [.. swept.Select(policy => Miniature(policy, sizes))]
                : Sweep(swept, sizes);
            if (options is { IsSampled: true, Check: true } && !cancellation.IsCancellationRequested)
            {
                List<MissRatioCurve> exact = Sweep(swept, sizes);
                for (int i = 0; i < exact.Count && exact[i].Complete; i++)
                    found[i] = Checked(exact[i], found[i]);
            }

            for (int i = 0, next = 0; i < curves.Length && next < found.Count; i++)
                curves[i] ??= found[next++];
        }

        return [.. curves.OfType<MissRatioCurve>()];
    }

    public void Dispose()
    {
        foreach (RequestTaker taker in _takers) taker.Dispose();
    }

    private void ReadOnce()
    {
        using ITraceReader reader = source.Open();
        bool hasFiles = reader.Columns.HasFlag(TraceColumns.File);
        MakeTakers(hasFiles);
        TraceBlock block = new(hasFiles ? TraceColumns.File : TraceColumns.None);
        while (!cancellation.IsCancellationRequested && _requests < options.Limit)
        {
            long start = Stopwatch.GetTimestamp();
            bool hasMore = reader.Read(block);
            _readTicks += Stopwatch.GetTimestamp() - start;
            if (!hasMore) break;
            int count = (int)Math.Min(block.Count, options.Limit - _requests);
            Take(block.Ids.AsSpan(0, count), hasFiles ? block.Files.AsSpan(0, count) : default);
            _requests += count;
            double ofLimit = options.Limit == long.MaxValue ? 0 : (double)_requests / options.Limit;
            bool isKnown = reader.Progress >= 0 || options.Limit != long.MaxValue;
            progress?.Invoke(new(reader.Name, false, isKnown ? Math.Max(ofLimit, reader.Progress) : -1, _requests));
        }
    }

    private void Take(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files)
    {
        try
        {
            foreach (RequestTaker taker in _takers)
            {
                long start = Stopwatch.GetTimestamp();
                taker.Add(ids, files);
                taker.Ticks += Stopwatch.GetTimestamp() - start;
            }
        }
        catch (OverflowException e)
        {
            throw new TraceFormatException($"{source.Name}: {e.Message}", e);
        }
    }

    private void MakeTakers(bool hasFiles)
    {
        double rate = options.SampleRate ?? 1;
        bool sweepsTrace = options.Policies.Any(policy => policy.Name != Lru) && (!options.IsSampled || options.Check);
        if (!options.IsSampled || (options.Check && options.Policies.Any(policy => policy.Name == Lru)))
            _takers.Add(_exact = new StackLru(hasFiles));
        if (options.IsSampled)
        {
            SpatialFilter filter = new(rate, options.Seed);
            _takers.Add(_sampled = options.SampleSize is int size
                ? new FixedSizeLru(hasFiles, size, filter) : new StackLru(hasFiles, filter));
            if (options.Policies.Any(policy => policy.Name != Lru))
                _takers.Add(_sample = new HeldTrace(source.Name, hasFiles, new SpatialFilter(rate, options.Seed)));
        }

        if (sweepsTrace && !source.CanReopen) _takers.Add(_held = new HeldTrace(source.Name, hasFiles));
    }

    private static MissRatioCurve Checked(MissRatioCurve exact, MissRatioCurve sampled) =>
        sampled with { Check = CurveError.Between(exact, sampled) };

    private MissRatioCurve LruCurve(LruTaker taker, PolicySpec policy, IReadOnlyList<long> sizes) =>
        new()
        {
            Trace = source.Name,
            Policy = policy.Text,
            Requests = _requests,
            DistinctPages = taker.DistinctPages,
            SampleRate = taker.Rate,
            SampledRequests = taker.SampledRequests,
            Points = PointsOf(taker, sizes),
            Steps = PointsOf(taker, CurveSizes.Fine(sizes)),
            Seconds = (double)taker.Ticks / Stopwatch.Frequency,
            ReadSeconds = (double)_readTicks / Stopwatch.Frequency,
            Bytes = taker.Bytes,
            Complete = !cancellation.IsCancellationRequested,
        };

    private CurvePoint[] PointsOf(LruTaker taker, IReadOnlyList<long> sizes) =>
        [.. sizes.Zip(taker.Misses(sizes), (frames, misses) => Point(frames, misses, _requests))];

    private static CurvePoint Point(long frames, double misses, double requests)
    {
        // Rounded first, so that the ratio is that of the misses told.
        long whole = (long)Math.Round(misses);
        return new CurvePoint(frames, whole, requests == 0 ? 0 : whole / requests);
    }

    private List<MissRatioCurve> Sweep(IReadOnlyList<PolicySpec> policies, IReadOnlyList<long> sizes)
    {
        ReplayOptions replay = new()
        {
            Policies = policies,
            Catalog = options.Catalog,
            Sizes = [.. sizes.Select(CacheSize.OfFrames)],
            Limit = options.Limit,
            Jobs = options.Jobs,
        };
        IReadOnlyList<ReplayResult> results = TraceReplay.Run(_held ?? source, replay, progress, cancellation);
        return [.. results.Chunk(sizes.Count).Select(cells => CurveOf(
            cells, cells[0].Policy, cells[0].Requests, cells[0].CompulsoryMisses, 1,
            cells.Select(cell => Point(cell.Frames, cell.Misses, cell.Requests))))];
    }

    /// <summary>
    /// Replays the sample in miniature caches. As with <see cref="StackLru"/> misses are divided by the requests that a
    /// sample of this rate was expected to have.
    /// </summary>
    private MissRatioCurve Miniature(PolicySpec policy, IReadOnlyList<long> sizes)
    {
        HeldTrace sample = _sample!;
        double rate = sample.Rate;
        long[] frames = [.. sizes.Select(size => MiniaturePolicy.Frames(size, rate))];
        ReplayOptions replay = new()
        {
            Policies = [MiniaturePolicy.Of(policy, rate)],
            Catalog = options.Catalog,
            Sizes = [.. frames.Distinct().Select(CacheSize.OfFrames)],
            Jobs = options.Jobs,
        };
        IReadOnlyList<ReplayResult> results = sample.HeldRequests == 0 ? []
            : TraceReplay.Run(sample, replay, progress: null, cancellation);
        Dictionary<long, ReplayResult> cells = results.ToDictionary(result => result.Frames);
        double scale = 1 / rate;
        IEnumerable<CurvePoint> points = sizes.Zip(frames, (size, miniature) => Point(size,
            cells.TryGetValue(miniature, out ReplayResult? cell) ? Math.Min(cell.Misses * scale, _requests) : 0, _requests));
        long distinct = results.Count == 0 ? 0 : results[0].CompulsoryMisses;
        return CurveOf(results, policy.Text, _requests, (long)Math.Round(distinct / rate), rate, points) with
        {
            SampledRequests = sample.HeldRequests,
            Complete = results.All(result => result.Complete) && !cancellation.IsCancellationRequested,
        };
    }

    private MissRatioCurve CurveOf(IReadOnlyList<ReplayResult> cells, string policy, long requests, long distinct,
        double rate, IEnumerable<CurvePoint> points)
    {
        CurvePoint[] all = [.. points];
        return new MissRatioCurve
        {
            Trace = source.Name,
            Policy = policy,
            Requests = requests,
            DistinctPages = distinct,
            SampleRate = rate,
            SampledRequests = requests,
            Points = all,
            Steps = all,
            Seconds = cells.Sum(cell => cell.Seconds),
            ReadSeconds = (double)_readTicks / Stopwatch.Frequency,
            Bytes = cells.Sum(cell => cell.NativeBytes),
            Complete = cells.All(cell => cell.Complete),
        };
    }
}
