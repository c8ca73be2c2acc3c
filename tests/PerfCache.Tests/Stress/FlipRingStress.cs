// SPDX-License-Identifier: MIT
using System.Diagnostics;
using PerfCache.Flip;
using PerfCache.Frames;
using PerfCache.Memory;

namespace PerfCache.Tests.Stress;

/// <summary>How hard to drive a ring.</summary>
/// <param name="Producers">Producing threads.</param>
/// <param name="Consumers">Consuming threads.</param>
/// <param name="SlotCount">Slots of the ring.</param>
/// <param name="Batch">The largest batch; the sizes are random up to it.</param>
/// <param name="Pages">Pages that each producer sends.</param>
/// <param name="Wait">How the ring waits.</param>
/// <param name="PatienceSeconds">How long nothing may move before the ring is said to stand still.</param>
internal sealed record FlipStressOptions(
    int Producers, int Consumers, int SlotCount, int Batch, long Pages, RingWait Wait = RingWait.Adaptive,
    int PatienceSeconds = 30);

/// <summary>
/// Threads of two domains exchange frames through one ring. Whoever owns a frame writes all its words, each telling the
/// frame, the writer and a stamp, and whoever gets it checks them all: a frame that somebody else still writes, or that
/// two own, or whose bytes came later than it did, is found by its words.
/// </summary>
/// <remarks>
/// Pages are 512 bytes, so that the ring is under stress and not the memory. The ring has a ledger, which every change
/// of hands must agree with; at the end every page has come exactly once and every frame is in one place.
/// </remarks>
internal sealed class FlipRingStress<TThreads> where TThreads : struct, IRingThreads
{
    private const int WordsPerPage = 64;
    private const ushort Producer = 1;
    private const ushort Consumer = 2;

    private readonly FlipStressOptions _options;
    private readonly FlipRing<TThreads> _ring;
    private readonly NativeArray<ulong> _words;
    private readonly CancellationToken _deadline;
    private readonly long[] _sums;
    private readonly long[] _counts;
    private long _taken;
    private string? _failure;

    private FlipRingStress(
        FlipStressOptions options, FlipRing<TThreads> ring, NativeArray<ulong> words, CancellationToken deadline)
    {
        _options = options;
        _ring = ring;
        _words = words;
        _deadline = deadline;
        _sums = new long[options.Producers];
        _counts = new long[options.Producers];
    }

    /// <summary>Runs the threads to their end.</summary>
    /// <returns>What went wrong first, or null.</returns>
    internal static string? Run(FlipStressOptions options, int seed, CancellationToken deadline, bool ledger = true)
    {
        MemoryMeter meter = new();
        uint framesEach = (uint)(options.SlotCount + (2 * options.Batch));
        int threads = options.Producers + options.Consumers;
        uint frameMax = framesEach * (uint)threads;
        string? failure;
        using (FrameLedger owners = new(frameMax, meter))
        using (NativeColumn<ulong> words = new("stress pages", (frameMax + 1) * WordsPerPage, meter))
        {
            words.EnsureLengthExact(words.LengthMax);
            FlipRing<TThreads> ring = new(
                new FlipRingOptions
                {
                    Producer = Producer,
                    Consumer = Consumer,
                    SlotCount = options.SlotCount,
                    Wait = options.Wait,
                    Ledger = ledger ? owners : null,
                },
                meter);
            FlipRingStress<TThreads> stress = new(options, ring, words.View, deadline);
            failure = stress.RunThreads(owners, framesEach, seed);
            FrameId[] left = new FrameId[options.SlotCount];
            if (failure is null && ring.Close(left, out int untaken) >= 0 && untaken != 0)
                failure = $"{untaken} pages were not taken";
            // A ring that is broken may hold anything: its memory goes, whatever it says of its frames.
            if (failure is not null) Abandon(ring, left);
            ring.Dispose();
        }

        Assert.That(meter.OutstandingBytes, Is.Zero);
        return failure;
    }

    private static void Abandon(FlipRing<TThreads> ring, FrameId[] left)
    {
        try
        {
            ring.Close(left, out _);
        }
        catch (Exception failure) when (failure is InvariantException or InvalidOperationException)
        {
            ring.Forget();
        }
    }

    private string? RunThreads(FrameLedger owners, uint framesEach, int seed)
    {
        int threads = _options.Producers + _options.Consumers;
        Queue<FrameId>[] hands = new Queue<FrameId>[threads];
        Thread[] workers = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            int number = i;
            bool produces = i < _options.Producers;
            uint first = ((uint)i * framesEach) + 1;
            hands[i] = new Queue<FrameId>();
            for (uint frame = first; frame < first + framesEach; frame++)
            {
                hands[i].Enqueue(new FrameId(frame));
                owners.Give(new FrameId(frame), produces ? Producer : Consumer);
            }

            workers[i] = new Thread(() => Guard(() =>
            {
                Random random = new(seed + number);
                if (produces) Produce(number, hands[number], random);
                else Consume(hands[number], random);
            }));
        }

        foreach (Thread worker in workers) worker.Start();
        foreach (Thread worker in workers) worker.Join();
        if (_failure is not null) return _failure;
        try
        {
            _ring.Validate();
        }
        catch (InvariantException failure)
        {
            return failure.Message;
        }

        for (int i = 0; i < _options.Producers; i++)
        {
            long pages = _options.Pages;
            if (_counts[i] != pages || _sums[i] != pages * (pages - 1) / 2)
                return $"producer {i} sent {pages} pages, {_counts[i]} came, stamps sum to {_sums[i]}";
        }

        List<FrameId> all = [.. hands.SelectMany(hand => hand)];
        int inRing = _ring.FullCount + _ring.ReturnedCount;
        if (all.Count + inRing != threads * framesEach) return $"{all.Count} frames in hands and {inRing} in the ring";
        return all.Distinct().Count() == all.Count ? null : "two hands hold one frame";
    }

    private void Guard(Action run)
    {
        try
        {
            run();
        }
        catch (Exception failure)
        {
            Fail(failure.Message);
        }
    }

    private void Fail(string failure) => Interlocked.CompareExchange(ref _failure, failure, null);

    private bool IsOver => _deadline.IsCancellationRequested || Volatile.Read(ref _failure) is not null;

    private void Produce(int number, Queue<FrameId> hand, Random random)
    {
        FlipPage[] pages = new FlipPage[_options.Batch];
        FrameId[] returned = new FrameId[_options.Batch];
        long sent = 0;
        long taken = 0;
        long moved = Stopwatch.GetTimestamp();
        while (sent < _options.Pages && !IsOver)
        {
            int batch = (int)Math.Min(random.Next(1, _options.Batch + 1), Math.Min(_options.Pages - sent, hand.Count));
            if (batch == 0 || random.Next(64) == 0) CollectInto(hand, returned);
            for (int i = 0; i < batch; i++)
            {
                FrameId frame = hand.Dequeue();
                Write(frame, Stamp(number, sent + i));
                pages[i] = new FlipPage(frame, WordsPerPage * 8, (uint)(sent + i), Consumer);
            }

            int done = 0;
            while (done < batch && !IsOver)
            {
                int count = _ring.TryPublish(pages.AsSpan(done, batch - done), returned, out int back);
                foreach (FrameId frame in returned.AsSpan(0, back)) TakeBack(frame, hand);
                done += count;
                if (count == 0) _ring.WaitToPublish(TimeSpan.FromMilliseconds(100));
                // On a busy machine one thread may have bad luck for long; a ring that stands still has none to give.
                if (count > 0 || Interlocked.Read(ref _taken) != taken) moved = Stopwatch.GetTimestamp();
                taken = Interlocked.Read(ref _taken);
                if (Stopwatch.GetElapsedTime(moved).TotalSeconds > _options.PatienceSeconds) Fail($"the ring stands still at page {taken}");
            }

            // What did not go is still in this hand.
            for (int i = done; i < batch; i++) hand.Enqueue(pages[i].Frame);
            sent += done;
        }
    }

    private void CollectInto(Queue<FrameId> hand, FrameId[] returned)
    {
        int count = _ring.Collect(returned);
        foreach (FrameId frame in returned.AsSpan(0, count)) TakeBack(frame, hand);
    }

    private void Consume(Queue<FrameId> hand, Random random)
    {
        FlipPage[] pages = new FlipPage[_options.Batch];
        FrameId[] free = new FrameId[_options.Batch];
        long total = _options.Pages * _options.Producers;
        while (Interlocked.Read(ref _taken) < total && !IsOver)
        {
            int batch = random.Next(1, _options.Batch + 1);
            for (int i = 0; i < batch; i++)
            {
                free[i] = hand.Dequeue();
                Write(free[i], 0);
            }

            int count = _ring.TryFlip(free.AsSpan(0, batch), pages);
            for (int i = count; i < batch; i++) hand.Enqueue(free[i]);
            for (int i = 0; i < count; i++) Check(pages[i]);
            for (int i = 0; i < count; i++) hand.Enqueue(pages[i].Frame);
            if (count > 0) Interlocked.Add(ref _taken, count);
            else _ring.WaitToFlip(TimeSpan.FromMilliseconds(20));
        }
    }

    private static ulong Stamp(int producer, long number) => ((ulong)producer << 56) | (ulong)(number + 1);

    private void Write(FrameId frame, ulong stamp)
    {
        ulong first = frame.Value * (ulong)WordsPerPage;
        for (ulong i = 0; i < WordsPerPage; i++) _words[first + i] = Word(frame, stamp, i);
    }

    // Spread by a multiplication, so that no mixture of two pages looks like one.
    private static ulong Word(FrameId frame, ulong stamp, ulong index) =>
        (stamp ^ ((ulong)frame.Value << 32)) * 0x9E3779B97F4A7C15 + index;

    private void Check(FlipPage page)
    {
        ulong first = page.Frame.Value * (ulong)WordsPerPage;
        // The multiplier is odd, so the stamp can be had back from the first word.
        ulong stamp = (_words[first] * 0xF1DE83E19937733D) ^ ((ulong)page.Frame.Value << 32);
        long number = (long)(stamp & ((1UL << 56) - 1)) - 1;
        int producer = (int)(stamp >> 56);
        if (producer >= _options.Producers || number < 0 || (uint)number != page.UserBits)
        {
            Fail($"{page.Frame} came as page {page.UserBits} and holds page {number} of producer {producer}");
            return;
        }

        for (ulong i = 0; i < WordsPerPage; i++)
            if (_words[first + i] != Word(page.Frame, stamp, i)) Fail($"{page.Frame}: word {i} is somebody else's");
        // From here on it is this domain's: whoever still writes a page into it is seen by the next check.
        Write(page.Frame, 0);
        Interlocked.Add(ref _sums[producer], number);
        Interlocked.Increment(ref _counts[producer]);
    }

    private void TakeBack(FrameId frame, Queue<FrameId> hand)
    {
        if (frame.IsNone)
        {
            Fail("no frame came back");
            return;
        }

        ulong first = frame.Value * (ulong)WordsPerPage;
        for (ulong i = 0; i < WordsPerPage; i++)
            if (_words[first + i] != Word(frame, 0, i)) Fail($"free {frame}: word {i} is somebody else's");
        hand.Enqueue(frame);
    }
}
