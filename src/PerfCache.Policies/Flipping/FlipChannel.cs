// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;

namespace PerfCache.Policies.Flipping;

/// <summary>
/// Carries pages from one domain to another. The sender fills a frame of its own and sends it; the receiver gets the
/// frame itself, or, for payloads that its delivery rule copies, the bytes in a frame of its own.
/// </summary>
/// <remarks>
/// A flip: the receiver leaves a free frame that its exchange policy chooses, and owns the full one.
/// A copy: the receiver takes the page in the same way, copies the payload into another frame of its own, and leaves
/// the sender's frame with the next page it takes. So the sender's frames come back to it, no memory drifts, and one
/// ring carries both kinds in order. A free frame is always held ready for that, which is one frame a channel.
/// The sending verbs are the sending domain's thread's, the receiving ones the receiving domain's.
/// </remarks>
public sealed class FlipChannel : IDisposable
{
    private readonly FlipRing<OneToOne> _ring;
    private readonly ReceivePlacement _placement;
    private FrameId _ready;
    private bool _isDisposed;

    internal FlipChannel(FlipRing<OneToOne> ring, FlipDomain from, FlipDomain to, DeliveryRule delivery,
        ReceivePlacement placement)
    {
        (_ring, From, To, Delivery, _placement) = (ring, from, to, delivery, placement);
    }

    /// <summary>Who sends.</summary>
    public FlipDomain From { get; }

    /// <summary>Who receives.</summary>
    public FlipDomain To { get; }

    /// <summary>Which payloads are copied; the receiver may change it between pages.</summary>
    public DeliveryRule Delivery { get; set; }

    /// <summary>Pages whose frame changed its owner.</summary>
    public long Flips { get; private set; }

    /// <summary>Pages whose bytes were copied.</summary>
    public long Copies { get; private set; }

    /// <summary>How often a page waited because the receiver had no free frame.</summary>
    public long WithoutFrame { get; private set; }

    /// <summary>Pages that nobody had received when the channel was disposed.</summary>
    public int Untaken { get; private set; }

    /// <summary>Takes a frame for the sender to fill; those that wait in the ring are taken back if no other is free.</summary>
    /// <returns>False if the sending domain has no free frame.</returns>
    public bool TryAllocate(out FrameId frame)
    {
        if (From.FreeFrames == 0) Collect();
        return _placement == ReceivePlacement.ReceiverNode
            ? From.TryAllocateOn(To.HomeNode, out frame) : From.TryAllocate(out frame);
    }

    /// <summary>The bytes of a frame.</summary>
    public Span<byte> Page(FrameId frame) => From.Host.Memory.Page(frame);

    /// <summary>Sends a filled frame.</summary>
    /// <param name="frame">A frame of the sending domain, which it has no more afterwards.</param>
    /// <param name="lengthBytes">The payload, from the start of the page: 1 to a page.</param>
    /// <param name="userBits">Whatever the domains agree on.</param>
    /// <returns>False if the ring is full: the frame is still the sender's.</returns>
    /// <exception cref="ArgumentException">The frame is not the sender's, or the length is none.</exception>
    public bool TrySend(FrameId frame, int lengthBytes, uint userBits = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        if (!_ring.TryPublish(new FlipPage(frame, (uint)lengthBytes, userBits, To.Number), out FrameId returned)) return false;
        From.NoteGone(frame);
        if (!returned.IsNone) TakeBack(returned);
        return true;
    }

    /// <summary>Takes back free frames that wait in the ring: for when traffic stops, or frames run short.</summary>
    /// <returns>How many there were.</returns>
    public int Collect()
    {
        Span<FrameId> returned = stackalloc FrameId[64];
        int all = 0;
        while (true)
        {
            int count = _ring.Collect(returned);
            if (count == 0) return all;
            foreach (FrameId frame in returned[..count]) TakeBack(frame);
            all += count;
        }
    }

    /// <summary>Receives the next page.</summary>
    /// <param name="page">The page, in a frame of the receiving domain; free it with <see cref="Free"/>, or keep it and
    /// free another for it.</param>
    /// <returns>False if there is none, or no free frame to give for it.</returns>
    public bool TryReceive(out FlipPage page)
    {
        page = default;
        if (_ready.IsNone && !To.Exchange.TryTakeFrameToGive(out _ready))
        {
            WithoutFrame++;
            return false;
        }

        if (!_ring.TryFlip(_ready, out FlipPage full)) return false;
        To.NoteGone(_ready);
        To.NoteCome(full.Frame);
        _ready = FrameId.None;
        if (Delivery.Copies((int)full.LengthBytes) && To.TryAllocate(out FrameId own))
        {
            int length = (int)full.LengthBytes;
            Page(full.Frame)[..length].CopyTo(Page(own));
            _ready = full.Frame;
            To.Exchange.NoteOwnFrame();
            page = full with { Frame = own };
            Copies++;
            return true;
        }

        page = full;
        Flips++;
        return true;
    }

    /// <summary>Waits until there may be something to receive.</summary>
    /// <returns>False when the time was over first.</returns>
    public bool WaitToReceive(TimeSpan timeout, CancellationToken cancellation = default) =>
        _ring.WaitToFlip(timeout, cancellation);

    /// <summary>Waits until there may be room to send.</summary>
    /// <returns>False when the time was over first.</returns>
    public bool WaitToSend(TimeSpan timeout, CancellationToken cancellation = default) =>
        _ring.WaitToPublish(timeout, cancellation);

    /// <summary>Frees the frame of a received page: to the exchange pool, or for whatever the domain needs next.</summary>
    public void Free(in FlipPage page) => To.Exchange.FreeReceived(page.Frame);

    /// <summary>Closes the ring. Pages that nobody received, and free frames in it, are the sender's afterwards.</summary>
    public void Dispose()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        if (!_ready.IsNone) To.Free(_ready);
        _ready = FrameId.None;
        FrameId[] frames = new FrameId[_ring.SlotCount];
        int count = _ring.Close(frames, out int untaken);
        for (int i = 0; i < count; i++) TakeBack(frames[i]);
        Untaken = untaken;
        _ring.Dispose();
    }

    private void TakeBack(FrameId frame)
    {
        From.NoteCome(frame);
        From.Free(frame);
    }
}
