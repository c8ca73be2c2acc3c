// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Cache;

/// <summary>Readers without locked operations: they announce an epoch instead of pinning.</summary>
/// <remarks>
/// <code>
/// reader    E0 acquire the epoch   E1 own slot := epoch   C1 to C3 as a copy   E2 use the bytes
///           E3 own slot := 0, a release
/// reclaim   V1 to V3                  R1 frames to limbo
///   (lock)  R2 epoch + 1              R3 barrier in all threads
///           R4 wait until each slot is 0 or at least the new epoch                  R5 limbo frames are free
/// </code>
/// E1 is a plain store, which a processor may delay past the loads behind it. R3 makes up for that: after it either the
/// store is visible, and R4 waits, or the reader's loads come later and see the frame dead. One stalled reader would
/// stop all reuse, so limbo is bounded: beyond, readers pin until it is empty again.
/// </remarks>
public unsafe partial class PageCache<TRules, TProbe>
{
    /// <summary>The most readers at a time.</summary>
    private const int ReaderMax = 1024;

    private const int WordsPerReader = 8;

    /// <summary>How long a reclaim spins for readers before it leaves its frames in limbo; their leases are short.</summary>
    private const int LimboSpinsMax = 200;

    private NativeColumn<long>? _readerEpochs;
    private NativeArray<long> _readerEpoch;
    private readonly Stack<uint> _freeReaders = [];
    private uint _readerCount;
    private uint _readerHighWater;
    private long _epoch = 1;
    private volatile bool _readersPin;

    /// <summary>Opens a reader: for one thread, which reads pages for a short time each, as cheaply as can be.</summary>
    /// <exception cref="InvalidOperationException">There are too many.</exception>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public CacheReader<TRules, TProbe> OpenReader()
    {
        using (_lock.EnterScope())
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_readerEpochs is null)
            {
                _readerEpochs = new NativeColumn<long>("reader epochs", ReaderMax * WordsPerReader, _meter);
                _readerEpoch = _readerEpochs.View;
            }

            if (!_freeReaders.TryPop(out uint row))
            {
                if (_readerHighWater == ReaderMax)
                    throw new InvalidOperationException($"{Name}: {ReaderMax} readers are open, which is the most");
                _readerEpochs.EnsureLength((_readerHighWater + 1L) * WordsPerReader);
                row = _readerHighWater++;
            }

            _readerCount++;
            _space.UsesLimbo = true;
            return new CacheReader<TRules, TProbe>(this, row);
        }
    }

    internal void CloseReader(uint row)
    {
        using (_lock.EnterScope())
        {
            if (_disposed) return;
            _freeReaders.Push(row);
            if (--_readerCount > 0) return;
            EmptyLimbo();
            _space.UsesLimbo = _space.Limbo.Count > 0;
        }
    }

    /// <summary>The word in which a reader announces its epoch.</summary>
    internal ref long ReaderEpoch(uint row) => ref _readerEpoch[row * WordsPerReader];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryFindForReader(ObjectId owner, ulong page, ref long announced, out FrameId frame)
    {
        Volatile.Write(ref announced, Volatile.Read(ref _epoch)); // E0, E1
        bool found = TryFindSettled(_directoriesForReaders, owner, page, out frame);
        TProbe.At(CacheStep.Checked);
        return found;
    }

    /// <summary>What <see cref="TryFindForReader"/> leaves: hits that change the frame, sparse objects, and all hits while readers
    /// pin.</summary>
    internal FrameId FindForReaderSlow(ObjectId owner, ulong page, ref long announced)
    {
        FrameId frame = FrameId.None;
        if (!_readersPin)
        {
            Volatile.Write(ref announced, Volatile.Read(ref _epoch)); // E0, E1
            frame = FindChecked(owner, page, out _);
        }

        if (frame.IsNone) Volatile.Write(ref announced, 0);
        TProbe.At(CacheStep.Checked);
        return frame;
    }

    internal bool TryGetForReader(ObjectId owner, ulong page, out PageLease lease) => TryGet(owner, page, out lease);

    /// <summary>As <see cref="PageMemory.Address"/>, from this object's own fields.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal byte* AddressOf(FrameId frame) => _pageBase + ((nuint)frame.Value << _pageShift);

    /// <summary>As <see cref="PageMemory.Page"/>, likewise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> BytesOf(FrameId frame) => new(AddressOf(frame), _pageBytes);

    /// <summary>R2 to R5, under the lock; gives up when a reader takes too long.</summary>
    private void EmptyLimbo()
    {
        TProbe.At(CacheStep.Evicted);
        long epoch = NextEpoch();
        if (!TProbe.Omits(CacheCheck.WaitBeforeReuse) && !AllReadersPassed(epoch)) // R4
        {
            if (LimboIsFull) LetReadersPin(true);
            return;
        }

        _space.FreeLimbo(); // R5
        LetReadersPin(false);
    }

    private void LetReadersPin(bool pin)
    {
        // Each batch that leaves limbo comes by here, and what would be stored is on a line that all hits read.
        if (_readersPin == pin) return;
        _readersPin = pin;
        ShowDirectories();
    }

    /// <summary>So many frames wait for readers that no more may: a sixteenth of the cache, or a quarter of a small one.
    /// </summary>
    private bool LimboIsFull => _space.Limbo.Count > Math.Max(FrameCount / 16, Math.Min(64, FrameCount / 4));

    /// <summary>R2 and R3.</summary>
    private long NextEpoch()
    {
        long epoch = Interlocked.Increment(ref _epoch); // R2
        Interlocked.MemoryBarrierProcessWide(); // R3
        return epoch;
    }

    private bool AllReadersPassed(long epoch)
    {
        SpinWait spin = default;
        for (uint row = 0; row < _readerHighWater; row++)
        {
            while (true)
            {
                long announced = Volatile.Read(ref ReaderEpoch(row));
                if (announced == 0 || announced >= epoch) break;
                if (spin.Count > LimboSpinsMax) return false;
                spin.SpinOnce(sleep1Threshold: -1);
            }
        }

        return true;
    }
}

/// <summary>
/// A thread's own reader: it reads pages for a short time each, without locked operations. One lease at a time.
/// </summary>
/// <typeparam name="TRules">The cache's rule.</typeparam>
/// <typeparam name="TProbe">The cache's probe.</typeparam>
public sealed unsafe class CacheReader<TRules, TProbe> : IDisposable
    where TRules : struct, IFlagRules
    where TProbe : struct, ICacheProbe
{
    private readonly PageCache<TRules, TProbe> _cache;
    private readonly uint _row;
    private readonly long* _announced;
    private readonly int _pageBytes;
    private bool _closed;

    internal CacheReader(PageCache<TRules, TProbe> cache, uint row)
    {
        _cache = cache;
        _row = row;
        _pageBytes = cache.PageBytes;
        _announced = (long*)Unsafe.AsPointer(ref cache.ReaderEpoch(row));
    }

    /// <summary>Reads a page if it is resident.</summary>
    /// <param name="owner">An object of the cache.</param>
    /// <param name="page">The page's number in it.</param>
    /// <param name="lease">Receives the page; dispose it soon, on this thread, before the next.</param>
    /// <returns>False when the page is not resident.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such object or page.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGet(ObjectId owner, ulong page, out EpochLease lease)
    {
        ref long announced = ref *_announced;
        Invariant.Assert(announced == 0, "cache reader", "one lease at a time", announced);
        PageCache<TRules, TProbe> cache = _cache;
        if (cache.TryFindForReader(owner, page, ref announced, out FrameId frame))
        {
            lease = new EpochLease(ref announced, cache.AddressOf(frame), _pageBytes);
            return true;
        }

        // By value: a variable whose address is given away cannot stay in registers.
        lease = GetSlow(owner, page, ref announced);
        return !lease.IsEmpty;
    }

    /// <summary>Closes the reader; its lease must have been disposed.</summary>
    public void Dispose()
    {
        if (_closed) return;
        _closed = true;
        _cache.CloseReader(_row);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private EpochLease GetSlow(ObjectId owner, ulong page, ref long announced)
    {
        FrameId frame = _cache.FindForReaderSlow(owner, page, ref announced);
        if (!frame.IsNone) return new EpochLease(ref announced, _cache.AddressOf(frame), _cache.PageBytes);
        return _cache.TryGetForReader(owner, page, out PageLease pinned) ? new EpochLease(pinned, _cache.PageBytes) : default;
    }
}

/// <summary>A page for a short time, on one thread: read it and dispose it, without waiting for anything.</summary>
/// <remarks>Four fields, so that the compiler keeps them in registers.</remarks>
public readonly unsafe ref struct EpochLease
{
    /// <summary>The announced epoch; for a page that is pinned after all, the state word of its frame.</summary>
    private readonly long* _word;
    private readonly byte* _bytes;
    private readonly int _length;
    private readonly Holding _holding;

    internal EpochLease(ref long announced, byte* bytes, int length)
    {
        // Native memory: it does not move.
        _word = (long*)Unsafe.AsPointer(ref announced);
        _bytes = bytes;
        _length = length;
        _holding = Holding.Epoch;
    }

    internal EpochLease(PageLease pinned, int length)
    {
        _word = (long*)pinned.Word;
        _bytes = pinned.Address;
        _length = length;
        _holding = Holding.Pin;
        PageLease.HandOver(pinned);
    }

    /// <summary>True for the default value, which holds no page.</summary>
    internal bool IsEmpty => _bytes is null;

    /// <summary>The bytes of the page.</summary>
    public ReadOnlySpan<byte> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(_bytes, _length);
    }

    /// <summary>Lets the page go.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Dispose()
    {
        // One test for the usual lease.
        if (_holding == Holding.Epoch) Volatile.Write(ref *_word, 0); // E3
        else if (_holding == Holding.Pin) Interlocked.Add(ref *(ulong*)_word, FrameState.PinsMask); // L6
    }

    /// <summary>What keeps the page.</summary>
    private enum Holding : byte
    {
        /// <summary>There is none.</summary>
        Nothing,

        /// <summary>The announced epoch.</summary>
        Epoch,

        /// <summary>A pin, as a lease has.</summary>
        Pin,
    }
}
