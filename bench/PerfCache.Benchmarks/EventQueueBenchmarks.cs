// SPDX-License-Identifier: MIT
using BenchmarkDotNet.Attributes;
using PerfCache.Simulation.Engine;

namespace PerfCache.Benchmarks;

/// <summary>
/// What does one event of virtual time cost when so many are scheduled? Each event schedules the next of its
/// kind some pseudo-random time later, which is what models do most. The rival is the library's priority
/// queue with the same keys, which knows no cancelling and no slots.
/// </summary>
[MedianColumn]
public class EventQueueBenchmarks : IEventTarget
{
    private const int Steps = 100_000;

    private readonly PriorityQueue<int, (long AtNanos, long Sequence)> _rival = new();
    private EventQueue _queue = new();
    private ulong _state;
    private long _sequence;

    [Params(16, 1_000, 100_000)]
    public int Pending { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _queue = new EventQueue();
        _rival.Clear();
        for (int i = 0; i < Pending; i++)
        {
            _queue.Schedule(Delay(), this, i);
            _rival.Enqueue(i, (Delay(), ++_sequence));
        }
    }

    public void Handle(long nowNanos, int kind, long argument) => _queue.Schedule(nowNanos + Delay(), this, kind);

    [Benchmark(OperationsPerInvoke = Steps)]
    public long OurQueue()
    {
        for (int i = 0; i < Steps; i++) _queue.RunNext();
        return _queue.NowNanos;
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Steps)]
    public long LibraryPriorityQueue()
    {
        long now = 0;
        for (int i = 0; i < Steps; i++)
        {
            _rival.TryDequeue(out int kind, out (long AtNanos, long Sequence) key);
            now = key.AtNanos;
            _rival.Enqueue(kind, (now + Delay(), ++_sequence));
        }

        return now;
    }

    private long Delay()
    {
        _state = unchecked(_state * 6364136223846793005 + 1442695040888963407);
        return (long)(_state >> 44);
    }
}
