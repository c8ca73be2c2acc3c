// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>One thing taken out of the way threads enter and leave the lock of a cache.</summary>
internal enum CacheLockFault
{
    None,
    K1IsALoadAndAStore,
    K1IsLeftOutAtTheGate,
    K2ReleasesNothing,
    K2ComesBeforeTheMark,
    TheMarkStays,
    G3IsMissing,
    TheGateIsKeptAfterAFailure,
}

/// <summary>
/// Goal: one thread at most is in, all come in, and all is free at the end. Method: every interleaving of two or three
/// threads that each add to a counter which only the lock protects, whole and with one thing taken out. Labels are those of
/// CacheLock.
/// </summary>
[TestFixture]
internal sealed class CacheLockModelTests
{
    [Test]
    public void EverybodyComesInAloneAndAllIsFreeAtTheEnd(
        [Values(2, 3)] int threads, [Values(0u, 1u, 2u)] uint crowded, [Values] MachineKind kind)
    {
        Exploration exploration = Explore(threads, crowded, CacheLockFault.None, kind);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Holds), exploration.ToString());
    }

    [TestCase(2, 0u, CacheLockFault.K1IsALoadAndAStore, MachineKind.TotalStoreOrder, "M1")]
    [TestCase(2, 0u, CacheLockFault.K1IsLeftOutAtTheGate, MachineKind.TotalStoreOrder, "M2")]
    [TestCase(2, 0u, CacheLockFault.K2ReleasesNothing, MachineKind.Weak, "M1")]
    [TestCase(2, 1u, CacheLockFault.K2ComesBeforeTheMark, MachineKind.TotalStoreOrder, "M2")]
    [TestCase(2, 1u, CacheLockFault.TheMarkStays, MachineKind.TotalStoreOrder, "M2")]
    [TestCase(2, 0u, CacheLockFault.G3IsMissing, MachineKind.TotalStoreOrder, "M3")]
    [TestCase(3, 1u, CacheLockFault.TheGateIsKeptAfterAFailure, MachineKind.TotalStoreOrder, "deadlock")]
    public void WithoutItSomethingBreaks(
        int threads, uint crowded, CacheLockFault fault, MachineKind kind, string what)
    {
        Exploration exploration = Explore(threads, crowded, fault, kind);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Broken), exploration.ToString());
        Assert.That(exploration.Failure, Does.Contain(what));
    }

    private static Exploration Explore(int threads, uint crowded, CacheLockFault fault, MachineKind kind)
    {
        StepwiseModel model = new($"{threads} threads, crowded {crowded} ({fault}, {kind})");
        Words words = new(
            model.Word("word"), model.Word("gate"), model.Word("crowded", crowded), model.Word("through gate"),
            model.Word("counter"));
        for (int i = 0; i < threads; i++) AddThread(model, fault, i, words);
        ulong sum = (ulong)threads;
        model.AtEnd("M3: the gate is free", world => world[words.Gate] == 0);
        model.AtEnd("M3: the word is free", world => world[words.Word] == 0 && world[words.ThroughGate] == 0);
        model.AtEnd("M1: no addition is lost", world => world[words.Counter] == sum);
        Exploration exploration = StepwiseExplorer.Explore(model, kind);
        TestContext.Out.WriteLine(exploration);
        return exploration;
    }

    private static void AddThread(StepwiseModel model, CacheLockFault fault, int number, Words words)
    {
        StepwiseThread thread = model.Thread($"thread {number}");
        ulong me = (ulong)number + 1;
        Register crowded = thread.Register("crowded");
        Register found = thread.Register("found");
        Register counter = thread.Register("counter");
        Register through = thread.Register("through");
        // TryEnter.
        thread.Load("crowded?", words.Crowded, crowded);
        thread.Branch(registers => registers[crowded] != 0, "crowded");
        Take("K1: calm");
        thread.Branch(registers => registers[found] == 0, "in");
        thread.GoTo("wait");
        // TryEnterCrowded.
        thread.Target("crowded");
        thread.CompareExchange("try the gate", words.Gate, _ => 0, _ => me, found);
        thread.Branch(registers => registers[found] != 0, "wait");
        Take("K1: crowded");
        thread.Branch(registers => registers[found] == 0, "through, one turn less");
        if (fault != CacheLockFault.TheGateIsKeptAfterAFailure)
            thread.Store("leave the gate again", words.Gate, 0, Ordering.Release);
        // EnterThroughGate.
        thread.Target("wait");
        thread.Await("G1: wait for the gate", words.Gate, value => value == 0);
        thread.CompareExchange("G1: enter the gate", words.Gate, _ => 0, _ => me, found);
        thread.Branch(registers => registers[found] != 0, "wait");
        thread.Store("G2: crowded", words.Crowded, 2);
        thread.Target("poll");
        if (fault != CacheLockFault.K1IsLeftOutAtTheGate)
        {
            thread.Await("poll the word", words.Word, value => value == 0);
            Take("K1: polled");
            thread.Branch(registers => registers[found] != 0, "poll");
        }

        thread.GoTo("through");
        thread.Target("through, one turn less");
        thread.Load("how crowded", words.Crowded, crowded);
        thread.Store("one turn less", words.Crowded, registers => Math.Max(1, registers[crowded]) - 1);
        thread.Target("through");
        thread.Store("mark: through the gate", words.ThroughGate, 1);
        thread.Target("in");
        thread.Load("add: load", words.Counter, counter);
        thread.Store("add: store", words.Counter, registers => registers[counter] + 1);
        // Exit.
        thread.Load("came through the gate?", words.ThroughGate, through);
        thread.Branch(registers => registers[through] != 0, "leave by the gate");
        Leave();
        thread.GoTo("end");
        thread.Target("leave by the gate");
        Register gate = thread.Register("gate");
        thread.Load("who holds the gate?", words.Gate, gate);
        thread.Check("M2: the gate is held by who leaves it", registers => registers[gate] == me);
        if (fault == CacheLockFault.K2ComesBeforeTheMark) Leave();
        if (fault != CacheLockFault.TheMarkStays) thread.Store("take the mark back", words.ThroughGate, 0);
        if (fault != CacheLockFault.K2ComesBeforeTheMark) Leave();
        if (fault != CacheLockFault.G3IsMissing) thread.Store("G3: leave the gate", words.Gate, 0, Ordering.Release);
        thread.Target("end");

        void Take(string label)
        {
            if (fault == CacheLockFault.K1IsALoadAndAStore)
            {
                string skip = $"taken {thread.Steps.Count}";
                thread.Load(label, words.Word, found);
                thread.Branch(registers => registers[found] != 0, skip);
                thread.Store(label, words.Word, 1);
                thread.Target(skip);
                return;
            }

            thread.CompareExchange(label, words.Word, _ => 0, _ => 1, found);
        }

        void Leave() => thread.Store(
            "K2: leave", words.Word, 0, fault == CacheLockFault.K2ReleasesNothing ? Ordering.Plain : Ordering.Release);
    }

    /// <summary>What the threads share.</summary>
    private sealed record Words(Word Word, Word Gate, Word Crowded, Word ThroughGate, Word Counter);
}
