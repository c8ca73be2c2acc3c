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

    /// <summary>True when a partition can have a frame at once.</summary>
    /// <param name="partition">The partition, or null when a free frame is all that is wanted.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool HasRoom(Partition? partition) =>
        _pool.FreeCount > 0 && (partition is null || !partition.Space.IsFull);

    /// <summary>Frames in the hands of the rules that may be asked for a partition's sake.</summary>
    private uint InHand(Partition? forWhom)
    {
        if (!_isPartitioned) return _space.RuleFrameCount;
        if (forWhom is { Space.IsFull: true }) return forWhom.Space.RuleFrameCount;
        uint count = 0;
        foreach (Partition? partition in _partitions)
            if (partition is not null && (partition == forWhom || partition.Surplus > 0)) count += partition.Space.RuleFrameCount;
        return count;
    }

    /// <summary>True while frames may become free without the caller's doing: loads, writes and readers end.</summary>
    private bool CanHope(Partition partition) => partition.Space.IsFull
        ? partition.Space.PrivateCount > 0 || _space.Limbo.Count > 0 || partition.DirtyCount > 0
        : _space.PrivateCount > 0 || _space.Limbo.Count > 0 || _dirtyCount > 0;

    private InvalidOperationException AllInUse(Partition partition)
    {
        if (partition.Space.IsFull)
        {
            return new(
                $"{Name}: all {partition.Space.FrameLimit} frames of partition '{partition.Name}' are in use "
                + $"({partition.Space.Held.Count} leased, being written or dirty, {partition.Space.PrivateCount} being "
                + $"loaded); dispose leases, or raise its MaxBytes{WhyDirty()}");
        }

        long guaranteed = FramesMin - PageCacheOptions.PagesMin - partition.Guarantee;
        string others = guaranteed > 0 ? $"; {guaranteed} are guaranteed to other partitions" : "";
        return new(
            $"{Name}: all {FrameCount} frames are in use ({_space.HeldCount} leased, being written or dirty, "
            + $"{_space.PrivateCount} being loaded); dispose leases, or make the cache larger{others}{WhyDirty()}");
    }

    /// <summary>One call of the rule that has to give.</summary>
    /// <param name="forWhom">The partition that wants a frame, or null.</param>
    /// <param name="ofOwn">True when it has to give itself, because it is at its limit.</param>
    /// <param name="leave">How many frames that rule must have left.</param>
    /// <returns>The number of frames freed.</returns>
    private int ReclaimSome(Partition? forWhom, bool ofOwn, uint leave)
    {
        if (!_isPartitioned) return leave == 0 || _main.Space.RuleFrameCount > leave ? _main.Rules.Reclaim() : 0;
        if (ofOwn) return forWhom!.Space.RuleFrameCount > leave ? ReclaimOfOwn(forWhom, uint.MaxValue) : 0;
        return ReclaimFromLargest(forWhom, leave);
    }

    private int ReclaimFromLargest(Partition? forWhom, uint leave)
    {
        ulong asked = 0;
        while (LargestSurplus(forWhom, asked) is { } victim)
        {
            asked |= 1UL << victim.Space.Number;
            if (victim != forWhom) ReturnHeld(victim);
            if (victim.Space.RuleFrameCount <= leave) continue;
            victim.Space.ReclaimMax = victim == forWhom ? uint.MaxValue : victim.Surplus;
            long before = victim.Space.Evictions;
            victim.Rules.Reclaim();
            int freed = (int)(victim.Space.Evictions - before);
            victim.Space.ReclaimMax = uint.MaxValue;
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
        Partition? largest = forWhom is not null && (asked >> forWhom.Space.Number & 1) == 0 ? forWhom : null;
        uint surplus = largest?.Surplus ?? 0;
        foreach (Partition? partition in _partitions)
        {
            if (partition is null || (asked >> partition.Space.Number & 1) != 0 || partition.Surplus <= surplus) continue;
            largest = partition;
            surplus = partition.Surplus;
        }

        return largest;
    }

    /// <summary>A partition gives up pages for the sake of its own limit.</summary>
    private int ReclaimOfOwn(Partition partition, uint countMax)
    {
        EvictionReason reason = _space.ReasonOfReclaim;
        _space.ReasonOfReclaim = EvictionReason.PartitionLimit;
        partition.Space.ReclaimMax = countMax;
        long before = partition.Space.Evictions;
        partition.Rules.Reclaim();
        int freed = (int)(partition.Space.Evictions - before);
        partition.LimitEvictions += freed;
        partition.Space.ReclaimMax = uint.MaxValue;
        _space.ReasonOfReclaim = reason;
        return freed;
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
            for (int calls = 0; calls < ReclaimTriesMax && TooMany(partition) > 0; calls++)
                freed += ReclaimOfOwn(partition, TooMany(partition));
            if (_space.Limbo.Count > 0) EmptyLimbo();
            if (_space.MetDirty) _flusherWork?.Set();
            return (TooMany(partition), freed);
        }
        finally
        {
            Exit();
        }
    }

    private static uint TooMany(Partition partition) => partition.Space.ResidentCount > partition.Space.FrameLimit
        ? partition.Space.ResidentCount - partition.Space.FrameLimit : 0;

    /// <summary>A partition has taken a frame.</summary>
    private void NoteAllocated(Partition partition)
    {
        _taker = partition;
        if (partition.LowWater > 0 && Headroom(partition) == partition.LowWater) _reclaimerWork?.Set();
    }

    private static uint Headroom(Partition partition) =>
        partition.Space.IsFull ? 0 : partition.Space.FrameLimit - partition.Space.ResidentCount;

    /// <summary>Partitions with a limit have marks as the cache has.</summary>
    private void SetPartitionWaterMarks()
    {
        foreach (Partition partition in Existing())
        {
            bool isLimited = partition.Space.FrameLimit < FrameCount;
            partition.LowWater = isLimited ? Math.Min(32, partition.Space.FrameLimit / 32) : 0;
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
            more |= ReclaimOfOwn(partition, uint.MaxValue) > 0 && Headroom(partition) < highWater;
        }

        if (_space.Limbo.Count > 0) EmptyLimbo();
        return more;
    }
}
