// SPDX-License-Identifier: MIT
using System.Numerics;
using PerfCache.Simulation.Replay;
using PerfCache.Simulation.Traces;

namespace PerfCache.Simulation.Conversion;

/// <summary>What a trace holds: how many requests and pages, and the range of everything that it tells.</summary>
/// <remarks>
/// One pass. A page is a file and an id, as in a replay. Remembered are the id map (at most 32 bytes a page) and one bit a
/// page. What the trace does not tell is null.
/// </remarks>
public sealed record TraceSummary
{
    private TraceSummary()
    {
    }

    /// <summary>The trace, as the user named it.</summary>
    public required string Trace { get; init; }

    /// <summary>The format that was read, or the generator's name.</summary>
    public required string Format { get; init; }

    /// <summary>The optional columns that the trace has.</summary>
    public required TraceColumns Columns { get; init; }

    /// <summary>Requests.</summary>
    public long Requests { get; private set; }

    /// <summary>Distinct pages: the misses of a cache that holds everything.</summary>
    public long DistinctPages { get; private set; }

    /// <summary>Pages with one request: no cache has a hit on them.</summary>
    public long PagesRequestedOnce { get; private set; }

    /// <summary>Files that requests name; null where the trace has none.</summary>
    public int? Files { get; private set; }

    /// <summary>The smallest id.</summary>
    public ulong SmallestId { get; private set; } = ulong.MaxValue;

    /// <summary>The largest id.</summary>
    public ulong LargestId { get; private set; }

    /// <summary>Requests that write.</summary>
    public long? Writes { get; private set; }

    /// <summary>The sizes of all requests together, in bytes.</summary>
    public long? RequestedBytes { get; private set; }

    /// <summary>The smallest size, in bytes.</summary>
    public uint? SmallestBytes { get; private set; }

    /// <summary>The largest size, in bytes; sizes of 4 GiB and more count as one byte less than that.</summary>
    public uint? LargestBytes { get; private set; }

    /// <summary>The earliest time, in the trace's own unit.</summary>
    public long? FirstTime { get; private set; }

    /// <summary>The latest time.</summary>
    public long? LastTime { get; private set; }

    /// <summary>False when it was stopped before the end.</summary>
    public bool Complete { get; private set; } = true;

    /// <summary>Reads a trace.</summary>
    /// <param name="source">The trace.</param>
    /// <param name="limit">The requests to read at most.</param>
    /// <param name="progress">Told after each block; null for nobody.</param>
    /// <param name="cancellation">Ends the reading; the summary is of what was read.</param>
    /// <exception cref="TraceFormatException">The input is not what its format promises.</exception>
    public static TraceSummary Read(
        ITraceSource source, long limit = long.MaxValue, Action<ReplayProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        using ITraceReader reader = source.Open();
        TraceColumns columns = reader.Columns & ~TraceColumns.Notes;
        TraceSummary summary = new() { Trace = reader.Name, Format = reader.Format, Columns = columns };
        bool hasFiles = columns.HasFlag(TraceColumns.File);
        TraceBlock block = new(columns & ~TraceColumns.Next);
        using PageCounter pages = new(hasFiles, block.Capacity);
        while (summary.Requests < limit && reader.Read(block))
        {
            block.Count = (int)Math.Min(block.Count, limit - summary.Requests);
            pages.Count(block);
            summary.Add(block);
            progress?.Invoke(new ReplayProgress(reader.Name, Counting: true, reader.Progress, summary.Requests));
            if (!cancellation.IsCancellationRequested) continue;
            summary.Complete = false;
            break;
        }

        summary.DistinctPages = pages.Distinct;
        summary.PagesRequestedOnce = pages.Distinct - pages.RequestedAgain;
        if (hasFiles) summary.Files = pages.Files;
        if (summary.Requests == 0) summary.SmallestId = 0;
        return summary;
    }

    private void Add(TraceBlock block)
    {
        int count = block.Count;
        if (count == 0) return;
        Requests += count;
        foreach (ulong id in block.Ids.AsSpan(0, count))
        {
            SmallestId = Math.Min(SmallestId, id);
            LargestId = Math.Max(LargestId, id);
        }

        if (block.Writes.Length > 0) Writes = (Writes ?? 0) + block.Writes.AsSpan(0, count).Count(true);
        if (block.Sizes.Length > 0) AddSizes(block.Sizes.AsSpan(0, count));
        if (block.Times.Length == 0) return;
        foreach (long time in block.Times.AsSpan(0, count))
        {
            FirstTime = Math.Min(FirstTime ?? time, time);
            LastTime = Math.Max(LastTime ?? time, time);
        }
    }

    private void AddSizes(ReadOnlySpan<uint> sizes)
    {
        long sum = RequestedBytes ?? 0;
        foreach (uint size in sizes)
        {
            sum += size;
            SmallestBytes = Math.Min(SmallestBytes ?? size, size);
            LargestBytes = Math.Max(LargestBytes ?? size, size);
        }

        RequestedBytes = sum;
    }

    /// <summary>Counts distinct pages, those that come again, and files.</summary>
    private sealed class PageCounter(bool hasFiles, int capacity) : IDisposable
    {
        private const int BitsPerWord = 64;

        private readonly IdMap _map = new(PageNumbering.Dense, hasFiles);
        private readonly uint[] _numbers = new uint[capacity];
        private readonly HashSet<int> _files = [];
        private ulong[] _again = [];

        internal long Distinct { get; private set; }

        internal int Files => _files.Count;

        internal long RequestedAgain => _again.Sum(word => (long)BitOperations.PopCount(word));

        internal void Count(TraceBlock block)
        {
            ReadOnlySpan<int> files = hasFiles ? block.Files.AsSpan(0, block.Count) : default;
            _map.Map(block.Ids.AsSpan(0, block.Count), files, _numbers);
            foreach (int file in files) _files.Add(file);
            long words = (_map.Pages + BitsPerWord - 1) / BitsPerWord;
            if (words > _again.Length) Array.Resize(ref _again, (int)Math.Max(words, 2L * _again.Length));
            // Numbers are given in the order of first requests, so a new page has the next one.
            foreach (uint number in _numbers.AsSpan(0, block.Count))
            {
                if (number == Distinct) Distinct++;
                else _again[number / BitsPerWord] |= 1UL << (int)(number % BitsPerWord);
            }
        }

        public void Dispose() => _map.Dispose();
    }
}
