// SPDX-License-Identifier: MIT
using PerfCache.Frames;

namespace PerfCache.Tests.Models.Stepwise;

internal sealed partial class PageHitModel
{
    /// <summary>
    /// A thread that turns the frame to page B, and then back to page A in its next generation: what a reader
    /// saw of A may be A again. It gives up where the frame is pinned.
    /// </summary>
    internal void AddReplacer(string name, int times = 2)
    {
        StepwiseThread writer = Model.Thread(name);
        for (int i = 0; i < times; i++)
        {
            ulong from = i % 2 == 0 ? PageA : PageB;
            Evict(writer, from, "end");
            Publish(writer, PageA + PageB - from, generation: (ulong)(i + 1) / 2);
        }

        writer.Target("end");
    }

    /// <summary>
    /// Two threads under the cache's lock: one evicts page A, the other fills the frame with page B.
    /// </summary>
    internal void AddEvictorAndFiller()
    {
        StepwiseThread evictor = Model.Thread("evictor"), filler = Model.Thread("filler");
        Lock(evictor);
        Evict(evictor, PageA, "end");
        evictor.Store("V4: put the frame on the free list", _freed, Frame);
        evictor.Target("end");
        Unlock(evictor);

        Register free = filler.Register("free");
        Lock(filler);
        filler.Load("take a frame off the free list", _freed, free);
        filler.Branch(registers => registers[free] == 0, "end");
        Publish(filler, PageB, generation: 0);
        filler.Target("end");
        Unlock(filler);
    }

    /// <summary>
    /// A thread that writes the next generation of page A under a write lease. Epoch leases do not pin, so
    /// for their sake it must wait as a reclaim does.
    /// </summary>
    internal void AddWriteLease(string name, bool waitsForEpochs = false)
    {
        StepwiseThread writer = Model.Thread(name);
        Register found = writer.Register("found");
        writer.Update(
            "W0: compare-exchange {no pin, live, even} to {pin, odd}", _state,
            (old, _) => State(old).IsLive && State(old).Version % 2 == 0
                && (State(old).Pins == 0 || Has(PageHitFault.W0PinsAreNotTested))
                ? old + OnePin + (Has(PageHitFault.W1VersionStays) ? 0 : OneVersion) : null,
            _exchange, old: found);
        writer.Branch(
            registers => !State(registers[found]).IsLive || State(registers[found]).Version % 2 == 1, "end");
        if (!Has(PageHitFault.W0PinsAreNotTested))
            writer.Branch(registers => State(registers[found]).Pins != 0, "end");
        if (!Has(PageHitFault.W2WriteBarrierIsMissing)) writer.WriteBarrier("W2: write barrier");
        if (waitsForEpochs) WaitForEpochs(writer);
        for (int i = 0; i < _data.Length; i++) writer.Store($"W: store data {i}", _data[i], PageA * 10 + 1);
        writer.Add(
            "W3: even version, no pin", _state,
            unchecked((Has(PageHitFault.W1VersionStays) ? 0 : OneVersion) - OnePin),
            Unless(PageHitFault.W3EndIsNotReleased, _locked));
        writer.Target("end");
    }

    /// <summary>To be called before readers are added: they then test for an open write lease.</summary>
    internal PageHitModel WithWriteLeases()
    {
        _writes = true;
        return this;
    }

    private void Evict(StepwiseThread writer, ulong page, string otherwise)
    {
        Register found = writer.Register("found");
        if (Has(PageHitFault.V1ExchangeIsALoadAndAStore))
        {
            writer.Load("V1: load the state", _state, found, Ordering.Acquire);
            GiveUp();
            writer.Store("V1: store it dead", _state, registers => Dead(registers[found]), Ordering.Release);
        }
        else
        {
            writer.Update(
                "V1: compare-exchange {no pin, live} to dead", _state,
                (old, _) => MayEvict(old) ? Dead(old) : null, _exchange, old: found);
            GiveUp();
        }

        bool early = !Has(PageHitFault.V2WriteBarrierIsMissing) && !Has(PageHitFault.V2WriteBarrierFollowsTheSlot);
        if (early) writer.WriteBarrier("V2: write barrier");
        writer.Store("V3: empty the slot", _slots[page - 1], 0);
        if (Has(PageHitFault.V2WriteBarrierFollowsTheSlot)) writer.WriteBarrier("V2: write barrier");

        void GiveUp() => writer.Branch(registers => !MayEvict(registers[found]), otherwise);
        bool MayEvict(ulong packed) => State(packed).IsLive
            && (State(packed).Pins == 0 || Has(PageHitFault.V1PinsAreNotTested));
        ulong Dead(ulong packed) =>
            Has(PageHitFault.V1VersionStays) ? packed & ~FrameState.FlagsMask : State(packed).Freed().Packed;
    }

    private void Publish(StepwiseThread writer, ulong page, ulong generation)
    {
        if (!Has(PageHitFault.B1DataFollowsLive)) Fill();
        if (!Has(PageHitFault.B2KeyFollowsLive)) writer.Store("B2: store the key", _key, page);
        if (Has(PageHitFault.B3LiveIsAPlainStore))
        {
            Register state = writer.Register("state");
            writer.Load("B3: load the state", _state, state);
            writer.Store(
                "B3: store it live", _state, registers => registers[state] | FrameState.Live, Ordering.Release);
        }
        else
        {
            writer.Update(
                "B3: locked or of live", _state, (old, _) => old | FrameState.Live,
                Unless(PageHitFault.B3LiveReleasesNothing, _locked));
        }

        if (Has(PageHitFault.B1DataFollowsLive)) Fill();
        if (Has(PageHitFault.B2KeyFollowsLive)) writer.Store("B2: store the key", _key, page);
        writer.Store(
            "B4: store the slot", _slots[page - 1], Frame,
            Unless(PageHitFault.B4SlotIsNotReleased, Ordering.Release));

        void Fill()
        {
            for (int i = 0; i < _data.Length; i++)
                writer.Store($"B1: store data {i}", _data[i], page * 10 + generation);
        }
    }

    private void Lock(StepwiseThread thread)
    {
        Register found = thread.Register("lock");
        string again = $"lock {thread.Steps.Count}";
        thread.Target(again);
        thread.Await("wait for the lock", _lock, value => value == 0, Ordering.Plain);
        thread.Update("take the lock", _lock, (old, _) => old == 0 ? 1 : null, Ordering.Full, old: found);
        thread.Branch(registers => registers[found] != 0, again);
    }

    private void Unlock(StepwiseThread thread) => thread.Store("leave the lock", _lock, 0, Ordering.Release);
}
