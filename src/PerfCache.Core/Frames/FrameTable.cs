// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Memory;

namespace PerfCache.Frames;

/// <summary>What a hit reads of a frame: 16 bytes, so four frames share a cache line and none straddles two.</summary>
[StructLayout(LayoutKind.Explicit, Size = Bytes)]
public struct FrameHead
{
    internal const int Bytes = 16;

    /// <summary>The page in the frame; its last page after an eviction.</summary>
    [FieldOffset(0)] public PageKey Key;

    /// <summary>The packed state.</summary>
    [FieldOffset(8)] public FrameState State;

    /// <summary>The state as the plain word that atomic operations work on.</summary>
    [FieldOffset(8)] internal ulong Word;

    /// <summary>The low byte of <see cref="State"/>: storing it alone touches no other bit.</summary>
    [FieldOffset(8)] public byte Referenced;

    /// <summary>
    /// The second byte of <see cref="State"/>: all flags. Whoever holds the cache's lock stores it alone; pins and version,
    /// which others change without the lock, are in other bytes.
    /// </summary>
    [FieldOffset(9)] internal byte Flags;
}

/// <summary>The neighbours of a frame on its list; both 0 when it is on none.</summary>
[StructLayout(LayoutKind.Explicit, Size = 8)]
public struct FrameLink
{
    /// <summary>The next frame towards the head (the youngest).</summary>
    [FieldOffset(0)] public uint Previous;

    /// <summary>The next frame towards the tail (the oldest).</summary>
    [FieldOffset(4)] public uint Next;
}

/// <summary>Who owns a frame and where its memory lies.</summary>
[StructLayout(LayoutKind.Explicit, Size = 4)]
public struct FrameOwner
{
    /// <summary>The domain (a virtual machine, a partition of a cache) that the frame is charged to; of a frame that is
    /// free, the last one.</summary>
    [FieldOffset(0)] public ushort Domain;

    /// <summary>The NUMA node of the frame's memory, by its index among the nodes of the cache.</summary>
    [FieldOffset(2)] public byte Node;

    /// <summary>1 when the frame is off the rule's lists because somebody holds it.</summary>
    [FieldOffset(3)] internal byte Held;
}

/// <summary>
/// All frames of a cache, as columns in native memory, indexed by <see cref="FrameId"/>.
/// </summary>
/// <remarks>
/// <code>
/// column   bytes  touched by
/// head        16  every hit of a flag rule (read; written only when a mark is not yet set), insert, evict
/// link         8  every hit of a list rule, activation, insert, evict
/// slot         4  evict (the page's place in the index, so that eviction looks nothing up), insert
/// owner        4  allocation, accounting
///             32  a frame, and 32 for each extra row
/// </code>
/// Rows: 0 is reserved; 1 to <see cref="FrameCount"/> are data frames; then come the extra rows that a rule asks for
/// (ghosts); then <see cref="ListMax"/> rows whose link is the head of a list and whose other columns are unused. All but
/// the first 16 of those have addresses only, and their links get memory when a list takes one. Behind them is address
/// space for further extra rows (<see cref="AddExtraRows"/>), for caches that are divided among several rules.
/// Columns are separate because the paths above want different ones: four heads or eight links share a cache line.
/// <para>Equations that always hold, for each row r:</para>
/// <para>F1: link(r).Next = 0 if and only if link(r).Previous = 0: a frame is on one list or on none.</para>
/// <para>F2: state(r) is live if and only if the index slot named by slot(r) holds frame r.</para>
/// <para>F3: free + live = FrameCount, but for frames that the cache has taken for itself (CacheSpace, C1 to C5).</para>
/// The table is mechanism only: it owns memory and decides nothing. It is not synchronised.
/// </remarks>
public sealed class FrameTable : IDisposable
{
    /// <summary>Metadata bytes of a frame, the index not included.</summary>
    public const int BytesPerFrame = 16 + 8 + 4 + 4;

    /// <summary>The most lists at a time: rows that serve as list heads.</summary>
    public const uint ListMax = 1000;

    /// <summary>List rows that have memory from the start.</summary>
    private const uint ListsAtStart = 16;

    private readonly NativeColumn<FrameHead> _heads;
    private readonly NativeColumn<FrameLink> _links;
    private readonly NativeColumn<uint> _slots;
    private readonly NativeColumn<FrameOwner> _owners;
    private readonly NativeArray<FrameHead> _head;
    private readonly NativeArray<FrameLink> _link;
    private readonly NativeArray<uint> _slot;
    private readonly NativeArray<FrameOwner> _owner;
    private readonly Stack<uint> _freeListRows = [];
    private readonly List<(uint First, uint Count)> _freeExtraRows = [];
    private readonly uint _firstListRow;
    private uint _nextExtraRow;
    private uint _listCount;

    /// <summary>Makes a table whose frames are all free and were never used.</summary>
    /// <param name="frameCount">The number of data frames, 1 to <see cref="FrameId.CountMax"/>.</param>
    /// <param name="extraRowCount">The number of rows beyond them that the rule asked for.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <param name="laterRowMax">Extra rows that may be added later.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public FrameTable(uint frameCount, uint extraRowCount, MemoryMeter meter, uint laterRowMax = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frameCount, 1u);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(
            frameCount + (ulong)extraRowCount + laterRowMax, FrameId.CountMax);
        FrameCount = frameCount;
        ExtraRowCount = extraRowCount;
        _firstListRow = 1 + frameCount + extraRowCount;
        _nextExtraRow = _firstListRow + ListMax;
        RowCount = _nextExtraRow + laterRowMax;
        try
        {
            uint rows = _firstListRow + ListsAtStart;
            _heads = Column<FrameHead>("frame heads", rows, RowCount, meter);
            _links = Column<FrameLink>("frame links", rows, RowCount, meter);
            _slots = Column<uint>("frame slots", rows, RowCount, meter);
            _owners = Column<FrameOwner>("frame owners", rows, RowCount, meter);
        }
        catch (NativeMemoryException)
        {
            Dispose();
            throw;
        }

        _head = _heads.View;
        _link = _links.View;
        _slot = _slots.View;
        _owner = _owners.View;
    }

    /// <summary>The number of data frames.</summary>
    public uint FrameCount { get; }

    /// <summary>The number of rows beyond the data frames that a rule may use.</summary>
    public uint ExtraRowCount { get; }

    /// <summary>All rows there may be, the reserved one and the list heads included.</summary>
    public uint RowCount { get; }

    /// <summary>Native bytes in use.</summary>
    public long NativeBytes =>
        _heads.CommittedBytes + _links.CommittedBytes + _slots.CommittedBytes + _owners.CommittedBytes;

    /// <summary>All heads, by row: for loops that keep the view in a register.</summary>
    internal NativeArray<FrameHead> Heads => _head;

    /// <summary>All owners, by row.</summary>
    internal NativeArray<FrameOwner> Owners => _owner;

    /// <summary>All links, by row.</summary>
    internal NativeArray<FrameLink> Links => _link;

    /// <summary>All places in the index, by row.</summary>
    internal NativeArray<uint> Slots => _slot;

    /// <summary>The head of a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref FrameHead Head(FrameId frame) => ref _head[frame.Value];

    /// <summary>The state of a frame.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref FrameState State(FrameId frame) => ref _head[frame.Value].State;

    /// <summary>True when the frame is on the active list, or on its way there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsActive(FrameId frame) => (_head[frame.Value].Flags & FrameState.FlagByte(FrameState.Active)) != 0;

    /// <summary>Sets flags of a frame, and no other bit of its state: other threads may be changing those.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="flags">Flags of <see cref="FrameState"/>; the referenced byte is not one.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetFlags(FrameId frame, ulong flags)
    {
        ref byte byteOfFlags = ref _head[frame.Value].Flags;
        byteOfFlags = (byte)(byteOfFlags | FrameState.FlagByte(flags));
    }

    /// <summary>Clears flags of a frame, and no other bit of its state.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="flags">Flags of <see cref="FrameState"/>.</param>
    /// <param name="thenSet">Flags to set in the same store.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void ClearFlags(FrameId frame, ulong flags, ulong thenSet = 0)
    {
        ref byte byteOfFlags = ref _head[frame.Value].Flags;
        byteOfFlags = (byte)((byteOfFlags & ~FrameState.FlagByte(flags)) | FrameState.FlagByte(thenSet));
    }

    /// <summary>Stores the referenced byte of a frame, and no other bit of its state.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SetReferenced(FrameId frame, byte referenced) => _head[frame.Value].Referenced = referenced;

    /// <summary>The page in a frame.</summary>
    public PageKey Key(FrameId frame) => _head[frame.Value].Key;

    /// <summary>The owner of a frame.</summary>
    public ref FrameOwner Owner(FrameId frame) => ref _owner[frame.Value];

    /// <summary>True when the frame is on a list.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsOnList(FrameId frame) => _link[frame.Value].Next != 0;

    /// <summary>The links of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref FrameLink Link(uint row) => ref _link[row];

    /// <summary>The place of the frame's page in the index.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ref uint Slot(FrameId frame) => ref _slot[frame.Value];

    /// <summary>Hints that the head will be read soon.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchHead(uint row) => _head.Prefetch(row);

    /// <summary>Hints that the slot's address will be read soon.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchSlot(uint row) => _slot.Prefetch(row);

    /// <summary>Hints that a ghost will be taken off its list and dropped soon.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void PrefetchGhost(FrameId ghost)
    {
        _link.Prefetch(ghost.Value);
        _slot.Prefetch(ghost.Value);
    }

    /// <summary>Takes a list row that is not used.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    internal uint AllocateListRow()
    {
        if (_freeListRows.TryPop(out uint freed)) return freed;
        Invariant.Check(_listCount < ListMax, "FrameTable", $"at most {ListMax} lists", _listCount);
        uint row = _firstListRow + _listCount;
        _links.EnsureLengthExact(row + 1L);
        _listCount++;
        return row;
    }

    /// <summary>Takes neighbouring rows that are all zero, beyond <see cref="ExtraRowCount"/>.</summary>
    /// <returns>The first.</returns>
    /// <exception cref="NativeMemoryException">The memory cannot be had, or there are too many.</exception>
    internal uint AddExtraRows(uint count)
    {
        if (count == 0) return _nextExtraRow;
        int best = -1;
        for (int i = 0; i < _freeExtraRows.Count; i++)
            if (_freeExtraRows[i].Count >= count && (best < 0 || _freeExtraRows[i].Count < _freeExtraRows[best].Count)) best = i;
        if (best >= 0)
        {
            (uint first, uint length) = _freeExtraRows[best];
            _freeExtraRows.RemoveAt(best);
            if (length > count) _freeExtraRows.Add((first + count, length - count));
            return first;
        }

        long rows = (long)_nextExtraRow + count;
        _heads.EnsureLengthExact(rows);
        _links.EnsureLengthExact(rows);
        _slots.EnsureLengthExact(rows);
        _owners.EnsureLengthExact(rows);
        uint added = _nextExtraRow;
        _nextExtraRow += count;
        return added;
    }

    /// <summary>Gives rows back that <see cref="AddExtraRows"/> gave, and which nothing names any more.</summary>
    internal void FreeExtraRows(uint first, uint count)
    {
        if (count == 0) return;
        _head.AsSpan(first, (int)count).Clear();
        _link.AsSpan(first, (int)count).Clear();
        _slot.AsSpan(first, (int)count).Clear();
        _owner.AsSpan(first, (int)count).Clear();
        _freeExtraRows.Add((first, count));
        // Neighbours become one again.
        _freeExtraRows.Sort();
        for (int i = _freeExtraRows.Count - 1; i > 0; i--)
        {
            (uint before, uint length) = _freeExtraRows[i - 1];
            if (before + length != _freeExtraRows[i].First) continue;
            _freeExtraRows[i - 1] = (before, length + _freeExtraRows[i].Count);
            _freeExtraRows.RemoveAt(i);
        }
    }

    /// <summary>Gives the row of an empty list back.</summary>
    internal void FreeListRow(uint row)
    {
        _link[row] = default;
        _freeListRows.Push(row);
    }

    /// <summary>Gives all memory back.</summary>
    public void Dispose()
    {
        _heads?.Dispose();
        _links?.Dispose();
        _slots?.Dispose();
        _owners?.Dispose();
    }

    private static NativeColumn<T> Column<T>(string purpose, uint rows, uint rowsMax, MemoryMeter meter) where T : unmanaged
    {
        NativeColumn<T> column = new(purpose, rowsMax, meter);
        try
        {
            column.EnsureLengthExact(rows);
        }
        catch (NativeMemoryException)
        {
            column.Dispose();
            throw;
        }

        return column;
    }
}
