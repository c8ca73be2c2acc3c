// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Simulation.Replay;

/// <summary>What a live replay reads of each page that it gets.</summary>
public enum PageTouch
{
    /// <summary>Nothing: the lease is taken and let go.</summary>
    None,

    /// <summary>One word, and with it one line of the processor's cache.</summary>
    Line,

    /// <summary>Every word.</summary>
    All,
}

/// <summary>How a trace is replayed against the cache with page data.</summary>
public sealed record LiveOptions
{
    /// <summary>The threads that serve requests.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>True for a thread of the cache that keeps frames free; false where misses reclaim for themselves.</summary>
    public bool BackgroundReclaim { get; init; } = true;

    /// <summary>Bytes of a page.</summary>
    public int PageBytes { get; init; } = PageMemory.PageBytesMin;

    /// <summary>The file whose pages are read: page p of the trace is page p modulo those of the file. Null for pages that
    /// are computed.</summary>
    public string? BackingPath { get; init; }

    /// <summary>True to read the file past the kernel's page cache, or not at all.</summary>
    public bool DirectIo { get; init; }

    /// <summary>How long a computed page takes to load, besides computing it.</summary>
    public TimeSpan LoadLatency { get; init; }

    /// <summary>What is read of each page.</summary>
    public PageTouch Touch { get; init; } = PageTouch.Line;

    /// <summary>True to check every byte of every page that is handed out; computed pages only.</summary>
    public bool Verify { get; init; }

    /// <summary>Refuses what makes no sense.</summary>
    /// <exception cref="ArgumentException">One line that names the option.</exception>
    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Threads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(LoadLatency, TimeSpan.Zero);
        if (!PageMemory.IsPageSize(PageBytes))
            throw new ArgumentException($"{PageBytes} is no page size; possible is a power of two from 4096 to 65536");
        if (Verify && BackingPath is not null)
            throw new ArgumentException("what the pages of a file should be is not known: verify computed pages");
    }
}

/// <summary>What a live replay measured besides the counts of every replay.</summary>
public sealed record LiveMeasures
{
    /// <summary>The threads that served requests.</summary>
    public required int Threads { get; init; }

    /// <summary>True when a thread of the cache kept frames free.</summary>
    public required bool BackgroundReclaim { get; init; }

    /// <summary>Bytes of a page.</summary>
    public required int PageBytes { get; init; }

    /// <summary>Latencies of a sample of the hits, in nanoseconds.</summary>
    public required LatencyHistogram Hits { get; init; }

    /// <summary>Latencies of all misses, in nanoseconds.</summary>
    public required LatencyHistogram Misses { get; init; }

    /// <summary>How often a thread waited for the cache's lock.</summary>
    public required long LockWaits { get; init; }

    /// <summary>Sums what was read of the pages, so that the reading cannot be left out.</summary>
    internal ulong Checksum { get; init; }
}
