// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Lists;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Cache;

/// <summary>
/// A partition of a shared space, as the rule of that partition sees it: its own lists, shadows and counts over frames
/// that belong to all.
/// </summary>
/// <remarks>
/// <code>
/// whole space    frames, index, free pool, limbo, offline; who wants to know of evictions
///   partition    lists of its rule, held frames, shadows of its objects, counts; the frames charged to it
///   partition    ...
/// </code>
/// A frame is charged to a partition from when it is taken for one of its pages until it is free, or in limbo: it is
/// then private, in the hands of that partition's rule, or held. Who gets the next free frame, and from whom one is
/// taken, is not decided here.
/// <para>Where the frames lie on several nodes, each partition is a space for each node, with a rule of its own: reclaim
/// is a node's, as pressure is. They share the shadows, because a leaf of the index has pages of all nodes; each packs
/// its number (<see cref="ShadowList"/>) into those that it leaves, so that a page which comes back on another node is
/// judged by the rule that let it go.</para>
/// <para>C6: a frame that is charged names its partition (<see cref="FrameOwner.Domain"/>).</para>
/// <para>C7: free, on all nodes + in limbo + charged to each of the partitions = <see cref="FrameCount"/> of the whole.</para>
/// <para>C8: held frames of the partitions sum up to those of the whole.</para>
/// </remarks>
public sealed partial class CacheSpace
{
    /// <summary>The most partitions of a space.</summary>
    internal const int PartitionsMax = 64;

    private readonly CacheSpace? _whole;
    private readonly List<CacheSpace> _partitions = [];
    private readonly List<FrameList>? _lists;
    private readonly List<CacheSpace>? _ofAllNodes;
    private bool _isDivided;
    private uint _frameCount;
    private uint _chargedCount;
    private uint _privateCount;

    /// <summary>Makes a partition without frames.</summary>
    /// <param name="whole">The space that it is a part of.</param>
    /// <param name="number">Its number, which its frames name.</param>
    /// <param name="frameLimit">The most frames that it may have.</param>
    /// <param name="ghostCountMax">The most ghosts of its rule; those of the first partition are there already.</param>
    /// <param name="firstNode">The partition's space on node 0, when this is that of another node; else null.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    internal CacheSpace(
        CacheSpace whole, ushort number, uint frameLimit, uint ghostCountMax, CacheSpace? firstNode = null)
    {
        _whole = whole;
        _meter = whole._meter;
        _scoutingPays = whole._scoutingPays;
        _lists = [];
        _frameCount = frameLimit;
        IsShared = true;
        Number = number;
        Frames = whole.Frames;
        Index = whole.Index;
        _ofAllNodes = firstNode?._ofAllNodes ?? [];
        Node = _ofAllNodes.Count;
        Pool = whole.Pools![Node];
        // The first partition has what there is: a cache that is not divided is as it would be without partitions.
        bool isFirst = whole._partitions.Count == 0;
        Shadows = firstNode?.Shadows ?? (isFirst ? Index.Shadows : Index.NewShadowStore());
        Held = NewList("held frames");
        GhostCountMax = isFirst ? Frames.ExtraRowCount : ghostCountMax;
        try
        {
            _firstGhost = isFirst ? whole._firstGhost : Frames.AddExtraRows(ghostCountMax);
        }
        catch
        {
            Held.Release();
            throw;
        }

        _ghosts = new FramePool(Frames, node: 0, _firstGhost, GhostCountMax);
        whole._isDivided |= !isFirst;
        whole._partitions.Add(this);
        _ofAllNodes.Add(this);
    }

    /// <summary>Bits that each shadow of the rule must spend on the number of its list
    /// (<see cref="ShadowFormat"/>): 0 where there is one node.</summary>
    public int ShadowListBits =>
        _whole is { Pools: { NodeCount: > 1 } pools } ? BitOperations.Log2((uint)pools.NodeCount - 1) + 1 : 0;

    /// <summary>The number of the rule's list in its shadows: the index of its node.</summary>
    public uint ShadowList => (uint)Node;

    /// <summary>Frames of the rule's partition on all nodes, as <see cref="FrameCount"/>: what the partition's shadows,
    /// which all of its nodes share, are to be bounded by.</summary>
    public uint FrameCountOfAllNodes => _whole is null ? _frameCount : Math.Min(_frameCount, _whole._frameCount);

    /// <summary>Resident frames of the rule's partition on all nodes, as <see cref="ResidentCount"/>.</summary>
    public uint ResidentCountOfAllNodes
    {
        get
        {
            if (_ofAllNodes is null || _ofAllNodes.Count == 1) return ResidentCount;
            uint count = 0;
            foreach (CacheSpace each in _ofAllNodes) count += each._chargedCount;
            return count;
        }
    }

    /// <summary>
    /// The most frames that the call of <see cref="IReplacementRules.Reclaim"/> that is under way may free. A rule that
    /// frees several at a time must stop there: what is beyond is guaranteed to the partition.
    /// </summary>
    public uint ReclaimMax { get; internal set; } = uint.MaxValue;

    /// <summary>The number of the partition.</summary>
    internal ushort Number { get; }

    /// <summary>The index of the node whose frames the partition has here.</summary>
    internal int Node { get; }

    /// <summary>The most frames that the partition may have, however small the cache is.</summary>
    internal uint FrameLimit
    {
        get => _frameCount;
        set => _frameCount = value;
    }

    /// <summary>Takes a free frame, which is private then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal FrameId AllocatePrivate()
    {
        FrameId frame = Pool.Allocate();
        ChargePrivate(frame);
        return frame;
    }

    /// <summary>A free frame of the partition's node is its own from now on, and private.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ChargePrivate(FrameId frame)
    {
        _chargedCount++;
        _privateCount++;
        // Until there is a second partition, all frames name the first by what they are made with.
        if (_whole!._isDivided) Frames.Owner(frame).Domain = Number;
    }

    /// <summary>A private frame is in the rule's hands from now on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void EndPrivate() => _privateCount--;

    /// <summary>Frees a frame that nobody has seen.</summary>
    internal void FreePrivate(FrameId frame)
    {
        EndPrivate();
        _chargedCount--;
        FreeToPool(frame);
    }

    /// <summary>True when the ghost that a shadow names is one of this rule's.</summary>
    internal bool HasGhost(ShadowEntry shadow) => shadow.Ghost.Value - _firstGhost < GhostCountMax;

    /// <summary>Ends a partition to which no frame is charged; what it has counted is the whole's from now on.</summary>
    internal void Release()
    {
        Invariant.Check(_chargedCount == 0, nameof(CacheSpace), "no frame charged to the partition", _chargedCount);
        Invariant.Check(Shadows.IndexLeafCount == 0, nameof(CacheSpace), "no block of the partition", Shadows.IndexLeafCount);
        // What is still there are ghosts of pages that nobody can ask for any more.
        foreach (FrameList list in _lists!) list.Release();
        _lists.Clear();
        Frames.FreeExtraRows(_firstGhost, GhostCountMax);
        DisposeColumns();
        _whole!._partitions.Remove(this);
        _whole.Activations += Activations;
        _whole.RefaultActivations += RefaultActivations;
        _whole.Deactivations += Deactivations;
        _whole.Evictions += Evictions;
        if (Node == 0) _whole.Index.Shadows.DroppedCount += Shadows.DroppedCount;
    }

    /// <summary>A count of all partitions, those that are gone included.</summary>
    internal long Sum(Func<CacheSpace, long> count)
    {
        long sum = count(this);
        foreach (CacheSpace partition in _partitions) sum += count(partition);
        return sum;
    }

    /// <summary>Shadows that were dropped, of all partitions, those that are gone included.</summary>
    internal long ShadowsDropped
    {
        get
        {
            long dropped = 0;
            foreach (CacheSpace partition in _partitions) dropped += partition.Node == 0 ? partition.Shadows.DroppedCount : 0;
            return dropped;
        }
    }

    private uint SumPrivate()
    {
        uint count = 0;
        foreach (CacheSpace partition in _partitions) count += partition._privateCount;
        return count;
    }

    /// <summary>Checks C7 and C8.</summary>
    /// <returns>Held frames that are not live.</returns>
    private uint ValidatePartitions()
    {
        uint charged = 0;
        uint held = 0;
        uint heldAndDead = 0;
        foreach (CacheSpace partition in _partitions)
        {
            partition.Held.Validate();
            partition.ValidateGhosts();
            charged += partition._chargedCount;
            held += partition.Held.Count;
            foreach (FrameId frame in partition.Held.FromHead())
                if (!Frames.State(frame).IsLive) heldAndDead++;
        }

        uint expected = _frameCount - FreeInPools - Limbo.Count;
        Invariant.Check(charged == expected, nameof(CacheSpace), $"C7: {expected} frames charged", charged);
        Invariant.Check(held == HeldCount, nameof(CacheSpace), $"C8: {HeldCount} held frames", held);
        return heldAndDead;
    }
}
