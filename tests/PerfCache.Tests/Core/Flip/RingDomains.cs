// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Core.Flip;

/// <summary>
/// Two domains with frames of their own, a ledger, and a ring between them. <see cref="Dispose"/> checks that no frame
/// was lost, doubled, or owned by two, and that no native byte is out.
/// </summary>
internal sealed class RingDomains<TThreads> : IDisposable where TThreads : struct, IRingThreads
{
    internal const ushort Producer = 1;
    internal const ushort Consumer = 2;

    private readonly MemoryMeter _meter = new();
    private readonly uint _framesEach;
    private readonly bool _ringHasLedger;

    /// <param name="slotCount">Slots of the ring.</param>
    /// <param name="framesEach">Frames 1 to this number are the producer's, as many more the consumer's.</param>
    /// <param name="ledger">False for a ring that checks no owners.</param>
    /// <param name="startPosition">Where positions begin.</param>
    /// <param name="wait">How to wait.</param>
    internal RingDomains(
        int slotCount = 4, uint framesEach = 8, bool ledger = true, ulong startPosition = 0,
        RingWait wait = RingWait.Adaptive)
    {
        _framesEach = framesEach;
        _ringHasLedger = ledger;
        Ledger = new FrameLedger(2 * framesEach, _meter);
        Ring = new FlipRing<TThreads>(
            new FlipRingOptions
            {
                Producer = Producer,
                Consumer = Consumer,
                SlotCount = slotCount,
                Wait = wait,
                Ledger = ledger ? Ledger : null,
                StartPosition = startPosition,
            },
            _meter);
        for (uint frame = 1; frame <= 2 * framesEach; frame++)
        {
            bool produces = frame <= framesEach;
            (produces ? ProducerFrames : ConsumerFrames).Enqueue(new FrameId(frame));
            if (ledger) Ledger.Give(new FrameId(frame), produces ? Producer : Consumer);
        }
    }

    internal FlipRing<TThreads> Ring { get; }

    internal FrameLedger Ledger { get; }

    /// <summary>Frames in the producing domain's hands, oldest first.</summary>
    internal Queue<FrameId> ProducerFrames { get; } = new();

    /// <summary>Frames in the consuming domain's hands, oldest first.</summary>
    internal Queue<FrameId> ConsumerFrames { get; } = new();

    internal static FlipPage Page(FrameId frame, uint userBits = 0) => new(frame, 100, userBits, Consumer);

    /// <summary>Every frame is in one place, and the ledger says the same.</summary>
    internal void CheckConservation()
    {
        Ring.Validate();
        uint inRing = (uint)(Ring.FullCount + Ring.ReturnedCount);
        Assert.That(ProducerFrames.Count + ConsumerFrames.Count + inRing, Is.EqualTo(2 * _framesEach));
        Assert.That(ProducerFrames.Concat(ConsumerFrames), Is.Unique);
        if (!_ringHasLedger) return;
        Assert.That(Ledger.CountInHands(Producer), Is.EqualTo(ProducerFrames.Count));
        Assert.That(Ledger.CountInHands(Consumer), Is.EqualTo(ConsumerFrames.Count));
        Assert.That(Ledger.CountInRings(), Is.EqualTo(inRing));
        Assert.That(Ledger.CountUnowned(), Is.Zero);
    }

    public void Dispose()
    {
        CheckConservation();
        if (Ring.FullCount + Ring.ReturnedCount > 0)
        {
            FrameId[] left = new FrameId[Ring.SlotCount];
            int count = Ring.Close(left, out _);
            foreach (FrameId frame in left.AsSpan(0, count)) ProducerFrames.Enqueue(frame);
            CheckConservation();
        }

        Ring.Dispose();
        Ledger.Dispose();
        Assert.That(_meter.OutstandingBytes, Is.Zero);
    }
}
