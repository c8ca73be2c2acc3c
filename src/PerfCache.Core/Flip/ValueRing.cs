// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Memory;

namespace PerfCache.Flip;

/// <summary>
/// A bounded lock-free queue of small values in native memory: the flip ring's protocol without a way back. With 8-byte
/// values it is the index ring that page numbers and buffer numbers travel in.
/// </summary>
/// <remarks>
/// Labels and proof are those of <see cref="FlipRing{TThreads}"/>; here a slot holds a value on the way forth and means
/// nothing on the way back. Values that are in the ring when it is disposed are dropped.
/// </remarks>
/// <typeparam name="TValue">What is queued: copied into the slot and out again.</typeparam>
/// <typeparam name="TThreads">How many threads stand at each end.</typeparam>
public sealed class ValueRing<TValue, TThreads> : IDisposable
    where TValue : unmanaged
    where TThreads : struct, IRingThreads
{
    private readonly RingMemory<TValue> _memory;
    private readonly RingLines _ring;
    private readonly NativeArray<TValue> _slots;
    private readonly RingRooms _rooms;
    private bool _isDisposed;

    /// <summary>Makes an empty ring.</summary>
    /// <param name="slotCount">A power of two from 2 to 32,768; all of them can be full.</param>
    /// <param name="meter">The meter to charge.</param>
    /// <param name="wait">What the waiting verbs do while there is nothing to do, and whether consumers keep off.</param>
    /// <exception cref="ArgumentException">The number of slots or the way to wait is out of its range.</exception>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public ValueRing(int slotCount, MemoryMeter meter, RingWait wait = RingWait.Adaptive)
        : this(slotCount, meter, wait, startPosition: 0)
    {
    }

    internal ValueRing(int slotCount, MemoryMeter meter, RingWait wait, ulong startPosition)
    {
        ArgumentNullException.ThrowIfNull(meter);
        _memory = new RingMemory<TValue>("value ring", slotCount, startPosition, wait, meter);
        _ring = _memory.Lines;
        _slots = _memory.Slots;
        try
        {
            _rooms = new RingRooms(_ring, wait);
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    /// <summary>Slots of the ring: the most values it holds.</summary>
    public int SlotCount => (int)_ring.Mask + 1;

    /// <summary>The way of the waiting verbs.</summary>
    public RingWait Wait => _rooms.Kind;

    /// <summary>Native bytes of the ring.</summary>
    public long NativeBytes => _memory.Bytes;

    /// <summary>Values in the ring. Exact while nobody is in it.</summary>
    public int Count
    {
        get
        {
            if (_isDisposed) return 0;
            RingHead head = new(Volatile.Read(ref _ring.Control.Head));
            uint count = new RingTail(Volatile.Read(ref _ring.Control.Tail)).DistanceFrom(head);
            return (int)Math.Min(count, _ring.Mask + 1);
        }
    }

    /// <summary>Puts a value in, if there is a free slot.</summary>
    /// <returns>False when the ring is full.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryEnqueue(TValue value)
    {
        if (_isDisposed) ThrowDisposed();
        RingTail tail;
        do
        {
            if (TThreads.LookForFree(in _ring, 1, out tail) == 0) return false;
        }
        while (!TThreads.TryReserve(in _ring, tail, 1));

        _slots[_ring.SlotOf(tail.Position)] = value;
        TThreads.Publish(in _ring, tail, 1);
        _rooms.WakeConsumers();
        return true;
    }

    /// <summary>Puts values in, in order, as many as there are free slots for.</summary>
    /// <returns>How many: the first ones.</returns>
    public int TryEnqueue(ReadOnlySpan<TValue> values)
    {
        if (_isDisposed) ThrowDisposed();
        uint count;
        RingTail tail;
        do
        {
            count = TThreads.LookForFree(in _ring, (uint)values.Length, out tail);
            if (count == 0) return 0;
        }
        while (!TThreads.TryReserve(in _ring, tail, count));

        uint slot = _ring.SlotOf(tail.Position);
        uint run = Math.Min(count, _ring.Mask + 1 - slot);
        ref readonly TValue first = ref MemoryMarshal.GetReference(values);
        WordCopy.Copy(in first, ref _slots[slot], run);
        if (run < count) WordCopy.Copy(in Unsafe.Add(ref Unsafe.AsRef(in first), run), ref _slots[0u], count - run);
        TThreads.Publish(in _ring, tail, count);
        _rooms.WakeConsumers();
        return (int)count;
    }

    /// <summary>Takes the oldest value out.</summary>
    /// <returns>False when the ring is empty.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryDequeue(out TValue value)
    {
        if (_isDisposed) ThrowDisposed();
        RingHead head;
        do
        {
            if (TThreads.LookForFull(in _ring, 1, out head) != 0) continue;
            value = default;
            return false;
        }
        while (!TThreads.TryClaim(in _ring, head, 1));

        if (TThreads.FetchesSingles) RingMemory<TValue>.FetchAhead<TThreads>(in _ring, _slots, head, 1);
        value = _slots[_ring.SlotOf(head.Position)];
        TThreads.Retire(in _ring, head, 1);
        _rooms.WakeProducers();
        return true;
    }

    /// <summary>Takes all values that are there, oldest first, as far as there is room for them.</summary>
    /// <returns>How many.</returns>
    public int TryDequeue(Span<TValue> values)
    {
        if (_isDisposed) ThrowDisposed();
        uint count;
        RingHead head;
        do
        {
            count = TThreads.LookForFull(in _ring, (uint)values.Length, out head);
            if (count == 0) return 0;
        }
        while (!TThreads.TryClaim(in _ring, head, count));

        // A glance at a turn costs as much as it brings where slots are small, in batches too.
        if (TThreads.FetchesSingles) RingMemory<TValue>.FetchAhead<TThreads>(in _ring, _slots, head, count);
        uint slot = _ring.SlotOf(head.Position);
        uint run = Math.Min(count, _ring.Mask + 1 - slot);
        // No more than there is room for: LookForFull was told how much.
        ref TValue first = ref MemoryMarshal.GetReference(values);
        WordCopy.Copy(in _slots[slot], ref first, run);
        if (run < count) WordCopy.Copy(in _slots[0u], ref Unsafe.Add(ref first, run), count - run);
        TThreads.Retire(in _ring, head, count);
        _rooms.WakeProducers();
        return (int)count;
    }

    /// <summary>Waits, in the ring's way, until there is a free slot.</summary>
    /// <param name="timeout">How long at most.</param>
    /// <param name="cancellation">Ends the wait with an exception.</param>
    /// <returns>False when the time was over first. True promises nothing where other threads put values in too.</returns>
    public bool WaitToEnqueue(TimeSpan timeout, CancellationToken cancellation = default)
    {
        if (_isDisposed) ThrowDisposed();
        return _rooms.WaitAsProducer(new FreeLook<TThreads>(_ring), timeout, cancellation);
    }

    /// <summary>Waits, in the ring's way, until there is a value.</summary>
    /// <param name="timeout">How long at most.</param>
    /// <param name="cancellation">Ends the wait with an exception.</param>
    /// <returns>False when the time was over first. True promises nothing where other threads take values too.</returns>
    public bool WaitToDequeue(TimeSpan timeout, CancellationToken cancellation = default)
    {
        if (_isDisposed) ThrowDisposed();
        return _rooms.WaitAsConsumer(new FullLook<TThreads>(_ring), timeout, cancellation);
    }

    /// <summary>Gives the memory back. Nobody may be in the ring.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        _memory.Dispose();
    }

    [DoesNotReturn]
    private void ThrowDisposed() => throw new ObjectDisposedException(GetType().FullName);
}
