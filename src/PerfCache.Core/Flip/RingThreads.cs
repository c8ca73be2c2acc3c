// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Memory;

namespace PerfCache.Flip;

/// <summary>
/// How many threads stand at each end of a ring: <see cref="OneToOne"/> or <see cref="ManyToMany"/>. A type parameter,
/// so what the other needs is not in the machine code.
/// </summary>
/// <remarks>
/// An operation is: look, take, touch the slots, tell. To look changes nothing and may be too pessimistic, never too
/// optimistic once the taking succeeds; what was taken is the caller's alone until it is told.
/// </remarks>
public interface IRingThreads
{
    /// <summary>The free slots from the tail on, at most <paramref name="max"/>.</summary>
    internal static abstract uint LookForFree(in RingLines ring, uint max, out RingTail tail);

    /// <summary>
    /// True where it costs next to nothing to ask <see cref="KnowsFree"/> and <see cref="KnowsFull"/> for every single
    /// slot.
    /// </summary>
    internal static abstract bool FetchesSingles { get; }

    /// <summary>
    /// True when the slot so far behind the tail is known to be free, as far as a glance tells: then it may be fetched
    /// ahead of need, and nobody is still writing its cache line. Orders nothing: for fetching and no more.
    /// </summary>
    internal static abstract bool KnowsFree(in RingLines ring, RingTail tail, uint distance);

    /// <summary>Takes free slots to fill them.</summary>
    /// <returns>False when another thread changed the tail: look again.</returns>
    internal static abstract bool TryReserve(in RingLines ring, RingTail tail, uint count);

    /// <summary>Tells consumers of filled slots.</summary>
    internal static abstract void Publish(in RingLines ring, RingTail tail, uint count);

    /// <summary>Makes good what was read out of <paramref name="count"/> free slots.</summary>
    /// <returns>False when another thread changed the tail: what was read is worth nothing, look again.</returns>
    internal static abstract bool TryCollect(in RingLines ring, RingTail tail, uint count);

    /// <summary>The full slots from the head on, at most <paramref name="max"/>.</summary>
    internal static abstract uint LookForFull(in RingLines ring, uint max, out RingHead head);

    /// <summary>As <see cref="KnowsFree"/>, of full slots behind the head.</summary>
    internal static abstract bool KnowsFull(in RingLines ring, RingHead head, uint distance);

    /// <summary>Takes full slots to empty them.</summary>
    /// <returns>False when another thread took some: look again.</returns>
    internal static abstract bool TryClaim(in RingLines ring, RingHead head, uint count);

    /// <summary>Tells producers of emptied slots.</summary>
    internal static abstract void Retire(in RingLines ring, RingHead head, uint count);
}

/// <summary>
/// One producing and one consuming thread at a time. Each side keeps a copy of the other's end and looks at the real one
/// only when the copy says "full" or "empty", so an operation mostly touches its own line and the slots.
/// </summary>
public readonly struct OneToOne : IRingThreads
{
    static bool IRingThreads.FetchesSingles
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint IRingThreads.LookForFree(in RingLines ring, uint max, out RingTail tail)
    {
        ref RingControl control = ref ring.Control;
        // Plain: only this thread stores the tail and the copy of the head.
        tail = new RingTail(control.Tail);
        uint slotCount = ring.Mask + 1;
        uint free = slotCount - tail.DistanceFrom(new RingHead(control.HeadSeen));
        if (free < max)
        {
            // S1 acquires, pairs with S4: the consumer is done with the slots before the head.
            control.HeadSeen = Volatile.Read(ref control.Head);
            free = slotCount - tail.DistanceFrom(new RingHead(control.HeadSeen));
        }

        return Math.Min(free, max);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.KnowsFree(in RingLines ring, RingTail tail, uint distance) =>
        ring.Mask + 1 - tail.DistanceFrom(new RingHead(ring.Control.HeadSeen)) > distance;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.TryReserve(in RingLines ring, RingTail tail, uint count) => true;

    // S2 releases, pairs with S3: the slots before the tail are filled.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void IRingThreads.Publish(in RingLines ring, RingTail tail, uint count) =>
        Volatile.Write(ref ring.Control.Tail, tail.Reserve(count).Packed);

    // S2 again: what the consumer sees of the tail must go on to publish the slots before it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.TryCollect(in RingLines ring, RingTail tail, uint count)
    {
        Volatile.Write(ref ring.Control.Tail, tail.Collect(count).Packed);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint IRingThreads.LookForFull(in RingLines ring, uint max, out RingHead head)
    {
        ref RingControl control = ref ring.Control;
        // Plain: only this thread stores the head and the copy of the tail.
        head = new RingHead(control.Head);
        uint full = new RingTail(control.TailSeen).DistanceFrom(head);
        if (full < max)
        {
            // S3 acquires, pairs with S2: the slots before the tail can be read.
            control.TailSeen = Volatile.Read(ref control.Tail);
            full = new RingTail(control.TailSeen).DistanceFrom(head);
            if (full != 0 && full < ring.StandOff) full = LookAfterPause(in ring, head, full);
        }

        return Math.Min(full, max);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.KnowsFull(in RingLines ring, RingHead head, uint distance) =>
        new RingTail(ring.Control.TailSeen).DistanceFrom(head) > distance;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.TryClaim(in RingLines ring, RingHead head, uint count) => true;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint LookAfterPause(in RingLines ring, RingHead head, uint full)
    {
        ref RingControl control = ref ring.Control;
        if (!StandOff.TryPause(ref control.LooksWithoutPause)) return full;
        // S3 again.
        control.TailSeen = Volatile.Read(ref control.Tail);
        uint now = new RingTail(control.TailSeen).DistanceFrom(head);
        if (now == full) control.LooksWithoutPause = StandOff.LooksAfterVain;
        return now;
    }

    // S4 releases, pairs with S1: the slots before the head were read and hold what goes back.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void IRingThreads.Retire(in RingLines ring, RingHead head, uint count) =>
        Volatile.Write(ref ring.Control.Head, head.Claim(count).Packed);
}

/// <summary>
/// Any number of threads at each end. Ends move by compare-exchange, and each slot's own turn says when it is filled or
/// emptied: a thread that is stopped in between holds up its own slots, not those of others.
/// </summary>
public readonly struct ManyToMany : IRingThreads
{
    // Of the pages that are taken one by one, one in so many looks how far the producers are.
    private const ulong SinglesALook = 16;

    // As many pages as StandOff.LooksAfterVain, where pages are taken one by one.
    private const uint LooksAfterVain = StandOff.LooksAfterVain / (uint)SinglesALook;

    static bool IRingThreads.FetchesSingles
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint IRingThreads.LookForFree(in RingLines ring, uint max, out RingTail tail)
    {
        // R1 acquires, pairs with R3: no turn below is older than the tail, so none is from 128 laps ago.
        tail = new RingTail(Volatile.Read(ref ring.Control.Tail));
        // R2 acquires, pairs with R8: consumers are done with the slots.
        return CountTurns(in ring, tail.Position, max, RingTurn.Free(tail.Position, ring.SlotBits));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.KnowsFree(in RingLines ring, RingTail tail, uint distance)
    {
        ulong position = tail.Position + distance;
        return ring.Turns[ring.SlotOf(position)] == RingTurn.Free(position, ring.SlotBits);
    }

    // R3 is one step: of two producers that saw the same tail, one gets the slots. Its turns are still free: only who
    // moves the tail past a slot may change a free turn.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.TryReserve(in RingLines ring, RingTail tail, uint count) =>
        Interlocked.CompareExchange(ref ring.Control.Tail, tail.Reserve(count).Packed, tail.Packed) == tail.Packed;

    // R4 releases, pairs with R6: the slots are filled.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void IRingThreads.Publish(in RingLines ring, RingTail tail, uint count) =>
        SetTurns(in ring, tail.Position, count, RingTurn.Full(tail.Position, ring.SlotBits));

    // R9 releases, pairs with R3: the slots were read before any producer who sees this tail can fill them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.TryCollect(in RingLines ring, RingTail tail, uint count) =>
        Interlocked.CompareExchange(ref ring.Control.Tail, tail.Collect(count).Packed, tail.Packed) == tail.Packed;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint IRingThreads.LookForFull(in RingLines ring, uint max, out RingHead head)
    {
        // R5 acquires, pairs with R7: no turn below is older than the head.
        head = new RingHead(Volatile.Read(ref ring.Control.Head));
        // R6 acquires, pairs with R4: the slots can be read.
        uint full = CountTurns(in ring, head.Position, max, RingTurn.Full(head.Position, ring.SlotBits));
        if (max == 1 && full != 0 && ring.StandOff != 0 && head.Position % SinglesALook == 0) PauseOnHeels(in ring, head);
        return full;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void PauseOnHeels(in RingLines ring, RingHead head)
    {
        // A glance, which orders nothing.
        ulong position = head.Position + ring.StandOff - 1;
        byte turn = RingTurn.Full(position, ring.SlotBits);
        ref byte last = ref ring.Turns[ring.SlotOf(position)];
        ref uint looksWithout = ref ring.Control.LooksWithoutPause;
        if (Volatile.Read(ref last) == turn || !StandOff.TryPause(ref looksWithout)) return;
        if (Volatile.Read(ref last) != turn) looksWithout = LooksAfterVain;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.KnowsFull(in RingLines ring, RingHead head, uint distance)
    {
        ulong position = head.Position + distance;
        return ring.Turns[ring.SlotOf(position)] == RingTurn.Full(position, ring.SlotBits);
    }

    // R7 is one step: of two consumers that saw the same head, one gets the slots.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static bool IRingThreads.TryClaim(in RingLines ring, RingHead head, uint count) =>
        Interlocked.CompareExchange(ref ring.Control.Head, head.Claim(count).Packed, head.Packed) == head.Packed;

    // R8 releases, pairs with R2: the slots were read and hold what goes back.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void IRingThreads.Retire(in RingLines ring, RingHead head, uint count) =>
        SetTurns(in ring, head.Position, count, RingTurn.FreeAgain(head.Position, ring.SlotBits));

    // The slots from a position on that have the turn which begins with `turn`; behind the end of the ring the next
    // lap's. It ends after one lap at the latest, because a slot has not got the turns of two laps.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint CountTurns(in RingLines ring, ulong position, uint max, byte turn)
    {
        if (Volatile.Read(ref ring.Turns[ring.SlotOf(position)]) != turn) return 0;
        return max <= 1 ? max : CountMoreTurns(in ring, position, max, turn);
    }

    private static uint CountMoreTurns(in RingLines ring, ulong position, uint max, byte turn)
    {
        NativeArray<byte> turns = ring.Turns;
        uint slot = ring.SlotOf(position);
        uint run = Math.Min(max, ring.Mask + 1 - slot);
        uint count = 1;
        // Eight turns at a time; what they say is ordered by the barrier as by the loads below.
        ulong eight = EightOf(turn);
        while (count + sizeof(ulong) <= run && Unsafe.ReadUnaligned<ulong>(ref turns[slot + count]) == eight)
            count += sizeof(ulong);
        MemoryOrder.ReadBarrier();
        while (count < run && Volatile.Read(ref turns[slot + count]) == turn) count++;
        if (count < run) return count;
        turn += 2;
        while (count < max && Volatile.Read(ref turns[count - run]) == turn) count++;
        return count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void SetTurns(in RingLines ring, ulong position, uint count, byte turn)
    {
        if (count == 1) Volatile.Write(ref ring.Turns[ring.SlotOf(position)], turn);
        else SetMoreTurns(in ring, position, count, turn);
    }

    private static void SetMoreTurns(in RingLines ring, ulong position, uint count, byte turn)
    {
        uint slot = ring.SlotOf(position);
        uint run = Math.Min(count, ring.Mask + 1 - slot);
        // The release of all the turns at once: nothing above the barrier is seen after them.
        MemoryOrder.WriteBarrier();
        StoreOnce(ref ring.Turns[slot], run, turn);
        if (run < count) StoreOnce(ref ring.Turns[0u], count - run, (byte)(turn + 2));
    }

    private static ulong EightOf(byte turn) => turn * 0x0101_0101_0101_0101UL;

    // Each turn exactly once, which Span.Fill does not promise: its last vector may overlap the one before. A turn that
    // is stored a second time may have been moved on by the other side in between.
    private static void StoreOnce(ref byte first, uint count, byte turn)
    {
        ulong eight = EightOf(turn);
        uint i = 0;
        for (; i + sizeof(ulong) <= count; i += sizeof(ulong)) Unsafe.WriteUnaligned(ref Unsafe.Add(ref first, i), eight);
        for (; i < count; i++) Unsafe.Add(ref first, i) = turn;
    }
}
