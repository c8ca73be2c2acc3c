// SPDX-License-Identifier: MIT
using PerfCache.Memory;
using PerfCache.Simulation.Replay;

namespace PerfCache.Simulation.Curves;

/// <summary>
/// The LRU stack distance of every request, in one pass: how many distinct pages were requested since this page was
/// requested last, the page itself included. An LRU cache hits exactly the requests whose distance is at most its
/// frames, so one pass answers for caches of every size at once.
/// <para>
/// Source: Mattson, Gecsei, Slutz, Traiger, "Evaluation techniques for storage hierarchies", IBM Systems Journal 9(2),
/// 1970, for the distances; Bennett and Kruskal, "LRU stack processing", IBM Journal of Research and Development 19(4),
/// 1975, for counting marks on a line of time instead of walking a stack.
/// </para>
/// <para>
/// Data: a native column with the slot of every page's latest request on a <see cref="RecencyAxis"/>; the distance is
/// the marks from there on. When the axis is full, the marks move to its beginning in their order, and each page's new
/// slot is the rank of its old one: no table from slots to pages is needed. An axis has at least four times as many
/// slots as marks after such a renumbering, so a request pays for a third of a rank at most. Memory is bounded by the
/// distinct pages, whatever the length of the trace: 4 bytes for the slot and about 0.7 for the axis.
/// </para>
/// <para>
/// Requests go through in groups of one word of the axis: the slots of a group are fetched first, in a loop whose cache
/// misses overlap, because the slot that each request will take is known beforehand. The distances are then found one
/// after the other on the axis, which is near.
/// </para>
/// </summary>
public sealed class StackDistances : IDisposable
{
    // More slots a mark make renumbering rarer and the axis colder.
    private const int SlotsPerMark = 4;

    private readonly RecencyAxis _axis;
    private readonly NativeColumn<uint> _slots;
    private long _pages;

    /// <summary>Makes an empty stack.</summary>
    /// <exception cref="NativeMemoryException">The address space cannot be had.</exception>
    public StackDistances() : this(RecencyAxis.CapacityMin) { }

    /// <summary>For tests: an axis that begins with another length.</summary>
    internal StackDistances(long capacity)
    {
        _axis = new RecencyAxis(capacity);
        _slots = new NativeColumn<uint>("stack distances", IdMap.PageCountMax, MemoryMeter.Process);
    }

    /// <summary>The distinct pages requested and not forgotten.</summary>
    public long Pages => _axis.Marks;

    /// <summary>Bytes in use, native and managed.</summary>
    public long Bytes => _slots.CommittedBytes + _axis.Bytes;

    /// <summary>Serves the next requests.</summary>
    /// <param name="pages">Page numbers; memory is as much as the largest asks for, so they should be dense
    /// (<see cref="IdMap"/>).</param>
    /// <param name="distances">Receives the distance of each request, 1 for a page requested twice in a row; 0 for a
    /// page's first request.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public void Measure(ReadOnlySpan<uint> pages, Span<uint> distances)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(distances.Length, pages.Length);
        Span<uint> slots = stackalloc uint[RecencyAxis.WordSlots];
        while (!pages.IsEmpty)
        {
            if (_axis.End == _axis.Capacity) Renumber();
            int room = RecencyAxis.WordSlots - (int)(_axis.End % RecencyAxis.WordSlots);
            int count = Math.Min(pages.Length, room);
            Exchange(pages[..count], slots);
            _axis.Touch(slots[..count], distances);
            pages = pages[count..];
            distances = distances[count..];
        }
    }

    /// <summary>Drops a page, as if it had never been requested.</summary>
    /// <param name="page">A page that was requested.</param>
    public void Forget(uint page)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(page, _pages);
        ref uint slot = ref _slots.View[page];
        if (slot == 0) throw new ArgumentException($"page {page} is not on the stack", nameof(page));
        _axis.Remove(slot - 1);
        slot = 0;
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => _slots.Dispose();

    /// <summary>Fetches the slot of each page, plus 1 (0 for none), and puts the slot that it will have.</summary>
    private void Exchange(ReadOnlySpan<uint> pages, Span<uint> slots)
    {
        NativeArray<uint> all = _slots.View;
        uint next = (uint)_axis.End;
        for (int i = 0; i < pages.Length; i++)
        {
            uint page = pages[i];
            if (page >= _pages) Reach(page);
            ref uint slot = ref all[page];
            slots[i] = slot;
            slot = ++next;
        }
    }

    private void Reach(uint page)
    {
        _slots.EnsureLength(page + 1L);
        _pages = page + 1L;
    }

    /// <summary>Moves all marks to the beginning of the axis, which grows if they leave too little of it free.</summary>
    private void Renumber()
    {
        NativeArray<uint> slots = _slots.View;
        for (uint page = 0; page < _pages; page++)
        {
            ref uint slot = ref slots[page];
            if (slot != 0) slot = (uint)_axis.Rank(slot - 1) + 1;
        }

        long sections = ((_axis.Marks * SlotsPerMark) + RecencyAxis.CapacityMin - 1) / RecencyAxis.CapacityMin;
        long wanted = Math.Min(sections * RecencyAxis.CapacityMin, RecencyAxis.CapacityMax);
        _axis.Restart(_axis.Marks, Math.Max(wanted, _axis.Capacity));
    }
}
