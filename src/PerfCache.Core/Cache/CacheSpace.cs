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
/// <para>C1: free + frames in the index = <see cref="FrameCount"/>.</para>
/// </remarks>
public sealed partial class CacheSpace : IDisposable
{
    private readonly MemoryMeter _meter;

    /// <param name="frameCount">The frames there may ever be.</param>
    /// <param name="extraRowCount">Rows beyond the frames: ghosts.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <param name="shared">True when threads find and hold frames without the lock.</param>
    internal CacheSpace(uint frameCount, uint extraRowCount, MemoryMeter meter, bool shared = false)
    {
        IsShared = shared;
        _meter = meter;
        FrameCount = frameCount;
        Frames = new FrameTable(frameCount, extraRowCount, meter);
        try
        {
            Index = new PageIndex(Frames, meter) { KeepsDirectories = shared };
        }
        catch (NativeMemoryException)
        {
            Frames.Dispose();
            throw;
        }

        Pool = new FramePool(Frames, node: 0, first: 1, frameCount);
        _ghosts = new FramePool(Frames, node: 0, first: frameCount + 1, extraRowCount);
        if (!shared) return;
        Held = new FrameList(Frames, "held frames");
        Limbo = new FrameList(Frames, "frames in limbo");
        Offline = new FrameList(Frames, "frames offline");
    }

    /// <summary>The frames.</summary>
    public FrameTable Frames { get; }

    /// <summary>The shadows.</summary>
    public ShadowStore Shadows => Index.Shadows;

    /// <summary>The number of frames: the size of the cache in pages.</summary>
    public uint FrameCount { get; private set; }

    /// <summary>The number of free frames.</summary>
    public uint FreeCount => Pool.FreeCount;

    /// <summary>The number of frames that hold a page.</summary>
    public uint ResidentCount => FrameCount - Pool.FreeCount;

    /// <summary>The number of frames that are in the rule's hands: all that are not free, held by somebody else, or on
    /// their way in or out.</summary>
    public uint RuleFrameCount => ResidentCount - OutsideCount;

    /// <summary>Leaves of the index, and nodes of sparse pages, each of which stands for a leaf with one page.</summary>
    public uint IndexLeafCount => Index.LeafCount;

    /// <summary>Activations, for the rule to count: pages that became active, by access or refault.</summary>
    public long Activations { get; set; }

    /// <summary>Refaults whose page became active at once, for the rule to count.</summary>
    public long RefaultActivations { get; set; }

    /// <summary>Deactivations, for the rule to count.</summary>
    public long Deactivations { get; set; }

    /// <summary>Pages evicted.</summary>
    public long Evictions { get; private set; }

    internal PageIndex Index { get; }

    internal FramePool Pool { get; }

    /// <summary>Makes an empty list.</summary>
    public FrameList NewList(string name) => new(Frames, name);

    /// <summary>Makes an empty pair of active and inactive list.</summary>
    public ActiveInactiveLists NewActiveInactiveLists() => new(Frames);

    /// <summary>Hints that a frame will be evicted soon: the slot of its page is brought near.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PrefetchForEviction(FrameId frame) => Index.PrefetchForEviction(Frames.Slot(frame));

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

    /// <summary>Drops the shadow-only leaf that lost its last page longest ago, with all its shadows.</summary>
    /// <returns>False when there is no such leaf.</returns>
    public bool DropOldestShadowLeaf() => Index.DropOldestShadowLeaf() > 0;

    /// <summary>Empties the slot of a frame that the rule has forgotten; the frame is free afterwards.</summary>
    internal void Remove(FrameId frame)
    {
        Index.ClearFrame(Frames.Slot(frame));
        ref FrameState state = ref Frames.State(frame);
        state = state.Freed();
        Pool.Free(frame);
    }

    internal void Validate()
    {
        Pool.Validate();
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
        DisposeColumns();
        Index.Dispose();
        Frames.Dispose();
    }
}
