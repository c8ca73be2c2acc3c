// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PerfCache.Benchmarks.Hits;

/// <summary>
/// The floor of insertions: a page cache for one thread and nothing else. Native memory, a hash table with linear
/// probing, and a clock hand that chooses victims.
/// </summary>
/// <remarks>
/// <code>
/// slot (16 bytes):  key 64 | frame 32, 0 for an empty slot        at least twice as many slots as frames
/// frame columns:    key, mark (1 after a hit), page
/// </code>
/// No lock, no pins, no versions, no shadows, no statistics, no bound but the number of frames. Removing a slot moves
/// the slots behind it up, so there are no tombstones. Its pages ask for huge pages, as the page cache's do.
/// </remarks>
internal sealed unsafe class ClockFloor : IDisposable
{
    private const int HugePageBytes = 2 << 20;
    private const int AdviseHugePage = 14;
    private const ulong GoldenRatio = 0x9E37_79B9_7F4A_7C15;

    private readonly int _pageBytes;
    private readonly int _hashShift;
    private readonly uint _slotMask;
    private readonly Slot* _slots;
    private readonly ulong* _keys;
    private readonly byte* _marks;
    private readonly byte* _pages;
    private uint _used;
    private uint _hand;

    /// <summary>Makes an empty floor.</summary>
    internal ClockFloor(uint frames, int pageBytes)
    {
        FrameCount = frames;
        _pageBytes = pageBytes;
        uint slots = BitOperations.RoundUpToPowerOf2(frames * 2);
        _slotMask = slots - 1;
        _hashShift = 64 - BitOperations.Log2(slots);
        _slots = (Slot*)NativeMemory.AllocZeroed(slots, (nuint)sizeof(Slot));
        _keys = (ulong*)NativeMemory.AllocZeroed(frames + 1, sizeof(ulong));
        _marks = (byte*)NativeMemory.AllocZeroed(frames + 1);
        nuint pageData = (nuint)frames * (nuint)pageBytes;
        _pages = (byte*)NativeMemory.AlignedAlloc(pageData, HugePageBytes);
        // Advice: where the system does not take it, the floor has small pages.
        _ = madvise(_pages, pageData, AdviseHugePage);
    }

    /// <summary>The number of frames.</summary>
    internal uint FrameCount { get; }

    /// <summary>The number of pages that are in.</summary>
    internal uint ResidentCount => _used;

    /// <summary>The page, marked as hit, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* Find(ulong key)
    {
        uint frame = FindFrame(key);
        if (frame == 0) return null;
        _marks[frame] = 1;
        return Page(frame);
    }

    /// <summary>Adds a page, evicting another if all frames are in use.</summary>
    /// <returns>Where to write it, or null when it is there already.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* TryAdd(ulong key)
    {
        if (FindFrame(key) != 0) return null;
        uint frame = _used < FrameCount ? ++_used : Evict();
        uint at = Home(key);
        while (_slots[at].Frame != 0) at = (at + 1) & _slotMask;
        _slots[at] = new Slot { Key = key, Frame = frame };
        _keys[frame] = key;
        return Page(frame);
    }

    public void Dispose()
    {
        NativeMemory.Free(_slots);
        NativeMemory.Free(_keys);
        NativeMemory.Free(_marks);
        NativeMemory.AlignedFree(_pages);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint FindFrame(ulong key)
    {
        for (uint at = Home(key); ; at = (at + 1) & _slotMask)
        {
            uint frame = _slots[at].Frame;
            if (frame == 0 || _slots[at].Key == key) return frame;
        }
    }

    /// <summary>Turns the hand to the first frame without a mark, clearing marks on its way, and empties that frame.
    /// </summary>
    private uint Evict()
    {
        while (true)
        {
            _hand = _hand == FrameCount ? 1 : _hand + 1;
            if (_marks[_hand] == 0) break;
            _marks[_hand] = 0;
        }

        Remove(_keys[_hand]);
        return _hand;
    }

    private void Remove(ulong key)
    {
        uint hole = Home(key);
        while (_slots[hole].Key != key || _slots[hole].Frame == 0) hole = (hole + 1) & _slotMask;
        for (uint at = (hole + 1) & _slotMask; _slots[at].Frame != 0; at = (at + 1) & _slotMask)
        {
            // A slot may move into the hole unless its home lies behind the hole.
            uint distanceFromHome = (at - Home(_slots[at].Key)) & _slotMask;
            if (distanceFromHome < ((at - hole) & _slotMask)) continue;
            _slots[hole] = _slots[at];
            hole = at;
        }

        _slots[hole] = default;
    }

    private uint Home(ulong key) => (uint)((key * GoldenRatio) >> _hashShift);

    private byte* Page(uint frame) => _pages + ((nuint)(frame - 1) * (nuint)_pageBytes);

    [DllImport("libc", ExactSpelling = true)]
    private static extern int madvise(void* address, nuint length, int advice);

    private struct Slot
    {
        public ulong Key;
        public uint Frame;
    }
}
