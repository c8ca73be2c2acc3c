// SPDX-License-Identifier: MIT
using PerfCache.Simulation.Engine;

namespace PerfCache.Tests.Simulation.Engine;

/// <summary>The order of virtual time, against a list that is sorted anew for every step.</summary>
[TestFixture]
public sealed class EventQueueTests
{
    private sealed class Recorder : IEventTarget
    {
        public List<(long NowNanos, int Kind, long Argument)> Seen { get; } = [];

        public void Handle(long nowNanos, int kind, long argument) => Seen.Add((nowNanos, kind, argument));
    }

    private sealed class Chain(EventQueue queue, long stepNanos) : IEventTarget
    {
        public void Handle(long nowNanos, int kind, long argument) => queue.ScheduleAfter(stepNanos, this);
    }

    [Test]
    public void Equal_times_run_in_the_order_of_scheduling()
    {
        EventQueue queue = new();
        Recorder recorder = new();
        for (int i = 0; i < 100; i++) queue.Schedule(i % 3, recorder, kind: 7, argument: i);
        Assert.That(queue.RunAll(1000), Is.EqualTo(100));
        Assert.That(recorder.Seen, Is.EqualTo(
            Enumerable.Range(0, 100).OrderBy(i => i % 3).ThenBy(i => i).Select(i => ((long)(i % 3), 7, (long)i))));
    }

    [Test]
    public void A_cancelled_event_does_not_run_and_its_ticket_is_worth_nothing()
    {
        EventQueue queue = new();
        Recorder recorder = new();
        EventTicket first = queue.Schedule(10, recorder, 1);
        queue.Schedule(20, recorder, 2);
        Assert.That(queue.Cancel(first), Is.True);
        Assert.That(queue.Cancel(first), Is.False);
        EventTicket reused = queue.Schedule(5, recorder, 3); // takes the slot of the first
        Assert.That(queue.IsPending(first), Is.False);
        Assert.That(queue.Cancel(first), Is.False);
        Assert.That(queue.IsPending(reused), Is.True);
        Assert.That(queue.Cancel(default), Is.False);
        queue.RunAll(10);
        Assert.That(recorder.Seen.Select(seen => seen.Kind), Is.EqualTo(new[] { 3, 2 }));
        Assert.That(queue.IsPending(reused), Is.False);
    }

    [Test]
    public void Running_until_a_time_includes_it_and_ends_there()
    {
        EventQueue queue = new();
        Recorder recorder = new();
        foreach (long at in new long[] { 30, 10, 20, 21 }) queue.Schedule(at, recorder);
        Assert.That(queue.RunUntil(20), Is.EqualTo(2));
        Assert.That(queue.NowNanos, Is.EqualTo(20));
        Assert.That(queue.RunUntil(25), Is.EqualTo(1));
        Assert.That((queue.NowNanos, queue.Count, queue.EventsRun), Is.EqualTo((25L, 1, 3L)));
        Assert.That(() => queue.Schedule(24, recorder), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void A_model_that_never_ends_is_stopped_at_the_bound()
    {
        EventQueue queue = new();
        queue.Schedule(0, new Chain(queue, 5));
        Assert.That(() => queue.RunAll(1000),
            Throws.InvalidOperationException.With.Message.EqualTo("1 events are left after 1000 were run"));
        Assert.That(queue.NowNanos, Is.EqualTo(999 * 5));
    }

    // A timer that is armed again and again (a suspension of 3 s, say) must not fill the heap with what it was.
    [Test]
    public void A_timer_armed_a_million_times_takes_no_memory()
    {
        EventQueue queue = new();
        Recorder recorder = new();
        EventTicket timer = queue.Schedule(1_000_000, recorder);
        for (int i = 1; i <= 1_000_000; i++)
        {
            queue.Cancel(timer);
            timer = queue.Schedule(1_000_000 + i, recorder);
        }

        Assert.That(queue.KeyCount, Is.LessThan(200));
        Assert.That(queue.RunAll(10), Is.EqualTo(1));
        Assert.That(recorder.Seen, Is.EqualTo(new[] { (2_000_000L, 0, 0L) }));
    }

    [Test]
    public void Scheduling_and_running_allocate_nothing_once_grown()
    {
        EventQueue queue = new();
        Chain chain = new(queue, 3);
        for (int i = 0; i < 50; i++) queue.Schedule(i, chain);
        queue.RunUntil(10_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        queue.RunUntil(1_000_000);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    // Goal: any mixture of scheduling, cancelling and running gives what a sorted list gives, and the invariants
    // hold after each step. Method: a seeded model test; few distinct times, so that ties are common.
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void It_agrees_with_a_sorted_list(int seed)
    {
        Random random = TestSeed.Random(seed);
        EventQueue queue = new();
        Recorder recorder = new();
        List<(long At, long Number, EventTicket Ticket)> list = [];
        List<(long, int, long)> expected = [];
        long number = 0;
        for (int step = 0; step < 20_000; step++)
        {
            int choice = random.Next(10);
            if (choice < 5)
            {
                long at = queue.NowNanos + random.Next(20);
                list.Add((at, number, queue.Schedule(at, recorder, step, number)));
                expected.Capacity = Math.Max(expected.Capacity, list.Count);
                number++;
            }
            else if (choice < 7 && list.Count > 0)
            {
                int victim = random.Next(list.Count);
                Assert.That(queue.Cancel(list[victim].Ticket), Is.True);
                list.RemoveAt(victim);
            }
            else
            {
                Assert.That(queue.RunNext(), Is.EqualTo(list.Count > 0));
                if (list.Count > 0)
                {
                    var next = list.MinBy(one => (one.At, one.Number));
                    list.Remove(next);
                    Assert.That(recorder.Seen[^1].Argument, Is.EqualTo(next.Number));
                    Assert.That(queue.NowNanos, Is.EqualTo(next.At));
                }
            }

            Assert.That(queue.Count, Is.EqualTo(list.Count));
            queue.Validate();
        }
    }

    [Test]
    public void Streams_of_one_seed_are_told_apart_by_name_only()
    {
        SeedStreams streams = new(42);
        var first = streams.Stream("sizes");
        var again = streams.Stream("sizes");
        var other = streams.Stream("arrivals");
        var otherSeed = new SeedStreams(43).Stream("sizes");
        ulong value = first.Next();
        Assert.That(again.Next(), Is.EqualTo(value));
        Assert.That(other.Next(), Is.Not.EqualTo(value));
        Assert.That(otherSeed.Next(), Is.Not.EqualTo(value));
    }
}
