// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Cache;

/// <summary>
/// The mechanism of one cache as its rule sees it: frames, lists, shadows, and the verb that evicts.
/// </summary>
/// <remarks>
/// It decides nothing. Which frame goes, which shadow it leaves and how many shadows are kept are the rule's choice.
/// <para>C1: free + set aside + frames in the index = <see cref="FrameCount"/>.</para>
/// </remarks>
public sealed partial class CacheSpace : IDisposable
{
    /// <summary>How often a cache asks its rule to reclaim without any effect, as the kernel does (mm/memcontrol.c).</summary>
    internal const int ReclaimTriesMax = 16;

    /// <summary>Below this size all frames are in a core's own cache, and there is nothing to walk ahead for.</summary>
    private const uint ScoutFrameMin = 16 * 1024;

    private readonly MemoryMeter _meter;
    private readonly bool _scoutingPays;
    private FrameList? _aside;

    /// <param name="frameCount">The frames there may ever be.</param>
    /// <param name="extraRowCount">Rows beyond the frames: ghosts.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <param name="shared">True when threads find and hold frames without the lock.</param>
    /// <param name="nodes">Of a shared space: how its frames are dealt out to nodes; null for one node.</param>
    internal CacheSpace(
        uint frameCount, uint extraRowCount, MemoryMeter meter, bool shared = false, NodeLayout? nodes = null)
    {
        IsShared = shared;
        _meter = meter;
        _scoutingPays = frameCount > ScoutFrameMin;
        _frameCount = frameCount;
        // Of a shared space, the first partition has them (on its first node), and further ones have more.
        ulong laterRows = extraRowCount * (((ulong)(nodes?.NodeCount ?? 1) * PartitionsMax) - 1);
        uint laterRowMax = (uint)Math.Min(laterRows, FrameId.CountMax - frameCount - extraRowCount);
        Frames = new FrameTable(frameCount, extraRowCount, meter, shared ? laterRowMax : 0);
        try
        {
            Index = new PageIndex(Frames, meter) { KeepsDirectories = shared };
        }
        catch (NativeMemoryException)
        {
            Frames.Dispose();
            throw;
        }

        Shadows = Index.Shadows;
        _firstGhost = frameCount + 1;
        GhostCountMax = shared ? 0 : extraRowCount;
        try
        {
            if (shared) Pools = new NodePools(Frames, nodes ?? NodeLayout.OneNode(frameCount));
            Pool = Pools?[0] ?? new FramePool(Frames, node: 0, first: 1, frameCount);
            _ghosts = new FramePool(Frames, node: 0, _firstGhost, GhostCountMax);
            if (!shared) return;
            Limbo = new FrameList(Frames, "frames in limbo");
            _offline = [.. Enumerable.Range(0, Pools!.NodeCount).Select(_ => new FrameList(Frames, "frames offline"))];
        }
        catch
        {
            Index.Dispose();
            Frames.Dispose();
            throw;
        }
    }

    /// <summary>The frames.</summary>
    public FrameTable Frames { get; }

    /// <summary>The shadows, of the rule's own pages.</summary>
    public ShadowStore Shadows { get; }

    /// <summary>The number of frames: the size of the cache in pages; in a partition, the most that it may have, on this
    /// node.</summary>
    public uint FrameCount => _whole is null ? _frameCount : Math.Min(_frameCount, _whole.OnlineCount(Node));

    /// <summary>The number of free frames, in a partition those of this node. Those of a partitioned cache are
    /// nobody's.</summary>
    public uint FreeCount => FreeInPools;

    /// <summary>The number of frames that hold a page, or will when its load has ended.</summary>
    public uint ResidentCount => _whole is null ? _frameCount - FreeInPools - AsideCount : _chargedCount;

    /// <summary>The number of frames that are in the rule's hands: all that are not free, held by somebody else, or on
    /// their way in or out.</summary>
    public uint RuleFrameCount => ResidentCount - OutsideCount;

    /// <summary>Leaves of the index, of the rule's own pages, and their nodes, each of which stands for a leaf with one
    /// page.</summary>
    public uint IndexLeafCount => Shadows.IndexLeafCount;

    /// <summary>Activations, for the rule to count: pages that became active, by access or refault.</summary>
    public long Activations { get; set; }

    /// <summary>Refaults whose page became active at once, for the rule to count.</summary>
    public long RefaultActivations { get; set; }

    /// <summary>Deactivations, for the rule to count.</summary>
    public long Deactivations { get; set; }

    /// <summary>Pages evicted.</summary>
    public long Evictions { get; private set; }

    /// <summary>Frames that the owner of the memory uses for something else at the moment.</summary>
    internal uint AsideCount => _aside?.Count ?? 0;

    internal PageIndex Index { get; }

    /// <summary>The free frames; of a partition, those of its node; of a whole with several nodes, those of the first.
    /// </summary>
    internal FramePool Pool { get; }

    /// <summary>The free frames of all nodes; null where the space is not shared, and in a partition.</summary>
    internal NodePools? Pools { get; }

    private uint FreeInPools => Pools is null ? Pool.FreeCount : Pools.FreeCount;

    /// <summary>Makes an empty list.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public FrameList NewList(string name)
    {
        FrameList list = new(Frames, name);
        _lists?.Add(list);
        return list;
    }

    /// <summary>Makes an empty pair of active and inactive list.</summary>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public ActiveInactiveLists NewActiveInactiveLists() => new(Frames, NewList("active list"), NewList("inactive list"));

    /// <summary>Hints that a frame will be evicted soon: the slot of its page is brought near.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchForEviction(FrameId frame) => Index.PrefetchForEviction(Frames.Slot(frame));

    /// <summary>Brings what the next evictions from a list's tail will touch near, one step with each call; nothing where
    /// the cache is so small that all of it is near.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchNextVictim(FrameList list)
    {
        if (_scoutingPays) PrefetchForEviction(list.PrefetchVictim());
    }

    /// <summary>As the other, for rules whose next victim is looked for from a hand on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchNextVictim(FrameList list, FrameId hand)
    {
        if (_scoutingPays) PrefetchForEviction(list.PrefetchVictim(hand));
    }

    /// <summary>Evicts the page of a frame that the rule has taken off its lists; the frame is free afterwards.</summary>
    /// <param name="victim">The frame.</param>
    /// <param name="shadow">What the page leaves in its slot, or <see cref="ShadowEntry.None"/>.</param>
    /// <returns>False when the frame is held: then the rule must forget it until it comes back by
    /// <see cref="IReplacementRules.OnInsert"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Evict(FrameId victim, ShadowEntry shadow)
    {
        if (IsShared) return EvictShared(victim, shadow);
        Evictions++;
        EvictCore(victim, shadow);
        return true;
    }

    /// <summary>
    /// Evicts a batch of frames that the rule has taken off its lists; they are free afterwards. Each page leaves a
    /// shadow with the workingset mark of its frame and the next age.
    /// </summary>
    /// <param name="victims">The frames.</param>
    /// <param name="format">The rule's shadow format.</param>
    /// <param name="firstAge">The age in the first frame's shadow; each that follows gets one more.</param>
    /// <param name="list">The list number in the shadows.</param>
    /// <returns>The number of frames evicted. Frames that are held are not; the rule must forget them until they come
    /// back by <see cref="IReplacementRules.OnInsert"/>.</returns>
    public int Evict(ReadOnlySpan<FrameId> victims, in ShadowFormat format, ulong firstAge, uint list)
    {
        if (IsShared) return EvictShared(victims, in format, firstAge, list);
        Index.ReplaceByShadows(victims, format, firstAge, list);
        Pool.Free(victims);
        Evictions += victims.Length;
        return victims.Length;
    }

    /// <summary>Takes the oldest frames off a list and evicts their pages, oldest first, each leaving a shadow as in
    /// <see cref="Evict(ReadOnlySpan{FrameId}, in ShadowFormat, ulong, uint)"/>.</summary>
    /// <param name="list">The rule's list.</param>
    /// <param name="taken">Room for the frames; its length is the most that go.</param>
    /// <param name="format">The rule's shadow format.</param>
    /// <param name="firstAge">The age in the first frame's shadow; each that follows gets one more.</param>
    /// <param name="shadowList">The list number in the shadows.</param>
    /// <returns>The number of frames evicted; those that are held are off the list and must be forgotten.</returns>
    public int EvictTail(
        FrameList list, Span<FrameId> taken, in ShadowFormat format, ulong firstAge, uint shadowList)
    {
        if (IsShared) return EvictShared(taken[..list.TakeTail(taken)], in format, firstAge, shadowList);
        int count = (int)Math.Min((uint)taken.Length, list.Count);
        if (count == 0) return 0;
        ShadowPacker packer = format.PackerFor(shadowList);
        FrameTable frames = Frames;
        PageIndex index = Index;
        FramePool pool = Pool;
        FrameList.TailCut cut = list.BeginTailCut();
        for (int i = 0; i < count; i++)
        {
            FrameId frame = cut.Take();
            ref FrameState state = ref frames.State(frame);
            index.ReplaceByShadow(frames.Slot(frame), packer.Pack(firstAge + (uint)i, state));
            state = state.Freed();
        }

        pool.Free(cut.End());
        Evictions += count;
        return count;
    }

    /// <summary>Evicts the page that a rule has taken (<see cref="IReplacementRules.TakeVictim"/>); the frame is free
    /// afterwards.</summary>
    /// <param name="victim">The frame, or <see cref="FrameId.None"/>.</param>
    /// <param name="ghost">The ghost that stands for its page, or <see cref="FrameId.None"/>.</param>
    /// <returns>The number of frames freed: 1, or 0 where there is no victim or somebody holds it.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int EvictTaken(FrameId victim, FrameId ghost)
    {
        if (victim.IsNone) return 0;
        bool frees = ghost.IsNone ? Evict(victim, ShadowEntry.None) : EvictToGhost(victim, ghost);
        return frees ? 1 : 0;
    }

    /// <summary>Drops the shadow-only leaf that lost its last page longest ago, with all its shadows.</summary>
    /// <returns>False when there is no such leaf.</returns>
    public bool DropOldestShadowLeaf() => Index.DropOldestShadowLeaf(Shadows) > 0;

    /// <summary>Takes free frames out of use. Of a space that is not shared.</summary>
    /// <returns>The number taken: at most those that are free.</returns>
    internal uint SetAside(uint count)
    {
        _aside ??= NewList("frames set aside");
        uint taken = Math.Min(count, Pool.FreeCount);
        for (uint i = 0; i < taken; i++) _aside.PushHead(Pool.Allocate());
        return taken;
    }

    /// <summary>Frames that were set aside are free again.</summary>
    /// <returns>The number freed: at most those that were set aside.</returns>
    internal uint BringBack(uint count)
    {
        uint freed = Math.Min(count, AsideCount);
        for (uint i = 0; i < freed; i++) Pool.Free(_aside!.PopTail());
        return freed;
    }

    /// <summary>Empties the slot of a frame that the rule has forgotten; the frame is free afterwards.</summary>
    internal void Remove(FrameId frame)
    {
        Index.ClearFrame(Frames.Slot(frame));
        ref FrameState state = ref Frames.State(frame);
        state = state.Freed();
        Pool.Free(frame);
    }

    /// <summary>Evicts the page that a rule has taken, and lets the frame have another one at once; of a space that is not
    /// shared.</summary>
    /// <param name="victim">The frame.</param>
    /// <param name="ghost">The ghost that stands for its page, or <see cref="FrameId.None"/>.</param>
    /// <param name="address">The slot of the page that comes in, which holds no frame.</param>
    /// <returns>The shadow that was there, or <see cref="ShadowEntry.None"/>. The frame is not live yet.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ShadowEntry Replace(FrameId victim, FrameId ghost, uint address)
    {
        Invariant.Assert(!IsShared, nameof(CacheSpace), "a space that is not shared", victim.Value);
        Evictions++;
        ref FrameState state = ref Frames.State(victim);
        state = state.Freed();
        if (ghost.IsNone) return Index.Move(victim, address);
        uint left = Frames.Slot(victim);
        // The new slot first: a leaf that loses its last frame goes, and both may be in the same one.
        ShadowEntry shadow = Index.Install(address, victim);
        Frames.Slot(ghost) = left;
        Index.ReplaceByShadow(left, ShadowEntry.ForGhost(ghost));
        return shadow;
    }

    internal void Validate()
    {
        if (Pools is null) Pool.Validate();
        else Pools.Validate();
        Index.Validate();
        uint live = 0;
        for (uint row = 1; row <= Frames.FrameCount; row++)
            if (Frames.State(new FrameId(row)).IsLive) live++;
        ValidateGhosts();
        uint expected = ResidentCount - (IsShared ? ValidateShared() : 0);
        Invariant.Check(live == expected, nameof(CacheSpace), $"C1: {expected} live frames", live);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void EvictCore(FrameId victim, ShadowEntry shadow)
    {
        uint address = Frames.Slot(victim);
        if (shadow.IsNone) Index.ClearFrame(address);
        else Index.ReplaceByShadow(address, shadow);
        ref FrameState state = ref Frames.State(victim);
        state = state.Freed();
        Pool.Free(victim);
    }

    /// <summary>Gives all native memory back.</summary>
    public void Dispose()
    {
        foreach (CacheSpace partition in _partitions) partition.DisposeColumns();
        DisposeColumns();
        Index.Dispose();
        Frames.Dispose();
    }
}
