// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Benchmarks.Rings;

/// <summary>
/// Brings payloads to the other domain: by flipping the frame that they are in, or by copying them into a frame of the
/// receiver's. Both go through the same ring, one page at a time, so the difference is the copy and where bytes are read.
/// </summary>
/// <remarks>
/// Hot: 48 frames, which stay in the cores' caches. Cold: frames over 384 MiB, in an order that no prefetcher guesses.
/// The payload is there when the clock starts, as a network card leaves it; nobody writes it meanwhile. A third of the
/// frames is the receiver's. Flipping sends another third away; copying keeps that third, reads it in turn, and fills
/// frames of the last third, which the receiver has lent for that.
/// </remarks>
internal sealed class DeliveryRace : IDisposable
{
    private const long ColdBytes = 384L << 20;
    private const int HotFrames = 48;
    // Fewer than the frames of a third: until the first ones are back, the sender lives on what it has.
    private const int SlotCount = 8;

    private readonly int _frameBytes;
    private readonly int _frames;
    private readonly byte[] _memory;
    private readonly uint[] _order;

    internal DeliveryRace(int payloadBytes, bool cold)
    {
        PayloadBytes = payloadBytes;
        _frameBytes = Math.Max(4096, payloadBytes);
        _frames = cold ? (int)(ColdBytes / _frameBytes) : HotFrames;
        // Frame 0 is none.
        _memory = GC.AllocateArray<byte>((_frames + 1) * _frameBytes, pinned: true);
        _memory.AsSpan().Fill(1);
        _order = [.. Enumerable.Range(1, _frames).Select(frame => (uint)frame)];
        new Random(1).Shuffle(_order);
    }

    internal int PayloadBytes { get; }

    /// <summary>Nanoseconds a delivery.</summary>
    internal double Run(Cores cores, bool copies, bool reads, int count)
    {
        FlipRing<OneToOne> ring = new(
            new FlipRingOptions
            {
                Producer = 1,
                Consumer = 2,
                SlotCount = SlotCount,
                PageBytes = _frameBytes,
                Wait = RingWait.Pause,
            },
            MemoryMeter.Process);
        long sum = 0;
        int third = _frames / 3;
        Queue<uint> sends = new(_order.Skip(copies ? third : 0).Take(third));
        Queue<uint> frees = new(_order.Skip(2 * third));
        double nanos = cores.Race(() => Send(ring, copies, count, sends), () => sum = Receive(ring, reads, count, frees));
        ring.Close(new FrameId[SlotCount], out _);
        ring.Dispose();
        long expected = reads ? (long)count * ((PayloadBytes + 7) / 8) * 0x0101010101010101 : 0;
        if (sum != expected) throw new InvalidOperationException("a payload came damaged");
        return nanos / count;
    }

    private void Send(FlipRing<OneToOne> ring, bool copies, int count, Queue<uint> hand)
    {
        int source = 0;
        for (int i = 0; i < count; i++)
        {
            uint frame = hand.Dequeue();
            if (copies)
            {
                Payload(_order[source++]).CopyTo(Payload(frame));
                if (source == _frames / 3) source = 0;
            }

            FlipPage page = new(new FrameId(frame), (uint)PayloadBytes, 0, 2);
            FrameId back;
            while (!ring.TryPublish(in page, out back)) QueueRace.Pause();
            if (!back.IsNone) hand.Enqueue(back.Value);
        }
    }

    private long Receive(FlipRing<OneToOne> ring, bool reads, int count, Queue<uint> hand)
    {
        long sum = 0;
        for (int i = 0; i < count; i++)
        {
            FrameId free = new(hand.Dequeue());
            FlipPage page;
            while (!ring.TryFlip(free, out page)) QueueRace.Pause();
            if (reads) sum += Sum(Payload(page.Frame.Value));
            hand.Enqueue(page.Frame.Value);
        }

        return sum;
    }

    private Span<byte> Payload(uint frame) => _memory.AsSpan((int)frame * _frameBytes, PayloadBytes);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Sum(ReadOnlySpan<byte> payload)
    {
        long sum = 0;
        foreach (long word in MemoryMarshal.Cast<byte, long>(payload)) sum += word;
        // The bytes behind the last whole word count as one more.
        return payload.Length % 8 == 0 ? sum : sum + 0x0101010101010101;
    }

    public void Dispose() => GC.Collect();
}
