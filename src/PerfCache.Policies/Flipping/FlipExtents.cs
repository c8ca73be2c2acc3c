// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Policies.Flipping;

/// <summary>
/// Flipping with enforced isolation: whole extents of 2 MiB change hands, and nobody can touch one on its way. A late
/// write of the former owner faults, where an ordinary flip trusts that there is none.
/// </summary>
/// <remarks>
/// Access is taken away before an extent enters the ring and given back to whoever takes it out: two system calls for an
/// extent, whose price by page <see cref="CopyBreakMeasurement.FenceNanos"/> measures. By single pages that would cost more
/// than a copy, so senders gather 512 pages first; that is the latency this mode costs. Within one process isolation
/// ends with the journey: threads of both domains share the address space.
/// One thread at each end. Frames are the caller's to keep; an extent is named by its first frame.
/// </remarks>
public sealed class FlipExtents : IDisposable
{
    private readonly FlipMemory _memory;
    private readonly FlipRing<OneToOne> _ring;
    private readonly ushort _receiver;
    private long _senderCalls;
    private long _receiverCalls;
    private bool _isDisposed;

    /// <summary>Makes an empty channel.</summary>
    /// <param name="memory">The memory whose extents are exchanged.</param>
    /// <param name="sender">The number of the sending domain, not 0.</param>
    /// <param name="receiver">The number of the receiving domain, another one.</param>
    /// <param name="slotCount">Extents under way at most, a power of two.</param>
    /// <param name="meter">The meter to charge.</param>
    public FlipExtents(FlipMemory memory, ushort sender, ushort receiver, int slotCount, MemoryMeter meter)
    {
        ArgumentNullException.ThrowIfNull(memory);
        (_memory, _receiver) = (memory, receiver);
        _ring = new FlipRing<OneToOne>(new FlipRingOptions
        {
            Producer = sender,
            Consumer = receiver,
            SlotCount = slotCount,
            PageBytes = checked((int)FlipMemory.ExtentFrames * memory.PageBytes),
        }, meter);
    }

    /// <summary>System calls that changed an extent's access so far.</summary>
    public long FenceCalls => Volatile.Read(ref _senderCalls) + Volatile.Read(ref _receiverCalls);

    /// <summary>Sends an extent.</summary>
    /// <param name="first">Its first frame.</param>
    /// <param name="lengthBytes">Bytes of it that mean something, at least 1.</param>
    /// <param name="returned">A free extent that came back, open; none if there was none.</param>
    /// <returns>False if the ring is full: the extent is still the sender's, and open.</returns>
    /// <exception cref="ArgumentException">The frame begins no extent, or the length is none.</exception>
    public bool TrySend(FrameId first, int lengthBytes, out FrameId returned)
    {
        Check(first);
        Fence(first, fenced: true, ref _senderCalls);
        bool isSent = false;
        returned = FrameId.None;
        try
        {
            isSent = _ring.TryPublish(new FlipPage(first, (uint)lengthBytes, 0, _receiver), out returned);
        }
        finally
        {
            if (!isSent) Fence(first, fenced: false, ref _senderCalls);
        }

        if (!returned.IsNone) Fence(returned, fenced: false, ref _senderCalls);
        return isSent;
    }

    /// <summary>Takes the next extent and leaves a free one.</summary>
    /// <param name="free">The first frame of an extent of the receiver.</param>
    /// <param name="page">The extent, open; its frame is the first.</param>
    /// <returns>False if there is none: the free extent is still the receiver's, and open.</returns>
    public bool TryReceive(FrameId free, out FlipPage page)
    {
        Check(free);
        Fence(free, fenced: true, ref _receiverCalls);
        bool isTaken = false;
        try
        {
            isTaken = _ring.TryFlip(free, out page);
        }
        finally
        {
            if (!isTaken) Fence(free, fenced: false, ref _receiverCalls);
        }

        if (isTaken) Fence(page.Frame, fenced: false, ref _receiverCalls);
        return isTaken;
    }

    /// <summary>Opens what is under way and closes the ring.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        FrameId[] frames = new FrameId[_ring.SlotCount];
        int count = _ring.Close(frames, out _);
        for (int i = 0; i < count; i++) Fence(frames[i], fenced: false, ref _senderCalls);
        _ring.Dispose();
    }

    private void Check(FrameId first)
    {
        if (first.IsNone || (first.Value - 1) % FlipMemory.ExtentFrames != 0
            || first.Value + FlipMemory.ExtentFrames - 1 > _memory.FrameCount)
            throw new ArgumentException($"{first} begins no extent of {FlipMemory.ExtentFrames} frames", nameof(first));
    }

    private void Fence(FrameId first, bool fenced, ref long calls)
    {
        if (!_memory.TryFence(first, FlipMemory.ExtentFrames, fenced))
            throw new InvalidOperationException($"the system does not {(fenced ? "take away" : "give back")} access to the extent of {first}");
        Volatile.Write(ref calls, calls + 1);
    }
}
