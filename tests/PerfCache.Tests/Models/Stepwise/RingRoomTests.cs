// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>One thing taken out of the way a ring's threads sleep and wake.</summary>
internal enum RingRoomFault
{
    None,
    W1ParkedIsNotCounted,
    W1ParkedIsALoadAndAStore,
    W2ProcessBarrierIsMissing,
    W3NobodyLooksAgain,
    W4LooksBeforeItTells,
    GateIsMissing,
}

/// <summary>
/// Goal: nobody sleeps over a published slot, though who publishes pays for no fence. Method: every interleaving of one
/// waking thread and one or two that park; a sleep that nobody ends is a deadlock. Labels are those of RingRooms.
/// </summary>
[TestFixture]
internal sealed class RingRoomTests
{
    [Test]
    public void NobodySleepsOverAWakeUp([Values(1, 2)] int sleepers, [Values] MachineKind kind) =>
        Assert.That(Explore(sleepers, RingRoomFault.None, kind).Outcome, Is.EqualTo(ExplorationOutcome.Holds));

    [TestCase(1, RingRoomFault.W1ParkedIsNotCounted, MachineKind.TotalStoreOrder)]
    [TestCase(2, RingRoomFault.W1ParkedIsALoadAndAStore, MachineKind.TotalStoreOrder)]
    [TestCase(1, RingRoomFault.W2ProcessBarrierIsMissing, MachineKind.TotalStoreOrder)]
    [TestCase(1, RingRoomFault.W2ProcessBarrierIsMissing, MachineKind.Weak)]
    [TestCase(1, RingRoomFault.W3NobodyLooksAgain, MachineKind.TotalStoreOrder)]
    [TestCase(1, RingRoomFault.W4LooksBeforeItTells, MachineKind.TotalStoreOrder)]
    [TestCase(1, RingRoomFault.GateIsMissing, MachineKind.TotalStoreOrder)]
    public void WithoutItSomebodyDoes(int sleepers, RingRoomFault fault, MachineKind kind)
    {
        Exploration exploration = Explore(sleepers, fault, kind);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Broken));
    }

    private static Exploration Explore(int sleepers, RingRoomFault fault, MachineKind kind)
    {
        StepwiseModel model = new($"{sleepers} sleepers ({fault}, {kind})");
        Word ready = model.Word("ready");
        Word parked = model.Word("parked");
        Word gate = model.Word("gate");
        Word[] asleep = [.. Enumerable.Range(0, sleepers).Select(i => model.Word($"asleep {i}"))];
        // With two, the first to come is never woken by name: it wakes by itself (a sleep is bounded) and goes.
        for (int i = 0; i < sleepers; i++) AddSleeper(model, fault, i, ready, parked, gate, asleep[i], leaves: i > 0);
        AddWaker(model, fault, ready, parked, gate, asleep);
        Exploration exploration = StepwiseExplorer.Explore(model, kind);
        TestContext.Out.WriteLine(exploration);
        return exploration;
    }

    private static void AddSleeper(
        StepwiseModel model, RingRoomFault fault, int number, Word ready, Word parked, Word gate, Word asleep, bool leaves)
    {
        StepwiseThread sleeper = model.Thread($"sleeper {number}");
        Register seen = sleeper.Register("seen");
        Count(1);
        if (fault != RingRoomFault.W2ProcessBarrierIsMissing) sleeper.ProcessBarrier("W2: everybody fences");
        // A sleeper that leaves gives up before it sleeps: its time was over.
        if (!leaves)
        {
            if (fault == RingRoomFault.GateIsMissing)
            {
                sleeper.Load("W3: look again", ready, seen, Ordering.Acquire);
                sleeper.Branch(registers => registers[seen] != 0, "awake");
                sleeper.Store("fall asleep", asleep, 1, Ordering.Release);
            }
            else
            {
                Enter(sleeper, gate);
                if (fault != RingRoomFault.W3NobodyLooksAgain)
                {
                    sleeper.Load("W3: look again", ready, seen, Ordering.Acquire);
                    sleeper.Branch(registers => registers[seen] != 0, "leave the gate");
                }

                sleeper.Store("fall asleep", asleep, 1);
                Leave(sleeper, gate);
            }

            sleeper.Await("sleep", asleep, value => value == 0);
            sleeper.GoTo("awake");
            sleeper.Target("leave the gate");
            if (fault != RingRoomFault.GateIsMissing) Leave(sleeper, gate);
            sleeper.Target("awake");
        }

        Count(unchecked((ulong)-1));

        void Count(ulong delta)
        {
            if (fault == RingRoomFault.W1ParkedIsNotCounted) return;
            if (fault == RingRoomFault.W1ParkedIsALoadAndAStore)
            {
                Register old = sleeper.Register("old");
                sleeper.Load("W1: load the parked", parked, old, Ordering.Acquire);
                sleeper.Store("W1: store one more", parked, registers => registers[old] + delta, Ordering.Release);
                return;
            }

            sleeper.Add("W1: count the parked", parked, delta, Ordering.AcquireRelease);
        }
    }

    private static void AddWaker(
        StepwiseModel model, RingRoomFault fault, Word ready, Word parked, Word gate, Word[] asleep)
    {
        StepwiseThread waker = model.Thread("waker");
        Register seen = waker.Register("seen");
        bool early = fault == RingRoomFault.W4LooksBeforeItTells;
        if (early) waker.Load("W4: anybody parked?", parked, seen, Ordering.Acquire);
        waker.Store("tell", ready, 1, Ordering.Release);
        if (!early) waker.Load("W4: anybody parked?", parked, seen, Ordering.Acquire);
        waker.Branch(registers => registers[seen] == 0, "end");
        if (fault != RingRoomFault.GateIsMissing) Enter(waker, gate);
        foreach (Word sleeper in asleep) waker.Store("wake", sleeper, 0);
        if (fault != RingRoomFault.GateIsMissing) Leave(waker, gate);
        waker.Target("end");
    }

    private static void Enter(StepwiseThread thread, Word gate)
    {
        Register found = thread.Register("gate");
        string again = $"gate {thread.Steps.Count}";
        thread.Target(again);
        thread.Await("wait for the gate", gate, value => value == 0);
        thread.CompareExchange("enter the gate", gate, _ => 0, _ => 1, found, Ordering.AcquireRelease);
        thread.Branch(registers => registers[found] != 0, again);
    }

    private static void Leave(StepwiseThread thread, Word gate) =>
        thread.Store("leave the gate", gate, 0, Ordering.Release);
}
