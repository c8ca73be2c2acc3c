// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Traces;

/// <summary>
/// The pages that one record touches, given out a block at a time: a request of a block format may be
/// longer than any block that it is read into.
/// </summary>
internal struct PageRun
{
    /// <summary>A record of more blocks or pages than this is taken for damage, not for a request: the
    /// largest one real disks and traces know is some 2^21.</summary>
    internal const ulong PagesMax = 1UL << 32;

    /// <summary>Bytes of the blocks in which disks count.</summary>
    internal const ulong SectorBytes = 512;

    private ulong _next;
    private ulong _remaining;
    private int _file;
    private long _time;
    private bool _isWrite;

    internal readonly bool IsEmpty => _remaining == 0;

    /// <summary>A run of <paramref name="count"/> ids from <paramref name="first"/> on.</summary>
    internal static PageRun OfIds(ulong first, ulong count) => new() { _next = first, _remaining = count };

    /// <summary>The pages under a range of bytes. A request of no bytes still asks for the page it points
    /// at.</summary>
    /// <returns>False when the range does not fit in 2^64 bytes or covers more than <see cref="PagesMax"/>
    /// pages.</returns>
    internal static bool TryPages(ulong startByte, ulong bytes, int pageBytes, out PageRun run)
    {
        ulong lastByte = startByte + (bytes == 0 ? 0 : bytes - 1);
        ulong firstPage = startByte / (ulong)pageBytes;
        ulong pages = lastByte / (ulong)pageBytes - firstPage + 1;
        run = OfIds(firstPage, pages);
        return lastByte >= startByte && pages <= PagesMax;
    }

    /// <summary>The same where the range begins at a sector.</summary>
    internal static bool TrySectors(ulong sector, ulong bytes, int pageBytes, out PageRun run)
    {
        bool hasPages = TryPages(sector * SectorBytes, bytes, pageBytes, out run);
        return hasPages && sector <= ulong.MaxValue / SectorBytes;
    }

    /// <summary>The same run with what all its requests share.</summary>
    internal readonly PageRun With(int file, long time, bool isWrite) =>
        this with { _file = file, _time = time, _isWrite = isWrite };

    /// <summary>Appends as many requests to the block as it takes.</summary>
    internal void Emit(TraceBlock block)
    {
        int at = block.Count;
        int count = (int)Math.Min(_remaining, (ulong)(block.Capacity - at));
        Span<ulong> ids = block.Ids.AsSpan(at, count);
        for (int i = 0; i < ids.Length; i++)
            ids[i] = _next + (ulong)i;
        if (block.Files.Length > 0)
            block.Files.AsSpan(at, count).Fill(_file);
        if (block.Times.Length > 0)
            block.Times.AsSpan(at, count).Fill(_time);
        if (block.Writes.Length > 0)
            block.Writes.AsSpan(at, count).Fill(_isWrite);
        _next += (ulong)count;
        _remaining -= (ulong)count;
        block.Count = at + count;
    }
}
