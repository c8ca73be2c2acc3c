// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>
/// Eviction while other threads find, pin and read frames without the lock. Everything here runs under the lock.
/// The frames of a shared space are charged to its partitions, of which there is at least one; so verbs that evict are
/// a partition's.
/// </summary>
/// <remarks>
/// Besides "free" and "in the rule's hands" a frame of a shared space can be in four places:
/// <para>C2: <em>held</em>: reclaim came by while it was pinned, dirty or being written; it is live and off the rule's
/// lists until it is let go. A page that was invalidated while pinned is held too, not live any more.</para>
/// <para>C3: <em>in limbo</em>: evicted, but a reader that holds no pin may still read it; not live.</para>
/// <para>C4: <em>private</em>: taken from the pool and not published yet (a load is under way); not live.</para>
/// <para>C5: <em>offline</em>: taken out of service when the cache became smaller; it has no memory.</para>
/// </remarks>
public sealed partial class CacheSpace
{
    private readonly FrameList[] _offline = [];

    /// <summary>True when threads find and hold frames without the lock.</summary>
    internal bool IsShared { get; }

    /// <summary>True when evicted frames must go to limbo: some reader reads without pins.</summary>
    internal bool UsesLimbo { get; set; }

    /// <summary>Frames of C2, of one partition.</summary>
    internal FrameList Held { get; } = null!;

    /// <summary>Frames of C2, of all partitions.</summary>
    internal uint HeldCount { get; private set; }

    /// <summary>Frames of C3.</summary>
    internal FrameList Limbo { get; } = null!;

    /// <summary>Frames of C5, of all nodes.</summary>
    internal uint OfflineCount
    {
        get
        {
            uint count = 0;
            foreach (FrameList offline in _offline) count += offline.Count;
            return count;
        }
    }

    /// <summary>The number of frames of C4: of this partition, or of all.</summary>
    internal uint PrivateCount => _whole is null ? SumPrivate() : _privateCount;

    /// <summary>Told of every page that is evicted or removed, when somebody wants to know.</summary>
    internal List<(PageKey Key, EvictionReason Reason)>? EvictionLog { get; set; }

    /// <summary>Offered each frame whose page reclaim has evicted, before the frame is free; of the whole.</summary>
    internal IEvictionTaker? EvictionTaker { get; set; }

    /// <summary>Frames that are not free and not in the rule's hands.</summary>
    internal uint OutsideCount
    {
        get
        {
            if (!IsShared) return 0;
            return _whole is null ? HeldCount + Limbo.Count + PrivateCount : Held.Count + PrivateCount;
        }
    }

    /// <summary>Where the bytes of pages are: told by the whole's owner, so that checked builds can poison those of freed
    /// frames.</summary>
    internal PageMemory? PageData { get; set; }

    /// <summary>What reclaim is for at the moment: the reason that is told for its evictions.</summary>
    internal EvictionReason ReasonOfReclaim { get; set; } = EvictionReason.Reclaimed;

    /// <summary>Frees a frame of this partition that is neither live nor pinned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void FreeDead(FrameId frame)
    {
        _chargedCount--;
        if (_whole!.UsesLimbo) _whole.Limbo.PushHead(frame);
        else FreeToPool(frame);
    }

    /// <summary>Frees a frame that nobody can read any more. Checked builds poison its bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FreeToPool(FrameId frame)
    {
        PrepareFree(frame);
        Pool.Free(frame);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void PrepareFree(FrameId frame)
    {
        _whole!.Poison(frame);
        // It will be filled soon: the first store waits for nobody, but the next locked operation waits for the store.
        _whole.PageData!.Prefetch(frame);
    }

    /// <summary>Frees all frames of C3, which no reader can read any more.</summary>
    internal void FreeLimbo()
    {
        for (FrameId frame = Limbo.PopTail(); !frame.IsNone; frame = Limbo.PopTail())
        {
            Poison(frame);
            Pools!.Free(frame);
        }
    }

    [Conditional("DEBUG")]
    [Conditional("PERFCACHE_VALIDATE")]
    private void Poison(FrameId frame) => PageData?.PoisonFreed(frame);

    /// <summary>True for a frame of C2.</summary>
    internal bool IsHeld(FrameId frame) => Frames.Owner(frame).Held != 0;

    /// <summary>Takes a frame off the held ones.</summary>
    internal void LetGo(FrameId frame)
    {
        Held.Remove(frame);
        _whole!.HeldCount--;
        Frames.Owner(frame).Held = 0;
    }

    /// <summary>True when reclaim has set a dirty frame aside since this was last cleared.</summary>
    internal bool MetDirty { get; set; }

    private void Hold(FrameId frame)
    {
        _whole!.MetDirty |= Frames.State(frame).Has(FrameState.Dirty);
        Frames.Owner(frame).Held = 1;
        Held.PushHead(frame);
        _whole.HeldCount++;
    }

    /// <summary>Sets a live frame aside that the rule has forgotten, and that somebody holds.</summary>
    internal void SetAside(FrameId frame) => Hold(frame);

    /// <summary>Makes a live frame dead, whoever holds it, which no slot names; it is held while it is pinned.</summary>
    /// <returns>Its state afterwards.</returns>
    internal FrameState Kill(FrameId frame)
    {
        FrameState dead = KillWord(frame);
        if (dead.Pins != 0) Hold(frame);
        else FreeDead(frame);
        return dead;
    }

    /// <summary>As V1 and V2, whoever holds the frame.</summary>
    /// <returns>Its state afterwards.</returns>
    private FrameState KillWord(FrameId frame)
    {
        ref ulong word = ref Frames.Head(frame).Word;
        ulong now = Volatile.Read(ref word);
        while (true)
        {
            FrameState dead = new FrameState(now).Freed();
            ulong seen = Interlocked.CompareExchange(ref word, dead.Packed, now);
            if (seen == now)
            {
                MemoryOrder.WriteBarrier();
                return dead;
            }

            now = seen;
        }
    }

    private bool EvictShared(FrameId victim, ShadowEntry shadow)
    {
        if (!TryKill(victim, out _))
        {
            Hold(victim);
            return false;
        }

        if (_whole!.EvictionTaker is not null) _whole.EvictionTaker.TakeEvicted(victim);
        uint address = Frames.Slot(victim);
        if (shadow.IsNone) Index.ClearFrame(address);
        else Index.ReplaceByShadow(address, shadow);
        FreeEvicted(victim);
        return true;
    }

    private int EvictShared(ReadOnlySpan<FrameId> victims, in ShadowFormat format, ulong firstAge, uint list)
    {
        ShadowPacker packer = format.PackerFor(list);
        CacheSpace whole = _whole!;
        NativeArray<FrameLink> links = Frames.Links;
        FramePiece freed = default;
        uint evicted = 0;
        foreach (FrameId victim in victims)
        {
            if (!TryKill(victim, out FrameState last))
            {
                Hold(victim);
                continue;
            }

            if (whole.EvictionTaker is not null) whole.EvictionTaker.TakeEvicted(victim);
            Index.ReplaceByShadow(Frames.Slot(victim), packer.Pack(firstAge + evicted++, last));
            whole.EvictionLog?.Add((Frames.Key(victim), whole.ReasonOfReclaim));
            if (whole.UsesLimbo)
            {
                whole.Limbo.PushHead(victim);
                continue;
            }

            PrepareFree(victim);
            // Chained in the order of eviction: pages that follow each other in memory are filled in that order.
            if (freed.Count == 0) freed = new FramePiece(victim.Value, victim.Value, 1);
            else
            {
                links[freed.Oldest].Next = victim.Value;
                freed = new FramePiece(freed.Youngest, victim.Value, freed.Count + 1);
            }
        }

        Pool.Free(freed);
        Evictions += evicted;
        _chargedCount -= evicted;
        return (int)evicted;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FreeEvicted(FrameId victim)
    {
        Evictions++;
        _whole!.EvictionLog?.Add((Frames.Key(victim), _whole.ReasonOfReclaim));
        FreeDead(victim);
    }

    /// <summary>Makes a live frame dead unless somebody holds it: V1 and V2 of the protocol in PageCache.cs.</summary>
    /// <param name="victim">The frame.</param>
    /// <param name="last">Its state before.</param>
    private bool TryKill(FrameId victim, out FrameState last)
    {
        ref ulong word = ref Frames.Head(victim).Word;
        ulong now = Volatile.Read(ref word);
        while (true)
        {
            last = new FrameState(now);
            if ((now & (FrameState.PinsMask | FrameState.HoldMask)) != 0) return false;
            ulong seen = Interlocked.CompareExchange(ref word, last.Freed().Packed, now);
            if (seen == now) break;
            now = seen;
        }

        // Partner: the key and version checks of readers (L3, C6). On arm64 the exchange alone would let the store to the
        // slot, and the next page's bytes, be seen before it.
        MemoryOrder.WriteBarrier();
        return true;
    }

    /// <summary>Takes the page of a frame out of the index although it may be pinned; the rule has forgotten the frame.
    /// New readers find nothing; those that hold the frame keep its bytes.</summary>
    internal void RemoveShared(FrameId frame, EvictionReason reason)
    {
        _whole!.EvictionLog?.Add((Frames.Key(frame), reason));
        FrameState dead = KillWord(frame);
        Index.ClearFrame(Frames.Slot(frame));
        if (dead.Pins != 0) Hold(frame);
        else FreeDead(frame);
    }

    /// <summary>Frames of C5, of one node.</summary>
    internal FrameList OfflineOf(int node) => _offline[node];

    /// <summary>Frames of a node that are not of C5.</summary>
    internal uint OnlineCount(int node) =>
        _offline.Length == 1 ? _frameCount : Pools![node].FrameCount - _offline[node].Count;

    /// <summary>Changes the size by frames that went offline or came back.</summary>
    internal void SetFrameCount(uint count) => _frameCount = count;

    private uint ValidateShared()
    {
        Limbo.Validate();
        for (int node = 0; node < _offline.Length; node++)
        {
            _offline[node].Validate();
            foreach (FrameId frame in _offline[node].FromHead())
            {
                Invariant.Check(
                    Frames.Owner(frame).Node == node, nameof(CacheSpace), $"C5: a frame of node {node}", frame.Value);
            }
        }

        Invariant.Check(
            FrameCount + OfflineCount == Frames.FrameCount, nameof(CacheSpace),
            $"C5: {Frames.FrameCount - FrameCount} frames offline", OfflineCount);
        uint dead = Limbo.Count + PrivateCount + ValidatePartitions();
        foreach (FrameId frame in Limbo.FromHead())
            Invariant.Check(!Frames.State(frame).IsLive, nameof(CacheSpace), "C3: a frame that is not live", frame.Value);
        return dead;
    }
}
