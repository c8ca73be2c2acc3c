// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Curves;

/// <summary>Takes the requests of a trace once, in order, and keeps what it needs of them.</summary>
internal abstract class RequestTaker : IDisposable
{
    /// <summary>Requests taken, whether or not they are in a sample.</summary>
    public long Requests { get; private protected set; }

    /// <summary>Ticks of the stopwatch spent here; kept by whoever feeds.</summary>
    public long Ticks { get; set; }

    /// <summary>Takes the next requests, at most a block's.</summary>
    /// <param name="ids">Page ids as recorded.</param>
    /// <param name="files">The file numbers, or empty where the trace has none.</param>
    public abstract void Add(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files);

    /// <summary>Gives the memory back.</summary>
    public abstract void Dispose();
}

/// <summary>A taker from which the LRU curve comes.</summary>
internal abstract class LruTaker : RequestTaker
{
    /// <summary>The part of the pages that was looked at.</summary>
    public virtual double Rate => 1;

    /// <summary>The requests looked at.</summary>
    public abstract long SampledRequests { get; }

    /// <summary>The pages held at the end.</summary>
    public abstract long SampledPages { get; }

    /// <summary>The distinct pages of the trace: counted, or estimated from the sample.</summary>
    public long DistinctPages => (long)Math.Round(SampledPages / Rate);

    /// <summary>Bytes in use, native and managed.</summary>
    public abstract long Bytes { get; }

    /// <summary>The misses of caches of ascending sizes: exact, or estimated from the sample.</summary>
    public abstract double[] Misses(IReadOnlyList<long> frames);
}

/// <summary>
/// The LRU curve by stack distances, of all pages or of a fixed part of them.
/// <para>
/// With a rate R below 1 this is SHARDS with a fixed rate. Among the pages of the sample, distance d means d - 1 others
/// in between, which stand for (d - 1) / R to d / R of all pages: so a cache of c frames hits what lies within c R, and
/// the counts of one distance are taken to spread evenly over the range that it stands for.
/// </para>
/// <para>
/// Misses are divided by the requests that a sample of rate R was expected to have, not by those that it had. That is
/// the correction that its authors call SHARDS-adj: a hot page in the sample, or its absence, changes how many requests
/// the sample has by far more than how many of them miss, so the surplus (or lack) is counted as hits of distance 1.
/// </para>
/// </summary>
internal sealed class StackLru : LruTaker
{
    private readonly SpatialFilter? _filter;
    private readonly IdMap _map;
    private readonly StackDistances _stack = new();
    private readonly DistanceHistogram _histogram = new();
    private readonly ulong[] _picked;
    private readonly int[] _pickedFiles;
    private readonly uint[] _numbers = new uint[TraceBlock.DefaultCapacity];

    /// <summary>Makes a taker.</summary>
    /// <param name="hasFiles">Whether requests come with file numbers.</param>
    /// <param name="filter">What picks the sample; null to look at every request.</param>
    public StackLru(bool hasFiles, SpatialFilter? filter = null)
    {
        _filter = filter;
        _map = new IdMap(PageNumbering.Dense, hasFiles);
        _picked = filter is null ? [] : new ulong[TraceBlock.DefaultCapacity];
        _pickedFiles = filter is null || !hasFiles ? [] : new int[TraceBlock.DefaultCapacity];
    }

    public override double Rate => _filter?.Rate ?? 1;

    public override long SampledRequests => _histogram.Requests;

    public override long SampledPages => _stack.Pages;

    public override long Bytes => _map.Bytes + _stack.Bytes + _histogram.Bytes
        + (4L * _numbers.Length) + (8L * _picked.Length) + (4L * _pickedFiles.Length);

    public override void Add(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files)
    {
        Requests += ids.Length;
        if (_filter is not null)
        {
            int count = _filter.Pick(ids, files, _picked, _pickedFiles);
            ids = _picked.AsSpan(0, count);
            files = files.IsEmpty ? files : _pickedFiles.AsSpan(0, count);
        }

        Span<uint> numbers = _numbers.AsSpan(0, ids.Length);
        _map.Map(ids, files, numbers);
        AddNumbers(numbers);
    }

    /// <summary>
    /// Takes page numbers in place of ids and overwrites them: for requests that are numbered already, and no sample.
    /// </summary>
    public void AddNumbers(Span<uint> numbers)
    {
        // In pieces, so that the distances are near when they are counted.
        const int PieceLength = 1024;
        for (int start = 0; start < numbers.Length; start += PieceLength)
        {
            Span<uint> piece = numbers.Slice(start, Math.Min(PieceLength, numbers.Length - start));
            _stack.Measure(piece, piece);
            _histogram.Add(piece);
        }
    }

    public override double[] Misses(IReadOnlyList<long> frames)
    {
        double rate = Rate;
        double[] misses = _histogram.Within([.. frames.Select(size => size * rate)]);
        for (int i = 0; i < misses.Length; i++)
            misses[i] = Math.Clamp((_histogram.Requests - misses[i]) / rate, 0, Requests);
        return misses;
    }

    public override void Dispose()
    {
        _map.Dispose();
        _stack.Dispose();
        _histogram.Dispose();
    }
}
