// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Flip;

/// <summary>
/// Exchanges page frames between an ordered pair of domains: full pages go one way and free frames come back, through
/// the same slots. No byte of a page is copied, and each domain has as many frames afterwards as before.
/// </summary>
/// <remarks>
/// <b>A slot goes round.</b> The producer puts a full page into it; the consumer takes the page and leaves a free frame;
/// the producer takes the free frame when it fills the slot again, or <see cref="Collect"/>s it when traffic stops. One
/// trip of the slot's cache line does what takes two rings otherwise, and there is no second ring that can run dry. A
/// consumer without a free frame gets "empty" and the page stays.
/// <code>
///             collected          returned                 full
///        ┌──── no frame ────┬── a free frame ──┬──── a page to take ────┐
///   ... tail       tail + collected      head + slots = tail     (one lap is slots positions)
///        └──── filled next ────────────────────┘
/// </code>
/// <b>Who writes what.</b> Producers store the tail, consumers the head, both store slots and turns, each in its own
/// half of a slot's life. Positions run free and are masked on use; <see cref="RingTail"/> says how they wrap.
/// <para>I1: 0 &lt;= tail - head &lt;= slots.</para>
/// <para>I2: the slots from head to tail hold pages for the consuming domain: a frame, 1 to PageBytes long.</para>
/// <para>I3: a slot of <see cref="ManyToMany"/> has the full turn of its lap there and the free turn elsewhere.</para>
/// <para>I4: of the free slots, the first `collected` from the tail on hold nothing, the others a free frame: so the ring
/// holds slots - collected frames at any moment, whichever way they go.</para>
/// <para>I5: no frame is in two slots.</para>
/// <para>I6: with a ledger, exactly these frames are written down as being in this ring.</para>
/// <b>The protocol.</b> Each ordered access has a label, in <see cref="OneToOne"/>, <see cref="ManyToMany"/> and
/// <see cref="RingRooms"/>; the step-wise twin in the tests fails when any one is weakened.
/// <code>
/// one to one      producer                               consumer
///                 S1 load head, acquire      ◄── S4      S3 load tail, acquire      ◄── S2
///                    take the free frame                    take the page
///                    put the page                           leave the free frame
///                 S2 store tail, release     ──► S3      S4 store head, release     ──► S1
///
/// many to many    R1 load tail, acquire      ◄── R3      R5 load head, acquire      ◄── R7
///                 R2 load turn, acquire      ◄── R8      R6 load turn, acquire      ◄── R4
///                 R3 exchange tail, one step ──► R1      R7 exchange head, one step ──► R5
///                    take the free frame                    take the page
///                    put the page                           leave the free frame
///                 R4 store turn, release     ──► R6      R8 store turn, release     ──► R2
///
/// collect         R1 load tail, R2 load turns, read the free frames of the slots behind the collected ones, then
///                 R9 exchange tail, release  ──► R3: a producer who may fill them comes after they were read
/// </code>
/// Slots are read and written plainly: between R3 and R4 they are one producer's, between R7 and R8 one consumer's. The
/// one exception is the collector, which reads slots that are nobody's; R9 proves that nobody took them meanwhile.
/// <para><b>Costs.</b> On x64 the acquiring loads and releasing stores are plain moves; R3, R7 and R9 are locked. One to
/// one has no locked operation. Nothing waits for another thread inside an operation: a failed exchange means that
/// another thread went ahead, and the pause of <see cref="StandOff"/> ends by itself. A thread stopped between R3 and R4
/// (R7 and R8) holds up its own slots, and so whoever comes to them next, not the threads before.</para>
/// Producing verbs are for the producing domain's threads, consuming verbs for the consuming domain's:
/// <see cref="OneToOne"/> for one thread at a time each, <see cref="ManyToMany"/> for any number. Closing and validation
/// need a ring that nobody is in.
/// </remarks>
/// <typeparam name="TThreads">How many threads stand at each end.</typeparam>
public sealed partial class FlipRing<TThreads> : IDisposable where TThreads : struct, IRingThreads
{
    private readonly RingMemory<FlipPage> _memory;
    private readonly RingLines _ring;
    private readonly NativeArray<FlipPage> _slots;
    private readonly RingRooms _rooms;
    private readonly FrameLedger? _ledger;
    private readonly uint _pageBytes;
    private readonly ushort _producer;
    private readonly ushort _consumer;
    private readonly ushort _number;
    // Open, and without a ledger: the two questions of the verbs for one page in one.
    private bool _isPlain;
    private bool _isClosed;
    private bool _isDisposed;

    /// <summary>Makes an empty ring.</summary>
    /// <param name="options">The domains, the number of slots, how to wait.</param>
    /// <param name="meter">The meter to charge: 16 bytes a slot, one more for its turn, and what rounding to pages takes.
    /// </param>
    /// <exception cref="ArgumentException">An option is out of its range, or both domains are the same.</exception>
    /// <exception cref="NativeMemoryException">The memory cannot be had.</exception>
    public FlipRing(FlipRingOptions options, MemoryMeter meter)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(meter);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PageBytes, 1);
        if (options.Producer == 0 || options.Consumer == 0)
            throw new ArgumentException("domain 0 is no domain: a ring leads from one domain to another", nameof(options));
        if (options.Producer == options.Consumer)
        {
            throw new ArgumentException(
                $"a ring from domain {options.Producer} to itself: it leads from one domain to another", nameof(options));
        }

        _producer = options.Producer;
        _consumer = options.Consumer;
        _pageBytes = (uint)options.PageBytes;
        _memory = new RingMemory<FlipPage>("flip ring", options.SlotCount, options.StartPosition, options.Wait, meter);
        _ring = _memory.Lines;
        _slots = _memory.Slots;
        try
        {
            _rooms = new RingRooms(_ring, options.Wait);
            _ledger = options.Ledger;
            _number = _ledger?.AddRing() ?? 0;
            _isPlain = _ledger is null;
        }
        catch
        {
            _memory.Dispose();
            throw;
        }
    }

    /// <summary>The domain that publishes full pages.</summary>
    public ushort Producer => _producer;

    /// <summary>The domain that takes them.</summary>
    public ushort Consumer => _consumer;

    /// <summary>Slots of the ring: the most pages it holds.</summary>
    public int SlotCount => (int)_ring.Mask + 1;

    /// <summary>The way of the waiting verbs.</summary>
    public RingWait Wait => _rooms.Kind;

    /// <summary>Native bytes of the ring.</summary>
    public long NativeBytes => _memory.Bytes;

    /// <summary>Publishes a page, if there is a free slot.</summary>
    /// <param name="page">A page for the consuming domain, in a frame of the producing one.</param>
    /// <param name="returned">The free frame that was in the slot, now the producer's; none if there was none.</param>
    /// <returns>False when the ring is full: the frame is still the producer's.</returns>
    /// <exception cref="ArgumentException">No frame, a length of 0 or more than a page, another domain's page, or, with a
    /// ledger, a frame that the producing domain does not own. Nothing has changed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPublish(in FlipPage page, out FrameId returned) =>
        _isPlain ? TryPut(in page, out returned) : TryPutWritten(in page, out returned);

    /// <summary>Publishes pages in order, as many as there are free slots for.</summary>
    /// <param name="pages">As for one page.</param>
    /// <param name="returned">Receives the free frames that were in the slots: as long as <paramref name="pages"/> or
    /// longer.</param>
    /// <param name="returnedCount">How many of them there were.</param>
    /// <returns>The number of pages published: the first ones.</returns>
    /// <exception cref="ArgumentException">As for one page; which one is in the message. Nothing has changed.</exception>
    public int TryPublish(ReadOnlySpan<FlipPage> pages, Span<FrameId> returned, out int returnedCount)
    {
        if (_isClosed) ThrowClosed();
        if (returned.Length < pages.Length) ThrowNoRoom(pages.Length, returned.Length, nameof(returned));
        for (int i = 0; i < pages.Length; i++) CheckPage(in pages[i]);
        uint count;
        RingTail tail;
        while (true)
        {
            count = TThreads.LookForFree(in _ring, (uint)pages.Length, out tail);
            returnedCount = 0;
            if (count == 0) return 0;
            if (_ledger is not null) EnterAll(pages[..(int)count]);
            if (TThreads.TryReserve(in _ring, tail, count)) break;
            if (_ledger is not null) UndoAll(pages[..(int)count]);
        }

        RingMemory<FlipPage>.FetchAhead<TThreads>(in _ring, _slots, tail, count);
        uint blank = Math.Min(tail.Collected, count);
        if (blank > 0) Put(tail.Position, pages[..(int)blank]);
        if (blank < count) Exchange(tail.Position + blank, pages[(int)blank..(int)count], returned);
        TThreads.Publish(in _ring, tail, count);
        returnedCount = (int)(count - blank);
        _rooms.WakeConsumers();
        if (_ledger is not null) LeaveAll(returned[..returnedCount]);
        return (int)count;
    }

    /// <summary>Publishes a page.</summary>
    /// <returns>The free frame that was in the slot, now the producer's; none if there was none.</returns>
    /// <exception cref="InvalidOperationException">The ring is full; nothing has changed.</exception>
    /// <exception cref="ArgumentException">As for <see cref="TryPublish(in FlipPage, out FrameId)"/>.</exception>
    public FrameId Publish(in FlipPage page)
    {
        if (!TryPublish(in page, out FrameId returned)) ThrowFull();
        return returned;
    }

    /// <summary>Takes returned frames out of the ring without publishing anything: for when traffic stops.</summary>
    /// <param name="returned">Receives the frames, which are the producer's now.</param>
    /// <returns>How many there were, at most as many as fit.</returns>
    public int Collect(Span<FrameId> returned)
    {
        if (_isClosed) ThrowClosed();
        uint count;
        while (true)
        {
            uint free = TThreads.LookForFree(in _ring, _ring.Mask + 1, out RingTail tail);
            count = Math.Min(free - Math.Min(free, tail.Collected), (uint)returned.Length);
            if (count == 0) return 0;
            ulong first = tail.Position + tail.Collected;
            for (uint i = 0; i < count; i++) returned[(int)i] = _slots[_ring.SlotOf(first + i)].Frame;
            if (TThreads.TryCollect(in _ring, tail, count)) break;
        }

        if (_ledger is not null) LeaveAll(returned[..(int)count]);
        return (int)count;
    }

    /// <summary>Takes a page and leaves a free frame for it.</summary>
    /// <param name="free">A frame of the consuming domain; none to be told "empty".</param>
    /// <param name="page">The page, whose frame is the consumer's now.</param>
    /// <returns>False when there is no page, or no free frame for it: both keep what they have.</returns>
    /// <exception cref="ArgumentException">With a ledger: the consuming domain does not own the free frame. Nothing has
    /// changed.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryFlip(FrameId free, out FlipPage page) =>
        _isPlain ? TryTake(free, out page) : TryTakeWritten(free, out page);

    /// <summary>Takes all pages that are ready, in order, as far as there are free frames and room for them.</summary>
    /// <param name="free">Frames of the consuming domain; the first ones go into the ring.</param>
    /// <param name="pages">Receives the pages.</param>
    /// <returns>How many pages were taken, and free frames left for them.</returns>
    /// <exception cref="ArgumentException">One of the free frames that would have gone is none, or with a ledger is not
    /// the consuming domain's. Nothing has changed.</exception>
    public int TryFlip(ReadOnlySpan<FrameId> free, Span<FlipPage> pages)
    {
        if (_isClosed) ThrowClosed();
        uint most = (uint)Math.Min(free.Length, pages.Length);
        uint count;
        RingHead head;
        while (true)
        {
            if (most == 0) return 0;
            count = TThreads.LookForFull(in _ring, most, out head);
            if (count == 0) return 0;
            CheckFree(free[..(int)count]);
            if (_ledger is not null) EnterAll(free[..(int)count]);
            if (TThreads.TryClaim(in _ring, head, count)) break;
            if (_ledger is not null) UndoAll(free[..(int)count]);
        }

        RingMemory<FlipPage>.FetchAhead<TThreads>(in _ring, _slots, head, count);
        Exchange(head.Position, free[..(int)count], pages);
        TThreads.Retire(in _ring, head, count);
        _rooms.WakeProducers();
        if (_ledger is not null) LeaveAll(pages[..(int)count]);
        return (int)count;
    }

    /// <summary>Waits, in the ring's way, until there is a free slot.</summary>
    /// <param name="timeout">How long at most.</param>
    /// <param name="cancellation">Ends the wait with an exception.</param>
    /// <returns>False when the time was over first. True promises nothing where other threads publish too.</returns>
    public bool WaitToPublish(TimeSpan timeout, CancellationToken cancellation = default)
    {
        if (_isClosed) ThrowClosed();
        return _rooms.WaitAsProducer(new FreeLook<TThreads>(_ring), timeout, cancellation);
    }

    /// <summary>Waits, in the ring's way, until there is a page to take.</summary>
    /// <param name="timeout">How long at most.</param>
    /// <param name="cancellation">Ends the wait with an exception.</param>
    /// <returns>False when the time was over first. True promises nothing where other threads take pages too.</returns>
    public bool WaitToFlip(TimeSpan timeout, CancellationToken cancellation = default)
    {
        if (_isClosed) ThrowClosed();
        return _rooms.WaitAsConsumer(new FullLook<TThreads>(_ring), timeout, cancellation);
    }

    // The verbs for one page go into their callers: what a call pushes stands before the slot's words in the queue of
    // stores, and all wait there for the slot's line.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryPut(in FlipPage page, out FrameId returned)
    {
        CheckPage(in page);
        RingTail tail;
        do
        {
            if (TThreads.LookForFree(in _ring, 1, out tail) != 0) continue;
            returned = FrameId.None;
            return false;
        }
        while (!TThreads.TryReserve(in _ring, tail, 1)); // Progress: another producer moved the tail.

        RingMemory<FlipPage>.FetchAhead<TThreads>(in _ring, _slots, tail, 1);
        ref FlipPage slot = ref _slots[_ring.SlotOf(tail.Position)];
        returned = tail.Collected == 0 ? slot.Frame : FrameId.None;
        page.WriteTo(ref slot);
        TThreads.Publish(in _ring, tail, 1);
        _rooms.WakeConsumers();
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryTake(FrameId free, out FlipPage page)
    {
        RingHead head = default;
        do
        {
            if (!free.IsNone && TThreads.LookForFull(in _ring, 1, out head) != 0) continue;
            page = default;
            return false;
        }
        while (!TThreads.TryClaim(in _ring, head, 1)); // Progress: another consumer took the page.

        RingMemory<FlipPage>.FetchAhead<TThreads>(in _ring, _slots, head, 1);
        ref FlipPage slot = ref _slots[_ring.SlotOf(head.Position)];
        page = FlipPage.ReadFrom(ref slot);
        FlipPage.Leave(ref slot, free);
        TThreads.Retire(in _ring, head, 1);
        _rooms.WakeProducers();
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryPutWritten(in FlipPage page, out FrameId returned)
    {
        if (_isClosed) ThrowClosed();
        CheckPage(in page);
        ReadOnlySpan<FlipPage> one = new(in page);
        EnterAll(one);
        if (!TryPut(in page, out returned))
        {
            UndoAll(one);
            return false;
        }

        if (!returned.IsNone) _ledger!.Leave(returned, _consumer, _number, _producer);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryTakeWritten(FrameId free, out FlipPage page)
    {
        if (_isClosed) ThrowClosed();
        page = default;
        if (free.IsNone) return false;
        ReadOnlySpan<FrameId> one = new(in free);
        EnterAll(one);
        if (!TryTake(free, out page))
        {
            UndoAll(one);
            return false;
        }

        _ledger!.Leave(page.Frame, _producer, _number, _consumer);
        return true;
    }

    // Slots that hold nothing.
    private void Put(ulong position, ReadOnlySpan<FlipPage> pages)
    {
        int run = RunFrom(position, pages.Length);
        WordCopy.Copy(in pages[0], ref _slots[_ring.SlotOf(position)], (uint)run);
        if (run < pages.Length) WordCopy.Copy(in pages[run], ref _slots[0u], (uint)(pages.Length - run));
    }

    private void Exchange(ulong position, ReadOnlySpan<FlipPage> pages, Span<FrameId> returned)
    {
        int run = RunFrom(position, pages.Length);
        ExchangeRun(ref _slots[_ring.SlotOf(position)], pages[..run], returned);
        if (run < pages.Length) ExchangeRun(ref _slots[0u], pages[run..], returned[run..]);
    }

    private void Exchange(ulong position, ReadOnlySpan<FrameId> free, Span<FlipPage> pages)
    {
        int run = RunFrom(position, free.Length);
        ExchangeRun(ref _slots[_ring.SlotOf(position)], free[..run], pages);
        if (run < free.Length) ExchangeRun(ref _slots[0u], free[run..], pages[run..]);
    }

    // Slots up to the end of the ring: the lap goes on at its start.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int RunFrom(ulong position, int count) => (int)Math.Min((uint)count, _ring.Mask + 1 - _ring.SlotOf(position));

    private static void ExchangeRun(ref FlipPage slots, ReadOnlySpan<FlipPage> pages, Span<FrameId> returned)
    {
        returned = returned[..pages.Length];
        for (int i = 0; i < pages.Length; i++)
        {
            ref FlipPage slot = ref Unsafe.Add(ref slots, i);
            returned[i] = slot.Frame;
            FlipPage.Copy(in pages[i], ref slot);
        }
    }

    private static void ExchangeRun(ref FlipPage slots, ReadOnlySpan<FrameId> free, Span<FlipPage> pages)
    {
        pages = pages[..free.Length];
        for (int i = 0; i < free.Length; i++)
        {
            ref FlipPage slot = ref Unsafe.Add(ref slots, i);
            FlipPage.Copy(in slot, ref pages[i]);
            FlipPage.Leave(ref slot, free[i]);
        }
    }
}
