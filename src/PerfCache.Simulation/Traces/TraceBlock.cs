// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>The columns that a trace may carry besides the page id.</summary>
[Flags]
public enum TraceColumns
{
    /// <summary>Page ids only; every trace has them.</summary>
    None = 0,

    /// <summary>The file a page belongs to (<see cref="TraceBlock.Files"/>).</summary>
    File = 1,

    /// <summary>The object size in bytes (<see cref="TraceBlock.Sizes"/>).</summary>
    Size = 2,

    /// <summary>The time of the request, in the trace's own unit (<see cref="TraceBlock.Times"/>).</summary>
    Time = 4,

    /// <summary>Whether the request writes (<see cref="TraceBlock.Writes"/>).</summary>
    Write = 8,

    /// <summary>The 1-based position of the next request to the same id
    /// (<see cref="TraceBlock.Nexts"/>).</summary>
    Next = 16,

    /// <summary>What a recording says between the requests (<see cref="TraceBlock.Notes"/>).</summary>
    Notes = 32,
}

/// <summary>
/// A run of consecutive requests as columns: what a reader fills and a replay consumes. Columns instead of
/// records, because most consumers read the ids alone and a decode loop over one array is what the memory
/// system likes. Only the first <see cref="Count"/> entries are valid, and of the optional columns only
/// those that the reader has (<see cref="ITraceReader.Columns"/>) and the consumer asked for; the other
/// arrays are empty.
/// </summary>
public sealed class TraceBlock
{
    /// <summary>The number of requests a block holds unless its maker asks for another.</summary>
    public const int DefaultCapacity = 64 * 1024;

    /// <summary>Makes a block of <paramref name="capacity"/> requests with the wanted optional
    /// columns.</summary>
    public TraceBlock(TraceColumns wanted = TraceColumns.None, int capacity = DefaultCapacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        Wanted = wanted;
        Ids = new ulong[capacity];
        Files = wanted.HasFlag(TraceColumns.File) ? new int[capacity] : [];
        Sizes = wanted.HasFlag(TraceColumns.Size) ? new uint[capacity] : [];
        Times = wanted.HasFlag(TraceColumns.Time) ? new long[capacity] : [];
        Writes = wanted.HasFlag(TraceColumns.Write) ? new bool[capacity] : [];
        Nexts = wanted.HasFlag(TraceColumns.Next) ? new long[capacity] : [];
    }

    /// <summary>The optional columns that the consumer asked for.</summary>
    public TraceColumns Wanted { get; }

    /// <summary>The number of valid requests.</summary>
    public int Count { get; set; }

    /// <summary>The number of requests that fit.</summary>
    public int Capacity => Ids.Length;

    /// <summary>Page ids, as recorded.</summary>
    public ulong[] Ids { get; }

    /// <summary>File numbers, 0 and up in order of appearance or as the trace numbers them.</summary>
    public int[] Files { get; }

    /// <summary>Object sizes in bytes; one of 4 GiB or more is clamped to
    /// <see cref="uint.MaxValue"/>.</summary>
    public uint[] Sizes { get; }

    /// <summary>Request times in the trace's own unit.</summary>
    public long[] Times { get; }

    /// <summary>Whether the request writes.</summary>
    public bool[] Writes { get; }

    /// <summary>What was said between the requests, in order.</summary>
    public IList<TraceNote> Notes { get; } = [];

    /// <summary>1-based position of the next request to the same id; <see cref="long.MaxValue"/> for
    /// none.</summary>
    public long[] Nexts { get; }
}
