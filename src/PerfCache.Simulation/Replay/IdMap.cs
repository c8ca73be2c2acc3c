// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Simulation.Replay;

/// <summary>
/// Gives the pages of a trace, named by a file number and a 64-bit id, the numbers 0, 1, 2, ... that cells
/// work with.
/// <para>
/// Data: the keys lie in native columns in the order of their numbers (so a number finds its page again), and
/// an open addressing table of 4-byte entries finds the number of a key. With <c>b</c> bits of slot index, an
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
/// Where at least a quarter of all keys up to the greatest is there (generators, numbered pages), the hash table gives way
/// to a plain array of numbers by key, which is several times faster. It is given up for good when a key comes that would
/// make it larger than four entries a key.
/// </para>
/// <para>
/// Cost: 8 bytes a key, 4 more where the trace has files, 8 more for the pages seen in a leaf
/// (<see cref="PageNumbering.PerLeaf"/>), and 5.4 to 10.7 bytes of table or 4 to 16 of array: at most 32 bytes a distinct key,
/// plus one page of the operating system for the table and each column.
/// </para>
/// <para>
/// <see cref="Map"/> works in groups and in phases (hash, load the home slots, probe, compare keys), because
/// the loads of one phase don't depend on one another: the processor then has many cache misses under way at
/// once.
/// </para>
/// </summary>
public sealed partial class IdMap : IDisposable
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
    private const uint NoNumber = uint.MaxValue;
    private const int GroupLength = 256;
    private const ulong FileSalt = 0x9E3779B97F4A7C15;

    // Growing by a 32nd keeps what is committed and unused small; the addresses never move, so it copies nothing.
    private const int GrowthShift = 5;

    private readonly MemoryMeter _meter;
    private readonly NativeColumn<ulong> _keys;
    private readonly NativeColumn<int>? _files;
    private readonly NativeColumn<ulong>? _pagesSeen;
    private readonly long _countMax;
    private readonly int _keyShift;

    // One of the two is there.
    private NativeColumn<uint>? _table;
    private NativeColumn<uint>? _direct;
    private bool _wasDirect;
    private ulong _keyMax;
    private int _slotBits = SlotBitsMin;
    private long _growAt;

    /// <summary>Makes an empty map.</summary>
    /// <param name="numbering">How pages are numbered.</param>
    /// <param name="hasFiles">False where every page belongs to file 0; then files take no memory.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public IdMap(PageNumbering numbering, bool hasFiles)
        : this(numbering, hasFiles, CountMaxOf(numbering), MemoryMeter.Process) { }

    /// <summary>For tests: a map that is full after a few keys, with a meter of its own.</summary>
    internal IdMap(PageNumbering numbering, bool hasFiles, long countMax, MemoryMeter meter)
    {
        Numbering = numbering;
        _countMax = countMax;
        _meter = meter;
        _keyShift = numbering == PageNumbering.PerLeaf ? LeafBits : 0;
        try
        {
            _keys = new NativeColumn<ulong>("id map keys", countMax, meter);
            if (hasFiles) _files = new NativeColumn<int>("id map files", countMax, meter);
            if (numbering == PageNumbering.PerLeaf)
                _pagesSeen = new NativeColumn<ulong>("id map pages", countMax, meter);
            MakeTable();
        }
        catch (NativeMemoryException)
        {
            Dispose();
            throw;
        }
    }

    /// <summary>How pages are numbered.</summary>
    public PageNumbering Numbering { get; }

    /// <summary>The distinct pages mapped so far, or since <see cref="RestartCounting"/>.</summary>
    public long Pages { get; private set; }

    /// <summary>The distinct keys: pages, or leaves of 64 pages.</summary>
    public long Count { get; private set; }

    /// <summary>Native bytes in use by the table and the columns.</summary>
    public long Bytes => (_table?.CommittedBytes ?? 0) + (_direct?.CommittedBytes ?? 0) + _keys.CommittedBytes
        + (_files?.CommittedBytes ?? 0) + (_pagesSeen?.CommittedBytes ?? 0);

    /// <summary>Writes the number of every page, making numbers for the new ones.</summary>
    /// <param name="ids">The pages' ids.</param>
    /// <param name="files">The pages' file numbers, or empty where the trace has none.</param>
    /// <param name="numbers">Receives as many numbers as there are ids.</param>
    /// <exception cref="OverflowException">There are more distinct keys than numbers.</exception>
    /// <exception cref="NativeMemoryException">The map cannot grow.</exception>
    public void Map(ReadOnlySpan<ulong> ids, ReadOnlySpan<int> files, Span<uint> numbers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(numbers.Length, ids.Length);
        if (_files is null) files = default;
        else ArgumentOutOfRangeException.ThrowIfNotEqual(files.Length, ids.Length);
        for (int start = 0; start < ids.Length; start += GroupLength)
        {
            int length = Math.Min(GroupLength, ids.Length - start);
            ReadOnlySpan<int> groupFiles = files.IsEmpty ? files : files.Slice(start, length);
            if (_direct is not null) MapDirect(ids.Slice(start, length), numbers[start..]);
            else MapGroup(ids.Slice(start, length), groupFiles, numbers[start..]);
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
        if (_pagesSeen is null) return;
        for (long leaf = 0; leaf < Count; leaf++) _pagesSeen.View[(ulong)leaf] = 0;
    }

    /// <summary>The page that has the number, as the trace named it.</summary>
    public (int File, ulong Id) PageOf(uint number)
    {
        uint index = number >> _keyShift;
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
        ulong place = number & ((1UL << _keyShift) - 1);
        return (FileOf(index), (_keys.View[index] << _keyShift) | place);
    }

    /// <summary>Gives all native memory back.</summary>
    public void Dispose()
    {
        _table?.Dispose();
        _direct?.Dispose();
        _keys?.Dispose();
        _files?.Dispose();
        _pagesSeen?.Dispose();
        Count = 0;
    }

    /// <summary>Turns leaf numbers into page numbers and marks the pages as seen.</summary>
    private void CountPages(ReadOnlySpan<ulong> ids, Span<uint> numbers)
    {
        NativeArray<ulong> pagesSeen = _pagesSeen!.View;
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

    /// <summary>Gives a key the next number.</summary>
    private uint Add(ulong key, int file)
    {
        if (Count == _countMax) ThrowFull();
        uint number = (uint)Count;
        EnsureRoom(_keys, number);
        _keys.View[number] = key;
        if (_files is not null)
        {
            EnsureRoom(_files, number);
            _files.View[number] = file;
        }

        // Fresh memory is zero: no page of the leaf is seen yet.
        if (_pagesSeen is not null) EnsureRoom(_pagesSeen, number);
        _keyMax = Math.Max(_keyMax, key);
        Count = number + 1L;
        return number;
    }

    private static void EnsureRoom<TValue>(NativeColumn<TValue> column, uint index) where TValue : unmanaged
    {
        if (index < column.Length) return;
        long grown = index + 1L + (column.Length >> GrowthShift);
        column.EnsureLengthExact(Math.Min(grown, column.LengthMax));
    }

    private static long CountMaxOf(PageNumbering numbering) =>
        numbering == PageNumbering.Dense ? PageCountMax : LeafCountMax;

    private int FileOf(uint number) => _files is null ? 0 : _files.View[number];

    private void ThrowFull() => throw new OverflowException(Numbering == PageNumbering.Dense
        ? $"more than {_countMax:N0} distinct pages, the most that can be numbered; give --limit"
        : $"more than {_countMax:N0} distinct runs of 64 pages, the most that the linux-* policies can number; "
            + "give --limit, or policies without linux-*");
}
