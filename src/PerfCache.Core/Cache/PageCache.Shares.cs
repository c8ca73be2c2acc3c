// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;

namespace PerfCache.Cache;

/// <summary>Who gives up a frame, where there are partitions.</summary>
/// <remarks>
/// <code>
/// the partition that misses is at its limit     itself
/// otherwise, no frame is free                   the one with the largest surplus: frames beyond its guarantee; of equals,
///                                               the one that misses
///   it gave nothing (all in use)                the next, and in the end the one that misses, whatever it has
/// </code>
/// Another's miss takes at most the surplus, also where a rule frees many pages at a time
/// (<see cref="CacheSpace.ReclaimMax"/>); so what is guaranteed stays, to the page. Surpluses are compared in frames, as
/// the kernel puts pressure on its control groups in proportion to what they have beyond their protection. A ratio to the
/// guarantee would say nothing where that is 0: all such partitions would be equal, each would have to take from itself,
/// and whoever came first would keep the cache for ever. In frames, partitions that all want more end with the same
/// surplus, and a scan in one of them can take no more than that.
/// <para>Where there are several nodes, all this is asked for one node after the other, by their distance from the one
/// that is wanted; surpluses are still those of whole partitions. So what is guaranteed is a number of frames, not of
/// frames on a certain node: a placement that allows few nodes may find them full of what others are guaranteed.</para>
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>The fewest frames that the cache may have: what is guaranteed, and a few for everybody.</summary>
    private uint FramesMin
    {
        get
        {
            if (!_isPartitioned) return PageCacheOptions.PagesMin;
            return PageCacheOptions.PagesMin + (uint)Sum(static partition => partition.Guarantee);
        }
    }

    /// <summary>The partition that took a frame last: the background reclaimer works for it.</summary>
    private Partition LastTaker => _taker ?? _main;

    /// <summary>True when there is a free frame, and its partition may have it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool HasRoom(in Need need) => HasFree(need) && (need.Partition is null || !need.Partition.IsFull);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool HasFree(in Need need) =>
        _hasNodes ? _pools.NearestFree(need.Node, need.Allowed) >= 0 : _pool.FreeCount > 0;

    /// <summary>Frames in the hands of the rules that may be asked for a partition's sake.</summary>
    private uint InHand(in Need need)
    {
        if (!_isPartitioned && !_hasNodes) return _space.RuleFrameCount;
        if (need.Partition is { IsFull: true }) return InHandOf(need.Partition, NodesToAsk(need));
        uint count = 0;
        foreach (Partition? partition in _partitions)
            if (partition is not null && (partition == need.Partition || partition.Surplus > 0))
                count += InHandOf(partition, need.Allowed);
        return count;
    }

    private static uint InHandOf(Partition partition, ulong nodes)
    {
        if (partition.Shares.Length == 1) return partition.First.Space.RuleFrameCount;
        uint count = 0;
        foreach (NodeShare share in partition.Shares)
            if ((nodes >> share.Space.Node & 1) != 0) count += share.Space.RuleFrameCount;
        return count;
    }

    /// <summary>Nodes whose frames help: those allowed; all when one of those has a free frame, and only the partition's
    /// limit keeps it from having that.</summary>
    private ulong NodesToAsk(in Need need) =>
        need.Partition is { IsFull: true } && HasFree(need) ? _allNodes.Bits : need.Allowed;

    /// <summary>True while frames may become free without the caller's doing: loads, writes and readers end.</summary>
    private bool CanHope(Partition partition) => partition.IsFull
        ? partition.PrivateCount > 0 || _space.Limbo.Count > 0 || partition.DirtyCount > 0
        : _space.PrivateCount > 0 || _space.Limbo.Count > 0 || _dirtyCount > 0;

    private InvalidOperationException AllInUse(in Need need)
    {
        Partition partition = need.Partition!;
        if (partition.IsFull)
        {
            return new(
                $"{Name}: all {partition.FrameLimit} frames of partition '{partition.Name}' are in use "
                + $"({partition.HeldCount} leased, being written or dirty, {partition.PrivateCount} being "
                + $"loaded); dispose leases, or raise its MaxBytes{WhyDirty()}");
        }

        long guaranteed = FramesMin - PageCacheOptions.PagesMin - partition.Guarantee;
        string others = guaranteed > 0 ? $"; {guaranteed} are guaranteed to other partitions" : "";
        if (_hasNodes && need.Allowed != _allNodes.Bits)
        {
            return new(
                $"{Name}: no frame can be had of the nodes that the placement of partition '{partition.Name}' allows; all "
                + $"are leased, being written, dirty, being loaded or guaranteed to others; allow more nodes, or dispose "
                + $"leases{others}{WhyDirty()}");
        }

        return new(
            $"{Name}: all {FrameCount} frames are in use ({_space.HeldCount} leased, being written or dirty, "
            + $"{_space.PrivateCount} being loaded); dispose leases, or make the cache larger{others}{WhyDirty()}");
    }

    /// <summary>One call of the rule that has to give.</summary>
    /// <param name="need">What a frame is wanted for.</param>
    /// <param name="ofOwn">True when the partition has to give itself, because it is at its limit.</param>
    /// <param name="leave">How many frames that rule must have left.</param>
    /// <returns>The number of frames freed.</returns>
    private int ReclaimSome(in Need need, bool ofOwn, uint leave)
    {
        if (!_isPartitioned && !_hasNodes)
        {
            NodeShare only = _main.First;
            return leave == 0 || only.Space.RuleFrameCount > leave ? only.Rules.Reclaim() : 0;
        }

        ulong nodes = ofOwn ? NodesToAsk(need) : need.Allowed;
        foreach (byte node in _pools.OrderFrom(need.Node))
        {
            if ((nodes >> node & 1) == 0) continue;
            int freed = ofOwn
                ? need.Partition!.Shares[node].Space.RuleFrameCount > leave
                    ? ReclaimOfOwn(need.Partition, need.Partition.Shares[node], uint.MaxValue) : 0
                : ReclaimFromLargest(need.Partition, node, leave);
            if (freed > 0) return freed;
        }

        return 0;
    }

    private int ReclaimFromLargest(Partition? forWhom, int node, uint leave)
    {
        ulong asked = 0;
        while (LargestSurplus(forWhom, asked) is { } victim)
        {
            asked |= 1UL << victim.Number;
            if (victim != forWhom) ReturnHeld(victim);
            NodeShare share = victim.Shares[node];
            if (share.Space.RuleFrameCount <= leave) continue;
            share.Space.ReclaimMax = victim == forWhom ? uint.MaxValue : victim.Surplus;
            long before = share.Space.Evictions;
            share.Rules.Reclaim();
            int freed = (int)(share.Space.Evictions - before);
            share.Space.ReclaimMax = uint.MaxValue;
            if (forWhom is not null && victim != forWhom) victim.PressureEvictions += freed;
            if (freed > 0) return freed;
        }

        return 0;
    }

    /// <summary>The partition with the largest surplus; of equals, the one that wants the frame, or the first.</summary>
    /// <param name="forWhom">The partition that wants it, which comes last if it has no surplus.</param>
    /// <param name="asked">Partitions that were asked in vain, a bit each.</param>
    private Partition? LargestSurplus(Partition? forWhom, ulong asked)
    {
        Partition? largest = forWhom is not null && (asked >> forWhom.Number & 1) == 0 ? forWhom : null;
        uint surplus = largest?.Surplus ?? 0;
        foreach (Partition? partition in _partitions)
        {
            if (partition is null || (asked >> partition.Number & 1) != 0 || partition.Surplus <= surplus) continue;
            largest = partition;
            surplus = partition.Surplus;
        }

        return largest;
    }

    /// <summary>A partition gives up pages of one node for the sake of its own limit.</summary>
    private int ReclaimOfOwn(Partition partition, NodeShare share, uint countMax)
    {
        EvictionReason reason = _space.ReasonOfReclaim;
        _space.ReasonOfReclaim = EvictionReason.PartitionLimit;
        share.Space.ReclaimMax = countMax;
        long before = share.Space.Evictions;
        share.Rules.Reclaim();
        int freed = (int)(share.Space.Evictions - before);
        partition.LimitEvictions += freed;
        share.Space.ReclaimMax = uint.MaxValue;
        _space.ReasonOfReclaim = reason;
        return freed;
    }

    /// <summary>The share of a partition that has most pages: it gives when no node is in need.</summary>
    private static NodeShare LargestShare(Partition partition)
    {
        NodeShare largest = partition.First;
        foreach (NodeShare share in partition.Shares)
            if (share.Space.RuleFrameCount > largest.Space.RuleFrameCount) largest = share;
        return largest;
    }

    /// <summary>One batch of what a partition has beyond its limit.</summary>
    /// <returns>What it still has too many, and what was freed.</returns>
    private (uint TooMany, int Freed) LowerToLimit(PartitionId id)
    {
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Partition partition = Find(id);
            DrainActivations();
            ReturnHeld(partition);
            int freed = 0;
            for (int calls = 0; calls < CacheSpace.ReclaimTriesMax && TooMany(partition) > 0; calls++)
                freed += ReclaimOfOwn(partition, LargestShare(partition), TooMany(partition));
            if (_space.Limbo.Count > 0) EmptyLimbo();
            if (_space.MetDirty) _flusherWork?.Set();
            return (TooMany(partition), freed);
        }
        finally
        {
            Exit();
        }
    }

    private static uint TooMany(Partition partition) => partition.ResidentCount > partition.FrameLimit
        ? partition.ResidentCount - partition.FrameLimit : 0;

    /// <summary>A partition has taken a frame.</summary>
    private void NoteAllocated(Partition partition)
    {
        _taker = partition;
        if (partition.LowWater > 0 && Headroom(partition) == partition.LowWater) _reclaimerWork?.Set();
    }

    private static uint Headroom(Partition partition) =>
        partition.IsFull ? 0 : partition.FrameLimit - partition.ResidentCount;

    /// <summary>Partitions with a limit have marks as the cache has.</summary>
    private void SetPartitionWaterMarks()
    {
        foreach (Partition partition in Existing())
        {
            bool isLimited = partition.FrameLimit < FrameCount;
            partition.LowWater = isLimited ? Math.Min(32, partition.FrameLimit / 32) : 0;
        }
    }

    /// <summary>Under the lock, in the background: partitions that are near their limit give up pages ahead of need.</summary>
    /// <returns>True when there is more to do.</returns>
    private bool ReclaimAheadOfLimits()
    {
        bool more = false;
        foreach (Partition? partition in _partitions)
        {
            if (partition is not { LowWater: > 0 } || LimboIsFull) continue;
            uint highWater = 2 * partition.LowWater;
            if (Headroom(partition) >= highWater) continue;
            ReturnHeld(partition);
            more |= ReclaimOfOwn(partition, LargestShare(partition), uint.MaxValue) > 0 && Headroom(partition) < highWater;
        }

        if (_space.Limbo.Count > 0) EmptyLimbo();
        return more;
    }
}
