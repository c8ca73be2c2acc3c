// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

internal sealed partial class PageHitModel
{
    private readonly List<Word> _readerEpochs = [];

    /// <summary>A thread that uses page A under the epoch, so many times one after the other.</summary>
    internal void AddEpochLease(string name, int times = 1, bool byHint = false)
    {
        StepwiseThread reader = Model.Thread(name);
        Word own = Model.Word($"epoch of {name}");
        _readerEpochs.Add(own);
        (Register epoch, Register slot) = (reader.Register("epoch"), reader.Register("slot"));
        (Register state, Register key) = (reader.Register("state"), reader.Register("key"));
        Register[] data = [reader.Register("data 0"), reader.Register("data 1")];
        for (int i = 0; i < times; i++)
        {
            string end = $"end {i}";
            reader.Load(
                "E0: load the epoch", _epoch, epoch, Unless(PageHitFault.E0EpochIsNotAcquired, Ordering.Acquire));
            if (!Has(PageHitFault.E1EpochIsPublishedLate)) PublishEpoch();
            Find(reader, "E1: load the slot", slot, byHint, end);
            reader.Load(
                "E1: load the state", _state, state, Unless(PageHitFault.E1StateIsNotAcquired, Ordering.Acquire));
            if (!Has(PageHitFault.E1LiveIsNotTested))
                reader.Branch(registers => !State(registers[state]).IsLive, end);
            if (_writes) reader.Branch(registers => State(registers[state]).Version % 2 == 1, end);
            if (!Has(PageHitFault.E1KeyIsNotCompared))
            {
                reader.Load("E1: load the key", _key, key);
                reader.Branch(registers => registers[key] != PageA, end);
            }

            if (Has(PageHitFault.E1EpochIsPublishedLate)) PublishEpoch();
            for (int j = 0; j < data.Length; j++) reader.Load($"E2: load data {j}", _data[j], data[j]);
            EndEpoch();
            reader.Check(
                "N1: an epoch lease reads its page", registers => IsPageA(registers[data[0]], registers[data[1]]));
            reader.GoTo($"next {i}");
            reader.Target(end);
            EndEpoch();
            reader.Target($"next {i}");
            Forget();
        }

        void PublishEpoch() => reader.Store("E1: publish the epoch", own, registers => registers[epoch]);
        void EndEpoch() => reader.Store(
            "E3: publish that it is over", own, 0, Unless(PageHitFault.E3EndIsNotReleased, Ordering.Release));
        void Forget()
        {
            foreach (Register register in new[] { epoch, slot, state, key, data[0], data[1] })
                reader.Set(register, _ => 0);
        }
    }

    /// <summary>
    /// A thread that turns the frame to page B when no epoch lease can use it any more; to be added last.
    /// </summary>
    internal void AddReclaimer(string name, int times = 1)
    {
        StepwiseThread writer = Model.Thread(name);
        for (int i = 0; i < times; i++)
        {
            ulong from = i % 2 == 0 ? PageA : PageB;
            Evict(writer, from, "end");
            WaitForEpochs(writer);
            Publish(writer, PageA + PageB - from, generation: (ulong)(i + 1) / 2);
        }

        writer.Target("end");
    }

    private int _epochsBumped;

    private void WaitForEpochs(StepwiseThread writer)
    {
        ulong next = (ulong)++_epochsBumped + 1;
        bool early = Has(PageHitFault.R3ProcessBarrierComesBeforeTheBump);
        if (early) writer.ProcessBarrier("R3: process-wide barrier");
        if (Has(PageHitFault.R2BumpIsPlain)) writer.Store("R2: bump the epoch", _epoch, next);
        else writer.Add("R2: bump the epoch", _epoch, 1, _locked);
        if (!early && !Has(PageHitFault.R3ProcessBarrierIsMissing)) writer.ProcessBarrier("R3: process-wide barrier");
        if (Has(PageHitFault.R4WaitIsMissing)) return;
        foreach (Word own in _readerEpochs)
        {
            writer.Await(
                "R4: wait for older epochs", own, value => value == 0 || value >= next,
                Unless(PageHitFault.R4WaitIsNotAcquired, Ordering.Acquire));
        }
    }
}
