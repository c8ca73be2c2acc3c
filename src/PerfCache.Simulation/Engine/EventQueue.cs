// SPDX-License-Identifier: MIT
namespace PerfCache.Simulation.Engine;

/// <summary>
/// Virtual time: events in the order of their time, and among equal times in the order in which they were
/// scheduled. Nothing else decides, so the same schedule gives the same run, byte for byte.
/// </summary>
/// <remarks>
/// What it remembers: a heap of keys (time, sequence number, slot) with four children a node, which is as
/// shallow as two cache lines a level allow, and a table of slots with what an event calls. A key is 24 bytes
/// and moves during a sift; the slot does not.
///
/// Cancelling frees the slot and leaves the key in the heap, where it is recognised as stale because the slot's
/// sequence number is another by then. When stale keys are more than half of the heap, the heap is built anew
/// without them: a timer that is armed again and again costs O(1) amortised and no memory.
///
/// Invariants:
/// I1 no key is before its parent in (time, sequence);
/// I2 a slot in use has exactly one key with its sequence number; stale keys + slots in use = keys;
/// I3 no event in use lies before the present.
/// Costs: scheduling and running O(log n), no allocation once the arrays have grown.
/// Owned by one thread.
/// </remarks>
public sealed class EventQueue
{
    private const int Arity = 4;
    private const int StaleMin = 64;

    private struct Key
    {
        public long AtNanos;
        public long Sequence;
        public int Slot;

        public readonly bool IsBefore(in Key other) =>
            AtNanos != other.AtNanos ? AtNanos < other.AtNanos : Sequence < other.Sequence;
    }

    private struct Slot
    {
        public IEventTarget? Handler;
        public long Argument;
        public long Sequence;
        public int Kind;
        public int NextFree;
    }

    private Key[] _keys = new Key[64];
    private Slot[] _slots = new Slot[64];
    private int _keyCount;
    private int _slotCount;
    private int _firstFree = -1;
    private long _lastSequence;

    /// <summary>The virtual time, in nanoseconds since the start of the run.</summary>
    public long NowNanos { get; private set; }

    /// <summary>Events that are scheduled and not cancelled.</summary>
    public int Count { get; private set; }

    /// <summary>Events that have run.</summary>
    public long EventsRun { get; private set; }

    /// <summary>Keys in the heap, stale ones included: what memory depends on.</summary>
    internal int KeyCount => _keyCount;

    /// <summary>Schedules an event.</summary>
    /// <param name="atNanos">When; not before the present.</param>
    /// <param name="handler">Who handles it.</param>
    /// <param name="kind">Passed to the handler.</param>
    /// <param name="argument">Passed to the handler.</param>
    /// <returns>The event's ticket, for <see cref="Cancel"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time has passed.</exception>
    public EventTicket Schedule(long atNanos, IEventTarget handler, int kind = 0, long argument = 0)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentOutOfRangeException.ThrowIfLessThan(atNanos, NowNanos);
        int index = AllocateSlot();
        ref Slot slot = ref _slots[index];
        (slot.Handler, slot.Argument, slot.Sequence, slot.Kind) = (handler, argument, ++_lastSequence, kind);
        if (_keyCount == _keys.Length) Array.Resize(ref _keys, _keyCount * 2);
        SiftUp(_keyCount++, new Key { AtNanos = atNanos, Sequence = _lastSequence, Slot = index });
        Count++;
        return new EventTicket(index, _lastSequence);
    }

    /// <summary>Schedules an event some time from now; like <see cref="Schedule"/>.</summary>
    public EventTicket ScheduleAfter(long delayNanos, IEventTarget handler, int kind = 0, long argument = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(delayNanos);
        return Schedule(checked(NowNanos + delayNanos), handler, kind, argument);
    }

    /// <summary>Whether an event is still to come.</summary>
    public bool IsPending(EventTicket ticket) =>
        ticket.Sequence != 0 && ticket.Slot < _slotCount && _slots[ticket.Slot].Sequence == ticket.Sequence;

    /// <summary>Cancels an event.</summary>
    /// <returns>False if it has run or was cancelled before.</returns>
    public bool Cancel(EventTicket ticket)
    {
        if (!IsPending(ticket)) return false;
        FreeSlot(ticket.Slot);
        int stale = _keyCount - Count;
        if (stale > StaleMin && stale > _keyCount / 2) DropStaleKeys();
        return true;
    }

    /// <summary>Moves the time to the next event and runs it.</summary>
    /// <returns>False if there is none.</returns>
    public bool RunNext() => RunNext(long.MaxValue);

    /// <summary>Runs all events up to a time, that time included, and lets it become the present.</summary>
    /// <returns>The events run.</returns>
    public long RunUntil(long untilNanos)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(untilNanos, NowNanos);
        long before = EventsRun;
        while (RunNext(untilNanos)) { }
        NowNanos = untilNanos;
        return EventsRun - before;
    }

    /// <summary>Runs until no event is left.</summary>
    /// <param name="eventsMax">A bound, because a model that always schedules the next event never ends.</param>
    /// <returns>The events run.</returns>
    /// <exception cref="InvalidOperationException">The bound was reached and events are left.</exception>
    public long RunAll(long eventsMax)
    {
        long before = EventsRun;
        while (EventsRun - before < eventsMax && RunNext(long.MaxValue)) { }
        return Count == 0
            ? EventsRun - before
            : throw new InvalidOperationException($"{Count} events are left after {eventsMax} were run");
    }

    /// <summary>Checks the invariants in their order.</summary>
    /// <exception cref="InvalidOperationException">One does not hold; the message says which.</exception>
    internal void Validate()
    {
        int live = 0;
        for (int i = 0; i < _keyCount; i++)
        {
            ref Key key = ref _keys[i];
            if (i > 0 && key.IsBefore(_keys[(i - 1) / Arity]))
                throw new InvalidOperationException($"I1: key {i} at {key.AtNanos} is before its parent");
            if (_slots[key.Slot].Sequence != key.Sequence) continue;
            live++;
            if (key.AtNanos < NowNanos)
                throw new InvalidOperationException($"I3: event {key.Sequence} at {key.AtNanos} is overdue at {NowNanos}");
        }

        int used = 0;
        for (int i = 0; i < _slotCount; i++) used += _slots[i].Sequence != 0 ? 1 : 0;
        if (live != Count || used != Count)
            throw new InvalidOperationException($"I2: {Count} events, {live} keys that are not stale, {used} slots");
    }

    private bool RunNext(long untilNanos)
    {
        while (_keyCount > 0)
        {
            Key first = _keys[0];
            bool isStale = _slots[first.Slot].Sequence != first.Sequence;
            if (!isStale && first.AtNanos > untilNanos) return false;
            RemoveFirst();
            if (isStale) continue;
            Slot slot = _slots[first.Slot];
            FreeSlot(first.Slot);
            NowNanos = first.AtNanos;
            EventsRun++;
            slot.Handler!.Handle(first.AtNanos, slot.Kind, slot.Argument);
            return true;
        }

        return false;
    }

    private int AllocateSlot()
    {
        if (_firstFree >= 0)
        {
            int index = _firstFree;
            _firstFree = _slots[index].NextFree;
            return index;
        }

        if (_slotCount == _slots.Length) Array.Resize(ref _slots, _slotCount * 2);
        return _slotCount++;
    }

    private void FreeSlot(int index)
    {
        ref Slot slot = ref _slots[index];
        (slot.Handler, slot.Sequence, slot.NextFree) = (null, 0, _firstFree);
        _firstFree = index;
        Count--;
    }

    private void RemoveFirst()
    {
        _keyCount--;
        if (_keyCount > 0) SiftDown(0, _keys[_keyCount]);
    }

    private void DropStaleKeys()
    {
        int kept = 0;
        for (int i = 0; i < _keyCount; i++)
        {
            Key key = _keys[i];
            if (_slots[key.Slot].Sequence == key.Sequence) _keys[kept++] = key;
        }

        _keyCount = kept;
        for (int i = (kept - 2) / Arity; i >= 0 && kept > 1; i--) SiftDown(i, _keys[i]);
    }

    private void SiftUp(int index, Key key)
    {
        Key[] keys = _keys;
        while (index > 0)
        {
            int parent = (index - 1) / Arity;
            if (!key.IsBefore(keys[parent])) break;
            keys[index] = keys[parent];
            index = parent;
        }

        keys[index] = key;
    }

    private void SiftDown(int index, Key key)
    {
        Key[] keys = _keys;
        while (true)
        {
            int child = index * Arity + 1;
            if (child >= _keyCount) break;
            int smallest = child;
            int end = Math.Min(child + Arity, _keyCount);
            for (int i = child + 1; i < end; i++)
                if (keys[i].IsBefore(keys[smallest])) smallest = i;
            if (!keys[smallest].IsBefore(key)) break;
            keys[index] = keys[smallest];
            index = smallest;
        }

        keys[index] = key;
    }
}
