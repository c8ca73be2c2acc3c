// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Traces;
using PerfCache.Simulation.Workloads;

namespace PerfCache.Simulation.Machines;

/// <summary>One I/O of a workload.</summary>
/// <param name="Page">The first page.</param>
/// <param name="Count">Neighbouring pages from there.</param>
/// <param name="IsWrite">True for a write.</param>
internal readonly record struct PageRequest(ulong Page, int Count, bool IsWrite);

/// <summary>Which pages a program reads and writes, one I/O after another; filebench's personalities, in short.</summary>
internal abstract class AccessPattern
{
    /// <summary>Pages of the file that it works on.</summary>
    internal abstract ulong PageCount { get; }

    internal abstract PageRequest Next(ref SeededRandom random);
}

/// <summary>Random reads, or reads and writes, all pages alike.</summary>
internal sealed class UniformPattern(ulong pages, double writeShare = 0) : AccessPattern
{
    internal override ulong PageCount => pages;

    internal override PageRequest Next(ref SeededRandom random) =>
        new(random.NextBelow(pages), 1, writeShare > 0 && random.NextUnit() < writeShare);
}

/// <summary>Reads through the file in requests of a readahead window, over and over.</summary>
internal sealed class SequentialPattern(ulong pages, int window) : AccessPattern
{
    private ulong _next;

    internal override ulong PageCount => pages;

    internal override PageRequest Next(ref SeededRandom random)
    {
        int count = (int)Math.Min((ulong)window, pages - _next);
        PageRequest request = new(_next, count, false);
        _next = (_next + (ulong)count) % pages;
        return request;
    }
}

/// <summary>Random reads and a sequential stream through the same file.</summary>
internal sealed class MixedPattern(ulong pages, double sequentialShare, int window) : AccessPattern
{
    private readonly SequentialPattern _sequential = new(pages, window);

    internal override ulong PageCount => pages;

    internal override PageRequest Next(ref SeededRandom random) => random.NextUnit() < sequentialShare
        ? _sequential.Next(ref random) : new PageRequest(random.NextBelow(pages), 1, false);
}

/// <summary>
/// Random reads of a hot set, and a slow stream through a cold region behind it, page by page.
/// </summary>
internal sealed class HotColdPattern(ulong hot, ulong cold, double coldShare) : AccessPattern
{
    private ulong _next;

    internal override ulong PageCount => hot + cold;

    internal override PageRequest Next(ref SeededRandom random)
    {
        if (random.NextUnit() >= coldShare) return new PageRequest(random.NextBelow(hot), 1, false);
        ulong page = hot + _next;
        _next = (_next + 1) % cold;
        return new PageRequest(page, 1, false);
    }
}

/// <summary>Patterns one after another, each for some number of I/Os, over and over.</summary>
internal sealed class PhasedPattern(IReadOnlyList<(AccessPattern Pattern, long Requests)> phases) : AccessPattern
{
    private int _phase;
    private long _done;

    internal override ulong PageCount => phases.Max(phase => phase.Pattern.PageCount);

    internal override PageRequest Next(ref SeededRandom random)
    {
        if (_done == phases[_phase].Requests) (_phase, _done) = ((_phase + 1) % phases.Count, 0);
        _done++;
        return phases[_phase].Pattern.Next(ref random);
    }
}

/// <summary>The requests of a trace, over and over; pages are numbered in the order of their first requests.</summary>
internal sealed class TracePattern : AccessPattern
{
    /// <summary>Requests that are held; a longer trace is cut here.</summary>
    internal const int RequestsMax = 50_000_000;

    private readonly List<uint> _pages = [];
    private readonly uint _pageCount;
    private int _next;

    /// <exception cref="TraceFormatException">The trace cannot be read, or is empty.</exception>
    internal TracePattern(ITraceSource source)
    {
        Dictionary<(int, ulong), uint> numbers = [];
        using ITraceReader reader = source.Open();
        TraceBlock block = new(TraceColumns.File);
        while (_pages.Count < RequestsMax && reader.Read(block))
        {
            bool hasFiles = reader.Columns.HasFlag(TraceColumns.File);
            for (int i = 0; i < block.Count && _pages.Count < RequestsMax; i++)
            {
                (int, ulong) key = (hasFiles ? block.Files[i] : 0, block.Ids[i]);
                if (!numbers.TryGetValue(key, out uint number)) numbers.Add(key, number = (uint)numbers.Count);
                _pages.Add(number);
            }
        }

        if (_pages.Count == 0) throw new TraceFormatException($"{source.Name}: the trace has no requests");
        _pageCount = (uint)numbers.Count;
    }

    internal override ulong PageCount => _pageCount;

    internal override PageRequest Next(ref SeededRandom random)
    {
        uint page = _pages[_next];
        _next = (_next + 1) % _pages.Count;
        return new PageRequest(page, 1, false);
    }
}
