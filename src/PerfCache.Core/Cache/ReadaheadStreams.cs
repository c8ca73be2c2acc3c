// SPDX-License-Identifier: MIT
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>What readahead remembers: which page each sequential reader will miss next, and a mark for each frame.</summary>
/// <remarks>
/// A reader is not known by name. One that misses page p is expected at p + 1; if that is the next page missed there,
/// the reader is sequential. Expectations lie in a small table by a hash of the page, so many readers, of one object or
/// of several, may go on at the same time; two that meet in one place cost one of them a window.
/// The table is used under the cache's lock, the marks by anybody.
/// </remarks>
internal sealed class ReadaheadStreams : IDisposable
{
    private const int ExpectationBits = 8;

    private readonly (ulong Key, int Size)[] _expected = new (ulong Key, int Size)[1 << ExpectationBits];
    private readonly NativeColumn<ushort> _marks;
    private readonly NativeArray<ushort> _mark;

    internal ReadaheadStreams(uint frameMax, MemoryMeter meter)
    {
        _marks = NativeColumn<ushort>.Whole("readahead marks", frameMax + 1L, meter);
        _mark = _marks.View;
    }

    /// <summary>Expects a miss of this page.</summary>
    /// <param name="key">The page; not page 0 of an object.</param>
    /// <param name="size">The window that ends before it, or 0 when none was read ahead.</param>
    internal void Expect(PageKey key, int size) => _expected[PlaceOf(key)] = (key.Packed, size);

    /// <summary>A page was missed.</summary>
    /// <param name="key">The page.</param>
    /// <param name="size">The window that ended before it, or 0.</param>
    /// <returns>True when that was expected; it is not any more.</returns>
    internal bool TryTake(PageKey key, out int size)
    {
        ref (ulong Key, int Size) place = ref _expected[PlaceOf(key)];
        size = place.Size;
        // Nobody expects key 0, page 0 of the first object: it follows no page.
        if (place.Key != key.Packed || key.Packed == 0) return false;
        place = default;
        return true;
    }

    /// <summary>Marks a frame, or with the default value cleans it.</summary>
    /// <returns>The mark that it had.</returns>
    internal ReadaheadMark Exchange(FrameId frame, ReadaheadMark mark) =>
        new(Interlocked.Exchange(ref _mark[frame.Value], mark.Packed));

    /// <summary>The mark of a frame.</summary>
    internal ReadaheadMark Mark(FrameId frame) => new(Volatile.Read(ref _mark[frame.Value]));

    public void Dispose() => _marks.Dispose();

    private static int PlaceOf(PageKey key) => (int)((key.Packed * 0x9E37_79B9_7F4A_7C15) >> (64 - ExpectationBits));
}
