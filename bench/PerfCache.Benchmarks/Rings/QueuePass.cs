// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using System.Threading.Channels;
using PerfCache.Flip;
using PerfCache.Memory;

namespace PerfCache.Benchmarks.Rings;

/// <summary>A bounded queue of 8-byte numbers as a pass sees it. A struct, so that its calls are inlined.</summary>
internal interface INumberQueue
{
    /// <summary>Puts in as many of the numbers as fit.</summary>
    int Put(ReadOnlySpan<ulong> numbers);

    /// <summary>Takes out as many as there are and fit.</summary>
    int Take(Span<ulong> numbers);

    /// <summary>Puts one in, if it fits.</summary>
    bool PutOne(ulong number);

    /// <summary>Takes one out, if there is one.</summary>
    bool TakeOne(out ulong number);
}

/// <summary>Our ring.</summary>
internal readonly struct RingQueue<TThreads>(ValueRing<ulong, TThreads> ring) : INumberQueue
    where TThreads : struct, IRingThreads
{
    public int Put(ReadOnlySpan<ulong> numbers) => ring.TryEnqueue(numbers);

    public int Take(Span<ulong> numbers) => ring.TryDequeue(numbers);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool PutOne(ulong number) => ring.TryEnqueue(number);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TakeOne(out ulong number) => ring.TryDequeue(out number);
}

/// <summary>A bounded channel with one reader and one writer. It has no bulk operation.</summary>
internal readonly struct ChannelQueue(Channel<ulong> channel) : INumberQueue
{
    internal static Channel<ulong> Make() => Channel.CreateBounded<ulong>(
        new BoundedChannelOptions(QueueRace.SlotCount) { SingleReader = true, SingleWriter = true });

    public int Put(ReadOnlySpan<ulong> numbers)
    {
        int count = 0;
        while (count < numbers.Length && channel.Writer.TryWrite(numbers[count])) count++;
        return count;
    }

    public int Take(Span<ulong> numbers)
    {
        int count = 0;
        while (count < numbers.Length && channel.Reader.TryRead(out numbers[count])) count++;
        return count;
    }

    public bool PutOne(ulong number) => channel.Writer.TryWrite(number);

    public bool TakeOne(out ulong number) => channel.Reader.TryRead(out number);
}

/// <summary>A concurrent queue, which has no bound: the producer looks at its count before each burst.</summary>
internal readonly struct ConcurrentNumberQueue(ConcurrentQueue<ulong> queue) : INumberQueue
{
    public int Put(ReadOnlySpan<ulong> numbers)
    {
        if (queue.Count + numbers.Length > QueueRace.SlotCount) return 0;
        foreach (ulong number in numbers) queue.Enqueue(number);
        return numbers.Length;
    }

    public int Take(Span<ulong> numbers)
    {
        int count = 0;
        while (count < numbers.Length && queue.TryDequeue(out numbers[count])) count++;
        return count;
    }

    public bool PutOne(ulong number)
    {
        if (queue.Count >= QueueRace.SlotCount) return false;
        queue.Enqueue(number);
        return true;
    }

    public bool TakeOne(out ulong number) => queue.TryDequeue(out number);
}

/// <summary>Passes numbers from one core to another, as native/baselines/ring_floor.c does, and checks their sum.</summary>
internal static class QueueRace
{
    /// <summary>Slots of every queue.</summary>
    internal const int SlotCount = 1024;

    /// <summary>PAUSE instructions of a side that cannot go on, in C# and in C: the wait mode of all these figures.
    /// </summary>
    internal const int Pauses = 16;

    /// <summary>Nanoseconds an element through a ring of ours.</summary>
    internal static double Ring<TThreads>(Cores cores, RingWait wait, int burst, long count)
        where TThreads : struct, IRingThreads
    {
        using ValueRing<ulong, TThreads> ring = new(SlotCount, MemoryMeter.Process, wait);
        return Run(new RingQueue<TThreads>(ring), cores, burst, count);
    }

    /// <summary>Nanoseconds an element.</summary>
    internal static double Run<TQueue>(TQueue queue, Cores cores, int burst, long count)
        where TQueue : struct, INumberQueue
    {
        long sum = 0;
        double nanos = cores.Race(() => Produce(queue, burst, count), () => sum = Consume(queue, burst, count));
        if (sum != count * (count - 1) / 2) throw new InvalidOperationException($"{typeof(TQueue).Name}: wrong sum");
        return nanos / count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Pause()
    {
        Cores.CheckOther();
        if (X86Base.IsSupported)
        {
            for (int i = 0; i < Pauses; i++) X86Base.Pause();
        }
        else
        {
            Thread.SpinWait(1);
        }
    }

    private static void Produce<TQueue>(TQueue queue, int burst, long count) where TQueue : struct, INumberQueue
    {
        if (burst == 1)
        {
            for (long sent = 0; sent < count; sent++)
                while (!queue.PutOne((ulong)sent)) Pause();
            return;
        }

        Span<ulong> numbers = new ulong[burst];
        for (long sent = 0; sent < count;)
        {
            int want = (int)Math.Min(burst, count - sent);
            for (int i = 0; i < want; i++) numbers[i] = (ulong)(sent + i);
            for (int done = 0; done < want;)
            {
                int put = queue.Put(numbers[done..want]);
                done += put;
                if (put == 0) Pause();
            }

            sent += want;
        }
    }

    private static long Consume<TQueue>(TQueue queue, int burst, long count) where TQueue : struct, INumberQueue
    {
        ulong sum = 0;
        if (burst == 1)
        {
            for (long taken = 0; taken < count; taken++)
            {
                ulong number;
                while (!queue.TakeOne(out number)) Pause();
                sum += number;
            }

            return (long)sum;
        }

        Span<ulong> numbers = new ulong[burst];
        for (long taken = 0; taken < count;)
        {
            int got = queue.Take(numbers);
            for (int i = 0; i < got; i++) sum += numbers[i];
            taken += got;
            if (got == 0) Pause();
        }

        return (long)sum;
    }
}
