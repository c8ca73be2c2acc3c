// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;
using PerfCache.Pools;

namespace PerfCache.Cache;

/// <summary>What an access found.</summary>
public enum AccessOutcome
{
    /// <summary>The page was resident.</summary>
    Hit,

    /// <summary>The page was not resident and had left no shadow.</summary>
    ColdMiss,

    /// <summary>The page was not resident, but the shadow of its last eviction was still there.</summary>
    Refault,
}

/// <summary>
/// A page cache of a fixed number of frames: it finds pages, brings them in, and lets its rule choose what goes.
/// This form knows pages by name only and holds no page data.
/// </summary>
/// <remarks>
/// The life of a page:
/// <code>
/// access, not found ─► a free frame (reclaim, if there is none) ─► slot, head ─► rule.OnInsert
/// access, found     ─► TRules.OnHit(state): nothing, a byte store, or rule.OnDeferredHit
/// reclaim           ─► rule.Reclaim chooses ─► the slot keeps a shadow ─► the frame is free
/// access again      ─► the shadow is found: a refault; the rule may activate the page at once
/// </code>
/// One implementation for replay and production: the rule and the mode are type parameters, so the JIT compiles a cache
/// that has no virtual call, no lock and no counter which its mode does not ask for.
/// <para>Threads: with a mode that locks, any thread may call any verb. Otherwise one thread at a time.</para>
/// </remarks>
/// <typeparam name="TRules">The replacement rule.</typeparam>
/// <typeparam name="TMode">Locking and counting.</typeparam>
public sealed partial class MetadataCache<TRules, TMode> : IDisposable
    where TRules : struct, IReplacementRules
    where TMode : struct, ICacheMode
{
    private readonly Lock _lock = new();
    private readonly CacheSpace _space;
    private readonly FrameTable _frames;
    private readonly PageIndex _index;
    private readonly FramePool _pool;
    private readonly NativeArray<FrameHead> _heads;
    private TRules _rules;
    private long _requests;
    private long _misses;
    private long _refaults;
    private long _removals;
    private bool _disposed;

    /// <summary>Makes an empty cache.</summary>
    /// <param name="frameCount">Its size in pages, 1 to <see cref="FrameId.CountMax"/>.</param>
    /// <param name="rules">The rule with its parameters; it must not be attached to another cache.</param>
    /// <param name="meter">The meter to charge, or null for <see cref="MemoryMeter.Process"/>.</param>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public MetadataCache(uint frameCount, TRules rules, MemoryMeter? meter = null)
    {
        uint ghostCount = TRules.UsesGhosts ? rules.GhostRowCount(frameCount) : 0;
        _space = new CacheSpace(frameCount, ghostCount, meter ?? MemoryMeter.Process);
        _frames = _space.Frames;
        _index = _space.Index;
        _pool = _space.Pool;
        _heads = _frames.Heads;
        _rules = rules;
        try
        {
            _rules.Attach(_space);
        }
        catch
        {
            _space.Dispose();
            throw;
        }
    }

    /// <summary>The size of the cache in pages.</summary>
    public uint FrameCount => _space.FrameCount;

    /// <summary>The number of pages that are resident.</summary>
    public uint ResidentCount => _space.ResidentCount;

    /// <summary>The number of frames that hold nothing.</summary>
    public uint FreeCount => _space.FreeCount;

    /// <summary>The number of frames that are set aside (<see cref="SetAside"/>).</summary>
    public uint AsideCount => _space.AsideCount;

    /// <summary>The rule, to look at. Changing it here breaks the cache.</summary>
    public ref readonly TRules Rules => ref _rules;

    /// <summary>The frames, to look at.</summary>
    public FrameTable Frames => _frames;

    /// <summary>Counts since the cache was made.</summary>
    public CacheStatistics Statistics
    {
        get
        {
            using Lock.Scope scope = Enter();
            return new()
            {
                Requests = _requests,
                Misses = _misses,
                Refaults = _refaults,
                RefaultActivations = _space.RefaultActivations,
                Activations = _space.Activations,
                Deactivations = _space.Deactivations,
                Evictions = _space.Evictions,
                Removals = _removals,
                ShadowsDropped = _space.Shadows.DroppedCount,
            };
        }
    }

    /// <summary>Native bytes in use.</summary>
    public CacheMemory Memory
    {
        get
        {
            using Lock.Scope scope = Enter();
            return new(_frames.NativeBytes + _space.RuleBytes, _index.NativeBytes, _space.Shadows.NativeBytes);
        }
    }

    /// <summary>Adds an object (a file, a volume, a tenant) whose pages may be cached.</summary>
    /// <param name="pageCountMax">Its pages are numbered from 0 to one less than this, rounded up to a multiple of 64; at
    /// most 2^40.</param>
    /// <param name="dense">True when most of its pages will be used, or it has at most 2^32: it gets a directory that
    /// costs 4 bytes for 64 pages up to its highest page. False for sparse objects: 43 to 46
    /// bytes a page that is resident or remembered.</param>
    /// <exception cref="NativeMemoryException">The address space cannot be had.</exception>
    public ObjectId AddObject(ulong pageCountMax, bool dense)
    {
        ArgumentOutOfRangeException.ThrowIfZero(pageCountMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(
            pageCountMax, dense ? PageIndex.DensePageMax : PageKey.PageMax + 1);
        using Lock.Scope scope = Enter();
        return _index.AddObject(pageCountMax, dense);
    }

    /// <summary>Reads a page: finds it, or brings it in.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="reader">The reader that reads; see <see cref="PageReader"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page.</exception>
    /// <exception cref="InvalidOperationException">Every frame is held and none can be reclaimed.</exception>
    /// <exception cref="NativeMemoryException">The index cannot grow; the cache is as before.</exception>
    public AccessOutcome Access(ObjectId owner, ulong page, ref PageReader reader)
    {
        if (!TMode.Locks) return AccessCounted(owner, page, ref reader);
        lock (_lock) return AccessCounted(owner, page, ref reader);
    }

    /// <summary>True when the page is resident. Changes nothing.</summary>
    public bool Contains(ObjectId owner, ulong page)
    {
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, page)) return false;
        return _index.Entry(_index.FindSlot(owner, page)).IsFrame;
    }

    /// <summary>The frame of a resident page, or <see cref="FrameId.None"/>: for tests and dumps.</summary>
    public FrameId Find(ObjectId owner, ulong page)
    {
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, page)) return FrameId.None;
        SlotEntry entry = _index.Entry(_index.FindSlot(owner, page));
        return entry.IsFrame ? entry.Frame : FrameId.None;
    }

    /// <summary>True when the page is not resident but its last eviction is remembered.</summary>
    public bool HasShadow(ObjectId owner, ulong page)
    {
        using Lock.Scope scope = Enter();
        if (!_index.IsPage(owner, page)) return false;
        return _index.Entry(_index.FindSlot(owner, page)).IsShadow;
    }

    /// <summary>Frees frames now, as an access does when it finds none free.</summary>
    /// <returns>The number of frames freed.</returns>
    public int Reclaim()
    {
        using Lock.Scope scope = Enter();
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _rules.Reclaim();
    }

    /// <summary>
    /// Takes free frames out of use, for an owner of the memory who needs some for something else: the memory of a machine's
    /// programs, a balloon. Evicts nothing; that is what <see cref="Reclaim"/> is for.
    /// </summary>
    /// <param name="count">How many.</param>
    /// <returns>The number taken: at most <see cref="FreeCount"/>.</returns>
    public uint SetAside(uint count)
    {
        using Lock.Scope scope = Enter();
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _space.SetAside(count);
    }

    /// <summary>Makes frames that were set aside free again.</summary>
    /// <param name="count">How many.</param>
    /// <returns>The number freed: at most <see cref="AsideCount"/>.</returns>
    public uint BringBack(uint count)
    {
        using Lock.Scope scope = Enter();
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _space.BringBack(count);
    }

    /// <summary>Gives all native memory back.</summary>
    public void Dispose()
    {
        using Lock.Scope scope = Enter();
        if (_disposed) return;
        _disposed = true;
        _space.Dispose();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private AccessOutcome AccessCounted(ObjectId owner, ulong page, ref PageReader reader)
    {
        if (!_index.IsPage(owner, page)) ThrowNoPage(owner, page);
        if (TMode.Counts) _requests++;
        return AccessCore(owner, page, Repeats(ref reader, new PageKey(owner, page)));
    }

    /// <summary>True when the rule does not count the access, because the reader read this page last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Repeats(ref PageReader reader, PageKey key) => !TRules.CountsRepeats && reader.Repeats(key);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private AccessOutcome AccessCore(ObjectId owner, ulong page, bool repeats)
    {
        uint address = _index.FindSlot(owner, page);
        SlotEntry entry = _index.Entry(address);
        if (!entry.IsFrame) return Miss(owner, page, address, repeats);
        if (!repeats && TouchDefers(entry, _heads)) DeferHit(entry.Frame);
        return AccessOutcome.Hit;
    }

    /// <summary>Out of line, so that the loops around hits keep their registers.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void DeferHit(FrameId frame) => _rules.OnDeferredHit(frame);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private AccessOutcome Miss(ObjectId owner, ulong page, uint address, bool repeats) =>
        BringIn(owner, page, address, repeats);

    /// <summary>Brings a page in.</summary>
    /// <param name="owner">The object.</param>
    /// <param name="page">The page.</param>
    /// <param name="address">The page's slot, as it was just looked up.</param>
    /// <param name="repeats">True when the access does not count.</param>
    /// <remarks>Inlined into its two callers: a miss is a few dozen instructions, and calls were half of its time.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private AccessOutcome BringIn(ObjectId owner, ulong page, uint address, bool repeats)
    {
        // A page beyond its object has no leaf; it is refused before anything is evicted for it.
        if (address < IndexBlocks.SlotCount && !_index.IsPage(owner, page)) ThrowNoPage(owner, page);
        ShadowEntry ghost = ShadowEntry.None;
        if (TRules.UsesGhosts && TRules.Kind == RuleKind.List)
        {
            uint removed = _index.LeavesRemoved;
            ghost = _index.Entry(address).Shadow;
            _rules.OnMiss(ghost);
            if (removed != _index.LeavesRemoved) address = _index.FindSlot(owner, page);
        }

        if (_pool.FreeCount == 0)
        {
            if (TRules.TakesVictims && address >= IndexBlocks.SlotCount)
            {
                FrameId victim = TakeVictim(owner, page, ref address, out ShadowEntry found);
                if (!victim.IsNone) return Settle(new PageKey(owner, page), victim, found, ghost, repeats);
            }

            if (_pool.FreeCount == 0) MakeRoom(owner, page, ref address);
        }

        // The frame is taken after the slot is there, so a failure to grow the index leaves the cache as it was.
        if (address < IndexBlocks.SlotCount) address = _index.AddLeaf(owner, page);
        FrameId frame = _pool.Allocate();
        ShadowEntry shadow = _index.Install(address, frame);
        return Settle(new PageKey(owner, page), frame, shadow, ghost, repeats);
    }

    /// <summary>The end of bringing a page in: its frame is in the slot, and not live.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private AccessOutcome Settle(PageKey key, FrameId frame, ShadowEntry shadow, ShadowEntry ghost, bool repeats)
    {
        ref FrameHead head = ref _heads[frame.Value];
        head.Key = key;
        head.State = head.State.With(FrameState.Live);
        _misses++;
        if (TRules.UsesGhosts && !shadow.IsNone) _space.Orphan(shadow);
        bool isCold = shadow.IsNone && ghost.IsNone;
        if (!isCold) _refaults++;
        _rules.OnInsert(frame, shadow, !repeats);
        return isCold ? AccessOutcome.ColdMiss : AccessOutcome.Refault;
    }

    /// <summary>Puts the page that comes in straight into the frame of the one that goes.</summary>
    /// <param name="owner">The object.</param>
    /// <param name="page">The page.</param>
    /// <param name="address">Its slot, which is there; another one where the rule dropped a ghost and with it the leaf.</param>
    /// <param name="shadow">What was in the slot.</param>
    /// <returns>The frame, or none: then the page is still to be brought in.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private FrameId TakeVictim(ObjectId owner, ulong page, ref uint address, out ShadowEntry shadow)
    {
        uint removed = _index.LeavesRemoved;
        shadow = ShadowEntry.None;
        FrameId victim = _rules.TakeVictim(out FrameId ghost);
        if (victim.IsNone) return FrameId.None;
        if (TRules.UsesGhosts && removed != _index.LeavesRemoved)
        {
            _space.EvictTaken(victim, ghost);
            address = _index.FindSlot(owner, page);
            return FrameId.None;
        }

        shadow = _space.Replace(victim, ghost, address);
        return victim;
    }

    /// <summary>Reclaims, because no frame is free.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void MakeRoom(ObjectId owner, ulong page, ref uint address)
    {
        uint removed = _index.LeavesRemoved;
        _rules.Reclaim();
        if (_pool.FreeCount == 0) ReclaimAgain();
        // Reclaim may have freed the leaf that the address is in, and another page's leaf may be there now.
        if (removed != _index.LeavesRemoved) address = _index.FindSlot(owner, page);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReclaimAgain()
    {
        for (int tries = 1; tries < CacheSpace.ReclaimTriesMax; tries++)
        {
            _rules.Reclaim();
            if (_pool.FreeCount > 0) return;
        }

        throw new InvalidOperationException(
            $"page cache: all {FrameCount} frames are held and none can be reclaimed; release some or enlarge the cache");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Lock.Scope Enter() => TMode.Locks ? _lock.EnterScope() : default;

    private void ThrowNoPage(ObjectId owner, ulong page)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        throw new ArgumentOutOfRangeException(
            nameof(page), page, $"object {owner.Value} of the page cache does not exist or has no such page");
    }
}
