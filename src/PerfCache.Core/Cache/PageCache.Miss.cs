// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Index;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Misses: the slow path looks again under the lock, joins a load that is under way, or loads.</summary>
/// <remarks>
/// <code>
/// lock: resident? pin it, done
///       somebody loads it? join, leave the lock, wait; the frame comes with a pin for each who waited
///       otherwise: take a frame (private), note the load, leave the lock
/// read the page into the private frame; nobody else can see it
/// lock: publish it with a pin for everybody, or, if that failed, free the frame; forget the load
/// complete the waiters
/// </code>
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>The page as a lease: found, or loaded from the object's source.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page.</exception>
    /// <exception cref="InvalidOperationException">The object has no source, or every frame is held.</exception>
    /// <exception cref="PageLoadException">The source failed; nothing of the page stays.</exception>
    /// <exception cref="NativeMemoryException">The index cannot grow within the bound.</exception>
    /// <exception cref="TimeoutException">A writer has kept the page for itself, or another thread has been loading it, for
    /// longer than <see cref="PageCacheOptions.Patience"/>.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageLease Get(ObjectId owner, ulong page)
    {
        return TryPinSettled(owner, page, out FrameId frame) ? Lease(frame) : GetFromSource(owner, page);
    }

    /// <summary>The page as a lease: found, or filled by <paramref name="source"/>, which is asked instead of the object's
    /// own.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="source">Where to get the page.</param>
    /// <returns>The lease; dispose it.</returns>
    /// <inheritdoc cref="Get(ObjectId, ulong)" path="/exception"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public PageLease GetOrAdd(ObjectId owner, ulong page, IPageSource source)
    {
        return TryPinSettled(owner, page, out FrameId frame) ? Lease(frame) : GetSlow(owner, page, source);
    }

    /// <summary>What <see cref="TryGet"/> does where it did not find the page at once.</summary>
    /// <returns>An empty lease when the page is not resident.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease TryGetSlow(ObjectId owner, ulong page)
    {
        FrameId frame = TryPin(owner, page);
        if (!frame.IsNone) return Lease(frame);
        Deadline deadline = new(_options.Patience);
        while (true)
        {
            Enter();
            try
            {
                CheckPage(owner, page);
                if (TryPinUnderLock(owner, page, out frame, out bool writing)) return Lease(frame);
                if (!writing)
                {
                    PartitionOf(owner).Misses++;
                    return default;
                }
            }
            finally
            {
                Exit();
            }

            WaitForWriter(ref deadline, owner, page);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TouchSlow(ObjectId owner, ulong page)
    {
        if (!FindChecked(owner, page, out _).IsNone) return true;
        using PageLease lease = TryGetSlow(owner, page);
        return !lease.IsEmpty;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease GetFromSource(ObjectId owner, ulong page) => GetSlow(owner, page, SourceOf(owner));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private PageLease GetSlow(ObjectId owner, ulong page, IPageSource? source)
    {
        FrameId frame = TryPin(owner, page);
        return frame.IsNone ? GetSlow(owner, page, source, countsAsAccess: true, out _) : Lease(frame);
    }

    private PageLease GetSlow(ObjectId owner, ulong page, IPageSource? source, bool countsAsAccess, out bool missed)
    {
        Deadline deadline = new(_options.Patience);
        missed = false;
        while (true)
        {
            Found found = FindOrStart(
                owner, page, source, detached: false, out FrameId frame, out PageLoad? load, out Task<FrameId>? joined,
                countsAsAccess);
            missed |= found is not (Found.Resident or Found.BeingWritten);
            switch (found)
            {
                case Found.Resident:
                    return Lease(frame);
                case Found.BeingWritten:
                    WaitForWriter(ref deadline, owner, page);
                    break;
                case Found.BeingLoaded:
                    frame = Wait(joined!, load!);
                    if (!frame.IsNone) return Lease(frame);
                    break;
                case Found.Changed:
                    break;
                default:
                    frame = Load(load!, source!);
                    if (!frame.IsNone) return Lease(frame);
                    break;
            }
        }
    }

    /// <summary>What the slow path found under the lock.</summary>
    private enum Found
    {
        Resident,
        BeingWritten,
        BeingLoaded,
        Started,

        /// <summary>The lock was left meanwhile, and the page is known now.</summary>
        Changed,

        /// <summary>Detached only: no frame without waiting.</summary>
        NoFrame,
    }

    /// <summary>Under the lock: the page is resident, or somebody loads it.</summary>
    private bool IsKnown(PageKey key) => IsKnown(key, _index.FindSlot(key.ObjectId, key.Page));

    /// <summary>As the other.</summary>
    /// <param name="key">The page.</param>
    /// <param name="address">Its slot.</param>
    private bool IsKnown(PageKey key, uint address) =>
        new SlotEntry(_slots[address]).IsFrame || (_loads.Count > 0 && _loads.ContainsKey(key.Packed));

    /// <summary>Under the lock, which was left meanwhile: the object is still there, and the page is not.</summary>
    private bool IsStillMissing(PageKey key) => _index.IsPage(key.ObjectId, key.Page) && !IsKnown(key);

    private Found FindOrStart(
        ObjectId owner, ulong page, IPageSource? source, bool detached, out FrameId frame, out PageLoad? load,
        out Task<FrameId>? joined, bool countsAsAccess = true)
    {
        RequestChain ahead = default;
        Found found;
        // A source is asked nothing under the lock.
        ulong pageEnd = _readsAhead && source is not null ? source.PageCount : 0;
        Enter();
        try
        {
            CheckPage(owner, page);
            found = FindOrStartUnderLock(
                new PageKey(owner, page), source, detached, out frame, out load, out joined, countsAsAccess);
            if (_readsAhead && found == Found.Started) NoteMiss(load!.Key, source!, pageEnd, ref ahead);
        }
        finally
        {
            Exit();
        }

        ahead.StartAll();
        return found;
    }

    /// <summary>Under the lock: finds the page, joins its load or starts one.</summary>
    /// <param name="key">The page.</param>
    /// <param name="source">Where it comes from.</param>
    /// <param name="detached">True when somebody else than the caller will do the load: the caller joins it as a waiter,
    /// and does not wait for a frame.</param>
    /// <param name="frame">The frame, pinned if the page is resident.</param>
    /// <param name="load">The load, unless the page is resident.</param>
    /// <param name="joined">What the caller waits for if it joined.</param>
    /// <param name="countsAsAccess">False when the caller merely reads on in the page.</param>
    private Found FindOrStartUnderLock(
        PageKey key, IPageSource? source, bool detached, out FrameId frame, out PageLoad? load,
        out Task<FrameId>? joined, bool countsAsAccess = true)
    {
        load = null;
        joined = null;
        if (TryPinUnderLock(key.ObjectId, key.Page, out frame, out bool writing, countsAsAccess)) return Found.Resident;
        if (writing) return Found.BeingWritten;
        Partition partition = PartitionOf(key.ObjectId);
        if (_loads.TryGetValue(key.Packed, out load))
        {
            partition.Misses++;
            load.CountsAsAccess |= countsAsAccess;
            joined = load.Join();
            if (load.Mark.IsUnread) NoteFirstUse(load);
            return Found.BeingLoaded;
        }

        if (source is null)
        {
            partition.Misses++;
            throw NoSource(key);
        }

        DrainActivations();
        if (!detached)
        {
            partition.Misses++;
            frame = AllocateFrame(NeedOf(partition, key), out bool leftLock);
            if (leftLock && !IsStillMissing(key))
            {
                FreePrivate(frame);
                return Found.Changed;
            }
        }
        else
        {
            // A caller that finds no frame asks again: only the last time is a miss.
            if (!TryAllocateFrame(NeedOf(partition, key), out frame)) return Found.NoFrame;
            partition.Misses++;
        }

        load = StartLoad(key, frame, detached ? 0 : 1);
        load.CountsAsAccess = countsAsAccess;
        if (detached) joined = load.Join();
        return Found.Started;
    }

    private PageLoad StartLoad(PageKey key, FrameId frame, int pins)
    {
        PageLoad load = _loadPool.Get();
        load.Start(key, frame, pins);
        _loads.Add(key.Packed, load);
        return load;
    }

    private InvalidOperationException NoSource(PageKey key) => new(
        $"{Name}: {key} is not resident and the object has no source to load it from; "
        + "add the page, or the object with a source");

    /// <summary>Under the lock: pins the page if it is resident and nobody writes it.</summary>
    private bool TryPinUnderLock(
        ObjectId owner, ulong page, out FrameId frame, out bool writing, bool countsAsAccess = true)
    {
        SlotEntry entry = _index.Entry(_index.FindSlot(owner, page));
        frame = FrameId.None;
        writing = false;
        if (!entry.IsFrame) return false;
        ref FrameHead head = ref _heads[entry.Frame.Value];
        ulong word = head.Word;
        writing = (word & FrameState.Locked) != 0;
        if (writing) return false;
        if ((word & PinsFull) != 0)
            throw new InvalidOperationException($"{Name}: {head.Key} has {1 << 15} leases; some are never disposed");
        frame = entry.Frame;
        word = Interlocked.Add(ref head.Word, FrameState.OnePin);
        if (countsAsAccess) NoteHitUnderLock(frame, ref head, word);
        else CountHit(ref head);
        return true;
    }

    private void NoteHitUnderLock(FrameId frame, ref FrameHead head, ulong word)
    {
        CountHit(ref head);
        if (_readsAhead) NoteFirstUse(frame);
        HitEffect effect = TRules.OnHit(new FrameState(word));
        if (effect.IsNone) return;
        if ((byte)word != effect.Referenced) head.Referenced = effect.Referenced;
        if (effect.Defers && !_space.IsHeld(frame)) ShareOf(frame).Rules.OnDeferredHit(frame);
    }

    private IPageSource? SourceOf(ObjectId owner)
    {
        IPageSource?[] sources = Volatile.Read(ref _sources);
        return owner.Value < (uint)sources.Length ? sources[owner.Value] : null;
    }

    private void CheckPage(ObjectId owner, ulong page)
    {
        if (_disposed || !_index.IsPage(owner, page)) ThrowNoPage(owner, page);
    }

    [DoesNotReturn]
    private void ThrowNoPage(ObjectId owner, ulong page)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        throw new ArgumentOutOfRangeException(
            nameof(page), page, $"{Name}: object {owner.Value} does not exist or has no such page");
    }

    private void WaitForWriter(ref Deadline deadline, ObjectId owner, ulong page)
    {
        if (!deadline.Wait()) throw WrittenTooLong(owner, page);
    }

    private TimeoutException WrittenTooLong(ObjectId owner, ulong page) => new(
        $"{Name}: {new PageKey(owner, page)} has been held by a writer for {_options.Patience.TotalSeconds:0.###} s");

    /// <summary>A wait that ends: spins, then yields, then sleeps, until the time is up.</summary>
    private struct Deadline(TimeSpan patience)
    {
        private readonly long _end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        private SpinWait _spin;

        /// <summary>True when the time is up.</summary>
        public readonly bool IsOver => Environment.TickCount64 > _end;

        /// <summary>What is left of the time.</summary>
        public readonly TimeSpan Left => TimeSpan.FromMilliseconds(Math.Max(0, _end - Environment.TickCount64));

        /// <summary>Waits a little.</summary>
        /// <returns>False when the time is up.</returns>
        public bool Wait()
        {
            if (IsOver) return false;
            _spin.SpinOnce();
            return true;
        }
    }
}
