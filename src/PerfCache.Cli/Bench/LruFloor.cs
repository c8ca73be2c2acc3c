// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PerfCache.Cli.Bench;

/// <summary>
/// The floor that every ratio of <c>perfcache bench</c> is taken against: exact LRU over arrays, and nothing
/// else. It is the loop of native/baselines/lru_floor.c, statement for statement, so that a ratio against it
/// says what the page cache's generality costs and not what .NET costs; the benchmark project's
/// <c>c-floor</c> command compares the two.
/// </summary>
/// <remarks>
/// Pages are dense numbers; <c>_slotOf[page]</c> is the page's frame or <see cref="Absent"/>. Frames form
/// one circular list, most recent first, whose head stays in a local; the least recent frame is the head's
/// predecessor, so a miss turns the ring by one place and renames that frame. The ring starts full of frames
/// that hold no page (the number after the last), which takes the test for free frames out of the loop.
/// </remarks>
internal sealed class LruFloor
{
    private const uint Absent = uint.MaxValue;

    private readonly uint[] _slotOf;
    private readonly uint[] _pageOf;
    private readonly Link[] _links;

    /// <summary>Makes the arrays for <paramref name="pageCount"/> pages and <paramref name="frameCount"/>
    /// frames.</summary>
    public LruFloor(int pageCount, int frameCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pageCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(frameCount, 1);
        _slotOf = new uint[pageCount + 1];
        _pageOf = new uint[frameCount];
        _links = new Link[frameCount];
        Reset();
    }

    /// <summary>Empties the cache.</summary>
    public void Reset()
    {
        Array.Fill(_slotOf, Absent);
        Array.Fill(_pageOf, (uint)(_slotOf.Length - 1));
        int last = _links.Length - 1;
        for (int frame = 0; frame <= last; frame++)
        {
            _links[frame] = new Link
            {
                Previous = (uint)(frame == 0 ? last : frame - 1),
                Next = (uint)(frame == last ? 0 : frame + 1),
            };
        }
    }

    /// <summary>Replays a whole pass through an empty cache and returns the misses.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A page is not below the page count.</exception>
    public long Run(ReadOnlySpan<uint> requests)
    {
        // The loop checks no bounds: one look at the requests beforehand is what makes that sound.
        uint pageCount = (uint)(_slotOf.Length - 1);
        foreach (uint page in requests)
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(page, pageCount, nameof(requests));
        return RunUnchecked(requests);
    }

    /// <summary><see cref="Run"/> for requests that are known to be below the page count: the timed
    /// loop.</summary>
    // Compiled once and fully: a floor must not depend on what the profile of earlier passes happened to be.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    internal long RunUnchecked(ReadOnlySpan<uint> requests)
    {
        ref uint slotOf = ref MemoryMarshal.GetArrayDataReference(_slotOf);
        ref uint pageOf = ref MemoryMarshal.GetArrayDataReference(_pageOf);
        ref Link links = ref MemoryMarshal.GetArrayDataReference(_links);
        long misses = 0;
        uint head = 0;
        foreach (uint page in requests)
        {
            ref uint slot = ref Unsafe.Add(ref slotOf, page);
            uint frame = slot;
            if (frame == Absent)
            {
                misses++;
                head = Unsafe.Add(ref links, head).Previous;
                ref uint evicted = ref Unsafe.Add(ref pageOf, head);
                Unsafe.Add(ref slotOf, evicted) = Absent;
                slot = head;
                evicted = page;
            }
            else if (frame != head)
            {
                ref Link moved = ref Unsafe.Add(ref links, frame);
                ref Link first = ref Unsafe.Add(ref links, head);
                (uint previous, uint next) = (moved.Previous, moved.Next);
                Unsafe.Add(ref links, previous).Next = next;
                Unsafe.Add(ref links, next).Previous = previous;
                // Read after the unlink: the tail's link may just have changed.
                uint tail = first.Previous;
                moved.Previous = tail;
                moved.Next = head;
                Unsafe.Add(ref links, tail).Next = frame;
                first.Previous = frame;
                head = frame;
            }
        }

        return misses;
    }

    private struct Link
    {
        public uint Previous;
        public uint Next;
    }
}
