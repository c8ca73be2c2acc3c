// SPDX-License-Identifier: MIT
using PerfCache.Memory;

namespace PerfCache.Remote.Borrowing;

/// <summary>
/// The send buffers of one server: a ring of slots, each with one store just as it goes over the wire. Many threads fill
/// slots, one thread sends them and frees them as they are answered.
/// </summary>
/// <remarks>
/// <code>
/// slot     | ms KEY 0004096 OXXXXXXXX\r\n | value ... | \r\n |   values of full length leave no gap,
///                                                              so neighbours go out in one call
/// numbers  freed &lt;= sent &lt;= reserved &lt;= freed + slots
///          a slot is sent when its ready mark is its number + 1; its opaque is its number
/// </code>
/// A server answers in order, so slots are freed in order, and no list of free ones is needed.
/// <para>S1: no slot is written by two threads: a number is reserved once, and again only after it was freed.</para>
/// <para>S2: every slot that was made ready is ended once: answered, refused, or given up.</para>
/// Filling never waits: where no slot is free it says so.
/// </remarks>
internal sealed class SendRing
{
    private readonly byte[] _bytes;
    private readonly Slot[] _slots;
    private readonly int _slotBytes;
    private readonly int _valueBytesMax;
    private long _reserved;
    private long _freed;

    internal SendRing(int slots, int valueBytesMax)
    {
        _valueBytesMax = valueBytesMax;
        _slotBytes = MetaRequest.SetBytes + valueBytesMax + 2;
        // Pinned: the system reads from here in every send, and pinning each time would be paid each time.
        _bytes = GC.AllocateArray<byte>(slots * _slotBytes, pinned: true);
        _slots = new Slot[slots];
    }

    /// <summary>The next slot that is to be sent; the sender's own.</summary>
    internal long Sent { get; private set; }

    /// <summary>The oldest slot that is not free.</summary>
    internal long Freed => Volatile.Read(ref _freed);

    /// <summary>The next slot that is free.</summary>
    internal long Reserved => Volatile.Read(ref _reserved);

    /// <summary>Slots that are not free.</summary>
    internal int Used => (int)Math.Max(0, Reserved - Freed);

    /// <summary>True when a slot waits to be sent.</summary>
    internal bool HasReady => IsReady(Sent);

    /// <summary>How many bytes of the slot that is next are sent already.</summary>
    private int SentBytes { get; set; }

    /// <summary>Copies a store into a free slot.</summary>
    /// <returns>False when none is free.</returns>
    internal bool TryAdd(WireKey keys, int epoch, in RemotePageKey key, ReadOnlySpan<byte> value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value.Length, _valueBytesMax);
        long number;
        do
        {
            number = Volatile.Read(ref _reserved);
            if (number - Volatile.Read(ref _freed) >= _slots.Length) return false;
        }
        while (Interlocked.CompareExchange(ref _reserved, number + 1, number) != number);
        int place = (int)(number % _slots.Length);
        Span<byte> bytes = _bytes.AsSpan(place * _slotBytes, _slotBytes);
        MetaRequest.WriteSet(bytes, keys, epoch, key, value.Length, (uint)number);
        value.CopyTo(bytes[MetaRequest.SetBytes..]);
        "\r\n"u8.CopyTo(bytes[(MetaRequest.SetBytes + value.Length)..]);
        ref Slot slot = ref _slots[place];
        slot.Key = key;
        slot.Epoch = epoch;
        slot.WireBytes = MetaRequest.SetBytes + value.Length + 2;
        Volatile.Write(ref slot.Ready, number + 1);
        return true;
    }

    /// <summary>The epoch of the slot that is next; it must be ready.</summary>
    internal int NextEpoch => SlotOf(Sent).Epoch;

    /// <summary>How many slots are ready from the next one on, up to a number that is enough.</summary>
    internal int CountReady(int enough)
    {
        int count = 0;
        while (count < enough && IsReady(Sent + count)) count++;
        return count;
    }

    /// <summary>Bytes that can go out in one call: from where sending stopped to the first gap, or to the ring's end.
    /// </summary>
    /// <param name="epoch">Slots of another epoch are not sent.</param>
    /// <param name="bytesMax">The most that one call should send.</param>
    internal ReadOnlySpan<byte> NextBytes(int epoch, int bytesMax)
    {
        int first = (int)(Sent % _slots.Length);
        int bytes = 0;
        for (int place = first; place < _slots.Length && bytes < bytesMax; place++)
        {
            long number = Sent + (place - first);
            if (!IsReady(number) || _slots[place].Epoch != epoch) break;
            bytes += _slots[place].WireBytes;
            if (_slots[place].WireBytes < _slotBytes) break;
        }

        return bytes == 0 ? default : _bytes.AsSpan((first * _slotBytes) + SentBytes, bytes - SentBytes);
    }

    /// <summary>Counts bytes that went out.</summary>
    internal void Advance(int bytes)
    {
        bytes += SentBytes;
        while (bytes > 0 && bytes >= SlotOf(Sent).WireBytes)
        {
            bytes -= SlotOf(Sent).WireBytes;
            Sent++;
        }

        SentBytes = bytes;
    }

    /// <summary>True when the oldest slot has been sent whole and waits for its answer.</summary>
    internal bool HasUnanswered => Volatile.Read(ref _freed) < Sent;

    /// <summary>Frees the oldest slot, which has been sent, or is not going to be.</summary>
    /// <returns>What it held.</returns>
    internal RemotePageKey FreeOldest()
    {
        long number = _freed;
        Check(IsReady(number), "a send buffer is freed that nobody has filled");
        RemotePageKey key = SlotOf(number).Key;
        if (Sent == number)
        {
            Sent++;
            SentBytes = 0;
        }

        Volatile.Write(ref _freed, number + 1);
        return key;
    }

    /// <summary>True when the oldest slot is filled, so that it can be given up.</summary>
    internal bool IsOldestReady => IsReady(_freed);

    /// <summary>The connection is gone: a slot that was sent in part begins anew.</summary>
    internal void Restart() => SentBytes = 0;

    /// <summary>Throws when numbers contradict one another. The sender must stand still.</summary>
    internal void Validate()
    {
        long freed = Freed;
        long reserved = Reserved;
        Check(freed <= Sent && Sent <= reserved, "freed <= sent <= reserved");
        Check(reserved - freed <= _slots.Length, "more are used than there are");
        Check(SentBytes >= 0 && SentBytes < _slotBytes, "part of a slot is less than a slot");
    }

    private static void Check(bool holds, string what)
    {
        if (!holds) throw new InvariantException($"send buffers: {what}");
    }

    private bool IsReady(long number) => Volatile.Read(ref SlotOf(number).Ready) == number + 1;

    private ref Slot SlotOf(long number) => ref _slots[(int)(number % _slots.Length)];

    private struct Slot
    {
        public RemotePageKey Key;
        public int Epoch;
        public int WireBytes;
        public long Ready;
    }
}
