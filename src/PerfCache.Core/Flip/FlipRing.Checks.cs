// SPDX-License-Identifier: MIT
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Flip;

// What the verbs refuse, what they write down in the ledger, and the end of a ring.
public sealed partial class FlipRing<TThreads>
{
    private string Name => $"the ring from domain {_producer} to domain {_consumer}";

    /// <summary>Pages that were published and not taken. Exact while nobody is in the ring.</summary>
    public int FullCount
    {
        get
        {
            if (_isClosed) return 0;
            RingHead head = new(Volatile.Read(ref _ring.Control.Head));
            uint count = new RingTail(Volatile.Read(ref _ring.Control.Tail)).DistanceFrom(head);
            return (int)Math.Min(count, _ring.Mask + 1);
        }
    }

    /// <summary>Free frames that were left and not taken back. Exact while nobody is in the ring.</summary>
    public int ReturnedCount
    {
        get
        {
            if (_isClosed) return 0;
            uint collected = new RingTail(Volatile.Read(ref _ring.Control.Tail)).Collected;
            return Math.Max(0, SlotCount - (int)collected - FullCount);
        }
    }

    /// <summary>
    /// Ends the ring and hands back what is in it, all of which the producing domain owns then: pages that nobody took, and
    /// free frames that nobody collected. Nobody may be in the ring, or come back to it.
    /// </summary>
    /// <param name="frames">Receives the frames, those of the pages first.</param>
    /// <param name="untaken">How many of them hold pages that nobody took.</param>
    /// <returns>How many frames there were.</returns>
    /// <exception cref="ArgumentException">There is not enough room for them; nothing has changed.</exception>
    public int Close(Span<FrameId> frames, out int untaken)
    {
        if (_isClosed) ThrowClosed();
        int count = FullCount + ReturnedCount;
        if (frames.Length < count) ThrowNoRoom(count, frames.Length, nameof(frames));
        RingTail tail = new(_ring.Control.Tail);
        RingHead head = new(_ring.Control.Head);
        untaken = FullCount;
        for (int i = 0; i < untaken; i++) frames[i] = FrameAt(head.Position + (uint)i);
        ulong firstReturned = tail.Position + tail.Collected;
        for (int i = untaken; i < count; i++) frames[i] = FrameAt(firstReturned + (uint)(i - untaken));
        if (_ledger is not null)
        {
            for (int i = 0; i < count; i++)
                _ledger.Leave(frames[i], i < untaken ? _producer : _consumer, _number, _producer);
        }

        _isClosed = true;
        _isPlain = false;
        return count;
    }

    /// <summary>Gives the memory back. Nobody may be in the ring.</summary>
    /// <exception cref="InvalidOperationException">There are frames in it, which would be lost: <see cref="Close"/> hands
    /// them back. The ring is as before.</exception>
    public void Dispose()
    {
        if (_isDisposed) return;
        if (FullCount + ReturnedCount > 0) ThrowFramesInFlight();
        _isClosed = true;
        _isPlain = false;
        _isDisposed = true;
        _memory.Dispose();
    }

    /// <summary>Gives up whatever is in a ring that a test has broken.</summary>
    internal void Forget()
    {
        _isClosed = true;
        _isPlain = false;
    }

    /// <summary>Checks I1 to I6. O(slots), with a ledger O(frames): for tests, while nobody is in the ring.</summary>
    /// <exception cref="InvariantException">An invariant does not hold.</exception>
    public void Validate()
    {
        if (_isClosed) return;
        RingTail tail = new(_ring.Control.Tail);
        RingHead head = new(_ring.Control.Head);
        uint slotCount = _ring.Mask + 1;
        uint full = tail.DistanceFrom(head);
        Invariant.Check(full <= slotCount, Name, $"I1: at most {slotCount} full slots", full);
        Invariant.Check(
            tail.Collected <= slotCount - full, Name, $"I4: at most {slotCount - full} collected slots", tail.Collected);
        HashSet<uint> frames = [];
        for (uint i = 0; i < full; i++) ValidatePage(_slots[_ring.SlotOf(head.Position + i)], frames);
        for (uint i = tail.Collected; i < slotCount - full; i++)
            ValidateFrame(FrameAt(tail.Position + i), _consumer, frames);
        if (typeof(TThreads) == typeof(ManyToMany)) ValidateTurns(head, full);
        if (_ledger is null) return;
        uint written = _ledger.CountIn(_number);
        Invariant.Check(written == frames.Count, Name, $"I6: {frames.Count} frames in the ledger", written);
    }

    private void ValidatePage(FlipPage page, HashSet<uint> frames)
    {
        ValidateFrame(page.Frame, _producer, frames);
        Invariant.Check(page.Domain == _consumer, Name, $"I2: a page for domain {_consumer}", page.Domain);
        Invariant.Check(page.LengthBytes - 1 < _pageBytes, Name, $"I2: 1 to {_pageBytes} bytes", page.LengthBytes);
    }

    private void ValidateFrame(FrameId frame, ushort from, HashSet<uint> frames)
    {
        Invariant.Check(!frame.IsNone, Name, "I2, I4: a frame in the slot", frame.Value);
        Invariant.Check(frames.Add(frame.Value), Name, "I5: a frame in one slot", frame.Value);
        if (_ledger is null) return;
        Invariant.Check(_ledger.IsIn(frame, from, _number), Name, $"I6: a frame of domain {from} in here", frame.Value);
    }

    private void ValidateTurns(RingHead head, uint full)
    {
        for (uint i = 0; i <= _ring.Mask; i++)
        {
            ulong position = head.Position + i;
            byte turn = _ring.Turns[_ring.SlotOf(position)];
            byte expected = i < full
                ? RingTurn.Full(position, _ring.SlotBits) : RingTurn.Free(position, _ring.SlotBits);
            Invariant.Check(turn == expected, Name, $"I3: turn {expected} at position {position}", turn);
        }
    }

    private FrameId FrameAt(ulong position) => _slots[_ring.SlotOf(position)].Frame;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void CheckPage(in FlipPage page)
    {
        // A length of 0 wraps to the largest number, so one comparison covers both ends.
        if (page.Frame.IsNone || page.LengthBytes - 1 >= _pageBytes || page.Domain != _consumer) ThrowBadPage(page);
    }

    private static void CheckFree(ReadOnlySpan<FrameId> free)
    {
        for (int i = 0; i < free.Length; i++)
            if (free[i].IsNone) ThrowNoFrame(i);
    }

    // All or none: what went in before a frame that may not go comes out again.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnterAll(ReadOnlySpan<FlipPage> pages)
    {
        for (int i = 0; i < pages.Length; i++)
        {
            if (_ledger!.TryEnter(pages[i].Frame, _producer, _number)) continue;
            ArgumentException refusal = NotOwned(pages[i].Frame, _producer, _consumer);
            UndoAll(pages[..i]);
            throw refusal;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EnterAll(ReadOnlySpan<FrameId> free)
    {
        for (int i = 0; i < free.Length; i++)
        {
            if (_ledger!.TryEnter(free[i], _consumer, _number)) continue;
            ArgumentException refusal = NotOwned(free[i], _consumer, _producer);
            UndoAll(free[..i]);
            throw refusal;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void UndoAll(ReadOnlySpan<FlipPage> pages)
    {
        foreach (FlipPage page in pages) _ledger!.Undo(page.Frame, _producer, _number);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void UndoAll(ReadOnlySpan<FrameId> free)
    {
        foreach (FrameId frame in free) _ledger!.Undo(frame, _consumer, _number);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LeaveAll(ReadOnlySpan<FrameId> returned)
    {
        foreach (FrameId frame in returned) _ledger!.Leave(frame, _consumer, _number, _producer);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void LeaveAll(ReadOnlySpan<FlipPage> taken)
    {
        foreach (FlipPage page in taken) _ledger!.Leave(page.Frame, _producer, _number, _consumer);
    }

    [DoesNotReturn]
    private void ThrowClosed()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        throw new InvalidOperationException($"{Name} is closed");
    }

    [DoesNotReturn]
    private void ThrowFull() =>
        throw new InvalidOperationException($"{Name} is full: {SlotCount} pages wait to be taken; try again later");

    [DoesNotReturn]
    private void ThrowFramesInFlight() =>
        throw new InvalidOperationException(
            $"{Name} still holds {FullCount} pages that nobody took and {ReturnedCount} free frames that nobody "
            + "collected; Close hands them back");

    [DoesNotReturn]
    private void ThrowBadPage(FlipPage page)
    {
        string fault = page.Frame.IsNone ? "a page without a frame"
            : page.Domain != _consumer ? $"{page.Frame} is for domain {page.Domain}"
            : $"{page.Frame} holds a page of {page.LengthBytes} bytes";
        throw new ArgumentException($"{fault}; {Name} takes frames with 1 to {_pageBytes} bytes for domain {_consumer}");
    }

    [DoesNotReturn]
    private static void ThrowNoFrame(int index) =>
        throw new ArgumentException($"free frame {index} of the batch is no frame");

    private ArgumentException NotOwned(FrameId frame, ushort giver, ushort receiver) =>
        new($"domain {giver} cannot give {frame} to domain {receiver}: it {_ledger!.Describe(frame)}");

    [DoesNotReturn]
    private static void ThrowNoRoom(int wanted, int room, string parameter) =>
        throw new ArgumentException($"room for {room} frames is not enough for {wanted}", parameter);
}
