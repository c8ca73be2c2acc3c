// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Write leases: a page for one writer alone.</summary>
public unsafe partial class PageCache<TRules, TProbe> : IPageWriter
{
    /// <summary>The page for this caller alone: no lease is out, and none is given until it is disposed. Found, or loaded
    /// from the object's source; in an object without a source, a page of zeros where there is none.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <returns>The lease; dispose it. If the object has a source, the page is dirty then and will be written. Without one
    /// nothing is ever written: changes last as long as the page is resident, as those of <see cref="TryAdd"/> do.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page.</exception>
    /// <exception cref="InvalidOperationException">The source cannot write, or every frame is held.</exception>
    /// <exception cref="PageLoadException">The source failed; nothing of the page stays.</exception>
    /// <exception cref="NativeMemoryException">The index, or at the first write the bookkeeping of writes, cannot grow
    /// within the bound.</exception>
    /// <exception cref="TimeoutException">Readers or another writer have kept the page for too long, or too many pages are
    /// dirty and cannot be written (<see cref="WriteBackOptions.DirtyLimit"/>).</exception>
    public WriteLease GetForWrite(ObjectId owner, ulong page)
    {
        Deadline deadline = new(_options.Patience);
        IPageSource? source = SourceOf(owner);
        if (source is not null)
        {
            PrepareWrites(owner, source);
            Partition partition = PartitionOf(owner);
            if (MustThrottle(partition)) Throttle(partition, ref deadline);
        }

        while (true)
        {
            PageLease lease = source is null ? GetOrZero(owner, page, ref deadline) : Get(owner, page);
            FrameId frame = _memory.FrameAt(lease.Address);
            if (TryLock(frame, lease, ref deadline)) return new WriteLease(this, frame, _memory.Address(frame), PageBytes);
            WaitForWriter(ref deadline, owner, page);
        }
    }

    void IPageWriter.EndWrite(FrameId frame)
    {
        Enter();
        try
        {
            ref ulong word = ref _heads[frame.Value].Word;
            FrameState last = new(Volatile.Read(ref word));
            // Only whoever holds the lock changes flags and version, so these stay while pins come and go.
            bool becomesDirty = last.IsLive && WritesOf(_heads[frame.Value].Key.ObjectId) is not null;
            while (true)
            {
                FrameState next = last.NextVersion().Without(FrameState.Locked).With(becomesDirty ? FrameState.Dirty : 0);
                ulong seen = Interlocked.CompareExchange(ref word, next.Packed - FrameState.OnePin, last.Packed); // W5
                if (seen == last.Packed) break;
                last = new FrameState(seen);
            }

            if (becomesDirty && !last.Has(FrameState.Dirty)) NoteDirty(frame, last);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>The page of an object without a source, made of zeros if it is not resident.</summary>
    private PageLease GetOrZero(ObjectId owner, ulong page, ref Deadline deadline)
    {
        while (true)
        {
            if (TryGet(owner, page, out PageLease lease)) return lease;
            // False when somebody is just loading it, from a source of his own.
            if (!TryAdd(owner, page, [])) WaitForWriter(ref deadline, owner, page);
        }
    }

    /// <summary>W1 to W3 for the holder of a lease, which goes when they fail.</summary>
    private bool TryLock(FrameId frame, PageLease lease, ref Deadline deadline)
    {
        ref ulong word = ref _heads[frame.Value].Word;
        Enter();
        bool mine = (Volatile.Read(ref word) & LiveAndLocked) == FrameState.Live;
        if (mine) Interlocked.Or(ref word, FrameState.Locked); // W1
        if (mine && _tier is not null) ForgetBeforeWrite(frame);
        (FrameId, uint)[] twins = mine && _twins.Count > 0 ? TwinsOf(frame) : [];
        _lock.Exit();
        // W2 too: leases of a frame that the page had for a moment while it was moved.
        while (IsAnyTwinHeld(twins))
        {
            if (!deadline.Wait()) GiveUpWrite(frame, lease);
        }

        while (mine && new FrameState(Volatile.Read(ref word)).Pins > 1) // W2
        {
            if (!deadline.Wait()) GiveUpWrite(frame, lease);
        }

        // W3. Readers without pins are not counted above: those who found the page before W1 must have passed.
        while (mine && _space.UsesLimbo && !AllReadersPassed(NextEpoch()))
        {
            if (!deadline.Wait()) GiveUpWrite(frame, lease);
        }

        if (!mine) lease.Dispose();
        else PageLease.HandOver(lease);
        if (mine) TProbe.At(CacheStep.Locked);
        return mine;
    }

    /// <summary>Takes W1 back: readers were there for too long.</summary>
    [DoesNotReturn]
    private void GiveUpWrite(FrameId frame, PageLease lease)
    {
        Enter();
        Interlocked.And(ref _heads[frame.Value].Word, ~FrameState.Locked);
        _lock.Exit();
        PageKey key = _frames.Key(frame);
        lease.Dispose();
        throw new TimeoutException($"{Name}: {key} still has readers after {_options.Patience.TotalSeconds:0.###} s");
    }
}

/// <summary>What a write lease calls when it ends, without knowing the cache's type parameters.</summary>
internal interface IPageWriter
{
    /// <summary>The writer is done: the page is dirty and free for others.</summary>
    void EndWrite(FrameId frame);
}

/// <summary>A page for one writer alone; disposing it lets it go, dirty if it can be written anywhere. Dispose it exactly
/// once.</summary>
public readonly unsafe struct WriteLease : IDisposable, IEquatable<WriteLease>
{
    private readonly IPageWriter? _cache;
    private readonly FrameId _frame;
    private readonly byte* _bytes;
    private readonly int _length;
#if DEBUG || PERFCACHE_VALIDATE
    private readonly LeaseTicket? _ticket;
#endif

    internal WriteLease(IPageWriter cache, FrameId frame, byte* bytes, int length)
    {
        _cache = cache;
        _frame = frame;
        _bytes = bytes;
        _length = length;
#if DEBUG || PERFCACHE_VALIDATE
        _ticket = new LeaseTicket(default);
#endif
    }

    /// <summary>The bytes of the page, to read and to change.</summary>
    /// <exception cref="ObjectDisposedException">Debug builds: the lease was disposed.</exception>
    public Span<byte> Span
    {
        get
        {
#if DEBUG || PERFCACHE_VALIDATE
            _ticket?.CheckHeld();
#endif
            return new Span<byte>(_bytes, _length);
        }
    }

    /// <summary>Ends the write.</summary>
    /// <exception cref="ObjectDisposedException">Debug builds: it was ended before.</exception>
    public void Dispose()
    {
        if (_cache is null) return;
#if DEBUG || PERFCACHE_VALIDATE
        _ticket?.Return();
#endif
        _cache.EndWrite(_frame);
    }

    /// <inheritdoc/>
    public bool Equals(WriteLease other) => _bytes == other._bytes;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is WriteLease other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => ((nuint)_bytes).GetHashCode();

    /// <summary>True for leases of one page.</summary>
    public static bool operator ==(WriteLease left, WriteLease right) => left.Equals(right);

    /// <summary>True for leases of two pages.</summary>
    public static bool operator !=(WriteLease left, WriteLease right) => !left.Equals(right);
}
