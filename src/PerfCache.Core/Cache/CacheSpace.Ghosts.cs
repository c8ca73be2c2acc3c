// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Cache;

/// <summary>What a rule may remember beyond its resident pages: ghosts, and columns of its own.</summary>
/// <remarks>
/// A ghost is a row of the frame table beyond the frames. It stands for a page that is gone: it can be on a list, has
/// flags and a key as a frame has, and no data. The page's slot in the index names the ghost, so a miss finds it by the
/// lookup that it does anyway, and there is no second map from pages to ghosts.
/// <code>
/// evict to a ghost   slot: frame f ─► shadow, row g      slot(g) = the slot's address; f is free
/// the page is back   slot: shadow, row g ─► frame f'     slot(g) = 0; the rule is told of g and drops it
/// drop               slot(g) is emptied, if it is not 0; g is free
/// </code>
/// <para>G1: a ghost row g is free, or slot(g) = 0, or the slot at slot(g) holds the shadow that names g.</para>
/// </remarks>
public sealed partial class CacheSpace
{
    private readonly FramePool _ghosts;
    private readonly uint _firstGhost;
    private readonly List<IRuleColumn> _columns = [];

    /// <summary>What a column of a rule is to the space.</summary>
    private interface IRuleColumn : IDisposable
    {
        long Bytes { get; }
    }

    /// <summary>The number of ghosts there may be (<see cref="IReplacementRules.GhostRowCount"/>).</summary>
    public uint GhostCountMax { get; }

    /// <summary>The number of ghosts.</summary>
    public uint GhostCount => GhostCountMax - _ghosts.FreeCount;

    /// <summary>Native bytes of the rule's own columns.</summary>
    internal long RuleBytes
    {
        get
        {
            long bytes = 0;
            foreach (IRuleColumn column in _columns) bytes += column.Bytes;
            return bytes;
        }
    }

    /// <summary>
    /// Evicts the page of a frame that the rule has taken off its lists, and lets a ghost stand for it; the frame is free
    /// afterwards.
    /// </summary>
    /// <param name="victim">The frame.</param>
    /// <param name="ghost">The ghost: on no list, without flags, with the page's key.</param>
    /// <returns>False when the frame is held: then there is no ghost, and the rule must forget the frame until it comes
    /// back by <see cref="IReplacementRules.OnInsert"/>.</returns>
    /// <exception cref="InvariantException">All <see cref="GhostCountMax"/> ghosts are in use.</exception>
    public bool EvictToGhost(FrameId victim, out FrameId ghost)
    {
        ghost = AllocateGhost();
        uint address = Frames.Slot(victim);
        PageKey key = Frames.Key(victim);
        if (!Evict(victim, ShadowEntry.ForGhost(ghost)))
        {
            _ghosts.Free(ghost);
            ghost = FrameId.None;
            return false;
        }

        NameGhost(ghost, key);
        Frames.Slot(ghost) = address;
        return true;
    }

    /// <summary>
    /// A ghost that stands for the page of a frame, which stays resident: for rules that keep a page on two lists.
    /// </summary>
    /// <returns>The ghost: on no list, without flags, with the page's key. No slot names it.</returns>
    /// <exception cref="InvariantException">All <see cref="GhostCountMax"/> ghosts are in use.</exception>
    public FrameId AddGhost(FrameId frame)
    {
        FrameId ghost = AllocateGhost();
        NameGhost(ghost, Frames.Key(frame));
        Frames.Slot(ghost) = 0;
        return ghost;
    }

    /// <summary>
    /// Evicts the page of a frame that the rule has taken off its lists; a ghost that it has already
    /// (<see cref="AddGhost"/>) stands for it from now on.
    /// </summary>
    /// <returns>False when the frame is held, as in <see cref="Evict(FrameId, ShadowEntry)"/>.</returns>
    public bool EvictToGhost(FrameId victim, FrameId ghost)
    {
        uint address = Frames.Slot(victim);
        if (!Evict(victim, ShadowEntry.ForGhost(ghost))) return false;
        Frames.Slot(ghost) = address;
        return true;
    }

    /// <summary>Forgets a ghost that the rule has taken off its lists.</summary>
    public void DropGhost(FrameId ghost)
    {
        uint address = Frames.Slot(ghost);
        if (address != 0) Index.ClearShadow(address);
        Frames.Slot(ghost) = 0;
        _ghosts.Free(ghost);
    }

    /// <summary>Makes a column for the rule's own counters, zeroed; the cache frees it.</summary>
    /// <param name="purpose">What it is for, in messages.</param>
    /// <param name="length">Its entries.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public NativeArray<T> NewColumn<T>(string purpose, long length) where T : unmanaged
    {
        RuleColumn<T> column = new(purpose, length, _meter);
        _columns.Add(column);
        return column.View;
    }

    /// <summary>The page whose slot held this shadow has come back, or nobody may find it any more: the slot is not
    /// the ghost's from now on. The rule still has it on a list.</summary>
    internal void Orphan(ShadowEntry shadow) => Frames.Slot(shadow.Ghost) = 0;

    /// <summary>Empties a slot that holds a shadow, for another reason than the rule's.</summary>
    internal void ClearShadow(uint address)
    {
        if (Frames.ExtraRowCount > 0) Orphan(Index.Entry(address).Shadow);
        Index.ClearShadow(address);
    }

    private FrameId AllocateGhost()
    {
        FrameId ghost = _ghosts.Allocate();
        // The text is built only on failure: with every eviction it would cost more than the eviction.
        if (ghost.IsNone) Invariant.Check(false, nameof(CacheSpace), $"fewer than {GhostCountMax} ghosts", GhostCount);
        return ghost;
    }

    /// <summary>A word at a time: a head that is put together on the stack and copied whole has its load wait for both
    /// stores, which was a tenth of a miss.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void NameGhost(FrameId ghost, PageKey key)
    {
        ref FrameHead head = ref Frames.Head(ghost);
        head.Key = key;
        head.Word = 0;
    }

    private void ValidateGhosts()
    {
        _ghosts.Validate();
        HashSet<FrameId> free = [.. _ghosts.FreeFrames()];
        for (uint row = _firstGhost; row < _firstGhost + GhostCountMax; row++)
        {
            FrameId ghost = new(row);
            uint address = Frames.Slot(ghost);
            if (free.Contains(ghost) || address == 0) continue;
            SlotEntry entry = Index.Entry(address);
            Invariant.Check(entry.IsShadow && entry.Shadow.Ghost == ghost, nameof(CacheSpace),
                $"G1: the slot of ghost {row} to name it", entry.Packed);
        }
    }

    private void DisposeColumns()
    {
        foreach (IRuleColumn column in _columns) column.Dispose();
        _columns.Clear();
    }

    private sealed class RuleColumn<T>(string purpose, long length, MemoryMeter meter) : IRuleColumn where T : unmanaged
    {
        private readonly NativeColumn<T> _column = NativeColumn<T>.Whole(purpose, length, meter);

        public NativeArray<T> View => _column.View;

        public long Bytes => _column.CommittedBytes;

        public void Dispose() => _column.Dispose();
    }
}
