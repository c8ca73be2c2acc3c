// SPDX-License-Identifier: MIT
using PerfCache.Flip;

namespace PerfCache.Tests.Models.Stepwise;

/// <summary>One thing taken out of the rings' protocol; the labels are those of the production code.</summary>
internal enum FlipRingFault
{
    None,

    // One to one.
    S1HeadIsNotAcquired,
    S2TailIsNotReleased,
    S3TailIsNotAcquired,
    S4HeadIsNotReleased,

    // Many to many.
    R1TailIsNotAcquired,
    R2TurnIsNotAcquired,
    R3ExchangeIsALoadAndAStore,
    R4TurnIsNotReleased,
    R5HeadIsNotAcquired,
    R6TurnIsNotAcquired,
    R7ExchangeIsALoadAndAStore,
    R8TurnIsNotReleased,
    R9ExchangeReleasesNothing,
    R9ExchangeIsALoadAndAStore,

    // What is not an order, and yet must be there.
    R2TurnIsNotTested,
    R6TurnIsNotTested,
    TurnsHaveNoLaps,
    CollectedSlotsAreNotCounted,
}

/// <summary>
/// The step-wise twin of a flip ring of two slots. Positions, turns and the packed tail are computed by the functions
/// that the ring itself calls (<see cref="RingTail"/>, <see cref="RingHead"/>, <see cref="RingTurn"/>); written by hand
/// is the order of the accesses.
/// </summary>
/// <remarks>
/// Frames are numbers from 1; each has a word of data. A producer writes f * 10 + 1 into frame f before it publishes it,
/// a consumer f * 10 + 2 before it leaves it. Nobody tries again when the ring is full or empty.
/// <para>N1: who takes a page reads what its producer wrote.</para>
/// <para>N2: who gets a free frame reads what its consumer wrote.</para>
/// <para>N3: at the end every frame is in one place: in one pair of hands or in one slot.</para>
/// <para>N4: at the end no more pages were published than taken and two.</para>
/// </remarks>
internal sealed class FlipRingModel
{
    private const int SlotBits = 1;
    private const int SlotCount = 1 << SlotBits;

    private readonly FlipRingFault _fault;
    private readonly Ordering _exchange;
    private readonly ulong _turnMask;
    private readonly bool _hasData;
    private readonly Word _tail;
    private readonly Word _head;
    private readonly Word[] _turns;
    private readonly Word[] _slots;
    private readonly Word[] _data;
    private readonly List<Func<World, ulong>> _hands = [];

    /// <param name="name">For reports.</param>
    /// <param name="fault">What is taken out.</param>
    /// <param name="exchange">The order of a compare-exchange.</param>
    /// <param name="head">The position to empty next: at least 2, so that all slots have been through a lap.</param>
    /// <param name="full">Slots that are full at the start: frames 1 and on. The others hold free frames.</param>
    /// <param name="frameCount">All frames; those from 3 on are in somebody's hands.</param>
    /// <param name="turnMask">The bits of a turn that exist: few ones wrap soon.</param>
    /// <param name="hasData">False for frames without a word of data: fewer states, and N3 alone.</param>
    internal FlipRingModel(
        string name, FlipRingFault fault, Ordering exchange, ulong head, int full, int frameCount,
        ulong turnMask = 0xFF, bool hasData = true)
    {
        _hasData = hasData;
        _fault = fault;
        _exchange = exchange;
        _turnMask = fault == FlipRingFault.TurnsHaveNoLaps ? 1 : turnMask;
        Model = new StepwiseModel(name);
        ulong tail = head + (ulong)full;
        _tail = Model.Word("tail", RingTail.At(tail, 0).Packed, packed => new RingTail(packed).ToString());
        _head = Model.Word("head", RingHead.At(head).Packed, packed => new RingHead(packed).ToString());
        _turns = new Word[SlotCount];
        _slots = new Word[SlotCount];
        ulong[] data = new ulong[frameCount + 1];
        for (ulong i = 0; i < SlotCount; i++)
        {
            ulong position = head + i, frame = i + 1;
            bool isFull = i < (ulong)full;
            _turns[position % SlotCount] = Model.Word(
                $"turn {position % SlotCount}", isFull ? Full(position) : Free(position));
            _slots[position % SlotCount] = Model.Word($"slot {position % SlotCount}", frame);
            data[frame] = isFull ? Written(frame) : Scribbled(frame);
        }

        _data = hasData ? [.. data.Select((value, frame) => Model.Word($"data of {frame}", value))] : [];
        Model.AtEnd("N3: every frame is in one place", world => IsConserved(world, frameCount));
        Model.AtEnd(
            "N4: no more slots are full than there are",
            world => new RingTail(world[_tail]).DistanceFrom(new RingHead(world[_head])) <= SlotCount);
    }

    internal StepwiseModel Model { get; }

    /// <summary>One page out of a producer's hands, by the protocol of many to many.</summary>
    internal void Publish(StepwiseThread producer, ulong frame)
    {
        (Register tail, Register turn) = (producer.Register("tail"), producer.Register("turn"));
        (Register found, Register hand) = (producer.Register("found"), producer.Register("hand"));
        string again = $"publish {frame}", end = $"published {frame}";
        producer.Set(hand, _ => frame);
        Write(producer, $"write page {frame}", frame, Written(frame));
        producer.Target(again);
        producer.Load("R1: load the tail", _tail, tail, Unless(FlipRingFault.R1TailIsNotAcquired, Ordering.Acquire));
        producer.Load(
            "R2: load the turn", At(_turns, Position), turn,
            Unless(FlipRingFault.R2TurnIsNotAcquired, Ordering.Acquire));
        if (_fault != FlipRingFault.R2TurnIsNotTested)
            producer.Branch(registers => registers[turn] != Free(Position(registers)), end);
        Exchange(
            producer, "R3: move the tail", _tail, tail, found, packed => new RingTail(packed).Reserve(1).Packed,
            FlipRingFault.R3ExchangeIsALoadAndAStore, _exchange);
        producer.Branch(registers => registers[found] != registers[tail], again);
        producer.Set(hand, _ => 0);
        string blank = $"nothing behind {frame}";
        if (_fault != FlipRingFault.CollectedSlotsAreNotCounted)
            producer.Branch(registers => Tail(registers[tail]).Collected != 0, blank);
        producer.Load("take the free frame", At(_slots, Position), hand);
        producer.Target(blank);
        producer.Store("put the page", At(_slots, Position), frame);
        producer.Store(
            "R4: store the turn", At(_turns, Position), registers => Full(Position(registers)),
            Unless(FlipRingFault.R4TurnIsNotReleased, Ordering.Release));
        CheckFree(producer, hand, end);
        producer.Target(end);
        _hands.Add(world => world[hand]);

        ulong Position(Registers registers) => Tail(registers[tail]).Position;
    }

    /// <summary>One free frame taken out without publishing anything.</summary>
    internal void Collect(StepwiseThread producer)
    {
        (Register tail, Register turn) = (producer.Register("tail"), producer.Register("turn"));
        (Register found, Register hand) = (producer.Register("found"), producer.Register("hand"));
        Register read = producer.Register("read");
        producer.Target("collect");
        producer.Load("R1: load the tail", _tail, tail, Ordering.Acquire);
        producer.Load("R2: load the turn", At(_turns, Position), turn, Ordering.Acquire);
        producer.Branch(registers => registers[turn] != Free(Position(registers)), "collected");
        producer.Load("read the free frame", At(_slots, Position), read);
        Exchange(
            producer, "R9: count it as collected", _tail, tail, found, packed => Tail(packed).Collect(1).Packed,
            FlipRingFault.R9ExchangeIsALoadAndAStore,
            Unless(FlipRingFault.R9ExchangeReleasesNothing, _exchange));
        producer.Branch(registers => registers[found] != registers[tail], "collect");
        producer.Set(hand, registers => registers[read]);
        CheckFree(producer, hand, "collected");
        producer.Target("collected");
        _hands.Add(world => world[hand]);

        ulong Position(Registers registers) => Tail(registers[tail]).Position + Tail(registers[tail]).Collected;
    }

    /// <summary>One page taken for a free frame out of a consumer's hands, by the protocol of many to many.</summary>
    internal void Flip(StepwiseThread consumer, ulong free)
    {
        (Register head, Register turn) = (consumer.Register("head"), consumer.Register("turn"));
        (Register found, Register hand) = (consumer.Register("found"), consumer.Register("hand"));
        string again = $"flip {free}", end = $"flipped {free}";
        consumer.Set(hand, _ => free);
        Write(consumer, $"scribble on {free}", free, Scribbled(free));
        consumer.Target(again);
        consumer.Load("R5: load the head", _head, head, Unless(FlipRingFault.R5HeadIsNotAcquired, Ordering.Acquire));
        consumer.Load(
            "R6: load the turn", At(_turns, Position), turn,
            Unless(FlipRingFault.R6TurnIsNotAcquired, Ordering.Acquire));
        if (_fault != FlipRingFault.R6TurnIsNotTested)
            consumer.Branch(registers => registers[turn] != Full(Position(registers)), end);
        Exchange(
            consumer, "R7: move the head", _head, head, found, packed => new RingHead(packed).Claim(1).Packed,
            FlipRingFault.R7ExchangeIsALoadAndAStore, _exchange);
        consumer.Branch(registers => registers[found] != registers[head], again);
        consumer.Load("take the page", At(_slots, Position), hand);
        consumer.Store("leave the free frame", At(_slots, Position), free);
        consumer.Store(
            "R8: store the turn", At(_turns, Position), registers => FreeAgain(Position(registers)),
            Unless(FlipRingFault.R8TurnIsNotReleased, Ordering.Release));
        CheckPage(consumer, hand);
        consumer.Target(end);
        _hands.Add(world => world[hand]);

        ulong Position(Registers registers) => new RingHead(registers[head]).Position;
    }

    /// <summary>The one producer: publishes frames, or collects one where the frame is 0.</summary>
    internal void ProduceAlone(StepwiseThread producer, params ulong[] frames)
    {
        (Register tail, Register head) = (producer.Register("tail"), producer.Register("head"));
        producer.Set(tail, _ => Model.InitialValues[_tail.Index]);
        for (int i = 0; i < frames.Length; i++)
        {
            ulong frame = frames[i];
            Register hand = producer.Register("hand");
            _hands.Add(world => world[hand]);
            string end = $"end {i}", blank = $"blank {i}";
            producer.Set(hand, _ => frame);
            if (frame != 0) Write(producer, $"write page {frame}", frame, Written(frame));
            producer.Load(
                "S1: load the head", _head, head, Unless(FlipRingFault.S1HeadIsNotAcquired, Ordering.Acquire));
            producer.Branch(registers => FreeSlots(registers) == 0, end);
            if (frame == 0) producer.Branch(registers => FreeSlots(registers) <= Tail(registers[tail]).Collected, end);
            producer.Set(hand, _ => 0);
            if (frame != 0) producer.Branch(registers => Tail(registers[tail]).Collected != 0, blank);
            producer.Load("take the free frame", At(_slots, registers => Position(registers, frame)), hand);
            producer.Target(blank);
            if (frame != 0) producer.Store("put the page", At(_slots, registers => Position(registers, frame)), frame);
            producer.Set(tail, registers => Next(Tail(registers[tail]), frame).Packed);
            producer.Store(
                "S2: store the tail", _tail, registers => registers[tail],
                Unless(FlipRingFault.S2TailIsNotReleased, Ordering.Release));
            CheckFree(producer, hand, end);
            producer.Target(end);
        }

        uint FreeSlots(Registers registers) =>
            SlotCount - Tail(registers[tail]).DistanceFrom(new RingHead(registers[head]));
        ulong Position(Registers registers, ulong frame) =>
            Tail(registers[tail]).Position + (frame == 0 ? Tail(registers[tail]).Collected : 0);
        RingTail Next(RingTail now, ulong frame) => frame == 0 ? now.Collect(1) : now.Reserve(1);
    }

    /// <summary>The one consumer.</summary>
    internal void ConsumeAlone(StepwiseThread consumer, params ulong[] frees)
    {
        (Register head, Register tail) = (consumer.Register("head"), consumer.Register("tail"));
        consumer.Set(head, _ => Model.InitialValues[_head.Index]);
        foreach (ulong free in frees)
        {
            Register hand = consumer.Register("hand");
            _hands.Add(world => world[hand]);
            string end = $"end {free}";
            consumer.Set(hand, _ => free);
            Write(consumer, $"scribble on {free}", free, Scribbled(free));
            consumer.Load(
                "S3: load the tail", _tail, tail, Unless(FlipRingFault.S3TailIsNotAcquired, Ordering.Acquire));
            consumer.Branch(registers => Tail(registers[tail]).DistanceFrom(Head(registers)) == 0, end);
            consumer.Load("take the page", At(_slots, registers => Head(registers).Position), hand);
            consumer.Store("leave the free frame", At(_slots, registers => Head(registers).Position), free);
            consumer.Set(head, registers => Head(registers).Claim(1).Packed);
            consumer.Store(
                "S4: store the head", _head, registers => registers[head],
                Unless(FlipRingFault.S4HeadIsNotReleased, Ordering.Release));
            CheckPage(consumer, hand);
            consumer.Target(end);
        }

        RingHead Head(Registers registers) => new(registers[head]);
    }

    private void Write(StepwiseThread thread, string label, ulong frame, ulong value)
    {
        if (_hasData) thread.Store(label, _data[frame], value);
    }

    private void CheckPage(StepwiseThread consumer, Register hand)
    {
        if (!_hasData) return;
        Register data = consumer.Register("data");
        consumer.Load("read the page", Address.Of(_data, registers => (int)registers[hand]), data);
        consumer.Check("N1: the page is whole", registers => registers[data] == Written(registers[hand]));
    }

    private void CheckFree(StepwiseThread producer, Register hand, string otherwise)
    {
        if (!_hasData) return;
        Register data = producer.Register("data");
        producer.Branch(registers => registers[hand] == 0, otherwise);
        producer.Load("read the free frame", Address.Of(_data, registers => (int)registers[hand]), data);
        producer.Check("N2: nobody is in the free frame", registers => registers[data] == Scribbled(registers[hand]));
    }

    private void Exchange(
        StepwiseThread thread, string label, Word word, Register expected, Register found,
        Func<ulong, ulong> next, FlipRingFault split, Ordering ordering)
    {
        if (_fault == split)
        {
            thread.Load(label + ": load", word, found, Ordering.Acquire);
            string otherwise = $"{label} {thread.Steps.Count}";
            thread.Branch(registers => registers[found] != registers[expected], otherwise);
            thread.Store(label + ": store", word, registers => next(registers[expected]), Ordering.Release);
            thread.Target(otherwise);
            return;
        }

        thread.CompareExchange(
            label, word, registers => registers[expected], registers => next(registers[expected]), found, ordering);
    }

    private bool IsConserved(World world, int frameCount)
    {
        RingTail tail = new(world[_tail]);
        List<ulong> places = [.. _hands.Select(hand => hand(world)).Where(frame => frame != 0)];
        for (ulong i = tail.Collected; i < SlotCount; i++) places.Add(world[_slots[(tail.Position + i) % SlotCount]]);
        return places.Count == frameCount && places.Distinct().Count() == frameCount;
    }

    private ulong Free(ulong position) => RingTurn.Free(position, SlotBits) & _turnMask;

    private ulong Full(ulong position) => RingTurn.Full(position, SlotBits) & _turnMask;

    private ulong FreeAgain(ulong position) => RingTurn.FreeAgain(position, SlotBits) & _turnMask;

    private static RingTail Tail(ulong packed) => new(packed);

    private static ulong Written(ulong frame) => (frame * 10) + 1;

    private static ulong Scribbled(ulong frame) => (frame * 10) + 2;

    private static Address At(Word[] words, Func<Registers, ulong> position) =>
        Address.Of(words, registers => (int)(position(registers) % SlotCount));

    private Ordering Unless(FlipRingFault fault, Ordering ordering) => _fault == fault ? Ordering.Plain : ordering;
}
