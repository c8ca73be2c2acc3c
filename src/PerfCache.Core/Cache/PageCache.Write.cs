// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using PerfCache.Frames;

namespace PerfCache.Cache;

/// <summary>Write leases: a page for one writer alone.</summary>
public unsafe partial class PageCache<TRules, TProbe> : IPageWriter
{
    private long _dirtyCount;

    /// <summary>Pages that have been changed and not written to their source.</summary>
    public long DirtyCount => Interlocked.Read(ref _dirtyCount);

    private static bool HasWritesUnderWay => false;

    /// <summary>The page for this caller alone: no lease is out, and none is given until it is disposed. Found, or loaded
    /// from the object's source.</summary>
    /// <param name="owner">An object of this cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <returns>The lease; dispose it, and the page is dirty.</returns>
    /// <inheritdoc cref="Get" path="/exception"/>
    public WriteLease GetForWrite(ObjectId owner, ulong page)
    {
        Deadline deadline = new(_options.Patience);
        while (true)
        {
            PageLease lease = Get(owner, page);
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
            ulong now = Volatile.Read(ref word);
            while (true)
            {
                FrameState next = new FrameState(now).NextVersion().Without(FrameState.Locked).With(
                    new FrameState(now).IsLive ? FrameState.Dirty : 0);
                ulong seen = Interlocked.CompareExchange(ref word, next.Packed - FrameState.OnePin, now); // W5
                if (seen == now) break;
                now = seen;
            }

            FrameState last = new(now);
            if (last.IsLive && !last.Has(FrameState.Dirty)) NoteDirty(frame);
        }
        finally
        {
            Exit();
        }
    }

    /// <summary>W1 to W3 for the holder of a lease, which goes when they fail.</summary>
    private bool TryLock(FrameId frame, PageLease lease, ref Deadline deadline)
    {
        ref ulong word = ref _heads[frame.Value].Word;
        Enter();
        bool mine = (Volatile.Read(ref word) & LiveAndLocked) == FrameState.Live;
        if (mine) Interlocked.Or(ref word, FrameState.Locked); // W1
        _lock.Exit();
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

    private void NoteDirty(FrameId frame) => _dirtyCount++;

    /// <summary>A page goes without being written.</summary>
    private void NoteClean(FrameId frame)
    {
        if (_frames.State(frame).Has(FrameState.Dirty)) _dirtyCount--;
    }
}

/// <summary>What a write lease calls when it ends, without knowing the cache's type parameters.</summary>
internal interface IPageWriter
{
    /// <summary>The writer is done: the page is dirty and free for others.</summary>
    void EndWrite(FrameId frame);
}

/// <summary>A page for one writer alone; disposing it marks the page dirty and lets it go. Dispose it exactly once.</summary>
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
        _ticket = LeaseLedger.Issue(default);
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
