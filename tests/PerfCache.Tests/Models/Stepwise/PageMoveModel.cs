// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Tests.Models.Stepwise;

/// <summary>One thing taken out of the protocol of exchange migration; the labels are those of the production code.</summary>
internal enum PageMoveFault
{
    None,
    X1StateIsNotAcquired,
    X1HoldersAreNotTested,
    X3ReadBarrierIsMissing,
    X4HoldersAreNotTested,
    X4VersionIsNotCompared,
    X4IsOutsideTheLock,
    X5LiveReleasesNothing,
    X5KeyFollowsLive,
    X6SlotIsNotReleased,
    X6SlotFollowsTheKill,
    X7PinsAreNotTested,
    X7VersionStays,
    X8WriteBarrierIsMissing,
    X8ReuseDoesNotWait,
    X9SlotStays,
    X10VersionStays,
    X10FrameStaysLive,
    W2TwinIsNotWaitedFor,
}

/// <summary>
/// The step-wise twin of a page that moves from frame s to frame t while others read, write and evict it.
/// </summary>
/// <remarks>
/// Frame s holds page A, generation 0; t is private and empty. Data words hold page * 10 + generation. Whichever frame the
/// page has left is filled with page B at once, so whoever reads it too late reads B. The state word has the real packing.
/// <para>N1: a reader uses only data of its page, one generation in all words.</para>
/// <para>N2: a reader that comes while the page is resident finds it in two looks, without the lock.</para>
/// <para>N3: a writer who has the page for itself meets no lease of it, whichever frame that is in.</para>
/// <para>N4: at the end nobody has a pin; the slot names the one live frame of the page, which has what was written last.
/// </para>
/// </remarks>
internal sealed class PageMoveModel
{
    private const ulong PageA = 1;
    private const ulong PageB = 2;
    private const ulong OnePin = 1UL << 48;
    private const int Source = 0;
    private const int Target = 1;

    private readonly PageMoveFault _fault;
    private readonly Ordering _exchange;
    private readonly Ordering _locked;
    private readonly Word[] _states;
    private readonly Word[] _keys;
    private readonly Word[][] _data;
    private readonly Word _slot;
    private readonly Word _lock;
    private readonly Word _twin;
    private readonly Word _epoch;
    private readonly List<Word> _readerEpochs = [];
    private readonly Word _leases;
    private Register? _wrote;

    /// <param name="name">For reports.</param>
    /// <param name="fault">What is taken out.</param>
    /// <param name="exchange">The order of compare-exchange.</param>
    /// <param name="locked">The order of the other locked operations.</param>
    /// <param name="dataWords">Words of a page.</param>
    internal PageMoveModel(string name, PageMoveFault fault, Ordering exchange, Ordering locked, int dataWords)
    {
        _fault = fault;
        _exchange = exchange;
        _locked = locked;
        Model = new StepwiseModel(name);
        _states =
        [
            Model.Word("state of s", FrameState.Live, packed => new FrameState(packed).ToString()),
            Model.Word("state of t", 0, packed => new FrameState(packed).ToString()),
        ];
        _keys = [Model.Word("key of s", PageA), Model.Word("key of t")];
        _data =
        [
            [.. Enumerable.Range(0, dataWords).Select(i => Model.Word($"data {i} of s", PageA * 10))],
            [.. Enumerable.Range(0, dataWords).Select(i => Model.Word($"data {i} of t"))],
        ];
        _slot = Model.Word("slot of A", Source + 1);
        _lock = Model.Word("lock");
        _twin = Model.Word("twin");
        _epoch = Model.Word("epoch", 1);
        _leases = Model.Word("leases in use");
        Model.AtEnd("N4: no pin is left", world => _states.All(state => State(world[state]).Pins == 0));
        Model.AtEnd("N4: the slot names the live frame of the page, and no other is live", world =>
            _states.Index().All(each =>
                (State(world[each.Item]).IsLive && world[_keys[each.Index]] == PageA)
                == (world[_slot] == (ulong)each.Index + 1)));
        Model.AtEnd("N4: the page has what was written last", world => world[_slot] == 0
            || _data[world[_slot] - 1].All(word => world[word] == (PageA * 10) + (_wrote is { } wrote ? world[wrote] : 0)));
    }

    internal StepwiseModel Model { get; }

    /// <summary>The thread that moves the page; to be added after the readers with epochs.</summary>
    internal void AddMover()
    {
        StepwiseThread mover = Model.Thread("mover");
        (Register first, Register second) = (mover.Register("first state"), mover.Register("second state"));
        Register slot = mover.Register("slot");
        (Register last, Register taken) = (mover.Register("last state"), mover.Register("taken state"));
        Register[] bytes = [.. _data[Source].Select((_, i) => mover.Register($"byte {i}"))];
        Lock(mover);
        mover.Load("X1: load the slot", _slot, slot);
        mover.Load("X1: load the state", _states[Source], first, Unless(PageMoveFault.X1StateIsNotAcquired, Ordering.Acquire));
        Unlock(mover);
        mover.Branch(registers => registers[slot] != Source + 1, "end");
        mover.Branch(registers => !MayMove(registers[first], PageMoveFault.X1HoldersAreNotTested), "end");
        for (int i = 0; i < bytes.Length; i++)
        {
            mover.Load($"X2: load data {i}", _data[Source][i], bytes[i]);
            Register value = bytes[i];
            mover.Store($"X2: store data {i}", _data[Target][i], registers => registers[value]);
        }

        if (!Has(PageMoveFault.X3ReadBarrierIsMissing)) mover.ReadBarrier("X3: read barrier");
        if (Has(PageMoveFault.X4IsOutsideTheLock)) Check();
        Lock(mover);
        if (!Has(PageMoveFault.X4IsOutsideTheLock)) Check();
        PublishTarget(mover);
        if (!Has(PageMoveFault.X6SlotFollowsTheKill)) Redirect(mover, "X6", Target);
        mover.Update(
            "X7: compare-exchange {no pin} to dead", _states[Source],
            (old, _) => IsFree(old) ? Dead(old, PageMoveFault.X7VersionStays) : null, _exchange, old: last);
        mover.Branch(registers => !IsFree(registers[last]), "taken back");
        if (Has(PageMoveFault.X6SlotFollowsTheKill)) Redirect(mover, "X6", Target);
        if (!Has(PageMoveFault.X8WriteBarrierIsMissing)) mover.WriteBarrier("X8: write barrier");
        Reuse(mover, Source);
        mover.GoTo("leave");
        mover.Target("taken back");
        if (!Has(PageMoveFault.X9SlotStays)) Redirect(mover, "X9", Source);
        if (!Has(PageMoveFault.X10FrameStaysLive))
        {
            mover.Update(
                "X10: the target is dead", _states[Target], (old, _) => Dead(old, PageMoveFault.X10VersionStays), _exchange,
                old: taken);
            mover.WriteBarrier("X10: write barrier");
            mover.Branch(registers => State(registers[taken]).Pins > 0, "twin");
            Reuse(mover, Target);
            mover.GoTo("leave");
            mover.Target("twin");
            mover.Store("X10: note the twin", _twin, 1);
        }

        mover.Target("leave");
        Unlock(mover);
        mover.Target("end");

        void Check()
        {
            mover.Load("X4: load the state again", _states[Source], second);
            mover.Branch(
                registers => !MayMove(registers[second], PageMoveFault.X4HoldersAreNotTested)
                    || (!Has(PageMoveFault.X4VersionIsNotCompared)
                        && State(registers[second]).Version != State(registers[first]).Version),
                Has(PageMoveFault.X4IsOutsideTheLock) ? "end" : "leave");
        }

        bool IsFree(ulong packed) => State(packed).Pins == 0 || Has(PageMoveFault.X7PinsAreNotTested);
        bool MayMove(ulong packed, PageMoveFault unless) => State(packed).IsLive
            && (Has(unless) || (State(packed).Pins == 0 && !State(packed).Has(FrameState.Locked)));
    }

    /// <summary>A thread that takes and drops one lease.</summary>
    /// <param name="mustFind">True when nobody but the mover takes the page away.</param>
    /// <param name="isCounted">True when a writer wants to know of it.</param>
    internal void AddLease(bool mustFind, bool isCounted)
    {
        StepwiseThread reader = Model.Thread("lease");
        (Register slot, Register state) = (reader.Register("slot"), reader.Register("state"));
        Register key = reader.Register("key");
        Register[] bytes = [.. _data[Source].Select((_, i) => reader.Register($"byte {i}"))];
        for (int look = 0; look < 2; look++)
        {
            Pin(reader, slot, state, key, $"next {look}", look);
            if (isCounted) reader.Add("a lease is in use", _leases, 1, Ordering.Plain);
            Read(reader, "L5", slot, bytes);
            if (isCounted) reader.Add("it is not any more", _leases, unchecked(0 - 1UL), Ordering.Release);
            Unpin(reader, slot);
            reader.Check("N1: a lease reads its page", registers => IsPageA(registers, bytes));
            reader.GoTo("end");
            reader.Target($"next {look}");
        }

        if (mustFind) reader.Check("N2: the page is found in two looks", _ => false);
        reader.Target("end");
    }

    /// <summary>A thread that copies the page out without a locked operation.</summary>
    internal void AddCopyOut()
    {
        StepwiseThread reader = Model.Thread("copy-out");
        (Register slot, Register key) = (reader.Register("slot"), reader.Register("key"));
        (Register before, Register after) = (reader.Register("before"), reader.Register("after"));
        Register[] bytes = [.. _data[Source].Select((_, i) => reader.Register($"byte {i}"))];
        for (int look = 0; look < 2; look++)
        {
            reader.Load("C1: load the slot", _slot, slot);
            reader.Branch(registers => registers[slot] == 0, $"next {look}");
            reader.Load("C2: load the state", Of(_states, slot), before, Ordering.Acquire);
            reader.Branch(registers => !IsOpen(registers[before]), $"next {look}");
            reader.Load("C3: load the key", Of(_keys, slot), key);
            reader.Branch(registers => registers[key] != PageA, $"next {look}");
            Read(reader, "C4", slot, bytes);
            reader.ReadBarrier("C5: read barrier");
            reader.Load("C6: load the state again", Of(_states, slot), after);
            reader.Branch(
                registers => !IsOpen(registers[after]) || State(registers[after]).Version != State(registers[before]).Version,
                $"next {look}");
            reader.Check("N1: a copy is of its page", registers => IsPageA(registers, bytes));
            reader.GoTo("end");
            reader.Target($"next {look}");
        }

        reader.Target("end");
    }

    /// <summary>A thread that uses the page under an epoch.</summary>
    internal void AddEpochLease()
    {
        StepwiseThread reader = Model.Thread("epoch");
        Word own = Model.Word("epoch of the reader");
        _readerEpochs.Add(own);
        (Register epoch, Register slot) = (reader.Register("epoch"), reader.Register("slot"));
        (Register state, Register key) = (reader.Register("state"), reader.Register("key"));
        Register[] bytes = [.. _data[Source].Select((_, i) => reader.Register($"byte {i}"))];
        reader.Load("E0: load the epoch", _epoch, epoch, Ordering.Acquire);
        reader.Store("E1: publish the epoch", own, registers => registers[epoch]);
        reader.Load("C1: load the slot", _slot, slot);
        reader.Branch(registers => registers[slot] == 0, "end");
        reader.Load("C2: load the state", Of(_states, slot), state, Ordering.Acquire);
        reader.Branch(registers => !IsOpen(registers[state]), "end");
        reader.Load("C3: load the key", Of(_keys, slot), key);
        reader.Branch(registers => registers[key] != PageA, "end");
        Read(reader, "E2", slot, bytes);
        reader.Store("E3: publish that it is over", own, 0, Ordering.Release);
        reader.Check("N1: an epoch lease reads its page", registers => IsPageA(registers, bytes));
        reader.GoTo("over");
        reader.Target("end");
        reader.Store("E3: publish that it is over", own, 0, Ordering.Release);
        reader.Target("over");
    }

    /// <summary>A thread that writes the next generation of the page under a write lease.</summary>
    /// <param name="meetsLease">True when there is a counted lease, which it must not meet.</param>
    internal void AddWriter(bool meetsLease)
    {
        StepwiseThread writer = Model.Thread("writer");
        (Register slot, Register state) = (writer.Register("slot"), writer.Register("state"));
        (Register key, Register twin) = (writer.Register("key"), writer.Register("twin"));
        (Register wrote, Register leases) = (writer.Register("wrote"), writer.Register("leases"));
        _wrote = wrote;
        Pin(writer, slot, state, key, "end", look: 0);
        Lock(writer);
        writer.Update(
            "W1: locked or of locked", Of(_states, slot), (old, _) => IsOpen(old) ? old | FrameState.Locked : null, _locked,
            old: state);
        writer.Load("W1: is there a twin?", _twin, twin);
        Unlock(writer);
        writer.Branch(registers => !IsOpen(registers[state]), "unpin");
        writer.Await("W2: wait until the only pin is the writer's", Of(_states, slot), value => State(value).Pins == 1);
        if (!Has(PageMoveFault.W2TwinIsNotWaitedFor))
        {
            writer.Branch(registers => registers[twin] == 0, "alone");
            writer.Await("W2: wait for the twin", Of(_states, slot, other: true), value => State(value).Pins == 0);
            writer.Target("alone");
        }

        if (meetsLease)
        {
            writer.Update("how many leases are in use?", _leases, (_, _) => null, Ordering.Plain, old: leases);
            writer.Check("N3: a writer is alone", registers => registers[leases] == 0);
        }

        for (int i = 0; i < _data[Source].Length; i++)
            writer.Store($"W4: store data {i}", Of([.. _data.Select(data => data[i])], slot), (PageA * 10) + 1);
        writer.Set(wrote, _ => 1);
        Lock(writer);
        writer.Update(
            "W5: next version, not locked, no pin", Of(_states, slot),
            (old, _) => State(old).NextVersion().Without(FrameState.Locked).Packed - OnePin, _locked);
        Unlock(writer);
        writer.GoTo("end");
        writer.Target("unpin");
        Unpin(writer, slot);
        writer.Target("end");
    }

    /// <summary>A thread that evicts the page and fills its frame with another.</summary>
    internal void AddEvictor()
    {
        StepwiseThread evictor = Model.Thread("evictor");
        (Register slot, Register found) = (evictor.Register("slot"), evictor.Register("found"));
        Lock(evictor);
        evictor.Load("V0: load the slot", _slot, slot);
        evictor.Branch(registers => registers[slot] == 0, "end");
        evictor.Update(
            "V1: compare-exchange {no pin, live} to dead", Of(_states, slot),
            (old, _) => IsOpen(old) && State(old).Pins == 0 ? State(old).Freed().Packed : null, _exchange, old: found);
        evictor.Branch(registers => !IsOpen(registers[found]) || State(registers[found]).Pins != 0, "end");
        evictor.WriteBarrier("V2: write barrier");
        evictor.Store("V3: empty the slot", _slot, 0);
        for (int i = 0; i < _data[Source].Length; i++)
            evictor.Store($"B1: store data {i}", Of([.. _data.Select(data => data[i])], slot), PageB * 10);
        evictor.Store("B2: store the key", Of(_keys, slot), PageB);
        evictor.Update("B3: locked or of live", Of(_states, slot), (old, _) => old | FrameState.Live, _locked);
        evictor.Target("end");
        Unlock(evictor);
    }

    private void PublishTarget(StepwiseThread mover)
    {
        if (!Has(PageMoveFault.X5KeyFollowsLive)) mover.Store("X5: store the key", _keys[Target], PageA);
        mover.Update(
            "X5: locked or of live", _states[Target], (old, _) => old | FrameState.Live,
            Unless(PageMoveFault.X5LiveReleasesNothing, Ordering.AcquireRelease));
        if (Has(PageMoveFault.X5KeyFollowsLive)) mover.Store("X5: store the key", _keys[Target], PageA);
    }

    private void Redirect(StepwiseThread mover, string label, int frame) => mover.Store(
        $"{label}: store the slot", _slot, (ulong)frame + 1, Unless(PageMoveFault.X6SlotIsNotReleased, Ordering.Release));

    /// <summary>The frame is page B's from now on, once no epoch lease can use it any more.</summary>
    private void Reuse(StepwiseThread mover, int frame)
    {
        if (_readerEpochs.Count > 0 && !Has(PageMoveFault.X8ReuseDoesNotWait))
        {
            mover.Add("R2: bump the epoch", _epoch, 1, _locked);
            mover.ProcessBarrier("R3: process-wide barrier");
            foreach (Word own in _readerEpochs)
                mover.Await("R4: wait for older epochs", own, value => value is 0 or >= 2);
        }

        for (int i = 0; i < _data[frame].Length; i++) mover.Store($"B1: store data {i}", _data[frame][i], PageB * 10);
        mover.Store("B2: store the key", _keys[frame], PageB);
        mover.Update("B3: locked or of live", _states[frame], (old, _) => old | FrameState.Live, Ordering.AcquireRelease);
    }

    private void Pin(
        StepwiseThread thread, Register slot, Register state, Register key, string otherwise, int look)
    {
        thread.Load("L1: load the slot", _slot, slot);
        thread.Branch(registers => registers[slot] == 0, otherwise);
        thread.Add("L2: add a pin", Of(_states, slot), OnePin, _locked, state);
        thread.Branch(registers => !IsOpen(registers[state]), $"back off {look}");
        thread.Load("L4: load the key", Of(_keys, slot), key);
        thread.Branch(registers => registers[key] == PageA, $"pinned {look}");
        thread.Target($"back off {look}");
        Unpin(thread, slot);
        thread.GoTo(otherwise);
        thread.Target($"pinned {look}");
    }

    private void Unpin(StepwiseThread thread, Register slot) =>
        thread.Add("L6: take the pin off", Of(_states, slot), unchecked(0 - OnePin), _locked);

    private void Read(StepwiseThread reader, string label, Register slot, Register[] bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            reader.Load($"{label}: load data {i}", Of([.. _data.Select(data => data[i])], slot), bytes[i]);
    }

    private void Lock(StepwiseThread thread)
    {
        Register found = thread.Register("lock");
        string again = $"lock {thread.Steps.Count}";
        thread.Target(again);
        thread.Await("wait for the lock", _lock, value => value == 0, Ordering.Plain);
        // No more than a lock promises: what comes before may sink into it.
        thread.Update("take the lock", _lock, (old, _) => old == 0 ? 1 : null, Ordering.Acquire, old: found);
        thread.Branch(registers => registers[found] != 0, again);
    }

    private void Unlock(StepwiseThread thread) => thread.Store("leave the lock", _lock, 0, Ordering.Release);

    private ulong Dead(ulong packed, PageMoveFault versionStays) =>
        Has(versionStays) ? packed & ~FrameState.FlagsMask : State(packed).Freed().Packed;

    private bool Has(PageMoveFault fault) => _fault == fault;

    private Ordering Unless(PageMoveFault fault, Ordering ordering) => Has(fault) ? Ordering.Plain : ordering;

    private static Address Of(Word[] words, Register slot, bool other = false) => Address.Of(
        words, registers =>
        {
            // Asked before the slot is known too: then any word will do.
            int frame = (int)Math.Max(registers[slot], 1) - 1;
            return other ? 1 - frame : frame;
        });

    private static bool IsOpen(ulong packed) => State(packed).IsLive && !State(packed).Has(FrameState.Locked);

    private static FrameState State(ulong packed) => new(packed);

    private static bool IsPageA(Registers registers, Register[] bytes)
    {
        ulong first = registers[bytes[0]];
        bool same = first / 10 == PageA;
        foreach (Register each in bytes) same &= registers[each] == first;
        return same;
    }
}
