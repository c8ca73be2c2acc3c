// SPDX-License-Identifier: MIT
using PerfCache.Numa;

namespace PerfCache.Tests.Core.Numa;

/// <summary>The rate, the budget and the pauses of moves, with the time handed in.</summary>
internal sealed class MovePacerTests
{
    private const long Second = TimeSpan.TicksPerSecond;
    private const long Mebibyte = 1 << 20;

    [Test]
    public void Without_limits_nothing_waits()
    {
        MovePacer pacer = new(new MoveLimits());
        for (int batch = 0; batch < 10; batch++)
        {
            Assert.That(pacer.Wait(0, 1L << 40).Ticks, Is.Zero);
            pacer.Done(0, 1L << 40, hasFailed: false);
        }
    }

    [Test]
    public void On_average_the_rate_holds_and_idle_time_is_not_saved_up()
    {
        // 10 MiB/s in batches of 1 to 8 MiB, with an idle hour in between: over any stretch that begins with a batch, no
        // more than the rate and one batch.
        Random random = TestSeed.Random(5);
        MovePacer pacer = new(new MoveLimits { BytesPerSecond = 10 * Mebibyte });
        List<(long Time, long Bytes)> moved = [];
        long now = 0;
        for (int batch = 0; batch < 200; batch++)
        {
            if (batch == 100) now += 3600 * Second;
            long bytes = random.Next(1, 9) * Mebibyte;
            long wait = pacer.Wait(now, bytes).Ticks;
            now += wait;
            Assert.That(pacer.Wait(now, bytes).Ticks, Is.Zero, "after the wait it goes");
            pacer.Done(now, bytes, hasFailed: false);
            moved.Add((now, bytes));
        }

        for (int first = 0; first < moved.Count; first++)
        {
            long sum = 0;
            for (int last = first; last < moved.Count; last++)
            {
                sum += moved[last].Bytes;
                long allowed = (moved[last].Time - moved[first].Time) * 10 * Mebibyte / Second;
                Assert.That(sum, Is.LessThanOrEqualTo(allowed + moved[last].Bytes + 1));
            }
        }

        Assert.That(moved[99].Time, Is.GreaterThan(99 * 4 * Second / 10), "it does use the limit");
    }

    [Test]
    public void A_budget_holds_in_every_period_and_what_does_not_fit_waits_for_the_next()
    {
        MovePacer pacer = new(new MoveLimits { BudgetBytes = 10 * Mebibyte, Period = TimeSpan.FromSeconds(2) });
        Dictionary<long, long> bytesInPeriod = [];
        long now = 0;
        for (int batch = 0; batch < 50; batch++)
        {
            now += pacer.Wait(now, 4 * Mebibyte).Ticks;
            pacer.Done(now, 4 * Mebibyte, hasFailed: false);
            bytesInPeriod[now / (2 * Second)] = bytesInPeriod.GetValueOrDefault(now / (2 * Second)) + 4 * Mebibyte;
            now += Second / 10;
        }

        Assert.That(bytesInPeriod.Values, Is.All.LessThanOrEqualTo(10 * Mebibyte));
        Assert.That(bytesInPeriod.Values, Has.Some.EqualTo(8 * Mebibyte));
    }

    [Test]
    public void Pauses_double_while_batches_fail_up_to_a_limit_and_end_with_the_first_that_does_not()
    {
        MovePacer pacer = new(new MoveLimits
        {
            BackOffLeast = TimeSpan.FromMilliseconds(10),
            BackOffMost = TimeSpan.FromMilliseconds(50),
        });
        List<double> pauses = [];
        for (int batch = 0; batch < 6; batch++)
        {
            pacer.Done(0, 0, hasFailed: batch < 5);
            (long ticks, MovePacer.Reason reason) = pacer.Wait(0, 1);
            pauses.Add(new TimeSpan(ticks).TotalMilliseconds);
            Assert.That(reason, Is.EqualTo(batch < 5 ? MovePacer.Reason.BackOff : MovePacer.Reason.None));
        }

        Assert.That(pauses, Is.EqualTo(new double[] { 10, 20, 40, 50, 50, 0 }));
    }

    [Test]
    public void Limits_that_make_no_sense_are_refused()
    {
        Assert.Multiple(() =>
        {
            Refuses(new MoveLimits { BatchPages = 511 }, "BatchPages");
            Refuses(new MoveLimits { BatchBytes = 4096 }, "BatchBytes");
            Refuses(new MoveLimits { BytesPerSecond = 0 }, "BytesPerSecond");
            Refuses(new MoveLimits { BudgetBytes = 4096 }, "BudgetBytes");
            Refuses(new MoveLimits { Period = TimeSpan.Zero }, "Period");
            Refuses(new MoveLimits { RetriesMax = -1 }, "RetriesMax");
            Refuses(new MoveLimits { BackOffMost = TimeSpan.Zero }, "BackOffMost");
        });
    }

    private static void Refuses(MoveLimits limits, string name) =>
        Assert.That(limits.Check, Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo(name));
}
