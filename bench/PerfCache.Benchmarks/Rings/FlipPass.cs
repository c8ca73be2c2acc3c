// SPDX-License-Identifier: MIT
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Benchmarks.Rings;

/// <summary>An exchange of full pages for free frames, as a pass sees it.</summary>
internal interface IExchange
{
    /// <summary>Sends pages from the front of the hand and puts what came back in their place.</summary>
    /// <returns>How many went, and how many frames are in the hand afterwards.</returns>
    (int Sent, int InHand) Send(Span<FrameId> hand, Span<FlipPage> scratch, int inHand, int burst);

    /// <summary>Takes pages and leaves free frames for them; the pages' frames are in the hand then.</summary>
    int Take(Span<FrameId> hand, Span<FlipPage> pages, ref int inHand, int burst);

    /// <summary>Takes back what came back, without sending.</summary>
    int Collect(Span<FrameId> hand, int inHand);
}

/// <summary>One ring: a page out and a frame back in one slot.</summary>
internal readonly struct FlipExchange<TThreads>(FlipRing<TThreads> ring) : IExchange
    where TThreads : struct, IRingThreads
{
    public (int Sent, int InHand) Send(Span<FrameId> hand, Span<FlipPage> scratch, int inHand, int burst)
    {
        if (burst == 1)
        {
            if (!ring.TryPublish(new FlipPage(hand[inHand - 1], 64, 0, 2), out FrameId back)) return (0, inHand);
            if (back.IsNone) return (1, inHand - 1);
            hand[inHand - 1] = back;
            return (1, inHand);
        }

        Span<FrameId> last = hand.Slice(inHand - burst, burst);
        for (int i = 0; i < last.Length; i++) scratch[i] = new FlipPage(last[i], 64, 0, 2);
        int sent = ring.TryPublish(scratch[..burst], last, out int returned);
        // What did not go stays, behind what came back.
        for (int i = sent; i < burst; i++) last[returned + i - sent] = scratch[i].Frame;
        return (sent, inHand - sent + returned);
    }

    public int Take(Span<FrameId> hand, Span<FlipPage> pages, ref int inHand, int burst)
    {
        if (burst == 1)
        {
            if (!ring.TryFlip(hand[0], out pages[0])) return 0;
            hand[0] = pages[0].Frame;
            return 1;
        }

        int count = ring.TryFlip(hand[..burst], pages);
        for (int i = 0; i < count; i++) hand[i] = pages[i].Frame;
        return count;
    }

    public int Collect(Span<FrameId> hand, int inHand) => ring.Collect(hand[inHand..]);
}

/// <summary>Two rings of the flip ring's slot size: pages go through one, frames come back through the other.</summary>
internal readonly struct TwoRings<TThreads>(ValueRing<FlipPage, TThreads> there, ValueRing<FlipPage, TThreads> back)
    : IExchange
    where TThreads : struct, IRingThreads
{
    public (int Sent, int InHand) Send(Span<FrameId> hand, Span<FlipPage> scratch, int inHand, int burst)
    {
        int sent;
        if (burst == 1)
        {
            sent = there.TryEnqueue(new FlipPage(hand[inHand - 1], 64, 0, 2)) ? 1 : 0;
            inHand -= sent;
            if (back.TryDequeue(out FlipPage page)) hand[inHand++] = page.Frame;
            return (sent, inHand);
        }

        Span<FrameId> last = hand.Slice(inHand - burst, burst);
        // From the end, so that what does not go stays in its place.
        for (int i = 0; i < burst; i++) scratch[i] = new FlipPage(last[burst - 1 - i], 64, 0, 2);
        sent = there.TryEnqueue(scratch[..burst]);
        inHand -= sent;
        return (sent, inHand + TakeBack(hand[inHand..], scratch, burst));
    }

    public int Take(Span<FrameId> hand, Span<FlipPage> pages, ref int inHand, int burst)
    {
        if (burst == 1)
        {
            if (!there.TryDequeue(out pages[0])) return 0;
            // There are no more frames about than the ring has room for.
            back.TryEnqueue(new FlipPage(hand[0], 64, 0, 1));
            hand[0] = pages[0].Frame;
            return 1;
        }

        int count = there.TryDequeue(pages[..burst]);
        for (int i = 0; i < count; i++)
        {
            FrameId frame = pages[i].Frame;
            pages[i] = new FlipPage(hand[i], 64, 0, 1);
            hand[i] = frame;
        }

        back.TryEnqueue(pages[..count]);
        return count;
    }

    public int Collect(Span<FrameId> hand, int inHand)
    {
        int count = 0;
        while (inHand + count < hand.Length && back.TryDequeue(out FlipPage page)) hand[inHand + count++] = page.Frame;
        return count;
    }

    private int TakeBack(Span<FrameId> room, Span<FlipPage> scratch, int burst)
    {
        int count = back.TryDequeue(scratch[..Math.Min(room.Length, burst)]);
        for (int i = 0; i < count; i++) room[i] = scratch[i].Frame;
        return count;
    }
}

/// <summary>Exchanges frames between two cores, without touching their pages.</summary>
internal static class FlipRace
{
    /// <summary>Slots of every ring.</summary>
    internal const int SlotCount = 1024;

    private const int BurstMax = 32;

    private static long s_producerWaits;
    private static long s_consumerWaits;

    /// <summary>Nanoseconds a flip through one ring.</summary>
    internal static double OneRing<TThreads>(Cores cores, RingWait wait, int burst, long count)
        where TThreads : struct, IRingThreads
    {
        FlipRing<TThreads> ring = new(
            new FlipRingOptions { Producer = 1, Consumer = 2, SlotCount = SlotCount, Wait = wait },
            MemoryMeter.Process);
        double nanos = Run(new FlipExchange<TThreads>(ring), cores, burst, count);
        ring.Close(new FrameId[SlotCount], out _);
        ring.Dispose();
        return nanos;
    }

    /// <summary>Nanoseconds a flip through two rings.</summary>
    internal static double TwoRings<TThreads>(Cores cores, RingWait wait, int burst, long count)
        where TThreads : struct, IRingThreads
    {
        // The way back holds all frames there are, so it is never full.
        using ValueRing<FlipPage, TThreads> there = new(SlotCount, MemoryMeter.Process, wait);
        using ValueRing<FlipPage, TThreads> back = new(2 * SlotCount, MemoryMeter.Process, wait);
        return Run(new TwoRings<TThreads>(there, back), cores, burst, count);
    }

    /// <summary>How often each side of the last pass looked and found nothing: the other one was slower.</summary>
    internal static string Waits => $"waited: producer {s_producerWaits}, consumer {s_consumerWaits}";

    private static double Run<TExchange>(TExchange exchange, Cores cores, int burst, long count)
        where TExchange : struct, IExchange
    {
        ulong sent = 0, taken = 0;
        double nanos = cores.Race(
            () => sent = Produce(exchange, burst, count), () => taken = Consume(exchange, burst, count));
        if (sent != taken) throw new InvalidOperationException($"{typeof(TExchange).Name}: other frames came than went");
        return nanos / count;
    }

    // The hand begins with a ring's worth of frames and a burst: then it lasts until the first ones are back.
    private static ulong Produce<TExchange>(TExchange exchange, int burst, long count) where TExchange : struct, IExchange
    {
        Span<FrameId> hand = new FrameId[SlotCount + (2 * BurstMax)];
        Span<FlipPage> scratch = new FlipPage[BurstMax];
        int inHand = SlotCount + burst;
        for (int i = 0; i < inHand; i++) hand[i] = new FrameId((uint)i + 1);
        ulong sum = 0;
        long waits = 0;
        for (long sent = 0; sent < count;)
        {
            int want = (int)Math.Min(burst, count - sent);
            if (inHand < want)
            {
                int back = exchange.Collect(hand, inHand);
                inHand += back;
                if (back == 0) QueueRace.Pause();
                continue;
            }

            (int now, inHand) = exchange.Send(hand, scratch, inHand, want);
            sent += now;
            sum += (ulong)now;
            if (now > 0) continue;
            waits++;
            QueueRace.Pause();
        }

        s_producerWaits = waits;
        return sum;
    }

    private static ulong Consume<TExchange>(TExchange exchange, int burst, long count) where TExchange : struct, IExchange
    {
        Span<FrameId> hand = new FrameId[BurstMax];
        Span<FlipPage> pages = new FlipPage[BurstMax];
        for (int i = 0; i < hand.Length; i++) hand[i] = new FrameId((uint)(10_000 + i));
        int inHand = hand.Length;
        ulong taken = 0;
        long waits = 0;
        while (taken < (ulong)count)
        {
            int now = exchange.Take(hand, pages, ref inHand, burst);
            taken += (ulong)now;
            if (now > 0) continue;
            waits++;
            QueueRace.Pause();
        }

        s_consumerWaits = waits;
        return taken;
    }
}
