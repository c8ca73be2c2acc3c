// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Tests.Models.Stepwise;

/// <summary>
/// One thing taken out of the protocol of hits; the labels are those of the production code.
/// </summary>
internal enum PageHitFault
{
    None,

    // The lease.
    L2PinIsALoadAndAStore,
    L2PinAcquiresNothing,
    L3LiveIsNotTested,
    L4KeyIsNotCompared,
    L6UnpinReleasesNothing,

    // The copy-out.
    C2StateIsNotAcquired,
    C2LiveIsNotTested,
    C3KeyIsNotCompared,
    C5ReadBarrierIsMissing,
    C6VersionIsNotCompared,
    C6LiveIsNotCompared,

    // The epoch lease and its reclaim.
    E0EpochIsNotAcquired,
    E1EpochIsPublishedLate,
    E1StateIsNotAcquired,
    E1LiveIsNotTested,
    E1KeyIsNotCompared,
    E3EndIsNotReleased,
    R2BumpIsPlain,
    R3ProcessBarrierIsMissing,
    R3ProcessBarrierComesBeforeTheBump,
    R4WaitIsMissing,
    R4WaitIsNotAcquired,

    // Eviction and publication.
    V1ExchangeIsALoadAndAStore,
    V1PinsAreNotTested,
    V1VersionStays,
    V2WriteBarrierIsMissing,
    V2WriteBarrierFollowsTheSlot,
    B1DataFollowsLive,
    B2KeyFollowsLive,
    B3LiveReleasesNothing,
    B3LiveIsAPlainStore,
    B4SlotIsNotReleased,

    // The write lease.
    W0PinsAreNotTested,
    W1VersionStays,
    W2WriteBarrierIsMissing,
    W3EndIsNotReleased,
    L3OddVersionIsNotTested,
    C2OddVersionIsNotTested,
}

/// <summary>
/// The step-wise twin of one frame of the page cache: how it is found, read, evicted and filled again.
/// </summary>
/// <remarks>
/// The frame holds page A, generation 0. Data words hold page * 10 + generation, both the same. A reader that
/// comes as far as using what it read must have read page A, whole. The state word has the real packing.
/// <para>N1: a reader uses only data of its page, one generation in both words.</para>
/// <para>N2: while a lease is held, the frame is live and pinned.</para>
/// <para>N3: at the end nobody has a pin, and the version is even.</para>
/// <para>N4: at the end the frame is in the one slot of its key if it is live, and in none if not.</para>
/// </remarks>
internal sealed partial class PageHitModel
{
    internal const ulong PageA = 1;
    internal const ulong PageB = 2;
    private const ulong OnePin = 1UL << 48;
    private const ulong OneVersion = 1UL << 16;
    private const ulong Frame = 1;

    private readonly PageHitFault[] _faults;
    private readonly Ordering _exchange;
    private readonly Ordering _locked;
    private readonly Word _state;
    private readonly Word _key;
    private readonly Word[] _slots;
    private readonly Word[] _data;
    private readonly Word _epoch;
    private readonly Word _freed;
    private readonly Word _lock;

    /// <param name="name">For reports.</param>
    /// <param name="faults">What is taken out.</param>
    /// <param name="exchange">The order of compare-exchange.</param>
    /// <param name="locked">The order of the other locked operations.</param>
    internal PageHitModel(
        string name, PageHitFault[] faults, Ordering exchange = Ordering.AcquireRelease,
        Ordering locked = Ordering.Full)
    {
        _faults = faults;
        _exchange = exchange;
        _locked = locked;
        Model = new StepwiseModel(name);
        _state = Model.Word("state", FrameState.Live, packed => new FrameState(packed).ToString());
        _key = Model.Word("key", PageA);
        _slots = [Model.Word("slot of A", Frame), Model.Word("slot of B")];
        _data = [Model.Word("data 0", PageA * 10), Model.Word("data 1", PageA * 10)];
        _epoch = Model.Word("epoch", 1);
        _freed = Model.Word("free list");
        _lock = Model.Word("lock");
        Model.AtEnd("N3: no pin is left", world => State(world[_state]).Pins == 0);
        Model.AtEnd("N3: the version is even", world => State(world[_state]).Version % 2 == 0 || !_writes);
        Model.AtEnd("N4: a live frame is in the slot of its key and no other", world =>
        {
            bool live = State(world[_state]).IsLive;
            return _slots.Index().All(slot =>
                world[slot.Item] == (live && world[_key] == (ulong)slot.Index + 1 ? Frame : 0));
        });
    }

    private bool _writes;

    internal StepwiseModel Model { get; }

    private bool Has(PageHitFault fault) => Array.IndexOf(_faults, fault) >= 0;

    private static FrameState State(ulong packed) => new(packed);

    private Ordering Unless(PageHitFault fault, Ordering ordering) => Has(fault) ? Ordering.Plain : ordering;

    /// <summary>A thread that takes and drops one lease on page A.</summary>
    internal void AddLease(string name, bool byHint = false)
    {
        StepwiseThread reader = Model.Thread(name);
        (Register slot, Register state) = (reader.Register("slot"), reader.Register("state"));
        (Register key, Register held) = (reader.Register("key"), reader.Register("held"));
        Register[] data = [reader.Register("data 0"), reader.Register("data 1")];

        Find(reader, "L1: load the slot", slot, byHint, "end");
        if (Has(PageHitFault.L2PinIsALoadAndAStore))
        {
            reader.Load("L2: load the state", _state, state, Ordering.Acquire);
            reader.Store("L2: store it with one pin more", _state, registers => registers[state] + OnePin);
        }
        else
        {
            reader.Add("L2: add a pin", _state, OnePin, Unless(PageHitFault.L2PinAcquiresNothing, _locked), state);
        }

        if (!Has(PageHitFault.L3LiveIsNotTested))
            reader.Branch(registers => !State(registers[state]).IsLive, "unpin");
        if (_writes && !Has(PageHitFault.L3OddVersionIsNotTested))
            reader.Branch(registers => State(registers[state]).Version % 2 == 1, "unpin");
        if (!Has(PageHitFault.L4KeyIsNotCompared))
        {
            reader.Load("L4: load the key", _key, key);
            reader.Branch(registers => registers[key] != PageA, "unpin");
        }

        reader.Set(held, _ => 1);
        for (int i = 0; i < data.Length; i++) reader.Load($"L5: load data {i}", _data[i], data[i]);
        reader.Set(held, _ => 0);
        Unpin();
        reader.Check("N1: a lease reads its page", registers => IsPageA(registers[data[0]], registers[data[1]]));
        reader.GoTo("end");
        reader.Target("unpin");
        Unpin();
        reader.Target("end");
        Model.Always("N2: a leased frame is live and pinned", world =>
            world[held] == 0 || (State(world[_state]).IsLive && State(world[_state]).Pins > 0));

        void Unpin() => reader.Add(
            "L6: take the pin off", _state, unchecked(0 - OnePin),
            Unless(PageHitFault.L6UnpinReleasesNothing, _locked));
    }

    /// <summary>A thread that copies page A out without a locked operation.</summary>
    internal void AddCopyOut(string name, bool byHint = false)
    {
        StepwiseThread reader = Model.Thread(name);
        (Register slot, Register key) = (reader.Register("slot"), reader.Register("key"));
        (Register before, Register after) = (reader.Register("before"), reader.Register("after"));
        Register[] data = [reader.Register("data 0"), reader.Register("data 1")];

        Find(reader, "C1: load the slot", slot, byHint, "end");
        reader.Load(
            "C2: load the state", _state, before, Unless(PageHitFault.C2StateIsNotAcquired, Ordering.Acquire));
        if (!Has(PageHitFault.C2LiveIsNotTested))
            reader.Branch(registers => !State(registers[before]).IsLive, "end");
        if (_writes && !Has(PageHitFault.C2OddVersionIsNotTested))
            reader.Branch(registers => State(registers[before]).Version % 2 == 1, "end");
        if (!Has(PageHitFault.C3KeyIsNotCompared))
        {
            reader.Load("C3: load the key", _key, key);
            reader.Branch(registers => registers[key] != PageA, "end");
        }

        for (int i = 0; i < data.Length; i++) reader.Load($"C4: load data {i}", _data[i], data[i]);
        if (!Has(PageHitFault.C5ReadBarrierIsMissing)) reader.ReadBarrier("C5: read barrier");
        reader.Load("C6: load the state again", _state, after);
        if (!Has(PageHitFault.C6VersionIsNotCompared))
            reader.Branch(registers => State(registers[before]).Version != State(registers[after]).Version, "end");
        if (!Has(PageHitFault.C6LiveIsNotCompared))
            reader.Branch(registers => !State(registers[after]).IsLive, "end");
        reader.Check("N1: a copy is of its page", registers => IsPageA(registers[data[0]], registers[data[1]]));
        reader.Target("end");
    }

    // A hint may name the frame at any time, whatever the slot says.
    private void Find(StepwiseThread reader, string label, Register slot, bool byHint, string otherwise)
    {
        if (byHint) return;
        reader.Load(label, _slots[0], slot);
        reader.Branch(registers => registers[slot] == 0, otherwise);
    }

    private static bool IsPageA(ulong first, ulong second) => first == second && first / 10 == PageA;
}
