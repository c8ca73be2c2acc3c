// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Simulation.Engine;

namespace PerfCache.Simulation.Machines;

/// <summary>A kind of disk.</summary>
public enum DiskKind
{
    /// <summary>A hard disk: one request at a time, cheap only in sequence.</summary>
    Hdd,

    /// <summary>A SATA-like SSD.</summary>
    Ssd,

    /// <summary>An NVMe-like SSD.</summary>
    FastSsd,
}

/// <summary>
/// A machine's disk: a server with a queue whose requests take a latency and the transfer; a hard disk takes the latency
/// only when the request does not continue the one before.
/// </summary>
internal sealed class Disk
{
    internal const int PageBytes = 4096;

    private readonly QueuedServer _server;
    private readonly long _seekNanos;
    private ulong _next = ulong.MaxValue;

    internal Disk(DiskKind kind, ParameterSet parameters)
    {
        (double latency, double megabytes, long depth) = kind switch
        {
            DiskKind.Hdd => (parameters.Value("hdd-ms") * VirtualClock.Millisecond, parameters.Value("hdd-mb"), 1),
            DiskKind.Ssd => (parameters.Value("ssd-us") * VirtualClock.Microsecond, parameters.Value("ssd-mb"),
                parameters.Whole("ssd-depth")),
            _ => (parameters.Value("fast-ssd-us") * VirtualClock.Microsecond, parameters.Value("fast-ssd-mb"),
                parameters.Whole("fast-ssd-depth")),
        };
        _seekNanos = kind == DiskKind.Hdd ? (long)latency : 0;
        _server = new QueuedServer(kind == DiskKind.Hdd ? 0 : (long)latency, megabytes * 1e6, (int)depth);
    }

    private Disk(QueuedServer server) => _server = server;

    internal long PagesRead { get; private set; }

    internal long PagesWritten { get; private set; }

    /// <summary>A swap device.</summary>
    internal static Disk ForSwap(ParameterSet parameters) => new(new QueuedServer(
        (long)(parameters.Value("swap-us") * VirtualClock.Microsecond), parameters.Value("swap-mb") * 1e6, depth: 1));

    /// <summary>Reads neighbouring pages.</summary>
    /// <returns>When they are there.</returns>
    internal long Read(long nowNanos, PageKey first, int pages)
    {
        PagesRead += pages;
        return Submit(nowNanos, first.Packed, pages);
    }

    /// <summary>Writes neighbouring pages.</summary>
    /// <returns>When they are written.</returns>
    internal long Write(long nowNanos, PageKey first, int pages)
    {
        PagesWritten += pages;
        return Submit(nowNanos, first.Packed, pages);
    }

    private long Submit(long nowNanos, ulong first, int pages)
    {
        long seek = first == _next ? 0 : _seekNanos;
        _next = first + (ulong)pages;
        return _server.Submit(nowNanos, (long)pages * PageBytes, seek);
    }
}
