// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Cache;

namespace PerfCache.Native;

/// <summary>A lease that a caller holds, and how often the slot was used.</summary>
internal unsafe struct LeaseSlot
{
    /// <summary>The state word that has the pin.</summary>
    internal ulong* Word;

    /// <summary>Odd while the lease is out. A handle has the number that was there when it was given.</summary>
    internal uint Generation;
}

/// <summary>The leases of all callers, by number.</summary>
/// <remarks>
/// Slots lie in chunks that are never freed, so any number can be looked up. Free slots wait in batches with the
/// threads, and here for those who have none; only this list is locked. A slot is written by whoever holds it: a program
/// that hands a lease to another thread orders the two already, and that orders the slot too.
/// </remarks>
internal static unsafe class LeaseTable
{
    private const int ChunkBits = 10;
    private const int ChunkSlots = 1 << ChunkBits;
    private const int ChunksMax = 1 << 12;

    private static readonly Lock s_lock = new();
    private static readonly List<uint> s_free = [];
    private static int s_chunkCount;

    /// <summary>The chunks; null for those that are not there yet.</summary>
    internal static LeaseSlot[]?[] Chunks { get; } = new LeaseSlot[]?[ChunksMax];

    /// <summary>Gives a pin to the caller.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Hand(ThreadState thread, ulong* word, byte* bytes, int length, AbiLease* target)
    {
        if (!thread.TryTakeSlot(out uint slot)) slot = TakeSlotSlow(thread, word);
        ref LeaseSlot place = ref thread.LeaseChunks[slot >> ChunkBits]![slot & (ChunkSlots - 1)];
        uint generation = place.Generation + 1;
        place.Word = word;
        place.Generation = generation;
        target->Length = (uint)length;
        target->Handle = Handle.ForLease(slot, generation);
        target->Data = bytes;
    }

    /// <summary>Gives a lease to the caller, who has it alone from then on.</summary>
    internal static void Hand(ThreadState thread, in PageLease lease, AbiLease* target)
    {
        int length = lease.Span.Length;
        PageLease.HandOver(lease);
        Hand(thread, lease.Word, lease.Address, length, target);
    }

    /// <summary>Ends a lease.</summary>
    /// <returns>False when it is none that is out.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryRelease(ThreadState thread, ulong handle)
    {
        uint slot = (uint)(handle >> Handle.SlotShift);
        // The kind is in the upper bits of the slot: any other is beyond all chunks.
        slot ^= (uint)HandleKind.Lease << (Handle.KindShift - Handle.SlotShift);
        uint chunk = slot >> ChunkBits;
        if (chunk >= (uint)thread.LeaseChunks.Length || thread.LeaseChunks[chunk] is not { } slots) return false;
        ref LeaseSlot place = ref slots[slot & (ChunkSlots - 1)];
        uint generation = (uint)handle;
        if (place.Generation != generation || (generation & 1) == 0) return false;
        place.Generation = generation + 1;
        PageLease.Unpin(place.Word);
        thread.PutSlot(slot);
        return true;
    }

    /// <summary>Why <see cref="TryRelease"/> said no.</summary>
    internal static AbiException WhyNot(ulong handle)
    {
        uint slot = (uint)(handle >> Handle.SlotShift) & Handle.SlotMask;
        bool wasOne = Handle.KindOf(handle) == HandleKind.Lease && slot >> ChunkBits < ChunksMax
            && Chunks[slot >> ChunkBits] is { } slots && ((uint)handle & 1) != 0
            && slots[slot & (ChunkSlots - 1)].Generation - (uint)handle < uint.MaxValue / 2;
        return wasOne
            ? new AbiException(AbiStatus.Closed, $"lease 0x{handle:x} was released before")
            : new AbiException(AbiStatus.BadHandle, $"0x{handle:x} is not the handle of a lease");
    }

    // A page that cannot be handed over must not stay pinned.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static uint TakeSlotSlow(ThreadState thread, ulong* word)
    {
        try
        {
            Refill(thread);
        }
        catch
        {
            PageLease.Unpin(word);
            throw;
        }

        thread.TryTakeSlot(out uint slot);
        return slot;
    }

    /// <summary>Gives the thread free slots.</summary>
    private static void Refill(ThreadState thread)
    {
        Span<uint> slots = stackalloc uint[ThreadState.SlotsMax / 2];
        lock (s_lock)
        {
            if (s_free.Count < slots.Length) AddChunk();
            CollectionsMarshal.AsSpan(s_free)[^slots.Length..].CopyTo(slots);
            s_free.RemoveRange(s_free.Count - slots.Length, slots.Length);
        }

        foreach (uint slot in slots) thread.PutSlot(slot);
    }

    /// <summary>Takes free slots back.</summary>
    internal static void GiveBack(ReadOnlySpan<uint> slots)
    {
        lock (s_lock)
        {
            foreach (uint slot in slots) s_free.Add(slot);
        }
    }

    /// <summary>Leases that are out. O(slots).</summary>
    internal static ulong CountOut()
    {
        ulong count = 0;
        for (int chunk = 0; chunk < Volatile.Read(ref s_chunkCount); chunk++)
        {
            foreach (ref readonly LeaseSlot slot in Chunks[chunk].AsSpan())
                if ((slot.Generation & 1) != 0) count++;
        }

        return count;
    }

    private static void AddChunk()
    {
        if (s_chunkCount == ChunksMax)
        {
            throw new AbiException(
                AbiStatus.Refused, $"{ChunksMax * ChunkSlots} leases are out or on their way back: release some");
        }

        s_free.EnsureCapacity(s_free.Count + ChunkSlots);
        Chunks[s_chunkCount] = new LeaseSlot[ChunkSlots];
        for (int i = ChunkSlots - 1; i >= 0; i--) s_free.Add((uint)((s_chunkCount << ChunkBits) + i));
        Volatile.Write(ref s_chunkCount, s_chunkCount + 1);
    }
}
