// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// Gives the pages of a trace, named by a file number and a 64-bit id, the numbers 0, 1, 2, ... that cells
/// work with.
/// <para>
/// Data: the keys lie in columns in the order of their numbers (so a number finds its page again), and an
/// open addressing table of 4-byte entries finds the number of a key. With <c>b</c> bits of slot index, an
/// entry is
/// <code>
///     31 ......... b | b - 1 ......... 0
///     tag            | number + 1            0 is an empty slot
/// </code>
/// The slot is the top of the hash and the tag its bottom, so of the keys that a probe passes over nearly
/// none is compared: a look-up costs one cache miss in the table and one in the keys. The table doubles at
/// three quarters full, from the keys alone: the old table is dropped before the new one is made.
/// </para>
/// <para>
/// Cost: 8 bytes a key, 4 more where the trace has files, 8 more for the pages seen in a leaf
/// (<see cref="PageNumbering.PerLeaf"/>), and 5.4 to 10.7 bytes of table: at most 32 bytes a distinct key,
/// plus 4 KiB.
/// </para>
/// <para>
/// <see cref="Map"/> works in groups and in phases (hash, load the home slots, probe, compare keys), because
/// the loads of one phase don't depend on one another: the processor then has many cache misses under way at
/// once.
/// </para>
/// </summary>
public sealed class IdMap
{
    /// <summary>
    /// The most pages that <see cref="PageNumbering.Dense"/> can number: 2^32 less a sixteenth.
    /// </summary>
    public const long PageCountMax = (1L << 32) - (1L << 28);

    /// <summary>The most leaves that <see cref="PageNumbering.PerLeaf"/> can number: 2^26.</summary>
    public const long LeafCountMax = 1L << (32 - LeafBits);

    private const int LeafBits = 6;
    private const int SlotBitsMin = 7;
    private const int SlotBitsMax = 32;
    private const int SegmentBitsMax = 30;
    private const uint NoNumber = uint.MaxValue;
    private const int GroupLength = 256;
    private const ulong FileSalt = 0x9E3779B97F4A7C15;

    private readonly ChunkedColumn<ulong> _keys = new();
    private readonly ChunkedColumn<int>? _files;
    private readonly ChunkedColumn<ulong>? _pagesSeen;
    private readonly long _countMax;
    private readonly int _segmentBits;
    private readonly int _keyShift;

    private uint[][] _segments = [];
    private int _slotBits = SlotBitsMin;
    private long _growAt;

    /// <summary>Makes an empty map.</summary>
    /// <param name="numbering">How pages are numbered.</param>
    /// <param name="hasFiles">False where every page belongs to file 0; then files take no memory.</param>
    public IdMap(PageNumbering numbering, bool hasFiles)
        : this(numbering, hasFiles, CountMaxOf(numbering), SegmentBitsMax) { }

    /// <summary>
    /// For tests: a map that is full after a few keys, or whose table has many small segments.
    /// </summary>
    internal IdMap(PageNumbering numbering, bool hasFiles, long countMax, int segmentBits)
    {
        Numbering = numbering;
        _countMax = countMax;
        _segmentBits = segmentBits;
        _keyShift = numbering == PageNumbering.PerLeaf ? LeafBits : 0;
        _files = hasFiles ? new() : null;
        _pagesSeen = numbering == PageNumbering.PerLeaf ? new() : null;
        MakeTable();
    }

    /// <summary>How pages are numbered.</summary>
    public PageNumbering Numbering { get; }

    /// <summary>The distinct pages mapped so far, or since <see cref="RestartCounting"/>.</summary>
    public long Pages { get; private set; }

    /// <summary>The distinct keys: pages, or leaves of 64 pages.</summary>
    public long Count => _keys.Count;

    /// <summary>Bytes in use by the table and the columns.</summary>
    public long Bytes => (4L << _slotBits) + (32L * _segments.Length) + _keys.Bytes
        + (_files?.Bytes ?? 0) + (_pagesSeen?.Bytes ?? 0);

    /// <summary>Writes the number of every page, making numbers for the new ones.</summary>
    /// <param name="ids">The pages' ids.</param>
    /// <param name="files">The pages' file numbers, or empty where the trace has none.</param>
    /// <param name="numbers">Receives as many numbers as there are ids.</param>
    /// <exception cref="OverflowException">There are more distinct keys than numbers.</exception>
    public void Map(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files, Span<uint> numbers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(numbers.Length, ids.Length);
        if (_files is null) files = default;
        else ArgumentOutOfRangeException.ThrowIfNotEqual(files.Length, ids.Length);
        for (int start = 0; start < ids.Length; start += GroupLength)
        {
            int length = Math.Min(GroupLength, ids.Length - start);
            ReadOnlySpan<int> groupFiles = files.IsEmpty ? files : files.Slice(start, length);
            MapGroup(ids.Slice(start, length), groupFiles, numbers[start..]);
        }

        if (_pagesSeen is not null) CountPages(ids, numbers);
        else CountNumbers(numbers[..ids.Length]);
    }

    /// <summary>
    /// Counts <see cref="Pages"/> from 0 again for another pass over the same trace; the numbers stay.
    /// </summary>
    public void RestartCounting()
    {
        Pages = 0;
        _pagesSeen?.Clear();
    }

    /// <summary>The page that has the number, as the trace named it.</summary>
    public (int File, ulong Id) PageOf(uint number)
    {
        uint index = number >> _keyShift;
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, _keys.Count);
        ulong place = number & ((1UL << _keyShift) - 1);
        return (_files is null ? 0 : _files[index], (_keys[index] << _keyShift) | place);
    }

    private void MapGroup(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files, Span<uint> numbers)
    {
        Span<ulong> hashes = stackalloc ulong[GroupLength];
        Span<uint> candidates = stackalloc uint[GroupLength];
        Span<ulong> keys = stackalloc ulong[GroupLength];
        HashAll(ids, files, hashes);
        FindCandidates(hashes[..ids.Length], candidates);
        _keys.Gather(candidates[..ids.Length], keys);
        for (int i = 0; i < ids.Length; i++)
        {
            ulong key = ids[i] >> _keyShift;
            int file = files.IsEmpty ? 0 : files[i];
            uint number = candidates[i];
            bool isFound = number != NoNumber && keys[i] == key && (_files is null || _files[number] == file);
            numbers[i] = isFound ? number : FindOrAddSlow(key, file, hashes[i]);
        }
    }

    private void HashAll(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files, Span<ulong> hashes)
    {
        int shift = _keyShift;
        if (files.IsEmpty)
        {
            for (int i = 0; i < ids.Length; i++) hashes[i] = Hash(ids[i] >> shift, 0);
        }
        else
        {
            for (int i = 0; i < ids.Length; i++) hashes[i] = Hash(ids[i] >> shift, files[i]);
        }
    }

    /// <summary>
    /// Finds for each hash the number of the first key with its tag, or none. Numbers outlive a rehash,
    /// entries don't.
    /// </summary>
    private void FindCandidates(ReadOnlySpan<ulong> hashes, Span<uint> candidates)
    {
        if (_segments.Length > 1)
        {
            // Only beyond 800 million keys: each key takes the slow way.
            candidates.Fill(NoNumber);
            return;
        }

        ReadOnlySpan<uint> table = _segments[0];
        int shift = 64 - _slotBits;
        for (int i = 0; i < hashes.Length; i++) candidates[i] = table[(int)(hashes[i] >> shift)];

        uint numberMask = NumberMask;
        for (int i = 0; i < hashes.Length; i++)
        {
            uint entry = candidates[i];
            uint tag = (uint)hashes[i] & ~numberMask;
            int slot = (int)(hashes[i] >> shift);
            while (entry != 0 && (entry & ~numberMask) != tag)
            {
                slot = (slot + 1) & (table.Length - 1);
                entry = table[slot];
            }

            candidates[i] = (entry & numberMask) - 1;
        }
    }

    /// <summary>Turns leaf numbers into page numbers and marks the pages as seen.</summary>
    private void CountPages(ReadOnlySpan<ulong> ids, Span<uint> numbers)
    {
        ChunkedColumn<ulong> pagesSeen = _pagesSeen!;
        long added = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            int place = (int)(ids[i] & ((1 << LeafBits) - 1));
            ref ulong seen = ref pagesSeen[numbers[i]];
            ulong bit = 1UL << place;
            if ((seen & bit) == 0) added++;
            seen |= bit;
            numbers[i] = (numbers[i] << LeafBits) | (uint)place;
        }

        Pages += added;
    }

    /// <summary>
    /// Numbers are given in the order of first requests, so the largest one counts the pages.
    /// </summary>
    private void CountNumbers(ReadOnlySpan<uint> numbers)
    {
        long pages = Pages;
        foreach (uint number in numbers) pages = Math.Max(pages, number + 1L);
        Pages = pages;
    }

    private uint FindOrAddSlow(ulong key, int file, ulong hash)
    {
        uint numberMask = NumberMask;
        uint tag = (uint)hash & ~numberMask;
        ulong slot = hash >> (64 - _slotBits);
        for (uint entry = Slot(slot); entry != 0; entry = Slot(slot = Next(slot)))
        {
            uint found = (entry & numberMask) - 1;
            if ((entry & ~numberMask) == tag && IsKey(found, key, file)) return found;
        }

        if (_keys.Count == _countMax) ThrowFull();
        uint number = (uint)_keys.Count;
        _keys.Append(key);
        _files?.Append(file);
        _pagesSeen?.Append(0);
        Slot(slot) = tag | (number + 1);
        if (_keys.Count >= _growAt) Rehash();
        return number;
    }

    private void Rehash()
    {
        if (_slotBits == SlotBitsMax) return;
        _segments = [];
        _slotBits++;
        MakeTable();
        uint numberMask = NumberMask;
        for (uint number = 0; number < _keys.Count; number++)
        {
            ulong hash = Hash(_keys[number], _files is null ? 0 : _files[number]);
            ulong slot = hash >> (64 - _slotBits);
            while (Slot(slot) != 0) slot = Next(slot);
            Slot(slot) = ((uint)hash & ~numberMask) | (number + 1);
        }
    }

    private void MakeTable()
    {
        int bits = Math.Min(_slotBits, _segmentBits);
        _segments = new uint[1 << (_slotBits - bits)][];
        for (int i = 0; i < _segments.Length; i++) _segments[i] = new uint[1 << bits];
        _growAt = 3L << (_slotBits - 2);
    }

    private static long CountMaxOf(PageNumbering numbering) =>
        numbering == PageNumbering.Dense ? PageCountMax : LeafCountMax;

    private uint NumberMask => uint.MaxValue >> (SlotBitsMax - _slotBits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref uint Slot(ulong slot)
    {
        uint[] segment = _segments[slot >> _segmentBits];
        return ref segment[slot & (ulong)(segment.Length - 1)];
    }

    private ulong Next(ulong slot) => (slot + 1) & ((1UL << _slotBits) - 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsKey(uint number, ulong key, int file) =>
        _keys[number] == key && (_files is null || _files[number] == file);

    /// <summary>
    /// Two rounds of shift and multiply let every bit of the key reach every bit of the hash, so strides,
    /// high bits and already hashed ids all spread; being reversible, it never gives two ids of one file the
    /// same hash.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Hash(ulong key, int file)
    {
        ulong hash = key ^ BitOperations.RotateLeft((uint)file * FileSalt, 32);
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
        return hash ^ (hash >> 31);
    }

    private void ThrowFull() => throw new OverflowException(Numbering == PageNumbering.Dense
        ? $"more than {_countMax:N0} distinct pages, the most that can be numbered; give --limit"
        : $"more than {_countMax:N0} distinct runs of 64 pages, the most that the linux-* policies can number; "
            + "give --limit, or policies without linux-*");
}
