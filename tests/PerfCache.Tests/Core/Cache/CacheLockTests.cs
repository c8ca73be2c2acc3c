// SPDX-License-Identifier: MIT
using PerfCache.Cache;

namespace PerfCache.Tests.Core.Cache;

/// <summary>
/// Goal: the lock of a cache keeps others out in both moods, changes between them, and says so when it is entered twice.
/// Method: threads that add to plain variables under it, with owners that stay long now and then. All interleavings of few
/// threads are in CacheLockModelTests.
/// </summary>
[TestFixture]
internal sealed class CacheLockTests
{
    [Test]
    public void OneAtATimeInBothMoods([Values(2, 4, 8)] int threads, [Values(0, 7)] int tries)
    {
        const int Rounds = 60_000;
        CacheLock entered = new();
        // Two words that differ while somebody is in.
        long left = 0, right = 0, torn = 0, crowdedRounds = 0, failedTries = 0;
        Thread[] workers =
        [
            .. Enumerable.Range(0, threads).Select(number => new Thread(() =>
            {
                Random random = new(number);
                for (int round = 0; round < Rounds; round++)
                {
                    if (tries == 0 || random.Next(tries) != 0) entered.Enter();
                    else while (!entered.TryEnter()) Interlocked.Increment(ref failedTries);
                    if (left != right) torn++;
                    left++;
                    if (random.Next(1000) == 0) SpinWait.SpinUntil(static () => false, random.Next(2));
                    if (entered.IsCrowded) crowdedRounds++;
                    right++;
                    entered.Exit();
                }
            })),
        ];
        foreach (Thread worker in workers) worker.Start();
        foreach (Thread worker in workers) Assert.That(worker.Join(TimeSpan.FromMinutes(2)), "a thread is stuck");
        TestContext.Out.WriteLine($"{crowdedRounds} of {left} crowded, {failedTries} tries failed");
        Assert.Multiple(() =>
        {
            Assert.That(torn, Is.Zero);
            Assert.That(left, Is.EqualTo((long)threads * Rounds));
            Assert.That(right, Is.EqualTo(left));
            Assert.That(crowdedRounds, Is.GreaterThan(0), "nobody met anybody: the gate was not tested");
            Assert.That(entered.TryEnter(), "M3: free at the end");
        });
    }

    [Test]
    public void WhoFindsItTakenMakesItCrowdedForSomeTurns()
    {
        CacheLock entered = new();
        entered.Enter();
        Assert.That(OnAnotherThread(entered.TryEnter), Is.False);
        Assert.That(entered.IsCrowded, Is.False, "a try leaves no trace");
        Thread waiter = new(() =>
        {
            entered.Enter();
            entered.Exit();
        });
        waiter.Start();
        Assert.That(SpinWait.SpinUntil(() => entered.IsCrowded, TimeSpan.FromSeconds(30)));
        entered.Exit();
        Assert.That(waiter.Join(TimeSpan.FromSeconds(30)));
        int turns = 0;
        for (; entered.IsCrowded; turns++)
        {
            using (entered.EnterScope())
                if (turns % 1000 == 0) Assert.That(OnAnotherThread(entered.TryEnter), Is.False);
        }

        Assert.That(turns, Is.EqualTo(CacheLock.CrowdedTurns));
        entered.Enter();
        Assert.That(OnAnotherThread(entered.TryEnter), Is.False);
        entered.Exit();
        Assert.That(entered.TryEnter());
    }

    [Test]
    public void WhoComesAgainWhileInIsTold()
    {
        CacheLock entered = new(pollsMax: 40);
        entered.Enter();
#if DEBUG
        Assert.That(entered.Enter, Throws.InstanceOf<PerfCache.Memory.InvariantException>().With.Message.Contains("its own lock"));
#else
        Assert.That(entered.Enter, Throws.InvalidOperationException.With.Message.Contains("lock is not left"));
#endif
        // The first entry is as it was, and nobody was left at the gate.
        Assert.That(OnAnotherThread(entered.TryEnter), Is.False);
        entered.Exit();
        Assert.That(OnAnotherThread(entered.TryEnter));
    }

    private static bool OnAnotherThread(Func<bool> ask)
    {
        bool answer = false;
        Thread thread = new(() => answer = ask());
        thread.Start();
        Assert.That(thread.Join(TimeSpan.FromSeconds(30)), "a thread is stuck");
        return answer;
    }
}
