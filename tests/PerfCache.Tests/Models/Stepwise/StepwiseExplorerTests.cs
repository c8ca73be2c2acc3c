// SPDX-License-Identifier: MIT
namespace PerfCache.Tests.Models.Stepwise;

/// <summary>
/// Goal: the explorer ends, repeats itself, and says what went wrong so that a reader can follow it.
/// </summary>
[TestFixture]
internal sealed class StepwiseExplorerTests
{
    [Test]
    public void ATraceIsTheShortestWayToTheFailure()
    {
        StepwiseModel model = new("message passing");
        (Word data, Word flag) = (model.Word("data"), model.Word("flag"));
        StepwiseThread writer = model.Thread("writer"), reader = model.Thread("reader");
        writer.Store("P1: store the data", data, 1);
        writer.Store("P2: store the flag", flag, 1, Ordering.Release);
        (Register sawFlag, Register sawData) = (reader.Register("flag"), reader.Register("data"));
        reader.Load("R1: load the flag", flag, sawFlag);
        reader.Load("R2: load the data", data, sawData);
        reader.Check("the data is there", registers => registers[sawFlag] == 0 || registers[sawData] == 1);

        Exploration exploration = StepwiseExplorer.Explore(model);
        Assert.Multiple(() =>
        {
            Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Broken));
            Assert.That(exploration.Failure, Is.EqualTo("reader: the data is there"));
            Assert.That(exploration.Trace, Is.EqualTo(new[]
            {
                "writer  P1: store the data: data = 1 takes effect",
                "writer  P2: store the flag: flag = 1 takes effect",
                "reader  R1: load the flag: reads flag = 1",
                "reader  R2: load the data: reads data = 0, stale: now 1",
            }));
        });
    }

    [Test]
    public void TheSameModelGivesTheSameStatesAndTrace()
    {
        Exploration[] runs =
        [
            .. Enumerable.Range(0, 2).Select(_ => PageHitScenarios.Explore(
                PageHitScenario.CopyOut, PageHitMachine.WeakExchange, true, PageHitFault.C5ReadBarrierIsMissing)),
        ];
        Assert.That(runs[1].StateCount, Is.EqualTo(runs[0].StateCount));
        Assert.That(runs[1].Trace, Is.EqualTo(runs[0].Trace));
    }

    [Test]
    public void TwoLocksInOppositeOrderAreADeadlock()
    {
        StepwiseModel model = new("two locks");
        Word[] locks = [model.Word("left"), model.Word("right")];
        for (int first = 0; first < 2; first++)
        {
            StepwiseThread thread = model.Thread($"thread {first}");
            foreach (Word word in new[] { locks[first], locks[1 - first] })
            {
                thread.Await("wait", word, value => value == 0);
                thread.Store("take", word, 1);
                thread.FullFence("fence");
            }

            foreach (Word word in locks) thread.Store("leave", word, 0, Ordering.Release);
        }

        Exploration exploration = StepwiseExplorer.Explore(model);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Broken));
        Assert.That(exploration.Failure, Does.StartWith("deadlock"));
    }

    [Test]
    public void BoundsEndAnExplorationWithoutAVerdict()
    {
        Exploration exploration = StepwiseExplorer.Explore(ManyStores(), stateMax: 100);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Bounded));
        Assert.That(exploration.Failure, Does.Contain("100 states"));
        Assert.That(
            StepwiseExplorer.Explore(ManyStores(), secondsMax: 0).Outcome, Is.EqualTo(ExplorationOutcome.Bounded));
    }

    [Test]
    public void ALoopWithoutAnAccessIsAnErrorNotAHang()
    {
        StepwiseModel model = new("spinning");
        StepwiseThread thread = model.Thread("thread");
        thread.Target("again");
        thread.GoTo("again");
        Assert.That(
            () => StepwiseExplorer.Explore(model),
            Throws.InvalidOperationException.With.Message.Contains("loops without an access"));
    }

    [Test]
    public void AWordChosenByARegisterIsThatWord()
    {
        StepwiseModel model = new("a ring of two");
        Word[] slots = [model.Word("slot 0"), model.Word("slot 1")];
        Word tail = model.Word("tail");
        StepwiseThread producer = model.Thread("producer"), consumer = model.Thread("consumer");
        Register at = producer.Register("at"), seen = consumer.Register("tail"), item = consumer.Register("item");
        for (ulong i = 1; i <= 2; i++)
        {
            ulong next = i;
            producer.Store("P1: fill the slot", Address.Of(slots, registers => (int)registers[at] & 1), 10 + next);
            producer.Store("P2: publish the tail", tail, next, Ordering.Release);
            producer.Set(at, registers => registers[at] + 1);
        }

        consumer.Load("C1: load the tail", tail, seen, Ordering.Acquire);
        consumer.Branch(registers => registers[seen] == 0, "empty");
        consumer.Load("C2: load the last slot", Address.Of(slots, registers => (int)(registers[seen] - 1) & 1), item);
        consumer.Check("the slot is filled", registers => registers[item] == 10 + registers[seen]);
        consumer.Target("empty");
        Exploration exploration = StepwiseExplorer.Explore(model);
        Assert.That(exploration.Outcome, Is.EqualTo(ExplorationOutcome.Holds), exploration.ToString());
    }

    private static StepwiseModel ManyStores()
    {
        StepwiseModel model = new("many stores");
        for (int i = 0; i < 4; i++)
        {
            StepwiseThread thread = model.Thread($"thread {i}");
            for (int j = 0; j < 6; j++) thread.Store("store", model.Word($"word {i} {j}"), 1);
        }

        return model;
    }
}
