// SPDX-License-Identifier: MIT
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Memory;

namespace PerfCache.Flip;

/// <summary>
/// The words by which both sides of a ring find each other. What one side writes and the other reads has 128 bytes to
/// itself: a cache line has 64, and the processor's prefetcher fetches them in pairs.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 3 * PaddingBytes)]
internal struct RingControl
{
    /// <summary>The distance between words of different writers.</summary>
    internal const int PaddingBytes = 128;

    /// <summary>A <see cref="RingTail"/>: stored by producers.</summary>
    [FieldOffset(0)] internal ulong Tail;

    /// <summary>The head that the one producer saw last: nobody else's business. <see cref="OneToOne"/> only.</summary>
    [FieldOffset(8)] internal ulong HeadSeen;

    /// <summary>A <see cref="RingHead"/>: stored by consumers.</summary>
    [FieldOffset(PaddingBytes)] internal ulong Head;

    /// <summary>The tail that the one consumer saw last. <see cref="OneToOne"/> only.</summary>
    [FieldOffset(PaddingBytes + 8)] internal ulong TailSeen;

    /// <summary>Looks for pages that still do without a pause (<see cref="StandOff"/>): consumers' business.</summary>
    [FieldOffset(PaddingBytes + 16)] internal uint LooksWithoutPause;

    /// <summary>Producers that are parked or about to be. Seldom written, so both sides may read it often.</summary>
    [FieldOffset(2 * PaddingBytes)] internal uint ParkedProducers;

    /// <summary>Consumers that are parked or about to be.</summary>
    [FieldOffset(2 * PaddingBytes + 4)] internal uint ParkedConsumers;
}

/// <summary>A ring without its slots: the two ends and the turns. A view that owns nothing.</summary>
internal readonly struct RingLines
{
    private readonly NativeArray<RingControl> _control;

    internal RingLines(NativeArray<RingControl> control, NativeArray<byte> turns, uint slotCount, uint standOff)
    {
        _control = control;
        Turns = turns;
        Mask = slotCount - 1;
        SlotBits = BitOperations.Log2(slotCount);
        StandOff = standOff;
    }

    /// <summary>The ends.</summary>
    internal ref RingControl Control
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _control[0u];
    }

    /// <summary>A <see cref="RingTurn"/> a slot. <see cref="ManyToMany"/> only.</summary>
    internal NativeArray<byte> Turns { get; }

    /// <summary>Slots less one, which are a power of two.</summary>
    internal uint Mask { get; }

    /// <summary>The logarithm of the number of slots.</summary>
    internal int SlotBits { get; }

    /// <summary>A consumer that finds fewer pages pauses before it takes one; 0: it never does.</summary>
    internal uint StandOff { get; }

    /// <summary>The slot of a position.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal uint SlotOf(ulong position) => (uint)position & Mask;
}

/// <summary>The native memory of a ring: its ends, its turns and its slots.</summary>
/// <typeparam name="TSlot">What a slot holds.</typeparam>
internal sealed class RingMemory<TSlot> : IDisposable where TSlot : unmanaged
{
    private const int LineBytes = 64;

    // How far ahead slots are fetched: about what a thread can do while a line is on its way.
    private const int FetchBytes = 4 * LineBytes;

    private readonly NativeColumn<RingControl> _control;
    private readonly NativeColumn<byte> _turns;
    private readonly NativeColumn<TSlot> _slots;

    /// <summary>Commits the memory of an empty ring.</summary>
    /// <param name="purpose">What the ring is for, in the words of an error message.</param>
    /// <param name="slotCount">A power of two from 2 to 32,768.</param>
    /// <param name="startPosition">The first position: not 0 where a test wants to see it wrap.</param>
    /// <param name="wait">The way of the waiting verbs.</param>
    /// <param name="meter">The meter to charge.</param>
    internal RingMemory(string purpose, int slotCount, ulong startPosition, RingWait wait, MemoryMeter meter)
    {
        if (slotCount < 2 || slotCount > RingTail.SlotMax || !BitOperations.IsPow2(slotCount))
        {
            throw new ArgumentOutOfRangeException(
                nameof(slotCount), slotCount, $"a ring has a power of two from 2 to {RingTail.SlotMax} slots");
        }

        try
        {
            _control = NativeColumn<RingControl>.Whole(purpose, 1, meter);
            _turns = NativeColumn<byte>.Whole(purpose, slotCount, meter);
            _slots = NativeColumn<TSlot>.Whole(purpose, slotCount, meter);
        }
        catch (NativeMemoryException)
        {
            Dispose();
            throw;
        }

        Lines = new RingLines(_control.View, _turns.View, (uint)slotCount, StandOff.DistanceOf(wait, slotCount));
        ref RingControl control = ref Lines.Control;
        control.Head = control.HeadSeen = RingHead.At(startPosition).Packed;
        // No slot holds a returned frame yet, as if all had been collected.
        control.Tail = control.TailSeen = RingTail.At(startPosition, (uint)slotCount).Packed;
        for (uint i = 0; i < (uint)slotCount; i++)
            Lines.Turns[Lines.SlotOf(startPosition + i)] = RingTurn.Free(startPosition + i, Lines.SlotBits);
    }

    private static uint FetchSlots
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (uint)(FetchBytes / Unsafe.SizeOf<TSlot>());
    }

    internal RingLines Lines { get; }

    internal NativeArray<TSlot> Slots => _slots.View;

    internal long Bytes => _control.CommittedBytes + _turns.CommittedBytes + _slots.CommittedBytes;

    /// <summary>
    /// Asks for the lines of slots that will be emptied soon. A consumer that takes slots one by one waits for a line from
    /// the other core at every line's end; asked for in time, they come while it works.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void FetchAhead<TThreads>(in RingLines ring, NativeArray<TSlot> slots, RingHead head, uint count)
        where TThreads : struct, IRingThreads
    {
        if ((count > 1 || TThreads.FetchesSingles) && TThreads.KnowsFull(in ring, head, FetchSlots + count))
            Fetch(in ring, slots, head.Position, count);
    }

    /// <summary>The same for a producer that reads what came back in the slots it fills.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void FetchAhead<TThreads>(in RingLines ring, NativeArray<TSlot> slots, RingTail tail, uint count)
        where TThreads : struct, IRingThreads
    {
        if ((count > 1 || TThreads.FetchesSingles) && TThreads.KnowsFree(in ring, tail, FetchSlots + count))
            Fetch(in ring, slots, tail.Position, count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(in RingLines ring, NativeArray<TSlot> slots, ulong position, uint count)
    {
        uint slotsPerLine = (uint)Math.Max(1, LineBytes / Unsafe.SizeOf<TSlot>());
        for (uint i = 0; i < count; i += slotsPerLine) slots.Prefetch(ring.SlotOf(position + FetchSlots + i));
    }

    public void Dispose()
    {
        _control?.Dispose();
        _turns?.Dispose();
        _slots?.Dispose();
    }
}
