// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Replay;

/// <summary>Pages to read: a run, and the one of them whose first use starts the next run.</summary>
/// <param name="First">The first page.</param>
/// <param name="Count">The number of pages; 0 for none.</param>
/// <param name="Marker">The page to mark, or -1.</param>
internal readonly record struct ReadaheadRun(long First, long Count, long Marker);

/// <summary>
/// The state of one open file in the kernel's readahead, and its rules (mm/readahead.c of Linux 6.x), for pages of a fixed
/// size.
/// </summary>
/// <remarks>
/// <code>
/// miss at p, n pages asked for
///   p is page 0, or follows the last read     the reader is sequential: window [p, p + initial(n)),
///   (one page may be left out)                its marker behind what was asked for
///   more cached pages than n lie before p     a sequential reader whose state was lost: window of what it read
///                                             so far and n, its marker on the last page
///   else                                      a random read: n pages and no more
/// hit on a marker                             the next window, behind the one before, as large as next(size);
///                                             its first page is the marker
/// initial(n)   n rounded up to a power of two; times 4 up to an eighth of the maximum / 4, times 2 up to a quarter,
///              at most the maximum
/// next(s)      times 4 below a sixteenth of the maximum, times 2 up to a half, at most the maximum
/// </code>
/// The arithmetic of <c>PageCache</c>'s own readahead is another: it begins with four pages behind the second miss and
/// knows no request sizes, so nothing is shared.
/// <para>Left out: large folios (they round the marker down and the window's end), read sizes above the maximum that the
/// device would take at once, and congestion.</para>
/// </remarks>
internal sealed class KernelReadahead
{
    private long _start;
    private long _size;
    private long _asyncSize;

    /// <summary>The page behind the last one that a call read, where the next sequential read begins; far from every
    /// page at first.</summary>
    public long Expected { get; set; } = long.MinValue / 2;

    /// <summary>True after the program said that it reads at random.</summary>
    public bool IsRandom { get; set; }

    /// <summary>True after the program said that it reads in order: windows may be twice as large.</summary>
    public bool IsSequential { get; set; }

    /// <summary>A page is missing that a call asks for.</summary>
    /// <param name="page">The page.</param>
    /// <param name="asked">The pages that the call asks for from here on.</param>
    /// <param name="max">The largest window.</param>
    /// <param name="isCached">Tells whether a page is resident.</param>
    public ReadaheadRun Miss(long page, long asked, long max, Func<long, bool> isCached)
    {
        if (IsRandom) return new(page, asked, -1);
        max = LargestWindow(max);
        long fromExpected = page - Expected;
        if (page == 0 || asked > max || fromExpected is 0 or 1)
        {
            _start = page;
            _size = InitialSize(asked, max);
            _asyncSize = _size > asked ? _size - asked : _size >> 1;
            return new(_start, Math.Max(_size, asked), _start + _size - _asyncSize);
        }

        long behind = 0;
        while (behind < max && page - behind > 0 && isCached(page - behind - 1)) behind++;
        if (behind <= asked) return new(page, asked, -1);
        // Cached from its beginning: a long run.
        if (behind == page) behind *= 2;
        _start = page;
        _size = Math.Min(behind + asked, max);
        _asyncSize = 1;
        return new(_start, _size, _start + _size - 1);
    }

    /// <summary>A marked page was found.</summary>
    /// <inheritdoc cref="Miss"/>
    public ReadaheadRun Marked(long page, long asked, long max, Func<long, bool> isCached)
    {
        max = LargestWindow(max);
        if (page == _start + _size - _asyncSize)
        {
            _start += _size;
            _size = NextSize(_size, max);
        }
        else
        {
            // Another reader's marker: what is cached from here on tells how far the window reaches.
            long next = page + 1;
            while (next - page <= max && isCached(next)) next++;
            if (next - page > max) return default;
            _start = next;
            _size = NextSize(next - page + asked, max);
        }

        _asyncSize = _size;
        return new(_start, _size, _start);
    }

    private long LargestWindow(long max) => IsSequential ? 2 * max : max;

    internal static long InitialSize(long asked, long max)
    {
        long size = (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)asked);
        if (size <= max / 32) return size * 4;
        return size <= max / 4 ? size * 2 : max;
    }

    internal static long NextSize(long size, long max)
    {
        if (size < max / 16) return 4 * size;
        return size <= max / 2 ? 2 * size : max;
    }
}
