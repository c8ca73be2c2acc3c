// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Partitions: they come, get limits, are asked for their counts, and go.</summary>
/// <remarks>
/// A partition is a rule of its own over a part of the space (<see cref="CacheSpace"/>): its own lists, shadows and
/// counts. Frames, index and free pool are everybody's. An object belongs to one partition for as long as it exists, and
/// its pages are charged there.
/// <para>P1: the guarantees of all partitions and <see cref="PageCacheOptions.PagesMin"/> frames fit into the cache: a
/// miss always finds a partition that has more than it is guaranteed, if it looks for one.</para>
/// <para>P2: a partition has at most its limit, or, when that was lowered below what it had, no more than it had then.
/// </para>
/// A cache in which nobody asks for a partition has one, and looks at no frame and no object to know whose it is.
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>The most partitions at a time, the one that every cache has included.</summary>
    public const int PartitionsMax = CacheSpace.PartitionsMax;

    /// <summary>The most spaces of partitions on nodes: of the lists that a frame table has, each takes a few.</summary>
    private const int ShareListsMax = (int)FrameTable.ListMax / 5;

    private readonly StripedCounter _hits = new();
    private HitCounting _hitCounting;
    private bool _isPartitioned;
    private Partition?[] _partitions;
    private byte[] _partitionOfObject = [];
    private uint _partitionsAdded;
    private Partition? _taker;
    private long _goneHits;
    private long _goneMisses;
    private long _goneRefaults;

    /// <summary>How hits are counted.</summary>
    private enum HitCounting : byte
    {
        None,

        /// <summary>In one counter: there is one partition.</summary>
        Together,

        /// <summary>In that of the object's partition.</summary>
        EachPartition,
    }

    /// <summary>The partitions that there are, the default one first.</summary>
    public IReadOnlyList<PartitionId> Partitions
    {
        get
        {
            using (_lock.EnterScope()) return [.. Existing().Select(partition => partition.Id)];
        }
    }

    /// <summary>Adds a partition: objects that are added to it have its limits, its rule and its counts.</summary>
    /// <param name="options">Its name and limits.</param>
    /// <param name="rules">Its rule; an instance of its own, perhaps with other parameters than those of other
    /// partitions.</param>
    /// <returns>What names it in <see cref="AddObject(IPageSource, PartitionId)"/>.</returns>
    /// <exception cref="ArgumentException">An option makes no sense, the name is taken, or the cache has not got what is
    /// to be guaranteed.</exception>
    /// <exception cref="InvalidOperationException">There are <see cref="PartitionsMax"/> already.</exception>
    /// <exception cref="NativeMemoryException">The memory of its lists cannot be had within the bound.</exception>
    public PartitionId AddPartition(PartitionOptions options, TRules rules)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check(PageBytes);
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (Existing().Any(other => other.Name == options.Name))
                throw options.Wrong(nameof(options.Name), $"'{options.Name}'", "a name that no other partition has");
            CheckGuarantee(options, replaced: null);
            int number = Array.IndexOf(_partitions, null);
            if (number < 0) number = _partitions.Length;
            // Each has lists on each node, and there are only so many lists.
            int most = Math.Min(PartitionsMax, ShareListsMax / _pools.NodeCount);
            if (number >= most)
                throw new InvalidOperationException($"{Name}: there are {most} partitions, which is the most");
            if (options.Placement is not null) AttachPlacement(options.Placement);
            Partition partition = MakePartition((ushort)number, options, rules);
            partition.Id = new PartitionId((++_partitionsAdded << PartitionId.NumberBits) | (uint)number);
            if (number == _partitions.Length) Array.Resize(ref _partitions, number + 1);
            _partitions[number] = partition;
            BePartitioned();
            return partition.Id;
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>Removes a partition without objects.</summary>
    /// <param name="partition">The partition; not the default one.</param>
    /// <exception cref="ArgumentException">There is no such partition, or it is the default one.</exception>
    /// <exception cref="InvalidOperationException">It has objects; or pages of removed objects are leased or being
    /// loaded.</exception>
    public void RemovePartition(PartitionId partition)
    {
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            Partition gone = Find(partition);
            if (gone == _main)
                throw new ArgumentException($"{Name}: the partition '{gone.Name}' stays", nameof(partition));
            if (gone.ObjectCount > 0)
            {
                throw new InvalidOperationException(
                    $"{Name}: partition '{gone.Name}' has {gone.ObjectCount} objects; remove them first");
            }

            for (uint i = gone.HeldCount; i > 0; i -= Math.Min(i, HeldLookedAtMax)) ReturnHeld(gone);
            if (gone.ResidentCount > 0 || gone.WaitingMisses > 0)
            {
                throw new InvalidOperationException(
                    $"{Name}: pages of partition '{gone.Name}' are in use ({gone.HeldCount} leased, "
                    + $"{gone.PrivateCount + gone.WaitingMisses} being loaded); let them go, then remove it again");
            }

            foreach (NodeShare share in gone.Shares) share.Space.Release();
            _goneHits += gone.Hits.Sum();
            _goneMisses += gone.Misses;
            _goneRefaults += gone.Refaults;
            _partitions[partition.Number] = null;
            if (_taker == gone) _taker = null;
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>
    /// Changes the limits of a partition while it is in use. Where it has more than its new limit, pages go until it has
    /// not.
    /// </summary>
    /// <param name="partition">The partition; also the default one.</param>
    /// <param name="minBytes">As <see cref="PartitionOptions.MinBytes"/>.</param>
    /// <param name="maxBytes">As <see cref="PartitionOptions.MaxBytes"/>.</param>
    /// <exception cref="ArgumentException">There is no such partition, or the limits are not possible; nothing has
    /// changed.</exception>
    /// <exception cref="TimeoutException">Leases, loads or changed pages kept too many frames for longer than
    /// <see cref="PageCacheOptions.Patience"/>. The limits are as asked for, and hold for every page that comes in;
    /// what is too much goes with the partition's next misses.</exception>
    public void SetPartitionLimits(PartitionId partition, long minBytes, long? maxBytes)
    {
        Partition changed;
        Enter();
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            changed = Find(partition);
            PartitionOptions options = new() { Name = changed.Name, MinBytes = minBytes, MaxBytes = maxBytes };
            options.Check(PageBytes);
            CheckGuarantee(options, replaced: changed);
            CheckGhosts(options, changed);
            changed.Set(options, PageBytes);
            BePartitioned();
        }
        finally
        {
            Exit();
        }

        Deadline deadline = new(_options.Patience);
        while (true)
        {
            (uint tooMany, int freed) = LowerToLimit(partition);
            if (tooMany == 0) return;
            if (freed > 0 || WriteSome(ofHeld: true, changed, deadline.Left) || deadline.Wait()) continue;
            throw new TimeoutException(
                $"{Name}: partition '{changed.Name}' has {tooMany} pages more than its limit of {changed.FrameLimit} "
                + $"after {_options.Patience.TotalSeconds:0.###} s: they are leased, being loaded or written, or dirty");
        }
    }

    /// <summary>Counts of a partition since it was added.</summary>
    /// <exception cref="ArgumentException">There is no such partition.</exception>
    public PartitionStatistics GetPartitionStatistics(PartitionId partition)
    {
        using (_lock.EnterScope()) return Measure(Find(partition));
    }

    private PartitionStatistics Measure(Partition partition)
    {
        long resident = partition.RuleFrameCount + (long)partition.HeldCount;
        long local = 0;
        for (int node = 0; node < partition.Shares.Length; node++)
            if (partition.LocalNodes.Contains(node)) local += PagesOn(partition, node);
        return new()
        {
            Name = partition.Name,
            Objects = partition.ObjectCount,
            ResidentPages = resident,
            LocalPages = local,
            RemotePages = resident - local,
            ResidentBytes = resident * PageBytes,
            MaxBytes = partition.MaxBytes,
            MinBytes = partition.MinBytes,
            Hits = partition.Hits.Sum(),
            Misses = partition.Misses,
            Refaults = partition.Refaults,
            Activations = partition.Sum(static space => space.Activations),
            Deactivations = partition.Sum(static space => space.Deactivations),
            Evictions = partition.Evictions,
            LimitEvictions = partition.LimitEvictions,
            PressureEvictions = partition.PressureEvictions,
            DirtyPages = partition.DirtyCount,
            HeldFrames = partition.HeldCount,
        };
    }

    /// <summary>Under the lock: refuses a guarantee that would break P1.</summary>
    private void CheckGuarantee(PartitionOptions options, Partition? replaced)
    {
        long others = FramesMin - PageCacheOptions.PagesMin - (replaced?.Guarantee ?? 0);
        long frames = Math.Min(FrameCount, _frameTarget);
        long most = Math.Max(0, frames - PageCacheOptions.PagesMin - others);
        if (options.FramesMin(PageBytes) <= most) return;
        throw options.Wrong(
            nameof(options.MinBytes), options.MinBytes,
            $"at most {most * PageBytes}: the cache has {frames} pages of {PageBytes} bytes, of which other partitions are "
            + $"guaranteed {others} and {PageCacheOptions.PagesMin} must stay free of guarantees");
    }

    /// <summary>The ghosts of a rule are as many as the limit asked for that the partition was added with.</summary>
    private void CheckGhosts(PartitionOptions options, Partition partition)
    {
        if (!TRules.UsesGhosts || options.FramesMax(PageBytes) <= partition.FrameLimitMax) return;
        throw options.Wrong(
            nameof(options.MaxBytes), options.MaxBytes?.ToString() ?? "null",
            $"at most what the partition was added with ({(long)partition.FrameLimitMax * PageBytes}), since its rule "
            + "remembers pages that are gone, and was given room for so many");
    }

    /// <summary>Under the lock: makes a partition, giving up frames if the bound leaves no room for its lists.</summary>
    private Partition MakePartition(ushort number, PartitionOptions options, TRules rules)
    {
        while (true)
        {
            NodeShare[] shares = [];
            try
            {
                shares = NewShares(number, options.FramesMax(PageBytes), ref rules);
                Partition partition = new(options, shares, new StripedCounter());
                partition.Set(options, PageBytes);
                Place(partition, options.Placement);
                foreach (NodeShare share in shares) share.Rules.Attach(share.Space);
                return partition;
            }
            catch (NativeMemoryException)
            {
                foreach (NodeShare share in shares) share.Space.Release();
                if (!GiveUpFrames(_main)) throw;
            }
        }
    }

    /// <summary>The spaces of a partition, one a node, each with a copy of a rule that is attached to nothing yet.</summary>
    private NodeShare[] NewShares(ushort number, uint frameLimit, ref TRules rules)
    {
        NodeShare[] shares = new NodeShare[_pools.NodeCount];
        int made = 0;
        try
        {
            for (; made < shares.Length; made++)
            {
                uint frames = Math.Min(frameLimit, _pools[made].FrameCount);
                CacheSpace? first = made == 0 ? null : shares[0].Space;
                shares[made] = new NodeShare(
                    new CacheSpace(_space, number, frameLimit, GhostRowsFor(ref rules, frames), first), rules);
            }
        }
        catch (NativeMemoryException)
        {
            while (made-- > 0) shares[made].Space.Release();
            throw;
        }

        return shares;
    }

    /// <summary>Under the lock: from now on frames and objects are asked whose they are.</summary>
    private void BePartitioned()
    {
        _isPartitioned = true;
        _onlyShare = null;
        if (_hitCounting != HitCounting.None) _hitCounting = HitCounting.EachPartition;
        SetWaterMarks();
    }

    /// <summary>Under the lock: the partition of that name.</summary>
    private Partition Find(PartitionId partition)
    {
        if (partition.Number < _partitions.Length && _partitions[partition.Number] is { } found && found.Id == partition)
            return found;
        throw new ArgumentException($"{Name}: there is no partition {partition.Value}", nameof(partition));
    }

    /// <summary>The partition of an object. Without the lock a hint.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Partition PartitionOf(ObjectId owner) => _isPartitioned ? PartitionOfChecked(owner) : _main;

    private Partition PartitionOfChecked(ObjectId owner)
    {
        byte[] numbers = _partitionOfObject;
        return owner.Value < (uint)numbers.Length ? PartitionAt(numbers[owner.Value]) : _main;
    }

    /// <summary>Under the lock: the partition that a frame is charged to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Partition PartitionOf(FrameId frame) => _isPartitioned ? PartitionAt(_frames.Owner(frame).Domain) : _main;

    // Without the lock the object may be gone by now, and its partition too.
    private Partition PartitionAt(int number) => _partitions[number] ?? _main;

    private IEnumerable<Partition> Existing()
    {
        foreach (Partition? partition in _partitions)
            if (partition is not null) yield return partition;
    }

    private long Sum(Func<Partition, long> count, long gone = 0)
    {
        foreach (Partition? partition in _partitions)
            if (partition is not null) gone += count(partition);
        return gone;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CountHit(ref FrameHead head)
    {
        if (_hitCounting == HitCounting.None) return;
        if (_hitCounting == HitCounting.Together) _hits.Add(1);
        else PartitionOf(head.Key.ObjectId).Hits.Add(1);
    }
}
